//! Finding and replacing in one text: the scan over the text's views, the user's rules, the allow-lists.
//!
//! Invariants: findings are in order and do not overlap; replacing all of them gives a text in which nothing is found.

use std::ops::Range;

use super::edits::Edits;
use super::encoded;
use super::findings::Findings;
use super::hidden;
use super::hit::Finding;
use super::kinds::Kind;
use super::label::{self, Action};
use super::markup;
use super::options::Compiled;
use super::scan::scan;
use super::spoken;
use super::survey::Survey;
use super::text::{Origin, Wanted};
use super::view;

/// How often encodings are undone: percent-encoding in percent-encoding in a `\u` escape.
const DECODED_MOST: usize = 3;

/// How often a text with findings is looked at again. A mask can only part what it stood beside, so twice is rare.
const ROUNDS: usize = 6;

impl Compiled {
    /// All values, in order, without overlap, and their replacements.
    pub(super) fn find(&self, text: &[u8], origin: Origin<'_>) -> (Vec<Finding>, Edits) {
        #[cfg(feature = "panic-probe")]
        crate::probe::check(text);
        let mut found = self.once(text, origin, None);
        let mut edits = self.labels(text, &found);
        let mut masked = Vec::new();
        for _ in 0..ROUNDS {
            if found.is_empty() {
                break;
            }
            masked.clear();
            edits.apply(text, &mut masked);
            let mut more = self.once(&masked, origin, Some(&edits.beside(masked.len())));
            if more.is_empty() {
                break;
            }
            edits.outward(&mut more);
            found.extend(more);
            found = merged(found);
            edits = self.labels(text, &found);
        }
        (found, edits)
    }

    /// One look at all views of a text. `near`: only there, since the rest has been looked at.
    fn once(&self, text: &[u8], origin: Origin<'_>, near: Option<&[Range<usize>]>) -> Vec<Finding> {
        let wanted = Wanted { kinds: &self.kinds, least: self.least, origin };
        let survey = Survey::of(text);
        if survey.is_plain() && self.rules.is_empty() {
            return Vec::new();
        }
        let folded = if survey.beyond_ascii() { view::fold(text) } else { None };
        let (plain, shown) = match &folded {
            Some(view) => (view.bytes.as_slice(), Survey::of(&view.bytes)),
            None => (text, survey),
        };
        // A view's positions are not the text's: there, everything is looked at again.
        let mut found = scan(plain, wanted, near.filter(|_| folded.is_none()));
        let scanned = found.len();
        if shown.space() {
            spoken::scan(plain, wanted, &mut found);
        }
        let said = found.len() > scanned;
        self.rules(plain, &mut found);
        let mut sources =
            usize::from(scanned > 0) + usize::from(said) + usize::from(found.len() > scanned) + self.rules.len();
        if let Some(view) = &folded {
            view.outward(&mut found, 0);
        }
        let seen = found.len();
        if survey.beyond_ascii() {
            hidden::find(text, wanted, &mut found);
        }
        found.extend(encoded::whole(text, wanted));
        sources += 2 * usize::from(found.len() > seen);
        let unmarked = if shown.markup() { markup::without(plain) } else { None };
        if let Some(view) = unmarked.map(|view| view.within(folded.as_ref())) {
            let first = found.len();
            found.extend(scan(&view.bytes, wanted, None));
            view.outward(&mut found, first);
            sources += 1;
        }
        // Encodings, and what was encoded twice.
        let decoded = if shown.encoded() { view::decode(plain) } else { None };
        let mut encoded = decoded.map(|view| view.within(folded.as_ref()));
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
        let mut edits = Edits::with_capacity(found.len(), found.len() * LABEL);
        for finding in found {
            let range = finding.start..finding.end;
            let value = text.get(range.clone()).unwrap_or_default();
            edits.push(range, |out| self.label(finding.kind, None, value, out));
        }
        edits
    }

    /// Append a text with its findings replaced and counted.
    pub(super) fn text(&self, text: &[u8], origin: Origin<'_>, findings: &mut Findings, out: &mut Vec<u8>) {
        let (found, edits) = self.find(text, origin);
        self.count(found.iter().map(|finding| finding.kind), findings);
        edits.apply(text, out);
    }

    pub(super) fn count(&self, kinds: impl IntoIterator<Item = Kind>, findings: &mut Findings) {
        kinds.into_iter().for_each(|kind| findings.add(self.name(kind)));
    }

    /// What replaces a value: as a field rule says, or as its kind's action does.
    pub(super) fn label(&self, kind: Kind, action: Option<Action>, value: &[u8], out: &mut Vec<u8>) {
        let action = action.or_else(|| self.actions.get(usize::from(kind.0)).copied()).unwrap_or(Action::Mask);
        label::write(self.name(kind), kind, action, &self.key, value, out);
    }

    /// The label of a kind that a detector outside this crate named.
    pub(super) fn named_label(&self, name: &str, value: &[u8], out: &mut Vec<u8>) {
        let index = self.names.iter().position(|other| other == name);
        let action = index.and_then(|index| self.actions.get(index)).or(self.actions.first());
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

/// Whether one of a rule's context words stands in a window before a value.
fn near(words: &[String], window: &[u8]) -> bool {
    let lower = String::from_utf8_lossy(window).to_lowercase();
    words.iter().any(|word| lower.contains(word.as_str()))
}
