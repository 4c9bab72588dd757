//! Writes where none is expected: SQL and GraphQL in a parameter, calls in the body of a declared read.
//!
//! Invariant: this only ever turns a read into a write. It looks where nothing says what an endpoint speaks, so it asks
//! for the form of a statement or document, not just for a word: people search for "delete" too.

use sqlparser::dialect::{Dialect, GenericDialect, MsSqlDialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Tokenizer;

use super::effect::{Effect, shown};
use super::graphql;
use super::json::Json;
use super::jsonrpc::{Allowed, classify_parsed};
use super::parameters::{OPERATION_PARAMETERS, OVERRIDE_PARAMETERS, SQL_MEMBERS, is_unsafe_method};
use super::sql::classify_sql;
use super::tool;

/// A statement of more words than this is not looked at further: nobody asks a search for it.
const MAX_TOKENS: usize = 20_000;

/// Why a parameter holds a write; none if none does.
pub fn in_parameters(parameters: &[(String, String)]) -> Option<String> {
    parameters.iter().filter(|(name, _)| SQL_MEMBERS.contains(&name.as_str())).find_map(|(name, value)| {
        if graphql::holds_mutation(value) {
            return Some(format!("parameter {} holds a GraphQL mutation", shown(name)));
        }
        statement(value).map(|why| format!("parameter {} holds SQL: {why}", shown(name)))
    })
}

/// Why a JSON body on a route that the user declared a read is one all the same; none if nothing says so.
pub fn in_json(body: &Json, graphql_endpoint: bool, tools: Allowed<'_>) -> Option<String> {
    let members = match body {
        Json::Array(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let names =
        |name: &str| members.iter().any(|member| member.get(name).is_some() || member.misspelt(&[name]).is_some());
    if names("jsonrpc") {
        let effect = classify_parsed(body, tools, true);
        return (!effect.is_read()).then(|| format!("a JSON-RPC message: {}", effect.reason));
    }
    let members_beside = ["operationName", "variables", "extensions", "documentId", "doc_id", "queryId"];
    let document = |member: &Json| member.get("query").and_then(Json::as_str).is_some_and(graphql::is_document);
    let asks = names("query") && members_beside.iter().any(|name| names(name)) && members.iter().all(query_is_text);
    if graphql_endpoint || asks || members.iter().any(document) {
        let effect = graphql::classify_parsed(body);
        return (!effect.is_read()).then(|| format!("a GraphQL request: {}", effect.reason));
    }
    members.iter().find_map(member_writes)
}

/// Elasticsearch has objects there.
fn query_is_text(member: &Json) -> bool {
    !matches!(member.get("query"), Some(Json::Object(_) | Json::Array(_)))
}

fn member_writes(body: &Json) -> Option<String> {
    let Json::Object(members) = body else { return None };
    members.iter().find_map(|(name, value)| {
        let text = value.as_str()?;
        let folded = name.to_ascii_lowercase();
        if OVERRIDE_PARAMETERS.contains(&folded.as_str())
            && is_unsafe_method(text)
            && !text.eq_ignore_ascii_case("POST")
        {
            return Some(format!("member {} overrides the method", shown(name)));
        }
        if OPERATION_PARAMETERS.contains(&folded.as_str()) && tool::plainly_writes(text) {
            return Some(format!("member {} asks for a write", shown(name)));
        }
        if SQL_MEMBERS.contains(&folded.as_str()) {
            if graphql::holds_mutation(text) {
                return Some(format!("member {} holds a GraphQL mutation", shown(name)));
            }
            return statement(text).map(|why| format!("member {} holds SQL: {why}", shown(name)));
        }
        None
    })
}

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

const OBJECTS: &[&str] = &[
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

/// Why a text is a statement that writes; none if it is no statement, or a query that reads.
pub fn statement(text: &str) -> Option<String> {
    if text.contains("/*!") {
        return Some("an executable comment".to_owned());
    }
    if let Some(why) = text.split(';').find_map(opens_write) {
        return Some(why);
    }
    let first = words(text).next()?.to_ascii_uppercase();
    if !matches!(first.as_str(), "SELECT" | "WITH" | "VALUES" | "TABLE" | "EXPLAIN") {
        return None;
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

/// The words of a statement, comments and the punctuation between them left out.
fn words(text: &str) -> impl Iterator<Item = &str> {
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

/// The verdict on a declared read with a JSON body.
pub fn json_effect(body: &Json, graphql_endpoint: bool, tools: Allowed<'_>) -> Effect {
    in_json(body, graphql_endpoint, tools).map_or_else(|| Effect::read("declared a read"), Effect::write)
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
