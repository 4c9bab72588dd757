//! Text that is shown otherwise than it is written: reversed by a mark of direction, or spelled in characters that show
//! nothing (Unicode's tags).
//!
//! Invariant: each such part is read once; what is spelled in tags goes whole where something is found in it.

use super::hit::Finding;
use super::label;
use super::scan::scan;
use super::text::Wanted;
use super::view;

/// The right-to-left override, U+202E, and what all tags begin with in UTF-8.
const OVERRIDE: &[u8] = b"\xe2\x80\xae";
const TAG: &[u8] = b"\xf3\xa0";

/// Append what is found in reversed parts and in tags.
pub(super) fn find(text: &[u8], wanted: Wanted<'_>, found: &mut Vec<Finding>) {
    if memchr::memchr2(0xe2, 0xf3, text).is_none() {
        return;
    }
    for at in memchr::memmem::find_iter(text, OVERRIDE) {
        let start = at + OVERRIDE.len();
        let part = text.get(start..).unwrap_or_default();
        let part = part.get(..end(part)).unwrap_or_default();
        let mut from = 0;
        // A label is read as it is written, and parts what stands beside it.
        while let Some(rest) = part.get(from..).filter(|rest| !rest.is_empty()) {
            let length = label::first_mask(rest).unwrap_or(rest.len());
            reversed(rest.get(..length).unwrap_or_default(), start + from, wanted, found);
            from = label::mask_end(part, from + length).unwrap_or(part.len());
        }
    }
    if memchr::memmem::find(text, TAG).is_some() {
        tags(text, wanted, found);
    }
}

/// Where a reversed part ends: with its line, or at the next mark of direction (U+202A to U+202E, U+2066 to U+2069).
/// Dashes and quotes begin alike.
fn end(part: &[u8]) -> usize {
    let ends = |at: &usize| match part.get(*at..).unwrap_or_default() {
        [b'\n', ..] => true,
        [0xe2, 0x80, third, ..] => matches!(third, 0xaa..=0xae),
        [0xe2, 0x81, third, ..] => matches!(third, 0xa6..=0xa9),
        _ => false,
    };
    memchr::memchr2_iter(b'\n', 0xe2, part).find(ends).unwrap_or(part.len())
}

/// What a part at `start` shows from its end to its beginning.
fn reversed(part: &[u8], start: usize, wanted: Wanted<'_>, found: &mut Vec<Finding>) {
    let shown: String = String::from_utf8_lossy(part).chars().rev().collect();
    let folded = view::fold(shown.as_bytes());
    let mut hits = scan(folded.as_ref().map_or(shown.as_bytes(), |view| &view.bytes), wanted, None);
    if let Some(view) = &folded {
        view.outward(&mut hits, 0);
    }
    // Of what is no UTF-8 the positions are not known.
    if shown.len() != part.len() {
        found.extend(hits.first().map(|hit| Finding { kind: hit.kind, start, end: start + part.len() }));
        return;
    }
    let end = start + part.len();
    found.extend(hits.iter().rev().map(|hit| Finding { kind: hit.kind, start: end - hit.end, end: end - hit.start }));
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
