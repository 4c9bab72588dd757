//! Driving licences of the states of the USA, beside their names: `DL: D1234567`, `driver's license A123 456 78 901 2`.
//!
//! The forms are those that the states' motor vehicle departments publish, as classes: some letters, some digits, a letter
//! behind them. Invariant: a form alone is nothing, since most are a few digits; a name stands right before it, or is the
//! field's.

use super::classes::is_alphanumeric;
use super::hit::Hit;
use super::identity::NAMED;
use super::kinds::Kind;
use super::text::Text;

/// A licence whose word begins at `start` and that a name right before it names.
pub(super) fn named(text: &Text<'_>, start: usize) -> Option<Hit> {
    // Most words with digits are shorter, or hold fewer of them.
    let fifth = text.get(start + 4);
    if !(is_alphanumeric(fifth) || matches!(fifth, b'-' | b' ' | b'*')) || !may_be_named(text, start) {
        return None;
    }
    let first = text.from(start);
    let first = first.get(..first.len().min(SHORTEST + 1)).unwrap_or_default();
    let digits = first.iter().filter(|byte| byte.is_ascii_digit()).count();
    if first.len() < SHORTEST || (digits < 3 && !first.starts_with(b"WDL") && !first.contains(&b'*')) {
        return None;
    }
    let end = read(text, start)?;
    (is_named(text, start) || is_name(last_word(text.wanted.origin.name)))
        .then(|| text.hit(Kind::DRIVER_LICENSE, start, end, NAMED, 0))
        .flatten()
}

/// Whether what stands right before a number ends as a name does, or as what may stand behind one. Of most it does not.
fn may_be_named(text: &Text<'_>, start: usize) -> bool {
    let (one, two) = (text.before(start), text.before(start.saturating_sub(1)));
    if one.is_ascii_alphanumeric() || two.is_ascii_digit() {
        return false;
    }
    !two.is_ascii_lowercase() || matches!(two, b'l' | b'n' | b'o' | b'e' | b'c' | b's' | b'r' | b'd' | b'm')
}

/// Signs of the shortest.
const SHORTEST: usize = 5;

/// Most groups of a licence, as Florida writes it: `A123-456-78-901-2`.
const GROUPS: usize = 5;

/// The end of what has the form of a licence: letters, digits in groups, letters.
fn read(text: &Text<'_>, start: usize) -> Option<usize> {
    const LONGEST: usize = 20;
    let letter = |byte: u8| byte.is_ascii_alphabetic();
    let digit = |byte: u8| byte.is_ascii_digit();
    // No letters are between dashes and dots of something else.
    if matches!(text.before(start), b'.' | b'-' | b'_' | b'/' | b'$' | b'@') || !text.begins(start) {
        return None;
    }
    let word = text.slice(start, start + text.run(start, LONGEST, |byte| is_alphanumeric(byte) || byte == b'*'));
    if is_washington(word) {
        return text.ends(start + word.len()).then_some(start + word.len());
    }
    let first = text.run(start, 4, letter);
    let (mut end, mut digits, mut groups) = (start + first, 0, 0);
    while groups < GROUPS {
        let length = text.run(end, LONGEST, digit);
        (end, digits, groups) = (end + length, digits + length, groups + 1);
        if length == 0 || !(matches!(text.get(end), b'-' | b' ') && text.get(end + 1).is_ascii_digit()) {
            break;
        }
        end += 1;
    }
    let last = text.run(end, 3, letter);
    let (grouped, inner) = (groups > 1, text.run(end + last, 7, digit));
    let fits = match (first, last, inner) {
        // New York's and others' 7 to 12 digits; those of 13 and 14 are Montana's.
        (0, 0, 0) => (7..=14).contains(&digits),
        // Most states: a letter and digits; Colorado, Ohio, Idaho, North Dakota, New Hampshire: two or three letters.
        (1, 0, 0) => (5..=14).contains(&digits) || digits == 18,
        (2, 0 | 1, 0) => (3..=7).contains(&digits) && !grouped,
        (3, 0, 0) => (5..=8).contains(&digits) && !grouped,
        // Maine, Vermont, Missouri, Kansas.
        (0, 1 | 2, 0) => (7..=9).contains(&digits) && !grouped,
        (1, 1, 0) => digits == 6 && !grouped,
        // Iowa, Missouri, New Hampshire.
        (0, 1..=3, 4..=6) => matches!((digits, last, inner), (3, 2, 4) | (3, 1, 6) | (2, 3, 5)),
        _ => false,
    };
    let end = end + last + inner;
    let fraction = matches!(text.get(end), b'.' | b',' | b'-' | b'/') && text.get(end + 1).is_ascii_alphanumeric();
    (fits && text.ends(end) && !fraction).then_some(end)
}

/// Washington's twelve signs: `WDL` and nine more, or a name with stars and a few digits.
fn is_washington(word: &[u8]) -> bool {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let upper = word.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'*');
    word.len() == 12 && upper && digits >= 1 && (word.starts_with(b"WDL") || (word.contains(&b'*') && digits >= 3))
}

/// Words that may stand between the name and the number, and codes of states.
const BETWEEN: &[&[u8]] = &[b"no", b"nr", b"num", b"number", b"id", b"is", b"was", b"state"];

/// Whether the words right before a number name a licence.
fn is_named(text: &Text<'_>, start: usize) -> bool {
    const REACH: usize = 40;
    const WORDS: usize = 4;
    let sign = |byte: u8| {
        matches!(
            byte,
            b' ' | b'\t' | b':' | b'#' | b'=' | b'.' | b'-' | b'"' | b'\'' | b'(' | b')' | b'*' | b'_' | b','
        )
    };
    let mut end = start;
    for _ in 0..WORDS {
        end = text.back(end, 4, sign);
        let from = text.back(end, 12, |byte| byte.is_ascii_alphabetic());
        let word = text.slice(from, end);
        if start - from > REACH || word.is_empty() || text.before(from).is_ascii_alphanumeric() {
            return false;
        }
        if is_name(word) {
            return true;
        }
        let code = word.len() == 2 && word.iter().all(u8::is_ascii_uppercase);
        if !code && !BETWEEN.iter().any(|between| word.eq_ignore_ascii_case(between)) {
            return false;
        }
        end = from;
    }
    false
}

/// Whether a word names a licence by itself.
fn is_name(word: &[u8]) -> bool {
    const NAMES: &[&[u8]] =
        &[b"dl", b"dln", b"dlno", b"dlnumber", b"oln", b"cdl", b"license", b"licence", b"licenses", b"lic"];
    NAMES.iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// The last word of a field's name but those that may stand behind one: of `dl_number` it is `dl`.
fn last_word(name: &[u8]) -> &[u8] {
    let mut words = name.rsplit(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let last = words.next().unwrap_or_default();
    if BETWEEN.iter().any(|between| last.eq_ignore_ascii_case(between)) { words.next().unwrap_or(last) } else { last }
}
