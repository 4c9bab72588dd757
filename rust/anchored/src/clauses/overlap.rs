//! What two texts speak of in common: for each clause and sentence of one, how much of it each of the other says.
//!
//! A term weighs 1 over the number of clauses that have it, in the text that has it more often: what is said once in
//! each text ties its two clauses together, what is said everywhere ties nothing.
//!
//! Invariant: symmetric; weights are in (0, 1]; work is bounded by clauses times clauses.

use super::read::Text;

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

    /// All cells, row by row.
    pub fn cells(&self) -> &[f32] {
        &self.shared
    }

    fn row(&self, row: usize) -> &[f32] {
        self.shared.get(row * self.columns..(row + 1) * self.columns).unwrap_or(&[])
    }

    fn add(&mut self, row: usize, column: usize, weight: f32) {
        if let Some(cell) = self.shared.get_mut(row * self.columns + column) {
            *cell += weight;
        }
    }

    /// The column with the most of a row; the first of equals.
    pub fn best_column(&self, row: usize) -> Option<usize> {
        best(self.row(row).iter().copied())
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
    pub roots: Roots,
    pub clauses: Table,
    pub sentences: Table,
    /// The share of clauses' weight that both have, in [0, 1]: the geometric mean of both sides' shares.
    pub likeness: Table,
    /// What each clause weighs, shared or not.
    pub weights_a: Vec<f32>,
    pub weights_b: Vec<f32>,
}

/// The roots of two texts, each with a number, in the order of the roots.
pub(crate) struct Roots {
    known: Vec<(u64, Uses)>,
    /// Of each term of a text the number of its root.
    a: Vec<u32>,
    b: Vec<u32>,
}

impl Roots {
    pub fn uses(&self, root: u64) -> Option<Uses> {
        let at = self.known.binary_search_by_key(&root, |(known, _)| *known).ok()?;
        self.known.get(at).map(|(_, uses)| *uses)
    }

    /// How much terms of one text weigh together, each root once; `first` for the first text. `seen` is as [`Roots::fresh`]
    /// gives it, and `round` a number that it has not been used with.
    pub fn weight(&self, first: bool, terms: (usize, usize), seen: &mut [u32], round: u32) -> f32 {
        let mut fresh =
            |number: &&u32| seen.get_mut(**number as usize).is_some_and(|last| std::mem::replace(last, round) != round);
        let known = self.numbers(first, terms).iter().filter(|number| fresh(number));
        known.map(|number| self.known.get(*number as usize).map_or(1.0, |(_, uses)| uses.weight())).sum()
    }

    /// For [`Roots::weight`]: where each root was seen last; rounds begin at 1.
    pub fn fresh(&self) -> Vec<u32> {
        vec![0; self.known.len()]
    }

    /// How many of these terms are of roots that both texts have.
    pub fn shared(&self, first: bool, terms: (usize, usize)) -> usize {
        let numbers = self.numbers(first, terms).iter();
        numbers.filter(|number| self.known.get(**number as usize).is_some_and(|(_, uses)| uses.shared())).count()
    }

    fn numbers(&self, first: bool, (start, end): (usize, usize)) -> &[u32] {
        let numbers = if first { &self.a } else { &self.b };
        numbers.get(start..end).unwrap_or(&[])
    }
}

/// A term of either text in one number, quick to sort: its root, which text it is of (0 or 1), and which term of it.
fn placed(root: u64, text: u32, at: u32) -> u128 {
    u128::from(root) << 64 | u128::from(text) << 32 | u128::from(at)
}

impl<'t> Overlap<'t> {
    pub fn new(a: &'t Text, b: &'t Text) -> Self {
        let mut terms: Vec<u128> = Vec::with_capacity(a.terms.len() + b.terms.len());
        for (text, own) in [(0, a), (1, b)] {
            terms.extend((0..).zip(&own.terms).map(|(at, term)| placed(term.root, text, at)));
        }
        terms.sort_unstable();
        let (of_a, of_b) = (clauses_of_terms(a), clauses_of_terms(b));
        let mut roots =
            Roots { known: Vec::with_capacity(terms.len()), a: vec![0; a.terms.len()], b: vec![0; b.terms.len()] };
        let mut clauses = Table::new(a.clauses.len(), b.clauses.len());
        let mut sentences = Table::new(a.sentences.len(), b.sentences.len());
        let (mut mine, mut theirs): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        for run in terms.chunk_by(|one, other| one >> 64 == other >> 64) {
            mine.clear();
            theirs.clear();
            let number = roots.known.len() as u32;
            for term in run {
                let (text, at) = ((*term >> 32) as u32, *term as u32 as usize);
                let (numbers, of, list) =
                    if text == 0 { (&mut roots.a, &of_a, &mut mine) } else { (&mut roots.b, &of_b, &mut theirs) };
                if let Some(slot) = numbers.get_mut(at) {
                    *slot = number;
                }
                if let Some(clause) = of.get(at)
                    && list.last() != Some(clause)
                {
                    list.push(*clause);
                }
            }
            let uses = Uses { a: mine.len() as u32, b: theirs.len() as u32 };
            roots.known.extend(run.first().map(|term| ((*term >> 64) as u64, uses)));
            if uses.shared() {
                let weight = uses.weight();
                for row in &mine {
                    for column in &theirs {
                        clauses.add(*row as usize, *column as usize, weight);
                    }
                }
                add_sentences(&mut sentences, a, b, &mine, &theirs, weight);
            }
        }
        let weigh = |text: &Text, first: bool| -> Vec<f32> {
            let mut seen = roots.fresh();
            (1..)
                .zip(&text.clauses)
                .map(|(round, clause)| roots.weight(first, clause.terms, &mut seen, round))
                .collect()
        };
        let (weights_a, weights_b) = (weigh(a, true), weigh(b, false));
        let mut likeness = Table::new(a.clauses.len(), b.clauses.len());
        for (row, mine) in weights_a.iter().enumerate() {
            let cells = clauses.row(row).iter().zip(&weights_b).enumerate();
            for (column, (shared, theirs)) in cells.filter(|(_, (shared, _))| **shared > 0.0) {
                likeness.add(row, column, shared / (mine * theirs).sqrt());
            }
        }
        Self { a, b, roots, clauses, sentences, likeness, weights_a, weights_b }
    }
}

/// The clause that each term of a text is in.
fn clauses_of_terms(text: &Text) -> Vec<u32> {
    let mut found = Vec::with_capacity(text.terms.len());
    for (number, clause) in (0..).zip(&text.clauses) {
        found.resize(clause.terms.1.max(found.len()), number);
    }
    found
}

/// A term counts once for a pair of sentences, however many of their clauses have it.
fn add_sentences(table: &mut Table, a: &Text, b: &Text, mine: &[u32], theirs: &[u32], weight: f32) {
    let of = |text: &Text, clause: u32| text.clauses.get(clause as usize).map_or(0, |clause| clause.sentence);
    let mut last_row = usize::MAX;
    for row in mine {
        let row = of(a, *row);
        if row == last_row {
            continue;
        }
        last_row = row;
        let mut last_column = usize::MAX;
        for column in theirs {
            let column = of(b, *column);
            if column != last_column {
                last_column = column;
                table.add(row, column, weight);
            }
        }
    }
}
