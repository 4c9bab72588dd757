//! Values of sentences that say the same in two versions of one answer: where the one has a value that its partner lacks,
//! and the partner has another one of the same kind, one of both is wrong, whatever the words around them.
//!
//! Invariants: symmetric; only one value of a kind may be left on either side of a group; a value that moved to another
//! sentence is known there, unless that sentence has it from its own partner.

use super::compare::{Both, Partners, finding};
use super::same::{conflict, same};
use super::subject::common;
use super::units::Dimension;
use super::{Form, Measure, Value};
use crate::aligned::Aligned;
use crate::edits::Finding;

/// So much must two values have in common that are not the only ones left, and so much more than with any other one.
const NEAR: f32 = 0.6;
const BETTER: f32 = 1.4;

impl Both<'_, '_> {
    /// What is left on both sides of groups of sentences; `used` values have been found already.
    pub(super) fn of_versions(&self, aligned: &Aligned, used: &mut Vec<(usize, usize)>, found: &mut Vec<Finding>) {
        let (in_a, in_b) = (
            self.a.values.iter().map(|value| aligned.of_a(value.span.0)).collect::<Vec<_>>(),
            self.b.values.iter().map(|value| aligned.of_b(value.span.0)).collect::<Vec<_>>(),
        );
        let left_a = left(&in_a, &in_b, &self.partners_a, &self.partners_b);
        let left_b = left(&in_b, &in_a, &self.partners_b, &self.partners_a);
        for &i in &left_a {
            let group = in_a.get(i).copied().flatten();
            let rivals = |position: usize, list: &[usize], groups: &[Option<usize>], back: bool| {
                list.iter()
                    .filter(|other| groups.get(**other).copied().flatten() == group && group.is_some())
                    .filter(
                        |other| if back { self.against(**other, position) } else { self.against(position, **other) },
                    )
                    .count()
            };
            let others = left_b.iter().copied().filter(|j| in_b.get(*j).copied().flatten() == group);
            let others = others.filter(|j| group.is_some() && self.against(i, *j));
            let Some(j) = others.max_by(|one, other| self.tie(i, *one).total_cmp(&self.tie(i, *other))) else {
                continue;
            };
            let single = rivals(i, &left_b, &in_b, false) == 1 && rivals(j, &left_a, &in_a, true) == 1;
            let single = single || self.nearest(i, j, &left_a, &left_b);
            let known = used.iter().any(|(one, other)| *one == i || *other == j);
            if !single || known || !self.speaks_alike(i, j) {
                continue;
            }
            if let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j)) {
                used.push((i, j));
                found.push(finding(one, other, false));
            }
        }
    }

    /// What two values have in common around them.
    fn tie(&self, i: usize, j: usize) -> f32 {
        let near =
            |reading: &super::read::Reading<'_>, position: usize| reading.subjects.near(&reading.values, position);
        common(&near(self.a, i), &near(self.b, j)).0 + self.beside_the_same(i, j)
    }

    /// Of several values that are left, both have most in common with each other.
    fn nearest(&self, i: usize, j: usize, left_a: &[usize], left_b: &[usize]) -> bool {
        let tie = self.tie(i, j);
        let rivals =
            left_a.iter().filter(|other| **other != i && self.against(**other, j)).map(|other| self.tie(*other, j));
        let rivals = rivals.chain(
            left_b.iter().filter(|other| **other != j && self.against(i, **other)).map(|other| self.tie(i, *other)),
        );
        let next = rivals.fold(0.0, f32::max);
        tie >= NEAR && tie >= BETTER * next
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
        conflict(one, other) && !same(one, other)
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
    let group = |groups: &[Option<usize>], position: usize| groups.get(position).copied().flatten();
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
