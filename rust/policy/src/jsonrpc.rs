//! JSON-RPC 2.0 and MCP: a message is a read when its method is on the list of reads, a batch when every member is.
//!
//! Invariant: `tools/call` is a read only for a tool that the caller allows by its exact name. A response (no method)
//! answers a question that the server asked; sent to a shadow it would answer a question nobody asked: a write.

use super::effect::{Effect, shown};
use super::json::Json;

/// MCP methods that only read (specification 2024-11-05 to 2025-11-25).
///
/// `initialize` is not one: it opens a session. Neither are `resources/subscribe`, `logging/setLevel`, `tasks/cancel`,
/// nor `sampling/createMessage` and `elicitation/create`, which make the other side act.
const MCP_READS: &[&str] = &[
    "ping",
    "tools/list",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "roots/list",
    "tasks/list",
    "tasks/get",
    "tasks/result",
];

/// The one introspection method that JSON-RPC services share (OpenRPC §"Service Discovery").
const RPC_READS: &[&str] = &["rpc.discover"];

const MEMBERS: &[&str] = &["jsonrpc", "method", "params", "id"];

/// The tools whose calls are reads.
#[derive(Clone, Copy)]
pub struct Allowed<'a>(&'a dyn Fn(&str) -> Option<&'static str>);

impl<'a> Allowed<'a> {
    /// Those for which `why` gives a reason.
    pub fn by(why: &'a dyn Fn(&str) -> Option<&'static str>) -> Self {
        Self(why)
    }

    /// Why calls of this tool are reads; none if they are not known to be.
    pub fn why(&self, tool: &str) -> Option<&'static str> {
        (self.0)(tool)
    }

    /// None.
    pub fn none() -> Self {
        Self(&|_| None)
    }
}

/// What a JSON-RPC body does: MCP's reads, `rpc.discover`, and `tools/call` of the tools in `allow_tools`.
pub fn classify_jsonrpc<S: AsRef<str>>(body: &[u8], allow_tools: &[S]) -> Effect {
    let listed = |tool: &str| allow_tools.iter().any(|allowed| allowed.as_ref() == tool).then_some(ALLOW_LIST);
    classify_messages(body, Allowed::by(&listed), true)
}

/// As [`classify_jsonrpc`], without the methods that are not MCP's.
pub fn classify_mcp<S: AsRef<str>>(body: &[u8], allow_tools: &[S]) -> Effect {
    let listed = |tool: &str| allow_tools.iter().any(|allowed| allowed.as_ref() == tool).then_some(ALLOW_LIST);
    classify_messages(body, Allowed::by(&listed), false)
}

/// The reason of a tool that the user named.
pub const ALLOW_LIST: &str = "on the allow-list";

/// What a body of one message or a batch does; `any_rpc`: methods that are not MCP's count too.
pub fn classify_messages(body: &[u8], tools: Allowed<'_>, any_rpc: bool) -> Effect {
    Json::parse(body).map_or_else(
        |_| Effect::write("the body is not one unambiguous JSON text"),
        |parsed| classify_parsed(&parsed, tools, any_rpc),
    )
}

/// As [`classify_messages`], for a body that is parsed.
pub fn classify_parsed(body: &Json, tools: Allowed<'_>, any_rpc: bool) -> Effect {
    match body {
        Json::Array(members) if members.is_empty() => Effect::write("an empty batch"),
        Json::Array(members) => members
            .iter()
            .map(|member| message(member, tools, any_rpc))
            .find(|effect| !effect.is_read())
            .unwrap_or_else(|| Effect::read("a batch of reads")),
        single => message(single, tools, any_rpc),
    }
}

fn message(message: &Json, tools: Allowed<'_>, any_rpc: bool) -> Effect {
    if let Some(name) = message.misspelt(MEMBERS) {
        return Effect::write(format!("ambiguous member {}", shown(name)));
    }
    if !matches!(message.get("jsonrpc"), Some(Json::String(version)) if version == "2.0") {
        return Effect::write("not a JSON-RPC 2.0 message");
    }
    let Some(method) = message.get("method").and_then(Json::as_str) else {
        return Effect::write("no method: a response, or not a JSON-RPC message");
    };
    // Without an id it is a notification. One of a reading method does nothing; MCP's own are not on the list.
    if !matches!(message.get("id"), None | Some(Json::Null | Json::String(_) | Json::Number)) {
        return Effect::write("the id is neither a string nor a number");
    }
    if !matches!(message.get("params"), None | Some(Json::Object(_) | Json::Array(_))) {
        return Effect::write("params is neither an object nor an array");
    }
    if MCP_READS.contains(&method) || (any_rpc && RPC_READS.contains(&method)) {
        // MCP's task-augmented requests create a task on the server.
        if message.get("params").and_then(|params| params.get("task")).is_some() {
            return Effect::write("the request creates a task");
        }
        return Effect::read(format!("{method} is a read"));
    }
    if method == "tools/call" {
        return tool_call(message, tools);
    }
    Effect::write(format!("method {} is not known to be a read", shown(method)))
}

fn tool_call(message: &Json, tools: Allowed<'_>) -> Effect {
    let Some(params) = message.get("params") else {
        return Effect::write("tools/call without params");
    };
    if let Some(name) = params.misspelt(&["name", "arguments", "task"]) {
        return Effect::write(format!("ambiguous member {}", shown(name)));
    }
    if params.get("task").is_some() {
        return Effect::write("the request creates a task");
    }
    match params.get("name").and_then(Json::as_str) {
        Some(name) => match tools.why(name) {
            Some(why) => Effect::read(format!("tool {} is {why}", shown(name))),
            None => Effect::write(format!("tool {} is not on the allow-list", shown(name))),
        },
        None => Effect::write("tools/call without a tool's name"),
    }
}
