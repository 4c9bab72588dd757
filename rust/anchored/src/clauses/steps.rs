//! The order of steps: what comes first in one text and second in the other, where a text says that it has an order.
//!
//! Invariant: sentences in another order say the same, unless `first`, `then`, `before`, `after` or the numbers of equal
//! lists give them one.

use super::crossed::{describes, goes_from};
use super::overlap::Overlap;
use super::pairs::Match;
use super::read::{Sentence, Text};
use super::segments::Form;
use super::vocabulary as words;
use crate::edits::Finding;
use crate::facts::Span;

/// How like each other two clauses must be to be one step.
const SAME: f32 = 0.6;
/// Steps of a list that must be found again before its numbers say something.
const AGAIN: f64 = 0.8;

/// Steps whose order is turned round, and `before` against `after` the same thing.
pub(crate) fn contradictions(
    overlap: &Overlap<'_>,
    clauses: &[Match],
    sentences: &[(usize, usize)],
    found: &mut Vec<Finding>,
) {
    if let Some(spans) = turned(overlap, clauses) {
        found.push(Finding::relation("order", spans));
    }
    for &(mine, theirs) in sentences {
        let (Some(one), Some(other)) = (overlap.a.sentences.get(mine), overlap.b.sentences.get(theirs)) else {
            continue;
        };
        found.extend(around(overlap, one, other).map(|spans| Finding::relation("order", spans)));
    }
}

fn turned(overlap: &Overlap<'_>, clauses: &[Match]) -> Option<(Span, Span)> {
    let (mine, theirs) = (told(overlap.a), told(overlap.b));
    let lists = numbered(overlap.a, overlap.b, clauses);
    let sentence = |text: &Text, clause: usize| text.clauses.get(clause).map_or(0, |clause| clause.sentence);
    // Where a text says `before` or `after`, what stands first need not come first.
    let free = |text: &Text, clause: usize| {
        text.clauses.get(clause).is_some_and(|clause| !clause.is(words::BEFORE | words::AFTER | words::IF))
    };
    let same: Vec<&Match> = clauses.iter().filter(|pair| overlap.likeness.at(pair.a, pair.b) >= SAME).collect();
    for (position, one) in same.iter().enumerate() {
        for other in same.iter().skip(position + 1) {
            if one.b <= other.b || ![one, other].iter().all(|pair| free(overlap.a, pair.a) && free(overlap.b, pair.b)) {
                continue;
            }
            let (left, right) = (sentence(overlap.a, one.a), sentence(overlap.a, other.a));
            let (back_left, back_right) = (sentence(overlap.b, one.b), sentence(overlap.b, other.b));
            let explicit = within(&mine, left, right) || within(&theirs, back_right, back_left) || lists;
            if explicit && (left != right || back_left != back_right || !lists) {
                let span = |text: &Text, clause: usize| text.clauses.get(clause).map(|clause| text.span(clause.tokens));
                return Some((span(overlap.a, one.a)?, span(overlap.b, one.b)?));
            }
        }
    }
    None
}

/// Runs of sentences, from the one that says `first` to the last one that says `then`.
fn told(text: &Text) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut open: Option<usize> = None;
    for (position, sentence) in text.sentences.iter().enumerate() {
        let says = |class| text.tokens(sentence.tokens).iter().any(|token| token.is(class));
        if says(words::FIRST) {
            open = Some(position);
        }
        if says(words::THEN) {
            let from = open.unwrap_or(position);
            match runs.last_mut() {
                Some(run) if run.0 == from => run.1 = position,
                _ => runs.push((from, position)),
            }
        }
    }
    runs
}

fn within(runs: &[(usize, usize)], one: usize, other: usize) -> bool {
    runs.iter().any(|(from, until)| (*from..=*until).contains(&one) && (*from..=*until).contains(&other))
}

/// Whether both texts are numbered lists of the same steps.
fn numbered(a: &Text, b: &Text, clauses: &[Match]) -> bool {
    let steps =
        |text: &Text| text.sentences.iter().filter(|sentence| matches!(sentence.form, Form::Item(Some(_)))).count();
    let (mine, theirs) = (steps(a), steps(b));
    let is_step = |text: &Text, clause: usize| {
        let sentence = text.clauses.get(clause).and_then(|clause| text.sentences.get(clause.sentence));
        sentence.is_some_and(|sentence| matches!(sentence.form, Form::Item(Some(_))))
    };
    let again = clauses.iter().filter(|pair| is_step(a, pair.a) && is_step(b, pair.b)).count();
    mine > 1 && mine == theirs && again as f64 >= AGAIN * mine as f64
}

/// `before meals` against `after meals`.
fn around(overlap: &Overlap<'_>, one: &Sentence, other: &Sentence) -> Option<(Span, Span)> {
    let (mine, theirs) = (marked(overlap.a, one), marked(overlap.b, other));
    let known = |list: &[Marked], sought: &Marked| list.iter().any(|mark| (mark.0, mark.1) == (sought.0, sought.1));
    // `Check-in from 3 p.m., check-out until 11` is of two things, which a list says in two lines.
    let said = |text: &Text, mark: &Marked| text.sentences.iter().any(|one| known(&marked(text, one), mark));
    for mark in &mine {
        let turned = theirs.iter().find(|back| back.1 == mark.1 && back.0 != mark.0);
        if let Some(back) = turned
            && !known(&theirs, mark)
            && !known(&mine, back)
            && !said(overlap.b, mark)
            && !said(overlap.a, back)
        {
            return Some((mark.2, back.2));
        }
    }
    None
}

/// Whether it is `before`, the root of what it is before or after, and where the word stands.
type Marked = (bool, u64, Span);

fn marked(text: &Text, sentence: &Sentence) -> Vec<Marked> {
    let mut found = Vec::new();
    for (position, token) in text.tokens(sentence.tokens).iter().enumerate() {
        if !token.is(words::BEFORE | words::AFTER) || token.is(words::BEFORE) && token.is(words::AFTER) {
            continue;
        }
        // "Von Hamburg nach München" is a way, no time.
        let before = text.tokens(sentence.tokens).get(position.saturating_sub(2)..position).unwrap_or(&[]);
        if before.iter().any(goes_from) || describes(text.tokens(sentence.tokens), position) {
            continue;
        }
        let at = sentence.tokens.0 + position;
        let mut terms = text.terms(sentence.terms).iter();
        // Chinese and Japanese put it behind: 饭后.
        let near = if text.words.spaced() {
            terms.find(|term| term.token > at && term.token <= at + 3)
        } else {
            terms.rev().find(|term| term.token < at && term.token + 3 >= at)
        };
        if let Some(term) = near {
            found.push((token.is(words::BEFORE), term.root, token.span));
        }
    }
    found
}
