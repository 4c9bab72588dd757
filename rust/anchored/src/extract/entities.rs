//! Entities of the pass: names that are joined word by word, quotes, and everything that is one token.
//!
//! Invariant: an entity lies in one sentence; at most [`MOST_ENTITIES`] are kept, and what is left out is marked.

use std::borrow::Cow;

use super::{MOST_ENTITIES, Reader};
use crate::facts::{Entity, Kind, Span};
use crate::lexicon::{self, look_up, stem};
use crate::quantities::Quantity;
use crate::scan::Scanner;

impl<'t> Reader<'t> {
    /// A capitalised word: joined to the name before it, or a new one, when it is not merely first in its sentence.
    pub(super) fn name(&mut self, low: &'t str, (start, end): Span, position: usize) {
        let sentence = self.closed.len();
        if let Some(before) = self.entities.last_mut()
            && before.kind == Kind::Name
            && before.sentence == sentence
            && before.stop == position
            && !self.sentence.parted.last().copied().unwrap_or(false)
            && self.low.get(before.span.1..start).is_some_and(|gap| !gap.contains(['"', '“', '”', '|', '/', '*']))
        {
            let key = before.key.to_mut();
            key.push(' ');
            key.push_str(low);
            before.span.1 = end;
            before.stop = position + 1;
            return;
        }
        let shouted = self.text.get(start..end).is_some_and(|word| !word.chars().any(char::is_lowercase));
        let kind = if position == 0 && !shouted { Kind::Opening } else { Kind::Name };
        self.entity(kind, Cow::Borrowed(low), position, None);
    }

    pub(super) fn quote(&mut self, span: Span, nested: bool) {
        let (start, end) = span;
        let whole = self.cut(span);
        let inner = whole.trim_start_matches(['"', '“', '`']).trim_end_matches(['"', '”', '\'']).trim();
        if !nested || inner.split_whitespace().count() <= 5 {
            let key = inner.split_whitespace().collect::<Vec<_>>().join(" ");
            self.whole(Kind::Quote, Cow::Owned(key.trim_end_matches(['.', ',', '!', '?', ' ']).to_owned()), span);
            return;
        }
        let open = if whole.starts_with('`') { 2 } else { whole.chars().next().map_or(1, char::len_utf8) };
        let close = if whole.starts_with('`') { 2 } else { whole.chars().next_back().map_or(1, char::len_utf8) };
        for (token, from, to) in Scanner::new(self.low, start + open, end - close) {
            self.take(token, (from, to), false);
        }
    }

    /// An entity that is one token.
    pub(super) fn whole(&mut self, kind: Kind, key: Cow<'t, str>, span: Span) {
        let position = self.push(self.cut(span), span);
        self.entity(kind, key, position, None);
    }

    pub(super) fn entity(&mut self, kind: Kind, key: Cow<'t, str>, position: usize, quantity: Option<Quantity>) {
        if self.entities.len() >= MOST_ENTITIES {
            self.full = true;
            return;
        }
        let span = self.sentence.positions.get(position).copied().unwrap_or_default();
        let hedged = self.hedge.is_some_and(|hedge| hedge <= position && position - hedge <= 2);
        self.entities.push(Entity {
            kind,
            key,
            span,
            sentence: self.closed.len(),
            position,
            stop: position + 1,
            quantity,
            hedged,
            heading: false,
            left: "",
            right: "",
        });
    }
}

/// Whether a capitalised first word is a name and not just first.
///
/// English puts an article before a single countable noun; one that stands bare before a verb in the singular is a
/// name.
pub(super) fn is_name(entity: &Entity<'_>, words: &[&str], named: bool) -> bool {
    if entity.stop - entity.position > 1 || named || words.len() == 1 {
        return true;
    }
    let following = look_up(words.get(entity.stop).copied().unwrap_or(""));
    let key = entity.key.as_ref();
    if key.ends_with('s') && !following.is(lexicon::SINGULAR) {
        return false;
    }
    let plain =
        ["ing", "ly", "ness", "tion"].iter().any(|ending| key.ends_with(ending)) || lexicon::has_opposite(&stem(key));
    following.is(lexicon::AFTER_A_NAME) && !plain
}
