//! Sentences that say the same in two versions of one answer, in other words: where one denies what the other says, or has
//! a word that excludes one of the other's.
//!
//! Such sentences share less than clauses that are each other's best match: what ties them is the answer around them.
//!
//! Invariants: symmetric; a sentence that has both of two opposites contradicts neither; where one negates and the other
//! has the opposite, both say the same; `A is lower than B` and `B is higher than A` do.

use super::aligned::Group;
use super::overlap::Overlap;
use super::read::{Clause, Text, Token};
use super::reworded::means;
use super::segments::Form;
use super::vocabulary::{self as words, Opposite, Vocabulary, sense};
use crate::Component;
use crate::edits::Finding;
use crate::facts::Span;
use crate::language::Language;

/// How much a group must share before one of its sides can deny the other.
const TIED: f32 = 0.18;
/// The same, where either text is a single sentence.
const ALONE: f32 = 0.35;
/// And so much, where an opposite alone is enough.
const CLOSE: f32 = 0.45;
/// And so much, where it is an opposite that neither text has a second time.
const LONE: f32 = 0.42;
/// And so much, where only one thing is meant on one side and all on the other.
const ALIKE: f32 = 0.45;
/// So many words of content on either side of a word are beside it.
const BESIDE: usize = 1;
/// So few words of content stand between a negator and what it denies.
const SCOPE: usize = 3;

/// What contradicts in groups of sentences, and the groups that say the same the other way round.
pub(crate) fn contradictions(
    overlap: &Overlap<'_>,
    groups: &[Group],
    found: &mut Vec<Finding>,
    converse: &mut Vec<(Span, Span)>,
) {
    // With a single sentence there is no answer around it that ties the two together.
    let alone = overlap.a.sentences.len().min(overlap.b.sentences.len()) == 1;
    for group in groups {
        let (mine, theirs) = (Side::new(overlap.a, &group.a), Side::new(overlap.b, &group.b));
        if mine.says_nothing() || theirs.says_nothing() {
            continue;
        }
        if turned_round(&mine, &theirs) {
            converse.extend(mine.spans().flat_map(|one| theirs.spans().map(move |other| (one, other))));
            continue;
        }
        if let Some(spans) = antonym(&mine, &theirs, group.likeness) {
            found.push(Finding::relation("antonym", spans));
        } else if group.likeness >= ALIKE
            && let Some((a, b)) = quantifier(&mine, &theirs)
        {
            found.push(Finding { kind: "quantifier", component: Component::Constraints, a, b });
        } else if group.likeness >= if alone { ALONE } else { TIED }
            && let Some(spans) = negation(&mine, &theirs)
        {
            found.push(Finding::relation("negation", spans));
        }
    }
}

/// The sentences of one text that are in a group.
struct Side<'t> {
    text: &'t Text,
    sentences: &'t [usize],
}

impl<'t> Side<'t> {
    fn new(text: &'t Text, sentences: &'t [usize]) -> Self {
        Self { text, sentences }
    }

    fn says_nothing(&self) -> bool {
        let mut known = self.sentences.iter().filter_map(|one| self.text.sentences.get(*one));
        known.any(|sentence| sentence.asks || sentence.form == Form::Row)
    }

    fn spans(&self) -> impl Iterator<Item = Span> {
        self.sentences.iter().filter_map(|one| self.text.sentences.get(*one)).map(|sentence| sentence.span)
    }

    fn clauses(&self) -> impl Iterator<Item = &'t Clause> {
        self.text.clauses_of(self.sentences).map(|(_, clause)| clause)
    }

    fn tokens(&self) -> impl Iterator<Item = (&'t Clause, usize, &'t Token)> {
        let text = self.text;
        self.clauses().flat_map(move |clause| {
            (clause.tokens.0..clause.tokens.1).filter_map(move |at| Some((clause, at, text.tokens.get(at)?)))
        })
    }

    fn is(&self, flags: words::Flags) -> bool {
        self.clauses().any(|clause| clause.is(flags))
    }

    fn has_root(&self, root: u64) -> bool {
        self.clauses().any(|clause| self.text.terms(clause.terms).iter().any(|term| term.root == root))
    }

    /// Whether a word of it excludes this one.
    fn excludes(&self, opposite: Opposite) -> bool {
        self.tokens().any(|(_, _, token)| self.text.words.excludes(opposite, token.opposite))
    }

    /// The roots beside a token, on either side.
    fn around(&self, token: &Token) -> Vec<u64> {
        let terms: Vec<_> = self.clauses().flat_map(|clause| self.text.terms(clause.terms)).collect();
        let place = |at: usize| self.text.tokens.get(at).map_or(0, |known| known.span.0);
        let at = terms.partition_point(|term| place(term.token) < token.span.0);
        let near = |term: &&&super::read::Term| place(term.token) != token.span.0;
        let before = terms.get(..at).unwrap_or(&[]).iter().rev().take(BESIDE);
        let behind = terms.get(at..).unwrap_or(&[]).iter().filter(near).take(BESIDE);
        before.chain(behind).map(|term| term.root).collect()
    }

    /// Words that have an opposite, less units behind their numbers.
    fn opposable(&self) -> Vec<(&'t Clause, &'t Token)> {
        let counted =
            |at: usize| at.checked_sub(1).and_then(|before| self.text.tokens.get(before)).is_some_and(|t| t.number);
        let known = self.tokens().filter(|(_, at, token)| means(token) && token.has_opposite() && !counted(*at));
        known.map(|(clause, _, token)| (clause, token)).collect()
    }
}

/// A word of each side that excludes the other, of which neither side has both, neither or both denied.
fn antonym(mine: &Side<'_>, theirs: &Side<'_>, likeness: f32) -> Option<(Span, Span)> {
    let words = mine.text.words;
    let others = theirs.opposable();
    for (clause, one) in mine.opposable() {
        for (back, other) in &others {
            if words.excludes(one.opposite, other.opposite)
                && denied(clause, one) == denied(back, other)
                && !mine.excludes(one.opposite)
                && !theirs.excludes(other.opposite)
                && (likeness >= CLOSE && !grows(words, one)
                    || beside(mine, one, theirs, other)
                    || likeness >= LONE && lone(mine.text, one, theirs.text, other))
                && !conditional(clause)
                && !conditional(back)
            {
                return Some((one.span, other.span));
            }
        }
    }
    None
}

/// Whether neither text says of anything what the other one says here.
fn lone(text: &Text, one: &Token, other_text: &Text, other: &Token) -> bool {
    let words = text.words;
    let says = |text: &Text, sense: u64| text.tokens.iter().any(|token| token.sense == sense);
    let excludes =
        |text: &Text, word: &Token| text.tokens.iter().any(|token| words.excludes(word.opposite, token.opposite));
    !says(other_text, one.sense) && !says(text, other.sense) && !excludes(text, one) && !excludes(other_text, other)
}

/// `Only the X300 supports two monitors` against `Both support two monitors`: what a sentence begins with says of whom.
fn quantifier(mine: &Side<'_>, theirs: &Side<'_>) -> Option<(Span, Span)> {
    let opening = |side: &Side<'_>| side.tokens().next().map(|(_, _, token)| *token);
    let (one, other) = (opening(mine)?, opening(theirs)?);
    let against = |first: &Token, second: &Token, back: &Side<'_>| {
        first.is(words::ONLY) && second.is(words::ALL) && !back.is(words::ONLY | words::EXCEPT | words::NEGATOR)
    };
    let turned =
        against(&one, &other, theirs) && !mine.is(words::ALL) || against(&other, &one, mine) && !theirs.is(words::ALL);
    turned.then_some((one.span, other.span))
}

/// Whether a word is denied; one that denies by itself (`forbidden`) is not denied by that.
fn denied(clause: &Clause, token: &Token) -> bool {
    clause.negative() != (token.is(words::WEAK) && !token.is(words::NEGATOR))
}

/// Whether a word says that something grew or shrank: much does in one sentence, each for itself.
fn grows(words: &Vocabulary, token: &Token) -> bool {
    let against = |word: &str| words.excludes(token.opposite, words.opposite(sense(Language::English, word)));
    against("increase") || against("decrease")
}

/// Whether both words stand beside a word that both sides have.
fn beside(mine: &Side<'_>, one: &Token, theirs: &Side<'_>, other: &Token) -> bool {
    let (near, back) = (mine.around(one), theirs.around(other));
    near.iter().any(|root| back.contains(root))
}

fn conditional(clause: &Clause) -> bool {
    clause.is(words::IF | words::EXCEPT)
}

/// One side denies what the other says, and says so of words that both have.
fn negation(mine: &Side<'_>, theirs: &Side<'_>) -> Option<(Span, Span)> {
    let count = |side: &Side<'_>| -> usize { side.clauses().map(|clause| clause.negators + clause.weak).sum() };
    let (denies, says, turned) = match (count(mine), count(theirs)) {
        (1, 0) => (mine, theirs, false),
        (0, 1) => (theirs, mine, true),
        _ => return None,
    };
    let unclear = words::DOUBT | words::ONLY | words::EXCEPT | words::NEUTRAL | words::IF;
    if says.is(unclear) || denies.is(words::ONLY | words::EXCEPT | words::NEUTRAL) {
        return None;
    }
    let (clause, at, negator) = denies.tokens().find(|(_, _, token)| token.is(words::NEGATOR | words::WEAK))?;
    if conditional(clause) || limits(denies.text, clause) {
        return None;
    }
    // "not closed" and "open" say the same.
    let words = denies.text.words;
    let opposed = denies
        .opposable()
        .iter()
        .any(|(_, one)| says.opposable().iter().any(|(_, other)| words.excludes(one.opposite, other.opposite)));
    if opposed {
        return None;
    }
    let known: Vec<u64> = scope(denies.text, clause, at);
    let shared = known.iter().filter(|root| says.has_root(**root)).count();
    // The other side must assert it, with a word that permits, obliges or affirms, of the first thing that is denied;
    // in English, where such words are fewer, any clause does that speaks of it.
    let first = *known.first()?;
    let of_it = |clause: &Clause| says.text.terms(clause.terms).iter().any(|term| term.root == first);
    let asserts = |token: &Token| token.is(words::MAY | words::MUST | words::AFFIRM);
    let bare = |clause: &Clause| !clause.is(words::BEFORE | words::AFTER);
    let said = || says.tokens().find(|(clause, _, token)| token.content && token.root == first && bare(clause));
    let asserting = says.tokens().find(|(clause, _, token)| of_it(clause) && asserts(token));
    let (_, _, asserting) = asserting.or_else(|| says.text.words.asserts().then(said)?)?;
    if 2 * shared < known.len() {
        return None;
    }
    let spans = (negator.span, asserting.span);
    Some(if turned { (spans.1, spans.0) } else { spans })
}

/// What a negator denies: the words of content behind it, or those before it where nothing follows.
fn scope(text: &Text, clause: &Clause, negator: usize) -> Vec<u64> {
    let terms = text.terms(clause.terms);
    let behind: Vec<u64> =
        terms.iter().filter(|term| term.token >= negator).take(SCOPE).map(|term| term.root).collect();
    if !behind.is_empty() && text.words.spaced() {
        return behind;
    }
    terms.iter().rev().take(if text.words.spaced() { SCOPE } else { 2 * SCOPE }).map(|term| term.root).collect()
}

/// `Mehr als drei ... nicht`: the negator bounds a number.
pub(crate) fn limits(text: &Text, clause: &Clause) -> bool {
    let tokens = text.tokens(clause.tokens);
    tokens.iter().enumerate().any(|(position, token)| {
        token.is(words::MORE)
            && tokens.iter().skip(position + 1).take(3).any(|next| next.number || next.is(words::COUNT))
    })
}

/// `A is lower than B` and `B is higher than A`: what is compared changed sides, and so did the comparison.
fn turned_round(mine: &Side<'_>, theirs: &Side<'_>) -> bool {
    let (Some(one), Some(other)) = (compared(mine), compared(theirs)) else { return false };
    let words = mine.text.words;
    let opposite = one.degrees.iter().any(|word| other.degrees.iter().any(|back| words.excludes(*word, *back)));
    let meets = |left: &[u64], right: &[u64]| left.iter().any(|root| right.contains(root));
    let own = |left: &[u64], right: &[u64]| -> Vec<u64> {
        left.iter().copied().filter(|root| !right.contains(root)).collect()
    };
    let (before, behind) = (own(&one.before, &one.behind), own(&one.behind, &one.before));
    let (back, forth) = (own(&other.before, &other.behind), own(&other.behind, &other.before));
    opposite && meets(&before, &forth) && meets(&behind, &back) && !meets(&behind, &forth)
}

/// Two things that a sentence compares, and by what.
struct Comparison {
    before: Vec<u64>,
    behind: Vec<u64>,
    degrees: Vec<Opposite>,
}

fn compared(side: &Side<'_>) -> Option<Comparison> {
    let (_, at, _) = side.tokens().find(|(_, _, token)| token.is(words::THAN))?;
    let terms = |behind: bool| -> Vec<u64> {
        let all = side.clauses().flat_map(|clause| side.text.terms(clause.terms));
        all.filter(|term| (term.token > at) == behind).map(|term| term.root).collect()
    };
    let degrees = side.tokens().filter(|(_, _, token)| token.has_opposite()).map(|(_, _, token)| token.opposite);
    Some(Comparison { before: terms(false), behind: terms(true), degrees: degrees.collect() })
}
