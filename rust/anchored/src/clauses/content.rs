//! What only one of two answers says: the share of its sentences of which the other text says next to nothing.
//!
//! Invariant: `missing` of (a, b) is `extra` of (b, a); a text against itself has neither; a sentence without content
//! (a greeting) counts on neither side.

use super::overlap::Overlap;
use super::read::Text;
use crate::facts::Span;

/// A sentence is said by the other text when so much of its content is, wherever it stands there.
const SAID: f32 = 0.34;

/// The share of a text's sentences that the other text does not say, and where they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Unmatched {
    /// In [0, 1].
    pub share: f64,
    pub spans: Vec<Span>,
}

/// What `b` leaves out of `a`, and what it adds.
pub(crate) fn unmatched(overlap: &Overlap<'_>) -> (Unmatched, Unmatched) {
    (of(overlap, overlap.a), of(overlap, overlap.b))
}

fn of(overlap: &Overlap<'_>, text: &Text) -> Unmatched {
    let mut total = 0_usize;
    let mut spans = Vec::new();
    for sentence in &text.sentences {
        let terms = text.terms(sentence.terms);
        if terms.is_empty() {
            continue;
        }
        total += 1;
        let said = terms.iter().filter(|term| overlap.uses.get(&term.root).is_some_and(|known| known.shared())).count();
        if (said as f32) < SAID * terms.len() as f32 {
            spans.push(sentence.span);
        }
    }
    let share = if total == 0 { 0.0 } else { spans.len() as f64 / total as f64 };
    Unmatched { share, spans }
}
