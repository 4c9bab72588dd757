//! The binary event stream of Amazon Bedrock (Smithy, "Amazon Event Stream specification"), and a model's own event in it.
//!
//! Invariant: a stream is read whole, or left: nothing of one that is cut, damaged or fails a checksum.

use flate2::Crc;

/// Both lengths and their checksum.
const PRELUDE: usize = 12;

/// One message: its type, and its payload.
pub struct Message<'a> {
    /// Empty when it has none.
    pub name: &'a str,
    pub payload: &'a str,
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

/// The first message, and what follows it. `None` for an exception too, which another reader explains.
pub fn next(body: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let (total, headers) = (word(body, 0)? as usize, word(body, 4)? as usize);
    if word(body, 8)? != crc32(body.get(..8)?) || total < headers.checked_add(PRELUDE + 4)? {
        return None;
    }
    let (message, rest) = body.split_at_checked(total)?;
    let (checked, check) = message.split_at_checked(total - 4)?;
    if word(check, 0)? != crc32(checked) {
        return None;
    }
    let (headers, payload) = checked.get(PRELUDE..)?.split_at_checked(headers)?;
    Some((Message { name: event_type(headers)?, payload: std::str::from_utf8(payload).ok()? }, rest))
}

/// The type that the headers name; `None` when they cannot be read, or name an exception.
fn event_type(headers: &[u8]) -> Option<&str> {
    let (mut found, mut rest) = ("", headers);
    while let Some((length, after)) = rest.split_first() {
        let (name, after) = after.split_at_checked(usize::from(*length))?;
        let (kind, after) = after.split_first()?;
        let (size, after) = match kind {
            0 | 1 => (0, after),
            2 => (1, after),
            3 => (2, after),
            4 => (4, after),
            5 | 8 => (8, after),
            9 => (16, after),
            6 | 7 => (usize::from(u16::from_be_bytes(*after.first_chunk()?)), after.get(2..)?),
            _ => return None,
        };
        let (value, after) = after.split_at_checked(size)?;
        match (name, kind) {
            (b":event-type", 7) => found = std::str::from_utf8(value).ok()?,
            (b":message-type", 7) if value != b"event" => return None,
            _ => {}
        }
        rest = after;
    }
    Some(found)
}

/// Base 64 (RFC 4648 §4), padded.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for four in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for letter in four {
            let digit = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                b'0'..=b'9' => letter - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(digit);
        }
        let bytes = (bits << (6 * (4 - four.len()))).to_be_bytes();
        out.extend(bytes.iter().skip(1).take(four.len() * 6 / 8));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_every_length() {
        for (text, bytes) in [("", ""), ("TQ==", "M"), ("TWE=", "Ma"), ("TWFu", "Man"), ("TWFuTQ==", "ManM")] {
            assert_eq!(decode_base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode_base64("+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
        for text in ["T", "TQ", "TQ=", "TQ===", "T===", "T-==", "TQ==TWE="] {
            assert_eq!(decode_base64(text), None, "{text}");
        }
    }
}
