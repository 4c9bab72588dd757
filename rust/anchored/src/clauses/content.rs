//! What only one of two answers says: the share of its sentences of which the other text says next to nothing, and of
//! its values that are left out where the sentence is said.
//!
//! Invariant: `missing` of (a, b) is `extra` of (b, a); a text against itself has neither; a sentence without content
//! (a greeting) counts on neither side.

use super::overlap::Overlap;
use super::read::Text;
use crate::facts::Span;

/// A sentence is said by the other text when so much of its content is, wherever it stands there.
const SAID: f32 = 0.34;

/// The share of a text's sentences and lone values that the other text does not say, and where they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Unmatched {
    /// In [0, 1].
    pub share: f64,
    pub spans: Vec<Span>,
    /// Sentences with content.
    sentences: usize,
}

impl Unmatched {
    /// With the values that only this text has. One in a sentence that is not said counts with it; one in a sentence
    /// that is said ("within 30 days" of "you can send it back within 30 days") is a unit of its own.
    pub fn with_values(&self, only: &[Span]) -> Self {
        let lone = only.iter().filter(|value| !self.spans.iter().any(|said| said.0 < value.1 && value.0 < said.1));
        let mut spans: Vec<Span> = self.spans.iter().chain(lone).copied().collect();
        spans.sort_unstable();
        let units = self.sentences + spans.len() - self.spans.len();
        let share = if units == 0 { 0.0 } else { spans.len() as f64 / units as f64 };
        Self { share, spans, sentences: self.sentences }
    }
}

/// What `b` leaves out of `a`, and what it adds.
pub(crate) fn unmatched(overlap: &Overlap<'_>) -> (Unmatched, Unmatched) {
    (of(overlap, overlap.a, true), of(overlap, overlap.b, false))
}

fn of(overlap: &Overlap<'_>, text: &Text, first: bool) -> Unmatched {
    let mut total = 0_usize;
    let mut spans = Vec::new();
    for sentence in &text.sentences {
        let terms = text.terms(sentence.terms);
        if terms.is_empty() {
            continue;
        }
        total += 1;
        let said = overlap.roots.shared(first, sentence.terms);
        if (said as f32) < SAID * terms.len() as f32 {
            spans.push(sentence.span);
        }
    }
    let share = if total == 0 { 0.0 } else { spans.len() as f64 / total as f64 };
    Unmatched { share, spans, sentences: total }
}
