//! When two entities are the same thing said in two ways.
//!
//! Invariant: symmetric; quantities of different kinds are never the same, unless one of them has no unit.

use super::extract::{Entity, Kind};
use super::lexicon::stem;
use super::quantities::agrees;

const COUNTRY: [&str; 8] = ["a", "e", "o", "y", "ia", "land", "key", ""];
const PEOPLE: [&str; 14] = ["n", "an", "ian", "ese", "ish", "i", "s", "es", "ns", "ans", "ians", "ic", "k", "ks"];

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
            let bare = |kind: &str| matches!(kind, "count" | "year" | "temperature");
            (bare(mine.kind) || bare(theirs.kind)) && (mine.value - theirs.value).abs() < f64::EPSILON
        }
        (None, None) => {
            if one.key == other.key {
                return true;
            }
            if one.kind == Kind::Date || other.kind == Kind::Date {
                return false;
            }
            if strict {
                return inflected(&one.key, &other.key);
            }
            let named = |kind: Kind| matches!(kind, Kind::Name | Kind::Quote);
            named(one.kind) && named(other.kind) && alias(&one.key, &other.key)
        }
        _ => false,
    }
}

/// `Smith` and `John Smith`, `WHO` and `World Health Organization`, `Syria` and `Syrian`.
fn alias(one: &str, other: &str) -> bool {
    if one.split_whitespace().any(|word| other.split_whitespace().any(|known| known == word)) {
        return true;
    }
    let single = |text: &str| !text.trim().contains(char::is_whitespace);
    for (short, long) in [(one, other), (other, one)] {
        if single(short)
            && !single(long)
            && long
                .split_whitespace()
                .filter_map(|word| word.chars().next())
                .eq(short.chars().filter(|letter| *letter != '.'))
        {
            return true;
        }
    }
    single(one) && single(other) && inflected(one, other)
}

/// Whether two names are one name in two forms: `Syria` and `Syrian`, `Turk` and `Turks`.
///
/// By their endings, not by what they begin with: `Austria` is not `Australia`.
pub(crate) fn inflected(one: &str, other: &str) -> bool {
    if stem(one) == stem(other) {
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
        ] {
            assert_eq!(alias(one, other), expected, "{one} | {other}");
            assert_eq!(alias(other, one), expected, "{other} | {one}");
        }
    }
}
