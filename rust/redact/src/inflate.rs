//! Undoes the compression of a body by what its bytes are, for bodies whose content coding is not known.
//!
//! Invariant: never more than `most` bytes come out, whatever goes in; nothing panics; a body that was cut gives what
//! there is of it, and says so.

use std::io::{ErrorKind, Read};

/// How much of the body came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All of it.
    Whole,
    /// The compressed bytes end too early.
    Cut,
    /// More than `most`: the rest is left out.
    Longer,
    /// It cannot be undone.
    Damaged,
}

/// A body without its compression.
#[derive(Debug)]
pub struct Inflated {
    /// The bytes; empty when damaged.
    pub data: Vec<u8>,
    /// `gzip`, `deflate`, `br` or `zstd`.
    pub coding: &'static str,
    /// How much of it there is.
    pub state: State,
}

/// The body without its compression, at most `most` bytes; `None` when it is not compressed.
///
/// gzip (RFC 1952), zlib (RFC 1950) and zstd (RFC 8878) begin with their own marks. Brotli (RFC 7932) has none: it is
/// tried on what is no UTF-8, and believed when it ends well and gives UTF-8.
pub fn inflate(body: &[u8], most: usize) -> Option<Inflated> {
    match body {
        [0x1f, 0x8b, ..] => Some(drained("gzip", flate2::read::MultiGzDecoder::new(body), most)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(zstd(body, most)),
        [0x78, flags, ..]
            if flags & 0x20 == 0 && (0x7800 + u16::from(*flags)) % 31 == 0 && str::from_utf8(body).is_err() =>
        {
            Some(drained("deflate", flate2::read::ZlibDecoder::new(body), most))
        }
        _ if str::from_utf8(body).is_err() => {
            let found = drained("br", brotli_decompressor::Decompressor::new(body, 4096), most);
            let believed = match found.state {
                State::Whole => str::from_utf8(&found.data).is_ok() && found.data.len() * 2 > body.len(),
                State::Longer => true,
                State::Cut | State::Damaged => false,
            };
            believed.then_some(found)
        }
        _ => None,
    }
}

fn drained(coding: &'static str, reader: impl Read, most: usize) -> Inflated {
    let mut data = Vec::new();
    let read = reader.take(most as u64 + 1).read_to_end(&mut data);
    finished(coding, data, read.err().map(|error| error.kind()), most)
}

fn finished(coding: &'static str, mut data: Vec<u8>, error: Option<ErrorKind>, most: usize) -> Inflated {
    let state = match error {
        _ if data.len() > most => State::Longer,
        None => State::Whole,
        Some(ErrorKind::UnexpectedEof) => State::Cut,
        Some(_) => State::Damaged,
    };
    if state == State::Damaged {
        data.clear();
    }
    data.truncate(most);
    Inflated { data, coding, state }
}

/// One frame after another.
fn zstd(body: &[u8], most: usize) -> Inflated {
    let mut data = Vec::new();
    let mut rest = body;
    let mut error = None;
    while !rest.is_empty() && error.is_none() && data.len() <= most {
        match ruzstd::decoding::StreamingDecoder::new(rest) {
            Ok(mut frame) => {
                let room = (most + 1 - data.len()) as u64;
                let read = frame.by_ref().take(room).read_to_end(&mut data);
                // The decoder does not tell an early end from damage; what came out before it was sound.
                error =
                    read.err().map(|_| if data.is_empty() { ErrorKind::InvalidData } else { ErrorKind::UnexpectedEof });
                rest = frame.into_inner();
            }
            Err(_) => error = Some(if data.is_empty() { ErrorKind::InvalidData } else { ErrorKind::UnexpectedEof }),
        }
    }
    finished("zstd", data, error, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    const TEXT: &[u8] = b"{\"choices\": [{\"message\": {\"content\": \"h\xc3\xa9llo\"}}]}";
    /// `TEXT` as written by the zstd command.
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x24\x31\x89\x01\x00\x7b\x22\x63\x68\x6f\x69\x63\x65\x73\x22\x3a\x20\x5b\x7b\x22\x6d\x65\x73\x73\x61\x67\x65\x22\x3a\x20\x7b\x22\x63\x6f\x6e\x74\x65\x6e\x74\x22\x3a\x20\x22\x68\xc3\xa9\x6c\x6c\x6f\x22\x7d\x7d\x5d\x7d\x54\xdb\xc5\x74";
    /// `TEXT` as written by brotli 1.2.
    const BROTLI: &[u8] = b"\x0b\x18\x80\x7b\x22\x63\x68\x6f\x69\x63\x65\x73\x22\x3a\x20\x5b\x7b\x22\x6d\x65\x73\x73\x61\x67\x65\x22\x3a\x20\x7b\x22\x63\x6f\x6e\x74\x65\x6e\x74\x22\x3a\x20\x22\x68\xc3\xa9\x6c\x6c\x6f\x22\x7d\x7d\x5d\x7d\x03";

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(data).unwrap();
        writer.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        writer.write_all(data).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn whole_cut_longer_damaged() {
        for (body, coding) in
            [(gzip(TEXT), "gzip"), (zlib(TEXT), "deflate"), (ZSTD.to_vec(), "zstd"), (BROTLI.to_vec(), "br")]
        {
            let found = inflate(&body, 1 << 20).unwrap();
            assert_eq!((found.data.as_slice(), found.coding, found.state), (TEXT, coding, State::Whole));
            let found = inflate(&body, 10).unwrap();
            assert_eq!((found.data.as_slice(), found.state), (&TEXT[..10], State::Longer));
        }
        let body = gzip(TEXT);
        assert_eq!(inflate(&body[..body.len() - 9], 1 << 20).unwrap().state, State::Cut);
        let mut body = gzip(TEXT);
        body[12] ^= 0xff;
        assert!(matches!(inflate(&body, 1 << 20).unwrap().state, State::Damaged | State::Cut));
        assert!(
            inflate(TEXT, 100).is_none()
                && inflate(b"", 100).is_none()
                && inflate(b"\xff\xd8 no stream", 100).is_none()
        );
    }

    proptest! {
        #[test]
        fn any_bytes_stay_within_the_bound(
            head in prop::sample::select(vec![&[0x1f, 0x8b, 8][..], &[0x28, 0xb5, 0x2f, 0xfd], &[0x78, 0x9c], &[]]),
            tail in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let body = [head, &tail].concat();
            if let Some(found) = inflate(&body, 64) {
                prop_assert!(found.data.len() <= 64);
                prop_assert!(found.state != State::Damaged || found.data.is_empty());
            }
        }
    }
}
