//! Replacements in one text, and how positions in the text and in the replaced text belong together.
//!
//! Invariant: replacements are in order and do not overlap, so one pass over them maps any number of positions.

use std::ops::Range;

use super::hit::Finding;

/// How far a replacement can change what the rules see of a text.
const REACH: usize = 160;

/// Replacements of ranges of a text, in order and without overlap. What they put in stands in one buffer.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<Edit>,
    written: Vec<u8>,
}

/// One replacement: the range that goes, and where in the buffer stands what comes.
#[derive(Debug)]
pub(super) struct Edit {
    pub range: Range<usize>,
    with: Range<usize>,
}

impl Edit {
    /// Nothing comes.
    pub(super) fn removes(&self) -> bool {
        self.with.is_empty()
    }
}

impl Edits {
    pub(super) fn with_capacity(count: usize, written: usize) -> Self {
        Self { list: Vec::with_capacity(count), written: Vec::with_capacity(written) }
    }

    /// Replace a range behind those before by what `write` appends.
    pub(super) fn push(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.written.len();
        write(&mut self.written);
        self.list.push(Edit { range, with: from..self.written.len() });
    }

    /// Make room for as many as others are.
    pub(super) fn reserve(&mut self, others: &Self) {
        self.list.reserve(others.list.len());
        self.written.reserve(others.written.len());
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Forget all but the first ones.
    pub(super) fn truncate(&mut self, count: usize) {
        self.list.truncate(count);
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Edit> {
        self.list.get_mut(index)
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Edit> {
        self.list.last_mut()
    }

    /// What goes and what comes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Range<usize>, &[u8])> + '_ {
        self.list.iter().map(|edit| (edit.range.clone(), self.written.get(edit.with.clone()).unwrap_or_default()))
    }

    /// Append the text with its ranges replaced.
    pub(super) fn apply(&self, text: &[u8], out: &mut Vec<u8>) {
        out.reserve(text.len() + self.written.len());
        let mut at = 0;
        for (range, with) in self.iter() {
            out.extend_from_slice(text.get(at..range.start).unwrap_or_default());
            out.extend_from_slice(with);
            at = range.end;
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
    }

    /// The text with its ranges replaced.
    pub(super) fn applied(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.apply(text, &mut out);
        out
    }

    /// The ranges around the replacements, in the text that they made; not the labels, in which nothing is ever found.
    pub(super) fn beside(&self, length: usize) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(2 * self.len());
        let mut shift = 0_isize;
        for (range, with) in self.iter() {
            let start = range.start.saturating_add_signed(shift);
            let end = start + with.len();
            shift += with.len() as isize - range.len() as isize;
            match ranges.last_mut() {
                Some(last) if start.saturating_sub(REACH) <= last.end => last.end = start,
                _ => ranges.push(start.saturating_sub(REACH)..start),
            }
            ranges.push(end..(end + REACH).min(length));
        }
        ranges
    }

    /// Turn findings in the text that the edits made into findings in the text itself: a replacement counts whole. Both are in order and do
    /// not overlap, so one pass over the edits is enough.
    pub(super) fn outward(&self, found: &mut [Finding]) {
        let mut next = 0;
        let mut shift = 0_isize;
        let mut moved = |at: usize, is_end: bool| {
            while let Some(edit) = self.list.get(next) {
                let from = edit.range.start.saturating_add_signed(shift);
                let to = from + edit.with.len();
                if at < to || (is_end && at == to) {
                    let whole = if is_end { edit.range.end } else { edit.range.start };
                    return if at > from { whole } else { at.saturating_add_signed(-shift) };
                }
                shift += edit.with.len() as isize - edit.range.len() as isize;
                next += 1;
            }
            at.saturating_add_signed(-shift)
        };
        for finding in found {
            (finding.start, finding.end) = (moved(finding.start, false), moved(finding.end, true));
        }
    }
}
