//! What is known of the words of six languages: small words, negation, modality, quantifiers, order, opposites.
//!
//! Invariant: vocabulary only, written by hand in `words/`, looked up and never learnt. A line of `words/LANGUAGE.txt`
//! names a class and its words, phrases with `_` between their words; a line of `words/opposites_LANGUAGE.txt` has words
//! between bars that exclude those of its other sides, said of the same thing; `words/sorts_LANGUAGE.txt` the same of
//! things; a line of `words/alike_LANGUAGE.txt` words that may stand for each other; one of `words/stance_LANGUAGE.txt`
//! names a stance and its words. The first line that has a word has it.

use std::sync::LazyLock;

use super::roots::{root, underived};
use super::sequences::Sequences;
use super::tokens::{Token, Tokenizer};
use crate::language::Language;
use crate::lexicon::{OPPOSITES, WordMap, look_up_marked, mark, stem};
use crate::marks::Marks;

/// What a word is: one bit for each class.
pub(crate) type Flags = u32;

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $bit:literal $word:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: Flags = 1 << $bit;)*
        const CLASSES: &[(&str, Flags)] = &[$(($word, $name)),*];
    };
}

classes! {
    /// A small word: no content.
    STOP = 0 "stop";
    /// Said to be polite: no content.
    COURTESY = 1 "courtesy";
    AND = 2 "and";
    /// Begins a clause of its own.
    CLAUSE = 3 "clause";
    /// Shows that a clause has a verb.
    VERB = 4 "verb";
    NEGATOR = 5 "negator";
    /// Negates by its meaning: `unable`, `excluded`.
    WEAK = 6 "weak";
    /// A phrase with a negator that negates nothing: `not only`, `no later than`.
    NEUTRAL = 7 "neutral";
    MUST = 8 "must";
    MAY = 9 "may";
    AFFIRM = 10 "affirm";
    ONLY = 11 "only";
    ALL = 12 "all";
    SOME = 13 "some";
    EXCEPT = 14 "except";
    IF = 15 "if";
    BEFORE = 16 "before";
    AFTER = 17 "after";
    FIRST = 18 "first";
    THEN = 19 "then";
    BECAUSE = 20 "because";
    THEREFORE = 21 "therefore";
    /// Where something comes from, and where it goes.
    ORIGIN = 22 "origin";
    GOAL = 23 "goal";
    /// Opens a clause about the noun before it, if a verb follows.
    RELATIVE = 24 "relative";
    /// Lets in what `except` shuts out.
    INCLUDE = 26 "include";
    /// May deny by its meaning, or not: beside it a negation elsewhere is no contradiction.
    DOUBT = 25 "doubt";
    /// Before a number: the number is a limit.
    MORE = 27 "more";
    /// Between two things that are compared.
    THAN = 28 "than";
    /// A number in words.
    COUNT = 29 "count";
    /// Most or many, not all: a word with content.
    PART = 30 "part";
}

/// A phrase: the marks of the words after its first one.
#[derive(Debug)]
struct Phrase {
    tail: Vec<u64>,
    flags: Flags,
}

#[derive(Debug, Default)]
struct Entry {
    flags: Flags,
    /// The longest first.
    phrases: Vec<Phrase>,
}

/// Group of opposites or sort of things, and which of the sides between its bars.
pub(crate) type Side = (u16, u8);

/// The opposites of a word as [`Vocabulary::excludes`] takes them, 0 where it has none.
pub(crate) type Opposite = u16;

/// One language's words.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    language: Language,
    words: Marks<Entry>,
    /// By sense, a place in `sides` and one more.
    opposites: Marks<Opposite>,
    sides: Vec<Vec<Side>>,
    sorts: Sequences<Side>,
    /// Roots of words that may stand for each other, to the first one's.
    alike: Marks<u64>,
    stances: Sequences<Stance>,
    /// Characters of the longest word: for languages without spaces.
    pub longest: usize,
}

impl Vocabulary {
    fn new(language: Language, list: &'static str, [opposites, sorts, alike, stances]: [&'static str; 4]) -> Self {
        let mut words: WordMap<u64, Entry> = WordMap::default();
        let mut longest = 0;
        for line in list.lines() {
            let mut parts = line.split_whitespace();
            let Some(flags) = parts.next().and_then(class) else { continue };
            for word in parts {
                longest = longest.max(word.chars().count());
                let mut pieces = word.split('_');
                let Some(first) = pieces.next() else { continue };
                let tail: Vec<u64> = pieces.map(mark).collect();
                let entry = words.entry(mark(first)).or_default();
                if tail.is_empty() {
                    entry.flags |= flags;
                } else if let Some(known) = entry.phrases.iter_mut().find(|phrase| phrase.tail == tail) {
                    known.flags |= flags;
                } else {
                    entry.phrases.push(Phrase { tail, flags });
                }
            }
        }
        for entry in words.values_mut() {
            entry.phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.tail.len()));
        }
        let mut table: WordMap<u64, Vec<Side>> = WordMap::default();
        for (side, word) in sides(opposites) {
            let known = table.entry(sense(language, word)).or_default();
            if !known.contains(&side) {
                known.push(side);
            }
        }
        let mut same: WordMap<u64, u64> = WordMap::default();
        for line in alike.lines() {
            let mut roots = line.split_whitespace().map(|word| root(language, word));
            let Some(first) = roots.next() else { continue };
            let first = *same.entry(first).or_insert(first);
            for one in roots {
                same.entry(one).or_insert(first);
            }
        }
        if language.spaceless() {
            for (_, word) in sides(opposites).chain(sides(sorts)).chain(sides(alike)) {
                longest = longest.max(word.chars().count());
                words.entry(mark(word)).or_default();
            }
        }
        let mut made = Self {
            language,
            words: words.into(),
            opposites: (1..).zip(table.keys()).map(|(number, sense)| (*sense, number)).collect(),
            sides: table.into_values().collect(),
            sorts: Sequences::default(),
            alike: same.into(),
            stances: Sequences::default(),
            longest,
        };
        let known = stances.lines().flat_map(|line| {
            let mut parts = line.split_whitespace();
            let stance = parts.next().and_then(Stance::named);
            stance.into_iter().flat_map(move |stance| parts.clone().map(move |phrase| (phrase, stance)))
        });
        made.stances = known.map(|(phrase, stance)| (made.marks(phrase), stance)).collect();
        let things = sides(sorts).flat_map(|(side, phrase)| {
            // `training` is no train: English words are known in their singular and plural only.
            let plural = (language == Language::English).then(|| made.marks(&format!("{phrase}s")));
            std::iter::once(made.marks(phrase)).chain(plural).map(move |marks| (marks, side))
        });
        made.sorts = things.collect();
        made
    }

    /// The tokens of a phrase with `_` between its words.
    fn marks(&self, phrase: &str) -> Vec<u64> {
        let low = phrase.replace('_', " ");
        let mut tokens = Vec::new();
        Tokenizer { low: &low, language: self.language, words: self, at: 0, end: low.len() }.read(&mut tokens);
        tokens.iter().map(|token| token.mark).collect()
    }

    /// What the words from the first of these tokens on say of what may or must be, and how many tokens say it.
    pub fn stance(&self, tokens: &[Token]) -> Option<(Stance, usize)> {
        self.stances.longest(tokens)
    }

    /// The classes of a word by its mark, and how many further words of `rest` belong to it as a phrase.
    pub fn classes(&self, word: u64, rest: &[Token]) -> (Flags, usize) {
        let Some(entry) = self.words.get(word) else { return (0, 0) };
        for phrase in &entry.phrases {
            let fits = |(mark, token): (&u64, &Token)| *mark == token.mark;
            if rest.len() >= phrase.tail.len() && phrase.tail.iter().zip(rest).all(fits) {
                return (phrase.flags, phrase.tail.len());
            }
        }
        (entry.flags, 0)
    }

    pub fn language(&self) -> Language {
        self.language
    }

    /// Whether a clause asserts what it speaks of without a word of its own for that.
    pub fn asserts(&self) -> bool {
        self.language == Language::English
    }

    /// Whether words stand with spaces between them.
    pub fn spaced(&self) -> bool {
        !self.language.spaceless()
    }

    /// Whether two negators in a clause negate it once: `no puede ... en ningún momento`.
    pub fn concord(&self) -> bool {
        matches!(self.language, Language::French | Language::Spanish)
    }

    /// Whether what a small word is about stands before it.
    pub fn postpositions(&self) -> bool {
        self.language == Language::Japanese
    }

    /// Whether the word is known, be it for its opposites only.
    pub fn knows(&self, word: &str) -> bool {
        self.words.has(mark(word))
    }

    /// Whether a word negates by its ending: `shirtless`.
    pub fn negates(&self, word: &str) -> bool {
        self.language == Language::English && word.ends_with("less")
            || self.language == Language::German && (word.ends_with("los") || word.ends_with("frei"))
    }

    /// The opposites of a word with this sense.
    pub fn opposite(&self, sense: u64) -> Opposite {
        self.opposites.get(sense).copied().unwrap_or(0)
    }

    /// The root of the first word of its line, where other words may stand for a word.
    pub fn concept(&self, root: u64) -> Option<u64> {
        self.alike.get(root).copied()
    }

    /// Whether a root is one that [`Vocabulary::concept`] gives.
    pub fn is_concept(&self, root: u64) -> bool {
        self.alike.has(root)
    }

    /// The sort that the words from the first of these tokens on are of, which of its things they name, and how many
    /// tokens name it.
    pub fn sort(&self, tokens: &[Token]) -> Option<(Side, usize)> {
        self.sorts.longest(tokens)
    }

    /// Whether two words exclude each other, said of the same thing.
    pub fn excludes(&self, one: Opposite, other: Opposite) -> bool {
        let sides = |opposite: Opposite| usize::from(opposite).checked_sub(1).and_then(|at| self.sides.get(at));
        let Some(theirs) = sides(other) else { return false };
        sides(one).is_some_and(|mine| {
            mine.iter().any(|(group, side)| theirs.iter().any(|(known, other)| known == group && other != side))
                && !mine.iter().any(|known| theirs.contains(known))
        })
    }
}

/// What a word says of a thing: whether it may, must, must not or need not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stance {
    Permit,
    /// Permits, and says that it is better.
    Advise,
    /// Permits, or only says that somebody is able to.
    May,
    Forbid,
    /// Obliges; denied, it forbids.
    Must,
    /// Obliges or advises, nobody knows which; denied, it forbids.
    Ought,
    /// Obliges; denied, it leaves free.
    Need,
    Spare,
    /// A phrase with such a word that says nothing: `if possible`.
    Idle,
}

impl Stance {
    pub const ALL: [Self; 9] = [
        Self::Permit,
        Self::Advise,
        Self::May,
        Self::Forbid,
        Self::Must,
        Self::Ought,
        Self::Need,
        Self::Spare,
        Self::Idle,
    ];

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "permit" => Self::Permit,
            "advise" => Self::Advise,
            "may" => Self::May,
            "forbid" => Self::Forbid,
            "must" => Self::Must,
            "ought" => Self::Ought,
            "need" => Self::Need,
            "spare" => Self::Spare,
            "idle" => Self::Idle,
            _ => return None,
        })
    }
}

/// Every word of a list of groups with bars between their sides.
fn sides(list: &'static str) -> impl Iterator<Item = (Side, &'static str)> {
    (0_u16..).zip(list.lines()).flat_map(|(group, line)| {
        (0_u8..)
            .zip(line.split('|'))
            .flat_map(move |(side, words)| words.split_whitespace().map(move |word| ((group, side), word)))
    })
}

fn class(name: &str) -> Option<Flags> {
    CLASSES.iter().find(|(known, _)| *known == name).map(|(_, flags)| *flags)
}

/// What a word means, as [`Vocabulary::opposite`] takes it.
pub(crate) fn sense(language: Language, word: &str) -> u64 {
    if language == Language::English { mark(&stem(word)) } else { mark(word) }
}

/// What [`root`] and [`sense`] say of a word, which is looked up once; `own` is its mark.
pub(crate) fn root_and_sense(language: Language, word: &str, own: u64) -> (u64, u64) {
    if language == Language::English {
        let stem = look_up_marked(own).stem(word);
        // The word itself, in most cases: then its mark is known.
        let whole = stem.len() == word.len() && std::ptr::eq(stem.as_ptr(), word.as_ptr());
        let sense = if whole { own } else { mark(&stem) };
        let root = underived(&stem);
        return (if root.len() == stem.len() { sense } else { mark(root) }, sense);
    }
    (root(language, word), own)
}

macro_rules! vocabulary {
    ($language:ident, $code:literal, $opposites:expr) => {{
        static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
            let lists = [
                $opposites,
                include_str!(concat!("words/sorts_", $code, ".txt")),
                include_str!(concat!("words/alike_", $code, ".txt")),
                include_str!(concat!("words/stance_", $code, ".txt")),
            ];
            Vocabulary::new(Language::$language, include_str!(concat!("words/", $code, ".txt")), lists)
        });
        &VOCABULARY
    }};
}

/// The words of a language.
pub(crate) fn vocabulary(language: Language) -> &'static Vocabulary {
    match language {
        Language::English => vocabulary!(English, "en", OPPOSITES),
        Language::German => vocabulary!(German, "de", include_str!("words/opposites_de.txt")),
        Language::French => vocabulary!(French, "fr", include_str!("words/opposites_fr.txt")),
        Language::Spanish => vocabulary!(Spanish, "es", include_str!("words/opposites_es.txt")),
        Language::Chinese => vocabulary!(Chinese, "zh", include_str!("words/opposites_zh.txt")),
        Language::Japanese => vocabulary!(Japanese, "ja", include_str!("words/opposites_ja.txt")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_word_lists_names_a_known_class() {
        for list in [
            include_str!("words/en.txt"),
            include_str!("words/de.txt"),
            include_str!("words/fr.txt"),
            include_str!("words/es.txt"),
            include_str!("words/zh.txt"),
            include_str!("words/ja.txt"),
        ] {
            for line in list.lines() {
                let name = line.split_whitespace().next().unwrap_or("");
                assert!(class(name).is_some(), "{line}");
            }
        }
    }

    #[test]
    fn every_line_of_the_opposites_has_two_sides_and_opposites_hold_both_ways() {
        for (language, list) in [
            (Language::German, include_str!("words/opposites_de.txt")),
            (Language::French, include_str!("words/opposites_fr.txt")),
            (Language::Spanish, include_str!("words/opposites_es.txt")),
            (Language::Chinese, include_str!("words/opposites_zh.txt")),
            (Language::Japanese, include_str!("words/opposites_ja.txt")),
        ] {
            let words = vocabulary(language);
            for line in list.lines() {
                let (left, right) = line.split_once('|').unwrap();
                assert!(line.split('|').all(|side| !side.trim().is_empty()), "{line}");
                for one in left.split_whitespace() {
                    for other in right.split(['|', ' ']).filter(|word| !word.is_empty()) {
                        let [one, other] = [one, other].map(|word| words.opposite(sense(language, word)));
                        assert_eq!(words.excludes(one, other), words.excludes(other, one), "{line}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_line_of_what_may_be_names_a_stance() {
        for list in [
            include_str!("words/stance_en.txt"),
            include_str!("words/stance_de.txt"),
            include_str!("words/stance_fr.txt"),
            include_str!("words/stance_es.txt"),
            include_str!("words/stance_zh.txt"),
            include_str!("words/stance_ja.txt"),
        ] {
            for line in list.lines() {
                assert!(line.split_whitespace().next().and_then(Stance::named).is_some(), "{line}");
            }
        }
    }
}
