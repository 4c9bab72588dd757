//! What people type into a search box: "drop table lamp" is no statement there, though it parses as one.
//!
//! Invariant: only words pass, on a path that is called after searching, in a place that is not named for statements.
//! Whatever statements have and searches do not (capitals at the head, signs, names with `_`, names of one letter) is
//! left to the other checks.

use super::target::Target;

/// Words of paths that search.
const PATHS: &[&str] = &[
    "autocomplete",
    "browse",
    "catalog",
    "catalogue",
    "complete",
    "find",
    "items",
    "listings",
    "lookup",
    "products",
    "search",
    "searches",
    "shop",
    "suggest",
    "suggestions",
    "typeahead",
];

/// What follows the name of an object in a statement, and hardly anything in a search.
const CLAUSES: &[&str] = &["cascade", "exists", "restrict", "returning", "values"];

const MOST_WORDS: usize = 12;

/// Whether the path is one of searches, by one of its words.
pub fn searching(target: &Target<'_>) -> bool {
    target.segments.iter().any(|segment| {
        segment
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| PATHS.iter().any(|path| word.eq_ignore_ascii_case(path)))
    })
}

/// Whether a text is words alone, as people type them.
pub fn is_phrase(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let word = |word: &&str| {
        let bare = word.trim_end_matches([',', '.', '?', '!']);
        let clause = CLAUSES.iter().any(|clause| bare.eq_ignore_ascii_case(clause));
        let named = bare.chars().count() > 1 || matches!(bare, "a" | "A" | "i" | "I");
        let letters = bare.chars().all(|c| c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}' | '-'));
        named && letters && !clause && !bare.contains("--") && !bare.starts_with(['-', '\''])
    };
    // A statement of one or two words is left to the checks of statements: `VACUUM FULL`, `truncate users`.
    let head = words.first().is_some_and(|head| head.chars().any(char::is_lowercase));
    (3..=MOST_WORDS).contains(&words.len()) && head && words.iter().all(word)
}

#[cfg(test)]
mod tests {
    use super::{is_phrase, searching};
    use crate::target::parse;

    #[test]
    fn phrases_are_told_from_statements() {
        for text in [
            "drop table lamp",
            "delete from cart",
            "Truncate table saw",
            "insert into slot, black",
            "drop-leaf table of oak",
            "merge into traffic",
            "alter table height 60cm",
        ] {
            assert!(is_phrase(text), "{text}");
        }
        for text in [
            "DROP TABLE lamp",
            "drop table t",
            "drop table order_items",
            "drop table lamp;",
            "drop table if exists lamp",
            "drop table lamp cascade",
            "delete from users where id=1",
            "insert into users values",
            "truncate users",
            "drop table lamp --",
            "drop table lamp -- x",
            "drop table \"lamp\"",
            "drop table public.lamp",
            "",
        ] {
            assert!(!is_phrase(text), "{text}");
        }
    }

    #[test]
    fn paths_of_searches() {
        let on = |target: &str| searching(&parse(target.as_bytes()).expect("a target"));
        assert!(on("/search") && on("/api/v2/product-search?q=x") && on("/Products"));
        assert!(!on("/") && !on("/db") && !on("/research") && !on("/query?q=search"));
    }
}
