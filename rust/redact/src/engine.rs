//! Finding and replacing in one text: the scan over the text's views, the user's rules, the allow-lists.
//!
//! Invariants: findings are in order and do not overlap; replacing all of them gives a text in which nothing is found.

use std::ops::Range;

use super::Findings;
use super::kinds::Kind;
use super::label::{self, Action};
use super::options::{Compiled, near};
use super::scan::{Finding, Wanted, scan};
use super::view;

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
    /// Replace a range behind those before by what `write` appends.
    pub(super) fn push(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let from = self.written.len();
        write(&mut self.written);
        self.list.push(Edit { range, with: from..self.written.len() });
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
}

/// What is known of a text from where it stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'a> {
    /// Name of the field that holds it.
    pub name: &'a [u8],
    /// Whether a value that stands alone in it speaks for itself: in prose, and not in a field of ids.
    pub alone: bool,
}

/// How often encodings are undone: percent-encoding in percent-encoding in a `\u` escape.
const DECODED_MOST: usize = 3;

/// How often a text with findings is looked at again. A mask can only part what it stood beside, so twice is rare.
const ROUNDS: usize = 6;

impl Compiled {
    /// All values, in order, without overlap, and their replacements.
    pub(super) fn find(&self, text: &[u8], place: Place<'_>) -> (Vec<Finding>, Edits) {
        #[cfg(feature = "panic-probe")]
        crate::probe::check(text);
        let mut found = self.once(text, place, None);
        let mut edits = self.labels(text, &found);
        let mut masked = Vec::new();
        for _ in 0..ROUNDS {
            if found.is_empty() {
                break;
            }
            masked.clear();
            edits.apply(text, &mut masked);
            let mut more = self.once(&masked, place, Some(&beside(&edits, masked.len())));
            if more.is_empty() {
                break;
            }
            outward(&edits, &mut more);
            found.extend(more);
            found = merged(found);
            edits = self.labels(text, &found);
        }
        (found, edits)
    }

    /// One look at all views of a text. `near`: only there, since the rest has been looked at.
    fn once(&self, text: &[u8], place: Place<'_>, near: Option<&[Range<usize>]>) -> Vec<Finding> {
        let wanted = Wanted { kinds: &self.kinds, least: self.least, name: place.name, alone: place.alone };
        let folded = view::fold(text);
        let plain = folded.as_ref().map_or(text, |view| view.bytes.as_slice());
        // A view's places are not the text's: there, everything is looked at again.
        let mut found = scan(plain, wanted, near.filter(|_| folded.is_none()));
        let scanned = found.len();
        self.rules(plain, &mut found);
        let mut sources = usize::from(scanned > 0) + usize::from(found.len() > scanned) + self.rules.len();
        if let Some(view) = &folded {
            view.outward(&mut found, 0);
        }
        // Encodings, and what was encoded twice.
        let mut encoded = view::decode(plain).map(|view| view.within(folded.as_ref()));
        for _ in 0..DECODED_MOST {
            let Some(view) = encoded else { break };
            let view = match view::fold(&view.bytes) {
                Some(folded) => folded.within(Some(&view)),
                None => view,
            };
            let first = found.len();
            found.extend(scan(&view.bytes, wanted, None));
            self.rules(&view.bytes, &mut found);
            view.outward(&mut found, first);
            sources += 2;
            encoded = view::decode(&view.bytes).map(|inner| inner.within(Some(&view)));
        }
        if !self.allow_values.is_empty() || !self.allow_patterns.is_empty() {
            found.retain(|finding| !self.allowed(text.get(finding.start..finding.end).unwrap_or_default()));
        }
        if sources > 1 { merged(found) } else { found }
    }

    fn allowed(&self, value: &[u8]) -> bool {
        let lower = || String::from_utf8_lossy(value).to_lowercase().into_bytes();
        (!self.allow_values.is_empty() && self.allow_values.contains(&lower()))
            || self.allow_patterns.iter().any(|pattern| pattern.is_match(value))
    }

    /// The user's rules. A search sees at most `WINDOW` bytes, so that its time is linear in the text whatever the
    /// pattern: searching for all matches of a pattern in a whole text is not.
    fn rules(&self, text: &[u8], found: &mut Vec<Finding>) {
        const WINDOW: usize = 8192;
        const CONTEXT: usize = 80;
        for rule in &self.rules {
            if !self.kinds.has(rule.kind) || rule.confidence < self.least {
                continue;
            }
            let mut at = 0;
            while at < text.len() {
                let window = text.get(..text.len().min(at + WINDOW)).unwrap_or(text);
                let Some(captures) = rule.pattern.captures_at(window, at) else {
                    // A value may begin in the second half and end after the window.
                    at += if window.len() == text.len() { WINDOW } else { WINDOW / 2 };
                    continue;
                };
                let Some(whole) = captures.get(0) else { break };
                let value = captures.name("value").unwrap_or(whole);
                at = whole.end().max(at + 1);
                let before = text.get(value.start().saturating_sub(CONTEXT)..value.start()).unwrap_or_default();
                let right = !value.is_empty()
                    && rule.check.is_none_or(|check| check(value.as_bytes()))
                    && (rule.context.is_empty() || near(&rule.context, before))
                    && !label::inside_mask(text, value.start());
                if right {
                    found.push(Finding { kind: rule.kind, start: value.start(), end: value.end() });
                }
            }
        }
    }

    /// The replacements of findings.
    fn labels(&self, text: &[u8], found: &[Finding]) -> Edits {
        if found.is_empty() {
            return Edits::default();
        }
        let mut edits =
            Edits { list: Vec::with_capacity(found.len()), written: Vec::with_capacity(found.len() * LABEL) };
        for finding in found {
            let range = finding.start..finding.end;
            let value = text.get(range.clone()).unwrap_or_default();
            edits.push(range, |out| self.label(finding.kind, None, value, out));
        }
        edits
    }

    /// Append a text with its findings replaced and counted.
    pub(super) fn text(&self, text: &[u8], place: Place<'_>, findings: &mut Findings, out: &mut Vec<u8>) {
        let (found, edits) = self.find(text, place);
        self.count(found.iter().map(|finding| finding.kind), findings);
        edits.apply(text, out);
    }

    pub(super) fn count(&self, kinds: impl IntoIterator<Item = Kind>, findings: &mut Findings) {
        kinds.into_iter().for_each(|kind| findings.add(self.name(kind)));
    }

    /// What stands in a value's place: as a field rule says, or as its kind's action does.
    pub(super) fn label(&self, kind: Kind, action: Option<Action>, value: &[u8], out: &mut Vec<u8>) {
        let action = action.or_else(|| self.actions.get(usize::from(kind.0)).copied()).unwrap_or(Action::Mask);
        label::write(self.name(kind), kind, action, &self.key, value, out);
    }

    /// The label of a kind that a detector outside this crate named.
    pub(super) fn named_label(&self, name: &str, value: &[u8], out: &mut Vec<u8>) {
        let place = self.names.iter().position(|other| other == name);
        let action = place.and_then(|place| self.actions.get(place)).or(self.actions.first());
        let action = action.copied().unwrap_or(Action::Mask);
        label::write(name, Kind::FIELD, action, &self.key, value, out);
    }

    pub(super) fn name(&self, kind: Kind) -> &str {
        self.names.get(usize::from(kind.0)).map_or("secret", String::as_str)
    }
}

/// Findings of several views as one list: what overlaps is one, and is what begins first or, of those, reaches furthest.
fn merged(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|finding| (finding.start, std::cmp::Reverse(finding.end)));
    let mut merged: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        match merged.last_mut() {
            Some(last) if finding.start < last.end => last.end = last.end.max(finding.end),
            _ => merged.push(finding),
        }
    }
    merged
}

/// Length of a usual label.
const LABEL: usize = 16;

/// How far a replacement can change what the rules see of a text.
const REACH: usize = 160;

/// The places around replacements, in the text that they made; not the labels, in which nothing is ever found.
fn beside(edits: &Edits, length: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(2 * edits.len());
    let mut shift = 0_isize;
    for (range, with) in edits.iter() {
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

/// Findings in the text that `edits` made, as places of the text: a replacement counts whole. Both are in order and do
/// not overlap, so one pass over the edits is enough.
fn outward(edits: &Edits, found: &mut [Finding]) {
    let mut next = 0;
    let mut shift = 0_isize;
    let mut moved = |at: usize, is_end: bool| {
        while let Some(edit) = edits.list.get(next) {
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
