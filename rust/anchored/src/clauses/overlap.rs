//! What two texts speak of in common: for each clause and sentence of one, how much of it each of the other says.
//!
//! A term weighs 1 over the number of clauses that have it, in the text that has it more often: what is said once in
//! each text ties its two clauses together, what is said everywhere ties nothing.
//!
//! Invariant: symmetric; weights are in (0, 1]; work is bounded by clauses times clauses.

use super::read::{Clause, Text};
use crate::lexicon::WordMap;

/// A table of how much each unit of `a` (rows) and of `b` (columns) share.
pub(crate) struct Table {
    rows: usize,
    columns: usize,
    shared: Vec<f32>,
}

impl Table {
    fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns, shared: vec![0.0; rows * columns] }
    }

    pub fn at(&self, row: usize, column: usize) -> f32 {
        if column < self.columns { self.shared.get(row * self.columns + column).copied().unwrap_or(0.0) } else { 0.0 }
    }

    fn add(&mut self, row: usize, column: usize, weight: f32) {
        if let Some(cell) = self.shared.get_mut(row * self.columns + column) {
            *cell += weight;
        }
    }

    /// The column with the most of a row; the first of equals.
    pub fn best_column(&self, row: usize) -> Option<usize> {
        best((0..self.columns).map(|column| self.at(row, column)))
    }

    pub fn best_row(&self, column: usize) -> Option<usize> {
        best((0..self.rows).map(|row| self.at(row, column)))
    }
}

fn best(values: impl Iterator<Item = f32>) -> Option<usize> {
    let mut found: Option<(usize, f32)> = None;
    for (position, value) in values.enumerate() {
        if value > 0.0 && found.is_none_or(|(_, most)| value > most) {
            found = Some((position, value));
        }
    }
    found.map(|(position, _)| position)
}

/// What is known of one root over both texts.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Uses {
    /// Clauses of each text that have it.
    pub a: u32,
    pub b: u32,
    last: (u32, u32),
}

impl Uses {
    pub fn weight(self) -> f32 {
        1.0 / self.a.max(self.b).max(1) as f32
    }

    pub fn shared(self) -> bool {
        self.a > 0 && self.b > 0
    }
}

/// Two texts side by side.
pub(crate) struct Overlap<'t> {
    pub a: &'t Text,
    pub b: &'t Text,
    pub uses: WordMap<u64, Uses>,
    pub clauses: Table,
    pub sentences: Table,
    /// The share of clauses' weight that both have, in [0, 1]: the geometric mean of both sides' shares.
    pub likeness: Table,
    /// What each clause weighs, shared or not.
    pub weights_a: Vec<f32>,
    pub weights_b: Vec<f32>,
}

impl<'t> Overlap<'t> {
    pub fn new(a: &'t Text, b: &'t Text) -> Self {
        let mut uses: WordMap<u64, Uses> = WordMap::default();
        uses.reserve(a.terms.len() + b.terms.len());
        for (first, text) in [(true, a), (false, b)] {
            for (number, clause) in (1_u32..).zip(&text.clauses) {
                for term in text.terms(clause.terms) {
                    let known = uses.entry(term.root).or_default();
                    let (count, last) =
                        if first { (&mut known.a, &mut known.last.0) } else { (&mut known.b, &mut known.last.1) };
                    if *last != number {
                        *last = number;
                        *count += 1;
                    }
                }
            }
        }
        let mut clauses = Table::new(a.clauses.len(), b.clauses.len());
        let mut sentences = Table::new(a.sentences.len(), b.sentences.len());
        let (mine, theirs) = (postings(a), postings(b));
        for (root, one) in runs(&mine) {
            let weight = uses.get(&root).map_or(0.0, |known| known.weight());
            let from = theirs.partition_point(|(known, _)| *known < root);
            let other: Vec<usize> =
                theirs.iter().skip(from).take_while(|(known, _)| *known == root).map(|(_, clause)| *clause).collect();
            for (_, row) in one {
                for column in &other {
                    clauses.add(*row, *column, weight);
                }
            }
            add_sentences(&mut sentences, a, b, one, &other, weight);
        }
        let weigh =
            |text: &Text| -> Vec<f32> { text.clauses.iter().map(|clause| weight(text, &uses, clause)).collect() };
        let (weights_a, weights_b) = (weigh(a), weigh(b));
        let mut likeness = Table::new(a.clauses.len(), b.clauses.len());
        for (row, mine) in weights_a.iter().enumerate() {
            for (column, theirs) in weights_b.iter().enumerate() {
                let shared = clauses.at(row, column);
                if shared > 0.0 {
                    likeness.add(row, column, shared / (mine * theirs).sqrt());
                }
            }
        }
        Self { a, b, uses, clauses, sentences, likeness, weights_a, weights_b }
    }
}

/// A term counts once for a pair of sentences, however many of their clauses have it.
fn add_sentences(table: &mut Table, a: &Text, b: &Text, one: &[(u64, usize)], other: &[usize], weight: f32) {
    let of = |text: &Text, clause: usize| text.clauses.get(clause).map_or(0, |clause| clause.sentence);
    let mut last_row = usize::MAX;
    for (_, row) in one {
        let row = of(a, *row);
        if row == last_row {
            continue;
        }
        last_row = row;
        let mut last_column = usize::MAX;
        for column in other {
            let column = of(b, *column);
            if column != last_column {
                last_column = column;
                table.add(row, column, weight);
            }
        }
    }
}

fn weight(text: &Text, uses: &WordMap<u64, Uses>, clause: &Clause) -> f32 {
    let terms = text.terms(clause.terms);
    let fresh = |position: usize, root: u64| !terms.iter().take(position).any(|term| term.root == root);
    let known = terms.iter().enumerate().filter(|(position, term)| fresh(*position, term.root));
    known.map(|(_, term)| uses.get(&term.root).map_or(1.0, |known| known.weight())).sum()
}

/// Each root with each clause that has it, once, in the order of both.
fn postings(text: &Text) -> Vec<(u64, usize)> {
    let mut found: Vec<(u64, usize)> = Vec::with_capacity(text.terms.len());
    for (number, clause) in text.clauses.iter().enumerate() {
        found.extend(text.terms(clause.terms).iter().map(|term| (term.root, number)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn runs(postings: &[(u64, usize)]) -> impl Iterator<Item = (u64, &[(u64, usize)])> {
    postings.chunk_by(|one, other| one.0 == other.0).filter_map(|run| run.first().map(|first| (first.0, run)))
}
