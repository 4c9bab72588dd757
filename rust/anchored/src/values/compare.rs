//! The values of two texts held against each other over the whole texts.
//!
//! A value that the other text has, wherever and however it is written, is known there. Of those that are not known, one
//! of each text that measure the same are a contradiction: they are of one kind and the words around them are shared, or
//! each is the only one of its kind that is left and they stand between the same neighbours. Values that both texts have
//! contradict when their bounds do (at least against at most), or when two of them changed places.
//!
//! Invariants: symmetric; a text against itself has no finding; a value that one text leaves out is none.

use super::phrases::Bound;
use super::read::Reading;
use super::same::{built_alike, conflict, same};
use super::subject::{Near, common};
use super::units::Dimension;
use super::{Form, Measure, Value};
use crate::Component;
use crate::edits::Finding;
use crate::facts::Span;

/// What the comparison of two readings found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub findings: Vec<Finding>,
    /// Spans of the values that only the one or only the other text has, less those of the findings.
    pub only_a: Vec<Span>,
    pub only_b: Vec<Span>,
    /// Either text had more values than are read.
    pub cut: bool,
    /// Spans of values that are the same, for each of the one text those of the other.
    equal: Vec<(Span, Span)>,
}

impl Outcome {
    /// Whether what stands at these two spans is one value in two forms.
    pub fn equal_at(&self, a: Span, b: Span) -> bool {
        let within = |inner: Span, outer: Span| inner.0 < outer.1 && outer.0 < inner.1;
        self.equal.iter().any(|(one, other)| within(a, *one) && within(b, *other))
    }
}

/// Shared weight around two values of a kind from which on they are of one thing: for the only ones left, and else.
const ALONE: f32 = 0.45;
const AMONG: f32 = 1.0;
/// By so much the best partner must be better than the next.
const BETTER: f32 = 1.4;
/// Numbers without a unit count many things: they need more.
const COUNTED: f32 = 1.2;
/// More values than this are not looked at for exchanged ones.
const MOST_EXCHANGED: usize = 40;

/// Holds the values of two texts against each other.
pub(crate) fn compare(a: &Reading<'_>, b: &Reading<'_>) -> Outcome {
    let mut outcome = Outcome { cut: a.cut || b.cut, ..Outcome::default() };
    if a.values.is_empty() || b.values.is_empty() {
        outcome.only_a = a.values.iter().map(|value| value.span).collect();
        outcome.only_b = b.values.iter().map(|value| value.span).collect();
        return outcome;
    }
    let mut partners_a: Vec<Vec<usize>> = vec![Vec::new(); a.values.len()];
    let mut partners_b: Vec<Vec<usize>> = vec![Vec::new(); b.values.len()];
    for (i, one) in a.values.iter().enumerate() {
        for (j, other) in b.values.iter().enumerate() {
            if same(one, other) {
                if let Some(list) = partners_a.get_mut(i) {
                    list.push(j);
                }
                if let Some(list) = partners_b.get_mut(j) {
                    list.push(i);
                }
                // 78 % and a bare 78 can be the same, but a unit that another word took is seen elsewhere.
                if conflict(one, other) {
                    outcome.equal.push((one.span, other.span));
                }
            }
        }
    }
    let both = Both { a, b, partners_a, partners_b };
    both.bounds(&mut outcome.findings);
    both.exchanged(&mut outcome.findings);
    let used = both.replaced(&mut outcome.findings);
    let rest = |reading: &Reading<'_>, partners: &[Vec<usize>], used: &[usize]| -> Vec<Span> {
        let left = partners.iter().enumerate().filter(|(place, list)| list.is_empty() && !used.contains(place));
        left.filter_map(|(place, _)| reading.values.get(place)).map(|value| value.span).collect()
    };
    let (used_a, used_b): (Vec<usize>, Vec<usize>) = used.into_iter().unzip();
    outcome.only_a = rest(a, &both.partners_a, &used_a);
    outcome.only_b = rest(b, &both.partners_b, &used_b);
    outcome
}

struct Both<'r, 't> {
    a: &'r Reading<'t>,
    b: &'r Reading<'t>,
    /// For each value of the one text those of the other that are the same.
    partners_a: Vec<Vec<usize>>,
    partners_b: Vec<Vec<usize>>,
}

/// Two values that only one text each has, and what they have in common.
struct Candidate {
    i: usize,
    j: usize,
    shared: f32,
    head: bool,
}

fn finding(one: &Value<'_>, other: &Value<'_>, whole: bool) -> Finding {
    let (a, b) = if whole { (one.whole, other.whole) } else { (one.span, other.span) };
    let kind = if one.kind() == other.kind() || one.kind() == "date" { one.kind() } else { other.kind() };
    Finding { kind, component: Component::Entities, a, b }
}

impl Both<'_, '_> {
    /// At least against at most.
    fn bounds(&self, found: &mut Vec<Finding>) {
        let opposed = |one: Bound, other: Bound| {
            matches!((one, other), (Bound::Lower, Bound::Upper) | (Bound::Upper, Bound::Lower))
        };
        for (one, list) in self.a.values.iter().zip(&self.partners_a) {
            let mut others = list.iter().filter_map(|j| self.b.values.get(*j));
            let Some(first) = others.next() else { continue };
            // A value that either text has twice may be bounded twice.
            let again = list.iter().filter_map(|j| self.partners_b.get(*j)).any(|back| back.len() > 1);
            if opposed(one.bound, first.bound) && others.next().is_none() && !again {
                found.push(finding(one, first, true));
            }
        }
    }

    /// Two values of a kind, each of which stands in the one text among the words that the other one has in the other.
    fn exchanged(&self, found: &mut Vec<Finding>) {
        if self.a.values.len().max(self.b.values.len()) > MOST_EXCHANGED {
            return;
        }
        let once: Vec<(usize, usize)> = self
            .partners_a
            .iter()
            .enumerate()
            .filter_map(|(i, list)| match list.as_slice() {
                [j] if self.partners_b.get(*j).is_some_and(|back| back.len() == 1) => Some((i, *j)),
                _ => None,
            })
            .collect();
        let near = |reading: &Reading<'_>, place: usize| {
            reading.values.get(place).map(|value| reading.subjects.near(value)).unwrap_or_default()
        };
        let around: Vec<(Vec<Near>, Vec<Near>)> =
            once.iter().map(|(i, j)| (near(self.a, *i), near(self.b, *j))).collect();
        for (first, (i, j)) in once.iter().enumerate() {
            for (second, (k, l)) in once.iter().enumerate().skip(first + 1) {
                let (Some(here), Some(apart)) = (self.a.values.get(*i), self.a.values.get(*k)) else { continue };
                let (Some(back), Some(there)) = (self.b.values.get(*j), self.b.values.get(*l)) else { continue };
                let (Some(mine), Some(theirs)) = (around.get(first), around.get(second)) else { continue };
                if !conflict(here, apart) || !conflict(back, there) || same(here, apart) {
                    continue;
                }
                let tie = |one: &[Near], other: &[Near]| common(one, other, 3).0;
                let straight = (tie(&mine.0, &mine.1), tie(&theirs.0, &theirs.1));
                let cross = (tie(&mine.0, &theirs.1), tie(&theirs.0, &mine.1));
                let crossed = cross.0.min(cross.1);
                if crossed >= 0.5 && crossed > 2.0 * straight.0.max(straight.1) + 0.2 {
                    found.push(finding(here, there, false));
                }
            }
        }
    }

    /// Values of one thing of which either text has another one.
    fn replaced(&self, found: &mut Vec<Finding>) -> Vec<(usize, usize)> {
        let lone = |partners: &[Vec<usize>]| -> Vec<usize> {
            partners.iter().enumerate().filter(|(_, list)| list.is_empty()).map(|(place, _)| place).collect()
        };
        let (left_a, left_b) = (lone(&self.partners_a), lone(&self.partners_b));
        if left_a.is_empty() || left_b.is_empty() {
            return Vec::new();
        }
        let near = |reading: &Reading<'_>, places: &[usize]| -> Vec<Vec<Near>> {
            let values = places.iter().map(|place| reading.values.get(*place));
            values.map(|value| value.map(|value| reading.subjects.near(value)).unwrap_or_default()).collect()
        };
        let (near_a, near_b) = (near(self.a, &left_a), near(self.b, &left_b));
        let mut candidates: Vec<Candidate> = Vec::new();
        for (i, mine) in left_a.iter().zip(&near_a) {
            for (j, theirs) in left_b.iter().zip(&near_b) {
                let (Some(one), Some(other)) = (self.a.values.get(*i), self.b.values.get(*j)) else { continue };
                if conflict(one, other) {
                    let (shared, head) = common(mine, theirs, usize::MAX);
                    candidates.push(Candidate { i: *i, j: *j, shared, head });
                }
            }
        }
        candidates
            .sort_by(|one, other| other.shared.total_cmp(&one.shared).then((one.i, one.j).cmp(&(other.i, other.j))));
        let mut used: Vec<(usize, usize)> = Vec::new();
        for one in &candidates {
            if used.iter().any(|(i, j)| *i == one.i || *j == one.j) {
                continue;
            }
            let rivals = candidates.iter().filter(|other| (other.i == one.i) != (other.j == one.j));
            let next = rivals
                .map(|other| other.shared)
                .fold(None, |most: Option<f32>, shared| Some(most.map_or(shared, |most| most.max(shared))));
            if self.of_one_thing(one, next) {
                used.push((one.i, one.j));
                if let (Some(mine), Some(theirs)) = (self.a.values.get(one.i), self.b.values.get(one.j)) {
                    found.push(finding(mine, theirs, false));
                }
            }
        }
        used
    }

    /// Whether two values that only one text each has are said of one thing; `next` is what the best rival of either has
    /// in common with the other, `None` when each is the only one of its kind that is left.
    fn of_one_thing(&self, pair: &Candidate, next: Option<f32>) -> bool {
        let (Some(one), Some(other)) = (self.a.values.get(pair.i), self.b.values.get(pair.j)) else { return false };
        let clear = next.is_none_or(|next| pair.shared >= BETTER * next + 0.1);
        let between = self.between_the_same(pair.i, pair.j);
        let counted = matches!(&one.measure, Measure::Amount(amount) if amount.dimension == Dimension::Count)
            || matches!(&other.measure, Measure::Amount(amount) if amount.dimension == Dimension::Count);
        if let (Measure::Text(form, mine), Measure::Text(_, theirs)) = (&one.measure, &other.measure) {
            let alike = built_alike(*form, mine, theirs);
            // Two answers may name other sources; of one order there is one number.
            let alone = next.is_none() && (alike || (*form != Form::Url && pair.shared >= ALONE));
            return alone || (clear && alike && pair.shared >= ALONE);
        }
        if counted {
            let alone = next.is_none() && (pair.shared >= COUNTED || (between && pair.shared >= ALONE));
            return (alone || (clear && pair.shared >= COUNTED))
                && (pair.head || between || pair.shared >= 2.0 * COUNTED);
        }
        if next.is_none() {
            let short =
                self.a.sentences <= 2 && self.b.sentences <= 2 && self.a.values.len() == 1 && self.b.values.len() == 1;
            return pair.shared >= ALONE || between || short;
        }
        clear && pair.shared >= AMONG
    }

    /// Whether the values right before and right behind both are the same, and there is one at least.
    fn between_the_same(&self, i: usize, j: usize) -> bool {
        let meets = |one: Option<usize>, other: Option<usize>| match (one, other) {
            (Some(one), Some(other)) => Some(self.partners_a.get(one).is_some_and(|list| list.contains(&other))),
            (None, None) => None,
            _ => Some(false),
        };
        let behind = |place: usize, size: usize| (place + 1 < size).then_some(place + 1);
        let before = meets(i.checked_sub(1), j.checked_sub(1));
        let after = meets(behind(i, self.a.values.len()), behind(j, self.b.values.len()));
        before != Some(false) && after != Some(false) && (before.is_some() || after.is_some())
    }
}
