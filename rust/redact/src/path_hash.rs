//! Hashes of the paths, names and scalars by which the texts of a body are told apart.
//!
//! Invariant: names that differ only in their digits have one hash (`part1`, `part22`); a hash is of this process, and is
//! written nowhere.

/// One step of a hash: a wide product folded in two.
pub(super) fn mixed(hash: u64, word: u64) -> u64 {
    let wide = u128::from(hash ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    wide as u64 ^ (wide >> 64) as u64
}

/// A hash of bytes, going on from a hash.
pub(super) fn hash(from: u64, bytes: &[u8]) -> u64 {
    let mut hash = mixed(from, bytes.len() as u64);
    let mut rest = bytes;
    while let Some((word, more)) = rest.split_first_chunk() {
        hash = mixed(hash, u64::from_le_bytes(*word));
        rest = more;
    }
    if rest.is_empty() { hash } else { mixed(hash, short(rest)) }
}

/// Up to seven bytes as a number, the first one lowest: by two loads that may overlap, or by three bytes that may be one.
fn short(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let (first, last) = (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)));
        return first | last << (8 * (bytes.len() - 4));
    }
    let byte = |at: usize| bytes.get(at).map_or(0, |byte| u64::from(*byte) << (8 * at));
    byte(0) | byte(1) | byte(2)
}

/// Where a hash begins.
pub(super) const START: u64 = 0xcbf2_9ce4_8422_2325;

/// A name, with each run of digits as one sign.
pub(super) fn name_hash(name: &[u8]) -> u64 {
    const DIGITS: u8 = b'#';
    // Without a branch, so that it is done many bytes at a time.
    if name.iter().fold(0, |found, byte| found | u8::from(byte.is_ascii_digit()) | u8::from(*byte == DIGITS)) == 0 {
        return hash(START, name);
    }
    let mut hashed = START;
    let mut digits = false;
    for byte in name {
        if byte.is_ascii_digit() {
            if !digits {
                hashed = mixed(hashed, u64::from(DIGITS));
            }
            digits = true;
        } else {
            digits = false;
            hashed = mixed(hashed, u64::from(*byte));
        }
    }
    hashed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_word_is_its_bytes_with_nothing_behind_them() {
        let bytes = [0x81, 2, 0xff, 4, 0x50, 6, 0xf7];
        for length in 0..=bytes.len() {
            let mut word = [0; 8];
            word[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(short(&bytes[..length]), u64::from_le_bytes(word), "{length}");
        }
    }

    #[test]
    fn names_are_told_apart_by_all_but_their_digits() {
        let same = [b"part1".as_slice(), b"part22", b"part#"];
        assert!(same.iter().all(|name| name_hash(name) == name_hash(b"part3")));
        let others = [
            b"part".as_slice(),
            b"part1a",
            b"1part",
            b"p1art",
            b"",
            b"\0",
            b"\0\0",
            b"parts",
            b"a_name_of_more_than_8",
        ];
        let mut hashes: Vec<u64> = others.iter().map(|name| name_hash(name)).chain([name_hash(b"part1")]).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), others.len() + 1);
    }
}
