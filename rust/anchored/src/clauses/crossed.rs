//! Things that took each other's part, as far as a contrast shows it: `inner joins drop them, left joins keep them` against
//! `a left join drops them, an inner one keeps them`, `X instead of Y` against `Y rather than X`.
//!
//! A contrast is two words that exclude each other, or two values, which both texts have; each is said of the words in
//! its own part of the sentence.
//!
//! Invariants: symmetric; a finding needs two words that changed sides, and none that stayed on its side.

use std::cell::OnceCell;
use std::sync::LazyLock;

use super::contrasts::contrasts;
use super::overlap::Overlap;
use super::read::{Sentence, Text, Token};
use super::segments::Form;
use super::sorts::Named;
use super::vocabulary::{self as words, Opposite, Side};
use crate::edits::Finding;
use crate::facts::Span;
use crate::lexicon::{WordMap, mark};
use crate::marks::Marks;

/// Of texts that share more words and values than these none are looked at.
const MOST: usize = 32;

/// Words that changed sides. `equal`: where values stand that both have; `named`: the things of a sort that each names.
pub(crate) fn contradictions(
    overlap: &Overlap<'_>,
    equal: &[(Span, Span)],
    named: &(Vec<Named<'_>>, Vec<Named<'_>>),
    found: &mut Vec<Finding>,
) {
    let mut anchors = anchors(overlap, equal);
    anchors.extend(things(overlap, named));
    // "He sings and dances with her" does not say who of them does what; two values with an `and` between them do.
    let of = |joined: bool| {
        let some: Vec<&Anchor> = anchors.iter().filter(|anchor| (anchor.opposite == 0) == joined).collect();
        if some.len() < 2 {
            return None;
        }
        let (mine, theirs) = equal.iter().copied().unzip();
        turned(overlap, &Parts::new(overlap.a, joined, mine), &Parts::new(overlap.b, joined, theirs), &some)
    };
    if let Some(spans) = of(true).or_else(|| of(false)).or_else(|| counted(overlap, &anchors)) {
        found.push(Finding::relation("direction", spans));
    }
    let told = |read: fn(&Text) -> Vec<Told>| {
        let mine = read(overlap.a);
        if mine.is_empty() { None } else { changed_sides(&mine, &read(overlap.b), false) }
    };
    if let Some(spans) = told(preferences).or_else(|| told(contrasts)) {
        found.push(Finding::relation("direction", spans));
    }
    if let Some(spans) = changed_sides(&orders(overlap.a), &orders(overlap.b), true) {
        found.push(Finding::relation("order", spans));
    }
}

/// `Two parts sand, five parts gravel` against `five parts of sand with two parts of gravel`: what each number counts.
fn counted(overlap: &Overlap<'_>, anchors: &[Anchor]) -> Option<(Span, Span)> {
    let measured = |text: &Text, at: &[usize]| {
        let next = at.first().and_then(|at| text.tokens.get(at + 1));
        next.is_some_and(|token| MEASURES.contains(&token.mark))
    };
    let plain = |one: &&Anchor| one.opposite == 0 && one.thing.is_none();
    let values: Vec<&Anchor> =
        anchors.iter().filter(plain).filter(|one| measured(overlap.a, &one.a) && measured(overlap.b, &one.b)).collect();
    if values.len() < 2 {
        return None;
    }
    turned(overlap, &Parts::behind(overlap.a, &values, true), &Parts::behind(overlap.b, &values, false), &values)
}

/// What a recipe counts in.
static MEASURES: LazyLock<[u64; 20]> = LazyLock::new(|| {
    [
        "part",
        "parts",
        "teil",
        "teile",
        "teilen",
        "partie",
        "parties",
        "parte",
        "partes",
        "cup",
        "cups",
        "spoon",
        "spoons",
        "tasse",
        "tassen",
        "löffel",
        "cuillères",
        "tasses",
        "cucharadas",
        "tazas",
    ]
    .map(mark)
});
/// So many words behind a number may be what it counts.
const COUNTED: usize = 3;

/// The parts of a text's sentences, cut at commas and, where so wanted, at `and`.
struct Parts<'t> {
    text: &'t Text,
    /// Tokens from the first to the one behind the last.
    ranges: Vec<(usize, usize)>,
    /// Where values stand, sorted; only where words have no spaces: there pairs of signs are words, of units too.
    values: Vec<Span>,
}

impl<'t> Parts<'t> {
    fn new(text: &'t Text, joined: bool, mut values: Vec<Span>) -> Self {
        if text.words.spaced() {
            values.clear();
        }
        values.sort_unstable();
        let mut ranges = Vec::with_capacity(text.clauses.len() + text.sentences.len());
        for sentence in text.sentences.iter().filter(|one| !one.asks && one.form != Form::Row) {
            let (mut start, end) = sentence.tokens;
            for at in sentence.tokens.0 + 1..end {
                let cut = text.tokens.get(at).is_some_and(|token| {
                    token.parted || token.is(words::CLAUSE | words::RELATIVE) || joined && token.is(words::AND)
                });
                // "It is the seller who pays": nothing is said of the seller before `who`.
                let lone = || {
                    let said = (start..at).filter(|at| text.tokens.get(*at).is_some_and(|token| token.content));
                    text.words.spaced() && said.count() <= 1
                };
                let relative = text.tokens.get(at).is_some_and(|token| token.is(words::RELATIVE));
                if cut && !(relative && lone()) {
                    ranges.push((start, at));
                    start = at;
                }
            }
            ranges.push((start, end));
        }
        Self { text, ranges, values }
    }

    /// The words right behind each value, up to the next number or comma.
    fn behind(text: &'t Text, values: &[&Anchor], first: bool) -> Self {
        let at = values.iter().filter_map(|one| if first { one.a.first() } else { one.b.first() });
        let mut ranges: Vec<(usize, usize)> = at
            .map(|at| {
                let near = text.tokens.iter().skip(at + 1).take(COUNTED);
                let own =
                    near.take_while(|token| !token.parted && !token.number && !token.is(words::COUNT | words::AND));
                (*at, at + 1 + own.count())
            })
            .collect();
        ranges.sort_unstable();
        Self { text, ranges, values: Vec::new() }
    }

    fn holding(&self, at: usize) -> Option<(usize, usize)> {
        let after = self.ranges.partition_point(|range| range.0 <= at);
        self.ranges.get(after.checked_sub(1)?).copied().filter(|range| at < range.1)
    }

    /// What the parts that have these tokens say beside them, sorted.
    fn beside(&self, tokens: &[usize]) -> Vec<u64> {
        let mut found = Vec::with_capacity(16);
        for (start, end) in tokens.iter().filter_map(|at| self.holding(*at)) {
            let from = self.text.terms.partition_point(|term| term.token < start);
            let inside = self.text.terms.iter().skip(from).take_while(|term| term.token < end);
            let counts = |at: usize| {
                let span = self.text.tokens.get(at).map_or((0, 0), |token| token.span);
                let from = self.values.partition_point(|value| value.1 <= span.0);
                self.values.get(from).is_some_and(|value| value.0 < span.1)
            };
            let inside = inside.filter(|term| !tokens.contains(&term.token) && !counts(term.token));
            found.extend(inside.map(|term| term.root));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A word or a value that both texts have, and the tokens that say it.
struct Anchor {
    /// 0 for a value and for a thing of a sort.
    opposite: Opposite,
    thing: Option<Side>,
    a: Vec<usize>,
    b: Vec<usize>,
}

fn anchors(overlap: &Overlap<'_>, equal: &[(Span, Span)]) -> Vec<Anchor> {
    let at = |text: &Text, span: Span| {
        let position = text.tokens.partition_point(|token| token.span.1 <= span.0);
        text.tokens.get(position).is_some_and(|token| token.span.0 < span.1).then_some(position)
    };
    let mut found: Vec<Anchor> = Vec::new();
    for (mine, theirs) in equal {
        let once = equal.iter().filter(|(one, other)| one == mine || other == theirs).count() == 1;
        if once && let (Some(one), Some(other)) = (at(overlap.a, *mine), at(overlap.b, *theirs)) {
            found.push(Anchor { opposite: 0, thing: None, a: vec![one], b: vec![other] });
        }
    }
    let (mine, theirs) = (saying(overlap.a), saying(overlap.b));
    let at = |list: &[(&Token, usize)], sense: u64| -> Vec<usize> {
        list.iter().filter(|(token, _)| token.sense == sense).map(|(_, at)| *at).collect()
    };
    for (place, (token, _)) in mine.iter().enumerate() {
        let sense = token.sense;
        let first = !mine.iter().take(place).any(|(known, _)| known.sense == sense);
        if first && theirs.iter().any(|(other, _)| other.sense == sense) {
            found.push(Anchor { opposite: token.opposite, thing: None, a: at(&mine, sense), b: at(&theirs, sense) });
        }
    }
    // All or none, so that it is the same whichever text comes first.
    if found.len() > MOST { Vec::new() } else { found }
}

/// Things that both texts name: seller and buyer, left join and right join.
fn things(overlap: &Overlap<'_>, (in_a, in_b): &(Vec<Named<'_>>, Vec<Named<'_>>)) -> Vec<Anchor> {
    let at = |text: &Text, list: &[Named<'_>], sought: Side| -> Vec<usize> {
        let spans = list.iter().filter(|(thing, _, row)| *thing == sought && !row).map(|(_, token, _)| token.span);
        spans.map(|span| text.tokens.partition_point(|token| token.span.1 <= span.0)).collect()
    };
    let mut found: Vec<Anchor> = Vec::new();
    for (place, (thing, ..)) in in_a.iter().enumerate() {
        // Alone of its sort it cannot take the part of another one.
        let alone = !in_a.iter().any(|(known, ..)| known.0 == thing.0 && known.1 != thing.1);
        let first = !in_a.iter().take(place).any(|(known, ..)| known == thing);
        if first && !alone && in_b.iter().any(|(other, ..)| other == thing) {
            let (a, b) = (at(overlap.a, in_a, *thing), at(overlap.b, in_b, *thing));
            found.push(Anchor { opposite: 0, thing: Some(*thing), a, b });
        }
    }
    if found.len() > MOST { Vec::new() } else { found }
}

/// The words with content that have an opposite, and where each stands.
fn saying(text: &Text) -> Vec<(&Token, usize)> {
    let known = text.tokens.iter().zip(0..);
    known.filter(|(token, _)| token.content && token.has_opposite()).collect()
}

/// What stands beside an anchor in either text, sorted.
#[derive(Clone)]
struct Beside {
    here: Vec<u64>,
    there: Vec<u64>,
    /// The second text lacks some of it there: only then can a word have changed sides.
    gone: bool,
}

fn turned(overlap: &Overlap<'_>, a: &Parts<'_>, b: &Parts<'_>, anchors: &[&Anchor]) -> Option<(Span, Span)> {
    let words = overlap.a.words;
    // Asked for the few that have a partner.
    let sides: Vec<OnceCell<Beside>> = vec![OnceCell::new(); anchors.len()];
    let beside = |anchor: &Anchor| {
        let (here, there) = (a.beside(&anchor.a), b.beside(&anchor.b));
        let gone = here.iter().any(|root| there.binary_search(root).is_err());
        Beside { here, there, gone }
    };
    for (index, (one, mine)) in anchors.iter().zip(&sides).enumerate() {
        for (other, theirs) in anchors.iter().zip(&sides).skip(index + 1) {
            let apart = match (one.thing, other.thing) {
                (None, None) => one.opposite == 0 || words.excludes(one.opposite, other.opposite),
                (Some(thing), Some(back)) => thing.0 == back.0,
                _ => false,
            };
            if !apart {
                continue;
            }
            let (mine, theirs) = (mine.get_or_init(|| beside(one)), theirs.get_or_init(|| beside(other)));
            if !mine.gone || !theirs.gone {
                continue;
            }
            let (here, there, back, forth) = (&mine.here, &mine.there, &theirs.here, &theirs.there);
            // A word beside both is said of neither alone.
            let changed = |mine: &[u64], not: &[u64], theirs: &[u64], nor: &[u64]| {
                mine.iter().any(|root| theirs.contains(root) && !not.contains(root) && !nor.contains(root))
            };
            let crossed = changed(here, back, forth, there) && changed(back, here, there, forth);
            let stayed = changed(here, back, there, forth) || changed(back, here, forth, there);
            if crossed && !stayed {
                let span =
                    |text: &Text, at: &[usize]| at.first().and_then(|at| text.tokens.get(*at)).map(|token| token.span);
                return Some((span(overlap.a, &one.a)?, span(overlap.b, &one.b)?));
            }
        }
    }
    None
}

/// What stands between a thing that is taken and one that is not: by the first word, the words that follow it.
static INSTEAD: LazyLock<Marks<Vec<Vec<u64>>>> = LazyLock::new(|| {
    let known = "instead_of|rather_than|in_place_of|preferable_to|in_preference_to|statt|anstatt|anstelle|au_lieu|plutôt_que|\
                 préférable_à|préférable_au|en_lugar_de|en_vez_de|antes_que|preferible_a|而不是|而非|ではなく|よりも";
    let mut found: WordMap<u64, Vec<Vec<u64>>> = WordMap::default();
    for phrase in known.split('|') {
        let mut marks = phrase.split('_').map(mark);
        if let Some(first) = marks.next() {
            found.entry(first).or_default().push(marks.collect());
        }
    }
    found.into()
});

/// Two sides of a sentence that a word tells apart: what is taken and what is not, or what comes first and what follows.
pub(super) struct Told {
    first: Vec<u64>,
    second: Vec<u64>,
    marker: Span,
}

/// A marker in a sentence: its first token, its size, and whether what follows it comes first (`before` puts it second).
pub(super) type Marker = (usize, usize, bool);

/// Cuts a sentence at a marker. Where it stands first, its own side ends at the comma: `Instead of X, take Y`.
pub(super) fn sides(text: &Text, sentence: &Sentence, (at, size, turned): Marker) -> Option<Told> {
    let (start, end) = sentence.tokens;
    let tokens = text.tokens(sentence.tokens);
    let between = |from: usize, until: usize| -> Vec<u64> {
        let range = start + from..start + until;
        text.terms(sentence.terms).iter().filter(|term| range.contains(&term.token)).map(|term| term.root).collect()
    };
    let comma = tokens.iter().enumerate().skip(at + size).find(|(_, token)| token.parted).map(|(comma, _)| comma);
    let stop = comma.unwrap_or(end - start);
    let own = between(at + size, stop);
    let rest = if between(0, at).is_empty() { between(stop, end - start) } else { between(0, at) };
    let (first, second) = if turned { (own, rest) } else { (rest, own) };
    let marker = text.span((start + at, start + at + size));
    (!first.is_empty() && !second.is_empty()).then_some(Told { first, second, marker })
}

pub(super) fn speaking(text: &Text) -> impl Iterator<Item = &Sentence> {
    text.sentences.iter().filter(|one| !one.asks && one.form != Form::Row)
}

fn preferences(text: &Text) -> Vec<Told> {
    let marker = |sentence: &Sentence| {
        let tokens = text.tokens(sentence.tokens);
        tokens.iter().enumerate().find_map(|(at, token)| {
            let phrases = INSTEAD.get(token.mark)?;
            let rest = tokens.get(at + 1..).unwrap_or(&[]);
            let found = phrases.iter().find(|phrase| {
                rest.len() > phrase.len() && phrase.iter().zip(rest).all(|(mark, token)| *mark == token.mark)
            })?;
            Some((at, found.len() + 1, false))
        })
    };
    speaking(text).filter_map(|sentence| sides(text, sentence, marker(sentence)?)).collect()
}

/// Whether a word says where something comes from, in a language that says `after` and `to` with one word.
pub(super) fn goes_from(token: &Token) -> bool {
    token.mark == *FROM
}

static FROM: LazyLock<u64> = LazyLock::new(|| mark("von"));

/// Words that say which of several: `the next year`.
static WHICH: LazyLock<[u64; 3]> = LazyLock::new(|| ["next", "following", "last"].map(mark));
static THE: LazyLock<[u64; 12]> = LazyLock::new(|| {
    ["the", "a", "an", "this", "that", "each", "every", "its", "your", "their", "his", "her"].map(mark)
});
static SPAN_OF_TIME: LazyLock<[u64; 9]> =
    LazyLock::new(|| ["day", "week", "month", "year", "quarter", "morning", "evening", "season", "term"].map(mark));

/// Whether a word tells one thing from others of its kind instead of ordering two (`the following year`, `next month`), or
/// is half of one that means both sides (`前後`).
pub(super) fn describes(tokens: &[Token], at: usize) -> bool {
    let here = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or(0, |token| token.mark);
    let both = |first: usize| {
        let (Some(one), Some(other)) = (tokens.get(first), tokens.get(first + 1)) else { return false };
        one.is(words::BEFORE) && other.is(words::AFTER) && one.span.1 == other.span.0
    };
    both(at)
        || at.checked_sub(1).is_some_and(both)
        || WHICH.contains(&here(Some(at)))
            && (THE.contains(&here(at.checked_sub(1))) || SPAN_OF_TIME.contains(&here(Some(at + 1))))
}

/// What a sentence puts first and second by `before`, `after` or `then`. Languages that put such words behind are left out.
fn orders(text: &Text) -> Vec<Told> {
    if !text.words.spaced() {
        return Vec::new();
    }
    let marker = |sentence: &Sentence| -> Option<Marker> {
        let tokens = text.tokens(sentence.tokens);
        let known = words::BEFORE | words::AFTER | words::THEN;
        // "Von Hamburg nach München" is a way, no time.
        let way = |at: usize| tokens.get(at.saturating_sub(2)..at).is_some_and(|near| near.iter().any(goes_from));
        let mut found =
            tokens.iter().enumerate().filter(|(at, token)| token.is(known) && !way(*at) && !describes(tokens, *at));
        let (at, token) = found.next()?;
        // "After 24 months", "once two years have passed": a time, not a second thing.
        let counted = tokens.iter().skip(at + 1).take(1).any(|next| next.number || next.is(words::COUNT));
        if counted {
            return None;
        }
        // With two of them it is not known which one orders what; `then` alone at the front orders whole sentences.
        let lone = found.next().is_none() && token.is(words::BEFORE) != token.is(words::AFTER | words::THEN);
        (lone && (at > 0 || !token.is(words::THEN))).then_some((at, 1, token.is(words::AFTER)))
    };
    speaking(text).filter_map(|sentence| sides(text, sentence, marker(sentence)?)).collect()
}

/// Words that changed sides, both ways, and none that stayed.
fn changed_sides(mine: &[Told], theirs: &[Told], strict: bool) -> Option<(Span, Span)> {
    let both = |here: &[u64], gone: &[u64], there: &[u64], not: &[u64]| {
        here.iter().any(|root| there.contains(root) && !gone.contains(root) && !not.contains(root))
    };
    let pairs = mine.iter().flat_map(|one| theirs.iter().map(move |other| (one, other)));
    let turned = |one: &Told, other: &Told| {
        let crossed = both(&one.first, &one.second, &other.second, &other.first)
            && both(&one.second, &one.first, &other.first, &other.second);
        let stayed = both(&one.first, &one.second, &other.first, &other.second)
            || both(&one.second, &one.first, &other.second, &other.first);
        crossed && !(strict && stayed)
    };
    let found = pairs.into_iter().find(|(one, other)| turned(one, other));
    found.map(|(one, other)| (one.marker, other.marker))
}
