//! Where two texts contradict each other, with the two spans for each finding.
//!
//! Invariant: a finding needs both texts to speak of the same thing, that is, of sentences that share their content
//! words, and a fact that stands in the same slot; what one text merely leaves out is never a contradiction.

use super::Component;
use super::edits::{Finding, Side, judged, name_of, replaced};
use super::extract::{Entity, Facts, Kind, Sentence, Span};
use super::lexicon::{self, Modality, WordMap, excludes, look_up, negated_form, opposites, symmetric, weakly_negates};
use super::same::{group, same};

/// Two sentences speak of the same when this share of the shorter one's content words is in both.
const ALIKE: f64 = 0.5;

/// Every contradiction found between two texts.
pub(crate) fn contradictions(a: &Facts<'_>, b: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if let (Some((mine, one)), Some((theirs, other))) = (a.answer, b.answer)
        && mine != theirs
    {
        found.push(Finding::relation("answer", (one, other)));
    }
    let pairs = aligned(a, b);
    differing_entities(a, b, &pairs, &mut found);
    for &(i, j) in &pairs {
        let (Some(left), Some(right)) = (a.sentences.get(i), b.sentences.get(j)) else { continue };
        let findings = match replaced(left, right) {
            Some(edits) => judged(
                &edits,
                Side { facts: a, sentence: left, index: i },
                Side { facts: b, sentence: right, index: j },
            ),
            None => reworded(left, right),
        };
        for finding in findings {
            if !found.iter().any(|known| known.a == finding.a || known.b == finding.b) {
                found.push(finding);
            }
        }
    }
    found
}

/// What contradicts between two sentences that say it in different words.
fn reworded(left: &Sentence<'_>, right: &Sentence<'_>) -> Vec<Finding> {
    let negation = negation(left, right);
    let antonym = antonym(left, right);
    match (negation, antonym) {
        // "not open" and "closed" say the same.
        (Some(_), Some(_)) => return Vec::new(),
        (Some(spans), None) => return vec![Finding::relation("negation", spans)],
        _ => {}
    }
    let mut found = Vec::new();
    match antonym {
        Some(spans) => found.push(Finding::relation("antonym", spans)),
        None => found.extend(swapped(left, right).map(|spans| Finding::relation("direction", spans))),
    }
    if let Some((one, other)) = modality(left, right) {
        found.push(Finding { kind: "modality", component: Component::Constraints, a: one, b: other });
    }
    found
}

/// Sentences that speak of the same: each of `a` with the sentence of `b` that shares most of its content words.
fn aligned(a: &Facts<'_>, b: &Facts<'_>) -> Vec<(usize, usize)> {
    let mut places: WordMap<&str, Vec<usize>> = WordMap::default();
    for (index, sentence) in b.sentences.iter().enumerate() {
        for stem in &sentence.stems {
            places.entry(stem.root.as_ref()).or_default().push(index);
        }
    }
    let mut pairs = Vec::new();
    let mut counts = vec![0_usize; b.sentences.len()];
    let mut touched: Vec<usize> = Vec::new();
    for (index, sentence) in a.sentences.iter().enumerate() {
        touched.clear();
        for stem in &sentence.stems {
            for &place in places.get(stem.root.as_ref()).map_or(&[][..], Vec::as_slice) {
                if let Some(count) = counts.get_mut(place) {
                    if *count == 0 {
                        touched.push(place);
                    }
                    *count += 1;
                }
            }
        }
        // The most shared words; then the shorter sentence, then the nearer one, then the first.
        let mut best: Option<(usize, usize, usize, usize)> = None;
        for &place in &touched {
            let shared = counts.get_mut(place).map_or(0, std::mem::take);
            let size = b.sentences.get(place).map_or(0, |other| other.stems.len());
            let better = best.is_none_or(|(known, known_size, known_gap, _)| {
                (shared, known_size, known_gap) > (known, size, place.abs_diff(index))
            });
            if better {
                best = Some((shared, size, place.abs_diff(index), place));
            }
        }
        if let Some((shared, size, _, place)) = best {
            if shared as f64 >= ALIKE * sentence.stems.len().min(size) as f64 {
                pairs.push((index, place));
            }
        } else if let ([_], [other]) = (a.sentences.as_slice(), b.sentences.as_slice())
            && sentence.stems.len().min(other.stems.len()) <= 1
        {
            pairs.push((0, 0));
        }
    }
    pairs
}

/// A predicate that one sentence negates and the other asserts.
fn negation(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    if left.negators.is_empty() && right.negators.is_empty() {
        return None;
    }
    let mut against = false;
    for stem in &left.stems {
        if let Some(other) = right.stem(&stem.root) {
            if stem.negated && other.negated {
                return None;
            }
            against |= stem.negated != other.negated;
        }
    }
    if !against {
        return None;
    }
    let differs = |root: &str| match (left.stem(root), right.stem(root)) {
        (Some(mine), Some(theirs)) => mine.negated != theirs.negated,
        _ => false,
    };
    for (mine, theirs) in [(left, right), (right, left)] {
        let mut size = 0_usize;
        let mut hit = 0_usize;
        let mut first = false;
        for stem in mine.stems.iter().filter(|stem| stem.negated) {
            let counts = differs(&stem.root);
            first |= size == 0 && counts;
            size += 1;
            hit += usize::from(counts);
        }
        if size > 0 && first && hit as f64 >= ALIKE * size as f64 {
            // The other side may say the same with a verb of its own: "did not pass" and "failed to pass".
            let own = theirs.stems.iter().filter(|stem| !mine.has(&stem.root));
            if own.into_iter().any(|stem| weakly_negates(&stem.root) || stem.root.ends_with("less")) {
                return None;
            }
            let back = theirs.stems.iter().find(|stem| differs(&stem.root))?.span;
            let span = *mine.negators.first()?;
            return Some(if std::ptr::eq(mine, left) { (span, back) } else { (back, span) });
        }
    }
    None
}

/// A content word against one that excludes it, in sentences that otherwise agree.
fn antonym(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    let mine: Vec<_> = left.stems.iter().enumerate().filter(|(_, stem)| !right.has(&stem.root)).collect();
    let theirs: Vec<_> = right.stems.iter().enumerate().filter(|(_, stem)| !left.has(&stem.root)).collect();
    let shared = left.stems.len() - mine.len();
    let enough = shared as f64 >= ALIKE * (mine.len().min(theirs.len()) as f64 + shared as f64 - 1.0);
    if enough {
        for (i, one) in &mine {
            for (j, other) in &theirs {
                if one.negated == other.negated
                    && (excludes(&one.root, &other.root) || negated_form(&one.root, &other.root))
                    && (mine.len() + theirs.len() <= 2 || beside(left, *i, right, *j))
                {
                    return Some((one.span, other.span));
                }
            }
        }
    }
    particle(left, right)
}

/// Whether two words stand beside the same content word.
fn beside(left: &Sentence<'_>, i: usize, right: &Sentence<'_>, j: usize) -> bool {
    let at = |sentence: &Sentence<'_>, place: Option<usize>| -> Option<String> {
        place.and_then(|place| sentence.stems.get(place)).map(|stem| stem.root.to_string())
    };
    let before = if i > 0 && j > 0 { at(left, i.checked_sub(1)) == at(right, j.checked_sub(1)) } else { i == j };
    before || at(left, Some(i + 1)) == at(right, Some(j + 1))
}

/// `turn on` against `turn off`: opposite particles with the same word before them.
fn particle(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    let candidates = |words: &[&'_ str]| -> Vec<usize> {
        (1..words.len())
            .filter(|place| {
                words.get(*place).is_some_and(|word| look_up(word).is(lexicon::PARTICLE) && !opposites(word).is_empty())
            })
            .collect()
    };
    let theirs = candidates(&right.words);
    for i in candidates(&left.words) {
        for &j in &theirs {
            let (Some(word), Some(other)) = (left.words.get(i), right.words.get(j)) else { continue };
            if excludes(word, other)
                && left.words.get(i - 1) == right.words.get(j - 1)
                && !left.words.contains(other)
                && !right.words.contains(word)
            {
                return Some((*left.places.get(i)?, *right.places.get(j)?));
            }
        }
    }
    None
}

/// `must` against `may`, `always` against `never`, about the same.
fn modality(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    use Modality::{Always, May, Must, Never};
    let says =
        |sentence: &Sentence<'_>, modality: Modality| sentence.modals.iter().any(|(known, _)| *known == modality);
    for (one, span) in &left.modals {
        for (other, back) in &right.modals {
            let clash = matches!(
                (one, other),
                (Must, May | Never) | (May, Must | Never) | (Never, Must | May | Always) | (Always, Never)
            );
            if clash && !says(right, *one) && !says(left, *other) {
                return Some((*span, *back));
            }
        }
    }
    None
}

/// Two words that have changed places while nearly all others stand as they did: who did what to whom.
fn swapped(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    let (mine, theirs) = (once(&left.words), once(&right.words));
    if mine.contains_key("by") != theirs.contains_key("by") {
        return None; // active against passive
    }
    let other_words = |mine: &WordMap<&str, Option<usize>>, theirs: &WordMap<&str, Option<usize>>| {
        mine.keys().any(|word| !look_up(word).is(lexicon::ARTICLE) && !theirs.contains_key(word))
    };
    if other_words(&mine, &theirs) || other_words(&theirs, &mine) || left.stems.iter().any(|stem| symmetric(&stem.root))
    {
        return None;
    }
    let mut moved: Vec<(usize, usize, [&str; 2], [&str; 2])> = Vec::new();
    for (place, word) in left.words.iter().enumerate() {
        if look_up(word).is(lexicon::FUNCTION) || mine.get(word) != Some(&Some(place)) {
            continue;
        }
        let Some(Some(there)) = theirs.get(word) else { continue };
        let slot = [near_before(&left.words, place), near_after(&left.words, place)];
        let other = [near_before(&right.words, *there), near_after(&right.words, *there)];
        if other[0] != slot[0] && other[1] != slot[1] {
            moved.push((place, *there, slot, other));
        }
    }
    for (index, (one, one_there, slot, other)) in moved.iter().enumerate() {
        for (two, two_there, slot_two, other_two) in moved.iter().skip(index + 1) {
            let exchanged = (other[0] == slot_two[0] || other[1] == slot_two[1])
                && (other_two[0] == slot[0] || other_two[1] == slot[1]);
            let inverted = (one < two) != (one_there < two_there);
            if exchanged && inverted && !listed(&left.words, *one, *two) {
                return Some((*left.places.get(*one)?, *right.places.get(*two_there)?));
            }
        }
    }
    None
}

/// Each word and where it stands; `None` when it stands there more than once.
fn once<'t>(words: &[&'t str]) -> WordMap<&'t str, Option<usize>> {
    let mut found: WordMap<&str, Option<usize>> = WordMap::default();
    for (place, word) in words.iter().enumerate() {
        found.entry(word).and_modify(|known| *known = None).or_insert(Some(place));
    }
    found
}

fn near_before<'t>(words: &[&'t str], place: usize) -> &'t str {
    let head = words.get(..place).unwrap_or(&[]);
    head.iter().rev().find(|word| !look_up(word).is(lexicon::ARTICLE)).copied().unwrap_or("^")
}

fn near_after<'t>(words: &[&'t str], place: usize) -> &'t str {
    let tail = words.get(place + 1..).unwrap_or(&[]);
    tail.iter().find(|word| !look_up(word).is(lexicon::ARTICLE)).copied().unwrap_or("$")
}

/// Whether only `and`, `or` and articles stand between two words, so that their order says nothing.
fn listed(words: &[&str], one: usize, two: usize) -> bool {
    let between = words.get(one.min(two) + 1..one.max(two)).unwrap_or(&[]);
    !between.is_empty() && between.iter().all(|word| look_up(word).is(lexicon::LISTING))
}

/// Entities of one kind in the same slot of aligned sentences, of which neither is anywhere in the other text.
fn differing_entities(a: &Facts<'_>, b: &Facts<'_>, pairs: &[(usize, usize)], found: &mut Vec<Finding>) {
    if a.entities.is_empty() || b.entities.is_empty() {
        return;
    }
    let mut partner = vec![None; a.sentences.len()];
    for &(mine, theirs) in pairs {
        if let Some(place) = partner.get_mut(mine) {
            *place = Some(theirs);
        }
    }
    let partner = |entity: &Entity<'_>| partner.get(entity.sentence).copied().flatten();
    let alone_a: Vec<_> = a.entities.iter().filter(|entity| !known(entity, b)).collect();
    let alone_b: Vec<_> = b.entities.iter().filter(|entity| !known(entity, a)).collect();
    let mut taken = vec![false; alone_b.len()];
    for one in &alone_a {
        for (index, other) in alone_b.iter().enumerate() {
            if one.kind == Kind::Name && (headline(a, one) || headline(b, other)) {
                continue;
            }
            let free = taken.get(index) == Some(&false);
            if free && group(one) == group(other) && partner(one) == Some(other.sentence) && same_slot(one, other) {
                if let Some(place) = taken.get_mut(index) {
                    *place = true;
                }
                found.push(entity_finding(one, other));
                break;
            }
        }
    }
    if alone_a.is_empty() && alone_b.is_empty() {
        found.extend(exchanged(a, b, partner));
    }
}

fn entity_finding(one: &Entity<'_>, other: &Entity<'_>) -> Finding {
    Finding { kind: name_of(one.kind), component: Component::Entities, a: one.span, b: other.span }
}

fn headline(facts: &Facts<'_>, entity: &Entity<'_>) -> bool {
    facts
        .sentences
        .get(entity.sentence)
        .is_some_and(|sentence| sentence.capitals > 4 && sentence.capitals * 5 > sentence.words.len() * 3)
}

/// Whether the other text has the entity, be it as a word that it does not recognise as a name.
fn known(entity: &Entity<'_>, facts: &Facts<'_>) -> bool {
    if facts.entities.iter().any(|other| same(entity, other, false)) {
        return true;
    }
    entity.kind == Kind::Name
        && facts
            .sentences
            .iter()
            .any(|sentence| entity.key.split_whitespace().all(|word| sentence.words.contains(&word)))
}

/// The same numbers in each other's places: 3 of the first and 5 of the second against 5 and 3.
fn exchanged(a: &Facts<'_>, b: &Facts<'_>, partner: impl Fn(&Entity<'_>) -> Option<usize>) -> Option<Finding> {
    let counted = |entity: &Entity<'_>| matches!(entity.kind, Kind::Number | Kind::Date | Kind::Time);
    let beside = |one: &Entity<'_>, other: &Entity<'_>| one.left == other.left && one.right == other.right;
    for one in a.entities.iter().filter(|entity| counted(entity)) {
        let there = partner(one);
        for other in b.entities.iter().filter(|other| there == Some(other.sentence)) {
            if group(one) == group(other)
                && beside(one, other)
                && !same(one, other, false)
                && !b.entities.iter().any(|third| beside(third, one) && same(one, third, false))
            {
                return Some(entity_finding(one, other));
            }
        }
    }
    None
}

fn same_slot(one: &Entity<'_>, other: &Entity<'_>) -> bool {
    if matches!(one.kind, Kind::Number | Kind::Date | Kind::Time | Kind::Url) {
        return one.left == other.left || one.right == other.right;
    }
    one.left == other.left && one.right == other.right
}

/// Share of all entities that both texts have, in [0, 1]; `None` when neither has any.
pub(crate) fn entity_agreement(a: &Facts<'_>, b: &Facts<'_>) -> Option<f64> {
    let total = a.entities.len() + b.entities.len();
    let shared = |mine: &Facts<'_>, theirs: &Facts<'_>| {
        mine.entities.iter().filter(|one| theirs.entities.iter().any(|other| same(one, other, false))).count()
    };
    (total > 0).then(|| (shared(a, b) + shared(b, a)) as f64 / total as f64)
}

/// Share of pairs of shared words whose order is inverted, as far as the texts are made of the same words; in [0, 1].
///
/// (1 − Kendall's τ) / 2 over the words that stand once in each text, times the fourth power of the share of them that
/// both have: where most words differ, another order is only another way to say it.
pub(crate) fn disorder(a: &Facts<'_>, b: &Facts<'_>) -> f64 {
    let (mine, theirs) = (all_words(a), all_words(b));
    let (first, second) = (once(&mine), once(&theirs));
    let order: Vec<usize> = mine
        .iter()
        .filter(|word| matches!(first.get(*word), Some(Some(_))))
        .filter_map(|word| second.get(word).copied().flatten())
        .collect();
    let count = order.len();
    if count < 2 {
        return 0.0;
    }
    let single = |words: &WordMap<&str, Option<usize>>| words.values().filter(|place| place.is_some()).count();
    let coverage = 2.0 * count as f64 / (single(&first) + single(&second)) as f64;
    coverage.powi(4) * inversions(order) as f64 / (count * (count - 1) / 2) as f64
}

fn all_words<'t>(facts: &Facts<'t>) -> Vec<&'t str> {
    facts.sentences.iter().flat_map(|sentence| &sentence.words).copied().collect()
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
