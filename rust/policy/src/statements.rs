//! Whether a text that nobody said is a statement is one, and writes: SQL and its kin (InfluxQL, ClickHouse, MySQL's
//! administration), found by their form.
//!
//! Invariant: this only ever turns a read into a write. It asks for the form of a statement, not just for a word, since
//! people search for "delete" too: a known verb with what follows it, or an unknown one that is written as statements are.

use sqlparser::dialect::{Dialect, GenericDialect, MsSqlDialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Tokenizer;

use super::effect::shown;
use super::sql::classify_sql;
use super::statement_words::{OBJECTS, words};
use super::{query_languages, statement_verbs};

/// A statement of more words than this is not looked at further: nobody asks a search for it.
const MAX_TOKENS: usize = 20_000;

/// Words that start a write, and what follows them in one; `""` is any word.
const OPENINGS: &[(&str, &[&str])] = &[
    ("ALTER", OBJECTS),
    ("ATTACH", &["DATABASE"]),
    ("CALL", &[""]),
    ("COMMENT", &["ON"]),
    ("COPY", &[""]),
    ("CREATE", OBJECTS),
    ("DELETE", &["FROM"]),
    ("DO", &["$"]),
    ("DROP", OBJECTS),
    ("EXEC", &[""]),
    ("EXECUTE", &[""]),
    ("GRANT", &[""]),
    ("INSERT", &["INTO", "OVERWRITE", "OR", "IGNORE", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"]),
    ("LOCK", &["TABLE", "TABLES"]),
    ("MERGE", &["INTO"]),
    ("NOTIFY", &[""]),
    ("REFRESH", &["MATERIALIZED"]),
    ("REINDEX", &["TABLE", "INDEX", "DATABASE", "SCHEMA", "SYSTEM"]),
    ("RENAME", &["TABLE"]),
    ("REPLACE", &["INTO"]),
    ("REVOKE", &[""]),
    ("TRUNCATE", &[""]),
    ("UPDATE", &[""]),
    ("VACUUM", &["FULL", "ANALYZE"]),
];

/// Why a text is a statement that writes; none if it is no statement, or a query that reads.
pub fn statement(text: &str) -> Option<String> {
    if text.contains("/*!") {
        return Some("an executable comment".to_owned());
    }
    if let Some(why) = query_languages::writes(text) {
        return Some(why.to_owned());
    }
    if let Some(why) = text.split(';').find_map(opens_write) {
        return Some(why);
    }
    let first = words(text).next()?.to_ascii_uppercase();
    if !matches!(first.as_str(), "SELECT" | "WITH" | "VALUES" | "TABLE" | "EXPLAIN") {
        return None;
    }
    let mut pieces = text.split(';').filter(|piece| words(piece).next().is_some());
    if pieces.next().is_some_and(parses_somewhere) && pieces.next().is_some() {
        return Some("several statements".to_owned());
    }
    let dialects: [(&str, &dyn Dialect); 4] = [
        ("generic", &GenericDialect {}),
        ("postgres", &PostgreSqlDialect {}),
        ("mysql", &MySqlDialect {}),
        ("tsql", &MsSqlDialect {}),
    ];
    let mut name = None;
    for (candidate, dialect) in dialects {
        match parses(text, dialect) {
            Some(true) => {
                name = Some(candidate);
                break;
            }
            Some(false) => {}
            None => return Some("a text too long to tell from a statement".to_owned()),
        }
    }
    let Some(name) = name else {
        // No statement that we know. `SELECT … INTO OUTFILE` of products that we do not has these words.
        let has = |wanted: &[&str]| words(text).any(|word| wanted.iter().any(|want| word.eq_ignore_ascii_case(want)));
        return (has(&["FROM"]) && has(&["INTO", "OUTFILE", "NEXTVAL"])).then(|| "an unknown statement".to_owned());
    };
    let effect = classify_sql(text, name);
    (!effect.is_read()).then(|| effect.reason.into_owned())
}

fn opens_write(piece: &str) -> Option<String> {
    known_opening(piece)
        .or_else(|| block(piece).and_then(known_opening))
        .or_else(|| statement_verbs::leading(piece).map(|verb| format!("{} …", shown(&verb.to_ascii_uppercase()))))
}

/// What stands in a block of a procedural language, or after EXPLAIN.
fn block(piece: &str) -> Option<&str> {
    let piece = piece.trim_start();
    let end = piece.find(char::is_whitespace)?;
    let (first, rest) = piece.split_at(end);
    ["BEGIN", "DECLARE", "ELSE", "PROFILE", "THEN"].iter().any(|word| first.eq_ignore_ascii_case(word)).then_some(rest)
}

fn known_opening(piece: &str) -> Option<String> {
    let mut following = words(piece);
    let first = following.next()?;
    let (word, followers) = OPENINGS.iter().find(|(word, _)| first.eq_ignore_ascii_case(word))?;
    let second = following.next().unwrap_or_default();
    let fits = followers.iter().any(|follower| follower.is_empty() || second.eq_ignore_ascii_case(follower));
    let looks = match *word {
        // Verbs of everyday language, with what makes them statements.
        "UPDATE" => piece.contains('=') && words(piece).take(24).any(|word| word.eq_ignore_ascii_case("SET")),
        "CALL" | "EXEC" | "EXECUTE" | "GRANT" | "NOTIFY" | "REVOKE" => parses_somewhere(piece),
        "COPY" => {
            words(piece).any(|word| word.eq_ignore_ascii_case("FROM") || word.eq_ignore_ascii_case("TO"))
                && parses_somewhere(piece)
        }
        "TRUNCATE" => second.eq_ignore_ascii_case("TABLE") || words(piece).count() <= 2,
        _ => true,
    };
    (fits && looks).then(|| format!("{word} …"))
}

/// As [`statement`], for a text in a place that nothing says holds one: all of it must be SQL, or another language's.
pub fn whole_statement(text: &str) -> Option<String> {
    if !text.contains(char::is_whitespace) && !text.contains('(') {
        return None;
    }
    let why = statement(text)?;
    (query_languages::writes(text).is_some() || parses_somewhere(text)).then_some(why)
}

fn parses_somewhere(text: &str) -> bool {
    let dialects: [&dyn Dialect; 4] = [&GenericDialect {}, &PostgreSqlDialect {}, &MySqlDialect {}, &MsSqlDialect {}];
    dialects.iter().any(|dialect| parses(text, *dialect) != Some(false))
}

/// Whether the text is SQL; none when it is too long to say.
fn parses(text: &str, dialect: &dyn Dialect) -> Option<bool> {
    let Ok(tokens) = Tokenizer::new(dialect, text).tokenize() else {
        return Some(false);
    };
    if tokens.len() > MAX_TOKENS {
        return None;
    }
    let parse = || Parser::new(dialect).with_tokens(tokens.clone()).parse_statements().is_ok_and(|all| !all.is_empty());
    Some(super::sql::with_stack(tokens.len(), parse))
}

#[cfg(test)]
mod tests {
    use super::statement;

    #[test]
    fn statements_are_told_from_sentences() {
        for text in [
            "DELETE FROM users",
            " /* x */ delete from users where 1=1",
            "-- a\nDROP TABLE t",
            "SELECT 1; DROP TABLE t",
            "update t set a = 1",
            "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x",
            "SELECT nextval('s')",
            "SELECT * FROM t FOR UPDATE",
            "SELECT * INTO copy FROM t",
            "(select pg_terminate_backend(1))",
            "EXPLAIN ANALYZE DELETE FROM t",
            "call purge()",
            "create table t (a int)",
            "insert into t values (1)",
            "TRUNCATE t",
            "/*!50000 DELETE FROM t */",
            &format!("SELECT nextval(1){}", " OR 1".repeat(20_000)),
            "grant all on t to bob",
            "SELECT 1; frobnicate t",
            "begin delete from t; end",
            "SELECT 1;DROP SERIES FROM cpu",
            "OPTIMIZE TABLE t",
            "MATCH (n) DETACH DELETE n",
        ] {
            assert!(statement(text).is_some(), "{text}");
        }
        for text in [
            "how do I delete a user",
            "delete my account please",
            "Select the three best movies from the 90s",
            "select shoes",
            "with love from Paris",
            "update my address",
            "create a poem about tables",
            "drop shipping",
            "call of duty",
            "copy machine",
            "table tennis",
            "SELECT a FROM t WHERE b = 'delete'",
            "grant applications for schools",
            "do you like SQL?",
            "truncate a long sentence in Python",
            "",
            ";",
            "$",
        ] {
            assert_eq!(statement(text), None, "{text}");
        }
    }
}
