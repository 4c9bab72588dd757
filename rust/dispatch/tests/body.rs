//! Content codings are undone within the bound, however the bytes are cut, as zlib undoes them.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use shadowlane_dispatch::{BoundedBody, Fault};

const TEXT: &[u8] = b"{\"answer\": \"All is well.\"}";

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut writer = ZlibEncoder::new(Vec::new(), Compression::default());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut writer = DeflateEncoder::new(Vec::new(), Compression::default());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn undone<'a>(
    coding: &str,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limit: usize,
) -> Result<(Vec<u8>, bool), Fault> {
    let mut body = BoundedBody::new(coding, limit)?;
    for piece in pieces {
        if !body.feed(piece)? {
            break;
        }
    }
    body.finish()
}

/// A gzip member with every part that a head may have (RFC 1952 §2.3).
fn with_all_fields(data: &[u8]) -> Vec<u8> {
    let plain = gzip(data);
    let head = [&plain[..3], &[0x1f], &plain[4..10], b"\x03\x00abc", b"name\0", b"comment\0", b"\x12\x34"].concat();
    [&head, &plain[10..]].concat()
}

#[test]
fn every_coding_at_once_and_byte_by_byte() {
    let members = [gzip(&TEXT[..9]), gzip(&TEXT[9..])].concat();
    for (coding, packed) in [
        ("gzip", members.clone()),
        ("GZIP, identity", members.clone()),
        ("x-gzip, deflate", zlib(&members)),
        ("gzip", [members.as_slice(), b"\0\0"].concat()),
        ("gzip", [members.as_slice(), b"\x1f\x8b and no member"].concat()),
        ("gzip", with_all_fields(TEXT)),
        ("deflate", zlib(TEXT)),
        ("deflate", deflate(TEXT)),
        ("deflate", [zlib(TEXT).as_slice(), b"more"].concat()),
        ("utf-8, none", TEXT.to_vec()),
    ] {
        assert_eq!(undone(coding, [packed.as_slice()], 1 << 20), Ok((TEXT.to_vec(), false)), "{coding}");
        assert_eq!(undone(coding, packed.chunks(1), 1 << 20), Ok((TEXT.to_vec(), false)), "{coding}");
        assert_eq!(undone(coding, [packed.as_slice()], 10), Ok((TEXT[..10].to_vec(), true)), "{coding}");
    }
}

#[test]
fn what_cannot_be_undone_says_so() {
    let packed = gzip(TEXT);
    let mut wrong_sum = packed.clone();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    for (coding, bytes, words) in [
        ("gzip", &packed[..packed.len() - 3], "ended early"),
        ("gzip", &packed[..5], "ended early"),
        ("gzip", &wrong_sum, "damaged"),
        ("gzip", TEXT, "damaged"),
        ("deflate", &packed, "damaged"),
        ("zstd", TEXT, "damaged"),
        ("compress", TEXT, "not read"),
        ("gzip, gzip, gzip, gzip, gzip, gzip", TEXT, "more than 5"),
        ("br, gzip, zstd", TEXT, "above another"),
    ] {
        let fault = undone(coding, [bytes], 1 << 20).expect_err(coding);
        assert!(fault.detail().contains(words), "{coding}: {fault:?}");
    }
}

#[test]
fn a_bomb_within_a_bomb_is_bounded() {
    let bomb = gzip(&gzip(&vec![0; 8 << 20]));
    assert_eq!(undone("gzip, gzip", [bomb.as_slice()], 1000), Ok((vec![0; 1000], true)));
    // Nothing comes out at the end, but a lot on the way there: many members that hold nothing.
    let nothing = gzip(&gzip(b"").repeat(100_000));
    assert_eq!(undone("gzip, gzip", [nothing.as_slice()], 1000), Ok((Vec::new(), true)));
}

proptest! {
    #[test]
    fn what_was_packed_comes_out(data in prop::collection::vec(0_u8..9, 0..20_000), cut in 1_usize..2000, twice in any::<bool>()) {
        let (coding, packed) = if twice { ("deflate, gzip", gzip(&zlib(&data))) } else { ("gzip", gzip(&data)) };
        prop_assert_eq!(undone(coding, packed.chunks(cut), 1 << 20), Ok((data, false)));
    }

    #[test]
    fn any_bytes_stay_within_the_bound(
        coding in prop::sample::select(vec!["gzip", "deflate", "br", "zstd", "gzip, deflate"]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        begin in prop::sample::select(vec![&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], b"\x1f\x8b\x08\x1f\0\0\0\0\0\0", b"\x78\x9c", b""]),
    ) {
        let all = [begin, &bytes].concat();
        let at_once = undone(coding, [all.as_slice()], 64);
        prop_assert!(at_once.as_ref().is_err() || at_once.as_ref().is_ok_and(|(body, _)| body.len() <= 64));
        if let (Ok(at_once), Ok(bytewise)) = (at_once, undone(coding, all.chunks(1), 64)) {
            prop_assert_eq!(at_once, bytewise);
        }
    }
}
