//! Values of sentences that say the same in two versions of one answer: where the one has a value that its partner lacks,
//! and the partner has another one of the same kind, one of both is wrong, whatever the words around them.
//!
//! Invariants: symmetric; only one value of a kind may be left on either side of a group; a value that moved to another
//! sentence is known there, unless that sentence has it from its own partner.

use super::compare::{Both, Partners, finding};
use super::replaced::MOST_LEFT;
use super::same::{conflict, same};
use super::subject::common;
use super::units::Dimension;
use super::{Form, Measure, Value};
use crate::aligned::Aligned;
use crate::edits::Finding;

/// So much must two values have in common that are not the only ones left, and so much more than with any other one.
const NEAR: f32 = 0.6;
const BETTER: f32 = 1.4;

/// For each value the group that its sentence is in.
type Groups = Vec<Option<usize>>;

fn group(groups: &[Option<usize>], position: usize) -> Option<usize> {
    groups.get(position).copied().flatten()
}

/// Two values of a group that exclude each other, and how much they have in common.
struct Tie {
    i: usize,
    j: usize,
    common: f32,
}

impl Both<'_, '_> {
    /// What is left on both sides of groups of sentences; `used` values have been found already.
    pub(super) fn of_versions(&self, aligned: &Aligned, used: &mut Vec<(usize, usize)>, found: &mut Vec<Finding>) {
        let in_a: Groups = self.a.values.iter().map(|value| aligned.of_a(value.span.0)).collect();
        let in_b: Groups = self.b.values.iter().map(|value| aligned.of_b(value.span.0)).collect();
        let left_a = left(&in_a, &in_b, &self.partners_a, &self.partners_b);
        let left_b = left(&in_b, &in_a, &self.partners_b, &self.partners_a);
        if left_a.len().max(left_b.len()) > MOST_LEFT {
            return; // tables of other figures: nothing tells which is which
        }
        let mut ties: Vec<Tie> = Vec::new();
        for &i in &left_a {
            for &j in &left_b {
                if group(&in_a, i).is_some() && group(&in_a, i) == group(&in_b, j) && self.against(i, j) {
                    ties.push(Tie { i, j, common: self.common(i, j) });
                }
            }
        }
        for tie in &ties {
            let rivals = ties.iter().filter(|other| (other.i == tie.i) != (other.j == tie.j));
            let next = rivals.map(|other| other.common).reduce(f32::max);
            let clear = next.is_none_or(|next| tie.common >= NEAR && tie.common >= BETTER * next);
            let known = used.iter().any(|(i, j)| *i == tie.i || *j == tie.j);
            if !clear || known || !self.speaks_alike(tie.i, tie.j) {
                continue;
            }
            if let (Some(one), Some(other)) = (self.a.values.get(tie.i), self.b.values.get(tie.j)) {
                used.push((tie.i, tie.j));
                found.push(finding(one, other, false));
            }
        }
    }

    /// How much two values have in common around them.
    fn common(&self, i: usize, j: usize) -> f32 {
        let (a, b) = (self.a.subjects.near(&self.a.values, i), self.b.subjects.near(&self.b.values, j));
        common(&a, &b).0 + self.beside_the_same(i, j)
    }

    /// Two values of a kind that took each other's groups: the X200 has the battery life of the X300.
    pub(super) fn exchanged_groups(&self, aligned: &Aligned, found: &mut Vec<Finding>) {
        let mut moved: Vec<(usize, usize, usize, usize)> = Vec::new();
        for (i, list) in self.partners_a.iter().enumerate() {
            let &[j] = list.as_slice() else { continue };
            if self.partners_b.get(j).is_none_or(|back| back.len() != 1) {
                continue;
            }
            let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j)) else { continue };
            if let (Some(here), Some(there)) = (aligned.of_a(one.span.0), aligned.of_b(other.span.0))
                && here != there
            {
                moved.push((i, j, here, there));
            }
        }
        for (position, (i, j, here, there)) in moved.iter().enumerate() {
            for (k, l, other_here, other_there) in moved.iter().skip(position + 1) {
                let crossed = (here, there) == (other_there, other_here);
                if crossed
                    && self.against(*i, *l)
                    && self.against(*k, *j)
                    && let (Some(one), Some(other)) = (self.a.values.get(*i), self.b.values.get(*l))
                {
                    found.push(finding(one, other, false));
                }
            }
        }
    }

    /// Whether two values exclude each other when they are said of one thing.
    fn against(&self, i: usize, j: usize) -> bool {
        let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j)) else { return false };
        conflict(one, other) && !same(one, other) && !self.adds_up(one, other)
    }

    /// Numbers without a unit count many things: the word behind both must be the same.
    fn speaks_alike(&self, i: usize, j: usize) -> bool {
        let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j)) else { return false };
        let counts = |value: &Value<'_>| match &value.measure {
            Measure::Amount(amount) => matches!(amount.dimension, Dimension::Count | Dimension::Ordinal),
            Measure::Text(form, _) => *form == Form::Url,
            Measure::Date(_) => false,
        };
        if !counts(one) && !counts(other) {
            return true;
        }
        let (mine, theirs) = (self.a.subjects.own(&self.a.values, i), self.b.subjects.own(&self.b.values, j));
        common(&mine, &theirs).1
    }
}

/// The values of one text that have no partner in their group, nor one elsewhere that is not its own group's.
fn left(mine: &[Option<usize>], theirs: &[Option<usize>], partners: &Partners, back: &Partners) -> Vec<usize> {
    let known = |position: usize, list: &[usize], own: &[Option<usize>], other: &[Option<usize>]| {
        let of = group(own, position);
        of.is_some() && list.iter().any(|partner| group(other, *partner) == of)
    };
    let mut found = Vec::new();
    for (position, list) in partners.iter().enumerate() {
        let moved = |partner: &usize| {
            let returned = back.get(*partner).map_or(&[][..], Vec::as_slice);
            !known(*partner, returned, theirs, mine)
        };
        if !known(position, list, mine, theirs) && !list.iter().any(moved) {
            found.push(position);
        }
    }
    found
}
