//! Where the strings and the arrays of bytes of JSON end.
//!
//! Invariant: whatever the bytes; what is not closed ends with the text.

/// The end of a string's text, from behind its opening quote: where its closing quote stands, or the end.
pub(super) fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(sign) = next_sign(text, at) {
        at = sign;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    text.len()
}

/// Where the next quote or backslash stands from `at` on. Most strings are short, so the first bytes are looked at eight at
/// a time: a search takes longer to begin.
pub(super) fn next_sign(text: &[u8], at: usize) -> Option<usize> {
    const WORDS: usize = 3;
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);
    // The lowest bit that is set is that of the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut from = at;
    for _ in 0..WORDS {
        let Some(word) = text.get(from..).and_then(<[u8]>::first_chunk) else { break };
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
        if found != 0 {
            return Some(from + found.trailing_zeros() as usize / 8);
        }
        from += 8;
    }
    memchr::memchr2(b'"', b'\\', text.get(from..)?).map(|sign| from + sign)
}

/// The end of the elements of an array of bytes that begins at `from`, behind its bracket.
pub(super) fn bytes_end(text: &[u8], from: usize) -> Option<usize> {
    let mut number: Option<u32> = None;
    for (offset, byte) in text.get(from..)?.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                let next = number.unwrap_or(0) * 10 + u32::from(byte - b'0');
                number = Some(next).filter(|next| *next <= 255);
                number?;
            }
            b',' => _ = number.take()?,
            b']' => return number.map(|_| from + offset),
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_sign_is_the_first_one_wherever_it_stands_and_whatever_is_around_it() {
        for around in [b'x', b'!', b'#', b'[', b']', 0, 0x80, 0xa2, 0xdc, 0xff] {
            for sign in [b'"', b'\\'] {
                for length in 0..40 {
                    let mut text = vec![around; length];
                    assert_eq!(next_sign(&text, 0), None, "{around} {length}");
                    text.extend([sign, around, b'"', b'\\']);
                    for from in 0..=length {
                        assert_eq!(next_sign(&text, from), Some(length), "{around} {sign} {length} {from}");
                    }
                }
            }
        }
        assert_eq!(next_sign(b"abc", 4), None);
    }
}
