//! When two entities are the same thing said in two ways.
//!
//! Invariant: symmetric; quantities of different kinds are never the same, unless one of them has no unit.

use super::facts::{Entity, Kind};
use super::lexicon::{self, Modality, look_up, stem};
use super::quantities::{Quantity, agrees};

const COUNTRY: [&str; 8] = ["a", "e", "o", "y", "ia", "land", "key", ""];
const PEOPLE: [&str; 16] =
    ["n", "an", "ian", "ese", "ish", "i", "s", "es", "ns", "ans", "ians", "ic", "k", "ks", "al", "ern"];

/// What an entity may be compared with.
pub(crate) fn group<'e>(entity: &'e Entity<'_>) -> &'e str {
    match (&entity.quantity, entity.kind) {
        (Some(quantity), _) => quantity.group(),
        (None, Kind::Date) => entity.key.split(' ').next().unwrap_or(""),
        (None, Kind::Name) => "name",
        (None, Kind::Quote) => "quote",
        (None, Kind::Url) => "url",
        (None, Kind::Code) => "code",
        (None, Kind::Number | Kind::Time) => "number",
        (None, Kind::Opening) => "opening",
    }
}

/// Whether two entities can be the same; `strict` takes hedges (about 150) and parts of names at their word.
pub(crate) fn same(one: &Entity<'_>, other: &Entity<'_>, strict: bool) -> bool {
    match (&one.quantity, &other.quantity) {
        (Some(mine), Some(theirs)) => {
            if mine.kind == theirs.kind {
                return agrees(mine, theirs, !strict && (one.hedged || other.hedged));
            }
            if let Some(part) = part_of_date(mine, theirs).or_else(|| part_of_date(theirs, mine)) {
                return part;
            }
            let bare = |kind: &str| matches!(kind, "count" | "year" | "temperature");
            (bare(mine.kind) || bare(theirs.kind)) && (mine.value - theirs.value).abs() < f64::EPSILON
        }
        (None, None) => {
            if one.key == other.key || known_as(&one.key) == known_as(&other.key) {
                return true;
            }
            if one.kind == Kind::Date || other.kind == Kind::Date {
                return false;
            }
            if strict {
                return word_for_word(&one.key, &other.key)
                    || (one.kind == Kind::Quote && other.kind == Kind::Quote && alike(&one.key, &other.key))
                    || initials(&one.key, &other.key)
                    || initials(&other.key, &one.key);
            }
            let named = |kind: Kind| matches!(kind, Kind::Name | Kind::Quote);
            named(one.kind) && named(other.kind) && alias(&one.key, &other.key)
        }
        _ => false,
    }
}

/// Whether a bare number can be the day or the year of a date; `None` when they are no number and no date.
fn part_of_date(date: &Quantity, number: &Quantity) -> Option<bool> {
    let (year, _, day) = date.date;
    let bare = matches!(number.kind, "count" | "year" | "ordinal");
    (date.kind == "date" && bare)
        .then(|| [year, day].iter().any(|part| *part > 0 && (f64::from(*part) - number.value).abs() < f64::EPSILON))
}

/// Whether two quotations differ in their small words and endings only.
fn alike(one: &str, other: &str) -> bool {
    let content = |text: &str| -> Vec<String> {
        text.split_whitespace()
            .filter(|word| !look_up(word).is(lexicon::FUNCTION))
            .map(|word| stem(word).into_owned())
            .collect()
    };
    // "must pay" and "may pay" differ in a small word, and that one decides.
    let deciding = |text: &str| -> Vec<(bool, Option<Modality>)> {
        let known = text.split_whitespace().map(look_up);
        known.map(|word| (word.is(lexicon::NEGATOR), word.modality)).filter(|known| *known != (false, None)).collect()
    };
    let mine = content(one);
    !mine.is_empty() && mine == content(other) && deciding(one) == deciding(other)
}

/// Whether two names are one, word for word in two forms: `Coast Artillery` and `Coastal Artillery`.
fn word_for_word(one: &str, other: &str) -> bool {
    let (mine, theirs) = (one.split_whitespace(), other.split_whitespace());
    mine.clone().count() == theirs.clone().count() && mine.zip(theirs).all(|(word, back)| inflected(word, back))
}

/// `Smith` and `John Smith`, `WHO` and `World Health Organization`, `Syria` and `Syrian`.
fn alias(one: &str, other: &str) -> bool {
    if one.split_whitespace().any(|word| other.split_whitespace().any(|known| known == word)) {
        return true;
    }
    let single = |text: &str| !text.trim().contains(char::is_whitespace);
    initials(one, other) || initials(other, one) || (single(one) && single(other) && inflected(one, other))
}

/// Whether `short` is made of the first letters of `long`: `who`, `n y`.
fn initials(short: &str, long: &str) -> bool {
    let letters = short.chars().filter(|letter| !matches!(letter, '.' | ' '));
    long.split_whitespace().nth(1).is_some()
        && long.split_whitespace().filter_map(|word| word.chars().next()).eq(letters)
}

/// Names that the same thing goes by, though no rule makes one of the other.
const ALSO: [&[&str]; 4] = [
    &["united states", "u s", "us", "usa", "u s a", "america", "american", "americans"],
    &["united kingdom", "u k", "uk", "britain", "great britain", "british"],
    &["european union", "e u", "eu"],
    &["united nations", "u n", "un"],
];

/// The first of the names that the same thing goes by.
pub(crate) fn known_as(name: &str) -> &str {
    // Most names begin with another letter than all of those above.
    if !name.starts_with(['u', 'a', 'b', 'g', 'e']) {
        return name;
    }
    ALSO.iter().find(|names| names.contains(&name)).and_then(|names| names.first()).copied().unwrap_or(name)
}

/// Whether two names are one name in two forms: `Syria` and `Syrian`, `Turk` and `Turks`.
///
/// By their endings, not by what they begin with: `Austria` is not `Australia`.
pub(crate) fn inflected(one: &str, other: &str) -> bool {
    if stem(one) == stem(other) || respelled(one, other) {
        return true;
    }
    let size: usize = one
        .chars()
        .zip(other.chars())
        .take_while(|(mine, theirs)| mine == theirs)
        .map(|(letter, _)| letter.len_utf8())
        .sum();
    let (mine, theirs) = (one.get(size..).unwrap_or(""), other.get(size..).unwrap_or(""));
    size >= 3
        && (COUNTRY.contains(&mine) || COUNTRY.contains(&theirs))
        && (PEOPLE.contains(&mine) || PEOPLE.contains(&theirs))
}

/// Whether two names are one in two spellings: `Qaeda` and `Qaida`, `Mohamed` and `Mohammed`, but not `Iran` and `Iraq`.
fn respelled(one: &str, other: &str) -> bool {
    let (shorter, apart) = (one.len().min(other.len()), one.len().abs_diff(other.len()));
    // In ASCII a byte is a letter.
    if shorter < 5 || apart > 1 && one.is_ascii() && other.is_ascii() {
        return false;
    }
    let letters = |text: &str| -> Vec<char> { text.chars().collect() };
    let (mut long, mut short) = (letters(one), letters(other));
    if long.len() < short.len() {
        std::mem::swap(&mut long, &mut short);
    }
    if short.len() < 5 || long.len() - short.len() > 1 || !long.iter().all(|letter| letter.is_alphabetic()) {
        return false;
    }
    let head = long.iter().zip(&short).take_while(|(mine, theirs)| mine == theirs).count();
    let (mine, theirs) = (long.get(head..).unwrap_or(&[]), short.get(head..).unwrap_or(&[]));
    let vowel = |letter: &char| "aeiouy".contains(*letter) || !letter.is_ascii();
    match (mine, theirs) {
        ([], []) => true,
        // A letter that one spelling has and the other cannot write: `Măgheruş` and `Măgherus`.
        ([one, rest @ ..], [other, others @ ..]) if rest == others => {
            vowel(one) && vowel(other) || one.is_ascii() != other.is_ascii()
        }
        // One letter more: a doubled one, an h, or one that the other spelling cannot write.
        ([more, rest @ ..], others) if rest == others => {
            *more == 'h' || !more.is_ascii() || head.checked_sub(1).and_then(|last| long.get(last)) == Some(more)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_two_forms() {
        for (one, other, expected) in [
            ("smith", "john smith", true),
            ("who", "world health organization", true),
            ("syria", "syrian", true),
            ("turk", "turks", true),
            ("austria", "australia", false),
            ("oslo", "bergen", false),
            ("qaeda", "qaida", true),
            ("mohamed", "mohammed", true),
            ("hussein", "husein", true),
            ("iran", "iraq", false),
            ("martin", "marvin", false),
        ] {
            assert_eq!(alias(one, other), expected, "{one} | {other}");
            assert_eq!(alias(other, one), expected, "{other} | {one}");
        }
    }
}
