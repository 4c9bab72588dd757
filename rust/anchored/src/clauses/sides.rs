//! Before against after, beside one number: `30 hours before departure` against `30 hours after take-off`, `antes del día
//! 25` against `después del día 25`. Beside one word it is [`super::steps`]' business.
//!
//! Invariants: symmetric; a finding needs one of both words alone on either side of a group, and the same number right
//! beside it.

use super::aligned::Group;
use super::crossed::describes;
use super::overlap::Overlap;
use super::read::{Text, Token};
use super::segments::Form;
use super::vocabulary as words;
use crate::edits::Finding;

/// So much must two groups of sentences share.
const TIED: f32 = 0.3;
/// So many words stand between a number and the word.
const NEAR: usize = 3;

/// Groups in which one side says before and the other one after.
pub(crate) fn contradictions(overlap: &Overlap<'_>, groups: &[Group], found: &mut Vec<Finding>) {
    for group in groups.iter().filter(|group| group.likeness >= TIED) {
        let (mine, theirs) = (ordered(overlap.a, &group.a), ordered(overlap.b, &group.b));
        let (Some((one, number)), Some((other, back))) = (mine, theirs) else { continue };
        if one.is(words::BEFORE) != other.is(words::BEFORE) && number == back {
            found.push(Finding::relation("order", (one.span, other.span)));
        }
    }
}

/// What some sentences say that is before or after a number: the word, and the number.
fn ordered<'t>(text: &'t Text, list: &[usize]) -> Option<(&'t Token, u64)> {
    let sentences = || list.iter().filter_map(|at| text.sentences.get(*at));
    if sentences().any(|sentence| sentence.asks || sentence.form == Form::Row) {
        return None;
    }
    let known = sentences().flat_map(|sentence| {
        let tokens = text.tokens(sentence.tokens);
        let orders = |token: &&Token| token.is(words::BEFORE) != token.is(words::AFTER);
        let known = tokens.iter().enumerate().filter(move |(at, token)| orders(token) && !describes(tokens, *at));
        known.map(move |(at, token)| (tokens, at, token))
    });
    let counts = |token: &Token| token.number || token.is(words::COUNT);
    // 3日後までに: the word nearest to its number says it.
    let beside = |(tokens, at, token): (&'t [Token], usize, &'t Token)| {
        let far = |size: &usize| {
            let before = at.checked_sub(*size).and_then(|at| tokens.get(at));
            [before, tokens.get(at + size)].into_iter().flatten().find(|token| counts(token)).map(|token| token.mark)
        };
        (1..=NEAR).find_map(|size| Some((size, far(&size)?))).map(|(size, number)| (size, token, number))
    };
    let all: Vec<(usize, &Token, u64)> = known.filter_map(beside).collect();
    let (_, token, number) = all.iter().min_by_key(|(size, ..)| *size)?;
    // "Until 14 days after delivery" says both.
    let turned = all.iter().any(|(_, other, _)| other.is(words::BEFORE) != token.is(words::BEFORE));
    (!turned || text.words.postpositions()).then_some((*token, *number))
}
