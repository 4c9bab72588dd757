//! Sides of one sort that exclude each other: `approved by the works council` against `approval by the chief executive`,
//! in sentences that say the same otherwise.
//!
//! A list (`words/sorts_LANGUAGE.txt`) has a sort a line: words between bars are other things of that sort, words between
//! the same bars are the same thing. It is to words what the kinds of values are to numbers.
//!
//! Invariants: symmetric; a finding needs one thing of a sort that the other text has nowhere, on either side, and no
//! other thing of that sort that only one of the sides has; what is merely left out is no finding.

use super::aligned::Group;
use super::overlap::Overlap;
use super::read::{Sentence, Text, Token};
use super::segments::Form;
use super::vocabulary::{self as words, Side};
use crate::Component;
use crate::edits::Finding;

/// So much must two groups of sentences share before another thing in one of them is meant instead.
const TIED: f32 = 0.18;

/// Things that stand where the other text has another of their sort.
pub(crate) fn contradictions(
    overlap: &Overlap<'_>,
    groups: &[Group],
    (in_a, in_b): &(Vec<Named<'_>>, Vec<Named<'_>>),
    found: &mut Vec<Finding>,
) {
    let (mine, theirs) = (lone(in_a, in_b), lone(in_b, in_a));
    if mine.is_empty() || theirs.is_empty() {
        return;
    }
    for group in groups.iter().filter(|group| group.likeness >= TIED) {
        let (here, there) = (within(overlap.a, &group.a, &mine), within(overlap.b, &group.b, &theirs));
        for (thing, one) in &here {
            let single = |list: &[(Side, &Token)]| list.iter().filter(|(known, _)| known.0 == thing.0).count() == 1;
            let Some((_, other)) = there.iter().find(|(known, _)| known.0 == thing.0) else { continue };
            if single(&here) && single(&there) {
                found.push(Finding { kind: "name", component: Component::Entities, a: one.span, b: other.span });
            }
        }
    }
}

/// Those of some things that these sentences say; none where one of them asks.
fn within<'t>(text: &Text, sentences: &[usize], things: &[(Side, &'t Token)]) -> Vec<(Side, &'t Token)> {
    let known: Vec<&Sentence> = sentences.iter().filter_map(|at| text.sentences.get(*at)).collect();
    if known.iter().any(|sentence| sentence.asks) {
        return Vec::new();
    }
    let said = |token: &Token| known.iter().any(|one| one.span.0 <= token.span.0 && token.span.0 < one.span.1);
    things.iter().filter(|(_, token)| said(token)).copied().collect()
}

/// A thing that a text names, its first token, and whether it stands in a row of a table.
pub(crate) type Named<'t> = (Side, &'t Token, bool);

/// Things that the other text has nowhere, each where it is said first. Rows of tables are compared by their columns, and
/// units behind their numbers as values.
fn lone<'t>(mine: &[Named<'t>], theirs: &[Named<'_>]) -> Vec<(Side, &'t Token)> {
    let mut found: Vec<(Side, &Token)> = Vec::new();
    for (thing, token, _) in mine.iter().filter(|(_, _, row)| !row) {
        let there = theirs.iter().any(|(other, ..)| other == thing);
        if !there && !found.iter().any(|(known, _)| known == thing) {
            found.push((*thing, token));
        }
    }
    found
}

/// The things that a text names.
pub(crate) fn named(text: &Text) -> Vec<Named<'_>> {
    let mut found = Vec::new();
    for sentence in &text.sentences {
        things(text, sentence, &mut found);
    }
    found
}

/// The things that a sentence names, and the first token of each.
fn things<'t>(text: &'t Text, sentence: &Sentence, found: &mut Vec<Named<'t>>) {
    let (start, end) = sentence.tokens;
    let mut at = start;
    while at < end {
        let counted = at.checked_sub(1).filter(|before| *before >= start).and_then(|before| text.tokens.get(before));
        let known = text.words.sort(text.tokens((at, end)));
        let Some(((thing, size), token)) = known.zip(text.tokens.get(at)) else {
            at += 1;
            continue;
        };
        if size > 1 || token.content && !counted.is_some_and(|before| before.number || before.is(words::COUNT)) {
            found.push((thing, token, sentence.form == Form::Row));
        }
        at += size;
    }
}
