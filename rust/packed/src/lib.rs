//! The contents of a stored row as one compressed value.
//!
//! Layout: a zlib stream (RFC 1950) of the number of parts (one byte), their lengths in bytes (8 each, little-endian), and
//! the parts. Invariant: whoever inflates the stream has every part again, byte for byte.

use libdeflater::{CompressionLvl, Compressor};

/// The most parts of a value.
pub const MOST_PARTS: usize = u8::MAX as usize;

/// Makes one value after the other: what it needs for that is made once.
pub struct Packer {
    compressor: Compressor,
    joined: Vec<u8>,
}

impl Packer {
    /// A packer of the first level that compresses: most of the gain for a fraction of the time of the others.
    pub fn new() -> Self {
        let level = CompressionLvl::new(1).unwrap_or_default();
        Self { compressor: Compressor::new(level), joined: Vec::new() }
    }

    /// The parts as one value; `None` when there are more than [`MOST_PARTS`].
    pub fn pack<'a>(&mut self, parts: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Option<Vec<u8>> {
        let joined = &mut self.joined;
        joined.clear();
        joined.push(u8::try_from(parts.len()).ok()?);
        for part in parts.clone() {
            joined.extend_from_slice(&(part.len() as u64).to_le_bytes());
        }
        parts.for_each(|part| joined.extend_from_slice(part));
        let mut out = vec![0; self.compressor.zlib_compress_bound(joined.len())];
        // It fails only where its bound is too small for what it makes.
        let size = self.compressor.zlib_compress(joined, &mut out).ok()?;
        out.truncate(size);
        Some(out)
    }
}

impl Default for Packer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whoever_inflates_it_has_the_parts_again(
            values in prop::collection::vec(prop::collection::vec(prop::collection::vec(0_u8..4, 0..600), 0..9), 1..4),
        ) {
            let mut packer = Packer::new();
            for parts in values {
                let packed = packer.pack(parts.iter().map(Vec::as_slice)).unwrap();
                let mut data = Vec::new();
                flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut data).unwrap();
                let mut wanted = vec![parts.len() as u8];
                wanted.extend(parts.iter().flat_map(|part| (part.len() as u64).to_le_bytes()));
                wanted.extend(parts.iter().flatten());
                prop_assert_eq!(data, wanted);
            }
        }
    }

    #[test]
    fn what_is_alike_is_stored_once() {
        let answer: Vec<u8> = (0..1200_u32).map(|n| (n * n / 7) as u8).collect();
        let size = |times| Packer::new().pack(vec![answer.as_slice(); times].into_iter()).unwrap().len();
        assert!(size(5) < 2 * size(1));
    }

    #[test]
    fn a_byte_counts_the_parts() {
        let parts = vec![&b""[..]; MOST_PARTS + 1];
        assert!(Packer::new().pack(parts.iter().copied()).is_none());
        assert!(Packer::new().pack(parts[1..].iter().copied()).is_some());
    }
}
