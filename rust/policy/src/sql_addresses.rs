//! Statements that make the database ask another host, or open a file whose name only the server will know.
//!
//! Invariant: this only ever turns a read into a write. A query may read what the database holds, and a local file that
//! it names; a request that it makes itself is not the shadow's answer, may act, and tells others what was asked. Other
//! products' functions of this kind (`url()`, `s3()`, `dblink()`) are simply on no list of `sql_functions`.

use sqlparser::tokenizer::{Token, Word};

use super::sql_family::Family;

/// DuckDB's functions that read the files they are told. Each is a read of files named in full.
const FILES: &[&str] = &[
    "delta_scan",
    "glob",
    "iceberg_metadata",
    "iceberg_scan",
    "iceberg_snapshots",
    "parquet_file_metadata",
    "parquet_kv_metadata",
    "parquet_metadata",
    "parquet_scan",
    "parquet_schema",
    "read_blob",
    "read_csv",
    "read_csv_auto",
    "read_json",
    "read_json_auto",
    "read_json_objects",
    "read_json_objects_auto",
    "read_ndjson",
    "read_ndjson_auto",
    "read_ndjson_objects",
    "read_parquet",
    "read_text",
    "read_xlsx",
    "sniff_csv",
];

/// Words before a table, which may be the name of a file in DuckDB.
const BEFORE_TABLES: &[&str] =
    &["DESC", "DESCRIBE", "FROM", "JOIN", "PIVOT", "PIVOT_WIDER", "SHOW", "SUMMARIZE", "TABLE", "UNPIVOT"];

/// Whether a name leads to another host: with a scheme, or as a share in a network.
pub fn is_address(name: &str) -> bool {
    name.contains("://") || name.starts_with("//") || name.starts_with("\\\\")
}

/// Why the tokens of a statement reach out of the database; none if they do not.
pub fn reaches_out(tokens: &[Token], family: Family) -> Option<&'static str> {
    let pairs = || tokens.iter().zip(tokens.iter().skip(1));
    match family {
        Family::DuckDb => {
            let file = |(before, token): (&Token, &Token)| match token {
                Token::SingleQuotedString(name) => is_one_of(before, BEFORE_TABLES) && is_address(name),
                Token::Word(Word { value, quote_style: Some(_), .. }) => is_address(value),
                _ => false,
            };
            if pairs().any(file) {
                return Some("reads from an address");
            }
            let mut calls =
                pairs().enumerate().filter(|(_, (name, paren))| **paren == Token::LParen && reads_files(name));
            calls.find_map(|(at, _)| arguments(tokens.get(at + 2..)?))
        }
        // `table@link`
        Family::Oracle => {
            let link = |(before, token): (&Token, &Token)| {
                matches!(before, Token::Word(_)) && *token == Token::AtSign
                    || matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.contains('@'))
            };
            pairs().any(link).then_some("reads over a database link")
        }
        _ => None,
    }
}

fn is_one_of(token: &Token, words: &[&str]) -> bool {
    matches!(token, Token::Word(word) if words.iter().any(|one| word.value.eq_ignore_ascii_case(one)))
}

fn reads_files(token: &Token) -> bool {
    matches!(token, Token::Word(word) if FILES.iter().any(|one| word.value.eq_ignore_ascii_case(one)))
}

/// Why the arguments up to the closing parenthesis are not files named in full.
fn arguments(tokens: &[Token]) -> Option<&'static str> {
    let mut depth = 1_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::RParen if depth == 1 => return None,
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::SingleQuotedString(name) if is_address(name) => return Some("reads from an address"),
            Token::SingleQuotedString(_)
            | Token::Number(..)
            | Token::Comma
            | Token::Colon
            | Token::Eq
            | Token::Assignment
            | Token::RArrow => {}
            // An option's name, or one of these.
            Token::Word(_)
                if is_one_of(token, &["true", "false", "null"])
                    || matches!(tokens.get(at + 1), Some(Token::Eq | Token::Assignment | Token::RArrow)) => {}
            _ => return Some("reads a file whose name is computed"),
        }
    }
    Some("reads a file whose name is computed")
}
