//! A text as a reader sees it: digits and signs of other scripts as ASCII, invisible characters left out, and, in a
//! second view, percent-encoding, character references and `\u` escapes undone.
//!
//! Invariant: each byte of a view knows the byte of the text that it came from, so that what is found in a view is
//! replaced in the text.

use super::hit::Finding;

/// A view, and for each byte of it, and for its end, the position it came from.
pub(super) struct View {
    pub bytes: Vec<u8>,
    positions: Vec<u32>,
}

impl View {
    pub(super) fn with_capacity(length: usize) -> Self {
        Self { bytes: Vec::with_capacity(length), positions: Vec::with_capacity(length + 1) }
    }

    /// The text's position behind a position in the view.
    fn position(&self, at: usize) -> usize {
        self.positions.get(at).map_or(0, |position| *position as usize)
    }

    /// Append a part of the text as it is.
    pub(super) fn copy(&mut self, text: &[u8], at: usize, length: usize) {
        self.bytes.extend_from_slice(text.get(at..at + length).unwrap_or_default());
        self.positions.extend(at as u32..(at + length) as u32);
    }

    /// Append a byte that stands for what is at a position of the text.
    pub(super) fn push(&mut self, byte: u8, position: usize) {
        self.bytes.push(byte);
        self.positions.push(position as u32);
    }

    /// The whole view.
    pub(super) fn end(mut self, text: &[u8]) -> Self {
        self.positions.push(text.len() as u32);
        self
    }

    /// Findings of the view, from the given one on, as positions of the text.
    pub(super) fn outward(&self, found: &mut [Finding], first: usize) {
        for finding in found.iter_mut().skip(first) {
            (finding.start, finding.end) = (self.position(finding.start), self.position(finding.end));
        }
    }

    /// A view of a view as a view of the text.
    pub(super) fn within(mut self, outer: Option<&Self>) -> Self {
        if let Some(outer) = outer {
            for position in &mut self.positions {
                *position = outer.position(*position as usize) as u32;
            }
        }
        self
    }
}

/// Decimal digits of the scripts that the web uses, each a run of ten from zero on.
const ZEROS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040,
    0x17e0, 0x1810, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1fbf0, 0xff10,
];

/// The ASCII that a character reads as; `Some(0)` for characters that are not seen at all.
fn folded(character: char) -> Option<u8> {
    let code = character as u32;
    match code {
        0x300..=0x36f => (code == 0x34f).then_some(0),
        // Latin, Greek, Cyrillic, Hebrew; Chinese, Japanese, Korean: most text, and none of it reads as ASCII.
        0xc0..=0x5ff | 0x3003..=0x3163 | 0x3165..=0xfdff => None,
        0xb2 | 0xb3 => Some((code - 0xb0) as u8 + b'0'),
        0xb9 => Some(b'1'),
        0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => Some(b' '),
        0x2010..=0x2013 | 0x2212 | 0xfe58 | 0xfe63 => Some(b'-'),
        0x2024 | 0x3002 | 0xfe52 => Some(b'.'),
        0xfe6b => Some(b'@'),
        0xff01..=0xff5e => Some((code - 0xff01) as u8 + b'!'),
        _ if unseen(code) => Some(0),
        _ => numbered(code).or_else(|| lettered(code)),
    }
}

/// Characters that show nothing: joiners, marks of direction, fillers, variation selectors, tags (Unicode's
/// `Default_Ignorable_Code_Point`, and the keycap around a digit).
fn unseen(code: u32) -> bool {
    matches!(code,
        0xad | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e
        | 0x2060..=0x206f | 0x20e3 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0x1bca0..=0x1bca3
        | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// Digits in other dresses: superscript, subscript, in circles and brackets, of other scripts.
fn numbered(code: u32) -> Option<u8> {
    let from = |first: u32, digit: u8| Some((code - first) as u8 + digit);
    match code {
        0x2070 | 0x2074..=0x2079 => from(0x2070, b'0'),
        0x2080..=0x2089 => from(0x2080, b'0'),
        0x2460..=0x2468 => from(0x2460, b'1'),
        0x2474..=0x247c => from(0x2474, b'1'),
        0x2488..=0x2490 => from(0x2488, b'1'),
        0x24f5..=0x24fd => from(0x24f5, b'1'),
        0x2776..=0x277e => from(0x2776, b'1'),
        0x2780..=0x2788 => from(0x2780, b'1'),
        0x278a..=0x2792 => from(0x278a, b'1'),
        0x24ea | 0x24ff | 0x1f10b | 0x1f10c | 0x1f100 => Some(b'0'),
        0x1f101..=0x1f10a => from(0x1f101, b'0'),
        _ => ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code)).map(|zero| (code - zero) as u8 + b'0'),
    }
}

/// Letters in other dresses: in circles and boxes, and the alphabets of mathematics (each 52 letters, from A on).
fn lettered(code: u32) -> Option<u8> {
    let letter = |at: u32| if at < 26 { at as u8 + b'A' } else { (at - 26) as u8 + b'a' };
    match code {
        0x24b6..=0x24e9 => Some(letter(code - 0x24b6)),
        0x249c..=0x24b5 => Some((code - 0x249c) as u8 + b'a'),
        0x1d400..=0x1d6a3 => Some(letter((code - 0x1d400) % 52)),
        0x1f110..=0x1f129 => Some((code - 0x1f110) as u8 + b'A'),
        0x1f130..=0x1f149 => Some((code - 0x1f130) as u8 + b'A'),
        0x1f150..=0x1f169 => Some((code - 0x1f150) as u8 + b'A'),
        0x1f170..=0x1f189 => Some((code - 0x1f170) as u8 + b'A'),
        _ => None,
    }
}

/// The folded view, when it differs from the text.
pub(super) fn fold(text: &[u8]) -> Option<View> {
    let mut view: Option<View> = None;
    let (mut at, mut copied) = (0, 0);
    while let Some((position, character)) = next_to_fold(text, at) {
        at = position + character.len_utf8();
        if let Some(byte) = folded(character) {
            let view = view.get_or_insert_with(|| View::with_capacity(text.len()));
            view.copy(text, copied, position - copied);
            if byte != 0 {
                view.push(byte, position);
            }
            copied = at;
        }
    }
    let mut view = view?;
    view.copy(text, copied, text.len() - copied);
    Some(view.end(text))
}

/// Whether a character that begins with this byte may read as ASCII: by the ranges of [`folded`], the first bytes of
/// Latin, Greek, Cyrillic, Hebrew, and of Chinese, Japanese and Korean are left out.
fn may_fold(byte: u8) -> bool {
    matches!(byte, 0xc2 | 0xcd | 0xd8..=0xe3 | 0xef..=0xf4)
}

/// The next character from `at` on that may read as ASCII, and where it stands. What is no UTF-8 is passed over.
fn next_to_fold(text: &[u8], at: usize) -> Option<(usize, char)> {
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let mut at = at;
    loop {
        while text.get(at..)?.first_chunk().is_some_and(|word| u64::from_le_bytes(*word) & HIGHS == 0) {
            at += 8;
        }
        let byte = *text.get(at)?;
        if may_fold(byte) {
            let length = match byte {
                0..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            let character = text.get(at..at + length).and_then(|bytes| std::str::from_utf8(bytes).ok());
            if let Some(character) = character.and_then(|character| character.chars().next()) {
                return Some((at, character));
            }
        }
        at += 1;
    }
}

/// The view with encodings undone, when there are any.
pub(super) fn decode(text: &[u8]) -> Option<View> {
    let mut view: Option<View> = None;
    let mut at = 0;
    let mut copied = 0;
    while let Some(next) =
        text.get(at..).and_then(|rest| memchr::memchr3(b'%', b'&', b'\\', rest)).map(|found| at + found)
    {
        let rest = text.get(next..).unwrap_or_default();
        let Some((character, length)) = percent(rest).or_else(|| reference(rest)).or_else(|| escape(rest)) else {
            at = next + 1;
            continue;
        };
        let view = view.get_or_insert_with(|| View::with_capacity(text.len()));
        view.copy(text, copied, next - copied);
        let mut utf8 = [0; 4];
        let bytes: &[u8] = match character {
            Decoded::Byte(byte) => {
                utf8[0] = byte;
                &utf8[..1]
            }
            Decoded::Char(character) => character.encode_utf8(&mut utf8).as_bytes(),
        };
        view.bytes.extend_from_slice(bytes);
        view.positions.extend(std::iter::repeat_n(next as u32, bytes.len()));
        at = next + length;
        copied = at;
    }
    let mut view = view?;
    view.copy(text, copied, text.len() - copied);
    Some(view.end(text))
}

enum Decoded {
    Byte(u8),
    Char(char),
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
}

/// RFC 3986 §2.1, and `%u0040` of ECMAScript's `escape`.
fn percent(rest: &[u8]) -> Option<(Decoded, usize)> {
    if rest.first() != Some(&b'%') {
        return None;
    }
    if matches!(rest.get(1), Some(b'u' | b'U')) {
        return Some((Decoded::Char(char::from_u32(hex(rest.get(2..6)?)?)?), 6));
    }
    Some((Decoded::Byte(hex(rest.get(1..3)?)? as u8), 3))
}

/// HTML §13.5, numeric, and the names of the signs that values hold.
fn reference(rest: &[u8]) -> Option<(Decoded, usize)> {
    const NAMES: &[(&[u8], u8)] = &[
        (b"&commat;", b'@'),
        (b"&period;", b'.'),
        (b"&colon;", b':'),
        (b"&hyphen;", b'-'),
        (b"&lowbar;", b'_'),
        (b"&nbsp;", b' '),
        (b"&equals;", b'='),
        (b"&amp;", b'&'),
        (b"&num;", b'#'),
        (b"&plus;", b'+'),
        (b"&lpar;", b'('),
        (b"&rpar;", b')'),
        (b"&sol;", b'/'),
        (b"&quot;", b'"'),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
    ];
    if let Some((name, byte)) = NAMES.iter().find(|(name, _)| rest.starts_with(name)) {
        return Some((Decoded::Byte(*byte), name.len()));
    }
    let digits = rest.strip_prefix(b"&#")?;
    let close = digits.iter().take(9).position(|byte| *byte == b';')?;
    let digits = digits.get(..close)?;
    let code = match digits {
        [b'x' | b'X', digits @ ..] if !digits.is_empty() => hex(digits)?,
        [_, ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
        [] => return None,
    };
    Some((Decoded::Char(char::from_u32(code)?), close + 3))
}

/// `\u0040`, `\x40`, as in code and in JSON within text.
fn escape(rest: &[u8]) -> Option<(Decoded, usize)> {
    let (digits, length) = match rest {
        [b'\\', b'u', ..] => (rest.get(2..6)?, 6),
        [b'\\', b'x', ..] => (rest.get(2..4)?, 4),
        _ => return None,
    };
    Some((Decoded::Char(char::from_u32(hex(digits)?)?), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_that_reads_as_ascii_is_met_whatever_is_around_it() {
        for character in (0x80..=0x0010_ffff).filter_map(char::from_u32) {
            let mut written = [0; 4];
            let written = character.encode_utf8(&mut written).as_bytes();
            assert!(
                folded(character).is_none() || written.first().is_some_and(|byte| may_fold(*byte)),
                "{character:?}"
            );
        }
        for (before, after) in
            [(b"".as_slice(), b"".as_slice()), (b"1234567", b"8"), (b"\xe2\x80", b"\x93"), (b"\xc3\xa9", b"\xff")]
        {
            let text = [before, "\u{ff11}".as_bytes(), after].concat();
            let view = fold(&text).expect("a digit in other dress");
            assert_eq!(view.bytes, [before, b"1", after].concat());
        }
    }
}
