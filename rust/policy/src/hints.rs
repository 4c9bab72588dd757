//! Which MCP tools declare that they only read, learned from prod's own answers to `tools/list`.
//!
//! Invariant: a tool is known only at the endpoint whose answer named it, by its exact name, and only while its last
//! seen definition says `readOnlyHint: true` and nothing against it ([`super::classify_tool_json`]). What was learned
//! lives as long as the worker; its size is bounded.

use std::collections::{BTreeMap, BTreeSet};

use super::json::Json;
use super::tool;

const MAX_ENDPOINTS: usize = 256;
const MAX_TOOLS: usize = 4096;

/// Tools by endpoint (the path that the request went to).
#[derive(Clone, Debug, Default)]
pub struct Hints(BTreeMap<String, BTreeSet<String>>);

impl Hints {
    /// Whether the endpoint's tool declares that it only reads.
    pub fn knows(&self, endpoint: &str, tool: &str) -> bool {
        self.0.get(endpoint).is_some_and(|tools| tools.contains(tool))
    }

    /// Learn from an answered exchange, if it asked for `tools/list`. `answer` is JSON or a stream of server-sent events,
    /// decoded and whole.
    pub fn learn(&mut self, endpoint: &str, request: &[u8], answer: &[u8]) {
        if memchr::memmem::find(request, b"tools/list").is_none() || !asks_for_tools(request) {
            return;
        }
        if !self.0.contains_key(endpoint) && self.0.len() >= MAX_ENDPOINTS {
            return;
        }
        let known = self.0.entry(endpoint.to_owned()).or_default();
        for message in messages(answer) {
            let listed = message.get("result").and_then(|result| result.get("tools")).and_then(Json::as_array);
            for (name, reads) in listed.into_iter().flatten().filter_map(tool::hinted) {
                if !reads {
                    known.remove(name);
                } else if known.len() < MAX_TOOLS {
                    known.insert(name.to_owned());
                }
            }
        }
    }
}

fn one_or_many(json: Json) -> Vec<Json> {
    match json {
        Json::Array(items) => items,
        single => vec![single],
    }
}

fn asks_for_tools(request: &[u8]) -> bool {
    let messages = Json::parse(request).map(one_or_many).unwrap_or_default();
    messages.iter().any(|message| message.get("method").and_then(Json::as_str) == Some("tools/list"))
}

/// The messages of an answer: one, a batch, or one for each event of a stream (WHATWG HTML §9.2.6).
fn messages(answer: &[u8]) -> Vec<Json> {
    if let Ok(parsed) = Json::parse(answer) {
        return one_or_many(parsed);
    }
    let Ok(text) = std::str::from_utf8(answer) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut data = String::new();
    for line in text.lines().chain(std::iter::once("")) {
        if let Some(more) = line.strip_prefix("data:") {
            data.push_str(more.strip_prefix(' ').unwrap_or(more));
            data.push('\n');
        } else if line.is_empty() && !data.is_empty() {
            found.extend(Json::parse(data.as_bytes()).map(one_or_many).unwrap_or_default());
            data.clear();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::Hints;

    const ASK: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

    fn listing(read_only: bool) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"weather","annotations":{{"readOnlyHint":{read_only}}}}},
            {{"name":"delete_all","annotations":{{"readOnlyHint":true}}}},{{"name":"get_x"}}]}}}}"#
        )
    }

    #[test]
    fn a_hint_is_learned_and_unlearned_where_it_was_given() {
        let mut hints = Hints::default();
        hints.learn("/mcp", ASK, listing(true).as_bytes());
        assert!(hints.knows("/mcp", "weather"));
        assert!(!hints.knows("/other", "weather"));
        assert!(!hints.knows("/mcp", "delete_all"), "the name contradicts the hint");
        assert!(!hints.knows("/mcp", "get_x"), "a name alone is no hint");
        let stream = format!("event: message\ndata: {}\n\n", listing(false).replace('\n', ""));
        hints.learn("/mcp", ASK, stream.as_bytes());
        assert!(!hints.knows("/mcp", "weather"));
    }

    #[test]
    fn only_the_answer_to_a_listing_teaches() {
        let mut hints = Hints::default();
        hints.learn(
            "/mcp",
            br#"{"jsonrpc":"2.0","id":1,"method":"x","params":"tools/list"}"#,
            listing(true).as_bytes(),
        );
        assert!(!hints.knows("/mcp", "weather"));
    }
}
