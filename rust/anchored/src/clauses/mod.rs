//! Clauses in six languages: what two answers say of the same thing, and where one denies, limits or turns round what the
//! other says; and what only one of them says.
//!
//! A text is read once into sentences and clauses with the classes of their words ([`read`], [`vocabulary`]), the clauses
//! of both are held against each other by the terms that they share ([`overlap`]), and each rule looks at pairs that
//! surely speak of the same.
//!
//! Invariants: symmetric; a text against itself has no finding and nothing unmatched; what is merely left out is no
//! contradiction; every finding has a span on each side.

mod content;
mod language;
mod overlap;
mod read;
mod segments;
mod vocabulary;

use content::{Unmatched, unmatched};
use overlap::Overlap;
use read::Text;

use crate::edits::Finding;

/// What the clauses of two texts show.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pub findings: Vec<Finding>,
    /// What only the first text says, and what only the second one does.
    pub missing: Unmatched,
    pub extra: Unmatched,
    /// Either text is in none of the six languages, or they are in two.
    pub foreign: bool,
    /// A text had more sentences than are read.
    pub cut: bool,
}

/// Compares two texts; `low` is the lower case of each, byte for byte beside it.
pub(crate) fn compared((text_a, low_a): (&str, &str), (text_b, low_b): (&str, &str)) -> Compared {
    let (Some(mine), Some(theirs)) = (language::language(low_a), language::language(low_b)) else {
        return Compared { foreign: true, ..Compared::default() };
    };
    if mine != theirs {
        return Compared { foreign: true, ..Compared::default() };
    }
    let (a, b) = (Text::read(text_a, low_a, mine), Text::read(text_b, low_b, theirs));
    let overlap = Overlap::new(&a, &b);
    let (missing, extra) = unmatched(&overlap);
    Compared { findings: Vec::new(), missing, extra, foreign: false, cut: a.cut || b.cut }
}
