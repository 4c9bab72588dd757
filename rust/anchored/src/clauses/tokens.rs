//! Words, numbers and signs of a sentence, in languages with and without spaces between words.
//!
//! Invariant: spans are bytes of the text, in order, and do not overlap; white space and punctuation are in none.

use std::borrow::Cow;

use super::vocabulary::{Flags, Opposite, Vocabulary};
use crate::facts::Span;
use crate::language::Language;
use crate::lexicon::mark;

/// A word, a number, or a sign of a language without spaces.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "four answers that do not depend on each other")]
pub(crate) struct Token {
    pub span: Span,
    /// Of its lower-case form: equal marks, equal words.
    pub mark: u64,
    /// What its inflections have in common.
    pub root: u64,
    /// What it has in common with words that may stand for it: its root, where there are none.
    pub concept: u64,
    /// What [`Vocabulary::opposite`] takes.
    pub sense: u64,
    /// What [`Vocabulary::excludes`] takes.
    pub opposite: Opposite,
    pub flags: Flags,
    /// It has content: no small word, no number.
    pub content: bool,
    pub number: bool,
    /// A comma, a bracket or the like stands right before it.
    pub parted: bool,
    /// A dash, a colon or a bracket does: what follows is said for itself.
    pub apart: bool,
}

impl Token {
    pub fn is(&self, flags: Flags) -> bool {
        self.flags & flags != 0
    }

    pub fn has_opposite(&self) -> bool {
        self.opposite != 0
    }
}

/// A word with straight apostrophes.
pub(crate) fn straight(word: &str) -> Cow<'_, str> {
    if !word.is_ascii() && word.contains('’') { Cow::Owned(word.replace('’', "'")) } else { Cow::Borrowed(word) }
}

/// Cuts one sentence of a text in lower case into tokens.
pub(crate) struct Tokenizer<'t> {
    pub low: &'t str,
    pub language: Language,
    pub words: &'t Vocabulary,
    pub at: usize,
    pub end: usize,
}

impl Tokenizer<'_> {
    pub fn read(mut self, tokens: &mut Vec<Token>) {
        let (mut parted, mut apart) = (false, false);
        while self.at < self.end {
            let byte = self.low.as_bytes().get(self.at).copied().unwrap_or(0);
            if byte == b' ' {
                self.at += 1;
                continue;
            }
            let rest = self.low.get(self.at..self.end).unwrap_or("");
            let first = if byte.is_ascii() { char::from(byte) } else { rest.chars().next().unwrap_or(' ') };
            let plain = if byte.is_ascii_alphabetic() { plain(rest) } else { None };
            let size = if let Some(size) = plain {
                size
            } else if first.is_ascii_digit() {
                number(rest)
            } else if in_word(first) {
                self.word(rest, first)
            } else {
                apart |= matches!(first, ':' | '(' | ')' | '—' | '–' | '：' | '（' | '）' | '→');
                parted |= apart || matches!(first, ',' | ';' | '，' | '、' | '|');
                self.at += first.len_utf8();
                continue;
            };
            let span = (self.at, self.at + size);
            let word = rest.get(..size).unwrap_or("");
            let digits = first.is_ascii_digit();
            let mark = if plain.is_some() { mark(word) } else { mark(&straight(word)) };
            tokens.push(Token {
                span,
                // What inflections share is found out for words with content only: half of all words have none.
                mark,
                root: mark,
                concept: mark,
                sense: mark,
                opposite: 0,
                flags: 0,
                // Hiragana that is no word known here inflects the word before it.
                content: !digits && !matches!(first, '\u{3040}'..='\u{309f}'),
                number: digits,
                parted: std::mem::take(&mut parted),
                apart: std::mem::take(&mut apart),
            });
            self.at += size;
        }
    }

    fn word(&self, rest: &str, first: char) -> usize {
        if spaceless(first) {
            return self.sign(rest, first);
        }
        let ascii = plain_bytes(rest);
        let mut size = ascii;
        for (position, letter) in rest.get(ascii..).unwrap_or("").char_indices() {
            let position = ascii + position;
            let apostrophe = matches!(letter, '\'' | '’');
            if apostrophe {
                // French drops a vowel there: two words. English has one: don't.
                let next = rest.get(position + letter.len_utf8()..).and_then(|rest| rest.chars().next());
                if self.language == Language::English && next.is_some_and(char::is_alphabetic) {
                    continue;
                }
                break;
            }
            if !in_word(letter) || spaceless(letter) {
                break;
            }
            size = position + letter.len_utf8();
        }
        size.max(first.len_utf8())
    }

    /// The longest word that is known here; a run of katakana; one sign.
    fn sign(&self, rest: &str, first: char) -> usize {
        let mut longest = first.len_utf8();
        for (count, (position, letter)) in rest.char_indices().enumerate() {
            if count >= self.words.longest || !spaceless(letter) {
                break;
            }
            let end = position + letter.len_utf8();
            if count > 0 && rest.get(..end).is_some_and(|word| self.words.knows(word)) {
                longest = end;
            }
        }
        let katakana = |letter: char| matches!(letter, '\u{30a0}'..='\u{30ff}');
        if longest == first.len_utf8() && katakana(first) {
            return rest.find(|letter| !katakana(letter)).unwrap_or(rest.len());
        }
        longest
    }
}

/// The size of a word of ASCII characters up to a space or the like: most are, and need no look at characters.
fn plain(rest: &str) -> Option<usize> {
    let size = plain_bytes(rest);
    rest.as_bytes().get(size).is_none_or(|next| next.is_ascii() && *next != b'\'').then_some(size)
}

fn plain_bytes(rest: &str) -> usize {
    rest.bytes().take_while(|byte| IN_WORD.get(usize::from(*byte)) == Some(&true)).count()
}

/// ASCII letters, digits and the underscore.
static IN_WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        byte += 1;
    }
    table
};

fn in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '々'
}

/// Whether words of this sign's script stand without spaces.
fn spaceless(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '々')
}

/// Where a number ends: digits with points, commas and colons inside.
fn number(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digit = |position: usize| bytes.get(position).is_some_and(u8::is_ascii_digit);
    let mut end = 0;
    while digit(end) || (bytes.get(end).is_some_and(|byte| b".,:".contains(byte)) && digit(end + 1)) {
        end += 1;
    }
    end
}
