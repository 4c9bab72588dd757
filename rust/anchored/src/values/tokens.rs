//! Cuts a text of any language into words, numbers, signs and marks.
//!
//! Invariants: one pass; tokens are in order and do not overlap; their spans lie on borders of characters. A sign of
//! Chinese or Japanese is a token of its own.

use crate::facts::Span;

/// What a token is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Letters.
    Word,
    /// Digits, with what separates them: `1,000.5`.
    Number,
    /// One sign of a language without spaces.
    Sign,
    /// Anything else but white space.
    Mark,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub kind: Kind,
    pub span: Span,
    pub sentence: usize,
    /// White space stands right before it.
    pub spaced: bool,
}

/// So many tokens of a text are read for values.
pub(crate) const MOST_TOKENS: usize = 16_384;

/// A sign of Chinese or Japanese; the long-vowel mark and the iteration mark belong to them.
pub(crate) fn is_sign(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '々' | '〇' | '\u{f900}'..='\u{faff}')
}

/// The value of a digit, be it of full width.
pub(crate) fn digit(letter: char) -> Option<u32> {
    match letter {
        '0'..='9' => letter.to_digit(10),
        '０'..='９' => Some(letter as u32 - '０' as u32),
        _ => None,
    }
}

/// Whether a mark may stand inside a number, between two digits.
fn separates(letter: char) -> bool {
    matches!(letter, '.' | ',' | '_' | '\'' | '’' | '\u{a0}' | '\u{202f}' | '．' | '，')
}

/// The tokens of a lower-case text, and whether all of it was read.
pub(crate) fn tokens(low: &str) -> (Vec<Token>, bool) {
    let mut found: Vec<Token> = Vec::with_capacity(low.len() / 5 + 4);
    let (mut at, mut sentence, mut spaced) = (0, 0, true);
    while let Some(first) = letter_at(low, at) {
        if first == ' ' {
            (at, spaced) = (at + 1, true);
            continue;
        }
        let size = first.len_utf8();
        if !first.is_ascii_alphanumeric() && first.is_whitespace() {
            sentence += usize::from(first == '\n' && found.last().is_some_and(|last| last.sentence == sentence));
            (at, spaced) = (at + size, true);
            continue;
        }
        if found.len() >= MOST_TOKENS {
            return (found, false);
        }
        let (kind, end) = if first.is_ascii_alphabetic() {
            (Kind::Word, word_end(low, at))
        } else if digit(first).is_some() {
            (Kind::Number, number_end(low, at))
        } else if is_sign(first) {
            (Kind::Sign, at + size)
        } else if first.is_alphabetic() {
            (Kind::Word, word_end(low, at))
        } else {
            (Kind::Mark, at + size)
        };
        found.push(Token { kind, span: (at, end), sentence, spaced });
        spaced = false;
        at = end;
        if kind == Kind::Mark && ends_sentence(low, first, end) {
            sentence += 1;
        }
    }
    (found, true)
}

fn letter_at(low: &str, at: usize) -> Option<char> {
    match low.as_bytes().get(at) {
        Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
        Some(_) => low.get(at..)?.chars().next(),
        None => None,
    }
}

/// Where the letters end that begin at `at`.
fn word_end(low: &str, at: usize) -> usize {
    let rest = low.as_bytes().get(at..).unwrap_or(&[]);
    let end = at + rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if low.as_bytes().get(end).is_none_or(u8::is_ascii) {
        return end;
    }
    run(low, end, |letter| letter.is_alphanumeric() && digit(letter).is_none() && !is_sign(letter))
}

fn run(low: &str, at: usize, holds: impl Fn(char) -> bool) -> usize {
    let rest = low.get(at..).unwrap_or("");
    at + rest.find(|letter| !holds(letter)).unwrap_or(rest.len())
}

/// Where the digits end that begin at `at`, with single separators between digits.
fn number_end(low: &str, at: usize) -> usize {
    let mut end = run(low, at, |letter| digit(letter).is_some());
    while let Some(mark) = letter_at(low, end).filter(|mark| separates(*mark)) {
        let next = end + mark.len_utf8();
        let more = run(low, next, |letter| digit(letter).is_some());
        // White space inside a number parts thousands and nothing else.
        if more == next || (mark.is_whitespace() && more - next != 3) {
            break;
        }
        end = more;
    }
    end
}

/// Words whose full stop ends no sentence.
const ABBREVIATED: &[&str] = &[
    "mio", "mrd", "nr", "no", "ca", "approx", "std", "min", "max", "mind", "bzw", "st", "art", "abs", "tel", "env",
    "etc", "núm", "num", "aprox", "vs", "dr", "mr", "mrs", "ms", "usd", "inkl", "zzgl", "ggf", "p", "m", "a", "h", "s",
    "e", "g", "i", "z", "b", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "okt", "nov",
    "dec", "dez", "déc",
];

/// Bytes of the longest one.
const LONGEST_ABBREVIATED: usize = 6;

fn ends_sentence(low: &str, mark: char, end: usize) -> bool {
    match mark {
        '。' | '！' | '？' | '；' | '!' | '?' => true,
        '.' => {
            if letter_at(low, end).is_some_and(|next| !next.is_whitespace()) {
                return false;
            }
            let head = low.get(..end - 1).unwrap_or("");
            let word = head.rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or("");
            // "3. März": a number with a stop before a word may be an ordinal.
            let ordinal = word.len() <= 2 && word.bytes().all(|byte| byte.is_ascii_digit()) && !word.is_empty();
            !ordinal && (word.len() > LONGEST_ABBREVIATED || !ABBREVIATED.contains(&word))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        tokens(text).0.iter().map(|token| &text[token.span.0..token.span.1]).collect()
    }

    #[test]
    fn tokens_of_several_languages() {
        assert_eq!(cut("at 1,000.5 km/h"), ["at", "1,000.5", "km", "/", "h"]);
        assert_eq!(cut("12 400\u{202f}000 €"), ["12", "400\u{202f}000", "€"]);
        assert_eq!(cut("30日以内"), ["30", "日", "以", "内"]);
        assert_eq!(cut("l'heure, 3. märz."), ["l", "'", "heure", ",", "3", ".", "märz", "."]);
        assert_eq!(cut("15h10"), ["15", "h", "10"]);
    }

    #[test]
    fn no_abbreviation_is_longer_than_is_said() {
        assert_eq!(ABBREVIATED.iter().map(|word| word.len()).max(), Some(LONGEST_ABBREVIATED));
    }

    #[test]
    fn sentences_end_where_they_do() {
        let of = |text: &str| tokens(text).0.last().map_or(0, |token| token.sentence);
        assert_eq!(of("one two. three"), 1);
        assert_eq!(of("am 3. märz"), 0);
        assert_eq!(of("12 mio. euro"), 0);
        assert_eq!(of("30日。5日"), 1);
        assert_eq!(of("a\n\nb"), 1);
    }
}
