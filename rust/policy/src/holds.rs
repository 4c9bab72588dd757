//! What the texts of a request are, by the names that they stand under.
//!
//! Invariant: a name that says nothing leaves it to the form of the text, and a name of prose is trusted only where no
//! name above it says otherwise.

use super::parameters::SQL_MEMBERS;

/// What the texts at a place are, by the names above them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// What people write: a statement in it is a topic.
    Prose,
    /// Nothing says it.
    Anything,
    /// A query of some language.
    Statement,
    /// A query of some language, or what somebody looks for.
    Search,
    /// A statement for sure, by a name such as `sql`.
    Sql,
}

const SQL_NAMES: &[&str] = &[
    "aql",
    "cql",
    "cypher",
    "ddl",
    "dml",
    "gremlin",
    "hql",
    "influxql",
    "n1ql",
    "raw_sql",
    "rawsql",
    "soql",
    "sparql",
    "sql",
    "sql_query",
    "sql_statement",
    "sqlquery",
    "sqls",
    "sqlstatement",
    "stmt",
    "stmts",
];
const STATEMENT_NAMES: &[&str] = &[
    "batch",
    "cmd",
    "command",
    "commands",
    "document",
    "expression",
    "gql",
    "graphql",
    "mutation",
    "mutations",
    "operation",
    "operations",
    "procedure",
    "script",
    "scripts",
    "statements",
];
const PROSE_NAMES: &[&str] = &[
    "answer",
    "content",
    "context",
    "conversation",
    "description",
    "documents",
    "history",
    "input",
    "inputs",
    "instructions",
    "label",
    "message",
    "messages",
    "passages",
    "prompt",
    "question",
    "questions",
    "summary",
    "system",
    "text",
    "texts",
    "title",
    "user_input",
];

/// Where a query language and a search box share a name.
const SEARCH_NAMES: &[&str] = &["q", "queries", "query", "query_string"];

impl Holds {
    /// Whether a statement may stand there, and not just something that looks like one.
    pub fn statements(self) -> bool {
        matches!(self, Self::Statement | Self::Search | Self::Sql)
    }

    /// Whether it is nobody's search there, however it is worded.
    pub fn no_search(self) -> bool {
        matches!(self, Self::Statement | Self::Sql)
    }

    /// What a member of that name (in lower case) holds, in an object that stands in `outer`.
    pub fn of(name: &str, outer: Self) -> Self {
        if SQL_NAMES.contains(&name) {
            Self::Sql
        } else if SEARCH_NAMES.contains(&name) && !outer.no_search() {
            Self::Search
        } else if SQL_MEMBERS.contains(&name) || STATEMENT_NAMES.contains(&name) {
            Self::Statement
        } else {
            match outer {
                // `{"sql": {"dialect": "...", "text": "..."}}`
                Self::Sql | Self::Statement => Self::Statement,
                Self::Search => Self::Search,
                _ if PROSE_NAMES.contains(&name) => Self::Prose,
                outer => outer,
            }
        }
    }
}
