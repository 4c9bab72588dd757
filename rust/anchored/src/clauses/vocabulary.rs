//! What is known of the words of six languages: small words, negation, modality, quantifiers, order, opposites.
//!
//! Invariant: vocabulary only, written by hand in `words/`, looked up and never learnt. A line of `words/LANGUAGE.txt`
//! names a class and its words, phrases with `_` between their words; a line of `words/opposites_LANGUAGE.txt` has words
//! between bars that exclude those of its other sides, said of the same thing.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::language::Language;
use crate::lexicon::{OPPOSITES, WordMap, mark, stem};

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
}

/// A phrase: the words after its first one.
#[derive(Debug)]
struct Phrase {
    tail: Vec<&'static str>,
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

/// One language's words.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    language: Language,
    words: WordMap<&'static str, Entry>,
    opposites: WordMap<u64, Vec<Side>>,
    sorts: WordMap<u64, Side>,
    /// Characters of the longest word: for languages without spaces.
    pub longest: usize,
}

impl Vocabulary {
    fn new(language: Language, list: &'static str, opposites: &'static str, sorts: &'static str) -> Self {
        let mut words: WordMap<&'static str, Entry> = WordMap::default();
        let mut longest = 0;
        for line in list.lines() {
            let mut parts = line.split_whitespace();
            let Some(flags) = parts.next().and_then(class) else { continue };
            for word in parts {
                longest = longest.max(word.chars().count());
                let mut pieces = word.split('_');
                let Some(first) = pieces.next() else { continue };
                let tail: Vec<&'static str> = pieces.collect();
                let entry = words.entry(first).or_default();
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
        let mut sorted: WordMap<u64, Side> = WordMap::default();
        for (side, word) in sides(sorts) {
            sorted.entry(mark(word)).or_insert(side);
            // `training` is no train: English words are known in their singular and plural only.
            if language == Language::English {
                sorted.entry(mark(&format!("{word}s"))).or_insert(side);
            }
        }
        if language.spaceless() {
            for (_, word) in sides(opposites).chain(sides(sorts)) {
                longest = longest.max(word.chars().count());
                words.entry(word).or_default();
            }
        }
        Self { language, words, opposites: table, sorts: sorted, longest }
    }

    /// The classes of a lower-case word, and how many further words of `rest` belong to it as a phrase.
    pub fn classes<'w>(&self, word: &str, rest: &(impl Iterator<Item = &'w str> + Clone)) -> (Flags, usize) {
        let Some(entry) = self.words.get(word) else { return (0, 0) };
        for phrase in &entry.phrases {
            let mut words = rest.clone();
            if phrase.tail.iter().all(|piece| words.next() == Some(piece)) {
                return (phrase.flags, phrase.tail.len());
            }
        }
        (entry.flags, 0)
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
        self.words.contains_key(word)
    }

    /// Whether a word negates by its ending: `shirtless`.
    pub fn negates(&self, word: &str) -> bool {
        self.language == Language::English && word.ends_with("less")
            || self.language == Language::German && (word.ends_with("los") || word.ends_with("frei"))
    }

    pub fn has_opposite(&self, sense: u64) -> bool {
        self.opposites.contains_key(&sense)
    }

    /// The sort that a word is of, and which of its things it names.
    pub fn sort(&self, mark: u64) -> Option<Side> {
        self.sorts.get(&mark).copied()
    }

    /// Whether two words exclude each other, said of the same thing.
    pub fn excludes(&self, one: u64, other: u64) -> bool {
        match (self.opposites.get(&one), self.opposites.get(&other)) {
            (Some(mine), Some(theirs)) => {
                mine.iter().any(|(group, side)| theirs.iter().any(|(known, other)| known == group && other != side))
                    && !mine.iter().any(|known| theirs.contains(known))
            }
            _ => false,
        }
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

/// What a word means, as [`Vocabulary::excludes`] takes it.
pub(crate) fn sense(language: Language, word: &str) -> u64 {
    if language == Language::English { mark(&stem(word)) } else { mark(word) }
}

macro_rules! vocabulary {
    ($language:ident, $words:literal, $opposites:expr, $sorts:literal) => {{
        static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
            Vocabulary::new(Language::$language, include_str!($words), $opposites, include_str!($sorts))
        });
        &VOCABULARY
    }};
}

/// The words of a language.
pub(crate) fn vocabulary(language: Language) -> &'static Vocabulary {
    match language {
        Language::English => vocabulary!(English, "words/en.txt", OPPOSITES, "words/sorts_en.txt"),
        Language::German => {
            vocabulary!(German, "words/de.txt", include_str!("words/opposites_de.txt"), "words/sorts_de.txt")
        }
        Language::French => {
            vocabulary!(French, "words/fr.txt", include_str!("words/opposites_fr.txt"), "words/sorts_fr.txt")
        }
        Language::Spanish => {
            vocabulary!(Spanish, "words/es.txt", include_str!("words/opposites_es.txt"), "words/sorts_es.txt")
        }
        Language::Chinese => {
            vocabulary!(Chinese, "words/zh.txt", include_str!("words/opposites_zh.txt"), "words/sorts_zh.txt")
        }
        Language::Japanese => {
            vocabulary!(Japanese, "words/ja.txt", include_str!("words/opposites_ja.txt"), "words/sorts_ja.txt")
        }
    }
}

/// What inflections of a lower-case word have in common: its first six letters without accents and ending. English has
/// rules of its own.
pub(crate) fn root(language: Language, word: &str) -> u64 {
    match language {
        Language::English => mark(underived(&stem(word))),
        Language::Chinese | Language::Japanese => mark(word),
        Language::German => mark(&folded(word, &["en", "es", "em", "e", "n", "s"])),
        Language::French => mark(&folded(word, &["ent", "es", "er", "ez", "e", "s", "x"])),
        Language::Spanish => mark(&folded(word, &["os", "as", "es", "an", "en", "ar", "er", "ir", "o", "a", "e", "s"])),
    }
}

/// Endings that make a noun or an adjective of an English verb, longest first, and the letters that must stay.
const DERIVED: [(&str, usize); 14] = [
    ("ation", 4),
    ("ment", 4),
    ("ance", 4),
    ("ence", 4),
    ("able", 4),
    ("ible", 4),
    ("tion", 4),
    ("ness", 4),
    ("ion", 4),
    ("ive", 4),
    ("ity", 4),
    ("al", 5),
    ("er", 5),
    ("or", 5),
];

/// An English stem without such an ending: `treatment` and `treat`, `approval` and `approve`.
fn underived(stem: &str) -> &str {
    let cut = DERIVED.iter().find_map(|(ending, least)| stem.strip_suffix(ending).filter(|root| root.len() >= *least));
    let root = cut.unwrap_or(stem);
    root.strip_suffix('e').filter(|root| root.len() > 3).unwrap_or(root)
}

const ROOT_LETTERS: usize = 6;

fn folded<'w>(mut word: &'w str, endings: &[&str]) -> Cow<'w, str> {
    let cut = |word: &'w str| {
        endings.iter().find_map(|ending| word.strip_suffix(ending).filter(|root| root.chars().nth(3).is_some()))
    };
    while let Some(root) = cut(word) {
        word = root;
    }
    if word.is_ascii() {
        return Cow::Borrowed(word.get(..ROOT_LETTERS).unwrap_or(word));
    }
    Cow::Owned(word.chars().take(ROOT_LETTERS).map(plain).collect())
}

/// A letter without its accent.
fn plain(letter: char) -> char {
    match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
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
                        let (one, other) = (sense(language, one), sense(language, other));
                        assert_eq!(words.excludes(one, other), words.excludes(other, one), "{line}");
                    }
                }
            }
        }
    }

    #[test]
    fn inflections_share_a_root() {
        for (language, one, other) in [
            (Language::German, "artikel", "artikeln"),
            (Language::German, "kosten", "koste"),
            (Language::French, "permise", "permis"),
            (Language::French, "vélos", "vélo"),
            (Language::Spanish, "bicicletas", "bicicleta"),
            (Language::Spanish, "reembolso", "reembolsos"),
        ] {
            assert_eq!(root(language, one), root(language, other), "{one} {other}");
        }
        assert_ne!(root(Language::German, "mieter"), root(Language::German, "miete"));
    }
}
