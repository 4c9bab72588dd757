//! Who does what, where from and where to, and what causes what: two things that took each other's part.
//!
//! Invariant: a finding needs both things in both texts, each in the other's part; one thing in another part alone is
//! none, since a rewrite may say more or less of it.

use super::overlap::Overlap;
use super::pairs;
use super::read::{Sentence, Text};
use super::vocabulary::{self as words, Flags};
use crate::edits::Finding;
use crate::facts::Span;

/// A sentence of which more terms are lost is another sentence.
const MOST_LOST: usize = 3;
/// So many words behind `from` and `to` stands what they are about.
const NEAR: usize = 4;

/// What took each other's part in sentences that match.
pub(crate) fn contradictions(overlap: &Overlap<'_>, matched: &[(usize, usize)], found: &mut Vec<Finding>) {
    let sentences: Vec<(&Sentence, &Sentence)> = matched
        .iter()
        .filter_map(|&(mine, theirs)| Some((overlap.a.sentences.get(mine)?, overlap.b.sentences.get(theirs)?)))
        .filter(|(one, other)| !pairs::says_nothing(one, other))
        .collect();
    found.extend(over_sentences(overlap, &sentences));
    for (one, other) in sentences {
        let turned = route(overlap, one, other).map(|spans| Finding::relation("direction", spans));
        let turned = turned.or_else(|| cause(overlap, one, other).map(|spans| Finding::relation("cause", spans)));
        found.extend(turned);
    }
}

/// A term with where it stands.
type Placed = (u64, usize);

/// Terms of the first sentence that the second one lacks; `None` when they are many.
fn lost(text: &Text, one: &Sentence, other_text: &Text, other: &Sentence) -> Option<Vec<Placed>> {
    let theirs = other_text.terms(other.terms);
    let missing = text.terms(one.terms).iter().filter(|term| !theirs.iter().any(|known| known.root == term.root));
    let missing: Vec<Placed> = missing.map(|term| (term.root, term.token)).collect();
    let kept = text.terms(one.terms).len() - missing.len();
    (missing.len() <= MOST_LOST && kept >= 2).then_some(missing)
}

/// `The tenant must ... The landlord may ...` against `The landlord must ... The tenant may ...`.
fn over_sentences(overlap: &Overlap<'_>, sentences: &[(&Sentence, &Sentence)]) -> Option<Finding> {
    let sides: Vec<(Vec<Placed>, Vec<Placed>)> = sentences
        .iter()
        .filter_map(|(one, other)| {
            let mine = lost(overlap.a, one, overlap.b, other)?;
            Some((mine, lost(overlap.b, other, overlap.a, one)?))
        })
        .collect();
    let has = |list: &[Placed], root: u64| list.iter().any(|(known, _)| *known == root);
    for (index, (mine, theirs)) in sides.iter().enumerate() {
        for (there, back) in sides.iter().skip(index + 1) {
            for &(root, token) in mine.iter().filter(|(root, _)| has(back, *root)) {
                let taken = theirs.iter().find(|(other, _)| *other != root && has(there, *other));
                if let Some(&(_, other)) = taken {
                    let spans = (overlap.a.span((token, token + 1)), overlap.b.span((other, other + 1)));
                    return Some(Finding::relation("direction", spans));
                }
            }
        }
    }
    None
}

/// `from Rome to Paris` against `from Paris to Rome`, whatever stands around it.
fn route(overlap: &Overlap<'_>, one: &Sentence, other: &Sentence) -> Option<(Span, Span)> {
    let ends =
        |text: &Text, sentence: &Sentence| (parts(text, sentence, words::ORIGIN), parts(text, sentence, words::GOAL));
    let ((from, to), (back_from, back_to)) = (ends(overlap.a, one), ends(overlap.b, other));
    let has = |list: &[Placed], mark: u64| list.iter().any(|(known, _)| *known == mark);
    let (start, token) =
        *from.iter().find(|(mark, _)| has(&back_to, *mark) && !has(&back_from, *mark) && !has(&to, *mark))?;
    let turned = |mark: u64| mark != start && has(&back_from, mark) && !has(&back_to, mark) && !has(&from, mark);
    to.iter().find(|(mark, _)| turned(*mark))?;
    let (_, back) = *back_to.iter().find(|(mark, _)| *mark == start)?;
    Some((overlap.a.span((token, token + 1)), overlap.b.span((back, back + 1))))
}

/// What stands behind words of this class; before them where words have no spaces and the language puts them there.
fn parts(text: &Text, sentence: &Sentence, class: Flags) -> Vec<Placed> {
    let tokens = text.tokens(sentence.tokens);
    let mut found = Vec::new();
    for (position, _) in tokens.iter().enumerate().filter(|(_, token)| token.is(class)) {
        let content = |at: &usize| tokens.get(*at).is_some_and(|token| token.content || token.number);
        let at = if text.words.postpositions() {
            (position.saturating_sub(NEAR)..position).rev().find(content)
        } else {
            (position + 1..(position + 1 + NEAR).min(tokens.len())).find(content)
        };
        if let Some((at, token)) = at.and_then(|at| Some((at, tokens.get(at)?))) {
            found.push((token.mark, sentence.tokens.0 + at));
        }
    }
    found
}

/// `A because B` against `B because A`; `so`, `therefore` and `causes` turn it round.
fn cause(overlap: &Overlap<'_>, one: &Sentence, other: &Sentence) -> Option<(Span, Span)> {
    let (mine, theirs) = (reason(overlap.a, one)?, reason(overlap.b, other)?);
    let shared = |here: &[u64], there: &[u64]| here.iter().filter(|root| there.contains(root)).count();
    let crossed = (shared(&mine.cause, &theirs.effect), shared(&mine.effect, &theirs.cause));
    let straight = shared(&mine.cause, &theirs.cause) + shared(&mine.effect, &theirs.effect);
    (crossed.0 > 0 && crossed.1 > 0 && straight == 0).then_some((mine.marker, theirs.marker))
}

struct Reason {
    cause: Vec<u64>,
    effect: Vec<u64>,
    marker: Span,
}

/// Cause and effect of a sentence with one word that tells them apart.
fn reason(text: &Text, sentence: &Sentence) -> Option<Reason> {
    let tokens = text.tokens(sentence.tokens);
    let class = words::BECAUSE | words::THEREFORE;
    let mut markers = tokens.iter().enumerate().filter(|(_, token)| token.is(class));
    let (position, marker) = markers.next()?;
    if markers.next().is_some() {
        return None;
    }
    let between = |from: usize, until: usize| -> Vec<u64> {
        let range = sentence.tokens.0 + from..sentence.tokens.0 + until;
        text.terms(sentence.terms).iter().filter(|term| range.contains(&term.token)).map(|term| term.root).collect()
    };
    // "Because of the rain, the game was late": the cause ends at the comma.
    let comma = tokens.iter().enumerate().skip(1).find(|(_, token)| token.parted).map(|(position, _)| position);
    let (first, last) = match (position, comma) {
        (0, Some(comma)) => (between(comma, tokens.len()), between(0, comma)),
        (0, None) => return None,
        _ => (between(0, position), between(position, tokens.len())),
    };
    let (effect, cause) =
        if marker.is(words::BECAUSE) == text.words.postpositions() { (last, first) } else { (first, last) };
    Some(Reason { cause, effect, marker: marker.span })
}
