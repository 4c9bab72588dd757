//! Statements classified by their tokens: those that the parser does not know (`DESCRIBE WAREHOUSE w`), and queries with
//! syntax that it lacks in their dialect.
//!
//! Invariant: here a word that could start, or be, a write anywhere in the statement makes it one, and each word before
//! a parenthesis must be grammar or a known pure function. No statement of the dialects we know writes without
//! one of those words or a function.

use sqlparser::tokenizer::Token;

use super::effect::{Effect, shown};
use super::sql_family::Family;
use super::sql_functions::is_grammar;
use super::sql_guard::{bare, is_word};
use super::sql_walk::pure;

/// What the statement's first words say.
pub enum Opening {
    /// It has the form of a query: look further.
    Query,
    /// Nothing more is needed.
    Decided(Effect),
}

/// The verdict of the first words, or that it is a query.
pub fn opening(tokens: &[Token], family: Family) -> Opening {
    let first =
        tokens.iter().find(|token| **token != Token::LParen).and_then(bare).map(|word| word.value.to_ascii_uppercase());
    let Some(first) = first else {
        return Opening::Decided(Effect::write("no statement"));
    };
    match first.as_str() {
        "EXPLAIN" if family == Family::Oracle => Opening::Decided(Effect::write("EXPLAIN PLAN writes into PLAN_TABLE")),
        "SELECT" | "WITH" | "VALUES" | "TABLE" | "EXPLAIN" => Opening::Query,
        "FROM" if matches!(family, Family::DuckDb | Family::BigQuery) => Opening::Query,
        "PIVOT" | "UNPIVOT" | "SUMMARIZE" if family == Family::DuckDb => Opening::Decided(classify(tokens, family)),
        "DESC" | "DESCRIBE" if holds_query(tokens) => Opening::Query,
        "SHOW" | "DESC" | "DESCRIBE" => Opening::Decided(metadata(tokens, family)),
        "LIST" | "LS" if family == Family::Snowflake => Opening::Decided(plain(tokens, "lists a stage")),
        "PRAGMA" if family == Family::Sqlite => Opening::Decided(pragma(tokens)),
        _ => Opening::Decided(Effect::write(format!(
            "a statement that starts with {} is not known to be a read",
            shown(&first)
        ))),
    }
}

fn holds_query(tokens: &[Token]) -> bool {
    tokens
        .iter()
        .skip(1)
        .any(|token| ["SELECT", "WITH", "VALUES", "FROM"].iter().any(|word| is_word(Some(token), word)))
        && !is_word(tokens.first(), "SHOW")
}

/// SHOW and DESCRIBE name objects; they run nothing unless they hold an expression.
fn metadata(tokens: &[Token], family: Family) -> Effect {
    if tokens.iter().any(|token| ["SELECT", "CALL", "EXEC", "EXECUTE"].iter().any(|word| is_word(Some(token), word))) {
        return Effect::write("a SHOW or DESCRIBE with a statement in it");
    }
    // `DESCRIBE FUNCTION f(NUMBER)` gives a signature; everything else in parentheses is an expression.
    let signature = is_word(tokens.get(1), "FUNCTION")
        || is_word(tokens.get(1), "PROCEDURE")
        || is_word(tokens.get(1), "AGGREGATE");
    if signature && !is_word(tokens.first(), "SHOW") {
        return plain(tokens, "describes a function");
    }
    if let Some(name) = unknown_call(tokens, family) {
        return Effect::write(format!("calls {}(), which is not known to be read-only", shown(&name)));
    }
    if tokens.contains(&Token::VerticalBarRightAngleBracket) || tokens.contains(&Token::LongArrow) {
        return Effect::write("a chain of statements");
    }
    Effect::read("shows metadata")
}

/// Names, literals and punctuation only.
fn plain(tokens: &[Token], what: &'static str) -> Effect {
    let known = |token: &Token| {
        matches!(
            token,
            Token::Word(_)
                | Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::Comma
                | Token::Period
                | Token::LParen
                | Token::RParen
                | Token::Eq
                | Token::AtSign
                | Token::Div
                | Token::Tilde
                | Token::Mod
                | Token::Minus
                | Token::Placeholder(_)
        )
    };
    if tokens.iter().all(known) { Effect::read(what) } else { Effect::write("unexpected punctuation") }
}

const PRAGMA_READS: &[&str] = &[
    "collation_list",
    "compile_options",
    "database_list",
    "foreign_key_list",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "module_list",
    "pragma_list",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// SQLite: `PRAGMA [schema.]name(argument)` of the pragmas that list; all others may set.
fn pragma(tokens: &[Token]) -> Effect {
    let rest = match tokens {
        [_, Token::Word(_), Token::Period, rest @ ..] | [_, rest @ ..] => rest,
        [] => &[],
    };
    let Some(name) = rest.first().and_then(bare) else {
        return Effect::write("PRAGMA without a name");
    };
    let listed = PRAGMA_READS.contains(&name.value.to_ascii_lowercase().as_str());
    if listed && !rest.contains(&Token::Eq) {
        Effect::read("a PRAGMA that lists")
    } else {
        Effect::write(format!("PRAGMA {} may set", shown(&name.value)))
    }
}

/// Words that start a write or change a session in one dialect or another. Sorted.
const SUSPECT: &[&str] = &[
    "ALTER",
    "ANALYSE",
    "ATTACH",
    "BACKUP",
    "CALL",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DENY",
    "DETACH",
    "DISCARD",
    "DO",
    "DROP",
    "EXEC",
    "EXECUTE",
    "EXPORT",
    "GRANT",
    "HANDLER",
    "IMPORT",
    "INSTALL",
    "KILL",
    "LISTEN",
    "LOAD",
    "LOCK",
    "NOTIFY",
    "OPENDATASOURCE",
    "OPENQUERY",
    "OPENROWSET",
    "OPTIMIZE",
    "PREPARE",
    "PUT",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "RENAME",
    "REPLACE",
    "RESTORE",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SETTINGS",
    "SHARE",
    "SHUTDOWN",
    "TRUNCATE",
    "UNDROP",
    "UNLISTEN",
    "UNLOAD",
    "UNLOCK",
    "UPSERT",
    "USE",
    "VACUUM",
];

/// The verdict on a query by its tokens alone.
pub fn classify(tokens: &[Token], family: Family) -> Effect {
    if !well_formed(tokens) {
        return Effect::write("the statement does not parse");
    }
    for (at, token) in tokens.iter().enumerate() {
        let Some(word) = bare(token) else {
            if matches!(token, Token::CustomBinaryOperator(_)) {
                return Effect::write("an operator that is not known to be read-only");
            }
            continue;
        };
        let upper = word.value.to_ascii_uppercase();
        let named = at.checked_sub(1).and_then(|before| tokens.get(before)) == Some(&Token::Period);
        let called = tokens.get(at + 1) == Some(&Token::LParen);
        // `* RENAME (…)` and `* REPLACE (…)` of BigQuery, Snowflake and DuckDB; LISTAGG(… ON OVERFLOW TRUNCATE).
        let clause = (called && matches!(upper.as_str(), "RENAME" | "REPLACE" | "TRUNCATE"))
            || (at > 0 && is_word(tokens.get(at - 1), "OVERFLOW"));
        if !named && !clause && SUSPECT.binary_search(&upper.as_str()).is_ok() {
            return Effect::write(format!("the word {} may write", shown(&upper)));
        }
        // PostgreSQL's OPERATOR(schema.+) names a function; the tree classifies it, and here is none.
        if called && upper == "OPERATOR" {
            return Effect::write("an operator that is not known to be read-only");
        }
    }
    if let Some(name) = unknown_call(tokens, family) {
        return Effect::write(format!("calls {}(), which is not known to be read-only", shown(&name)));
    }
    Effect::read("a query without a writing word or an unknown function")
}

/// Words that open a clause: one that follows another, or ends the statement, is no SQL in any dialect.
const CLAUSES: &[&str] = &[
    "AND",
    "BETWEEN",
    "BY",
    "CASE",
    "EXCEPT",
    "FROM",
    "GROUP",
    "HAVING",
    "INTERSECT",
    "JOIN",
    "LIKE",
    "MINUS",
    "NOT",
    "ON",
    "OR",
    "ORDER",
    "SELECT",
    "UNION",
    "WHERE",
    "WITH",
];
const ENDS_CLAUSE: &[&str] = &["BY", "GROUP", "HAVING", "JOIN", "ORDER", "WHERE"];

/// Whether the statement has a query in it, is not cut short, and has no empty clause.
pub fn well_formed(tokens: &[Token]) -> bool {
    let any = |word: &str| tokens.iter().any(|token| is_word(Some(token), word));
    let query = ["SELECT", "FROM", "VALUES", "TABLE", "PIVOT", "UNPIVOT", "SUMMARIZE"];
    let explained = !is_word(tokens.first(), "EXPLAIN") || any("SELECT");
    let clause = |token: &Token, words: &[&str]| words.iter().any(|word| is_word(Some(token), word));
    let cut = tokens.last().is_none_or(|last| {
        clause(last, CLAUSES) || matches!(last, Token::Comma | Token::Period | Token::Eq | Token::LParen)
    });
    let empty = tokens.windows(2).any(|pair| match pair {
        [Token::Comma, Token::Comma] => true,
        [first, second] => {
            let opens = clause(first, &["FROM", "WHERE", "HAVING", "BY", "JOIN", "ON", "AND", "OR"]);
            // `GROUP BY` and `ORDER BY` follow; a name after a dot is no clause.
            opens && clause(second, ENDS_CLAUSE)
        }
        _ => false,
    });
    query.iter().any(|word| any(word)) && explained && !cut && !empty && balanced(tokens)
}

fn balanced(tokens: &[Token]) -> bool {
    let mut depth = 0_i64;
    for token in tokens {
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

/// The first name before a parenthesis that is neither grammar, nor the name of a CTE or alias, nor a pure function.
fn unknown_call(tokens: &[Token], family: Family) -> Option<String> {
    for (at, token) in tokens.iter().enumerate() {
        if *token != Token::LParen {
            continue;
        }
        let Some(before) = at.checked_sub(1).and_then(|before| tokens.get(before)) else { continue };
        let word = match before {
            Token::Word(word) => word,
            // Snowflake's IDENTIFIER('f')(x) and the like: a call of a computed name. ClickHouse: quantile(0.9)(x).
            Token::RParen | Token::RBracket | Token::Placeholder(_) if family != Family::ClickHouse => {
                return Some("a computed name".to_owned());
            }
            _ => continue,
        };
        let mut name = word.value.to_lowercase();
        let mut start = at - 1;
        while let Some(outer) = start.checked_sub(2)
            && let Some([Token::Word(part), Token::Period]) = tokens.get(outer..start)
        {
            name = format!("{}.{name}", part.value.to_lowercase());
            start = outer;
        }
        let before = start.checked_sub(1).and_then(|before| tokens.get(before));
        // `column(+)` is Oracle's outer join.
        if tokens.get(at + 1) == Some(&Token::Plus) && tokens.get(at + 2) == Some(&Token::RParen) {
            continue;
        }
        let declared = ["AS", "WITH", "RECURSIVE"].iter().any(|word| is_word(before, word));
        let grammar = word.quote_style.is_none() && is_grammar(&name);
        let stage = family == Family::Snowflake && name.starts_with('@');
        if !declared && !grammar && !stage && !pure(family, &name) {
            return Some(name);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{PRAGMA_READS, SUSPECT};

    #[test]
    fn the_searched_lists_are_sorted() {
        assert!(SUSPECT.is_sorted());
        assert!(PRAGMA_READS.is_sorted());
    }
}
