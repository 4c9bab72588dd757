//! Of the values that only one text has, those that are said of one thing.
//!
//! Invariant: the order of the values and of the texts does not matter; no value is in two pairs.

use super::compare::{Both, Partners, finding, ranges};
use super::read::Reading;
use super::same::{built_alike, conflict, same};
use super::subject::{Near, common};
use super::units::Dimension;
use super::{Amount, Form, Measure, Value};
use crate::aligned::Aligned;
use crate::edits::Finding;

/// Shared weight around two values of a kind from which on they are of one thing: for the only ones left, for those in
/// one unit, and else.
const ALONE: f32 = 0.45;
const ONE_UNIT: f32 = 0.25;
const AMONG: f32 = 1.0;
/// By so much the best partner must be better than the next.
const BETTER: f32 = 1.4;
/// Numbers without a unit count many things: they need more.
const COUNTED: f32 = 1.2;
/// So few tokens lie between a value and one beside it, and so much that adds to what both share.
const CLOSE: usize = 4;
const BESIDE: f32 = 0.6;

/// Of a value that a text has more often, no mention is looked at by itself.
const MOST_MENTIONS: usize = 6;
/// So many values that only one text has are held against those of the other.
pub(super) const MOST_LEFT: usize = 64;

/// Two values that only one text each has, and what they have in common.
struct Candidate {
    i: usize,
    j: usize,
    shared: f32,
    head: bool,
    /// What a mention that is one too many has in common with those of the same value in the other text.
    own: Option<f32>,
}

/// A value that the other text has not, or has less often.
struct Left {
    position: usize,
    near: Vec<Near>,
    own: Option<f32>,
}

#[derive(Clone, Copy)]
enum Side {
    A,
    B,
}

/// For each value what its best pair and its second best have in common.
struct Best(Vec<[Option<f32>; 2]>);

impl Best {
    fn new(size: usize) -> Self {
        Self(vec![[None; 2]; size])
    }

    fn add(&mut self, position: usize, shared: f32) {
        if let Some([first, second]) = self.0.get_mut(position) {
            if first.is_none_or(|first| shared > first) {
                (*first, *second) = (Some(shared), *first);
            } else if second.is_none_or(|second| shared > second) {
                *second = Some(shared);
            }
        }
    }

    /// The best of a value but for one pair that has this in common.
    fn besides(&self, position: usize, shared: f32) -> Option<f32> {
        let [first, second] = *self.0.get(position)?;
        if first.is_some_and(|first| first.to_bits() == shared.to_bits()) { second } else { first }
    }
}

impl Both<'_, '_> {
    /// Values of one thing of which either text has another one.
    pub(super) fn replaced(&self, aligned: &Aligned, found: &mut Vec<Finding>) -> Vec<(usize, usize)> {
        let (left_a, left_b) = (self.left(Side::A), self.left(Side::B));
        if left_a.len().max(left_b.len()) > MOST_LEFT {
            return Vec::new(); // tables of other figures: nothing tells which is which
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        for mine in &left_a {
            for theirs in &left_b {
                let (i, j) = (mine.position, theirs.position);
                let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j)) else { continue };
                let apart = aligned.verbatim && !aligned.together(one.span.0, other.span.0);
                if conflict(one, other) && !same(one, other) && !apart && !self.adds_up(one, other) {
                    let (words, head) = common(&mine.near, &theirs.near);
                    let shared = words + self.beside_the_same(i, j);
                    let own = mine.own.into_iter().chain(theirs.own).reduce(f32::max);
                    candidates.push(Candidate { i, j, shared, head, own });
                }
            }
        }
        let mut used: Vec<(usize, usize)> = Vec::new();
        loop {
            // Two pairs with a value in common are never both of one thing, so the order of a round does not matter.
            let free = |pair: &&Candidate| !used.iter().any(|(i, j)| *i == pair.i || *j == pair.j);
            let open: Vec<&Candidate> = candidates.iter().filter(free).collect();
            let (mut of_a, mut of_b) = (Best::new(self.a.values.len()), Best::new(self.b.values.len()));
            for pair in &open {
                of_a.add(pair.i, pair.shared);
                of_b.add(pair.j, pair.shared);
            }
            let next = |pair: &Candidate| {
                of_a.besides(pair.i, pair.shared).into_iter().chain(of_b.besides(pair.j, pair.shared)).reduce(f32::max)
            };
            let round: Vec<(usize, usize)> =
                open.iter().filter(|pair| self.of_one_thing(pair, next(pair))).map(|pair| (pair.i, pair.j)).collect();
            if round.is_empty() {
                break;
            }
            used.extend(round);
        }
        self.half_known(&left_a, &left_b, &mut used);
        for (i, j) in &used {
            if let (Some(mine), Some(theirs)) = (self.a.values.get(*i), self.b.values.get(*j)) {
                found.push(finding(mine, theirs, false));
            }
        }
        used
    }

    /// Whether two values and the times that they are said for are one rate: 30 euros a month, 360 euros a year.
    fn one_rate(&self, one: &Value<'_>, other: &Value<'_>) -> bool {
        let near = |mine: f64, theirs: f64| (mine - theirs).abs() <= RATE * mine.abs().max(theirs.abs());
        let (mine, theirs) = (rate(&self.a.values, one), rate(&self.b.values, other));
        mine.zip(theirs).is_some_and(|((sum, time), (back, span))| {
            sum.dimension == back.dimension && near(sum.low * span, back.low * time)
        })
    }

    /// Whether one of two values is the other one and a third that both texts have: `gained 1.6 kg` since `3.4 kg` and `now
    /// 5 kg`. Bare numbers are too many for that to mean something.
    pub(super) fn adds_up(&self, one: &Value<'_>, other: &Value<'_>) -> bool {
        if self.one_rate(one, other) {
            return true;
        }
        let single = |value: &Value<'_>| match &value.measure {
            Measure::Amount(amount) if amount.low.to_bits() == amount.high.to_bits() => Some(*amount),
            _ => None,
        };
        let across = |range: &Value<'_>, value: &Value<'_>| match (&range.measure, single(value)) {
            (Measure::Amount(range), Some(value)) if range.dimension == value.dimension => {
                value.dimension != Dimension::Count
                    && ((range.high - range.low).abs() - value.low).abs() <= 1e-6 * range.high.abs()
            }
            _ => false,
        };
        if across(one, other) || across(other, one) {
            return true; // from 10 to 80 percent: 70 of them
        }
        let (Some(mine), Some(theirs)) = (single(one), single(other)) else { return false };
        if mine.dimension != theirs.dimension || !mine.dimension.adds() {
            return false;
        }
        let (less, more) = (mine.low.min(theirs.low), mine.low.max(theirs.low));
        let known = self.a.values.iter().zip(&self.partners_a).filter(|(_, partners)| !partners.is_empty());
        let allowed = mine.precision.max(theirs.precision).max(1e-6 * more);
        known.filter_map(|(value, _)| single(value)).any(|third| {
            // Twice the same is no sum: one of both has the value of something else.
            let another = (third.low - less).abs() > allowed;
            third.dimension == mine.dimension && another && less > 0.0 && (less + third.low - more).abs() <= allowed
        })
    }

    /// Ranges of which the other text has one end, and beside it another value than the other end.
    fn half_known(&self, left_a: &[Left], left_b: &[Left], used: &mut Vec<(usize, usize)>) {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for side in [Side::A, Side::B] {
            let (mine, theirs, partners, left) = match side {
                Side::A => (self.a, self.b, &self.partners_a, left_b),
                Side::B => (self.b, self.a, &self.partners_b, left_a),
            };
            for (position, (value, list)) in mine.values.iter().zip(partners).enumerate() {
                let Some(end) = list.first().and_then(|first| theirs.values.get(*first)) else { continue };
                if !ranges(value) || list.iter().any(|other| theirs.values.get(*other).is_some_and(ranges)) {
                    continue;
                }
                let rest = left.iter().filter(|left| left.own.is_none()).filter_map(|left| {
                    let other = theirs.values.get(left.position)?;
                    let adds = self.adds_up(value, other);
                    (other.sentence == end.sentence && conflict(value, other) && !ranges(other) && !adds)
                        .then_some(left.position)
                });
                let rest: Vec<usize> = rest.collect();
                if let ([other], 1) = (rest.as_slice(), list.len()) {
                    found.push(if matches!(side, Side::A) { (position, *other) } else { (*other, position) });
                }
            }
        }
        found.retain(|(i, j)| !used.iter().any(|(known, other)| known == i || other == j));
        used.extend(found);
    }

    /// The values of a text that the other one has not, or has less often: of such a value the mentions that fit its
    /// mentions there best are left out.
    fn left(&self, side: Side) -> Vec<Left> {
        let (mine, theirs, partners, back) = match side {
            Side::A => (self.a, self.b, &self.partners_a, &self.partners_b),
            Side::B => (self.b, self.a, &self.partners_b, &self.partners_a),
        };
        let near = |reading: &Reading<'_>, position: usize| reading.subjects.near(&reading.values, position);
        let fit = |position: usize, list: &[usize]| -> f32 {
            let around = mine.subjects.own(&mine.values, position);
            let beside = |other: usize| match side {
                Side::A => self.beside_the_same(position, other),
                Side::B => self.beside_the_same(other, position),
            };
            let fits = list
                .iter()
                .map(|other| common(&around, &theirs.subjects.own(&theirs.values, *other)).0 + beside(*other));
            fits.fold(0.0, f32::max)
        };
        let mut left = Vec::new();
        for (position, list) in partners.iter().enumerate() {
            let Some(first) = list.first() else {
                left.push(Left { position, near: near(mine, position), own: None });
                continue;
            };
            // A range has two ends, so that two mentions are none too many.
            let often = |mentions: &&Vec<usize>| mentions.len() > list.len() && mentions.len() <= MOST_MENTIONS;
            let single = theirs.values.get(*first).is_some_and(|value| !ranges(value));
            let Some(mentions) = back.get(*first).filter(often).filter(|_| single) else {
                continue;
            };
            let own = fit(position, list);
            let better = mentions.iter().filter(|other| **other != position && fit(**other, list) > own).count();
            if better >= list.len() {
                left.push(Left { position, near: near(mine, position), own: Some(own) });
            }
        }
        left
    }

    /// Whether two values that only one text each has are said of one thing; `next` is what the best rival of either has
    /// in common with the other, `None` when each is the only one of its kind that is left.
    fn of_one_thing(&self, pair: &Candidate, next: Option<f32>) -> bool {
        let (Some(one), Some(other)) = (self.a.values.get(pair.i), self.b.values.get(pair.j)) else { return false };
        let clear = next.is_none_or(|next| pair.shared >= BETTER * next + 0.1);
        if let Some(own) = pair.own {
            return clear && pair.shared >= AMONG && pair.shared >= BETTER * own + 0.1;
        }
        let between = self.between_the_same(pair.i, pair.j);
        let dimension = |value: &Value<'_>| match &value.measure {
            Measure::Amount(amount) => Some((amount.dimension, amount.factor.to_bits())),
            _ => None,
        };
        if let (Measure::Text(form, mine), Measure::Text(_, theirs)) = (&one.measure, &other.measure) {
            let alike = built_alike(*form, mine, theirs);
            // Two answers may name other sources; of one order there is one number.
            let alone = next.is_none() && (alike || (*form != Form::Url && pair.shared >= ALONE));
            return alone || (clear && alike && pair.shared >= ALONE);
        }
        let counts = |value: &Value<'_>| {
            dimension(value).is_some_and(|(known, _)| matches!(known, Dimension::Count | Dimension::Ordinal))
        };
        if counts(one) || counts(other) {
            let alone = next.is_none() && (pair.shared >= COUNTED || (between && pair.shared >= ALONE));
            return (alone || (clear && pair.shared >= COUNTED))
                && (pair.head || between || pair.shared >= 2.0 * COUNTED);
        }
        if next.is_none() {
            let short =
                self.a.sentences <= 2 && self.b.sentences <= 2 && self.a.values.len() == 1 && self.b.values.len() == 1;
            let enough = if dimension(one) == dimension(other) { ONE_UNIT } else { ALONE };
            // Something must tie the two together: a word beside both, or the unit.
            let tied = pair.shared > 0.0 || dimension(one) == dimension(other);
            return pair.shared >= enough || between || short || tied && self.most_agree();
        }
        clear && pair.shared >= AMONG
    }

    /// Whether the other values of both texts are the same in the main: then the one that is left in each is of one thing,
    /// whatever the words around it.
    fn most_agree(&self) -> bool {
        let known = |partners: &Partners| partners.iter().filter(|list| !list.is_empty()).count();
        let half = |partners: &Partners| 2 * known(partners) >= partners.len() && known(partners) > 0;
        half(&self.partners_a) && half(&self.partners_b)
    }

    /// Whether the nearest values before and behind both that the other text has too are the same, and there is one at
    /// least.
    fn between_the_same(&self, i: usize, j: usize) -> bool {
        let meets = |one: Option<usize>, other: Option<usize>| match (one, other) {
            (Some(one), Some(other)) => Some(self.partners_a.get(one).is_some_and(|list| list.contains(&other))),
            (None, None) => None,
            _ => Some(false),
        };
        let last = |partners: &Partners, position: usize| {
            partners.get(..position).and_then(|head| head.iter().rposition(|list| !list.is_empty()))
        };
        let next = |partners: &Partners, position: usize| {
            let found = partners.get(position + 1..).and_then(|tail| tail.iter().position(|list| !list.is_empty()));
            found.map(|found| found + position + 1)
        };
        let before = meets(last(&self.partners_a, i), last(&self.partners_b, j));
        let after = meets(next(&self.partners_a, i), next(&self.partners_b, j));
        before != Some(false) && after != Some(false) && (before.is_some() || after.is_some())
    }

    /// What the same value right beside both adds to what they share: `2.5 million in 2002`.
    pub(super) fn beside_the_same(&self, i: usize, j: usize) -> f32 {
        let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j)) else { return 0.0 };
        let joined = |mine: Option<usize>, theirs: Option<usize>| {
            let (Some(mine), Some(theirs)) = (mine, theirs) else { return false };
            let near = |reading: &Reading<'_>, position: usize, value: &Value<'_>| {
                reading.values.get(position).is_some_and(|beside| {
                    let gap = value
                        .tokens
                        .0
                        .saturating_sub(beside.tokens.1)
                        .max(beside.tokens.0.saturating_sub(value.tokens.1));
                    beside.sentence == value.sentence && gap <= CLOSE
                })
            };
            near(self.a, mine, one)
                && near(self.b, theirs, other)
                && self.partners_a.get(mine).is_some_and(|list| list.contains(&theirs))
        };
        let before = joined(i.checked_sub(1), j.checked_sub(1));
        let behind = joined(Some(i + 1), Some(j + 1));
        BESIDE * (f32::from(u8::from(before)) + f32::from(u8::from(behind)))
    }
}

/// So near are two rates that are one.
const RATE: f64 = 0.005;

/// A sum with the time right behind it that it is paid for, whichever of both is given.
fn rate(values: &[Value<'_>], value: &Value<'_>) -> Option<(Amount, f64)> {
    let at = values.iter().position(|known| known.span == value.span)?;
    let sum_at = |at: usize| -> Option<(Amount, f64)> {
        let (sum, time) = (values.get(at)?, values.get(at + 1)?);
        let (Measure::Amount(paid), Measure::Amount(every)) = (&sum.measure, &time.measure) else { return None };
        let each = matches!(every.dimension, Dimension::Period | Dimension::Duration) && every.low > 0.0;
        let money = matches!(paid.dimension, Dimension::Money(_));
        (money && each && sum.sentence == time.sentence && time.tokens.0 <= sum.tokens.1 + CLOSE)
            .then_some((*paid, every.low))
    };
    sum_at(at).or_else(|| sum_at(at.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::super::{Both, read};
    use crate::aligned::Aligned;
    use crate::language::Language;

    fn flips(a: &str, b: &str) -> usize {
        let (a, b) = (read(a, a, Language::English), read(b, b, Language::English));
        Both::new(&a, &b).compared(&Aligned::default()).findings.len()
    }

    #[test]
    fn one_end_of_a_range_is_another_value() {
        assert_eq!(flips("it grew from 1990 to 2020", "in 1990 it began, and in 2020 it ended"), 0);
        assert_eq!(flips("it grew from 1990 to 2017", "in 1990 it began, and in 2020 it ended"), 1);
    }

    #[test]
    fn a_mention_too_many_beside_another_value() {
        let said = "the rent is 800 euros and the deposit is 1600 euros";
        assert_eq!(flips(said, "the deposit is 1600 euros, the rent 800 euros"), 0);
        assert!(flips(said, "the rent is 800 euros and the deposit is 800 euros") > 0);
    }

    #[test]
    fn tables_of_other_figures_are_left() {
        let table = |unit: &str| (0..200).map(|row| format!("{row} {unit}")).collect::<Vec<_>>().join(". ");
        assert_eq!(flips(&table("mg"), &table("km")), 0);
    }
}
