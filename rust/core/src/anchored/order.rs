//! The order of words: who did what to whom, and how much of the order two texts share.
//!
//! Invariant: moving a phrase as a whole (an adverbial to the front, a clause behind another, items of a list) is no
//! finding; two phrases that take each other's places around something that stays between them is one.

use super::extract::{Facts, Sentence, Span};
use super::lexicon::{self, WordMap, look_up, stem, symmetric};

/// Share of the longer sentence's words that both must have.
const COVERED: f64 = 0.75;
/// Words that a phrase may have which takes the place of another.
const LONGEST: usize = 40;

/// Words that stand in the same order, one after the other, in both sentences. Places count without articles.
struct Block {
    a: Span,
    b: Span,
}

/// A sentence without its articles: the words, and where each stands among all.
struct Line<'s, 't> {
    sentence: &'s Sentence<'t>,
    words: Vec<&'t str>,
    places: Vec<usize>,
}

impl<'s, 't> Line<'s, 't> {
    fn new(sentence: &'s Sentence<'t>) -> Self {
        let (mut words, mut places) = (Vec::new(), Vec::new());
        for (place, word) in sentence.words.iter().enumerate() {
            if !look_up(word).is(lexicon::ARTICLE) {
                words.push(*word);
                places.push(place);
            }
        }
        Self { sentence, words, places }
    }

    fn before(&self, place: usize) -> &'t str {
        place.checked_sub(1).and_then(|place| self.words.get(place)).copied().unwrap_or("^")
    }

    fn at(&self, place: usize) -> &'t str {
        self.words.get(place).copied().unwrap_or("$")
    }

    fn between(&self, start: usize, stop: usize) -> &[&'t str] {
        self.words.get(start..stop).unwrap_or(&[])
    }

    /// Whether a comma, a bracket or the like stands right before this word.
    fn parted(&self, place: usize) -> bool {
        self.places.get(place).and_then(|place| self.sentence.parted.get(*place)).copied().unwrap_or(false)
    }

    fn span(&self, (start, stop): Span) -> Option<Span> {
        let first = self.sentence.places.get(*self.places.get(start)?)?;
        let last = self.sentence.places.get(*self.places.get(stop.checked_sub(1)?)?)?;
        Some((first.0, last.1))
    }

    fn count(&self, word: &str) -> usize {
        self.words.iter().filter(|other| **other == word).count()
    }
}

/// Two phrases that took each other's places: the first one in `left`, and the one that stands there in `right`.
pub(crate) fn exchanged(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    let (a, b) = (Line::new(left), Line::new(right));
    // Active against passive, and "Ann's brother Bob" against "Bob, brother of Ann".
    if a.count("by") != b.count("by") || a.count("of") != b.count("of") || !alike(&a, &b) {
        return None;
    }
    if let Some((one, other)) = mirrored(&a, &b) {
        return if free(&a, &b, &one, &other) { None } else { Some((a.span(one.a)?, b.span(other.b)?)) };
    }
    let blocks = blocks(&a, &b);
    let moved: Vec<&Block> = blocks
        .iter()
        .filter(|block| {
            a.before(block.a.0) != b.before(block.b.0)
                && a.at(block.a.1) != b.at(block.b.1)
                && a.between(block.a.0, block.a.1)
                    .iter()
                    .any(|word| !look_up(word).is(lexicon::FUNCTION | lexicon::SAYING))
        })
        .collect();
    // Whether `one` stands in `right` where `other` stands in `left`.
    let takes =
        |one: &Block, other: &Block| a.before(other.a.0) == b.before(one.b.0) || a.at(other.a.1) == b.at(one.b.1);
    for (index, one) in moved.iter().enumerate() {
        for other in moved.iter().skip(index + 1) {
            let apart = one.a.1 < other.a.0 && other.b.1 < one.b.0;
            if apart && takes(one, other) && takes(other, one) && !free(&a, &b, one, other) {
                return Some((a.span(one.a)?, b.span(other.b)?));
            }
        }
    }
    None
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

/// Whether the two sentences are made of the same words.
fn alike(a: &Line<'_, '_>, b: &Line<'_, '_>) -> bool {
    let mut counts: WordMap<&str, usize> = WordMap::default();
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

/// Whether two phrases may change places: nothing of weight stays between them, or they are items of a list, or what
/// stands between holds both ways.
fn free(a: &Line<'_, '_>, b: &Line<'_, '_>, one: &Block, other: &Block) -> bool {
    let between = a.between(one.a.1, other.a.0);
    let there = b.between(other.b.1, one.b.0);
    let light = lexicon::LISTING
        | lexicon::BOTH_WAYS
        | lexicon::AUXILIARY
        | lexicon::PRONOUN
        | lexicon::DETERMINER
        | lexicon::SAYING;
    let stays = between.iter().any(|word| !look_up(word).is(light) && there.contains(word));
    if !stays || between.iter().any(|word| symmetric(&stem(word))) {
        return true;
    }
    // "It is cold," she said today. Today she said: "It is cold."
    let quoted = between.iter().any(|word| look_up(word).is(lexicon::SAYING))
        && ((one.a.0..=other.a.1).any(|place| a.parted(place)) || (other.b.0..=one.b.1).any(|place| b.parted(place)));
    let listing = |word: &str| look_up(word).is(lexicon::LISTING);
    let opens = a.parted(one.a.1) || listing(a.at(one.a.1));
    let closes = a.parted(other.a.0) || listing(a.before(other.a.0));
    quoted || (opens && closes)
}

/// Each word and where it stands; `None` when it stands there more than once.
fn once<'t>(words: &[&'t str]) -> WordMap<&'t str, Option<usize>> {
    let mut found: WordMap<&str, Option<usize>> = WordMap::default();
    for (place, word) in words.iter().enumerate() {
        found.entry(word).and_modify(|known| *known = None).or_insert(Some(place));
    }
    found
}

/// How far two texts made of the same words have them in another order, in [0, 1].
///
/// Twice the square root of (1 − Kendall's τ) / 2, the share of pairs of words that are inverted, over the words that
/// stand once in each text; at most 1. The root, since two words that change places invert few of all the pairs, and the
/// bound, since a clause that moves as a whole inverts many. Times the fourth power of the share of words that both
/// have: where most words differ, another order is only another way to say it. 0 between active and passive.
pub(crate) fn disorder(a: &Facts<'_>, b: &Facts<'_>) -> f64 {
    let (first, second) = (&a.places, &b.places);
    if first.contains_key("by") != second.contains_key("by") {
        return 0.0; // active against passive
    }
    let mut order: Vec<(usize, usize)> =
        first.iter().filter_map(|(word, place)| Some(((*place)?, second.get(word).copied().flatten()?))).collect();
    order.sort_unstable();
    let order: Vec<usize> = order.into_iter().map(|(_, there)| there).collect();
    let count = order.len();
    if count < 2 {
        return 0.0;
    }
    let single = |words: &WordMap<&str, Option<usize>>| words.values().filter(|place| place.is_some()).count();
    let coverage = 2.0 * count as f64 / (single(first) + single(second)) as f64;
    let inverted = inversions(order) as f64 / (count * (count - 1) / 2) as f64;
    (2.0 * coverage.powi(4) * inverted.sqrt()).min(1.0)
}

/// Pairs that stand in descending order, counted while merging: O(n log n).
fn inversions(mut order: Vec<usize>) -> usize {
    let mut count = 0;
    let mut width = 1;
    let mut merged = Vec::with_capacity(order.len());
    while width < order.len() {
        merged.clear();
        for pair in order.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([one, rest @ ..], [other, others @ ..]) = (left, right) {
                if other < one {
                    count += left.len();
                    merged.push(*other);
                    right = others;
                } else {
                    merged.push(*one);
                    left = rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn inversions_are_the_pairs_out_of_order(order in proptest::collection::vec(0_usize..50, 0..40)) {
            let mut naive = 0;
            for (place, one) in order.iter().enumerate() {
                naive += order[place..].iter().filter(|other| *other < one).count();
            }
            prop_assert_eq!(inversions(order), naive);
        }
    }
}
