//! The values of two texts held against each other over the whole texts.
//!
//! A value that the other text has, wherever and however it is written, is known there. Of those that are not known, one
//! of each text that measure the same are a contradiction: they are of one kind and the words around them are shared, or
//! each is the only one of its kind that is left and they stand between the same neighbours. Values that both texts have
//! contradict when their bounds do (at least against at most), or when two of them changed places.
//!
//! Invariants: symmetric; a text against itself has no finding; a value that one text leaves out is none.

use std::cell::OnceCell;

use super::bounds::Bound;
use super::read::Reading;
use super::same::{conflict, exactly, same};
use super::subject::{Near, common};
use super::trend::Trend;
use super::{Measure, Value};
use crate::Component;
use crate::aligned::Aligned;
use crate::edits::Finding;
use crate::facts::Span;

/// What the comparison of two readings found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub findings: Vec<Finding>,
    /// Spans of the values that only the one or only the other text has, less those of the findings.
    pub only_a: Vec<Span>,
    pub only_b: Vec<Span>,
    /// Where two texts part one range at the same value, each told from another side: lines of both.
    pub split: Vec<(Span, Span)>,
    /// Either text had more values than are read.
    pub cut: bool,
    /// Spans of values that are the same with the words of their bounds, for each of the one text those of the other.
    equal: Vec<(Span, Span)>,
}

impl Outcome {
    /// Whether what stands at these two spans is one value in two forms.
    pub fn equal_at(&self, a: Span, b: Span) -> bool {
        self.equal.iter().any(|(one, other)| meets(a, *one) && meets(b, *other))
    }

    /// Whether both spans touch values that both texts have, be they two: `for a week` and `three times a day`.
    pub fn known_at(&self, a: Span, b: Span) -> bool {
        self.equal.iter().any(|(one, _)| meets(a, *one)) && self.equal.iter().any(|(_, other)| meets(b, *other))
    }
}

fn meets(one: Span, other: Span) -> bool {
    one.0 < other.1 && other.0 < one.1
}

/// Of two exchanged values each shares this with the place of the other one, and nothing with its own in one case.
const EXCHANGED: f32 = 0.45;
/// So many bytes around a value that parts a range belong to what is said of it.
const AROUND: usize = 120;
/// More values than this are not looked at for exchanged ones.
const MOST_EXCHANGED: usize = 40;

/// For each value those of the other text that are the same.
pub(super) type Partners = Vec<Vec<usize>>;

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
        // A range has two ends, each of which may be written elsewhere.
        let free = |exact: &[bool], values: &[Value<'_>], at: usize| {
            exact.get(at) != Some(&true) || values.get(at).is_some_and(ranges)
        };
        if free(&exact_a, &a.values, i)
            && free(&exact_b, &b.values, j)
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

/// Two readings, and which of their values are the same.
pub(crate) struct Both<'r, 't> {
    pub(super) a: &'r Reading<'t>,
    pub(super) b: &'r Reading<'t>,
    /// For each value of the one text those of the other that are the same.
    pub(super) partners_a: Partners,
    pub(super) partners_b: Partners,
}

fn opposed(one: Bound, other: Bound) -> bool {
    let lower = |bound: Bound| matches!(bound, Bound::Lower | Bound::Above);
    let upper = |bound: Bound| matches!(bound, Bound::Upper | Bound::Below);
    lower(one) && upper(other) || upper(one) && lower(other)
}

/// Whether two bounds part everything between them: what is said of those under 13 is not said of those of at least 13.
fn part(one: Bound, other: Bound) -> bool {
    use Bound::{Above, Below, Lower, Upper};
    matches!((one, other), (Below, Lower) | (Lower, Below) | (Above, Upper) | (Upper, Above))
}

pub(super) fn ranges(value: &Value<'_>) -> bool {
    matches!(&value.measure, Measure::Amount(amount) if amount.low.to_bits() != amount.high.to_bits())
}

pub(super) fn finding(one: &Value<'_>, other: &Value<'_>, whole: bool) -> Finding {
    let (a, b) = if whole { (one.whole, other.whole) } else { (one.span, other.span) };
    let kind = if one.kind() == other.kind() || one.kind() == "date" { one.kind() } else { other.kind() };
    Finding { kind, component: Component::Entities, a, b }
}

impl<'r, 't> Both<'r, 't> {
    pub fn new(a: &'r Reading<'t>, b: &'r Reading<'t>) -> Self {
        let (partners_a, partners_b) = partners(a, b);
        Self { a, b, partners_a, partners_b }
    }

    /// Where values stand that both texts have.
    pub fn equal(&self) -> Vec<(Span, Span)> {
        let mut found = Vec::new();
        for (one, list) in self.a.values.iter().zip(&self.partners_a) {
            found.extend(list.iter().filter_map(|j| self.b.values.get(*j)).map(|other| (one.span, other.span)));
        }
        found
    }

    /// Holds the values of two texts against each other.
    pub fn compared(&self, aligned: &Aligned) -> Outcome {
        let (a, b) = (self.a, self.b);
        let mut outcome = Outcome { cut: a.cut || b.cut, ..Outcome::default() };
        if a.values.is_empty() || b.values.is_empty() {
            outcome.only_a = a.values.iter().map(|value| value.span).collect();
            outcome.only_b = b.values.iter().map(|value| value.span).collect();
            return outcome;
        }
        for (one, list) in a.values.iter().zip(&self.partners_a) {
            for other in list.iter().filter_map(|j| b.values.get(*j)) {
                // 78 % and a bare 78 can be the same, but a unit that another word took is seen elsewhere.
                if conflict(one, other) && exactly(one, other) && !opposed(one.bound, other.bound) {
                    outcome.equal.push((one.whole, other.whole));
                }
            }
        }
        self.sums(&mut outcome.equal);
        self.bounds(&mut outcome.findings, &mut outcome.split);
        self.trends(&mut outcome.findings);
        self.exchanged(&mut outcome.findings);
        let mut used = self.replaced(aligned, &mut outcome.findings);
        self.exchanged_groups(aligned, &mut outcome.findings);
        self.of_versions(aligned, &mut used, &mut outcome.findings);
        let rest = |reading: &Reading<'_>, partners: &[Vec<usize>], used: &[usize]| -> Vec<Span> {
            let left =
                partners.iter().enumerate().filter(|(position, list)| list.is_empty() && !used.contains(position));
            left.filter_map(|(position, _)| reading.values.get(position)).map(|value| value.span).collect()
        };
        let (used_a, used_b): (Vec<usize>, Vec<usize>) = used.into_iter().unzip();
        outcome.only_a = rest(a, &self.partners_a, &used_a);
        outcome.only_b = rest(b, &self.partners_b, &used_b);
        outcome
    }

    /// Values of which one is the other and a third one that both texts have: as good as equal.
    fn sums(&self, equal: &mut Vec<(Span, Span)>) {
        let left = |list: &(usize, &Vec<usize>)| list.1.is_empty();
        for (i, _) in self.partners_a.iter().enumerate().filter(left) {
            for (j, _) in self.partners_b.iter().enumerate().filter(left) {
                if let (Some(one), Some(other)) = (self.a.values.get(i), self.b.values.get(j))
                    && self.adds_up(one, other)
                {
                    equal.push((one.whole, other.whole));
                }
            }
        }
    }

    /// At least against at most.
    fn bounds(&self, found: &mut Vec<Finding>, split: &mut Vec<(Span, Span)>) {
        for (one, list) in self.a.values.iter().zip(&self.partners_a) {
            let mut others = list.iter().filter_map(|j| self.b.values.get(*j));
            let Some(first) = others.next() else { continue };
            // A value that either text has twice may be bounded twice.
            let again = list.iter().filter_map(|j| self.partners_b.get(*j)).any(|back| back.len() > 1);
            let against = opposed(one.bound, first.bound);
            let rest = || self.a.subjects.parts_in_two(one) || self.b.subjects.parts_in_two(first);
            if against && rest() || part(one.bound, first.bound) {
                let around = |span: Span| (span.0.saturating_sub(AROUND), span.1 + AROUND);
                split.push((around(one.whole), around(first.whole)));
                continue;
            }
            if against && others.next().is_none() && !again {
                found.push(finding(one, first, true));
            }
        }
    }

    /// Up by so much against down by so much.
    fn trends(&self, found: &mut Vec<Finding>) {
        for (one, list) in self.a.values.iter().zip(&self.partners_a) {
            let [j] = list.as_slice() else { continue };
            let single = self.partners_b.get(*j).is_some_and(|back| back.len() == 1);
            let Some(other) = self.b.values.get(*j).filter(|_| single) else { continue };
            if matches!((one.trend, other.trend), (Trend::Up, Trend::Down) | (Trend::Down, Trend::Up)) {
                found.push(finding(one, other, false));
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
        let near = |reading: &Reading<'_>, position: usize| reading.subjects.own(&reading.values, position);
        // Asked for the few that could be exchanged.
        let around: Vec<OnceCell<(Vec<Near>, Vec<Near>)>> = vec![OnceCell::new(); once.len()];
        let both = |(i, j): &(usize, usize)| (near(self.a, *i), near(self.b, *j));
        for (first, (one @ (i, j), mine)) in once.iter().zip(&around).enumerate() {
            for (other @ (k, l), theirs) in once.iter().zip(&around).skip(first + 1) {
                let (Some(here), Some(apart)) = (self.a.values.get(*i), self.a.values.get(*k)) else { continue };
                let (Some(back), Some(there)) = (self.b.values.get(*j), self.b.values.get(*l)) else { continue };
                if !conflict(here, apart) || !conflict(back, there) || same(here, apart) {
                    continue;
                }
                let (mine, theirs) = (mine.get_or_init(|| both(one)), theirs.get_or_init(|| both(other)));
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
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn compare(a: &Reading<'_>, b: &Reading<'_>) -> Outcome {
        Both::new(a, b).compared(&Aligned::default())
    }
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
