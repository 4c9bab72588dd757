//! Clauses that say it in other words: one denies what the other says, obliges where it permits, or speaks of all where
//! it speaks of some.
//!
//! Invariant: a finding needs two clauses that are each other's best match, and no other clause that could be meant; an
//! implied negation (`unable`, `excluded`) counts against a clause only if that one says the opposite in so many words.

use std::sync::LazyLock;

use super::overlap::Overlap;
use super::pairs::{self, Match};
use super::read::{Clause, Text, Token};
use super::versions;
use super::vocabulary::{self as words, Flags};
use crate::Component;
use crate::edits::Finding;
use crate::facts::Span;
use crate::lexicon::mark;

/// What contradicts in clauses that match.
pub(crate) fn contradictions(overlap: &Overlap<'_>, matches: &[Match], found: &mut Vec<Finding>) {
    for pair in matches {
        let Some((one, other)) = pairs::both(overlap, pair.a, pair.b) else { continue };
        if let Some(spans) = negation(overlap, pair, one, other) {
            found.push(Finding::relation("negation", spans));
        } else if let Some((a, b)) = modality(overlap, one, other) {
            found.push(Finding { kind: "modality", component: Component::Constraints, a, b });
        } else if let Some((a, b)) = quantifier(overlap, one, other) {
            found.push(Finding { kind: "quantifier", component: Component::Constraints, a, b });
        } else if let Some(spans) = antonym(overlap, one, other) {
            found.push(Finding::relation("antonym", spans));
        }
    }
}

/// A clause of the other side that shares half as much, and says it as this one does, is as likely to be meant.
const RIVAL: f32 = 0.5;

/// Share of the heavier clause that both must have before one of them can deny the other.
const CLOSE: f32 = 0.5;
/// As good as all of a clause.
const WHOLE: f32 = 0.95;

fn negation(overlap: &Overlap<'_>, pair: &Match, one: &Clause, other: &Clause) -> Option<(Span, Span)> {
    if one.negative() == other.negative() || conditional(one) != conditional(other) || conditional(one) {
        return None;
    }
    let (denies, says) = if one.negative() { (one, other) } else { (other, one) };
    if says.negators + says.weak > 0 || says.is(words::DOUBT) || denies.is(words::ONLY) && says.is(words::ONLY) {
        return None;
    }
    let (denying_text, saying_text) = if one.negative() { (overlap.a, overlap.b) } else { (overlap.b, overlap.a) };
    if versions::limits(denying_text, denies) || denied_beside(denying_text, denies, saying_text, says) {
        return None;
    }
    // "not closed" and "open" say the same.
    if excluding(overlap, one, other) {
        return None;
    }
    let weight = |weights: &[f32], position: usize| weights.get(position).copied().unwrap_or(0.0);
    let (mine, theirs) = (weight(&overlap.weights_a, pair.a), weight(&overlap.weights_b, pair.b));
    // A heading or an order has no predicate that could be held against the other's, unless it is the same in all.
    let predicate = says.is(words::VERB | words::MUST | words::MAY | words::AFFIRM) || !overlap.a.words.spaced();
    let whole = if one.negative() { theirs } else { mine };
    // "excluded" against nothing said of it is no contradiction; against "also applies" it is.
    if denies.negators == 0 && !says.is(words::AFFIRM | words::MAY | words::ALL) {
        return None;
    }
    let (text, uses) = if one.negative() { (overlap.a, overlap.b) } else { (overlap.b, overlap.a) };
    let denying = if one.negative() { mine } else { theirs };
    let opposed = pair.shared >= WHOLE * denying && ordered(text, denies, uses, says);
    let close = pair.shared >= CLOSE * mine.max(theirs) && (predicate || pair.shared >= WHOLE * whole);
    if !close && !opposed {
        return None;
    }
    if rivals(overlap, pair, one.negative()) || !denied(text, denies, uses, says) {
        return None;
    }
    let negator = |text: &Text, clause: &Clause| {
        let sought = if clause.negators > 0 { words::NEGATOR } else { words::WEAK };
        text.tokens(clause.tokens).iter().find(|token| token.is(sought)).map(|token| token.span)
    };
    if one.negative() {
        Some((negator(overlap.a, one)?, overlap.b.span(other.tokens)))
    } else {
        Some((overlap.a.span(one.tokens), negator(overlap.b, other)?))
    }
}

/// Whether another clause of the asserting sentence denies the same: `Never rebase commits | that were pushed`, `Refund:
/// none`.
fn denied_beside(text: &Text, denies: &Clause, other: &Text, says: &Clause) -> bool {
    let roots = text.terms(denies.terms);
    let beside = other.clauses.iter().filter(|clause| clause.sentence == says.sentence && clause.tokens != says.tokens);
    beside.filter(|clause| clause.negative()).any(|clause| {
        let own = other.terms(clause.terms);
        let relative = other.tokens(clause.tokens).first().is_some_and(|token| token.is(words::RELATIVE));
        // One word that the denying text does not have is another one for what it denies: `do not freeze`.
        let other_word = |root: u64| !text.terms.iter().any(|term| term.root == root);
        own.is_empty()
            || matches!(own, [term] if other_word(term.root))
            || relative && clause.tokens.0 == says.tokens.1
            || own.iter().any(|term| roots.iter().any(|known| known.root == term.root))
    })
}

/// `Do not rinse the pasta` and `Rinse the pasta with cold water`: an order that begins with the word that is denied.
fn ordered(text: &Text, denies: &Clause, other: &Text, says: &Clause) -> bool {
    let negator = text.tokens(denies.tokens).iter().position(|token| token.is(words::NEGATOR));
    let behind = negator.and_then(|position| {
        text.terms(denies.terms).iter().find(|term| term.token > denies.tokens.0 + position).map(|term| term.root)
    });
    let first = other.terms(says.terms).first().filter(|term| term.token == says.tokens.0).map(|term| term.root);
    behind.is_some() && behind == first
}

fn excluding(overlap: &Overlap<'_>, one: &Clause, other: &Clause) -> bool {
    let words = overlap.a.words;
    let (mine, theirs) = (overlap.a.tokens(one.tokens), overlap.b.tokens(other.tokens));
    let known = mine.iter().filter(|token| token.has_opposite());
    known.into_iter().any(|token| theirs.iter().any(|back| words.excludes(token.opposite, back.opposite)))
}

/// Prepositions that deny what they stand before, and nothing else.
pub(super) static WITHOUT: LazyLock<[u64; 4]> = LazyLock::new(|| ["without", "ohne", "sans", "sin"].map(mark));

/// Whether what the negator stands before is what the other clause says: one word of it may be another there.
fn denied(text: &Text, denies: &Clause, other: &Text, says: &Clause) -> bool {
    let sought = if denies.negators > 0 { words::NEGATOR } else { words::WEAK };
    let Some(position) = text.tokens(denies.tokens).iter().position(|token| token.is(sought)) else { return false };
    let position = denies.tokens.0 + position;
    let terms = text.terms(denies.terms);
    let behind = terms.partition_point(|term| term.token < position);
    // Where nothing follows, it speaks of what came before, as at the end of a German or a Japanese clause.
    let scope = match terms.get(behind..) {
        Some(scope) if !scope.is_empty() && text.words.spaced() => scope,
        _ => terms,
    };
    let said = |root: u64| other.terms(says.terms).iter().any(|term| term.root == root);
    // "without a charge" is left out where nothing is said of a charge.
    let whole = text.tokens.get(position).is_some_and(|token| WITHOUT.contains(&token.mark));
    if whole {
        return scope.first().is_some_and(|term| said(term.root));
    }
    // "need no appointment on Wednesdays": where and when it is denied is not what is denied.
    let place = |at: usize| text.tokens.get(at).is_some_and(|token| WHEN.contains(&token.mark));
    let own = scope.iter().take_while(|term| !(position..term.token).any(place)).count();
    let own = scope.get(..own).filter(|own| !own.is_empty() && text.words.spaced()).unwrap_or(scope);
    // `Do not freeze` says elsewhere what `and should not be frozen` denies, in a word of its own.
    let elsewhere = || {
        let alone = |clause: &Clause| matches!(other.terms(clause.terms), [term] if !said(term.root));
        other.clauses.iter().any(|clause| clause.negators > 0 && clause.sentence == says.sentence + 1 && alone(clause))
    };
    scope.len() <= 1 && !elsewhere() || own.iter().any(|term| said(term.root))
}

/// Prepositions of times and places.
static WHEN: LazyLock<[u64; 17]> = LazyLock::new(|| {
    [
        "on", "in", "at", "during", "within", "am", "im", "bei", "während", "en", "pendant", "dans", "durante", "por",
        "upon", "lors", "beim",
    ]
    .map(mark)
});

fn conditional(clause: &Clause) -> bool {
    clause.is(words::IF | words::EXCEPT)
}

/// Whether another clause of either text shares much with the one it is held against, and agrees with it.
fn rivals(overlap: &Overlap<'_>, pair: &Match, a_negative: bool) -> bool {
    let near = |shared: f32| shared >= RIVAL * pair.shared;
    let columns = overlap.b.clauses.iter().enumerate();
    let rows = overlap.a.clauses.iter().enumerate();
    columns.filter(|(column, _)| *column != pair.b).any(|(column, clause)| {
        clause.negative() == a_negative && near(overlap.clauses.at(pair.a, column)) && a_negative
    }) || rows
        .filter(|(row, _)| *row != pair.a)
        .any(|(row, clause)| clause.negative() != a_negative && near(overlap.clauses.at(row, pair.b)) && !a_negative)
}

/// `must` against `may`, when neither text says both there.
fn modality(overlap: &Overlap<'_>, one: &Clause, other: &Clause) -> Option<(Span, Span)> {
    let plain = |clause: &Clause| clause.negators + clause.weak == 0 && !clause.is(words::ONLY | words::IF);
    if !plain(one) || !plain(other) {
        return None;
    }
    let says = |clause: &Clause| (clause.is(words::MUST), clause.is(words::MAY));
    let (mine, theirs) = match (says(one), says(other)) {
        ((true, false), (false, true)) => (words::MUST, words::MAY),
        ((false, true), (true, false)) => (words::MAY, words::MUST),
        _ => return None,
    };
    let span = |text: &Text, clause: &Clause, flags| {
        text.tokens(clause.tokens).iter().find(|token| token.is(flags)).map(|token| token.span)
    };
    Some((span(overlap.a, one, mine)?, span(overlap.b, other, theirs)?))
}

/// `all tenants` against `some tenants`: a quantifier of each with the same head.
fn quantifier(overlap: &Overlap<'_>, one: &Clause, other: &Clause) -> Option<(Span, Span)> {
    const FEWER: Flags = words::SOME | words::PART;
    let (mine, theirs) = match ((one.is(words::ALL), one.is(FEWER)), (other.is(words::ALL), other.is(FEWER))) {
        ((true, false), (false, true)) => (words::ALL, FEWER),
        ((false, true), (true, false)) => (FEWER, words::ALL),
        _ => return None,
    };
    let head = |text: &Text, clause: &Clause, flags| -> Option<(u64, Span)> {
        let tokens = text.tokens(clause.tokens);
        let position = tokens.iter().position(|token| token.is(flags))?;
        let at = clause.tokens.0 + position;
        let near = text.terms(clause.terms).iter().find(|term| term.token > at && term.token <= at + HEAD)?;
        Some((near.root, tokens.get(position)?.span))
    };
    let ((root, span), (other_root, back)) = (head(overlap.a, one, mine)?, head(overlap.b, other, theirs)?);
    (root == other_root).then_some((span, back))
}

/// So many words behind a quantifier stands what it counts.
const HEAD: usize = 3;

/// Whether a word says something by itself: no small word, unless it permits or forbids.
pub(crate) fn means(token: &Token) -> bool {
    token.content || token.is(words::MAY | words::MUST | words::WEAK | words::AFFIRM)
}

/// A word against one that excludes it, of which neither text has both.
fn antonym(overlap: &Overlap<'_>, one: &Clause, other: &Clause) -> Option<(Span, Span)> {
    if one.negative() != other.negative() {
        return None;
    }
    let words = overlap.a.words;
    let absent = |text: &Text, token: &Token| !text.tokens.iter().any(|known| known.sense == token.sense);
    for mine in opposable(overlap.a, one) {
        for back in opposable(overlap.b, other) {
            if words.excludes(mine.opposite, back.opposite) && absent(overlap.b, mine) && absent(overlap.a, back) {
                return Some((mine.span, back.span));
            }
        }
    }
    None
}

/// Words of a clause that have an opposite, less units behind their numbers.
fn opposable<'t>(text: &'t Text, clause: &Clause) -> impl Iterator<Item = &'t Token> {
    let tokens = text.tokens(clause.tokens);
    let counted =
        |position: usize| position.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|t| t.number);
    let known = tokens.iter().enumerate();
    known
        .filter(move |(position, token)| token.has_opposite() && means(token) && !counted(*position))
        .map(|(_, token)| token)
}
