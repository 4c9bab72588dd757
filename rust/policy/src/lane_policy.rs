//! The policy of a lane: which copy may leave, and what it looks like when it does.
//!
//! Invariant: [`Policy::classify`] finds the route in the same table as the gateway's admission, and looks at everything
//! that admission could not: query, all headers, body. What it does not call a read is not sent.

use std::collections::HashSet;

use super::acting_gets::ActingGets;
use super::api;
use super::effect::Effect;
use super::hints::Hints;
use super::http::{self, Request};
use super::json::Json;
use super::jsonrpc::{ALLOW_LIST, Allowed};
use super::keeps::keeps;
use super::normalise::{Normalised, Options, normalise_llm_body, normalise_tree};
use super::presets::Kind;
use super::target::Target;
use super::{http_body, target};
use crate::eligible::{RouteClass, Routes};
use shadowlane_base::Result;

/// What a lane takes for a read, and how it changes copies.
#[derive(Clone, Debug, Default)]
pub struct PolicyOptions {
    /// Presets and `METHOD /path [PRESET]` patterns, see [`Routes::new`].
    pub read: Vec<String>,
    /// MCP tools whose calls are reads, by exact name.
    pub allow_tools: Vec<String>,
    /// Whether a tool's own `readOnlyHint`, seen in prod's answer to `tools/list`, makes its calls reads.
    pub read_only_hint: bool,
    /// Names of GETs that act, in place of [`super::ACTING_GETS`].
    pub acting_gets: Option<Vec<String>>,
    /// How inference bodies are aligned.
    pub copy: Options,
}

/// A lane's policy.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    routes: Routes,
    allow_tools: HashSet<String>,
    read_only_hint: bool,
    acting_gets: ActingGets,
    copy: Options,
}

/// What a request does, and by which preset that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Read or write, and why.
    pub effect: Effect,
    /// The preset; empty for GET and HEAD and for what the user only declared.
    pub preset: String,
    /// Whether the body is that of an inference request, which [`Policy::normalise`] takes.
    pub inference: bool,
    /// The body of an inference request as it was read: no body is parsed twice.
    tree: Option<Json>,
}

impl Verdict {
    fn new(effect: Effect, preset: &str) -> Self {
        Self { effect, preset: preset.to_owned(), inference: false, tree: None }
    }

    fn inference(effect: Effect, preset: &str, tree: Option<Json>) -> Self {
        Self { effect, preset: preset.to_owned(), inference: true, tree }
    }
}

impl Policy {
    /// [`shadowlane_base::Error::Invalid`] for a pattern, preset or name of a GET that is none.
    pub fn new(options: PolicyOptions) -> Result<Self> {
        Ok(Self {
            routes: Routes::new(&options.read, &[], &[])?,
            allow_tools: options.allow_tools.into_iter().collect(),
            read_only_hint: options.read_only_hint,
            acting_gets: options.acting_gets.as_deref().map_or_else(|| Ok(ActingGets::default()), ActingGets::new)?,
            copy: options.copy,
        })
    }

    /// Whether hints are of use.
    pub fn uses_hints(&self) -> bool {
        self.read_only_hint
    }

    /// What sending the request once more would do.
    pub fn classify(&self, request: &Request<'_>, hints: &Hints) -> Verdict {
        let path =
            memchr::memchr(b'?', request.target).and_then(|at| request.target.get(..at)).unwrap_or(request.target);
        let refuse = |why: &'static str| Verdict::new(Effect::write(why), "");
        if path.first() != Some(&b'/') {
            return refuse("the target is not in origin form");
        }
        let Ok(endpoint) = std::str::from_utf8(path) else {
            return refuse("the target is not UTF-8");
        };
        if target::climbs(endpoint) {
            return refuse("the path may lead elsewhere");
        }
        let class = self.routes.class_of(request.method, path);
        if let RouteClass::Not(_) = class {
            return refuse("a method or route that is not declared a read");
        }
        let target = match http::checked(request, true) {
            Ok(target) => target,
            Err(effect) => return Verdict::new(effect, ""),
        };
        // A path that the user names in full may be called what it likes; a star names none, and no route its parameters.
        let named = self.routes.names_in_full(request.method, path);
        if let Some(effect) = http::request_acts(request, &target, &self.acting_gets, named) {
            return Verdict::new(effect, "");
        }
        let why = |tool: &str| {
            if self.allow_tools.contains(tool) {
                Some(ALLOW_LIST)
            } else {
                (self.read_only_hint && hints.knows(endpoint, tool)).then_some("read-only by its own hint")
            }
        };
        let tools = Allowed::by(&why);
        match class {
            RouteClass::Not(_) => refuse("not a read"),
            RouteClass::Safe => {
                let mut presets = self.routes.presets_at(path).peekable();
                if presets.peek().is_none() {
                    return Verdict::new(http::safe_method(request, &target, ""), "");
                }
                let mut effect = refuse("not a read").effect;
                for preset in presets {
                    effect = http::safe_method(request, &target, preset);
                    if !effect.is_read() {
                        break;
                    }
                }
                Verdict::new(effect, "")
            }
            RouteClass::Preset(preset, _) if http::is_safe(request.method) => {
                Verdict::new(http::safe_method(request, &target, preset), preset)
            }
            RouteClass::Preset(preset, Kind::Llm) => match http_body::json_body(request.headers, request.body) {
                Ok(tree) => Verdict::inference(http_body::inference(&tree), preset, Some(tree)),
                Err(effect) => Verdict::inference(effect, preset, None),
            },
            RouteClass::Preset(preset, kind) => {
                Verdict::new(http::by_kind(kind, request, &target, preset, tools), preset)
            }
            RouteClass::Declared => Self::declared(request, &target, tools),
        }
    }

    /// The verdict on a route that the user declared by hand. The body says what it is, whatever the path.
    fn declared(request: &Request<'_>, target: &Target<'_>, tools: Allowed<'_>) -> Verdict {
        let parsed = Json::parse(request.body).ok();
        if let Some(body) = &parsed {
            if let Some(preset) = api::inference(&target.segments, body) {
                let mut effect = http_body::llm_tree(request.headers, body);
                if effect.is_read()
                    && let Some(reason) = http_body::beside_inference(body, target, tools)
                {
                    effect = Effect::write(reason);
                }
                return Verdict::inference(effect, preset, parsed);
            }
            if let Some(reason) = keeps(body, false) {
                return Verdict::new(Effect::write(reason), "");
            }
        }
        Verdict::new(http_body::declared(request, target, parsed.as_ref(), tools), "")
    }

    /// The body that may leave for an inference request of which [`Self::classify`] gave `verdict`, of the same target and
    /// body. An error is a write.
    pub fn normalise(&self, verdict: Verdict, target: &[u8], body: &[u8]) -> std::result::Result<Normalised, String> {
        match verdict.tree {
            Some(tree) => normalise_tree(&verdict.preset, target, body, tree, &self.copy),
            None => normalise_llm_body(&verdict.preset, target, body, &self.copy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Hints, Policy, PolicyOptions, Request};

    fn policy() -> Policy {
        let text = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
        Policy::new(PolicyOptions {
            read: text(&[
                "openai",
                "graphql",
                "mcp",
                "sql:postgres",
                "POST /search",
                "POST /v2/*",
                "POST /db sql:sqlite",
                "GET /db sql:sqlite",
            ]),
            ..PolicyOptions::default()
        })
        .expect("a policy")
    }

    fn classify(method: &str, target: &str, body: &str) -> (bool, String) {
        let request = Request {
            method: method.as_bytes(),
            target: target.as_bytes(),
            headers: &[(b"content-type", b"application/json")],
            body: body.as_bytes(),
        };
        let verdict = policy().classify(&request, &Hints::default());
        (verdict.effect.is_read(), format!("{} [{}]", verdict.effect.reason, verdict.preset))
    }

    #[test]
    fn routes_decide_how_a_body_is_classified() {
        for (method, target, body, preset) in [
            ("GET", "/docs/", "", ""),
            ("GET", "/search?q=how+do+I+delete+a+user", "", ""),
            ("GET", "/db?q=SELECT+1", "", "sql:sqlite"),
            ("POST", "/v1/chat/completions", r#"{"model":"m","messages":[]}"#, "openai"),
            ("POST", "/graphql", r#"{"query":"{ a }"}"#, "graphql"),
            ("POST", "/mcp", r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, "mcp"),
            ("POST", "/sql", r#"{"query":"SELECT 1"}"#, "sql:postgres"),
            ("POST", "/db", r#"{"query":"SELECT 1"}"#, "sql:sqlite"),
            ("POST", "/search", r#"{"query":"how do I delete a user"}"#, ""),
            ("POST", "/search", r#"{"query":{"match":{"a":"b"}},"variables":1}"#, ""),
            ("POST", "/v2/ask", r#"{"question":"x"}"#, ""),
            // Declared by hand, and inference all the same.
            ("POST", "/v2/chat/completions", r#"{"model":"m","messages":[]}"#, "openai"),
        ] {
            let (read, why) = classify(method, target, body);
            assert!(read, "{method} {target} {body}: {why}");
            assert!(why.ends_with(&format!("[{preset}]")), "{target}: {why}");
        }
    }

    #[test]
    fn a_declared_read_that_says_otherwise_is_a_write() {
        for (target, body) in [
            ("/search", r#"{"query":"mutation { a }"}"#),
            ("/search", r#"[{"query":"{ a }"},{"query":"mutation M { a }"}]"#),
            ("/search", r#"{"operationName":"M","query":"mutation M { a }"}"#),
            ("/search", r#"{"operationName":"M","variables":{},"query":null}"#),
            ("/search", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}"#),
            ("/search", r#"{"JSONRPC":"2.0","id":1,"method":"wipe"}"#),
            ("/search", r#"{"_method":"DELETE"}"#),
            ("/search", r#"{"action":"delete_all"}"#),
            ("/search", r#"{"sql":"DELETE FROM t"}"#),
            ("/search", r#"{"a":1,"a":2}"#),
            ("/search", "{"),
            ("/search?_method=put", "{}"),
            ("/v2/files", "{}"),
            ("/v2/threads/t/runs", "{}"),
            ("/v2/responses", r#"{"model":"m","input":"x","background":true}"#),
            ("/db", r#"{"query":"PRAGMA user_version = 1"}"#),
            ("/graphql", r#"{"query":"mutation { a }"}"#),
            ("/elsewhere", "{}"),
        ] {
            let (read, why) = classify("POST", target, body);
            assert!(!read, "{target} {body}: {why}");
        }
        for target in [
            "http://127.0.0.1/x",
            "//h/x",
            "*",
            "/a/../b",
            "/a/%252e%252e/b",
            "/x?query=mutation%7Ba%7D",
            "/x?sql=DROP%20TABLE%20t",
            "/db?q=DROP%20TABLE%20t",
            "/x?_method=DELETE",
        ] {
            let (read, why) = classify("GET", target, "");
            assert!(!read, "{target}: {why}");
        }
        assert!(!classify("GET", "/x", "body").0);
        assert!(!classify("DELETE", "/x", "").0);
    }

    #[test]
    fn tools_are_allowed_by_name_or_by_their_own_hint() {
        let call = br#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"weather","arguments":{}}}"#;
        let request = Request { method: b"POST", target: b"/mcp?s=1", headers: &[], body: call };
        let mut hints = Hints::default();
        let answer = br#"{"id":1,"result":{"tools":[{"name":"weather","annotations":{"readOnlyHint":true}}]}}"#;
        hints.learn("/mcp", br#"{"method":"tools/list"}"#, answer);
        let made = |allow_tools: &[&str], read_only_hint| {
            Policy::new(PolicyOptions {
                read: vec!["mcp".to_owned()],
                allow_tools: allow_tools.iter().map(|tool| (*tool).to_owned()).collect(),
                read_only_hint,
                ..PolicyOptions::default()
            })
            .expect("a policy")
        };
        assert!(!made(&[], false).classify(&request, &hints).effect.is_read());
        assert!(!made(&[], true).classify(&request, &Hints::default()).effect.is_read());
        assert!(made(&[], true).classify(&request, &hints).effect.is_read());
        assert!(made(&["weather"], false).classify(&request, &Hints::default()).effect.is_read());
    }
}
