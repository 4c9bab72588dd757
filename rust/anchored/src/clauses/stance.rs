//! What two clauses say of what may, must, must not or need not be, whatever words they use: `animals are not admitted`
//! against `pets are welcome`, `no one has to sign` against `a signature is required`.
//!
//! A list (`words/stance_LANGUAGE.txt`) has the words and phrases that permit, forbid, oblige or leave free; negators of
//! the clause turn them round.
//!
//! Invariants: symmetric; a finding needs a word of both sides that says so, a term that both share beside these words,
//! and no other clause of either text that says of the same what the first one does.

use std::sync::LazyLock;

use super::aligned::Group;
use super::demands::strict;
use super::overlap::{Overlap, Uses};
use super::read::{Clause, Text, Token};
use super::reworded::WITHOUT;
use super::segments::Form;
use super::vocabulary::{self as words, Stance};
use crate::Component;
use crate::edits::Finding;
use crate::facts::Span;
use crate::language::Language;
use crate::lexicon::mark;
use crate::marks::Marks;

/// What a clause says of its matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Permitted,
    /// Permitted, and better.
    Advised,
    Forbidden,
    Needed,
    /// Needed, or only better: `should`.
    Due,
    Spared,
    /// Denied, without a word for what may be.
    Denied,
    /// Said, without one.
    Plain,
    /// Two words that leave it open.
    Open,
}

impl Says {
    /// Whether it lets the matter be.
    pub fn sign(self) -> Option<bool> {
        match self {
            Self::Permitted | Self::Advised | Self::Needed | Self::Due => Some(true),
            Self::Forbidden | Self::Denied => Some(false),
            _ => None,
        }
    }

    /// Whether anything is against it.
    fn decides(self) -> bool {
        !matches!(self, Self::Denied | Self::Plain | Self::Open)
    }

    /// What is only denied, or demanded, is not looked at: "not a source of funds" against "may have given money".
    fn against(self, other: Self) -> bool {
        let one_way = |one, other| match one {
            Self::Forbidden => matches!(other, Self::Permitted | Self::Advised),
            Self::Spared => matches!(other, Self::Needed | Self::Due),
            Self::Advised | Self::Permitted => other == Self::Needed,
            _ => false,
        };
        one_way(self, other) || one_way(other, self)
    }
}

/// A clause with what it says, and the tokens that say so.
#[derive(Clone, Debug)]
pub(crate) struct Stated {
    pub says: Says,
    /// The word that decides, or the negator.
    pub at: Option<usize>,
    /// Tokens that say it: no part of the matter.
    words: Vec<usize>,
}

/// A negator stands so many words before the word that it turns round, or so many behind: `are not yet allowed`, `may not`.
const BEFORE: usize = 5;
const BEHIND: usize = 2;

/// What a clause says.
pub(crate) fn stated(text: &Text, clause: &Clause) -> Stated {
    let (start, end) = clause.tokens;
    // The first word of each stance.
    let mut first: [Option<usize>; Stance::ALL.len()] = [None; Stance::ALL.len()];
    let mut negators = Vec::new();
    let mut said = Vec::new();
    let mut at = start;
    while at < end {
        let Some(token) = text.tokens.get(at) else { break };
        let known = text.words.stance(text.tokens((at, end)));
        let known = known.filter(|(stance, size)| *stance != Stance::Spare || whole(text, at, at + size, end));
        let size = known.map_or(1, |(_, size)| size);
        let negates = token.is(words::NEGATOR | words::WEAK) && !WITHOUT.contains(&token.mark);
        if let Some((stance, _)) = known
            && let Some(slot) = first.get_mut(stance as usize)
        {
            slot.get_or_insert(at);
        }
        // `cannot` both denies and says what may be.
        if negates && known.is_none_or(|(stance, _)| stance == Stance::May) {
            negators.push(at);
        }
        if negates || known.is_some() {
            said.extend(at..at + size);
        }
        at += size;
    }
    let of = |stance: Stance| first.get(stance as usize).copied().flatten();
    let permits = of(Stance::Permit).or(of(Stance::May));
    let decides = match (of(Stance::Spare), of(Stance::Forbid)) {
        (Some(at), _) => Some((at, Says::Spared, Says::Needed)),
        (None, Some(at)) if permits.or(of(Stance::Advise)).is_some() => Some((at, Says::Open, Says::Open)),
        (None, Some(at)) => Some((at, Says::Forbidden, Says::Permitted)),
        (None, None) => of(Stance::Must)
            .map(|at| (at, Says::Needed, Says::Forbidden))
            .or(of(Stance::Ought).map(|at| (at, Says::Due, Says::Forbidden)))
            .or(of(Stance::Need).map(|at| (at, Says::Needed, Says::Spared)))
            .or(of(Stance::Advise).map(|at| (at, Says::Advised, Says::Forbidden)))
            .or(permits.map(|at| (at, Says::Permitted, Says::Forbidden))),
    };
    let (says, at) = match (decides, negators.as_slice()) {
        (None, []) => (Says::Plain, None),
        (None, [at]) => (Says::Denied, Some(*at)),
        (Some((at, straight, _)), []) => (straight, Some(at)),
        (Some((at, _, turned)), [negator]) if reaches(text, *negator, at) => (turned, Some(at)),
        (_, list) => (Says::Open, list.first().copied()),
    };
    Stated { says, at, words: said }
}

/// Whether a phrase says all of its condition: `if you like`, but not `if you like to stay`.
fn whole(text: &Text, at: usize, behind: usize, end: usize) -> bool {
    let conditional = text.tokens.get(at).is_some_and(|token| token.is(words::IF));
    !conditional || behind >= end || text.tokens.get(behind).is_some_and(|token| token.parted)
}

/// Whether a negator is one of the word that decides: beside it, or in German, where it may stand at the end, anywhere.
fn reaches(text: &Text, negator: usize, at: usize) -> bool {
    match text.words.language() {
        Language::German => true,
        Language::Chinese | Language::Japanese => negator < at && negator + 1 == at,
        Language::Spanish => negator + BEFORE >= at && negator <= at,
        // "Days that you did not use may be taken": `may not` has its negator behind it.
        Language::English | Language::French => {
            let known = text.tokens.get(negator).is_some_and(|token| NOT.contains(&token.mark));
            let modal = text.words.stance(text.tokens((at, at + 1)));
            let modal = modal.is_some_and(|(stance, _)| matches!(stance, Stance::May | Stance::Must | Stance::Ought));
            let before = negator + BEFORE >= at && !(known && modal);
            if negator <= at { before || negator == at } else { negator <= at + BEHIND }
        }
    }
}

static NOT: LazyLock<[u64; 4]> = LazyLock::new(|| ["not", "didn't", "don't", "pas"].map(mark));

/// What both share must weigh so much.
const SHARED: f32 = 0.5;
/// And so much of the lighter clause.
const MATTER: f32 = 0.4;
/// And so much of the heavier one.
const COVERED: f32 = 0.2;
/// Another clause that shares so much of it may be meant.
const RIVAL: f32 = 0.5;

/// Clauses of one group that say otherwise of the same matter.
pub(crate) fn contradictions(overlap: &Overlap<'_>, groups: &[Group], found: &mut Vec<Finding>) {
    if groups.is_empty() {
        return;
    }
    let read = |text: &Text| -> Vec<Stated> { text.clauses.iter().map(|clause| stated(text, clause)).collect() };
    let sides = Sides { overlap, a: read(overlap.a), b: read(overlap.b) };
    for group in groups {
        if let Some((finding, (a, b))) = sides.within(group) {
            // Another rule may have seen the same two clauses.
            let meets = |one: Span, other: Span| one.0 < other.1 && other.0 < one.1;
            let known = |other: &Finding| other.kind == finding.kind && meets(other.a, a) && meets(other.b, b);
            if !found.iter().any(known) {
                found.push(finding);
            }
        }
    }
}

struct Sides<'o, 't> {
    overlap: &'o Overlap<'t>,
    a: Vec<Stated>,
    b: Vec<Stated>,
}

impl Sides<'_, '_> {
    /// A finding, and the spans of the two clauses.
    fn within(&self, group: &Group) -> Option<(Finding, (Span, Span))> {
        let says_nothing = |text: &Text, list: &[usize]| {
            let mut known = list.iter().filter_map(|at| text.sentences.get(*at));
            known.any(|sentence| sentence.asks || sentence.form == Form::Row)
        };
        if says_nothing(self.overlap.a, &group.a) || says_nothing(self.overlap.b, &group.b) {
            return None;
        }
        for (row, _) in self.overlap.a.clauses_of(&group.a) {
            let Some(one) = self.a.get(row).filter(|one| one.says.decides()) else { continue };
            for (column, _) in self.overlap.b.clauses_of(&group.b) {
                let Some(other) = self.b.get(column) else { continue };
                if one.says.against(other.says)
                    && let Some(finding) = self.finding(row, column, one, other)
                {
                    let (left, right) = (self.overlap.a.clauses.get(row)?, self.overlap.b.clauses.get(column)?);
                    return Some((finding, (self.overlap.a.span(left.tokens), self.overlap.b.span(right.tokens))));
                }
            }
        }
        None
    }

    fn finding(&self, row: usize, column: usize, one: &Stated, other: &Stated) -> Option<Finding> {
        let (left, right) = (self.overlap.a.clauses.get(row)?, self.overlap.b.clauses.get(column)?);
        let open = words::IF | words::EXCEPT | words::ONLY;
        // "If you like" is no condition.
        let free = |text: &Text, stated: &Stated| {
            let word = stated.at.and_then(|at| text.tokens.get(at));
            stated.says == Says::Spared && word.is_some_and(|token| token.is(words::IF))
        };
        let left_open = left.is(open) && !free(self.overlap.a, one);
        if left_open || right.is(open) && !free(self.overlap.b, other) {
            return None;
        }
        // "Returns within 30 days" is limited too, and says no less than "no returns".
        let (a, b) = (self.overlap.a, self.overlap.b);
        let denies = |stated: &Stated| stated.says.sign() != Some(true);
        if denies(one) && limited(a, left, b, right) || denies(other) && limited(b, right, a, left) {
            return None;
        }
        let shared = self.shared(row, column);
        let weight = |weights: &[f32], at: usize| weights.get(at).copied().unwrap_or(0.0);
        let (mine, theirs) = (weight(&self.overlap.weights_a, row), weight(&self.overlap.weights_b, column));
        if shared < SHARED || shared < MATTER * mine.min(theirs) || shared < COVERED * mine.max(theirs) {
            return None;
        }
        // Another clause that says the same as this one of as much of it.
        let agrees = |one: &Stated, other: &Stated| {
            one.says == other.says || one.says.sign().is_some() && one.says.sign() == other.says.sign()
        };
        let rival_b = self
            .b
            .iter()
            .enumerate()
            .any(|(at, known)| at != column && agrees(one, known) && self.shared(row, at) >= RIVAL * shared);
        let rival_a = self
            .a
            .iter()
            .enumerate()
            .any(|(at, known)| at != row && agrees(other, known) && self.shared(at, column) >= RIVAL * shared);
        if rival_a || rival_b {
            return None;
        }
        let (a, b) = (span(self.overlap.a, left, one), span(self.overlap.b, right, other));
        if one.says == Says::Permitted && !strict(self.overlap.a, one, self.overlap.b, other)
            || other.says == Says::Permitted && !strict(self.overlap.b, other, self.overlap.a, one)
        {
            return None;
        }
        Some(if [one.says, other.says].contains(&Says::Forbidden) {
            Finding::relation("negation", (a, b))
        } else {
            Finding { kind: "modality", component: Component::Constraints, a, b }
        })
    }

    /// What two clauses share beside the words that say what may be.
    fn shared(&self, row: usize, column: usize) -> f32 {
        let (a, b) = (self.overlap.a, self.overlap.b);
        let (Some(left), Some(right)) = (a.clauses.get(row), b.clauses.get(column)) else { return 0.0 };
        let (Some(one), Some(other)) = (self.a.get(row), self.b.get(column)) else { return 0.0 };
        let theirs = matter(b, right, other);
        let mut known: Vec<u64> = matter(a, left, one);
        known.sort_unstable();
        known.dedup();
        let both = known.iter().filter(|root| theirs.contains(root));
        both.map(|root| self.overlap.roots.uses(*root).map_or(0.0, Uses::weight)).sum()
    }
}

/// Words up to which or from which on something holds, those that say the same together: `no returns after 30 days` says
/// what `returns within 30 days` does.
const LIMITS: [&str; 9] = [
    "under below younger less fewer unter weniger moins menos menores 以下 少于 未满 不满 不足 未満",
    "over above older beyond more über mehr plus más mayores 以上 多于 超过 超え 超える",
    "within innerhalb binnen dentro 以内 之内",
    "until till by bis jusqu hasta まで",
    "before vor bevor avant antes 前 之前 以前",
    "after since nach nachdem ab après después tras desde 后 之后 以后 後",
    "once sobald dès",
    "least mindestens mínimo",
    "most höchstens máximo",
];
static LIMITED: LazyLock<Marks<usize>> = LazyLock::new(|| {
    let lines = LIMITS.iter().enumerate();
    lines.flat_map(|(line, words)| words.split_whitespace().map(move |word| (mark(word), line))).collect()
});

/// Limits only close before a number: "by the man" and "over the leaves" are none.
static COUNTED: LazyLock<[u64; 7]> =
    LazyLock::new(|| ["by", "over", "above", "under", "below", "unter", "über"].map(mark));
/// So close.
const NEAR: usize = 3;
/// Limits only before `than`: "more time" is none.
static COMPARED: LazyLock<[u64; 5]> = LazyLock::new(|| ["more", "less", "fewer", "mehr", "weniger"].map(mark));
static LEAST: LazyLock<[u64; 3]> = LazyLock::new(|| ["at", "au", "al"].map(mark));

/// Whether a clause names a limit that the other one does not.
pub(crate) fn limited(text: &Text, clause: &Clause, other_text: &Text, other: &Clause) -> bool {
    // "Less than 13" and "at least 13" are two limits in languages that have one word for both.
    let limits = |text: &Text, clause: &Clause| -> Vec<(bool, usize)> {
        let tokens = text.tokens(clause.tokens);
        let than = |at: usize| tokens.get(at + 1).is_some_and(|token| token.is(words::THAN));
        let counted = |at: usize| {
            let mut near = tokens.iter().skip(at + 1).take(NEAR);
            near.any(|token| token.number || token.is(words::COUNT))
        };
        let known = tokens.iter().enumerate().filter_map(|(at, token)| {
            let limit = *LIMITED.get(token.mark)?;
            let counts = !COUNTED.contains(&token.mark) || counted(at);
            (counts && (!COMPARED.contains(&token.mark) || than(at))).then_some((at, limit))
        });
        let least = |at: usize| {
            at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|token| LEAST.contains(&token.mark))
        };
        known.map(|(at, limit)| (least(at), limit)).collect()
    };
    let there = limits(other_text, other);
    limits(text, clause).iter().any(|limit| !there.contains(limit))
}

/// Terms of a clause beside the words that say what may be.
fn matter(text: &Text, clause: &Clause, stated: &Stated) -> Vec<u64> {
    let terms = text.terms(clause.terms).iter();
    terms.filter(|term| !stated.words.contains(&term.token)).map(|term| term.root).collect()
}

fn span(text: &Text, clause: &Clause, stated: &Stated) -> Span {
    let token = |at: usize| text.tokens.get(at).map(|token: &Token| token.span);
    stated.at.and_then(token).unwrap_or_else(|| text.span(clause.tokens))
}
