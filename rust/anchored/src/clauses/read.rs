//! Reads a text of one of the six languages into sentences, clauses, and the words of both with their classes.
//!
//! Invariant: every token keeps the bytes that it was read from; nothing depends on the text that it is compared with.

use std::borrow::Cow;

use super::segments::{Form, Segment, segments};
pub(crate) use super::tokens::Token;
use super::tokens::{Tokenizer, straight};
use super::vocabulary::{self as words, Flags, Vocabulary, root_and_sense, vocabulary};
use crate::facts::Span;
use crate::language::Language;
use crate::lexicon::mark;

/// What a text says of: a content word's root, or two signs that stand together where words have no spaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub root: u64,
    /// Of a word, its concept.
    concept: u64,
    pub token: usize,
}

/// Part of a sentence with a predicate of its own, as near as can be told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clause {
    pub tokens: (usize, usize),
    pub terms: (usize, usize),
    pub sentence: usize,
    /// All classes of its words.
    pub flags: Flags,
    /// Words that negate, and those that do so by their meaning.
    pub negators: usize,
    pub weak: usize,
}

impl Clause {
    pub fn is(&self, flags: Flags) -> bool {
        self.flags & flags != 0
    }

    /// Whether what it says is negated: two negations take each other back.
    pub fn negative(&self) -> bool {
        (self.negators + self.weak) % 2 == 1
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sentence {
    pub span: Span,
    pub form: Form,
    pub asks: bool,
    pub tokens: (usize, usize),
    pub terms: (usize, usize),
}

/// A text as read.
#[derive(Debug)]
pub(crate) struct Text {
    pub words: &'static Vocabulary,
    pub tokens: Vec<Token>,
    pub terms: Vec<Term>,
    pub clauses: Vec<Clause>,
    pub sentences: Vec<Sentence>,
    /// There were more than [`MOST_SENTENCES`].
    pub cut: bool,
    /// It has apostrophes that are not straight.
    curled: bool,
}

/// So many sentences are read: each is held against each of the other text.
pub(crate) const MOST_SENTENCES: usize = 400;
/// A comma begins a clause of so many words at least, if they have a verb.
const LEAST: usize = 4;
/// A colon behind so few words ends no clause.
const NAME: usize = 3;

impl Text {
    /// Reads a text in lower case.
    pub fn read(low: &str, language: Language) -> Self {
        let words = vocabulary(language);
        let room = low.len() / 5 + 8;
        let mut read = Self {
            words,
            tokens: Vec::with_capacity(room),
            terms: Vec::with_capacity(room),
            clauses: Vec::with_capacity(32),
            sentences: Vec::with_capacity(16),
            cut: false,
            curled: low.contains('’'),
        };
        for segment in segments(low) {
            if read.sentences.len() == MOST_SENTENCES {
                read.cut = true;
                break;
            }
            read.sentence(low, language, segment);
        }
        read
    }

    pub fn tokens(&self, (start, end): (usize, usize)) -> &[Token] {
        self.tokens.get(start..end).unwrap_or(&[])
    }

    pub fn terms(&self, (start, end): (usize, usize)) -> &[Term] {
        self.terms.get(start..end).unwrap_or(&[])
    }

    /// The clauses of these sentences, each with its number.
    pub fn clauses_of<'s>(&'s self, sentences: &'s [usize]) -> impl Iterator<Item = (usize, &'s Clause)> + 's {
        let (first, last) = (sentences.iter().min(), sentences.iter().max());
        let from = first.map_or(0, |first| self.clauses.partition_point(|clause| clause.sentence < *first));
        let known = self.clauses.iter().enumerate().skip(from);
        let known = known.take_while(move |(_, clause)| last.is_some_and(|last| clause.sentence <= *last));
        known.filter(|(_, clause)| sentences.contains(&clause.sentence))
    }

    /// Bytes from the first to the last of these tokens.
    pub fn span(&self, (start, end): (usize, usize)) -> Span {
        match (self.tokens.get(start), end.checked_sub(1).and_then(|last| self.tokens.get(last))) {
            (Some(first), Some(last)) if start < end => (first.span.0, last.span.1),
            _ => (0, 0),
        }
    }

    fn sentence(&mut self, low: &str, language: Language, segment: Segment) {
        let from = self.tokens.len();
        let first_term = self.terms.len();
        Tokenizer { low, language, words: self.words, at: segment.span.0, end: segment.span.1 }.read(&mut self.tokens);
        self.phrases(low, language, from);
        self.add_terms(language, from);
        self.add_clauses(from, first_term);
        if self.tokens.len() == from {
            return;
        }
        self.sentences.push(Sentence {
            span: segment.span,
            form: segment.form,
            asks: segment.asks,
            tokens: (from, self.tokens.len()),
            terms: (first_term, self.terms.len()),
        });
    }

    /// Gives the tokens from `from` on their classes, those of phrases first.
    fn phrases(&mut self, low: &str, language: Language, from: usize) {
        let mut position = from;
        while position < self.tokens.len() {
            let rest = self.tokens.get(position + 1..).unwrap_or(&[]);
            let Some(token) = self.tokens.get(position) else { break };
            if token.number {
                position += 1;
                continue;
            }
            let word = low.get(token.span.0..token.span.1).unwrap_or("");
            let word = if self.curled { straight(word) } else { Cow::Borrowed(word) };
            let (mut flags, more) = self.words.classes(token.mark, rest);
            if self.words.negates(&word) {
                flags |= words::DOUBT;
            }
            let content = flags & NO_CONTENT == 0 && more == 0;
            let known = if content || flags & words::STOP == 0 {
                let (own, sense) = root_and_sense(language, &word, token.mark);
                Some((own, self.words.concept(own).unwrap_or(own), sense))
            } else {
                None
            };
            for (offset, token) in self.tokens.iter_mut().skip(position).take(more + 1).enumerate() {
                // The classes of a phrase are those of its first word, so that each counts once.
                token.flags = if offset == 0 { flags } else { words::STOP };
                token.content &= content;
                if let Some((root, concept, sense)) = known {
                    (token.root, token.concept, token.sense) = (root, concept, sense);
                }
            }
            position += more + 1;
        }
        for token in self.tokens.iter_mut().skip(from) {
            token.opposite = self.words.opposite(token.sense);
        }
    }

    fn add_terms(&mut self, language: Language, from: usize) {
        for position in from..self.tokens.len() {
            let Some(token) = self.tokens.get(position) else { break };
            if !token.content {
                continue;
            }
            if !language.spaceless() {
                self.terms.push(Term { root: token.root, concept: token.concept, token: position });
                continue;
            }
            // Two signs that stand together; one that stands alone.
            let joined = |other: Option<&Token>, after: bool| {
                other.is_some_and(|other| {
                    let near = if after { token.span.1 == other.span.0 } else { other.span.1 == token.span.0 };
                    near && other.content
                })
            };
            let before =
                position.checked_sub(1).filter(|before| *before >= from).and_then(|before| self.tokens.get(before));
            let next = self.tokens.get(position + 1);
            if joined(next, true) {
                let both = token.root.rotate_left(7) ^ next.map_or(0, |next| next.root);
                self.terms.push(Term { root: both, concept: both, token: position });
            } else if !joined(before, false) {
                self.terms.push(Term { root: token.root, concept: token.concept, token: position });
            }
        }
    }

    /// Its terms with words that may stand for each other taken for one: what it speaks of is easier to find again,
    /// and what it says less sure.
    pub fn widened(&self) -> Vec<Term> {
        let spaceless = !self.words.spaced();
        let is_concept = |at: usize| self.tokens.get(at).is_some_and(|token| self.words.is_concept(token.concept));
        let widen = |term: &Term| {
            // Where words have no spaces, a word that is known is one term, whatever stands beside it.
            let near = [term.token, term.token + 1].into_iter().find(|at| is_concept(*at));
            let root = match near.and_then(|at| self.tokens.get(at)) {
                Some(token) if spaceless => token.concept,
                _ => term.concept,
            };
            Term { root, ..*term }
        };
        self.terms.iter().map(widen).collect()
    }

    /// Clauses begin behind words that say so, and behind a comma or an `and` when a verb of their own follows.
    fn add_clauses(&mut self, from: usize, first_term: usize) {
        let end = self.tokens.len();
        let mut start = from;
        let mut term = first_term;
        for position in from + 1..=end {
            if position < end && !self.begins(start, position, end) {
                continue;
            }
            let mut clause = Clause { tokens: (start, position), sentence: self.sentences.len(), ..Clause::default() };
            if self.words.concord() {
                self.agree((start, position));
            }
            for token in self.tokens((start, position)) {
                clause.flags |= token.flags;
                clause.negators += usize::from(token.is(words::NEGATOR));
                clause.weak += usize::from(token.is(words::WEAK) && !token.is(words::NEGATOR));
            }
            let last = term + self.terms.iter().skip(term).take_while(|known| known.token < position).count();
            clause.terms = (term, last);
            term = last;
            start = position;
            self.clauses.push(clause);
        }
    }

    /// Of several negators in a clause the first one counts, as in `no puede ... en ningún momento`; but `without` is one
    /// by itself.
    fn agree(&mut self, (start, end): (usize, usize)) {
        let without = [mark("sin"), mark("sans")];
        let mut denied = false;
        for token in self.tokens.iter_mut().skip(start).take(end - start).filter(|token| token.is(words::NEGATOR)) {
            if without.contains(&token.mark) {
                continue;
            }
            if denied {
                token.flags &= !words::NEGATOR;
            }
            denied = true;
        }
    }

    fn begins(&self, start: usize, position: usize, end: usize) -> bool {
        let Some(token) = self.tokens.get(position) else { return false };
        // What stands before a colon may be no more than a name for what follows: "Deposit: none".
        if token.is(words::CLAUSE) || token.apart && position - start > NAME {
            return true;
        }
        if token.parted && token.is(words::FIRST | words::THEN) {
            return true;
        }
        let joins = token.is(words::AND | words::RELATIVE);
        if !token.parted && !joins {
            return false;
        }
        let ahead = self.tokens((position, end));
        let size = ahead.iter().skip(1).take_while(|token| !token.parted && !token.is(words::CLAUSE)).count() + 1;
        let verb = words::VERB | words::MUST | words::MAY | words::NEGATOR;
        if joins && ahead.get(1).is_some_and(|next| next.is(words::THEN)) {
            return true;
        }
        if joins && !token.parted {
            // "It is mandatory that you sign" has one predicate.
            let before = position.checked_sub(1).and_then(|at| self.tokens.get(at));
            if token.is(words::RELATIVE) && before.is_some_and(|before| before.is(words::MUST | words::MAY)) {
                return false;
            }
            return ahead.get(1).is_some_and(|next| next.is(verb));
        }
        size >= LEAST && (!self.words.spaced() || ahead.iter().take(size).any(|token| token.is(verb)))
    }
}

const NO_CONTENT: Flags = words::STOP
    | words::COURTESY
    | words::AND
    | words::CLAUSE
    | words::VERB
    | words::NEGATOR
    | words::NEUTRAL
    | words::MUST
    | words::MAY
    | words::ALL
    | words::SOME
    | words::ONLY
    | words::IF
    | words::BEFORE
    | words::AFTER
    | words::THEN
    | words::BECAUSE
    | words::THEREFORE;
