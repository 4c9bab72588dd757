//! Sanitizing JSON without parsing it into a tree: strings and numbers are looked at where they stand, every other
//! byte is kept, so the result is JSON when the input was.

use super::{Findings, Redaction};

/// How a string in JSON is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    Key,
}

/// Rewrite a JSON text. `cut`: it may end anywhere. `None` when it is not JSON.
pub(super) fn rewrite(redaction: &Redaction, text: &[u8], cut: bool, findings: &mut Findings) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    // One byte a level: '{' or '['. No recursion, so depth costs memory and not stack.
    let mut levels: Vec<u8> = Vec::new();
    let mut next = Next::Value;
    let mut secret = false;
    let mut begun = false;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                let end = string_end(text, at + 1);
                if end.is_none() && !cut {
                    return None;
                }
                let inner = &text[at + 1..end.unwrap_or(text.len())];
                out.push(b'"');
                let value = unescape(inner, cut && end.is_none())?;
                match next {
                    Next::Key => {
                        redaction.string(&value, inner, false, findings, &mut out);
                        secret = redaction.is_secret_name(&value);
                    }
                    Next::Value => {
                        redaction.string(&value, inner, secret, findings, &mut out);
                        secret = false;
                    }
                }
                match end {
                    Some(end) => {
                        out.push(b'"');
                        at = end + 1;
                    }
                    None => at = text.len(),
                }
            }
            b'{' | b'[' => {
                levels.push(*byte);
                next = if *byte == b'{' { Next::Key } else { Next::Value };
                out.push(*byte);
                at += 1;
            }
            b'}' | b']' => {
                let open = if *byte == b'}' { b'{' } else { b'[' };
                if levels.pop() != Some(open) {
                    return None;
                }
                secret = false;
                next = Next::Value;
                out.push(*byte);
                at += 1;
            }
            b',' => {
                secret = false;
                next = if levels.last() == Some(&b'{') { Next::Key } else { Next::Value };
                out.push(*byte);
                at += 1;
            }
            b':' => {
                next = Next::Value;
                out.push(*byte);
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let length = text[at..]
                    .iter()
                    .take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
                    .count();
                redaction.number(&text[at..at + length], findings, &mut out);
                at += length;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.push(*byte);
                at += 1;
            }
            b't' | b'f' | b'n' => {
                let word: &[u8] = match byte {
                    b't' => b"true",
                    b'f' => b"false",
                    _ => b"null",
                };
                let rest = &text[at..];
                let length = if rest.starts_with(word) {
                    word.len()
                } else if cut && word.starts_with(rest) {
                    rest.len()
                } else {
                    return None;
                };
                out.extend_from_slice(&rest[..length]);
                at += length;
            }
            _ => return None,
        }
        begun = begun || !byte.is_ascii_whitespace();
    }
    (begun && (cut || levels.is_empty())).then_some(out)
}

fn string_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[found] == b'"' {
            return Some(found);
        }
        at = found + 2;
    }
}

/// A string's value. Lone surrogates become U+FFFD: they are no characters, and cannot be part of a value that counts.
pub(super) fn unescape(inner: &[u8], cut: bool) -> Option<std::borrow::Cow<'_, str>> {
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(String::from_utf8_lossy(inner));
    }
    let mut value = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(byte) = inner.get(at) {
        if *byte != b'\\' {
            value.push(*byte);
            at += 1;
            continue;
        }
        let Some(escape) = inner.get(at + 1) else {
            return cut.then(|| String::from_utf8_lossy(&value).into_owned().into());
        };
        at += 2;
        let simple = match escape {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'"' | b'\\' | b'/' => *escape,
            b'u' => {
                let Some(unit) = unit(inner, at) else {
                    return cut.then(|| String::from_utf8_lossy(&value).into_owned().into());
                };
                at += 4;
                let mut code = unit;
                if (0xd800..0xdc00).contains(&unit)
                    && inner.get(at..at + 2) == Some(b"\\u")
                    && let Some(low @ 0xdc00..0xe000) = self::unit(inner, at + 2)
                {
                    code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    at += 6;
                }
                let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return None,
        };
        value.push(simple);
    }
    Some(String::from_utf8_lossy(&value).into_owned().into())
}

fn unit(inner: &[u8], at: usize) -> Option<u32> {
    inner.get(at..at + 4)?.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// Write a string's value with JSON's escapes, without quotes.
pub(super) fn escape(value: &str, out: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(other),
        }
    }
}
