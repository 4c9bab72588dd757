//! Text that is shown otherwise than it is written: reversed by a mark of direction, or spelled in characters that show
//! nothing (Unicode's tags).
//!
//! Invariant: each such part is read once, and goes whole where something is found in it.

use super::hit::Finding;
use super::scan::scan;
use super::text::Wanted;

/// The right-to-left override, U+202E, and what all tags begin with in UTF-8.
const OVERRIDE: &[u8] = b"\xe2\x80\xae";
const TAG: &[u8] = b"\xf3\xa0";
/// Longest reversed part.
const PART: usize = 512;

/// Append what is found in reversed parts and in tags.
pub(super) fn find(text: &[u8], wanted: Wanted<'_>, found: &mut Vec<Finding>) {
    if memchr::memchr2(0xe2, 0xf3, text).is_none() {
        return;
    }
    for at in memchr::memmem::find_iter(text, OVERRIDE) {
        let start = at + OVERRIDE.len();
        let part = text.get(start..text.len().min(start + PART)).unwrap_or_default();
        // To the end of its line, or to the mark that ends or repeats it.
        let end = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
        let part = part.get(..memchr::memmem::find(part.get(..end).unwrap_or_default(), b"\xe2\x80").unwrap_or(end));
        let part = part.unwrap_or_default();
        let reversed: String = String::from_utf8_lossy(part).chars().rev().collect();
        if let Some(first) = scan(reversed.as_bytes(), wanted, None).first() {
            found.push(Finding { kind: first.kind, start, end: start + part.len() });
        }
    }
    if memchr::memmem::find(text, TAG).is_some() {
        tags(text, wanted, found);
    }
}

/// What is spelled in tags (U+E0020 to U+E007E, each the ASCII character with its last seven bits), run by run.
fn tags(text: &[u8], wanted: Wanted<'_>, found: &mut Vec<Finding>) {
    let tag = |at: usize| match text.get(at..at + 4)? {
        [0xf3, 0xa0, third @ 0x80..=0x81, fourth @ 0x80..=0xbf] => Some((third & 1) << 6 | (fourth & 0x3f)),
        _ => None,
    };
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| memchr::memmem::find(rest, TAG)).map(|next| at + next) {
        let (mut spelled, mut end) = (Vec::new(), start);
        while let Some(byte) = tag(end) {
            spelled.push(byte);
            end += 4;
        }
        if let Some(first) = scan(&spelled, wanted, None).first() {
            found.push(Finding { kind: first.kind, start, end });
        }
        at = end.max(start + TAG.len());
    }
}
