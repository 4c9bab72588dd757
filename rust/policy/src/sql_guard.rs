//! The first layer of the SQL policy: tokens that two servers might cut differently, and words that write.
//!
//! Invariant: what passes is cut by a server of the dialect exactly as here, holds no word that writes outside strings,
//! comments and quoted names, and nothing that only looks like a comment.

use sqlparser::tokenizer::{Token, Whitespace, Word};

use super::effect::shown;
use super::sql_family::Family;

/// Why the tokens may not be the ones that a server sees; none if they are certain.
pub fn ambiguous(tokens: &[Token], family: Family) -> Option<&'static str> {
    let mut before = None;
    for token in tokens {
        let reason = match token {
            Token::Whitespace(Whitespace::MultiLineComment(text)) => block_comment(text),
            Token::Whitespace(Whitespace::SingleLineComment { comment, prefix }) => {
                line_comment(comment, prefix, family)
            }
            Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => backslash(text, family),
            Token::SingleQuotedRawStringLiteral(text)
            | Token::DoubleQuotedRawStringLiteral(text)
            | Token::SingleQuotedByteStringLiteral(text)
            | Token::DoubleQuotedByteStringLiteral(text)
            | Token::NationalStringLiteral(text) => backslash(text, Family::Ansi),
            Token::DollarQuotedString(_) => dollar_quotes(before, family),
            // T-SQL reads `1eDELETE` and `$1DELETE` as a number and a word.
            Token::Word(_) if family == Family::TSql && matches!(before, Some(Token::Number(..))) => {
                Some("a word that touches a number")
            }
            Token::Placeholder(name) if family == Family::TSql && money_and_word(name) => {
                Some("a word that touches a number")
            }
            Token::Backslash => Some("a backslash outside a string"),
            Token::Char(_) => Some("a character that is not SQL"),
            _ => None,
        };
        if reason.is_some() {
            return reason;
        }
        before = Some(token);
    }
    None
}

fn money_and_word(placeholder: &str) -> bool {
    placeholder.strip_prefix('$').is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(|c: char| !c.is_ascii_digit())
    })
}

fn block_comment(text: &str) -> Option<&'static str> {
    if text.starts_with('!') || text.starts_with("M!") {
        Some("an executable comment")
    } else if text.contains("/*") {
        // PostgreSQL nests comments, MySQL and Oracle do not.
        Some("a comment within a comment")
    } else {
        None
    }
}

fn dollar_quotes(before: Option<&Token>, family: Family) -> Option<&'static str> {
    let known = matches!(family, Family::Postgres | Family::Redshift | Family::Snowflake | Family::DuckDb);
    // `a$$` is one name in PostgreSQL.
    let touches = matches!(before, Some(Token::Word(_) | Token::Number(..) | Token::Placeholder(_)));
    (!known || touches).then_some("a dollar-quoted string that not every server takes for one")
}

fn line_comment(comment: &str, prefix: &str, family: Family) -> Option<&'static str> {
    let known = match prefix {
        // MySQL takes `--` for a comment only before white space: `1--1` is 2 there.
        "--" => family != Family::MySql || comment.is_empty() || comment.starts_with([' ', '\t', '\n', '\r']),
        "#" => matches!(family, Family::MySql | Family::BigQuery),
        "//" => family == Family::Snowflake,
        _ => false,
    };
    if !known {
        return Some("a comment that not every server takes for one");
    }
    // Servers differ in what ends a line.
    let body = comment.strip_suffix('\n').unwrap_or(comment);
    let body = body.strip_suffix('\r').unwrap_or(body);
    let ends = |c: char| matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\u{85}' | '\u{2028}' | '\u{2029}');
    body.contains(ends).then_some("a comment with an odd line end")
}

/// A backslash before a quote ends the string on some servers, and not on others.
fn backslash(text: &str, family: Family) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let risky = bytes.ends_with(b"\\") || bytes.windows(2).any(|pair| matches!(pair, [b'\\', b'\'' | b'"']));
    if !risky {
        return None;
    }
    let certain = match family {
        // Never an escape here, or always one.
        Family::TSql
        | Family::Sqlite
        | Family::Oracle
        | Family::DuckDb
        | Family::Snowflake
        | Family::BigQuery
        | Family::ClickHouse => true,
        // By default one, and not under NO_BACKSLASH_ESCAPES: both readings agree unless a second statement hides.
        Family::MySql => !text.contains(';'),
        // standard_conforming_strings can be off.
        Family::Postgres | Family::Redshift | Family::Ansi => false,
    };
    (!certain).then_some("a string that ends elsewhere on some servers")
}

/// Words that never stand in a read, unless quoted, after a dot, or called as a function (`REPLACE(…)`).
const WRITING: &[&str] = &["INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "NEXTVAL", "OUTFILE", "DUMPFILE"];

/// T-SQL needs no semicolon between statements, so any of these words starts one.
const WRITING_TSQL: &[&str] = &[
    "ADD",
    "ALTER",
    "BACKUP",
    "BEGIN",
    "BULK",
    "CALL",
    "CHECKPOINT",
    "CLOSE",
    "COMMIT",
    "CONVERSATION",
    "CREATE",
    "DBCC",
    "DEALLOCATE",
    "DECLARE",
    "DENY",
    "DISABLE",
    "DROP",
    "ENABLE",
    "EXEC",
    "EXECUTE",
    "GO",
    "GOTO",
    "GRANT",
    "HOLDLOCK",
    "IF",
    "KILL",
    "MOVE",
    "OPEN",
    "OPENDATASOURCE",
    "OPENQUERY",
    "OPENROWSET",
    "PAGLOCK",
    "PRINT",
    "RAISERROR",
    "READTEXT",
    "RECEIVE",
    "RECONFIGURE",
    "REPEATABLEREAD",
    "RESTORE",
    "RETURN",
    "REVERT",
    "REVOKE",
    "ROLLBACK",
    "ROWLOCK",
    "SAVE",
    "SEND",
    "SERIALIZABLE",
    "SET",
    "SETUSER",
    "SHUTDOWN",
    "TABLOCK",
    "TABLOCKX",
    "THROW",
    "TRUNCATE",
    "UPDATETEXT",
    "UPDLOCK",
    "USE",
    "WAITFOR",
    "WHILE",
    "WRITETEXT",
    "XLOCK",
];

/// The word, if it is not quoted.
pub fn bare(token: &Token) -> Option<&Word> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word),
        _ => None,
    }
}

/// Whether the token is that bare word (upper case given).
pub fn is_word(token: Option<&Token>, word: &str) -> bool {
    token.and_then(bare).is_some_and(|found| found.value.eq_ignore_ascii_case(word))
}

/// Why a word among the tokens writes; none if no word does.
pub fn writing_word(tokens: &[Token], family: Family) -> Option<String> {
    for (at, token) in tokens.iter().enumerate() {
        if family == Family::MySql && *token == Token::Assignment {
            return Some("assigns a user variable".to_owned());
        }
        // Hive runs a script: SELECT TRANSFORM (…) USING 'script'.
        if matches!(token, Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
            && at > 0
            && is_word(tokens.get(at - 1), "USING")
        {
            return Some("runs a script".to_owned());
        }
        let Some(word) = bare(token) else { continue };
        let upper = word.value.to_ascii_uppercase();
        let after_dot = at.checked_sub(1).and_then(|before| tokens.get(before)) == Some(&Token::Period);
        // Oracle and Snowflake draw from a sequence by `name.NEXTVAL`.
        if after_dot && upper != "NEXTVAL" {
            continue;
        }
        let called = tokens.get(at + 1) == Some(&Token::LParen);
        if called && matches!(upper.as_str(), "INSERT" | "REPLACE" | "TRUNCATE") && at > 0 {
            continue;
        }
        // DuckDB: UNPIVOT … INTO NAME a VALUE b names columns.
        if upper == "INTO" && family == Family::DuckDb && is_word(tokens.get(at + 1), "NAME") {
            continue;
        }
        if upper == "NEXT" && is_word(tokens.get(at + 1), "VALUE") && is_word(tokens.get(at + 2), "FOR") {
            return Some("draws from a sequence".to_owned());
        }
        if WRITING.contains(&upper.as_str())
            || (family == Family::TSql && WRITING_TSQL.binary_search(&upper.as_str()).is_ok())
        {
            return Some(format!("the word {} writes", shown(&upper)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::WRITING_TSQL;

    #[test]
    fn the_searched_list_is_sorted() {
        assert!(WRITING_TSQL.is_sorted());
    }
}
