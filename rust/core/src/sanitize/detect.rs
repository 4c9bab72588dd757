//! Detectors: where in a text a secret or a personal datum stands.
//!
//! One pass over the bytes; each byte that may begin (or, for `@`, join) a value starts a bounded look around it, so
//! the time is linear. What is found is validated (Luhn, mod 97, shapes) before it counts.

use super::rules;

/// One value found: its kind, and its place in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `email`, `payment_card`, `phone`, `iban`, `jwt`, `bearer`, `private_key`, `api_key`, ...
    pub kind: &'static str,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

/// Find all values in a text, in order, without overlap.
pub fn detect(text: &str) -> Vec<Finding> {
    let bytes = text.as_bytes();
    let mut found: Vec<Finding> = Vec::new();
    let mut at = 0;
    // First byte that no finding covers yet: a look back never goes before it.
    let mut free = 0;
    while let Some(byte) = bytes.get(at) {
        let hit = match CLASS[usize::from(*byte)] {
            AT => rules::email(bytes, at, free),
            DIGIT if starts_token(bytes, at) => rules::digits(bytes, at),
            PLUS => rules::international_phone(bytes, at),
            PAREN => rules::bracketed_phone(bytes, at),
            DASH => rules::private_key(bytes, at),
            LETTER if starts_token(bytes, at) => rules::word(bytes, at),
            COLON => rules::url_credentials(bytes, at),
            _ => None,
        };
        if let Some((kind, start, end)) = hit
            && start >= free
            && end > start
        {
            found.push(Finding { kind, start, end });
            free = end;
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// A value begins here only when the byte before is not part of a longer word.
fn starts_token(bytes: &[u8], at: usize) -> bool {
    at == 0 || bytes.get(at - 1).is_none_or(|before| !before.is_ascii_alphanumeric() && *before != b'_')
}

const OTHER: u8 = 0;
const AT: u8 = 1;
const DIGIT: u8 = 2;
const PLUS: u8 = 3;
const DASH: u8 = 4;
const LETTER: u8 = 5;
const COLON: u8 = 6;
const PAREN: u8 = 7;

const CLASS: [u8; 256] = {
    let mut class = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'@' => AT,
            b'0'..=b'9' => DIGIT,
            b'+' => PLUS,
            b'(' => PAREN,
            b'-' => DASH,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b':' => COLON,
            _ => OTHER,
        };
        byte += 1;
    }
    class
};
