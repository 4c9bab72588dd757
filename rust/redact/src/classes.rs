//! Classes of ASCII bytes by a table: one load a byte, where the ranges of `is_ascii_alphanumeric` take six comparisons.
//! The rules look at every byte around a candidate, so that this is most of what they do.

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
/// A dash and an underscore, as base 64 for URLs has them.
const URL: u8 = 4;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a position outside would not compile")]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b'-' | b'_' => URL,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

#[expect(clippy::indexing_slicing, reason = "a table of 256, by a byte")]
fn is(byte: u8, classes: u8) -> bool {
    CLASSES[byte as usize] & classes != 0
}

pub(super) fn is_alphabetic(byte: u8) -> bool {
    is(byte, LETTER)
}

pub(super) fn is_alphanumeric(byte: u8) -> bool {
    is(byte, LETTER | DIGIT)
}

/// Letters, digits, `-` and `_`.
pub(super) fn is_url(byte: u8) -> bool {
    is(byte, LETTER | DIGIT | URL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_ranges_say() {
        for byte in 0..=255_u8 {
            assert_eq!(is_alphabetic(byte), byte.is_ascii_alphabetic(), "{byte}");
            assert_eq!(is_alphanumeric(byte), byte.is_ascii_alphanumeric(), "{byte}");
            assert_eq!(is_url(byte), byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'), "{byte}");
        }
    }
}
