//! SQL: whether one statement only reads, by a real parser (`sqlparser`) in the statement's dialect.
//!
//! Invariant: a read is one statement whose tokens were certain (no construct that two servers cut differently), that
//! contains no writing word, and whose every function is a known pure built-in. Three layers, each of which can only
//! turn a read into a write:
//! 1. the tokens (`sql_guard`, `sql_addresses`): executable comments, ambiguous comments and strings, writing words, a
//!    second statement, other hosts;
//! 2. the syntax tree (`sql_walk`): statement kinds, locks, `INTO`, functions;
//! 3. where the parser lacks a dialect's syntax, the tokens alone (`sql_lexical`), under stricter rules.
//!
//! Session statements (`SET`, `USE`, `BEGIN`) count as writes: a shadow's pooled connection would keep them.

use sqlparser::ast::Statement;
use sqlparser::dialect::{
    BigQueryDialect, ClickHouseDialect, DatabricksDialect, Dialect, DuckDbDialect, GenericDialect, HiveDialect,
    MsSqlDialect, MySqlDialect, OracleDialect, PostgreSqlDialect, RedshiftSqlDialect, SQLiteDialect, SnowflakeDialect,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::effect::Effect;
use super::sql_family::Family;
use super::sql_guard::{ambiguous, writing_word};
use super::{sql_addresses, sql_lexical, sql_walk};

/// The dialects that [`classify_sql`] knows, by name. Any other name is a write.
pub const SQL_DIALECTS: &[&str] = &[
    "ansi",
    "generic",
    "postgres",
    "postgresql",
    "redshift",
    "mysql",
    "mariadb",
    "sqlite",
    "tsql",
    "mssql",
    "snowflake",
    "bigquery",
    "duckdb",
    "oracle",
    "clickhouse",
    "databricks",
    "sparksql",
    "hive",
];

const MAX_BYTES: usize = 1 << 20;
const MAX_TOKENS: usize = 50_000;
// A chain such as `a OR b OR …` nests one level for each operator, and the tree is dropped recursively. In a debug build
// 256 bytes of stack for each token are enough for every chain in the tests, and 64 are not.
const STACK_BYTES_PER_TOKEN: usize = 1024;
const SMALL_TOKENS: usize = 256;

fn dialect(name: &str) -> Option<(Family, Box<dyn Dialect>)> {
    Some(match name {
        // The ANSI grammar of the parser lacks what nearly every product has (`~`, `::` on casts).
        "ansi" | "generic" => (Family::Ansi, Box::new(GenericDialect {})),
        "postgres" | "postgresql" => (Family::Postgres, Box::new(PostgreSqlDialect {})),
        "redshift" => (Family::Redshift, Box::new(RedshiftSqlDialect {})),
        "mysql" | "mariadb" => (Family::MySql, Box::new(MySqlDialect {})),
        "sqlite" => (Family::Sqlite, Box::new(SQLiteDialect {})),
        "tsql" | "mssql" => (Family::TSql, Box::new(MsSqlDialect {})),
        "snowflake" => (Family::Snowflake, Box::new(SnowflakeDialect {})),
        "bigquery" => (Family::BigQuery, Box::new(BigQueryDialect {})),
        "duckdb" => (Family::DuckDb, Box::new(DuckDbDialect {})),
        "oracle" => (Family::Oracle, Box::new(OracleDialect {})),
        "clickhouse" => (Family::ClickHouse, Box::new(ClickHouseDialect {})),
        "databricks" | "sparksql" => (Family::Ansi, Box::new(DatabricksDialect {})),
        "hive" => (Family::Ansi, Box::new(HiveDialect {})),
        _ => return None,
    })
}

/// What `text`, one SQL statement of `dialect` (see [`SQL_DIALECTS`], case ignored), does when it runs.
///
/// Several statements, an unknown dialect, more than 1 MiB or 50,000 tokens, and whatever is not understood: write.
pub fn classify_sql(text: &str, dialect_name: &str) -> Effect {
    let Some((family, dialect)) = dialect(&dialect_name.to_ascii_lowercase()) else {
        return Effect::write("unknown SQL dialect");
    };
    if text.len() > MAX_BYTES {
        return Effect::write("the statement is over 1 MiB");
    }
    if text.contains('\0') {
        return Effect::write("the statement holds a NUL");
    }
    let Ok(raw) = Tokenizer::new(dialect.as_ref(), text).with_unescape(false).tokenize() else {
        return Effect::write("the statement cannot be cut into tokens");
    };
    if raw.len() > MAX_TOKENS {
        return Effect::write("the statement has over 50,000 tokens");
    }
    if let Some(reason) = ambiguous(&raw, family) {
        return Effect::write(reason);
    }
    let mut tokens: Vec<Token> =
        raw.into_iter().filter(|token| !matches!(token, Token::Whitespace(_) | Token::EOF)).collect();
    while matches!(tokens.last(), Some(Token::SemiColon)) {
        tokens.pop();
    }
    if tokens.contains(&Token::SemiColon) {
        return Effect::write("several statements");
    }
    if let Some(reason) = writing_word(&tokens, family) {
        return Effect::write(reason);
    }
    if let Some(reason) = sql_addresses::reaches_out(&tokens, family) {
        return Effect::write(reason);
    }
    with_stack(tokens.len(), || classify_tokens(&tokens, family, dialect.as_ref()))
}

/// Runs a parse of so many tokens on a stack that is large enough for its deepest tree.
pub fn with_stack<R>(tokens: usize, parse: impl FnOnce() -> R) -> R {
    if tokens <= SMALL_TOKENS { parse() } else { stacker::grow((1 << 20) + tokens * STACK_BYTES_PER_TOKEN, parse) }
}

/// The verdict on certain tokens: the tree where there is one, the tokens where the parser lacks the syntax.
fn classify_tokens(tokens: &[Token], family: Family, dialect: &dyn Dialect) -> Effect {
    match sql_lexical::opening(tokens, family) {
        sql_lexical::Opening::Query => {}
        sql_lexical::Opening::Decided(effect) => return effect,
    }
    match Parser::new(dialect).with_tokens(tokens.to_vec()).parse_statements() {
        Ok(statements) => match statements.as_slice() {
            [Statement::Query(_)] if !sql_lexical::well_formed(tokens) => Effect::write("the statement does not parse"),
            [statement] => sql_walk::classify(statement, family),
            _ => Effect::write("not exactly one statement"),
        },
        Err(_) => sql_lexical::classify(tokens, family),
    }
}
