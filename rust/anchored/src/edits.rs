//! Two sentences that are equal but for a few words: what was replaced, and whether that contradicts.
//!
//! Invariant: judged strictly, since the same words on either side of a replaced one leave no doubt that both sentences
//! speak of the same; a replacement whose meaning is not known (a synonym, perhaps) is no finding.

use std::borrow::Cow;

use super::Component;
use super::exchange::exchanged;
use super::facts::{Entity, Facts, Kind, Sentence, Span};
use super::lexicon::{self, Modality, excludes, look_up, negated_form, stem, weakly_negates};
use super::same::{inflected, same};

/// A contradiction: its kind, the component that it speaks against, and the span on each side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finding {
    pub kind: &'static str,
    pub component: Component,
    pub a: Span,
    pub b: Span,
}

impl Finding {
    pub fn relation(kind: &'static str, (a, b): (Span, Span)) -> Self {
        Self { kind, component: Component::Relations, a, b }
    }
}

/// Words `[start:stop]` of one sentence stand where words `[other_start:other_stop]` of the other do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    pub a: Span,
    pub b: Span,
}

/// Share of the words that must be equal.
const COMMON: f64 = 0.6;
/// Words that one replacement may have.
const LONGEST: usize = 4;

/// One of the two sentences, with the facts that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Side<'s, 't> {
    pub facts: &'s Facts<'t>,
    pub sentence: &'s Sentence<'t>,
    pub index: usize,
}

impl<'s, 't> Side<'s, 't> {
    fn words(&self, (start, stop): Span) -> &'s [&'t str] {
        self.sentence.words.get(start..stop).unwrap_or(&[])
    }

    /// Entities of the sentence that overlap these words.
    fn entities(&self, (start, stop): Span) -> impl Iterator<Item = &'s Entity<'t>> {
        let index = self.index;
        // Entities stand in the order of the sentences.
        let from = self.facts.entities.partition_point(|entity| entity.sentence < index);
        self.facts
            .entities
            .iter()
            .skip(from)
            .take_while(move |entity| entity.sentence == index)
            .filter(move |entity| entity.position < stop && start < entity.stop)
    }

    /// Whether the sentence has this entity, be it as words that it does not recognise as a name.
    fn holds(&self, entity: &Entity<'_>) -> bool {
        let words = &self.sentence.words;
        let spelled = |key: &str| key.split_whitespace().all(|word| words.contains(&word));
        self.entities((0, words.len())).any(|known| same(known, entity, true))
            || (entity.kind == Kind::Name && spelled(&entity.key))
    }

    /// Whether the sentence has this entity as one of its kind: a bare 5 is not the 5th of May.
    fn repeats(&self, entity: &Entity<'_>) -> bool {
        self.entities((0, self.sentence.words.len()))
            .any(|known| known.kind == entity.kind && same(known, entity, true))
    }

    /// These words, less those that belong to a quantity: two years and 24 months are no opposites.
    fn loose(&self, (start, stop): Span) -> Vec<&'t str> {
        (start..stop)
            .filter(|position| {
                !self
                    .entities((start, stop))
                    .any(|entity| entity.quantity.is_some() && (entity.position..entity.stop).contains(position))
            })
            .filter_map(|position| self.sentence.words.get(position).copied())
            .collect()
    }

    /// Bytes of these words; of the word before the gap when there are none.
    fn span(&self, (start, stop): Span) -> Span {
        let positions = &self.sentence.positions;
        let (first, last) =
            if start < stop { (start, stop - 1) } else { (start.saturating_sub(1), start.saturating_sub(1)) };
        match (positions.get(first), positions.get(last)) {
            (Some(first), Some(last)) => (first.0, last.1),
            _ => (0, 0),
        }
    }
}

/// The replaced words of two sentences that are equal in at least 60 % of their words; `None` when they are not. Where
/// it is known that both stand in one place of `parallel` texts, as many words will do.
pub(crate) fn replaced(left: &Sentence<'_>, right: &Sentence<'_>, parallel: bool) -> Option<Vec<Edit>> {
    let (mine, theirs) = (&left.words, &right.words);
    let size = mine.len().max(theirs.len());
    if mine.len() == theirs.len() {
        let mut edits: Vec<Edit> = Vec::new();
        let mut differ = 0;
        for (position, _) in mine.iter().zip(theirs).enumerate().filter(|(_, (one, other))| one != other) {
            differ += 1;
            match edits.last_mut() {
                Some(open) if open.a.1 == position => {
                    open.a.1 += 1;
                    open.b.1 += 1;
                }
                _ => edits.push(Edit { a: (position, position + 1), b: (position, position + 1) }),
            }
        }
        let equal = (size - differ) as f64;
        let most = equal >= (COMMON * size as f64).max(1.0) && edits.iter().all(|edit| edit.a.1 - edit.a.0 <= LONGEST);
        if differ == 0 || most || (parallel && differ <= LONGEST) {
            return Some(edits);
        }
    }
    let shorter = mine.len().min(theirs.len());
    let head = mine.iter().zip(theirs).take_while(|(one, other)| one == other).count();
    let tail =
        mine.iter().rev().zip(theirs.iter().rev()).take(shorter - head).take_while(|(one, other)| one == other).count();
    if ((head + tail) as f64) < (COMMON * shorter as f64).max(2.0) || size - head - tail > LONGEST {
        return None;
    }
    Some(vec![Edit { a: (head, mine.len() - tail), b: (head, theirs.len() - tail) }])
}

/// What contradicts in these replacements.
pub(crate) fn judged(edits: &[Edit], a: Side<'_, '_>, b: Side<'_, '_>) -> Vec<Finding> {
    if edits.len() > 1 {
        let mut mine: Vec<&str> = edits.iter().flat_map(|edit| a.words(edit.a)).copied().collect();
        let mut theirs: Vec<&str> = edits.iter().flat_map(|edit| b.words(edit.b)).copied().collect();
        mine.sort_unstable();
        theirs.sort_unstable();
        if mine == theirs {
            let found = exchanged(a.sentence, b.sentence);
            return found.map(|spans| Finding::relation("direction", spans)).into_iter().collect();
        }
    }
    let found: Vec<Finding> = edits.iter().filter_map(|edit| judge(*edit, a, b)).collect();
    if found.is_empty() && edits.len() > 1 {
        return exchanged(a.sentence, b.sentence)
            .map(|spans| Finding::relation("direction", spans))
            .into_iter()
            .collect();
    }
    found
}

/// Whether two entities merely stand elsewhere: each sentence has both.
fn moved(one: &Entity<'_>, other: &Entity<'_>, a: Side<'_, '_>, b: Side<'_, '_>) -> bool {
    b.holds(one) && a.holds(other)
}

fn judge(edit: Edit, a: Side<'_, '_>, b: Side<'_, '_>) -> Option<Finding> {
    let (mine, theirs) = (a.words(edit.a), b.words(edit.b));
    let spans = (a.span(edit.a), b.span(edit.b));
    let negators = |words: &[&str]| words.iter().filter(|word| look_up(word).is(lexicon::NEGATOR)).count();
    // Words that the other sentence has too stand elsewhere there: what that means, `exchanged` tells.
    let (ours, others) = (a.loose(edit.a), b.loose(edit.b));
    let known = opposite((&ours, a), (&others, b));
    if (negators(mine) + negators(theirs)) % 2 == 1 {
        let hedged = mine
            .iter()
            .chain(theirs)
            .any(|word| *word == "only" || word.ends_with("less") || weakly_negates(&stem(word)));
        // "That was not all: ..." and "..., not Bob, ..." negate themselves and nothing beside them.
        let aside = |side: Side<'_, '_>, words: &[&str], stop: usize| {
            side.sentence.parted.get(stop) == Some(&true)
                && words.last().is_some_and(|word| !look_up(word).is(lexicon::NEGATOR))
        };
        let own = (theirs.is_empty() && aside(a, mine, edit.a.1)) || (mine.is_empty() && aside(b, theirs, edit.b.1));
        // "without a fee" is left out, not denied, where nothing is said of a fee.
        let without = |words: &[&str]| words.first() == Some(&"without");
        let own = own || theirs.is_empty() && without(mine) || mine.is_empty() && without(theirs);
        return (!known && !hedged && !own).then(|| Finding::relation("negation", spans));
    }
    if known {
        return Some(Finding::relation("antonym", spans));
    }
    let (here, there) = (strengths(mine), strengths(theirs));
    if !here.is_empty() && !there.is_empty() && !here.iter().any(|strength| there.contains(strength)) {
        return Some(Finding { kind: "modality", component: Component::Constraints, a: spans.0, b: spans.1 });
    }
    for one in a.entities(edit.a) {
        for other in b.entities(edit.b) {
            let kinds = one.kind == other.kind || one.quantity.is_some() && other.quantity.is_some();
            // A name where a date was: both open what was replaced, and neither stands elsewhere.
            let opens = (one.position, other.position) == (edit.a.0, edit.b.0) && !b.repeats(one) && !a.repeats(other);
            if (kinds || opens)
                && !moved(one, other, a, b)
                && let Some(kind) = other_thing(one, other, mine, theirs)
            {
                return Some(Finding { kind, component: Component::Entities, a: one.span, b: other.span });
            }
        }
    }
    let unit =
        other_unit(a, edit.a, b, edit.b).or_else(|| other_unit(b, edit.b, a, edit.a).map(|(one, other)| (other, one)));
    unit.map(|(one, other)| Finding { kind: "number", component: Component::Entities, a: one, b: other })
}

/// A unit whose place a word took that is none known: `78 %` against `78 points`.
fn other_unit(a: Side<'_, '_>, mine: Span, b: Side<'_, '_>, theirs: Span) -> Option<(Span, Span)> {
    let content = b.words(theirs).iter().any(|word| !look_up(word).is(lexicon::FUNCTION));
    let known = a.entities(mine).find(|entity| {
        mine.0 < mine.1
            && entity.stop == mine.1
            && entity.quantity.as_ref().is_some_and(|quantity| quantity.unit != 0 && quantity.kind != "count")
    })?;
    let bare = b.facts.entities.iter().find(|entity| {
        entity.sentence == b.index
            && entity.stop == theirs.0
            && entity.quantity.as_ref().is_some_and(|quantity| matches!(quantity.kind, "count" | "year"))
    })?;
    content.then(|| (known.span, (bare.span.0, b.span(theirs).1)))
}

/// Whether a word of one side excludes one of the other, of which one side lacks what the other has.
fn opposite((ours, a): (&[&str], Side<'_, '_>), (others, b): (&[&str], Side<'_, '_>)) -> bool {
    if ours.is_empty() || others.is_empty() {
        return false;
    }
    let (mine, theirs) = (content(ours, b), content(others, a));
    let excluded = |one: &str, other: &str| excludes(one, other) || (one != other && negated_form(one, other));
    mine.iter().any(|(one, lacks)| theirs.iter().any(|(other, lacked)| (*lacks || *lacked) && excluded(one, other)))
}

/// The stems of words that negate nothing, and whether the other sentence lacks the word.
fn content<'t>(words: &[&'t str], other: Side<'_, '_>) -> Vec<(Cow<'t, str>, bool)> {
    let known = words.iter().filter(|word| !look_up(word).is(lexicon::NEGATOR));
    known.map(|word| (stem(word), !other.sentence.words.contains(word))).collect()
}

fn strengths(words: &[&str]) -> Vec<Modality> {
    words
        .iter()
        .filter_map(|word| {
            let known = look_up(word);
            if known.is(lexicon::OBLIGING) {
                Some(Modality::Must)
            } else if known.is(lexicon::PERMITTING) {
                Some(Modality::May)
            } else {
                known.modality
            }
        })
        .collect()
}

/// The kind of the contradiction when an entity was replaced by another one; `None` when it may be the same.
fn other_thing(one: &Entity<'_>, other: &Entity<'_>, mine: &[&str], theirs: &[&str]) -> Option<&'static str> {
    if same(one, other, true) {
        return None;
    }
    let dated = one.kind == Kind::Date || other.kind == Kind::Date;
    match (one.quantity.is_some() && other.quantity.is_some(), dated) {
        (_, true) => return Some("date"),
        (true, false) => return Some("number"),
        (false, false) => {}
    }
    if one.kind != other.kind {
        return None;
    }
    if one.kind == Kind::Name {
        // "Virginia Medical Center" against "Virginia Medical Institute": a shared part makes no alias when just the
        // rest was replaced, word for word; "J." for "John" is the same name cut short.
        let cut_short = |(one, other): (&&str, &&str)| {
            let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
            short.chars().nth(2).is_none() && short.starts_with(long.get(..short.len().max(1)).unwrap_or(long))
        };
        let within = |short: &str, long: &str| {
            short.split_whitespace().all(|word| long.split_whitespace().any(|known| known == word))
        };
        if within(&one.key, &other.key) || within(&other.key, &one.key) {
            return None;
        }
        if mine.len() != theirs.len() || mine.iter().zip(theirs).any(cut_short) {
            return None;
        }
        if let (Some(last), Some(other_last)) = (mine.last(), theirs.last())
            && inflected(last, other_last)
        {
            return None;
        }
    }
    Some(name_of(one.kind))
}

/// The kind as evidence names it.
pub(crate) fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Number | Kind::Time => "number",
        Kind::Date => "date",
        Kind::Name | Kind::Opening => "name",
        Kind::Quote => "quote",
        Kind::Url => "url",
        Kind::Code => "code",
    }
}
