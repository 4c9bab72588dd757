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
use super::read::{Text, Token};
use super::segments::Form;
use super::vocabulary::Side;
use crate::Component;
use crate::edits::Finding;

/// So much must two groups of sentences share before another thing in one of them is meant instead.
const TIED: f32 = 0.3;

/// Things that stand where the other text has another of their sort.
pub(crate) fn contradictions(overlap: &Overlap<'_>, groups: &[Group], found: &mut Vec<Finding>) {
    if groups.is_empty() {
        return;
    }
    let (mine, theirs) = (lone(overlap.a, overlap.b), lone(overlap.b, overlap.a));
    for (thing, one) in &mine {
        let mut others = theirs.iter().filter(|(other, _)| other.0 == thing.0);
        let (Some((_, other)), None) = (others.next(), others.next()) else { continue };
        let single = mine.iter().filter(|(known, _)| known.0 == thing.0).count() == 1;
        if single && groups.iter().any(|group| ties(overlap, group, one, other)) {
            found.push(Finding { kind: "name", component: Component::Entities, a: one.span, b: other.span });
        }
    }
}

/// Whether a group has both words.
fn ties(overlap: &Overlap<'_>, group: &Group, one: &Token, other: &Token) -> bool {
    let has = |text: &Text, list: &[usize], token: &Token| {
        let mut known = list.iter().filter_map(|at| text.sentences.get(*at));
        known.any(|sentence| !sentence.asks && text.tokens(sentence.tokens).iter().any(|own| own.span == token.span))
    };
    group.likeness >= TIED && has(overlap.a, &group.a, one) && has(overlap.b, &group.b, other)
}

/// Things that the other text has nowhere, each where it is said first. Rows of tables are compared by their columns.
fn lone<'t>(text: &'t Text, other: &Text) -> Vec<(Side, &'t Token)> {
    let mut found: Vec<(Side, &Token)> = Vec::new();
    let there: Vec<Side> = other.tokens.iter().filter_map(|token| other.words.sort(token.mark)).collect();
    let sentences = text.sentences.iter().filter(|sentence| sentence.form != Form::Row);
    for token in sentences.flat_map(|sentence| text.tokens(sentence.tokens)).filter(|token| token.content) {
        let Some(thing) = text.words.sort(token.mark) else { continue };
        if !there.contains(&thing) && !found.iter().any(|(known, _)| *known == thing) {
            found.push((thing, token));
        }
    }
    found
}
