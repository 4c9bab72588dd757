//! Writes in places that are not meant for them: statements and mutations in a parameter, calls in the body of a declared
//! read, at any depth of it.
//!
//! Invariant: this only ever turns a read into a write. It looks where nothing says what an endpoint speaks, so it asks
//! for the form of a statement, document, call or request, not just for a word: people search for "delete" too.

use super::effect::{Effect, shown};
use super::graphql;
use super::holds::Holds;
use super::json::Json;
use super::jsonrpc::{Allowed, classify_parsed};
use super::nested::{self, Nested};
use super::parameters::{OPERATION_PARAMETERS, OVERRIDE_PARAMETERS, TOOL_PARAMETERS, decoded_twice, is_unsafe_method};
use super::searches::is_phrase;
use super::statement_verbs::no_query;
use super::statements::{statement, whole_statement};
use super::tool;

/// Why a parameter holds a write; none if none does. `searching`: the path is one of searches.
pub fn in_parameters(parameters: &[(String, String)], searching: bool) -> Option<String> {
    parameters.iter().find_map(|(name, value)| {
        let twice = decoded_twice(value);
        let holds = Holds::of(name, Holds::Anything);
        let named = holds.statements();
        [value.as_str()].into_iter().chain(twice.as_deref()).find_map(|value| {
            if searching && !holds.no_search() && is_phrase(value) {
                return None;
            }
            if named && graphql::holds_mutation(value) {
                return Some(format!("parameter {} holds a GraphQL mutation", shown(name)));
            }
            if let Some(why) = nested_parameter(name, value, holds, searching) {
                return Some(why.replacen("the body", &format!("parameter {}", shown(name)), 1));
            }
            let why = if named { statement(value) } else { whole_statement(value) };
            // `?DROP+TABLE+t`, and what stands behind a `;`.
            let why = why.or_else(|| if value.is_empty() { whole_statement(name) } else { None });
            why.map(|why| format!("parameter {} holds a statement: {why}", shown(name)))
        })
    })
}

/// Why a parameter's value that is JSON is a write.
fn nested_parameter(name: &str, value: &str, holds: Holds, searching: bool) -> Option<String> {
    let criteria = CRITERIA.contains(&name);
    let walk = Walk { tools: Allowed::none(), depth: Depth::whole(searching) };
    walk.nested(value, Place { holds, criteria, depth: 0, texts: 0 })
}

/// Why a JSON body on a route that the user declared a read is one all the same; none if nothing says so.
///
/// `depth` says how far it is looked into.
pub fn in_json(body: &Json, graphql_endpoint: bool, depth: Depth, tools: Allowed<'_>) -> Option<String> {
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
        if !effect.is_read() {
            return Some(format!("a GraphQL request: {}", effect.reason));
        }
    }
    let walk = Walk { tools, depth };
    walk.value(body, Place { holds: Holds::Anything, criteria: false, depth: 0, texts: 0 })
}

/// Elasticsearch has objects there.
fn query_is_text(member: &Json) -> bool {
    !matches!(member.get("query"), Some(Json::Object(_) | Json::Array(_)))
}

#[derive(Clone, Copy)]
struct Place {
    holds: Holds,
    /// Inside the conditions of a search, where names are fields and texts their values.
    criteria: bool,
    depth: usize,
    /// How many texts deep.
    texts: usize,
}

/// Names under which searches keep their conditions.
pub(super) const CRITERIA: &[&str] = &[
    "bool",
    "filter",
    "filters",
    "fuzzy",
    "match",
    "match_phrase",
    "must",
    "must_not",
    "prefix",
    "properties",
    "range",
    "regexp",
    "should",
    "term",
    "terms",
    "where",
    "wildcard",
];

/// Names that make the object they stand in a request to be sent on.
const ADDRESSES: &[&str] = &["endpoint", "href", "path", "relative_url", "relativeurl", "target", "uri", "url"];

/// Names that make the object they stand in a call.
const ARGUMENTS: &[&str] = &["args", "arguments", "kwargs", "tool_input", "toolinput"];
const TOOL_ARGUMENTS: &[&str] = &["input", "parameters", "params", "payload"];

/// Names that are verbs, of commands whose verb is a member: MongoDB's, Elasticsearch's bulk lines.
const VERB_NAMES: &[&str] = &[
    "$merge",
    "$out",
    "bulkwrite",
    "delete",
    "deletemany",
    "deleteone",
    "deletes",
    "drop",
    "dropdatabase",
    "findandmodify",
    "insert",
    "insertmany",
    "insertone",
    "mutation",
    "mutations",
    "purge",
    "remove",
    "replaceone",
    "truncate",
    "updatemany",
    "updateone",
    "updates",
    "upsert",
];

/// How a body is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// At its top alone, on a route of searches: a search engine's queries name fields such as `method`.
    Top,
    /// The whole tree.
    Whole,
    /// The whole tree, on a path of searches.
    Searching,
}

impl Depth {
    /// The whole tree, on a path of searches or on another one.
    pub fn whole(searching: bool) -> Self {
        if searching { Self::Searching } else { Self::Whole }
    }
}

struct Walk<'a> {
    tools: Allowed<'a>,
    depth: Depth,
}

impl Walk<'_> {
    fn searches(&self, holds: Holds) -> bool {
        self.depth != Depth::Whole && !holds.no_search()
    }

    fn value(&self, value: &Json, place: Place) -> Option<String> {
        if place.depth > 1 && self.depth == Depth::Top {
            return None;
        }
        match value {
            Json::Array(items) => {
                if place.holds.statements()
                    && !(self.searches(place.holds) && items.iter().all(|item| item.as_str().is_some_and(is_phrase)))
                    && let Some(lines) = items.iter().map(Json::as_str).collect::<Option<Vec<_>>>()
                    && let Some(why) = statement(&lines.join(" "))
                {
                    return Some(format!("the body holds a statement: {why}"));
                }
                items.iter().find_map(|item| self.value(item, place))
            }
            Json::Object(members) => self.object(value, members, place),
            Json::String(text) if self.searches(place.holds) && is_phrase(text) => None,
            Json::String(text) => in_text(text, place.holds)
                .map(|why| format!("the body holds {why}"))
                .or_else(|| self.nested(text, place)),
            _ => None,
        }
    }

    /// Why a text that is JSON is a write.
    fn nested(&self, text: &str, place: Place) -> Option<String> {
        let within = match Nested::of(text) {
            Nested::Text => return None,
            Nested::Ambiguous => return Some("the body holds JSON with more than one reading in a text".to_owned()),
            Nested::Json(_) if place.texts >= nested::MOST => {
                return Some("the body holds JSON in texts of JSON, deeper than is looked into".to_owned());
            }
            Nested::Json(within) => within,
        };
        self.value(&within, Place { depth: place.depth + 1, texts: place.texts + 1, ..place })
    }

    fn object(&self, object: &Json, members: &[(String, Json)], place: Place) -> Option<String> {
        if place.depth > 0 && object.get("jsonrpc").is_some() {
            let effect = classify_parsed(object, self.tools, true);
            return (!effect.is_read()).then(|| format!("a JSON-RPC message: {}", effect.reason));
        }
        let has =
            |wanted: &[&str]| members.iter().any(|(name, _)| wanted.contains(&name.to_ascii_lowercase().as_str()));
        let addressed = has(ADDRESSES);
        let called = has(ARGUMENTS);
        let called_tool = called || has(TOOL_ARGUMENTS);
        members.iter().find_map(|(name, value)| {
            let folded = name.to_ascii_lowercase();
            let folded = folded.as_str();
            let member = Member { name, folded, place, addressed, called, called_tool };
            let acts = (!place.criteria && acting_member(folded, value))
                .then(|| format!("member {} asks for a write", shown(name)));
            let why = acts.or_else(|| value.as_str().and_then(|text| self.selects(&member, text)));
            why.or_else(|| {
                let criteria = place.criteria || CRITERIA.contains(&folded);
                let holds = Holds::of(folded, place.holds);
                self.value(value, Place { holds, criteria, depth: place.depth + 1, ..place })
                    .map(|why| why.replacen("the body", &format!("member {}", shown(name)), 1))
            })
        })
    }

    /// Why a text in a member that selects a method, an operation or a tool is a write.
    fn selects(&self, member: &Member<'_>, text: &str) -> Option<String> {
        let Member { name, folded, place, addressed, called, called_tool } = *member;
        if OVERRIDE_PARAMETERS.contains(&folded) && (!place.criteria || addressed) {
            let posts = text.eq_ignore_ascii_case("POST");
            if is_unsafe_method(text) && (!posts || addressed) {
                return Some(format!("member {} overrides the method", shown(name)));
            }
            if !place.criteria && tool::names_write(text) {
                return Some(format!("member {} asks for a write", shown(name)));
            }
        }
        if place.criteria {
            return None;
        }
        if OPERATION_PARAMETERS.contains(&folded) && tool::asks_write(text) {
            return Some(format!("member {} asks for a write", shown(name)));
        }
        let selects = TOOL_PARAMETERS.contains(&folded);
        let call = (selects && called_tool) || (matches!(folded, "name" | "function") && called);
        if (selects || call || matches!(folded, "function" | "intent" | "event" | "type" | "kind"))
            && self.tools.why(text).is_none()
        {
            let verb = if selects || call { tool::asks_write(text) } else { tool::names_write(text) };
            if verb {
                return Some(format!("member {} asks for a write", shown(name)));
            }
            if call && !tool::reads_by_name(text) {
                return Some(format!("tool {} is not on the allow-list", shown(text)));
            }
        }
        None
    }
}

#[derive(Clone, Copy)]
struct Member<'a> {
    name: &'a str,
    folded: &'a str,
    place: Place,
    addressed: bool,
    called: bool,
    called_tool: bool,
}

fn acting_member(folded: &str, value: &Json) -> bool {
    if matches!(folded, "create" | "index" | "update") {
        return value.get("_index").is_some() || value.get("_id").is_some();
    }
    // Of a text these are nouns.
    let noun = matches!(folded, "deletes" | "mutation" | "mutations" | "updates") && value.as_str().is_some();
    VERB_NAMES.contains(&folded) && value.is_set() && !noun
}

/// Why a text at such a place is a write.
fn in_text(text: &str, holds: Holds) -> Option<String> {
    if holds == Holds::Prose {
        return None;
    }
    if request_line(text) {
        return Some("a request to be sent on".to_owned());
    }
    if holds == Holds::Anything {
        return whole_statement(text).map(|why| format!("a statement: {why}"));
    }
    if graphql::holds_mutation(text) {
        return Some("a GraphQL mutation".to_owned());
    }
    if let Some(why) = statement(text) {
        return Some(format!("a statement: {why}"));
    }
    let verb = if holds == Holds::Sql { no_query(text) } else { None };
    verb.map(|verb| format!("a statement that starts with {}", shown(verb)))
}

/// `DELETE /users/1`, as a batch may list its requests.
fn request_line(text: &str) -> bool {
    text.trim_start().split_once(' ').is_some_and(|(method, target)| {
        is_unsafe_method(method)
            && method.bytes().all(|byte| byte.is_ascii_uppercase())
            && (target.starts_with('/') || target.starts_with("http"))
    })
}

/// The verdict on a declared read with a JSON body.
pub fn json_effect(body: &Json, graphql_endpoint: bool, searching: bool, tools: Allowed<'_>) -> Effect {
    in_json(body, graphql_endpoint, Depth::whole(searching), tools)
        .map_or_else(|| Effect::read("declared a read"), Effect::write)
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Depth, in_json};
    use crate::json::Json;

    fn why(body: &str) -> Option<String> {
        in_json(&Json::parse(body.as_bytes()).expect("JSON"), false, Depth::Whole, Allowed::none())
    }

    #[test]
    fn a_body_says_what_it_does_at_any_depth() {
        for body in [
            r#"{"queries":["SELECT 1","DROP TABLE t"]}"#,
            r#"{"query":{"sql":"DELETE FROM t"}}"#,
            r#"{"query":{"text":"DELETE FROM t"}}"#,
            r#"{"a":[{"b":{"statement":"update t set a = 1"}}]}"#,
            r#"{"sql":["DROP","TABLE t"]}"#,
            r#"{"sql":"optimize table t"}"#,
            r#"{"sql":"frobnicate everything"}"#,
            r#"{"payload":"DROP TABLE t"}"#,
            r#"{"statements":[{"statement":"MATCH (n) DETACH DELETE n"}]}"#,
            r#"{"cypher":"CREATE (n)"}"#,
            r#"{"requests":[{"method":"GET","url":"/a"},{"method":"DELETE"}]}"#,
            r#"{"requests":[{"method":"POST","relative_url":"/users"}]}"#,
            r#"{"requests":["GET /a","DELETE /users/1"]}"#,
            r#"{"operations":[{"op":"remove","path":"/a"}]}"#,
            r#"{"tool":"delete_user"}"#,
            r#"{"call":{"tool":"charge_card","arguments":{}}}"#,
            r#"{"tool_calls":[{"function":{"name":"sendEmail","arguments":"{}"}}]}"#,
            r#"{"method":"users.delete"}"#,
            r#"{"rpc":{"jsonrpc":"2.0","id":1,"method":"wipe"}}"#,
            r#"{"graphql":{"document":"mutation { a }"}}"#,
            r#"{"delete":"users","deletes":[{"q":{}}]}"#,
            r#"{"pipeline":[{"$out":"x"}]}"#,
            r#"{"filter":{"method":"DELETE","path":"/x"}}"#,
            r#"{"query":"{ a }","then":{"sql":"DROP TABLE t"}}"#,
        ] {
            assert!(why(body).is_some(), "{body}");
        }
        for body in [
            r#"{"question":"what does DROP TABLE t do?"}"#,
            r#"{"question":"DROP TABLE t"}"#,
            r#"{"query":{"bool":{"must":[{"term":{"method":"DELETE"}},{"term":{"action":"delete"}}]}}}"#,
            r#"{"query":"how do I delete a user","filters":{"type":"delete"}}"#,
            r#"{"messages":[{"role":"user","content":"DELETE FROM t"}]}"#,
            r#"{"queries":["red shoes","blue shoes"],"top_k":3}"#,
            r#"{"sql":"SELECT a FROM t"}"#,
            r#"{"tool":"search_docs","arguments":{"q":"x"}}"#,
            r#"{"tools":[{"name":"delete_user","parameters":{"type":"object"}}]}"#,
            r#"{"method":"hybrid","mode":"rerank"}"#,
            r#"{"requests":[{"method":"GET","url":"/a"}]}"#,
            r#"{"statement":"The earth is flat"}"#,
            r#"{"delete":false,"user":{"name":"Drop Table"}}"#,
        ] {
            assert_eq!(why(body), None, "{body}");
        }
    }
}
