//! The words of a statement, whatever its language, and the kinds of object that statements name.

/// Kinds of object that a statement of definition names after its verb.
pub const OBJECTS: &[&str] = &[
    "AGGREGATE",
    "CAST",
    "COLLATION",
    "COLUMN",
    "CONSTRAINT",
    "CONVERSION",
    "DATABASE",
    "DEFINER",
    "DOMAIN",
    "EVENT",
    "EXTENSION",
    "EXTERNAL",
    "FOREIGN",
    "FULLTEXT",
    "FUNCTION",
    "GLOBAL",
    "GROUP",
    "IF",
    "INDEX",
    "KEYSPACE",
    "LOCAL",
    "LOGIN",
    "MATERIALIZED",
    "OPERATOR",
    "OR",
    "PACKAGE",
    "PIPE",
    "POLICY",
    "PROCEDURE",
    "PUBLICATION",
    "ROLE",
    "RULE",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "STAGE",
    "STATISTICS",
    "STREAM",
    "SUBSCRIPTION",
    "SYSTEM",
    "TABLE",
    "TABLESPACE",
    "TASK",
    "TEMP",
    "TEMPORARY",
    "TRANSIENT",
    "TRIGGER",
    "TYPE",
    "UNIQUE",
    "UNLOGGED",
    "USER",
    "VIEW",
    "VIRTUAL",
    "WAREHOUSE",
];

/// The words of a statement, comments and the punctuation between them left out.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest =
                rest.trim_start_matches(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '$' | '#')));
            if let Some(comment) = rest.strip_prefix("--").or_else(|| rest.strip_prefix('#')) {
                rest = comment.split_once('\n').map_or("", |(_, after)| after);
            } else if let Some(comment) = rest.strip_prefix("/*") {
                rest = comment.split_once("*/").map_or("", |(_, after)| after);
            } else if rest.starts_with(['-', '/']) {
                rest = &rest[1..];
            } else if let Some(body) = rest.strip_prefix('$') {
                rest = body;
                return Some("$");
            } else {
                break;
            }
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}
