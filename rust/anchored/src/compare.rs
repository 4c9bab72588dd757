//! Where two texts contradict each other, with the two spans for each finding.
//!
//! Invariant: a finding needs both texts to speak of the same thing, that is, of sentences that share their content
//! words, and a fact that stands in the same slot; what one text merely leaves out is never a contradiction.

use super::Component;
use super::edits::{Finding, Side, judged, name_of, replaced};
use super::exchange::exchanged as exchanged_words;
use super::facts::{Entity, Facts, Kind, Sentence, Span};
use super::lexicon::{self, Modality, excludes, has_opposite, look_up, negated_form, weakly_negates};
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
    let parallel = parallel(a, b);
    let pairs =
        if parallel { (0..a.sentences.len()).map(|position| (position, position)).collect() } else { aligned(a, b) };
    let alone = a.sentences.len() == 1 && b.sentences.len() == 1;
    differing_entities(a, b, &pairs, &mut found);
    for &(i, j) in &pairs {
        let (Some(left), Some(right)) = (a.sentences.get(i), b.sentences.get(j)) else { continue };
        let findings = match replaced(left, right, parallel) {
            Some(edits) => judged(
                &edits,
                Side { facts: a, sentence: left, index: i },
                Side { facts: b, sentence: right, index: j },
            ),
            None => reworded(left, right, alone || close(left, right)),
        };
        for finding in findings {
            if !found.iter().any(|known| known.a == finding.a || known.b == finding.b) {
                found.push(finding);
            }
        }
    }
    found
}

/// Share of the longer one's content words that two sentences of long texts must share: much advice on one matter
/// shares words and says different things.
const CLOSE: f64 = 0.6;

fn close(left: &Sentence<'_>, right: &Sentence<'_>) -> bool {
    let shared = left.stems.iter().filter(|stem| right.has(&stem.root)).count();
    shared >= 3 && shared as f64 >= CLOSE * left.stems.len().max(right.stems.len()) as f64
}

/// What contradicts between two sentences that say it in different words; `close` when they surely speak of the same.
fn reworded(left: &Sentence<'_>, right: &Sentence<'_>, close: bool) -> Vec<Finding> {
    let negation = if close { negation(left, right) } else { None };
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
        None => found.extend(exchanged_words(left, right).map(|spans| Finding::relation("direction", spans))),
    }
    if close && let Some((one, other)) = modality(left, right) {
        found.push(Finding { kind: "modality", component: Component::Constraints, a: one, b: other });
    }
    found
}

/// Whether two texts are one text but for some words: as many sentences, and at least half of them equal, each in its
/// place. Then what stands in one place speaks of the same, be it a bare number.
fn parallel(a: &Facts<'_>, b: &Facts<'_>) -> bool {
    let (mine, theirs) = (&a.sentences, &b.sentences);
    let equal = mine.iter().zip(theirs).filter(|(one, other)| one.words == other.words).count();
    mine.len() > 1 && mine.len() == theirs.len() && 2 * equal >= mine.len()
}

/// Sentences that speak of the same: each of `a` with the sentence of `b` that shares most of its content words.
fn aligned(a: &Facts<'_>, b: &Facts<'_>) -> Vec<(usize, usize)> {
    let mut positions: Vec<(u64, usize)> = Vec::with_capacity(b.sentences.iter().map(|one| one.stems.len()).sum());
    for (index, sentence) in b.sentences.iter().enumerate() {
        positions.extend(sentence.marks().iter().map(|mark| (*mark, index)));
    }
    positions.sort_unstable();
    let mut pairs = Vec::new();
    let mut counts = vec![0_usize; b.sentences.len()];
    let mut touched: Vec<usize> = Vec::new();
    for (index, sentence) in a.sentences.iter().enumerate() {
        touched.clear();
        for mark in sentence.marks() {
            let from = positions.partition_point(|(known, _)| known < mark);
            for &(_, position) in positions.iter().skip(from).take_while(|(known, _)| known == mark) {
                if let Some(count) = counts.get_mut(position) {
                    if *count == 0 {
                        touched.push(position);
                    }
                    *count += 1;
                }
            }
        }
        // The most shared words; then the shorter sentence, then the nearer one, then the first.
        let mut best: Option<(usize, usize, usize, usize)> = None;
        for &position in &touched {
            let shared = counts.get_mut(position).map_or(0, std::mem::take);
            let size = b.sentences.get(position).map_or(0, |other| other.stems.len());
            let better = best.is_none_or(|(known, known_size, known_gap, _)| {
                (shared, known_size, known_gap) > (known, size, position.abs_diff(index))
            });
            if better {
                best = Some((shared, size, position.abs_diff(index), position));
            }
        }
        if let Some((shared, size, _, position)) = best {
            if shared as f64 >= ALIKE * sentence.stems.len().min(size) as f64 {
                pairs.push((index, position));
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
    // Where both negate, each may negate another word of one statement: "did not say" and "said he did not know".
    if left.negators.is_empty() == right.negators.is_empty() {
        return None;
    }
    // "unless it is paid" and "if it is not paid"
    if left.words.contains(&"unless") != right.words.contains(&"unless") {
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
    let at = |sentence: &Sentence<'_>, position: Option<usize>| -> Option<String> {
        position.and_then(|position| sentence.stems.get(position)).map(|stem| stem.root.to_string())
    };
    let before = if i > 0 && j > 0 { at(left, i.checked_sub(1)) == at(right, j.checked_sub(1)) } else { i == j };
    before || at(left, Some(i + 1)) == at(right, Some(j + 1))
}

/// `turn on` against `turn off`: opposite particles with the same word before them.
fn particle(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    let candidates = |words: &[&'_ str]| -> Vec<usize> {
        (1..words.len())
            .filter(|position| {
                words.get(*position).is_some_and(|word| look_up(word).is(lexicon::PARTICLE) && has_opposite(word))
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
                return Some((*left.positions.get(i)?, *right.positions.get(j)?));
            }
        }
    }
    None
}

/// `must` against `may`, `always` against `never`, about the same.
fn modality(left: &Sentence<'_>, right: &Sentence<'_>) -> Option<(Span, Span)> {
    use Modality::{Always, May, Must, Never};
    // "Keys must be hashable" and "only hashable objects may be keys" say the same.
    if left.words.contains(&"only") != right.words.contains(&"only") {
        return None;
    }
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

/// Entities of one kind in the same slot of aligned sentences, of which neither is anywhere in the other text.
fn differing_entities(a: &Facts<'_>, b: &Facts<'_>, pairs: &[(usize, usize)], found: &mut Vec<Finding>) {
    if a.entities.is_empty() || b.entities.is_empty() {
        return;
    }
    let mut partner = vec![None; a.sentences.len()];
    for &(mine, theirs) in pairs {
        if let Some(position) = partner.get_mut(mine) {
            *position = Some(theirs);
        }
    }
    let partner = |entity: &Entity<'_>| partner.get(entity.sentence).copied().flatten();
    let alone_a: Vec<_> = a.entities.iter().filter(|entity| !known(entity, b)).collect();
    let alone_b: Vec<_> = b.entities.iter().filter(|entity| !known(entity, a)).collect();
    let mut taken = vec![false; alone_b.len()];
    // Numbers, dates and times of sentences in other words are held against each other over the whole texts (`values`).
    let counted = |entity: &&&Entity<'_>| matches!(entity.kind, Kind::Number | Kind::Date | Kind::Time);
    for one in alone_a.iter().filter(|entity| !counted(entity)) {
        for (index, other) in alone_b.iter().enumerate() {
            if one.kind == Kind::Name && (one.heading || other.heading || headline(a, one) || headline(b, other)) {
                continue;
            }
            let free = taken.get(index) == Some(&false);
            if free && group(one) == group(other) && partner(one) == Some(other.sentence) && same_slot(one, other) {
                if let Some(position) = taken.get_mut(index) {
                    *position = true;
                }
                found.push(entity_finding(one, other));
                break;
            }
        }
    }
    if found.is_empty() {
        found.extend(other_name(a, b, &alone_a, &alone_b, partner));
    }
    if alone_a.is_empty() && alone_b.is_empty() {
        found.extend(exchanged(a, b, partner));
    }
}

/// The only name that one text lacks, and the only one that the other does, in sentences that speak of the same: `France
/// and Germany` against `Spain and France`, wherever they stand in the list.
fn other_name(
    a: &Facts<'_>,
    b: &Facts<'_>,
    alone_a: &[&Entity<'_>],
    alone_b: &[&Entity<'_>],
    partner: impl Fn(&Entity<'_>) -> Option<usize>,
) -> Option<Finding> {
    let only = |alone: &[&'_ Entity<'_>]| -> Option<usize> {
        let mut names = alone.iter().enumerate().filter(|(_, entity)| entity.kind == Kind::Name);
        let (position, _) = names.next()?;
        names.next().is_none().then_some(position)
    };
    let (one, other) = (alone_a.get(only(alone_a)?)?, alone_b.get(only(alone_b)?)?);
    let (left, right) = (a.sentences.get(one.sentence)?, b.sentences.get(other.sentence)?);
    let shared = left.stems.iter().filter(|stem| right.has(&stem.root)).count();
    let single = |entity: &Entity<'_>| entity.stop - entity.position == 1 && entity.position > 0 && !entity.heading;
    let like = shared >= 3 && shared as f64 >= ALIKE * left.stems.len().max(right.stems.len()) as f64;
    // Both stand in a list; elsewhere another name may well be another way to say it.
    let listed = |entity: &Entity<'_>| [entity.left, entity.right].iter().any(|word| matches!(*word, "and" | "or"));
    let plain = partner(one) == Some(other.sentence) && [one, other].into_iter().all(|e| single(e) && listed(e));
    (plain && like && !headline(a, one) && !headline(b, other)).then(|| entity_finding(one, other))
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
        && entity.key.split_whitespace().all(|word| facts.places.has(word))
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
                && !a.entities.iter().any(|third| beside(third, other) && same(other, third, false))
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
