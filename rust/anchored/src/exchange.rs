//! Who did what to whom: phrases that took each other's places.
//!
//! Invariant: moving a phrase as a whole (an adverbial to the front, a clause behind another, items of a list) is no
//! finding; two phrases that take each other's places around something that stays between them is one.

use super::facts::{Sentence, Span};
use super::lexicon::{self, WordMap, alike, look_up, stem, symmetric};
use super::same::known_as;

/// Share of the longer sentence's words that both must have.
const COVERED: f64 = 0.75;
/// Words that a phrase may have which takes the place of another.
const LONGEST: usize = 40;
/// Blocks that are looked at in pairs: no sentence has so many, and a text without a full stop might.
const MOST_BLOCKS: usize = 256;

/// Words that stand in the same order, one after the other, in both sentences. Places count without articles.
struct Block {
    a: Span,
    b: Span,
}

/// A sentence without its articles: the words, and where each stands among all.
struct Line<'s, 't> {
    sentence: &'s Sentence<'t>,
    words: Vec<&'t str>,
    positions: Vec<usize>,
    /// Whether a comma, a bracket or the like stands right before this word, or before its article.
    parted: Vec<bool>,
}

impl<'s, 't> Line<'s, 't> {
    fn new(sentence: &'s Sentence<'t>) -> Self {
        let size = sentence.words.len();
        let (words, positions, parted) = (Vec::with_capacity(size), Vec::with_capacity(size), Vec::with_capacity(size));
        let mut line = Self { sentence, words, positions, parted };
        let mut parted = false;
        for (position, word) in sentence.words.iter().enumerate() {
            parted |= sentence.parted.get(position).copied().unwrap_or(false);
            if !look_up(word).is(lexicon::ARTICLE) {
                line.words.push(whole(word));
                line.positions.push(position);
                line.parted.push(std::mem::take(&mut parted));
            }
        }
        line
    }

    fn before(&self, position: usize) -> &'t str {
        position.checked_sub(1).and_then(|position| self.words.get(position)).copied().unwrap_or("^")
    }

    fn at(&self, position: usize) -> &'t str {
        self.words.get(position).copied().unwrap_or("$")
    }

    fn between(&self, start: usize, stop: usize) -> &[&'t str] {
        self.words.get(start..stop).unwrap_or(&[])
    }

    fn parted(&self, position: usize) -> bool {
        self.parted.get(position).copied().unwrap_or(false)
    }

    fn span(&self, (start, stop): Span) -> Option<Span> {
        let first = self.sentence.positions.get(*self.positions.get(start)?)?;
        let last = self.sentence.positions.get(*self.positions.get(stop.checked_sub(1)?)?)?;
        Some((first.0, last.1))
    }
}

/// The word that a clipped one stands for.
fn whole(word: &str) -> &str {
    match word {
        "ve" => "have",
        "re" => "are",
        "ll" => "will",
        other => other,
    }
}

/// Two phrases that took each other's places: the first one in `left`, and the one that stands there in `right`.
///
/// Where the sentences are equal but for them, that is plain. Else a place is the gap between two of the words that keep
/// their order in both sentences (the longest such run of words, as in an edit script), or the words right beside it.
pub(crate) fn exchanged(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    let (a, b) = (Line::new(left), Line::new(right));
    if !covered(&a, &b) {
        return None;
    }
    if let Some((one, other)) = mirrored(&a, &b) {
        let means = !free(&a, &b, &one, &other) && !recast(&a, &b, &one, &other);
        return if means { Some((a.span(one.a)?, b.span(other.b)?)) } else { None };
    }
    let blocks = blocks(&a, &b);
    if blocks.len() > MOST_BLOCKS {
        return None;
    }
    let stays = longest_in_order(&blocks);
    // Where a block stands among those that stay.
    let slot = |position: usize, side: fn(&Block) -> Span| {
        blocks.iter().zip(&stays).filter(|(block, stays)| **stays && side(block).0 < position).count()
    };
    let slots: Vec<(usize, usize)> =
        blocks.iter().map(|block| (slot(block.a.0, |block| block.a), slot(block.b.0, |block| block.b))).collect();
    let content = |block: &Block| {
        a.between(block.a.0, block.a.1).iter().any(|word| !look_up(word).is(lexicon::FUNCTION | lexicon::SAYING))
    };
    let beside = |block: &Block| a.before(block.a.0) != b.before(block.b.0) && a.at(block.a.1) != b.at(block.b.1);
    // Whether `one` stands in `right` where `other` stands in `left`.
    let takes =
        |one: &Block, other: &Block| a.before(other.a.0) == b.before(one.b.0) || a.at(other.a.1) == b.at(one.b.1);
    for (index, one) in blocks.iter().enumerate().filter(|(_, block)| content(block)) {
        for (position, other) in blocks.iter().enumerate().skip(index + 1).filter(|(_, block)| content(block)) {
            if !(one.a.1 < other.a.0 && other.b.1 < one.b.0) {
                continue;
            }
            let (Some(mine), Some(theirs)) = (slots.get(index), slots.get(position)) else { continue };
            let unsettled = stays.get(index) == Some(&false) && stays.get(position) == Some(&false);
            let swapped = unsettled && *mine == (theirs.1, theirs.0);
            let traded = beside(one) && beside(other) && takes(one, other) && takes(other, one);
            if (swapped || traded) && !free(&a, &b, one, other) && !recast(&a, &b, one, other) {
                return Some((a.span(one.a)?, b.span(other.b)?));
            }
        }
    }
    None
}

/// Whether the exchange comes of another construction: active against passive (`by`), or `Ann's brother Bob` against
/// `Bob, brother of Ann`.
fn recast(a: &Line<'_, '_>, b: &Line<'_, '_>, one: &Block, other: &Block) -> bool {
    ["by", "of"].into_iter().any(|word| {
        let here = [one.a.0, other.a.0].iter().any(|position| a.before(*position) == word);
        let there = [one.b.0, other.b.0].iter().any(|position| b.before(*position) == word);
        here != there
    })
}

/// The blocks that stand in the same order in both sentences, as many words as can be: what the others moved around.
fn longest_in_order(blocks: &[Block]) -> Vec<bool> {
    let size = |block: &Block| block.a.1 - block.a.0;
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        let (words, before) = (0..index)
            .filter(|earlier| blocks.get(*earlier).is_some_and(|earlier| earlier.b.0 < block.b.0))
            .filter_map(|earlier| best.get(earlier).map(|(words, _)| (*words, Some(earlier))))
            .max_by_key(|(words, _)| *words)
            .unwrap_or((0, None));
        best.push((words + size(block), before));
    }
    let mut stays = vec![false; blocks.len()];
    let mut at = best.iter().enumerate().max_by_key(|(_, (words, _))| *words).map(|(position, _)| position);
    while let Some(position) = at {
        if let Some(mark) = stays.get_mut(position) {
            *mark = true;
        }
        at = best.get(position).and_then(|(_, before)| *before);
    }
    stays
}

/// `X between Y` against `Y between X`, with the same words before, between and behind: an exchange and nothing else.
fn mirrored(a: &Line<'_, '_>, b: &Line<'_, '_>) -> Option<(Block, Block)> {
    let size = a.words.len();
    if size != b.words.len() {
        return None;
    }
    let head = a.words.iter().zip(&b.words).take_while(|(one, other)| one == other).count();
    let tail = a.words.iter().rev().zip(b.words.iter().rev()).take_while(|(one, other)| one == other).count();
    let stop = size.checked_sub(tail)?;
    let longest = stop.checked_sub(head)?.min(LONGEST);
    for first in 1..=longest {
        if a.between(head, head + first) != b.between(stop - first, stop) {
            continue;
        }
        for second in 1..=longest {
            if head + first + second < stop
                && a.between(stop - second, stop) == b.between(head, head + second)
                && a.between(head + first, stop - second) == b.between(head + second, stop - first)
            {
                let one = Block { a: (head, head + first), b: (stop - first, stop) };
                return Some((one, Block { a: (stop - second, stop), b: (head, head + second) }));
            }
        }
    }
    None
}

/// Whether two sentences differ by nothing but an exchange that means nothing: `tea or milk` and `milk or tea`.
pub(crate) fn as_good_as_equal(left: &Sentence<'_>, right: &Sentence<'_>) -> bool {
    let (a, b) = (Line::new(left), Line::new(right));
    mirrored(&a, &b).is_some_and(|(one, other)| level(&a, &one, &other))
}

/// Whether the two sentences are made of the same words.
fn covered(a: &Line<'_, '_>, b: &Line<'_, '_>) -> bool {
    let mut counts: WordMap<&str, usize> = WordMap::default();
    counts.reserve(a.words.len());
    for word in &a.words {
        *counts.entry(word).or_default() += 1;
    }
    let mut shared = 0_usize;
    for word in &b.words {
        if let Some(count) = counts.get_mut(word)
            && *count > 0
        {
            *count -= 1;
            shared += 1;
        }
    }
    shared as f64 >= COVERED * a.words.len().max(b.words.len()) as f64
}

/// The runs of words that stand once in each sentence, in the order of the first.
fn blocks(a: &Line<'_, '_>, b: &Line<'_, '_>) -> Vec<Block> {
    let (mine, theirs) = (once(&a.words), once(&b.words));
    let mut blocks: Vec<Block> = Vec::new();
    for (i, word) in a.words.iter().enumerate() {
        let (Some(Some(_)), Some(Some(j))) = (mine.get(word), theirs.get(word)) else { continue };
        match blocks.last_mut() {
            Some(open) if open.a.1 == i && open.b.1 == *j => {
                open.a.1 += 1;
                open.b.1 += 1;
            }
            _ => blocks.push(Block { a: (i, i + 1), b: (*j, j + 1) }),
        }
    }
    blocks
}

/// Whether two phrases may change places: nothing of weight stays between them, or they are no phrases of one kind, or
/// neither comes first.
fn free(a: &Line<'_, '_>, b: &Line<'_, '_>, one: &Block, other: &Block) -> bool {
    let between = a.between(one.a.1, other.a.0);
    let there = b.between(other.b.1, one.b.0);
    let light = lexicon::LISTING
        | lexicon::BOTH_WAYS
        | lexicon::AUXILIARY
        | lexicon::PRONOUN
        | lexicon::DETERMINER
        | lexicon::SAYING;
    if !between.iter().any(|word| !look_up(word).is(light) && there.contains(word)) || level(a, one, other) {
        return true;
    }
    let (mine, theirs) = (a.between(one.a.0, one.a.1), a.between(other.a.0, other.a.1));
    // A phrase takes its preposition along, a time has no place to take, and a speaker stands before or behind.
    let adverbial = |words: &[&str]| words.first().is_some_and(|word| look_up(word).is(lexicon::PREPOSITION));
    let saying = |words: &[&str]| words.iter().any(|word| look_up(word).is(lexicon::SAYING));
    let speaker = |words: &[&str]| {
        saying(words) && words.iter().all(|word| look_up(word).is(lexicon::FUNCTION | lexicon::SAYING))
    };
    if adverbial(mine) || adverbial(theirs) || timed(mine) != timed(theirs) || speaker(mine) || speaker(theirs) {
        return true;
    }
    // "It is cold," she said today. Today she said: "It is cold."
    saying(between)
        && ((one.a.0..=other.a.1).any(|position| a.parted(position))
            || (other.b.0..=one.b.1).any(|position| b.parted(position)))
}

/// Whether neither of two phrases comes first: they are one thing by two names, or items of a list that are built alike
/// (`private schools and public schools`, `in Rome or in Milan`), or what stands between holds both ways.
fn level(line: &Line<'_, '_>, one: &Block, other: &Block) -> bool {
    let between = line.between(one.a.1, other.a.0);
    let (mine, theirs) = (line.between(one.a.0, one.a.1), line.between(other.a.0, other.a.1));
    let both_ways = |word: &&str| look_up(word).is(lexicon::FUNCTION) || symmetric(&stem(word));
    if between.iter().any(|word| symmetric(&stem(word))) && between.iter().all(both_ways)
        || known_as(&mine.join(" ")) == known_as(&theirs.join(" "))
        || matches!((meaning(mine).as_slice(), meaning(theirs).as_slice()), ([one], [other]) if alike(one, other))
    {
        return true;
    }
    // What the items have in common stands behind the first one and before the second.
    let behind = line.between(other.a.1, line.words.len());
    let before = line.between(0, one.a.0);
    let most = between.iter().zip(behind).take_while(|(word, same)| word == same).count();
    let (mut first, mut last) = (one.a.1, other.a.0);
    for tail in (0..=most).rev() {
        let rest = between.get(tail..).unwrap_or(&[]);
        let head = rest.iter().rev().zip(before.iter().rev()).take_while(|(word, same)| word == same).count();
        let joints = rest.get(..rest.len() - head).unwrap_or(&[]);
        (first, last) = (one.a.1 + tail, other.a.0 - head);
        let joined = line.parted(first) || joints.iter().any(|word| look_up(word).is(lexicon::JOINING));
        if joined && joints.iter().all(|word| look_up(word).is(lexicon::JOINING | lexicon::BESIDE_A_JOINT)) {
            return true;
        }
        if line.parted(first) {
            break;
        }
    }
    let listing = |word: &str| look_up(word).is(lexicon::LISTING);
    (line.parted(first) || listing(line.at(first))) && (line.parted(last) || listing(line.before(last)))
}

/// The stems of a phrase that are no small words; of small words alone, all.
fn meaning(words: &[&str]) -> Vec<String> {
    let stems = |small: bool| -> Vec<String> {
        let taken = words.iter().filter(|word| small || !look_up(word).is(lexicon::FUNCTION));
        taken.map(|word| stem(word).into_owned()).collect()
    };
    let content = stems(false);
    if content.is_empty() { stems(true) } else { content }
}

/// Whether a phrase names a time or a number.
fn timed(words: &[&str]) -> bool {
    // A date is one token of several words.
    words.iter().flat_map(|token| token.split_whitespace()).any(|word| {
        let known = look_up(word);
        known.month > 0 || known.number.is_some() || word.starts_with(|letter: char| letter.is_ascii_digit())
    })
}

/// Each word and where it stands; `None` when it stands there more than once.
fn once<'t>(words: &[&'t str]) -> WordMap<&'t str, Option<usize>> {
    let mut found: WordMap<&str, Option<usize>> = WordMap::default();
    found.reserve(words.len());
    for (position, word) in words.iter().enumerate() {
        found.entry(word).and_modify(|known| *known = None).or_insert(Some(position));
    }
    found
}
