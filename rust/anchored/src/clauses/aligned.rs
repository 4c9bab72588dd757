//! Which sentences of two versions of one answer say the same thing: by what they share, and by where they stand.
//!
//! Sentences are paired greedily by what they share (words by weight, equal values), the best first; of equals the pair
//! that stands nearest to the same place. A sentence that is left joins the group of the one that says most of it: one
//! text may say in one sentence what the other says in two. Where a single one is left on either side between the same
//! neighbours, both are of one group.
//!
//! Where half of the pairs are equal word for word, the rest is not in other words but another text: there a pair must be
//! sure by itself.
//!
//! Invariants: symmetric; a sentence is in one group at most; a group is *trusted* only when the texts as wholes are
//! versions of each other, so that texts about different things have no group at all.

use super::overlap::Overlap;
use super::read::{Sentence, Text};
use crate::facts::Span;

/// Share (geometric mean of both sides) from which on two sentences are paired.
const PAIRED: f32 = 0.22;
/// From here on a pair needs no neighbours.
const SURE: f32 = 0.34;
/// And where the texts repeat sentences: a sentence of which some words were changed.
const EDITED: f32 = 0.5;
/// A sentence joins the group of another one when that one says so much of it.
const JOINED: f32 = 0.45;
/// Of both texts so many sentences must be paired.
const VERSIONS: f64 = 0.66;
/// More sentences than these are not grouped.
const MOST: usize = 64;

/// Sentences of both texts that say the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub a: Vec<usize>,
    pub b: Vec<usize>,
    /// How much both share.
    pub likeness: f32,
}

/// A candidate pair.
#[derive(Clone, Copy)]
struct Pair {
    a: usize,
    b: usize,
    likeness: f32,
    apart: f32,
}

/// The groups of two texts, none when they are no versions of each other; and whether they share half of their sentences
/// word for word. `equal`: where values stand that both have.
pub(crate) fn groups(overlap: &Overlap<'_>, equal: &[(Span, Span)]) -> (Vec<Group>, bool) {
    let (a, b) = (overlap.a, overlap.b);
    let size = a.sentences.len().max(b.sentences.len());
    if size > MOST || a.sentences.is_empty() || b.sentences.is_empty() {
        return (Vec::new(), false);
    }
    let shared = Shared::new(overlap, equal);
    let mut groups = paired(&shared);
    let repeated = groups.iter().filter(|group| is_repeated(overlap, group)).count();
    let verbatim = repeated > 0 && 2 * repeated >= groups.len();
    if verbatim {
        groups.retain(|group| group.likeness >= EDITED);
    } else {
        between(&shared, &mut groups);
    }
    join(&shared, &mut groups);
    let speaks = |text: &Text| text.sentences.iter().filter(|one| one.terms.0 < one.terms.1).count();
    let sure = |size: usize, found: usize| found as f64 >= VERSIONS * size as f64;
    let (in_a, in_b) = (groups.iter().map(|group| group.a.len()).sum(), groups.iter().map(|group| group.b.len()).sum());
    let versions = sure(speaks(a), in_a) && sure(speaks(b), in_b);
    // Where sentences are repeated, the other ones need not have partners.
    let known = (verbatim || versions) && groups.iter().any(|group| group.likeness >= SURE);
    (if known { groups } else { Vec::new() }, verbatim)
}

/// A sentence of so few words may be in two texts by chance.
const LEAST_WORDS: usize = 4;

/// Whether a pair is one sentence, word for word.
fn is_repeated(overlap: &Overlap<'_>, group: &Group) -> bool {
    let words = |text: &'_ Text, list: &[usize]| {
        list.first().and_then(|one| text.sentences.get(*one)).map_or((0, 0), |one| one.tokens)
    };
    let mine = overlap.a.tokens(words(overlap.a, &group.a));
    let theirs = overlap.b.tokens(words(overlap.b, &group.b));
    let equal = mine.len() >= LEAST_WORDS && mine.len() == theirs.len();
    equal && mine.iter().zip(theirs).all(|(one, other)| one.mark == other.mark)
}

/// What each sentence weighs, and what each pair of them shares.
struct Shared {
    rows: usize,
    columns: usize,
    weights_a: Vec<f32>,
    weights_b: Vec<f32>,
    table: Vec<f32>,
}

impl Shared {
    fn new(overlap: &Overlap<'_>, equal: &[(Span, Span)]) -> Self {
        let (a, b) = (overlap.a, overlap.b);
        let (rows, columns) = (a.sentences.len(), b.sentences.len());
        let weigh = |text: &Text, first: bool| -> Vec<f32> {
            let mut seen = overlap.roots.fresh();
            let known = (1..).zip(&text.sentences);
            known.map(|(round, one)| overlap.roots.weight(first, one.terms, &mut seen, round)).collect()
        };
        let table = overlap.sentences.cells().to_vec();
        let mut made = Self { rows, columns, weights_a: weigh(a, true), weights_b: weigh(b, false), table };
        // A value that both have ties as a word does that each says once.
        let mut counts = (vec![0.0_f32; rows], vec![0.0_f32; columns]);
        for (mine, theirs) in equal {
            let (Some(row), Some(column)) = (holding(&a.sentences, mine.0), holding(&b.sentences, theirs.0)) else {
                continue;
            };
            let often = equal.iter().filter(|(one, other)| one == mine || other == theirs).count();
            let tie = 1.0 / often.max(1) as f32;
            made.add(row, column, tie);
            if let (Some(one), Some(other)) = (counts.0.get_mut(row), counts.1.get_mut(column)) {
                *one += tie;
                *other += tie;
            }
        }
        for (weights, counts) in [(&mut made.weights_a, &counts.0), (&mut made.weights_b, &counts.1)] {
            for (weight, more) in weights.iter_mut().zip(counts) {
                *weight += more;
            }
        }
        made
    }

    fn add(&mut self, row: usize, column: usize, more: f32) {
        if let Some(cell) = self.table.get_mut(row * self.columns + column) {
            *cell += more;
        }
    }

    fn at(&self, row: usize, column: usize) -> f32 {
        self.table.get(row * self.columns + column).copied().unwrap_or(0.0)
    }

    fn likeness(&self, row: usize, column: usize) -> f32 {
        let (mine, theirs) = (self.weight_a(row), self.weight_b(column));
        if mine * theirs > 0.0 { self.at(row, column) / (mine * theirs).sqrt() } else { 0.0 }
    }

    fn weight_a(&self, row: usize) -> f32 {
        self.weights_a.get(row).copied().unwrap_or(0.0)
    }

    fn weight_b(&self, column: usize) -> f32 {
        self.weights_b.get(column).copied().unwrap_or(0.0)
    }
}

/// The sentence that a byte stands in.
pub(crate) fn holding(sentences: &[Sentence], at: usize) -> Option<usize> {
    let after = sentences.partition_point(|sentence| sentence.span.0 <= at);
    let position = after.checked_sub(1)?;
    sentences.get(position).filter(|sentence| at < sentence.span.1).map(|_| position)
}

fn paired(shared: &Shared) -> Vec<Group> {
    let mut pairs: Vec<Pair> = Vec::with_capacity(shared.rows.max(shared.columns));
    let place = |position: usize, size: usize| (position as f32 + 0.5) / size as f32;
    for a in 0..shared.rows {
        for b in (0..shared.columns).filter(|b| shared.at(a, *b) > 0.0) {
            let likeness = shared.likeness(a, b);
            let apart = (place(a, shared.rows) - place(b, shared.columns)).abs();
            if likeness >= PAIRED {
                pairs.push(Pair { a, b, likeness, apart });
            }
        }
    }
    let rank = |pair: &Pair| pair.likeness - 0.2 * pair.apart;
    pairs.sort_by(|one, other| rank(other).total_cmp(&rank(one)).then((one.a + one.b).cmp(&(other.a + other.b))));
    let mut groups: Vec<Group> = Vec::with_capacity(shared.rows.min(shared.columns));
    for pair in pairs {
        if !groups.iter().any(|group| group.a.contains(&pair.a) || group.b.contains(&pair.b)) {
            groups.push(Group { a: vec![pair.a], b: vec![pair.b], likeness: pair.likeness });
        }
    }
    groups
}

/// A single sentence that is left on either side, between neighbours that are pairs.
fn between(shared: &Shared, groups: &mut Vec<Group>) {
    let mut found = Vec::new();
    let of_a = |row: usize| groups.iter().find(|group| group.a.contains(&row)).and_then(|group| group.b.first());
    let taken = |column: usize| groups.iter().any(|group| group.b.contains(&column));
    for row in (0..shared.rows).filter(|row| of_a(*row).is_none() && shared.weight_a(*row) > 0.0) {
        let before = row.checked_sub(1).map(of_a);
        let behind = (row + 1 < shared.rows).then(|| of_a(row + 1));
        let column = match (before, behind) {
            (Some(Some(before)), Some(Some(behind))) if before + 2 == *behind => before + 1,
            (None, Some(Some(1))) => 0,
            (Some(Some(before)), None) if before + 2 == shared.columns => before + 1,
            _ => continue,
        };
        if !taken(column) && shared.weight_b(column) > 0.0 {
            found.push(Group { a: vec![row], b: vec![column], likeness: shared.likeness(row, column) });
        }
    }
    groups.extend(found);
}

/// Sentences that are left join the group that says most of them.
fn join(shared: &Shared, groups: &mut [Group]) {
    let ties = |groups: &[Group], size: usize, in_a: bool| -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for one in 0..size {
            let known = groups.iter().any(|group| if in_a { group.a.contains(&one) } else { group.b.contains(&one) });
            let weight = if in_a { shared.weight_a(one) } else { shared.weight_b(one) };
            if known || weight <= 0.0 {
                continue;
            }
            let said = |group: &Group| -> f32 {
                let other = if in_a { group.b.first() } else { group.a.first() };
                other.map_or(0.0, |other| if in_a { shared.at(one, *other) } else { shared.at(*other, one) })
            };
            let best = groups.iter().enumerate().map(|(position, group)| (said(group), position));
            let best = best.max_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(&one.1)));
            if let Some((most, position)) = best
                && most >= JOINED * weight
            {
                found.push((position, one));
            }
        }
        found
    };
    let (of_a, of_b) = (ties(groups, shared.rows, true), ties(groups, shared.columns, false));
    for (position, one) in of_a {
        if let Some(group) = groups.get_mut(position) {
            group.a.push(one);
        }
    }
    for (position, one) in of_b {
        if let Some(group) = groups.get_mut(position) {
            group.b.push(one);
        }
    }
}
