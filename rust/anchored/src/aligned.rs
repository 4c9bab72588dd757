//! Sentences of two texts that say the same, as far as the whole texts show: which group a byte of either is in.
//!
//! Invariant: spans are in order and do not overlap; a group has sentences of both texts.

use crate::facts::Span;

/// Groups of sentences; the number of a group is the same on both sides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aligned {
    pub a: Vec<(Span, usize)>,
    pub b: Vec<(Span, usize)>,
    /// The texts share sentences word for word: who repeats these does not put another one in other words, so that only
    /// sentences of one group speak of one thing.
    pub verbatim: bool,
}

impl Aligned {
    /// Whether a byte of either text is in one group.
    pub fn together(&self, a: usize, b: usize) -> bool {
        self.of_a(a).is_some_and(|group| self.of_b(b) == Some(group))
    }

    pub fn of_a(&self, at: usize) -> Option<usize> {
        group(&self.a, at)
    }

    pub fn of_b(&self, at: usize) -> Option<usize> {
        group(&self.b, at)
    }
}

fn group(spans: &[(Span, usize)], at: usize) -> Option<usize> {
    let after = spans.partition_point(|(span, _)| span.0 <= at);
    let (span, group) = spans.get(after.checked_sub(1)?)?;
    (at < span.1).then_some(*group)
}
