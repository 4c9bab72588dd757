//! Finds the preset route that a path is, and says how a body there is classified.
//!
//! Invariant: a route matches segment by segment, to the end, and only a path that every server reads in the same way.
//! Looking one up allocates nothing unless the path has percent-escapes: gateways do it for each request.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::preset_routes as tables;
use super::sql::SQL_DIALECTS;
use super::target;

/// The presets that `classify_request` knows. `sql` may carry a dialect: `sql:postgres`.
pub const PRESET_NAMES: &[&str] =
    &["openai", "anthropic", "ollama", "cohere", "mistral", "bedrock", "search", "graphql", "jsonrpc", "mcp", "sql"];

/// The presets whose routes are inference.
const LLM_PRESETS: &[&str] = &["openai", "anthropic", "ollama", "cohere", "mistral", "bedrock"];

/// More segments than any route has with its longest prefix.
pub const MAX_SEGMENTS: usize = 16;
const MAX_PREFIX: usize = 6;

/// How the body of a matched route is classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An inference request: no state may be asked for that `normalise_llm_body` cannot turn off.
    Llm,
    /// A search: any JSON body is a read.
    Search,
    /// A GraphQL request.
    GraphQl,
    /// JSON-RPC 2.0, MCP's methods included.
    JsonRpc,
    /// MCP only.
    Mcp,
    /// A statement.
    Sql,
}

/// Why a preset's name is none; `None` when it is one.
pub fn preset_problem(preset: &str) -> Option<String> {
    let (name, dialect) = split(preset);
    let known = || format!("known: {}, or sql:DIALECT", PRESET_NAMES.join(", "));
    match dialect {
        _ if !PRESET_NAMES.contains(&name) => Some(format!("{preset:?} is no known preset; {}", known())),
        Some(_) if name != "sql" => Some(format!("{preset:?}: only sql takes a dialect; {}", known())),
        Some(dialect) if !SQL_DIALECTS.contains(&dialect) => {
            Some(format!("{preset:?}: unknown dialect; known: {}", SQL_DIALECTS.join(", ")))
        }
        _ => None,
    }
}

/// Name and dialect.
pub fn split(preset: &str) -> (&str, Option<&str>) {
    preset.split_once(':').map_or((preset, None), |(name, dialect)| (name, Some(dialect)))
}

/// How a body is classified where the caller says that the endpoint speaks `preset`, whatever its path; none where the path
/// decides.
pub fn anywhere(preset: &str) -> Option<Kind> {
    match split(preset).0 {
        "graphql" => Some(Kind::GraphQl),
        "jsonrpc" => Some(Kind::JsonRpc),
        "mcp" => Some(Kind::Mcp),
        "sql" => Some(Kind::Sql),
        "search" => Some(Kind::Search),
        name if LLM_PRESETS.contains(&name) => Some(Kind::Llm),
        _ => None,
    }
}

/// Whether the routes of a preset are inference.
pub fn is_inference(preset: &str) -> bool {
    LLM_PRESETS.contains(&split(preset).0)
}

struct Pattern {
    prefixed: bool,
    versioned: bool,
    words: Vec<&'static str>,
    kind: Kind,
}

/// The routes of a preset, those that end in a word by that word.
#[derive(Default)]
struct Table {
    by_last: HashMap<&'static str, Vec<Pattern>>,
    others: Vec<Pattern>,
}

impl Table {
    fn add(&mut self, patterns: &[&'static str], kind: Kind) {
        for pattern in patterns {
            let (prefixed, versioned, route) = match (pattern.strip_prefix("~~/"), pattern.strip_prefix("~/")) {
                (Some(route), _) => (true, true, route),
                (None, Some(route)) => (true, false, route),
                (None, None) => (false, false, pattern.trim_start_matches('/')),
            };
            let words: Vec<&'static str> = route.split('/').collect();
            let last = words.last().copied().unwrap_or_default();
            let patterns = if last == "{}" { &mut self.others } else { self.by_last.entry(last).or_default() };
            patterns.push(Pattern { prefixed, versioned, words, kind });
        }
    }

    fn find(&self, segments: &[&str]) -> Option<Kind> {
        let last = segments.last()?;
        let ending = self.by_last.get(last).map_or(&[][..], Vec::as_slice);
        ending.iter().chain(&self.others).find(|pattern| pattern.matches(segments)).map(|pattern| pattern.kind)
    }
}

static TABLES: LazyLock<HashMap<&'static str, Table>> = LazyLock::new(|| {
    let mut all: HashMap<&'static str, Table> = HashMap::new();
    for (preset, patterns, kind) in [
        ("openai", tables::OPENAI, Kind::Llm),
        ("anthropic", tables::ANTHROPIC, Kind::Llm),
        ("ollama", tables::OLLAMA, Kind::Llm),
        ("cohere", tables::COHERE, Kind::Llm),
        ("mistral", tables::MISTRAL, Kind::Llm),
        ("bedrock", tables::BEDROCK, Kind::Llm),
        ("search", tables::SEARCH, Kind::Search),
        ("search", tables::SEARCH_GRAPHQL, Kind::GraphQl),
        ("graphql", tables::GRAPHQL, Kind::GraphQl),
        ("jsonrpc", tables::JSONRPC, Kind::JsonRpc),
        ("mcp", tables::MCP, Kind::Mcp),
        ("sql", tables::SQL, Kind::Sql),
    ] {
        all.entry(preset).or_default().add(patterns, kind);
    }
    all
});

/// How the body of a POST to `segments` is classified under `preset`; none if the route is not one of its reads.
pub fn find(preset: &str, segments: &[&str]) -> Option<Kind> {
    TABLES.get(split(preset).0)?.find(segments)
}

/// As [`find`], for a path as sent (no query); none also for a path that has more than one reading.
pub fn find_path(preset: &str, path: &[u8]) -> Option<Kind> {
    with_segments(path, |segments| find(preset, segments)).flatten()
}

/// The commonest routes of a preset as `POST /path` globs, to tell them apart in what is measured.
pub fn route_globs(preset: &str) -> Vec<String> {
    const COMMONEST: usize = 5;
    let patterns = match split(preset).0 {
        "openai" => tables::OPENAI,
        "anthropic" => tables::ANTHROPIC,
        "ollama" => tables::OLLAMA,
        "cohere" => tables::COHERE,
        "mistral" => tables::MISTRAL,
        "bedrock" => tables::BEDROCK,
        "search" => tables::SEARCH,
        "graphql" => tables::GRAPHQL,
        "jsonrpc" => tables::JSONRPC,
        "mcp" => tables::MCP,
        "sql" => tables::SQL,
        _ => &[],
    };
    let glob = |pattern: &&str| format!("POST {}", pattern.replace("{}", "*").replace('~', "*").replace("**", "*"));
    patterns.iter().take(COMMONEST).map(glob).collect()
}

/// The first inference preset whose route a path is.
pub fn llm_preset(segments: &[&str]) -> Option<&'static str> {
    LLM_PRESETS.iter().copied().find(|preset| find(preset, segments).is_some())
}

/// The path's segments on the stack; none if it has more than one reading, or more segments than any route.
fn with_segments<R>(path: &[u8], use_them: impl FnOnce(&[&str]) -> R) -> Option<R> {
    let path = std::str::from_utf8(path.strip_prefix(b"/")?).ok()?;
    if path.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return None;
    }
    let mut segments = [""; MAX_SEGMENTS];
    let mut count = 0;
    for segment in path.split('/') {
        if !path.is_empty() && !target::one_reading(segment) {
            return None;
        }
        *segments.get_mut(count)? = segment;
        count += 1;
    }
    segments.get(..count).map(use_them)
}

/// The word in a path that names what a provider keeps: `v1/files`, `v1/threads/t/runs`, `v1/responses/r/cancel`.
pub fn keeping_word(path: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(path).to_ascii_lowercase();
    let words: Vec<&str> = text.split(['/', '\\']).collect();
    words.windows(2).enumerate().find_map(|(at, pair)| {
        let (before, word) = (pair.first()?, pair.get(1)?);
        if !is_version(before) && *before != "openai" {
            return None;
        }
        let below = words.get(at + 2).copied().unwrap_or_default();
        match *word {
            "responses" if !matches!(below, "" | "input_tokens") => Some("responses"),
            "messages" if !matches!(below, "" | "count_tokens") => Some("messages"),
            _ => tables::KEEPING.iter().find(|keeping| *keeping == word).copied(),
        }
    })
}

/// Whether a path is that of a GraphQL endpoint, whatever the preset: its GET requests carry documents.
pub fn is_graphql(segments: &[&str]) -> bool {
    segments.iter().any(|segment| segment.eq_ignore_ascii_case("graphql") || segment.eq_ignore_ascii_case("gql"))
}

impl Pattern {
    fn matches(&self, segments: &[&str]) -> bool {
        let Some(prefix) = segments.len().checked_sub(self.words.len()) else {
            return false;
        };
        let (prefix, rest) = segments.split_at(prefix);
        let fits =
            self.words.iter().zip(rest).all(|(want, have)| *want == "{}" && !have.starts_with('_') || want == have);
        if !fits || !self.prefixed {
            return fits && prefix.is_empty();
        }
        let stateless = prefix.len() <= MAX_PREFIX
            && prefix.iter().all(|segment| {
                !segment.contains('%') && !tables::STATEFUL.iter().any(|word| segment.eq_ignore_ascii_case(word))
            });
        stateless && (!self.versioned || prefix.last().is_some_and(|last| is_version(last) || *last == "openai"))
    }
}

/// `v1`, `v2beta`, `v1-beta`, `v1beta1`.
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix('v') else {
        return false;
    };
    let tail = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if tail.len() == rest.len() {
        return false;
    }
    let tail = tail.trim_start_matches('-');
    let tail = tail.strip_prefix("alpha").or_else(|| tail.strip_prefix("beta")).unwrap_or(tail);
    tail.chars().all(|c| c.is_ascii_digit())
}
