//! Which clauses and sentences of two texts say something of the same thing.
//!
//! Invariant: a pair is the best of both sides; ties go to the first; the pairs are the same whichever text is `a`.

use super::overlap::Overlap;
use super::read::{Clause, Sentence};
use super::segments::Form;

/// Of the lighter one's terms, by weight, so much is in both.
const ALIKE: f32 = 0.5;
/// Of the heavier one's.
const COVERED: f32 = 0.25;
/// What both share weighs at least this: one term that is said once in each text, or several that are said more often.
const SHARED: f32 = 0.9;

/// A clause of each text, and how much they share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match {
    pub a: usize,
    pub b: usize,
    pub shared: f32,
}

/// Clauses that say something of the same thing, each the other's best.
pub(crate) fn clauses(overlap: &Overlap<'_>) -> Vec<Match> {
    let mut found = Vec::new();
    for a in 0..overlap.a.clauses.len() {
        let Some(b) = overlap.likeness.best_column(a) else { continue };
        if overlap.likeness.best_row(b) != Some(a) {
            continue;
        }
        let shared = overlap.clauses.at(a, b);
        let (mine, theirs) =
            (overlap.weights_a.get(a).copied().unwrap_or(0.0), overlap.weights_b.get(b).copied().unwrap_or(0.0));
        if shared >= SHARED && shared >= ALIKE * mine.min(theirs) && shared >= COVERED * mine.max(theirs) {
            found.push(Match { a, b, shared });
        }
    }
    found
}

/// Sentences that say the same, each the other's best.
pub(crate) fn sentences(overlap: &Overlap<'_>) -> Vec<(usize, usize)> {
    let (a, b) = (&overlap.a.sentences, &overlap.b.sentences);
    let mut found = Vec::new();
    for mine in 0..a.len() {
        let Some(theirs) = overlap.sentences.best_column(mine) else {
            // Two texts of one sentence each speak of the same, though no word of content is in both.
            if a.len() == 1 && b.len() == 1 {
                found.push((0, 0));
            }
            continue;
        };
        if overlap.sentences.best_row(theirs) == Some(mine) {
            found.push((mine, theirs));
        }
    }
    found
}

/// Whether either sentence asks, or is a row of a table: then nothing is said of its clauses.
pub(crate) fn says_nothing(one: &Sentence, other: &Sentence) -> bool {
    one.asks || other.asks || one.form == Form::Row || other.form == Form::Row
}

/// The clauses of a pair, and the sentences that they belong to.
pub(crate) fn both<'o>(overlap: &'o Overlap<'_>, a: usize, b: usize) -> Option<(&'o Clause, &'o Clause)> {
    let (one, other) = (overlap.a.clauses.get(a)?, overlap.b.clauses.get(b)?);
    let (left, right) = (overlap.a.sentences.get(one.sentence)?, overlap.b.sentences.get(other.sentence)?);
    (!says_nothing(left, right)).then_some((one, other))
}
