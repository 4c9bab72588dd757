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

/// Replacement of a range of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub range: Range<usize>,
    pub with: Vec<u8>,
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
    /// All values, in order, without overlap.
    pub(super) fn find(&self, text: &[u8], place: Place<'_>) -> Vec<Finding> {
        let mut found = self.once(text, place, None);
        if found.is_empty() {
            return found;
        }
        for _ in 0..ROUNDS {
            let edits = self.edits(text, &found, &mut Findings::default());
            let masked = apply(text, &edits);
            let more = self.once(&masked, place, Some(&beside(&edits, masked.len())));
            if more.is_empty() {
                break;
            }
            let more = more.iter().map(|finding| {
                let range = original(&edits, finding.start, finding.end);
                Finding { kind: finding.kind, start: range.start, end: range.end }
            });
            found.extend(more);
            found = merged(found);
        }
        found
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

    /// The replacements of findings, counted.
    pub(super) fn edits(&self, text: &[u8], found: &[Finding], findings: &mut Findings) -> Vec<Edit> {
        found
            .iter()
            .map(|finding| {
                let mut with = Vec::new();
                self.label(finding.kind, None, text.get(finding.start..finding.end).unwrap_or_default(), &mut with);
                findings.add(self.name(finding.kind));
                Edit { range: finding.start..finding.end, with }
            })
            .collect()
    }

    /// A text with its findings replaced and counted.
    pub(super) fn text(&self, text: &[u8], place: Place<'_>, findings: &mut Findings) -> Vec<u8> {
        let found = self.find(text, place);
        apply(text, &self.edits(text, &found, findings))
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

/// How far a replacement can change what the rules see of a text.
const REACH: usize = 160;

/// The places around replacements, in the text that they made.
fn beside(edits: &[Edit], length: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::with_capacity(edits.len());
    let mut shift = 0_isize;
    for edit in edits {
        let start = edit.range.start.saturating_add_signed(shift);
        let end = (start + edit.with.len() + REACH).min(length);
        shift += edit.with.len() as isize - edit.range.len() as isize;
        let start = start.saturating_sub(REACH);
        match ranges.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

/// The text with ranges replaced; ranges are in order and do not overlap.
pub(super) fn apply(text: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + edits.len() * 16);
    let mut at = 0;
    for edit in edits {
        out.extend_from_slice(text.get(at..edit.range.start).unwrap_or_default());
        out.extend_from_slice(&edit.with);
        at = edit.range.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    out
}

/// The range of the text behind a range of the text that `edits` made of it: a replacement counts whole.
fn original(edits: &[Edit], start: usize, end: usize) -> Range<usize> {
    let (mut range, mut shift) = (start..end, 0_isize);
    let moved = |at: usize, shift: isize| at.saturating_add_signed(-shift);
    (range.start, range.end) = (usize::MAX, usize::MAX);
    for edit in edits {
        let from = edit.range.start.saturating_add_signed(shift);
        let to = from + edit.with.len();
        if range.start == usize::MAX && start < to {
            range.start = if start > from { edit.range.start } else { moved(start, shift) };
        }
        if range.end == usize::MAX && end <= to {
            range.end = if end > from { edit.range.end } else { moved(end, shift) };
        }
        shift += edit.with.len() as isize - edit.range.len() as isize;
    }
    if range.start == usize::MAX {
        range.start = moved(start, shift);
    }
    if range.end == usize::MAX {
        range.end = moved(end, shift);
    }
    range
}
