//! What can be read out of a text without a model: entities, negation and its scope, modals, the order of words.
//!
//! Invariants: one pass over the text; every fact keeps the span that it was read from, so that evidence can be shown;
//! nothing depends on the text that it will be compared with.

mod entities;
mod measure;

use std::borrow::Cow;

use entities::is_name;

use super::facts::{Entity, Facts, Kind, Places, Sentence, Span};
use super::lexicon::{self, Modality, Word, WordSet, look_up};
use super::scan::{Scanner, Token};

/// So many entities of a text are compared: each is held against each of the other text.
const MOST_ENTITIES: usize = 512;

/// Reads a text; `low` is its [`lowered`] form. Any text will do; what is not English is marked so.
pub(crate) fn extract<'t>(text: &'t str, low: &'t str) -> Facts<'t> {
    let mut reader = Reader::new(text, low);
    for (token, start, end) in Scanner::new(low, 0, low.len()) {
        reader.take(token, (start, end), true);
    }
    reader.done()
}

/// State of the pass: the open sentence, the scope of a negation, and a number that may still get a unit.
struct Reader<'t> {
    text: &'t str,
    low: &'t str,
    sentence: Sentence<'t>,
    closed: Vec<Sentence<'t>>,
    entities: Vec<Entity<'t>>,
    negated: bool,
    full: bool,
    parted: bool,
    answer: Option<(bool, Span)>,
    last: &'t str,
    hedge: Option<usize>,
    currency: Option<(&'static str, usize)>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, low: &'t str) -> Self {
        Self {
            text,
            low,
            sentence: Sentence::open(),
            closed: Vec::with_capacity(16),
            entities: Vec::with_capacity(16),
            negated: false,
            full: false,
            parted: false,
            answer: None,
            last: "",
            hedge: None,
            currency: None,
        }
    }

    fn cut(&self, (start, end): Span) -> &'t str {
        self.low.get(start..end).unwrap_or("")
    }

    fn after(&self, at: usize) -> &'t str {
        self.low.get(at..).unwrap_or("")
    }

    fn take(&mut self, token: Token, span: Span, nested: bool) {
        match token {
            Token::Word(joined) => self.word(span, joined),
            Token::End => {
                if !self.abbreviated(span) {
                    self.close();
                }
            }
            Token::Separator => {
                self.negated = false;
                self.parted = true;
                self.last = self.cut(span);
            }
            Token::Number => self.number(span),
            Token::Unit => self.unit(span),
            Token::Date(found) => {
                let kind = if found.kind == "time" { Kind::Time } else { Kind::Date };
                let position = self.push(self.cut(span), span);
                self.entity(kind, Cow::Borrowed(""), position, Some(*found));
            }
            Token::Url => {
                let url = self.cut(span);
                let (_, host) = url.split_once("://").unwrap_or(("", url));
                let key = host.strip_prefix("www.").unwrap_or(host).trim_end_matches('/');
                self.whole(Kind::Url, Cow::Borrowed(key), span);
            }
            Token::Code => {
                let code = self.text.get(span.0..span.1).unwrap_or("");
                // What follows an opening fence names the language, and is no code.
                let fenced = code.strip_prefix("```").and_then(|inside| inside.split_once('\n'));
                let code = fenced.map_or(code, |(_, code)| code).trim_matches('`');
                self.whole(Kind::Code, Cow::Owned(code.split_whitespace().collect::<Vec<_>>().join(" ")), span);
            }
            Token::Quote => self.quote(span, nested),
            Token::Name => self.whole(Kind::Name, Cow::Borrowed(self.cut(span)), span),
        }
    }

    /// Whether a full stop belongs to the word before it: `John S. Wolf`, `U.S. trade`, `Dr. Keller`, `No. 5`.
    fn abbreviated(&self, (start, end): Span) -> bool {
        let rest = self.after(end);
        if self.cut((start, end)) != "." || !rest.starts_with(' ') {
            return false;
        }
        let (Some(word), Some(position)) = (self.sentence.words.last(), self.sentence.positions.last()) else {
            return false;
        };
        if position.1 != start {
            return false;
        }
        let initial = self.text.get(position.0..position.1).is_some_and(|word| {
            let mut letters = word.chars();
            letters.next().is_some_and(char::is_uppercase) && letters.next().is_none() && word != "I"
        });
        initial
            || look_up(word).is(lexicon::TITLE)
            || (*word == "no" && rest.trim_start().starts_with(|next: char| next.is_ascii_digit()))
    }

    fn push(&mut self, norm: &'t str, span: Span) -> usize {
        self.sentence.words.push(norm);
        self.sentence.positions.push(span);
        self.sentence.parted.push(std::mem::take(&mut self.parted));
        self.last = norm;
        self.sentence.words.len() - 1
    }

    fn close(&mut self) {
        let sentence = &mut self.sentence;
        if !sentence.negators.is_empty() && !sentence.stems.iter().any(|stem| stem.negated) {
            // Nothing follows the negator: it speaks of what came before ("is played by nobody").
            let until = sentence.negators.last().map_or(0, |negator| negator.0);
            for stem in sentence.stems.iter_mut().filter(|stem| stem.span.0 < until) {
                stem.negated = true;
            }
        }
        self.negated = false;
        self.parted = false;
        self.currency = None;
        self.last = "";
        self.hedge = None;
        if !sentence.words.is_empty() {
            self.closed.push(sentence.close());
        }
    }

    fn word(&mut self, span: Span, joined: bool) {
        let raw = self.cut(span);
        let (start, end) = span;
        let first = self.text.as_bytes().get(start).copied().unwrap_or(0);
        let capital = if first.is_ascii() {
            first.is_ascii_uppercase()
        } else {
            self.text.get(start..end).and_then(|word| word.chars().next()).is_some_and(char::is_uppercase)
        };
        self.sentence.capitals += usize::from(capital);
        if joined && let Some(root) = raw.strip_suffix("n't").or_else(|| raw.strip_suffix("n’t")) {
            let low = match root {
                "" => "do",
                "ca" => "can",
                "wo" => "will",
                "sha" => "shall",
                other => other,
            };
            let cut = start + root.len();
            self.modality(low, look_up(low), span);
            self.push(low, (start, if root.is_empty() { end } else { cut }));
            self.push("n't", (cut, end));
            self.negate((cut, end));
            return;
        }
        let low = if joined { raw.split(['\'', '’']).next().unwrap_or(raw) } else { raw };
        let known = look_up(low);
        if let Some(value) = known.number
            && (low != "one" || !self.sentence.words.is_empty())
        {
            self.push(low, span);
            self.spelled(value, end);
            return;
        }
        let previous = self.last;
        let position = self.push(low, span);
        if position == 0 && self.closed.is_empty() && known.is(lexicon::YES | lexicon::NO) {
            let rest = self.after(end);
            let stands_alone = rest.is_empty()
                || rest.starts_with([',', '.', '!', ';', ':', '\n'])
                || [" —", " –", " -"].iter().any(|dash| rest.starts_with(dash));
            if stands_alone {
                self.answer = Some((known.is(lexicon::YES), span));
                self.last = ",";
                return;
            }
        }
        if let Some(factor) = known.scale
            && self.scale(low, factor, end)
        {
            return;
        }
        if self.counted(position) {
            let unit = known.unit.map(|unit| (low, unit)).or_else(|| {
                let single = low.strip_suffix('s')?;
                look_up(single).unit.map(|unit| (single, unit))
            });
            if let Some((name, (kind, factor))) = unit
                && self.measured(name, kind, factor, end)
            {
                return;
            }
        }
        if known.is(lexicon::NEGATOR) {
            self.negate(span);
            return;
        }
        if (matches!(previous, "not" | "n't") && known.is(lexicon::AFTER_NOT))
            || (previous == "no" && known.is(lexicon::AFTER_NO))
        {
            self.negated = false;
            self.sentence.negators.pop();
        }
        self.modality(low, known, span);
        if known.is(lexicon::HEDGE) {
            self.hedge = Some(position);
        }
        if capital && known.weekday > 0 {
            self.entity(Kind::Date, Cow::Owned(format!("weekday {}", known.weekday)), position, None);
            return;
        }
        if capital && known.month > 0 && (!matches!(low, "may" | "march") || dates(previous)) {
            self.entity(Kind::Date, Cow::Owned(format!("month {}", known.month)), position, None);
            return;
        }
        if known.is(lexicon::FUNCTION) {
            if known.is(lexicon::CONJUNCTION)
                || (known.is(lexicon::AUXILIARY) && matches!(previous, "and" | "or" | ","))
                || (self.negated && previous == "and" && known.is(lexicon::PRONOUN | lexicon::DETERMINER))
            {
                self.negated = false;
            }
            return;
        }
        self.sentence.add(known.stem(low), self.negated, span);
        if capital && !known.is(lexicon::TITLE) {
            self.name(low, span, position);
        }
    }

    fn negate(&mut self, span: Span) {
        // A second negator in the same scope takes the first one back: "not without", "never not".
        self.negated = !self.negated;
        self.sentence.negators.push(span);
    }

    fn modality(&mut self, low: &str, known: &Word, span: Span) {
        if let Some(modality) = known.modality {
            self.sentence.modal(modality, span);
        } else if low == "to" && matches!(self.before_last(), "have" | "has" | "had") {
            self.sentence.modal(Modality::Must, span);
        }
    }

    fn before_last(&self) -> &'t str {
        let words = &self.sentence.words;
        words.len().checked_sub(2).and_then(|position| words.get(position)).copied().unwrap_or("")
    }

    fn done(mut self) -> Facts<'t> {
        self.close();
        if self.closed.is_empty() {
            self.closed.push(Sentence::default());
        }
        let mut named: WordSet<&str> = WordSet::default();
        for entity in &self.entities {
            if entity.kind == Kind::Name {
                named.insert(entity.key.as_ref());
            }
        }
        let mut sure = Vec::with_capacity(self.entities.len());
        for entity in &self.entities {
            let words = self.closed.get(entity.sentence).map_or(&[][..], |sentence| &sentence.words);
            sure.push(entity.kind != Kind::Opening || is_name(entity, words, named.contains(entity.key.as_ref())));
        }
        let mut sure = sure.into_iter();
        self.entities.retain(|_| sure.next().unwrap_or(false));
        for entity in &mut self.entities {
            let words = self.closed.get(entity.sentence).map_or(&[][..], |sentence| &sentence.words);
            entity.left = before(words, entity.position);
            entity.right = behind(words, entity.stop);
            let next = self.low.get(entity.span.1..).unwrap_or("");
            entity.heading = next.trim_start_matches(['*', '_', ')', '"']).starts_with(':');
            if entity.kind == Kind::Opening {
                entity.kind = Kind::Name;
            }
        }
        let words = self.closed.iter().flat_map(|sentence| sentence.words.iter().copied());
        let places = Places::new(words);
        Facts { cut: self.full, places, sentences: self.closed, entities: self.entities, answer: self.answer }
    }
}

/// Whether a capitalised May or March after this word is the month.
fn dates(before: &str) -> bool {
    look_up(before).is(lexicon::PREPOSITION) || matches!(before, "late" | "early" | "mid" | "last" | "next" | "every")
}

/// The nearest word before `position` that is no determiner.
fn before<'t>(words: &[&'t str], position: usize) -> &'t str {
    words
        .get(..position)
        .and_then(|head| head.iter().rev().find(|word| !look_up(word).is(lexicon::DETERMINER)))
        .copied()
        .unwrap_or("^")
}

/// The nearest word from `position` on that is no determiner.
fn behind<'t>(words: &[&'t str], position: usize) -> &'t str {
    words
        .get(position..)
        .and_then(|tail| tail.iter().find(|word| !look_up(word).is(lexicon::DETERMINER)))
        .copied()
        .unwrap_or("$")
}
