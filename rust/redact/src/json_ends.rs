//! Where the strings and the arrays of bytes of JSON end.
//!
//! Invariant: whatever the bytes; what is not closed ends with the text.

/// The end of a string's text, from behind its opening quote: where its closing quote stands, or the end.
pub(super) fn string_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(sign) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += sign;
        if text.get(at) == Some(&b'"') {
            return at;
        }
        at += 2;
    }
    text.len()
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
