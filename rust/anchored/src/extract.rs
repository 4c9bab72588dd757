//! What can be read out of a text without a model: entities, negation and its scope, modals, the order of words.
//!
//! Invariants: one pass over the text; every fact keeps the span that it was read from, so that evidence can be shown;
//! nothing depends on the text that it will be compared with.

use std::borrow::Cow;

use super::lexicon::{self, Modality, Word, WordMap, WordSet, look_up, mark, stem};
use super::quantities::{Quantity, parse_number};
use super::scan::{Scanner, Token};

/// Bytes of a text, from its first to the one after its last.
pub(crate) type Span = (usize, usize);

/// So many entities of a text are compared: each is held against each of the other text.
const MOST_ENTITIES: usize = 512;

/// What kind of thing two answers must agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Number,
    Date,
    Time,
    Name,
    Quote,
    Url,
    Code,
    /// A capitalised first word that may be a name.
    Opening,
}

/// One thing that two answers must agree on, and where it stands.
#[derive(Debug)]
pub(crate) struct Entity<'t> {
    pub kind: Kind,
    /// The comparable form of all that has no quantity.
    pub key: Cow<'t, str>,
    pub span: Span,
    pub sentence: usize,
    /// Of its first token in the sentence; `stop` is after its last one.
    pub place: usize,
    pub stop: usize,
    pub quantity: Option<Quantity>,
    pub hedged: bool,
    /// A colon follows: the word names what comes, as headings do.
    pub heading: bool,
    /// The nearest words beside it that are no determiners; `^` and `$` at the ends of the sentence.
    pub left: &'t str,
    pub right: &'t str,
}

/// A content word of a sentence.
#[derive(Debug)]
pub(crate) struct Stem<'t> {
    pub root: Cow<'t, str>,
    /// Whether it lies in the scope of a negation.
    pub negated: bool,
    pub span: Span,
}

/// Content stems with their polarity, and what else was said in the sentence.
#[derive(Default, Debug)]
pub(crate) struct Sentence<'t> {
    /// In the order of first mention.
    pub stems: Vec<Stem<'t>>,
    /// Beside ``stems``: their marks, which are quicker to search.
    marks: Vec<u64>,
    pub negators: Vec<Span>,
    /// In the order of first mention.
    pub modals: Vec<(Modality, Span)>,
    /// Words that begin with a capital: in a headline they say nothing about names.
    pub capitals: usize,
    /// Every token in order, lower case, and where it stands.
    pub words: Vec<&'t str>,
    pub places: Vec<Span>,
    /// Whether a comma, a bracket, a colon or a dash stands right before the token.
    pub parted: Vec<bool>,
}

/// Words that most sentences do not exceed: room for them is made at once.
const ROOM: usize = 24;

impl<'t> Sentence<'t> {
    /// An empty sentence with room for its words.
    fn open() -> Self {
        Self {
            stems: Vec::with_capacity(ROOM),
            marks: Vec::with_capacity(ROOM),
            words: Vec::with_capacity(ROOM),
            places: Vec::with_capacity(ROOM),
            parted: Vec::with_capacity(ROOM),
            ..Self::default()
        }
    }

    pub fn stem(&self, root: &str) -> Option<&Stem<'t>> {
        self.place_of(root).and_then(|place| self.stems.get(place))
    }

    pub fn place_of(&self, root: &str) -> Option<usize> {
        let sought = mark(root);
        let place = self.marks.iter().position(|known| *known == sought)?;
        self.stems.get(place).is_some_and(|stem| stem.root == root).then_some(place)
    }

    pub fn has(&self, root: &str) -> bool {
        self.place_of(root).is_some()
    }

    fn add(&mut self, root: Cow<'t, str>, negated: bool, span: Span) {
        if let Some(place) = self.place_of(&root) {
            if let Some(known) = self.stems.get_mut(place) {
                known.negated |= negated;
            }
        } else {
            self.marks.push(mark(&root));
            self.stems.push(Stem { root, negated, span });
        }
    }

    fn modal(&mut self, modality: Modality, span: Span) {
        if !self.modals.iter().any(|(known, _)| *known == modality) {
            self.modals.push((modality, span));
        }
    }
}

/// Everything read out of one text.
#[derive(Debug)]
pub(crate) struct Facts<'t> {
    pub sentences: Vec<Sentence<'t>>,
    pub entities: Vec<Entity<'t>>,
    /// Yes or no when the text opens with it, and where.
    pub answer: Option<(bool, Span)>,
    pub english: bool,
    /// There were more than [`MOST_ENTITIES`].
    pub cut: bool,
    /// Each word and where it stands among all; `None` when it stands there more than once.
    pub places: WordMap<&'t str, Option<usize>>,
}

/// Lower case, byte for byte beside `text`: a letter whose lower case has another length stays as it is.
pub(crate) fn lowered(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .map(|letter| {
            let mut low = letter.to_lowercase();
            match (low.next(), low.next()) {
                (Some(one), None) if one.len_utf8() == letter.len_utf8() => one,
                _ => letter,
            }
        })
        .collect()
}

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
    total: usize,
    functional: usize,
    foreign: usize,
    accented: usize,
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
            closed: Vec::new(),
            entities: Vec::new(),
            negated: false,
            full: false,
            parted: false,
            total: 0,
            functional: 0,
            foreign: 0,
            accented: 0,
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
            Token::Word => self.word(span),
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
                let place = self.push(self.cut(span), span);
                self.entity(kind, Cow::Borrowed(""), place, Some(found));
            }
            Token::Url => {
                let url = self.cut(span);
                let (_, host) = url.split_once("://").unwrap_or(("", url));
                let key = host.strip_prefix("www.").unwrap_or(host).trim_end_matches('/');
                self.whole(Kind::Url, Cow::Borrowed(key), span);
            }
            Token::Code => {
                let code = self.text.get(span.0..span.1).unwrap_or("").trim_matches('`');
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
        let (Some(word), Some(place)) = (self.sentence.words.last(), self.sentence.places.last()) else { return false };
        if place.1 != start {
            return false;
        }
        let initial = self.text.get(place.0..place.1).is_some_and(|word| {
            let mut letters = word.chars();
            letters.next().is_some_and(char::is_uppercase) && letters.next().is_none() && word != "I"
        });
        initial
            || look_up(word).is(lexicon::TITLE)
            || (*word == "no" && rest.trim_start().starts_with(|next: char| next.is_ascii_digit()))
    }

    fn push(&mut self, norm: &'t str, span: Span) -> usize {
        self.sentence.words.push(norm);
        self.sentence.places.push(span);
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
            self.closed.push(std::mem::replace(sentence, Sentence::open()));
        }
    }

    fn word(&mut self, span: Span) {
        let raw = self.cut(span);
        let (start, end) = span;
        self.total += 1;
        let capital = self.text.get(start..end).and_then(|word| word.chars().next()).is_some_and(char::is_uppercase);
        self.sentence.capitals += usize::from(capital);
        if let Some(root) = raw.strip_suffix("n't").or_else(|| raw.strip_suffix("n’t")) {
            let low = match root {
                "" => "do",
                "ca" => "can",
                "wo" => "will",
                "sha" => "shall",
                other => other,
            };
            let cut = start + root.len();
            self.functional += 1;
            self.modality(low, look_up(low), span);
            self.push(low, (start, if root.is_empty() { end } else { cut }));
            self.push("n't", (cut, end));
            self.negate((cut, end));
            return;
        }
        let low = raw.split(['\'', '’']).next().unwrap_or(raw);
        let known = look_up(low);
        if let Some(value) = known.number
            && (low != "one" || !self.sentence.words.is_empty())
        {
            self.push(low, span);
            self.spelled(value, end);
            return;
        }
        let previous = self.last;
        let place = self.push(low, span);
        if place == 0 && self.closed.is_empty() && known.is(lexicon::YES | lexicon::NO) {
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
        let unit = known.unit.map(|unit| (low, unit)).or_else(|| {
            let single = low.strip_suffix('s')?;
            look_up(single).unit.map(|unit| (single, unit))
        });
        if let Some((name, (kind, factor))) = unit
            && self.measured(name, kind, factor, end)
        {
            return;
        }
        if known.is(lexicon::NEGATOR) {
            self.functional += 1;
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
            self.hedge = Some(place);
        }
        if capital && known.weekday > 0 {
            self.entity(Kind::Date, Cow::Owned(format!("weekday {}", known.weekday)), place, None);
            return;
        }
        if capital && known.month > 0 && (!matches!(low, "may" | "march") || dates(previous)) {
            self.entity(Kind::Date, Cow::Owned(format!("month {}", known.month)), place, None);
            return;
        }
        if known.is(lexicon::FUNCTION) {
            self.functional += 1;
            if known.is(lexicon::CONJUNCTION)
                || (known.is(lexicon::AUXILIARY) && matches!(previous, "and" | "or" | ","))
                || (self.negated && previous == "and" && known.is(lexicon::PRONOUN | lexicon::DETERMINER))
            {
                self.negated = false;
            }
            return;
        }
        self.accented += usize::from(!low.is_ascii());
        self.foreign += usize::from(known.is(lexicon::FOREIGN));
        self.sentence.add(known.stem(low), self.negated, span);
        if capital && !known.is(lexicon::TITLE) {
            self.name(low, span, place);
        }
    }

    fn negate(&mut self, span: Span) {
        // A second negator in the same scope takes the first one back: "not without", "never not".
        self.negated = !self.negated;
        self.sentence.negators.push(span);
    }

    fn modality(&mut self, low: &str, known: Word, span: Span) {
        if let Some(modality) = known.modality {
            self.sentence.modal(modality, span);
        } else if low == "to" && matches!(self.before_last(), "have" | "has" | "had") {
            self.sentence.modal(Modality::Must, span);
        }
    }

    fn before_last(&self) -> &'t str {
        let words = &self.sentence.words;
        words.len().checked_sub(2).and_then(|place| words.get(place)).copied().unwrap_or("")
    }

    /// A capitalised word: joined to the name before it, or a new one, when it is not merely first in its sentence.
    fn name(&mut self, low: &'t str, (start, end): Span, place: usize) {
        let sentence = self.closed.len();
        if let Some(before) = self.entities.last_mut()
            && before.kind == Kind::Name
            && before.sentence == sentence
            && before.stop == place
            && !self.sentence.parted.last().copied().unwrap_or(false)
            && self.low.get(before.span.1..start).is_some_and(|gap| !gap.contains(['"', '“', '”', '|', '/', '*']))
        {
            let key = before.key.to_mut();
            key.push(' ');
            key.push_str(low);
            before.span.1 = end;
            before.stop = place + 1;
            return;
        }
        let shouted = self.text.get(start..end).is_some_and(|word| !word.chars().any(char::is_lowercase));
        let kind = if place == 0 && !shouted { Kind::Opening } else { Kind::Name };
        self.entity(kind, Cow::Borrowed(low), place, None);
    }

    fn quote(&mut self, span: Span, nested: bool) {
        let (start, end) = span;
        let whole = self.cut(span);
        let inner = whole.trim_start_matches(['"', '“', '`']).trim_end_matches(['"', '”', '\'']).trim();
        if !nested || inner.split_whitespace().count() <= 5 {
            let key = inner.split_whitespace().collect::<Vec<_>>().join(" ");
            self.whole(Kind::Quote, Cow::Owned(key.trim_end_matches(['.', ',', '!', '?', ' ']).to_owned()), span);
            return;
        }
        let open = if whole.starts_with('`') { 2 } else { whole.chars().next().map_or(1, char::len_utf8) };
        let close = if whole.starts_with('`') { 2 } else { whole.chars().next_back().map_or(1, char::len_utf8) };
        for (token, from, to) in Scanner::new(self.low, start + open, end - close) {
            self.take(token, (from, to), false);
        }
    }

    /// An entity that is one token.
    fn whole(&mut self, kind: Kind, key: Cow<'t, str>, span: Span) {
        let place = self.push(self.cut(span), span);
        self.entity(kind, key, place, None);
    }

    fn entity(&mut self, kind: Kind, key: Cow<'t, str>, place: usize, quantity: Option<Quantity>) {
        if self.entities.len() >= MOST_ENTITIES {
            self.full = true;
            return;
        }
        let span = self.sentence.places.get(place).copied().unwrap_or_default();
        let hedged = self.hedge.is_some_and(|hedge| hedge <= place && place - hedge <= 2);
        self.entities.push(Entity {
            kind,
            key,
            span,
            sentence: self.closed.len(),
            place,
            stop: place + 1,
            quantity,
            hedged,
            heading: false,
            left: "",
            right: "",
        });
    }

    fn number(&mut self, span: Span) {
        let (start, end) = span;
        let raw = self.cut(span);
        let Some((value, precision)) = parse_number(raw) else {
            self.whole(Kind::Name, Cow::Borrowed(raw), span);
            return;
        };
        let place = self.push(raw, span);
        if !raw.contains('.') && ["st", "nd", "rd", "th"].iter().any(|suffix| self.after(end).starts_with(suffix)) {
            self.entity(Kind::Number, Cow::Borrowed(""), place, Some(Quantity::new("ordinal", value)));
            return;
        }
        let year = raw.len() == 4 && raw.starts_with(['1', '2']) && raw.bytes().all(|digit| digit.is_ascii_digit());
        let currency = self.currency.take();
        let kind = currency.map_or(if year { "year" } else { "count" }, |(kind, _)| kind);
        let unit = currency.map_or(0, |(kind, _)| mark(kind));
        let quantity = Quantity { unit, precision, ..Quantity::new(kind, value) };
        self.entity(Kind::Number, Cow::Borrowed(""), place, Some(quantity));
        let sentence = self.closed.len();
        if let (Some((_, sign)), Some(made)) = (currency, self.entities.last_mut())
            && (made.sentence, made.place) == (sentence, place)
        {
            made.span = (sign.min(start), end);
        }
    }

    fn spelled(&mut self, value: f64, end: usize) {
        let place = self.sentence.words.len() - 1;
        if let Some(before) = self.open_number(place)
            && before.key == "spelled"
            && let Some(quantity) = &mut before.quantity
            && quantity.kind == "count"
            && quantity.precision == 0.0
        {
            let known = quantity.value;
            let tens = (20.0..=90.0).contains(&(known % 100.0)) && known % 10.0 == 0.0 && value < 10.0;
            let hundreds = known >= 100.0 && known % 100.0 == 0.0 && value < 100.0;
            if tens || hundreds {
                quantity.value += value;
                before.span.1 = end;
                before.stop += 1;
                return;
            }
        }
        self.entity(Kind::Number, Cow::Borrowed("spelled"), place, Some(Quantity::new("count", value)));
    }

    /// The number whose last token stands right before the token at `place`.
    fn open_number(&mut self, place: usize) -> Option<&mut Entity<'t>> {
        let sentence = self.closed.len();
        self.entities
            .last_mut()
            .filter(|before| before.sentence == sentence && before.stop == place && before.kind == Kind::Number)
    }

    fn scale(&mut self, low: &str, factor: f64, end: usize) -> bool {
        let place = self.sentence.words.len() - 1;
        let Some(before) = self.open_number(place) else { return false };
        let glued = before.span.1 + 1 == end;
        let Some(quantity) = &mut before.quantity else { return false };
        // 5m are metres, $5m are millions.
        if quantity.kind == "ordinal"
            || (matches!(low, "k" | "m") && !glued)
            || (low == "m" && !quantity.kind.starts_with("money"))
        {
            return false;
        }
        quantity.value *= factor;
        // "114 million" is rounded to the million, though its digits are whole.
        let written = if factor >= 1e6 && quantity.precision == 0.0 { 0.5 } else { quantity.precision };
        quantity.precision = written * factor;
        before.span.1 = end;
        before.stop += 1;
        true
    }

    /// Gives the open number this unit, which is the token just pushed.
    fn measured(&mut self, name: &str, kind: &'static str, factor: f64, end: usize) -> bool {
        let place = self.sentence.words.len() - 1;
        let Some(before) = self.open_number(place) else { return false };
        let Some(quantity) = &mut before.quantity else { return false };
        let exact = quantity.kind == "temperature" && matches!(name, "celsius" | "fahrenheit");
        // "5 in" is five inches, "5 in the box" is not.
        if (!exact && !matches!(quantity.kind, "count" | "year")) || name == "in" {
            return false;
        }
        quantity.kind = kind;
        quantity.value *= factor;
        quantity.precision *= factor;
        quantity.unit = mark(name);
        before.span.1 = end;
        before.stop += 1;
        true
    }

    fn unit(&mut self, span: Span) {
        let (start, end) = span;
        let low = self.cut(span);
        let Some((kind, factor)) = look_up(low).unit else { return };
        if matches!(low, "$" | "€" | "£" | "¥") {
            self.currency = Some((kind, start));
            let next = self.after(end);
            let closes = next.is_empty() || next.starts_with([' ', '.', ',']);
            let place = self.sentence.words.len();
            if let Some(before) = self.open_number(place)
                && before.span.1 == start
                && closes
                && let Some(quantity) = &mut before.quantity
            {
                quantity.kind = kind;
                quantity.unit = mark(kind);
                before.span.1 = end;
                self.currency = None;
            }
            return;
        }
        self.push(low, span);
        self.measured(low, kind, factor, end);
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
            entity.left = before(words, entity.place);
            entity.right = behind(words, entity.stop);
            let next = self.low.get(entity.span.1..).unwrap_or("");
            entity.heading = next.trim_start_matches(['*', '_', ')', '"']).starts_with(':');
            if entity.kind == Kind::Opening {
                entity.kind = Kind::Name;
            }
        }
        let english = self.foreign <= self.functional && self.accented * 10 <= self.total * 3;
        let words = self.closed.iter().flat_map(|sentence| &sentence.words);
        let mut places: WordMap<&str, Option<usize>> = WordMap::default();
        places.reserve(self.closed.iter().map(|sentence| sentence.words.len()).sum());
        for (place, word) in words.enumerate() {
            places.entry(word).and_modify(|known| *known = None).or_insert(Some(place));
        }
        Facts { cut: self.full, places, sentences: self.closed, entities: self.entities, answer: self.answer, english }
    }
}

/// Whether a capitalised May or March after this word is the month.
fn dates(before: &str) -> bool {
    look_up(before).is(lexicon::PREPOSITION) || matches!(before, "late" | "early" | "mid" | "last" | "next" | "every")
}

/// The nearest word before `place` that is no determiner.
fn before<'t>(words: &[&'t str], place: usize) -> &'t str {
    words
        .get(..place)
        .and_then(|head| head.iter().rev().find(|word| !look_up(word).is(lexicon::DETERMINER)))
        .copied()
        .unwrap_or("^")
}

/// The nearest word from `place` on that is no determiner.
fn behind<'t>(words: &[&'t str], place: usize) -> &'t str {
    words
        .get(place..)
        .and_then(|tail| tail.iter().find(|word| !look_up(word).is(lexicon::DETERMINER)))
        .copied()
        .unwrap_or("$")
}

/// Whether a capitalised first word is a name and not just first.
///
/// English puts an article before a single countable noun; one that stands bare before a verb in the singular is a
/// name.
fn is_name(entity: &Entity<'_>, words: &[&str], named: bool) -> bool {
    if entity.stop - entity.place > 1 || named || words.len() == 1 {
        return true;
    }
    let following = look_up(words.get(entity.stop).copied().unwrap_or(""));
    let key = entity.key.as_ref();
    if key.ends_with('s') && !following.is(lexicon::SINGULAR) {
        return false;
    }
    let plain = ["ing", "ly", "ness", "tion"].iter().any(|ending| key.ends_with(ending))
        || !lexicon::opposites(&stem(key)).is_empty();
    following.is(lexicon::AFTER_A_NAME) && !plain
}
