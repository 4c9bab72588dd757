//! The facts of a text: sentences with their words, stems and negation, and the entities that two answers must agree on.
//!
//! Invariant: every fact keeps the span that it was read from, so that evidence can be shown.

use std::borrow::Cow;

use memchr::memmem;

use super::lexicon::{Modality, mark};
use super::quantities::Quantity;

/// Bytes of a text, from its first to the one after its last.
pub(crate) type Span = (usize, usize);

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
    pub position: usize,
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
    pub positions: Vec<Span>,
    /// Whether a comma, a bracket, a colon or a dash stands right before the token.
    pub parted: Vec<bool>,
}

/// Words that most sentences do not exceed: room for them is made at once.
const ROOM: usize = 24;

impl<'t> Sentence<'t> {
    /// An empty sentence with room for its words.
    pub fn open() -> Self {
        Self {
            stems: Vec::with_capacity(ROOM),
            marks: Vec::with_capacity(ROOM),
            words: Vec::with_capacity(ROOM),
            positions: Vec::with_capacity(ROOM),
            parted: Vec::with_capacity(ROOM),
            ..Self::default()
        }
    }

    /// Those of its stems, in their order.
    pub fn marks(&self) -> &[u64] {
        &self.marks
    }

    pub fn stem(&self, root: &str) -> Option<&Stem<'t>> {
        self.position_of(root).and_then(|position| self.stems.get(position))
    }

    /// What was read so far, in no more room than it needs; what was begun is empty again and keeps its room.
    pub fn close(&mut self) -> Self {
        let closed = Self {
            stems: self.stems.drain(..).collect(),
            marks: self.marks.clone(),
            negators: std::mem::take(&mut self.negators),
            modals: std::mem::take(&mut self.modals),
            capitals: std::mem::take(&mut self.capitals),
            words: self.words.clone(),
            positions: self.positions.clone(),
            parted: self.parted.clone(),
        };
        self.marks.clear();
        self.words.clear();
        self.positions.clear();
        self.parted.clear();
        closed
    }

    pub fn position_of(&self, root: &str) -> Option<usize> {
        self.marked(mark(root), root)
    }

    fn marked(&self, sought: u64, root: &str) -> Option<usize> {
        let position = self.marks.iter().position(|known| *known == sought)?;
        self.stems.get(position).is_some_and(|stem| stem.root == root).then_some(position)
    }

    pub fn has(&self, root: &str) -> bool {
        self.position_of(root).is_some()
    }

    pub fn add(&mut self, root: Cow<'t, str>, negated: bool, span: Span) {
        let sought = mark(&root);
        if let Some(position) = self.marked(sought, &root) {
            if let Some(known) = self.stems.get_mut(position) {
                known.negated |= negated;
            }
        } else {
            self.marks.push(sought);
            self.stems.push(Stem { root, negated, span });
        }
    }

    pub fn modal(&mut self, modality: Modality, span: Span) {
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
    /// There were more than [`MOST_ENTITIES`].
    pub cut: bool,
    pub places: Places,
}

/// Each word of a text and where it stands among all; `None` when it stands there more than once. By mark, in order.
#[derive(Debug)]
pub(crate) struct Places(Vec<(u64, Option<usize>)>);

impl Places {
    pub fn new<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        // Both in one number, which is quick to sort.
        let mut all: Vec<u128> =
            (0_u128..).zip(words).map(|(position, word)| u128::from(mark(word)) << 64 | position).collect();
        all.sort_unstable();
        let mut once: Vec<(u64, Option<usize>)> = Vec::with_capacity(all.len());
        for (word, position) in all.into_iter().map(|both| ((both >> 64) as u64, both as usize)) {
            match once.last_mut() {
                Some((known, place)) if *known == word => *place = None,
                _ => once.push((word, Some(position))),
            }
        }
        Self(once)
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.binary_search_by_key(&mark(word), |(known, _)| *known).is_ok()
    }

    /// Words that stand once.
    pub fn singles(&self) -> usize {
        self.0.iter().filter(|(_, place)| place.is_some()).count()
    }

    /// Where words stand that are once in either text, in no order.
    pub fn shared(&self, other: &Self) -> Vec<(usize, usize)> {
        let mut found = Vec::with_capacity(self.0.len().min(other.0.len()));
        let mut theirs = other.0.as_slice();
        for (word, place) in &self.0 {
            let skipped = theirs.iter().take_while(|(known, _)| known < word).count();
            theirs = theirs.get(skipped..).unwrap_or(&[]);
            if let (Some(here), Some((known, Some(there)))) = (place, theirs.first())
                && known == word
            {
                found.push((*here, *there));
            }
        }
        found
    }
}

/// Lower case, byte for byte beside `text`: a letter whose lower case has another length stays as it is, and so does `US`,
/// the country, which is no `us`.
pub(crate) fn lowered(text: &str) -> String {
    let mut low = lower(text);
    let found = memmem::find_iter(text.as_bytes(), b"US").collect::<Vec<_>>();
    for at in found {
        let alone = |beside: Option<char>| beside.is_none_or(|letter| !letter.is_alphanumeric() && letter != '_');
        // In a headline of capitals it may be the pronoun.
        let shouted = |word: Option<&str>| {
            word.is_some_and(|word| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_uppercase()))
        };
        let (before, behind) = (text.get(..at).unwrap_or(""), text.get(at + 2..).unwrap_or(""));
        if alone(before.chars().next_back())
            && alone(behind.chars().next())
            && !behind.starts_with('$')
            && !shouted(before.split_ascii_whitespace().next_back())
            && !shouted(behind.split_ascii_whitespace().next())
        {
            low.replace_range(at..at + 2, "US");
        }
    }
    low
}

fn lower(text: &str) -> String {
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
