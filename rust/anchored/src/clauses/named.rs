//! Another name in the same place: `lands in Heathrow at 7:50` against `arrives in Gatwick at 7:50`, in sentences that say
//! the same otherwise. Names of a known sort (countries, cities, offices) are [`super::sorts`]' business.
//!
//! A name is a run of words with capitals inside a sentence, in the languages that write only names so.
//!
//! Invariants: symmetric; a finding needs one name on each side that the other text has nowhere, in whole or in part, and
//! no second one beside it; a name that is merely left out is no finding.

use super::aligned::Group;
use super::overlap::Overlap;
use super::read::{Sentence, Text, Token};
use super::segments::Form;
use super::vocabulary as words;
use crate::Component;
use crate::edits::Finding;
use crate::language::Language;
use crate::lexicon::look_up;

/// So much must two groups of sentences share before another name in one of them is meant instead.
const TIED: f32 = 0.3;
/// Letters that two forms of one name begin with: Spain, Spanish; Qaeda, Qaida.
const STEM: usize = 2;

/// A run of words with capitals, less those that the other text has.
struct Name<'t> {
    sentence: usize,
    /// Its first token, and the one behind its last.
    range: (usize, usize),
    words: Vec<&'t str>,
    /// Part of it is in the other text.
    partial: bool,
}

/// Names that stand where the other text has another one. `originals`: the texts with their capitals.
pub(crate) fn contradictions(
    overlap: &Overlap<'_>,
    groups: &[Group],
    originals: (&str, &str),
    found: &mut Vec<Finding>,
) {
    let language = overlap.a.words.language();
    if groups.is_empty() || !matches!(language, Language::English | Language::French | Language::Spanish) {
        return;
    }
    let mine = lone(overlap.a, originals.0, overlap.b);
    if mine.is_empty() {
        return;
    }
    let theirs = lone(overlap.b, originals.1, overlap.a);
    for group in groups.iter().filter(|group| group.likeness >= TIED) {
        let mut here = mine.iter().filter(|name| group.a.contains(&name.sentence));
        let mut there = theirs.iter().filter(|name| group.b.contains(&name.sentence));
        let (Some(one), None, Some(other), None) = (here.next(), here.next(), there.next(), there.next()) else {
            continue;
        };
        let alone = mine.len() == 1 && theirs.len() == 1;
        if alike(one, other) && (alone || beside(overlap, one, other)) {
            let (a, b) = (overlap.a.span(one.range), overlap.b.span(other.range));
            found.push(Finding { kind: "name", component: Component::Entities, a, b });
        }
    }
}

/// Whether two names are built alike and are no two forms of one.
fn alike(one: &Name<'_>, other: &Name<'_>) -> bool {
    let short = |name: &Name<'_>| name.words.iter().all(|word| shouted(word));
    let starts = |word: &str| word.chars().take(STEM).flat_map(char::to_lowercase).collect::<String>();
    let initials = |name: &Name<'_>| name.words.iter().filter_map(|word| word.chars().next()).collect::<String>();
    let akin = one.words.iter().any(|word| other.words.iter().any(|back| starts(word) == starts(back)));
    let size = one.partial || other.partial || one.words.len() == other.words.len();
    let shortened = |long: &Name<'_>, short: &Name<'_>| short.words.iter().any(|word| *word == initials(long));
    size && short(one) == short(other) && !akin && !shortened(one, other) && !shortened(other, one)
}

/// Whether the word before both is the same, or the one behind both.
fn beside(overlap: &Overlap<'_>, one: &Name<'_>, other: &Name<'_>) -> bool {
    let at = |text: &Text, sentence: usize, at: Option<usize>| -> Option<u64> {
        let range = text.sentences.get(sentence)?.tokens;
        at.filter(|at| range.0 <= *at && *at < range.1).and_then(|at| text.tokens.get(at)).map(|token| token.root)
    };
    let before = |text: &Text, name: &Name<'_>| at(text, name.sentence, name.range.0.checked_sub(1));
    let behind = |text: &Text, name: &Name<'_>| at(text, name.sentence, Some(name.range.1));
    let same = |mine: Option<u64>, theirs: Option<u64>| mine.is_some() && mine == theirs;
    same(before(overlap.a, one), before(overlap.b, other)) || same(behind(overlap.a, one), behind(overlap.b, other))
}

fn shouted(word: &str) -> bool {
    word.chars().nth(1).is_some() && !word.chars().any(char::is_lowercase)
}

/// Names that the other text has nowhere, each where it is said first.
fn lone<'t>(text: &Text, original: &'t str, other: &Text) -> Vec<Name<'t>> {
    let known = |token: &Token| other.tokens.iter().any(|there| there.root == token.root || there.mark == token.mark);
    let mut found: Vec<Name<'t>> = Vec::new();
    for (number, sentence) in text.sentences.iter().enumerate() {
        if sentence.asks || sentence.form == Form::Row || headline(text, original, sentence) {
            continue;
        }
        for range in runs(text, original, sentence) {
            let tokens = text.tokens(range);
            let fresh: Vec<&Token> = tokens.iter().filter(|token| token.content && !known(token)).collect();
            let said: Vec<&str> = fresh.iter().filter_map(|token| original.get(token.span.0..token.span.1)).collect();
            let sorted = fresh.iter().any(|token| text.words.sort(&[**token]).is_some());
            let dated = said.iter().any(|word| {
                let entry = look_up(&word.to_lowercase());
                entry.month > 0 || entry.weekday > 0 || entry.unit.is_some()
            });
            let title = range.0 == sentence.tokens.0 && said.len() < tokens.len();
            if said.is_empty() || title || sorted || dated || found.iter().any(|name| name.words == said) {
                continue;
            }
            found.push(Name { sentence: number, range, partial: said.len() < tokens.len(), words: said });
        }
    }
    found
}

fn capital(original: &str, token: &Token) -> bool {
    original.get(token.span.0..).and_then(|rest| rest.chars().next()).is_some_and(char::is_uppercase)
}

/// In a headline capitals say nothing; the first word has one anyway.
fn headline(text: &Text, original: &str, sentence: &Sentence) -> bool {
    let tokens = text.tokens(sentence.tokens);
    let capitals = tokens.iter().skip(1).filter(|token| capital(original, token)).count();
    2 * capitals > tokens.len()
}

/// Runs of words with capitals, but for the word that opens a sentence or stands behind a colon or a bracket.
fn runs(text: &Text, original: &str, sentence: &Sentence) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let (start, end) = sentence.tokens;
    let mut at = start;
    while at < end {
        let Some(token) = text.tokens.get(at) else { break };
        let mut stop = at + 1;
        if token.number || !capital(original, token) {
            at = stop;
            continue;
        }
        let joins = |stop: usize| {
            let (last, next) = (text.tokens.get(stop - 1), text.tokens.get(stop).filter(|_| stop < end));
            last.zip(next).is_some_and(|(last, next)| {
                !next.parted && !next.number && capital(original, next) && last.span.1 + 1 == next.span.0
            })
        };
        while joins(stop) {
            stop += 1;
        }
        let opens = at == start || token.apart;
        let counted = text.tokens.get(stop).filter(|_| stop < end).is_some_and(|next| next.number)
            || at > start && text.tokens.get(at - 1).is_some_and(|before| before.number);
        // "Major providers" and "Leading providers" are titles.
        let first = if opens && (!token.content || stop == at + 1 || token.apart) { at + 1 } else { at };
        if first < stop && !counted && !text.tokens((first, stop)).iter().any(|token| token.is(words::FIRST)) {
            found.push((first, stop));
        }
        at = stop;
    }
    found
}
