//! A text under scan: what every rule may ask of it, and how sure a rule becomes by the words around a value.
//!
//! Invariants: a question looks at a constant number of bytes, or once at the whole text; nothing before `free` is seen.

use std::cell::Cell;

use super::context::{self, Contexts};
use super::hit::{Hit, better};
use super::kinds::{Kind, Kinds};
use super::label;

/// Where a text comes from, as far as it says what the text can hold.
#[derive(Clone, Copy, Default)]
pub(super) struct Origin<'a> {
    /// Name of the field that holds it.
    pub name: &'a [u8],
    /// Whether a value that stands alone in it speaks for itself: in prose, and not in a field of ids.
    pub alone: bool,
}

/// What a scan looks for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub kinds: &'a Kinds,
    /// Least confidence, in per cent.
    pub least: u8,
    pub origin: Origin<'a>,
}

/// A text under scan.
pub(super) struct Text<'a> {
    pub bytes: &'a [u8],
    /// First byte that no finding covers yet.
    pub free: usize,
    pub wanted: Wanted<'a>,
    alone: Option<(usize, usize)>,
    /// Contexts at the position of the last call: one number may fit many rules.
    near: Cell<(usize, usize, Contexts)>,
    /// What is said right beside the value of the last call: its start, its end, and what was free then.
    beside: Cell<((usize, usize, usize), Contexts)>,
    /// End of a long run that cannot be a key.
    pub dull: Cell<usize>,
    /// Contexts that any words of the text, or the field's name, speak of; `None` until needed.
    spoken: Cell<Option<Contexts>>,
    /// What the field's name speaks of; `None` until needed.
    field: Cell<Option<Contexts>>,
    /// Whether a dollar or a tilde stands anywhere in the text; `None` until needed.
    sign: Cell<Option<bool>>,
    /// How many bytes were looked at for contexts near candidates.
    looked: Cell<usize>,
}

/// How much a context word, and standing alone, add to a confidence.
const NEAR: u8 = 40;
const ALONE: u8 = 35;
/// How far a context word may stand before its value, in bytes.
const WINDOW: usize = 80;
/// How far after its value's start: "4155550132 is my phone".
const AFTER: usize = 48;
/// How far a word may stand before and after a value that it names by itself.
const BESIDE: usize = 32;
const BESIDE_AFTER: usize = 12;

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8], wanted: Wanted<'a>) -> Self {
        Self {
            bytes,
            free: 0,
            wanted,
            alone: wanted.origin.alone.then(|| alone(bytes)).flatten(),
            near: Cell::new((usize::MAX, 0, 0)),
            beside: Cell::new(((usize::MAX, 0, 0), 0)),
            dull: Cell::new(0),
            spoken: Cell::new(None),
            field: Cell::new(None),
            sign: Cell::new(None),
            looked: Cell::new(0),
        }
    }

    pub(super) fn get(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    pub(super) fn before(&self, at: usize) -> u8 {
        if at > self.free { self.get(at - 1) } else { 0 }
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    pub(super) fn from(&self, at: usize) -> &'a [u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Length of the run of `is` from `from` on, at most `most`.
    pub(super) fn run(&self, from: usize, most: usize, is: impl Fn(u8) -> bool) -> usize {
        let rest = self.from(from);
        let rest = rest.get(..most).unwrap_or(rest);
        rest.iter().position(|byte| !is(*byte)).unwrap_or(rest.len())
    }

    /// Start of the run of `is` that ends before `at`, at most `most` back.
    pub(super) fn back(&self, at: usize, most: usize, is: impl Fn(u8) -> bool) -> usize {
        let border = at.saturating_sub(most).max(self.free).min(at);
        self.slice(border, at).iter().rposition(|byte| !is(*byte)).map_or(border, |other| border + other + 1)
    }

    /// Whether the text has a dollar, as hashes of passwords do, or a tilde, as Azure's client secrets do.
    pub(super) fn holds_sign(&self) -> bool {
        self.sign.get().unwrap_or_else(|| {
            let sign = memchr::memchr2(b'$', b'~', self.bytes).is_some();
            self.sign.set(Some(sign));
            sign
        })
    }

    /// A value may begin here: no letter or digit stands before. An underscore separates words.
    pub(super) fn begins(&self, at: usize) -> bool {
        !self.before(at).is_ascii_alphanumeric()
    }

    /// A value may end here.
    pub(super) fn ends(&self, at: usize) -> bool {
        !self.get(at).is_ascii_alphanumeric()
    }

    /// Contexts that the words before a position name, and that the field's name does.
    pub(super) fn contexts(&self, start: usize) -> Contexts {
        let (position, free, contexts) = self.near.get();
        if (position, free) == (start, self.free) {
            return contexts;
        }
        // A mask stands for a value: nothing before it belongs to this one, and what it says is no word of the text.
        // Masks are looked for a little further, so that none is cut.
        let border = start.saturating_sub(WINDOW).max(self.free).min(start);
        let wide = start.saturating_sub(WINDOW + label::LONGEST).max(self.free).min(start);
        let border = label::last_mask_end(self.slice(wide, start)).map_or(border, |end| border.max(wide + end));
        let after = self.slice(start, self.bytes.len().min(start + AFTER + label::LONGEST));
        let after = after.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let after = after.get(..label::first_mask(after).unwrap_or(after.len()).min(AFTER)).unwrap_or_default();
        let before = self.slice(border, start);
        self.looked.set(self.looked.get() + before.len() + after.len());
        let contexts = context::named(before) | context::named(after) | self.field();
        self.near.set((start, self.free, contexts));
        contexts
    }

    /// What the field's name speaks of; a name that holds a label does not speak of what the label says.
    pub(super) fn field(&self) -> Contexts {
        self.field.get().unwrap_or_else(|| {
            let name = self.wanted.origin.name;
            let field = if label::first_mask(name).is_none() { context::named(name) } else { 0 };
            self.field.set(Some(field));
            field
        })
    }

    /// A context must be spoken of somewhere before it is worth looking where: one pass over the text, at most.
    fn spoken(&self) -> Contexts {
        // In a short text the position is looked at as fast.
        if self.bytes.len() <= 2 * WINDOW {
            return Contexts::MAX;
        }
        self.spoken.get().unwrap_or_else(|| {
            let spoken = context::named(self.bytes) | self.field();
            self.spoken.set(Some(spoken));
            spoken
        })
    }

    /// Whether a context is spoken of near a position, and anywhere in the text at all. What is cheaper is asked first:
    /// the position, until as much was looked at as the text is long.
    fn speaks(&self, start: usize, near: Contexts) -> bool {
        if self.spoken.get().is_none() && self.looked.get() < self.bytes.len() {
            return self.contexts(start) & near != 0 && self.spoken() & near != 0;
        }
        self.spoken() & near != 0 && self.contexts(start) & near != 0
    }

    /// Whether a word right before a value, right after it, or the field's name says what it is.
    pub(super) fn named_by(&self, start: usize, end: usize, near: Contexts) -> bool {
        let at = (start, end, self.free);
        let (last, said) = self.beside.get();
        if last == at {
            return said & near != 0;
        }
        let said = self.said_beside(start, end);
        self.beside.set((at, said));
        said & near != 0
    }

    /// What the words right beside a value and the field's name speak of.
    fn said_beside(&self, start: usize, end: usize) -> Contexts {
        let from = start.saturating_sub(BESIDE).max(self.free).min(start);
        let wide = start.saturating_sub(BESIDE + label::LONGEST).max(self.free).min(start);
        let from = label::last_mask_end(self.slice(wide, start)).map_or(from, |end| from.max(wide + end));
        // A label is looked for a little further, so that none is cut.
        let after = self.slice(end, self.bytes.len().min(end + BESIDE_AFTER + label::LONGEST));
        let after = after.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let after = after.get(..label::first_mask(after).unwrap_or(after.len()).min(BESIDE_AFTER)).unwrap_or_default();
        context::named(self.slice(from, start)) | context::named(after) | self.field()
    }

    /// Whether the value is all that the text says.
    pub(super) fn is_alone(&self, start: usize, end: usize) -> bool {
        self.alone == Some((start, end))
    }

    /// A hit of a rule that is `base` per cent sure, raised by context or by standing alone, when that is enough. A rule
    /// without a context has been told by a word what the value is, or needs none: it is as sure as it is.
    pub(super) fn hit(&self, kind: Kind, start: usize, end: usize, base: u8, near: Contexts) -> Option<Hit> {
        if !self.wanted.kinds.has(kind) {
            return None;
        }
        let mut confidence = base;
        if base < self.wanted.least && near != 0 && self.speaks(start, near) {
            confidence = confidence.saturating_add(NEAR);
        } else if base < 60 && near != 0 && self.is_alone(start, end) {
            confidence = confidence.saturating_add(ALONE);
        }
        if confidence < self.wanted.least {
            return None;
        }
        let (start, end) = self.characters(start, end);
        Some(Hit { kind, start, end, confidence })
    }

    /// A range widened to whole characters of UTF-8: how far a rule reads is bounded in bytes.
    fn characters(&self, start: usize, end: usize) -> (usize, usize) {
        const REST: usize = 3;
        let within = |byte: u8| matches!(byte, 0x80..=0xbf);
        let lead = if within(self.get(start)) { self.back(start, REST, within).saturating_sub(1) } else { start };
        let start = if lead >= self.free && self.get(lead) >= 0xc0 { lead } else { start };
        (start, end + self.run(end, REST, within))
    }

    /// The better of a hit and of what a rule offers. The rule is not weighed where it could not win, so that of the
    /// many rules that a number fits, few look for words.
    pub(super) fn rival(
        &self,
        best: Option<Hit>,
        kind: Kind,
        start: usize,
        end: usize,
        base: u8,
        near: Contexts,
    ) -> Option<Hit> {
        const { assert!(ALONE < NEAR, "what a rule can gain is at most NEAR") };
        if best.is_some_and(|best| best.confidence > base.saturating_add(NEAR)) {
            return best;
        }
        better(best, self.hit(kind, start, end, base, near))
    }

    /// A hit that needs no context.
    pub(super) fn sure(&self, kind: Kind, start: usize, end: usize) -> Option<Hit> {
        self.hit(kind, start, end, 90, 0)
    }
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The text without white space, quotes and closing punctuation around it, when that is short enough to be one value.
fn alone(bytes: &[u8]) -> Option<(usize, usize)> {
    let skip = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(
                *byte,
                b'"' | b'\'' | b'`' | b'.' | b',' | b';' | b':' | b'!' | b'?' | b'(' | b')' | b'<' | b'>'
            )
    };
    let start = bytes.iter().take(64).position(|byte| !skip(byte))?;
    let end = bytes.len() - bytes.iter().rev().take(64).position(|byte| !skip(byte))?;
    (end > start && end - start <= 64).then_some((start, end))
}
