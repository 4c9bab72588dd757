//! The frame decoder over any bytes: it refuses or accepts, and what it accepts is what an encoder would have written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowlane_ring::frame::{Exchange, FIXED, Frame};

fuzz_target!(|data: &[u8]| {
    // As they are: the checksum refuses nearly all of them.
    check(data);
    // Under a right checksum and version, so that the lengths behind them are reached.
    let mut sealed = data.to_vec();
    if sealed.len() < FIXED {
        return;
    }
    sealed[8..10].copy_from_slice(&shadowlane_ring::frame::VERSION.to_le_bytes());
    let checksum = xxhash_rust::xxh3::xxh3_64(&sealed[8..]);
    sealed[..8].copy_from_slice(&checksum.to_le_bytes());
    check(&sealed);
});

fn check(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else { return };
    let exchange = Exchange {
        shadow_id: frame.shadow_id,
        started_ns: frame.started_ns,
        ttfb_ns: frame.ttfb_ns,
        duration_ns: frame.duration_ns,
        status: frame.status,
        flags: frame.flags,
        method: frame.method,
        target: frame.target,
        headers: &frame.headers,
        body: &[frame.body],
        response_headers: &frame.response_headers,
        response_body: &[frame.response_body],
    };
    let mut again = vec![0; exchange.size().expect("a decoded frame has a size")];
    assert!(exchange.encode(&mut again));
    assert_eq!(again, bytes);
}
