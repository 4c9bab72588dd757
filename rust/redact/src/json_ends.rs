//! Where the strings and the arrays of bytes of JSON end.
//!
//! Invariant: whatever the bytes; what is not closed ends with the text.

/// The end of a string's text, from behind its opening quote: where its closing quote stands, or the end.
pub(super) fn string_end(text: &[u8], from: usize) -> usize {
    closing_quote(text, from).map_or(text.len(), |(quote, _)| quote)
}

/// Where the quote stands that closes a string whose text begins at `from`, and whether there are escapes before it.
pub(super) fn closing_quote(text: &[u8], from: usize) -> Option<(usize, bool)> {
    let mut at = next_sign(text, from)?;
    if text.get(at) == Some(&b'"') {
        return Some((at, false));
    }
    // A text with escapes has many, as lines end in one, and few quotes: behind a backslash only these are looked for.
    loop {
        let quote = at + memchr::memchr(b'"', text.get(at..)?)?;
        let before = text.get(from..quote).unwrap_or_default();
        if before.iter().rev().take_while(|byte| **byte == b'\\').count().is_multiple_of(2) {
            return Some((quote, true));
        }
        at = quote + 1;
    }
}

/// Where the next quote or backslash stands from `at` on. Most strings are short, so the first bytes are looked at eight at
/// a time: a search takes longer to begin.
fn next_sign(text: &[u8], at: usize) -> Option<usize> {
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

/// Most writers set one space behind a comma and a colon, and none before.
pub(super) fn after_space(text: &[u8], at: usize) -> usize {
    at + usize::from(text.get(at) == Some(&b' '))
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
    fn a_string_ends_at_the_first_quote_with_no_odd_backslash_before_it() {
        // Byte by byte, as RFC 8259 §7 says it.
        let wanted = |text: &[u8]| {
            let (mut at, mut escaped) = (0, false);
            loop {
                match text.get(at)? {
                    b'"' => return Some((at, escaped)),
                    b'\\' => (at, escaped) = (at + 2, true),
                    _ => at += 1,
                }
            }
        };
        for length in 0..8_u32 {
            for number in 0..3_usize.pow(length) {
                let sign = |place| b"x\"\\"[number / 3_usize.pow(place) % 3];
                let text: Vec<u8> = (0..length).map(sign).collect();
                assert_eq!(closing_quote(&text, 0), wanted(&text), "{text:?}");
                let shifted = [b"\\".as_slice(), &[b'y'; 30], &text].concat();
                let far = wanted(&text).map(|(at, escaped)| (at + 31, escaped));
                assert_eq!(closing_quote(&shifted, 1), far, "{text:?}");
            }
        }
    }

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
