//! The signs that nearly every value has: where none stands near a seam between two pieces, no value stands over it.
//!
//! Invariant: only bytes are looked at, and never a whole long text.

/// How far from a seam a value has such a sign.
pub(super) const REACH: usize = 96;

/// Digits, the signs of addresses and assignments, and what may be a digit of another script. Nearly every value has one.
pub(super) fn is_sign(byte: u8) -> bool {
    sign(byte) != 0
}

/// The same as a number, without a branch, so that it is done many bytes at a time.
fn sign(byte: u8) -> u8 {
    let number = byte.wrapping_sub(b'0') <= b':' - b'0';
    u8::from(number) | u8::from(byte == b'@') | u8::from(byte == b'=') | u8::from(byte >= 0xc0)
}

/// Whether a sign stands near the beginning of a text, and near its end. `masked`: only what stands beside a mask counts.
pub(super) fn signs(text: &[u8], masked: bool) -> (bool, bool) {
    if masked && memchr::memchr(b'[', text).is_none() {
        return (false, false);
    }
    let any = |part: &[u8]| part.iter().fold(0, |found, byte| found | sign(*byte)) != 0;
    if text.len() <= REACH {
        let found = any(text);
        return (found, found);
    }
    // An escape takes up to six bytes for one.
    let most = text.len().min(2 * REACH);
    (any(text.get(..most).unwrap_or_default()), any(text.get(text.len() - most..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_a_digit_a_sign_of_addresses_and_assignments_or_the_beginning_of_a_character() {
        for byte in 0..=255_u8 {
            let wanted = byte.is_ascii_digit() || matches!(byte, b'@' | b':' | b'=') || byte >= 0xc0;
            assert_eq!(is_sign(byte), wanted, "{byte}");
        }
    }
}
