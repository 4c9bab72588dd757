//! What a sentence says and denies in one breath: `to the seller, not to the manufacturer`.

use std::sync::LazyLock;

use super::crossed::{Marker, Told, sides, speaking};
use super::read::{Sentence, Text};
use super::vocabulary as words;
use crate::lexicon::mark;

/// What follows `not X`, with what is the case: `but`, `sondern`.
static BUT: LazyLock<[u64; 7]> =
    LazyLock::new(|| ["but", "sondern", "mais", "sino", "而是", "rather", "instead"].map(mark));
/// So many words stand between a negator and `but`.
const DENIED: usize = 8;

/// What a sentence says and denies in one breath: `X, not Y` and `not Y but X`.
pub(crate) fn contrasts(text: &Text) -> Vec<Told> {
    if text.words.postpositions() {
        return Vec::new();
    }
    let marker = |sentence: &Sentence| -> Option<Marker> {
        let tokens = text.tokens(sentence.tokens);
        let mut negators = tokens.iter().enumerate().filter(|(_, token)| token.is(words::NEGATOR));
        let (at, negator) = negators.next()?;
        if negators.next().is_some() {
            return None;
        }
        let near = tokens.iter().enumerate().skip(at + 1).take(DENIED);
        if let Some((but, _)) = near.clone().find(|(_, token)| BUT.contains(&token.mark)) {
            return Some((but, 1, true));
        }
        let ahead = tokens.get(at + 1..).unwrap_or(&[]);
        let size = ahead.iter().take_while(|token| !token.parted).count();
        let verb = words::VERB | words::MUST | words::MAY | words::RELATIVE | words::CLAUSE;
        let bare = size > 0 && size <= DENIED && !ahead.iter().take(size).any(|token| token.is(verb));
        let joined = at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|token| token.is(words::AND));
        (bare && at > 1 && (negator.parted || joined)).then_some((at, 1, false))
    };
    speaking(text).filter_map(|sentence| sides(text, sentence, marker(sentence)?)).collect()
}
