//! The cursor over a text's tokens that all readings of values share, and how one value is given back.

use super::tokens::Token;
use super::units::Dimension;
use super::vocabulary::{Entry, UNKNOWN, Vocabulary};
use super::{Amount, Measure, Value};
use crate::language::Language;

/// A measure and the token behind it.
pub(super) type Found = Option<(Measure<'static>, usize)>;

pub(super) fn amount(dimension: Dimension, value: f64) -> Measure<'static> {
    let amount =
        Amount { dimension, low: value, high: value, written: value, other: None, precision: 0.0, factor: 1.0 };
    Measure::Amount(amount)
}

/// The pass over the tokens.
pub(super) struct Reader<'s, 't> {
    pub text: &'t str,
    pub low: &'t str,
    pub language: Language,
    pub words: &'static Vocabulary,
    pub tokens: &'s [Token],
    /// What is known of each token.
    pub entries: &'s [&'static Entry],
    pub values: Vec<Value<'t>>,
}

impl<'t> Reader<'_, 't> {
    /// The lower-case text of a token; empty behind the last one.
    pub(super) fn text(&self, at: usize) -> &'t str {
        self.tokens.get(at).and_then(|token| self.low.get(token.span.0..token.span.1)).unwrap_or("")
    }

    /// The text of the token before one, or of the one at `steps` before it.
    pub(super) fn before(&self, at: usize, steps: usize) -> &'t str {
        at.checked_sub(steps).map_or("", |position| self.text(position))
    }

    pub(super) fn entry(&self, at: usize) -> &'static Entry {
        self.entries.get(at).copied().unwrap_or(&UNKNOWN)
    }

    /// Whether nothing stands between a token and the one before it.
    pub(super) fn glued(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| !token.spaced)
    }

    /// Whether the token begins with a capital in the text as it was written.
    pub(super) fn capital(&self, at: usize) -> bool {
        let token = self.tokens.get(at);
        token.and_then(|token| self.text.get(token.span.0..)?.chars().next()).is_some_and(char::is_uppercase)
    }
}
