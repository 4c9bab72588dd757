//! A piece written anew, with parts of what it says replaced: a JSON string with its escapes, bytes as numbers, a form's
//! value in percent-encoding.
//!
//! Invariant: what is not replaced keeps its bytes, but for white space in an array of bytes and for how
//! a form writes what need not be encoded.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::edits::Edits;
use super::escapes::{self, Positions};
use super::form;
use super::pieces::Written;

/// The parts of a range that no other covers; then all of it is covered. `covered`: ends by starts, apart.
pub(super) fn uncovered(covered: &mut BTreeMap<usize, usize>, range: Range<usize>) -> Vec<Range<usize>> {
    let mut free = Vec::new();
    let mut at = range.start;
    if let Some((_, end)) = covered.range(..=range.start).next_back() {
        at = at.max(*end);
    }
    for (start, end) in covered.range(range.start..range.end) {
        if at < *start {
            free.push(at..*start);
        }
        at = at.max(*end);
    }
    if at < range.end {
        free.push(at..range.end);
    }
    for part in &free {
        covered.insert(part.start, part.end);
    }
    free
}

/// What a piece says.
pub(super) fn value(written: &[u8], kind: Written) -> Cow<'_, [u8]> {
    match kind {
        Written::String => escapes::unescape(written, true).unwrap_or(Cow::Borrowed(written)),
        Written::Bytes => Cow::Owned(numbers(written)),
        Written::Form => Cow::Owned(form::percent_decode(written)),
        Written::Bare => Cow::Borrowed(written),
    }
}

/// The elements of an array of bytes.
fn numbers(written: &[u8]) -> Vec<u8> {
    let number = |part: &[u8]| std::str::from_utf8(part.trim_ascii()).ok()?.parse().ok();
    written.split(|byte| *byte == b',').filter_map(number).collect()
}

/// A piece with parts of its value replaced.
pub(super) fn rewritten(written: &[u8], kind: Written, cuts: &[(u32, Range<usize>, Vec<u8>)]) -> Vec<u8> {
    let mut edits = Edits::default();
    match kind {
        Written::String if escapes::unescape(written, true).is_some() => {
            let mut positions = Positions::new(written);
            for (_, range, with) in cuts {
                let range = positions.of(range.start)..positions.of(range.end);
                edits.push(range, |out| escapes::escape(with, out));
            }
            edits.applied(written)
        }
        Written::Bytes => {
            for (_, range, with) in cuts {
                edits.push(range.clone(), |out| out.extend_from_slice(with));
            }
            let texts: Vec<String> = edits.applied(&numbers(written)).iter().map(u8::to_string).collect();
            texts.join(",").into_bytes()
        }
        Written::Form => {
            for (_, range, with) in cuts {
                edits.push(range.clone(), |out| out.extend_from_slice(with));
            }
            let mut encoded = Vec::with_capacity(written.len());
            form::encode(&edits.applied(&form::percent_decode(written)), &mut encoded);
            encoded
        }
        Written::String | Written::Bare => {
            for (_, range, with) in cuts {
                edits.push(range.clone(), |out| out.extend_from_slice(with));
            }
            edits.applied(written)
        }
    }
}
