//! Laws of the frame: what was encoded is decoded, whatever else is refused, nothing panics.

use proptest::prelude::*;
use shadowlane_ring::frame::{Exchange, FIXED, Frame};

fn encoded(exchange: &Exchange<'_>) -> Vec<u8> {
    let mut out = vec![0; exchange.size().unwrap()];
    assert!(exchange.encode(&mut out));
    out
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

fn pairs() -> impl Strategy<Value = Pairs> {
    prop::collection::vec((bytes(12), bytes(30)), 0..5)
}

fn borrow(pairs: &Pairs) -> Vec<(&[u8], &[u8])> {
    pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect()
}

proptest! {
    #[test]
    fn decodes_what_was_encoded(
        id in any::<[u8; 16]>(), times in any::<[u64; 3]>(), status in any::<u16>(), flags in any::<u32>(),
        method in bytes(8), target in bytes(40), headers in pairs(), response_headers in pairs(),
        body in prop::collection::vec(bytes(50), 0..4), response_body in prop::collection::vec(bytes(50), 0..4),
    ) {
        let (headers, response_headers) = (borrow(&headers), borrow(&response_headers));
        let body_pieces: Vec<&[u8]> = body.iter().map(Vec::as_slice).collect();
        let response_pieces: Vec<&[u8]> = response_body.iter().map(Vec::as_slice).collect();
        let exchange = Exchange {
            shadow_id: id, started_ns: times[0], ttfb_ns: times[1], duration_ns: times[2], status, flags,
            method: &method, target: &target, headers: &headers, body: &body_pieces,
            response_headers: &response_headers, response_body: &response_pieces,
        };
        let out = encoded(&exchange);
        let frame = Frame::decode(&out).unwrap();
        prop_assert_eq!(frame.shadow_id, id);
        prop_assert_eq!([frame.started_ns, frame.ttfb_ns, frame.duration_ns], times);
        prop_assert_eq!((frame.status, frame.flags), (status, flags));
        prop_assert_eq!(frame.method, &method[..]);
        prop_assert_eq!(frame.target, &target[..]);
        prop_assert_eq!(frame.headers, headers);
        prop_assert_eq!(frame.response_headers, response_headers);
        prop_assert_eq!(frame.body, &body.concat()[..]);
        prop_assert_eq!(frame.response_body, &response_body.concat()[..]);
    }

    #[test]
    fn garbage_is_refused(garbage in bytes(400)) {
        prop_assert!(Frame::decode(&garbage).is_err());
    }

    #[test]
    fn one_flipped_bit_is_refused(body in bytes(64), position in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let exchange = Exchange { method: b"GET", target: b"/", body: &[&body], ..Exchange::default() };
        let mut out = encoded(&exchange);
        let position = position.index(out.len());
        out[position] ^= 1 << bit;
        prop_assert!(Frame::decode(&out).is_err());
    }

    #[test]
    fn lengths_that_lie_under_a_right_checksum_are_refused(field in 0_usize..6, lie in any::<u32>()) {
        let exchange = Exchange { method: b"GET", target: b"/", body: &[b"abc"], ..Exchange::default() };
        let mut out = encoded(&exchange);
        let at = 56 + 4 * field;
        let truth = u32::from_le_bytes(out[at..at + 4].try_into().unwrap());
        prop_assume!(lie != truth);
        out[at..at + 4].copy_from_slice(&lie.to_le_bytes());
        let checksum = xxhash_rust::xxh3::xxh3_64(&out[8..]);
        out[..8].copy_from_slice(&checksum.to_le_bytes());
        prop_assert!(Frame::decode(&out).is_err());
    }
}

#[test]
fn a_frame_cut_anywhere_is_refused() {
    let exchange = Exchange {
        method: b"POST",
        target: b"/ask?q=1",
        headers: &[(b"accept", b"*/*")],
        body: &[b"{}", b"tail"],
        ..Exchange::default()
    };
    let out = encoded(&exchange);
    assert!(out.len() > FIXED);
    for length in 0..out.len() {
        assert!(Frame::decode(&out[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_buffer_of_the_wrong_size_is_not_encoded_into() {
    let exchange = Exchange { method: b"GET", target: b"/", ..Exchange::default() };
    let size = exchange.size().unwrap();
    for wrong in [0, 7, FIXED, size - 1, size + 1] {
        assert!(!exchange.encode(&mut vec![0; wrong]));
    }
}
