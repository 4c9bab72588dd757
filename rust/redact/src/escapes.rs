//! The escapes of JSON strings (RFC 8259 §7): undone for the scan, and positions mapped back, so that what was not found
//! keeps the bytes that it had.

use std::borrow::Cow;

/// One escape at the start of `rest`: its length, and the bytes that it stands for.
fn one(rest: &[u8]) -> Option<(usize, [u8; 4], usize)> {
    let simple = match rest.get(1)? {
        b'u' => {
            let first = unit(rest.get(2..6)?)?;
            let (mut code, mut length) = (first, 6);
            if (0xd800..0xdc00).contains(&first)
                && rest.get(6..8) == Some(b"\\u")
                && let Some(low @ 0xdc00..0xe000) = rest.get(8..12).and_then(unit)
            {
                code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                length = 12;
            }
            // A lone surrogate is no character, and can be no part of a value that counts.
            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut bytes = [0; 4];
            let count = character.encode_utf8(&mut bytes).len();
            return Some((length, bytes, count));
        }
        sign => simple(*sign)?,
    };
    Some((2, [simple, 0, 0, 0], 1))
}

/// What a sign behind a backslash stands for.
fn simple(sign: u8) -> Option<u8> {
    Some(match sign {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        byte @ (b'"' | b'\\' | b'/') => byte,
        _ => return None,
    })
}

fn unit(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// A string's value. `cut`: it may end within an escape. `None` when an escape is wrong.
pub(super) fn unescape(inner: &[u8], cut: bool) -> Option<Cow<'_, [u8]>> {
    if memchr::memchr(b'\\', inner).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    let mut value = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(sign) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(sign);
        value.extend_from_slice(plain);
        // Nearly all escapes are of two signs.
        if let Some(byte) = escape.get(1).copied().and_then(simple) {
            value.push(byte);
            rest = escape.get(2..)?;
            continue;
        }
        let Some((length, bytes, count)) = one(escape) else {
            return (cut && escape.len() < 12).then_some(Cow::Owned(value));
        };
        value.extend_from_slice(bytes.get(..count)?);
        rest = escape.get(length..)?;
    }
    value.extend_from_slice(rest);
    Some(Cow::Owned(value))
}

/// Turns positions of a string's value, given in order, into positions of the string as it is written.
pub(super) struct Positions<'a> {
    inner: &'a [u8],
    written: usize,
    value: usize,
    /// The next escape, or the end.
    escape: usize,
}

impl<'a> Positions<'a> {
    pub(super) fn new(inner: &'a [u8]) -> Self {
        let mut positions = Self { inner, written: 0, value: 0, escape: 0 };
        positions.seek();
        positions
    }

    /// Once for each escape and not for each position, so that many positions in one long string take linear time.
    fn seek(&mut self) {
        let rest = self.inner.get(self.written..).unwrap_or_default();
        self.escape = self.written + memchr::memchr(b'\\', rest).unwrap_or(rest.len());
    }

    /// Within an escape: its end.
    pub(super) fn of(&mut self, position: usize) -> usize {
        while self.value < position {
            let (plain, wanted) = (self.escape - self.written, position - self.value);
            if wanted <= plain {
                self.written += wanted;
                self.value = position;
                break;
            }
            self.written = self.escape;
            self.value += plain;
            let Some((length, _, count)) = self.inner.get(self.escape..).and_then(one) else {
                self.written = self.inner.len();
                break;
            };
            self.written += length;
            self.value += count;
            self.seek();
        }
        self.written
    }
}

/// Write a string's value with JSON's escapes, without quotes.
pub(super) fn escape(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            other => out.push(*other),
        }
    }
}
