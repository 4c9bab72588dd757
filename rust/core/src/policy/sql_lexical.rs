//! Statements judged by their tokens: those that the parser does not know (`DESCRIBE WAREHOUSE w`), and queries with
//! syntax that it lacks in their dialect.
//!
//! Invariant: here a word that could start, or be, a write anywhere in the statement makes it one, and each word before
//! a parenthesis must be grammar or a known pure function. No statement of the dialects we know writes without
//! one of those words or a function.

use sqlparser::tokenizer::Token;

use super::sql::{Family, bare, is_word};
use super::sql_functions::is_grammar;
use super::sql_walk::pure;
use super::{Effect, shown};

/// What the statement's first words say.
pub enum Opening {
    /// It has the form of a query: look further.
    Query,
    /// Nothing more is needed.
    Decided(Effect),
}

/// The verdict of the first words, or that it is a query.
pub fn opening(tokens: &[Token], family: Family) -> Opening {
    let first = tokens
        .iter()
        .find(|token| **token != Token::LParen)
        .and_then(bare)
        .map(|word| word.value.to_ascii_uppercase());
    let Some(first) = first else {
        return Opening::Decided(Effect::write("no statement"));
    };
    match first.as_str() {
        "SELECT" | "WITH" | "VALUES" | "TABLE" => Opening::Query,
        "FROM" if matches!(family, Family::DuckDb | Family::BigQuery) => Opening::Query,
        "PIVOT" | "UNPIVOT" | "SUMMARIZE" if family == Family::DuckDb => {
            Opening::Decided(classify(tokens, family))
        }
        "EXPLAIN" if family == Family::Oracle => {
            Opening::Decided(Effect::write("EXPLAIN PLAN writes into PLAN_TABLE"))
        }
        "EXPLAIN" => Opening::Query,
        "DESC" | "DESCRIBE" if holds_query(tokens) => Opening::Query,
        "SHOW" | "DESC" | "DESCRIBE" => Opening::Decided(metadata(tokens, family)),
        "LIST" | "LS" if family == Family::Snowflake => {
            Opening::Decided(plain(tokens, "lists a stage"))
        }
        "PRAGMA" if family == Family::Sqlite => Opening::Decided(pragma(tokens)),
        _ => Opening::Decided(Effect::write(format!(
            "a statement that starts with {} is not known to be a read",
            shown(&first)
        ))),
    }
}

fn holds_query(tokens: &[Token]) -> bool {
    tokens.iter().skip(1).any(|token| {
        ["SELECT", "WITH", "VALUES", "FROM"]
            .iter()
            .any(|word| is_word(Some(token), word))
    }) && !is_word(tokens.first(), "SHOW")
}

/// SHOW and DESCRIBE name objects; they run nothing unless they hold an expression.
fn metadata(tokens: &[Token], family: Family) -> Effect {
    if tokens.iter().any(|token| {
        ["SELECT", "CALL", "EXEC", "EXECUTE"]
            .iter()
            .any(|word| is_word(Some(token), word))
    }) {
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
        return Effect::write(format!(
            "calls {}(), which is not known to be read-only",
            shown(&name)
        ));
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
    if tokens.iter().all(known) {
        Effect::read(what)
    } else {
        Effect::write("unexpected punctuation")
    }
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
    "RESTORE",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
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
    if !balanced(tokens) {
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
        let named = at > 0 && tokens[at - 1] == Token::Period;
        let called = tokens.get(at + 1) == Some(&Token::LParen);
        // BigQuery, Snowflake and DuckDB: `* RENAME (…)`.
        if !named
            && !(called && upper == "RENAME")
            && SUSPECT.binary_search(&upper.as_str()).is_ok()
        {
            return Effect::write(format!("the word {} may write", shown(&upper)));
        }
        // PostgreSQL's OPERATOR(schema.+) names a function.
        if called && upper == "OPERATOR" && !is_word(tokens.get(at + 2), "PG_CATALOG") {
            return Effect::write("an operator that is not known to be read-only");
        }
    }
    if let Some(name) = unknown_call(tokens, family) {
        return Effect::write(format!(
            "calls {}(), which is not known to be read-only",
            shown(&name)
        ));
    }
    Effect::read("a query without a writing word or an unknown function")
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
        if *token != Token::LParen || at == 0 {
            continue;
        }
        let Token::Word(word) = &tokens[at - 1] else {
            continue;
        };
        let mut name = word.value.to_lowercase();
        let mut start = at - 1;
        while start >= 2 && tokens[start - 1] == Token::Period {
            let Token::Word(part) = &tokens[start - 2] else {
                break;
            };
            name = format!("{}.{name}", part.value.to_lowercase());
            start -= 2;
        }
        let before = start.checked_sub(1).and_then(|before| tokens.get(before));
        // `column(+)` is Oracle's outer join.
        if tokens.get(at + 1) == Some(&Token::Plus) && tokens.get(at + 2) == Some(&Token::RParen) {
            continue;
        }
        let declared = ["AS", "WITH", "RECURSIVE"]
            .iter()
            .any(|word| is_word(before, word));
        let grammar = word.quote_style.is_none() && is_grammar(&name);
        if !declared && !grammar && !(name == "operator") && !pure(family, &name) {
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
