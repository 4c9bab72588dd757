//! The values of two texts held against each other over the whole texts.
//!
//! A value that the other text has, wherever and however it is written, is known there. Of those that are not known, one
//! of each text that measure the same are a contradiction: they are of one kind and the words around them are shared, or
//! each is the only one of its kind that is left and they stand between the same neighbours. Values that both texts have
//! contradict when their bounds do (at least against at most), or when two of them changed places.
//!
//! Invariants: symmetric; a text against itself has no finding; a value that one text leaves out is none.

use super::bounds::Bound;
use super::read::Reading;
use super::same::{built_alike, conflict, exactly, same};
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
    /// Spans of values that are the same with the words of their bounds, for each of the one text those of the other.
    equal: Vec<(Span, Span)>,
}

impl Outcome {
    /// Whether what stands at these two spans is one value in two forms.
    pub fn equal_at(&self, a: Span, b: Span) -> bool {
        let within = |inner: Span, outer: Span| inner.0 < outer.1 && outer.0 < inner.1;
        self.equal.iter().any(|(one, other)| within(a, *one) && within(b, *other))
    }
}

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
/// Of two exchanged values each shares this with the place of the other one, and nothing with its own in one case.
const EXCHANGED: f32 = 0.45;
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
    let (partners_a, partners_b) = partners(a, b);
    for (one, list) in a.values.iter().zip(&partners_a) {
        for other in list.iter().filter_map(|j| b.values.get(*j)) {
            // 78 % and a bare 78 can be the same, but a unit that another word took is seen elsewhere.
            if conflict(one, other) && exactly(one, other) && !opposed(one.bound, other.bound) {
                outcome.equal.push((one.whole, other.whole));
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

/// For each value those of the other text that are the same.
type Partners = Vec<Vec<usize>>;

/// Which values of two texts are the same.
fn partners(a: &Reading<'_>, b: &Reading<'_>) -> (Partners, Partners) {
    let mut of_a: Partners = vec![Vec::new(); a.values.len()];
    let mut of_b: Partners = vec![Vec::new(); b.values.len()];
    let mut add = |i: usize, j: usize| {
        if let (Some(mine), Some(theirs)) = (of_a.get_mut(i), of_b.get_mut(j)) {
            mine.push(j);
            theirs.push(i);
        }
    };
    let mut converted: Vec<(usize, usize)> = Vec::new();
    for (i, one) in a.values.iter().enumerate() {
        for (j, other) in b.values.iter().enumerate() {
            if same(one, other) {
                if written_alike(one, other) { add(i, j) } else { converted.push((i, j)) }
            }
        }
    }
    // 90 days are three months, but not where the other text has its own 90 days, or this one its own three months.
    let (exact_a, exact_b): (Vec<bool>, Vec<bool>) =
        (of_a.iter().map(|list| !list.is_empty()).collect(), of_b.iter().map(|list| !list.is_empty()).collect());
    for (i, j) in converted {
        if exact_a.get(i) != Some(&true)
            && exact_b.get(j) != Some(&true)
            && let (Some(mine), Some(theirs)) = (of_a.get_mut(i), of_b.get_mut(j))
        {
            mine.push(j);
            theirs.push(i);
        }
    }
    (of_a, of_b)
}

/// Whether two equal values are written in one unit.
fn written_alike(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (&one.measure, &other.measure) {
        (Measure::Amount(mine), Measure::Amount(theirs)) => {
            mine.dimension.group() == theirs.dimension.group() && mine.factor.to_bits() == theirs.factor.to_bits()
        }
        (Measure::Amount(_), _) | (_, Measure::Amount(_)) => false,
        _ => true,
    }
}

struct Both<'r, 't> {
    a: &'r Reading<'t>,
    b: &'r Reading<'t>,
    /// For each value of the one text those of the other that are the same.
    partners_a: Partners,
    partners_b: Partners,
}

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
    place: usize,
    near: Vec<Near>,
    own: Option<f32>,
}

#[derive(Clone, Copy)]
enum Side {
    A,
    B,
}

fn opposed(one: Bound, other: Bound) -> bool {
    let lower = |bound: Bound| matches!(bound, Bound::Lower | Bound::Above);
    let upper = |bound: Bound| matches!(bound, Bound::Upper | Bound::Below);
    lower(one) && upper(other) || upper(one) && lower(other)
}

fn ranges(value: &Value<'_>) -> bool {
    matches!(&value.measure, Measure::Amount(amount) if amount.low.to_bits() != amount.high.to_bits())
}

fn finding(one: &Value<'_>, other: &Value<'_>, whole: bool) -> Finding {
    let (a, b) = if whole { (one.whole, other.whole) } else { (one.span, other.span) };
    let kind = if one.kind() == other.kind() || one.kind() == "date" { one.kind() } else { other.kind() };
    Finding { kind, component: Component::Entities, a, b }
}

impl Both<'_, '_> {
    /// At least against at most.
    fn bounds(&self, found: &mut Vec<Finding>) {
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
        let near = |reading: &Reading<'_>, place: usize| reading.subjects.own(&reading.values, place);
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
                let tie = |one: &[Near], other: &[Near]| common(one, other).0;
                let straight = (tie(&mine.0, &mine.1), tie(&theirs.0, &theirs.1));
                let cross = (tie(&mine.0, &theirs.1), tie(&theirs.0, &mine.1));
                let crossed = cross.0.min(cross.1);
                let more = cross.0 + cross.1 - straight.0 - straight.1;
                if crossed >= EXCHANGED && more >= 2.0 * EXCHANGED && straight.0.min(straight.1) < 0.1 {
                    found.push(finding(here, there, false));
                }
            }
        }
    }

    /// Values of one thing of which either text has another one.
    fn replaced(&self, found: &mut Vec<Finding>) -> Vec<(usize, usize)> {
        let (left_a, left_b) = (self.left(Side::A), self.left(Side::B));
        let mut candidates: Vec<Candidate> = Vec::new();
        for mine in &left_a {
            for theirs in &left_b {
                let (i, j) = (mine.place, theirs.place);
                let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j)) else { continue };
                if conflict(one, other) && !same(one, other) {
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
            let next = |pair: &Candidate| {
                let rivals = open.iter().filter(|other| (other.i == pair.i) != (other.j == pair.j));
                rivals.map(|other| other.shared).reduce(f32::max)
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

    /// Ranges of which the other text has one end, and beside it another value than the other end.
    fn half_known(&self, left_a: &[Left], left_b: &[Left], used: &mut Vec<(usize, usize)>) {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for side in [Side::A, Side::B] {
            let (mine, theirs, partners, left) = match side {
                Side::A => (self.a, self.b, &self.partners_a, left_b),
                Side::B => (self.b, self.a, &self.partners_b, left_a),
            };
            for (place, (value, list)) in mine.values.iter().zip(partners).enumerate() {
                let Some(end) = list.first().and_then(|first| theirs.values.get(*first)) else { continue };
                if !ranges(value) || list.iter().any(|other| theirs.values.get(*other).is_some_and(ranges)) {
                    continue;
                }
                let rest = left.iter().filter(|left| left.own.is_none()).filter_map(|left| {
                    let other = theirs.values.get(left.place)?;
                    (other.sentence == end.sentence && conflict(value, other) && !ranges(other)).then_some(left.place)
                });
                let rest: Vec<usize> = rest.collect();
                if let ([other], 1) = (rest.as_slice(), list.len()) {
                    found.push(if matches!(side, Side::A) { (place, *other) } else { (*other, place) });
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
        let near = |reading: &Reading<'_>, place: usize| reading.subjects.near(&reading.values, place);
        let fit = |place: usize, list: &[usize]| -> f32 {
            let around = near(mine, place);
            let beside = |other: usize| match side {
                Side::A => self.beside_the_same(place, other),
                Side::B => self.beside_the_same(other, place),
            };
            let fits = list.iter().map(|other| common(&around, &near(theirs, *other)).0 + beside(*other));
            fits.fold(0.0, f32::max)
        };
        let mut left = Vec::new();
        for (place, list) in partners.iter().enumerate() {
            let Some(first) = list.first() else {
                left.push(Left { place, near: near(mine, place), own: None });
                continue;
            };
            let Some(mentions) = back.get(*first).filter(|mentions| mentions.len() > list.len()) else { continue };
            let own = fit(place, list);
            let better = mentions.iter().filter(|other| **other != place && fit(**other, list) > own).count();
            if better >= list.len() {
                left.push(Left { place, near: near(mine, place), own: Some(own) });
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
            return pair.shared >= enough || between || short || self.most_agree();
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
        let last = |partners: &Partners, place: usize| {
            partners.get(..place).and_then(|head| head.iter().rposition(|list| !list.is_empty()))
        };
        let next = |partners: &Partners, place: usize| {
            let found = partners.get(place + 1..).and_then(|tail| tail.iter().position(|list| !list.is_empty()));
            found.map(|found| found + place + 1)
        };
        let before = meets(last(&self.partners_a, i), last(&self.partners_b, j));
        let after = meets(next(&self.partners_a, i), next(&self.partners_b, j));
        before != Some(false) && after != Some(false) && (before.is_some() || after.is_some())
    }

    /// What the same value right beside both adds to what they share: `2.5 million in 2002`.
    fn beside_the_same(&self, i: usize, j: usize) -> f32 {
        let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j)) else { return 0.0 };
        let joined = |mine: Option<usize>, theirs: Option<usize>| {
            let (Some(mine), Some(theirs)) = (mine, theirs) else { return false };
            let near = |reading: &Reading<'_>, place: usize, value: &Value<'_>| {
                reading.values.get(place).is_some_and(|beside| {
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

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::facts::lowered;
    use crate::language::Language;
    use proptest::prelude::*;

    const LANGUAGES: [Language; 6] = [
        Language::English,
        Language::German,
        Language::French,
        Language::Spanish,
        Language::Chinese,
        Language::Japanese,
    ];
    const WORDS: &[&str] = &[
        "30",
        "days",
        "Tage",
        "3 PM",
        "%",
        "€",
        "1.000",
        "12,4 Mio.",
        "三个月",
        "15時10分",
        "at least",
        "or more",
        "to",
        "from",
        "March",
        "5",
        "half an hour",
        "Q3",
        "2024",
        "+49 30 1234567",
        "a@b.example",
        "v1.2",
        "以上",
        "every",
        "-",
        "\n",
        ". ",
        "fünf",
        "the deposit",
        "租金",
        "und",
        ",",
        "ORD-4821",
        "1970s",
        "3rd",
        "twice",
        "weekly",
        "$",
        "°C",
        "12h30",
        "0,5",
        "kg",
        "mg",
        "第",
        "万",
        "quatre-vingt",
        "https://a.example/x",
    ];

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            ".{0,80}",
            proptest::collection::vec(prop::sample::select(WORDS), 0..30).prop_map(|words| words.join(" ")),
            proptest::collection::vec(prop::sample::select(WORDS), 0..30).prop_map(|words| words.concat()),
        ]
    }

    proptest! {
        #[test]
        fn laws(a in text(), b in text(), language in prop::sample::select(&LANGUAGES[..])) {
            let (low_a, low_b) = (lowered(&a), lowered(&b));
            let (one, other) = (read(&a, &low_a, language), read(&b, &low_b, language));
            let (there, back) = (compare(&one, &other), compare(&other, &one));
            prop_assert_eq!(there.findings.is_empty(), back.findings.is_empty());
            prop_assert_eq!(&there.only_a, &back.only_b);
            for finding in &there.findings {
                prop_assert!(a.get(finding.a.0..finding.a.1).is_some_and(|said| !said.is_empty()), "{:?}", finding);
                prop_assert!(b.get(finding.b.0..finding.b.1).is_some_and(|said| !said.is_empty()), "{:?}", finding);
            }
            let itself = compare(&one, &read(&a, &low_a, language));
            prop_assert!(itself.findings.is_empty() && itself.only_a.is_empty() && itself.only_b.is_empty());
        }
    }
}
