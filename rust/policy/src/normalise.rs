//! The shadow's copy of an inference request: state switched off, acting tools removed, sampling aligned.
//!
//! Invariant: every member that is not listed as a change keeps its bytes (raw JSON is copied, never printed anew), where
//! it stood; and what is left asks the provider to keep nothing and to act on nothing.

use serde_json::value::RawValue;

use super::effect::shown;
use super::json::Json;
use super::members::{Members, raw};
use super::target;
use super::tool::tool_acts_at_provider;

/// What happens to the tool definitions of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ToolMode {
    /// Definitions and choice are removed.
    Strip,
    /// Definitions stay, `tool_choice` forbids their use. Where the API has no such choice: as `Strip`.
    None,
    /// Definitions stay; calls are answered with recorded results.
    #[default]
    Stub,
}

impl ToolMode {
    /// The mode called `strip`, `none` or `stub`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "strip" => Some(Self::Strip),
            "none" => Some(Self::None),
            "stub" => Some(Self::Stub),
            _ => None,
        }
    }
}

/// What to align on the copy; an absent option leaves the request's own value.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What happens to tools.
    pub tool_mode: ToolMode,
    /// Forces streaming on or off.
    pub stream: Option<bool>,
    /// The shadow's model.
    pub model: Option<String>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// Sampling seed.
    pub seed: Option<i64>,
}

/// A copy's body and what was changed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Normalised {
    /// The new body, JSON.
    pub body: Vec<u8>,
    /// The new target, where the model stands in the path.
    pub target: Option<String>,
    /// One short line for each change, `member: what`; never a value of the request.
    pub changes: Vec<String>,
}

/// State that cannot be turned off without asking another question.
const STATE: &[&str] =
    &["previous_response_id", "conversation", "conversation_id", "thread_id", "assistant_id", "background"];

/// Members that say who asked, or label what is stored.
const LABELS: &[&str] = &["user", "metadata", "safety_identifier", "prompt_cache_key", "requestMetadata", "user_id"];

/// Members that make the provider act: search the web, call connectors, keep a container.
const ACTING: &[&str] = &[
    "web_search_options",
    "search_parameters",
    "search_settings",
    "enable_search",
    "connectors",
    "plugins",
    "mcp_servers",
    "container",
];

const GUARDED: &[&str] = &[
    "previous_response_id",
    "conversation",
    "conversation_id",
    "thread_id",
    "assistant_id",
    "background",
    "store",
    "tools",
    "web_search_options",
    "connectors",
    "plugins",
    "mcp_servers",
    "container",
    "stream",
    "model",
];

/// Why a request's state cannot be turned off; none if it can, or there is none.
pub fn stateful(body: &Json) -> Option<String> {
    if let Some(name) = body.misspelt(GUARDED) {
        return Some(format!("ambiguous member {}", shown(name)));
    }
    STATE
        .iter()
        .find(|name| body.get(name).is_some_and(Json::is_set))
        .map(|name| format!("{name} keeps state at the provider"))
}

/// The body that a shadow may get, for a request to `target` under `preset`.
///
/// An error if the body is not one unambiguous JSON object, or asks for state that cannot be turned off: then there is
/// no copy to send.
pub fn normalise_llm_body(preset: &str, target: &[u8], body: &[u8], options: &Options) -> Result<Normalised, String> {
    let tree = Json::parse(body).map_err(|error| format!("body: {error}"))?;
    if !matches!(tree, Json::Object(_)) {
        return Err("body: not a JSON object".to_owned());
    }
    if let Some(reason) = stateful(&tree) {
        return Err(reason);
    }
    let raw_target = target;
    let target = target::parse(target).map_err(|error| format!("target: {error}"))?;
    let mut copy =
        Copy { members: Members::parse(body)?, tree, changes: Vec::new(), api: Api::of(preset, &target.segments) };
    copy.state()?;
    for name in LABELS.iter().chain(ACTING) {
        copy.remove(name, "dropped");
    }
    if copy.api == Api::Ollama {
        // It loads and unloads the model for everybody.
        copy.remove("keep_alive", "dropped");
    }
    copy.provider_tools()?;
    copy.bedrock_tools();
    match options.tool_mode {
        ToolMode::Strip => copy.strip_tools(),
        ToolMode::None => copy.forbid_tools()?,
        ToolMode::Stub => {}
    }
    copy.align(options)?;
    copy.finish(body, options.model.as_deref(), raw_target)
}

/// The request with the shadow's model in it: in the body, and in the path where the API has it there.
///
/// `preset` is empty for a request that is not known to be inference: then only a `model` at the top of a JSON object is
/// rewritten. What is not a JSON object comes back as it is.
pub fn rewrite_model(preset: &str, target: &[u8], body: &[u8], model: &str) -> Result<Normalised, String> {
    let (Ok(members), Ok(parsed)) = (Members::parse(body), target::parse(target)) else {
        return Ok(Normalised { body: body.to_vec(), target: None, changes: Vec::new() });
    };
    let api = Api::of(preset, &parsed.segments);
    let known = members.get("model").is_some() || !(preset.is_empty() || api == Api::Bedrock);
    let mut copy = Copy { members, tree: Json::Null, changes: Vec::new(), api };
    if known && api != Api::Bedrock {
        copy.set("model", &model, "rewritten")?;
    }
    let in_path = if preset.is_empty() { None } else { Some(model) };
    copy.finish(body, in_path, target)
}

/// The path with the model's segment replaced, where the API has one: Bedrock, Azure's deployments, OpenAI's engines.
fn with_model_in_path(target: &[u8], model: &str) -> Option<String> {
    let text = std::str::from_utf8(target).ok()?;
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let mut segments: Vec<&str> = path.split('/').collect();
    let at = segments.iter().position(|segment| matches!(*segment, "model" | "deployments" | "engines"))? + 1;
    let escaped: String = model.bytes().map(escape).collect();
    // Something follows it: `/model/{}/invoke`.
    segments.get(at + 1)?;
    let segment = segments.get_mut(at)?;
    if *segment == escaped {
        return None;
    }
    *segment = &escaped;
    let path = segments.join("/");
    Some(query.map_or_else(|| path.clone(), |query| format!("{path}?{query}")))
}

/// RFC 3986 §2.1: everything but the unreserved characters.
fn escape(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// The API that a route speaks, as far as normalising differs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    Chat,
    Completions,
    Responses,
    Anthropic,
    Ollama,
    Cohere,
    Mistral,
    Bedrock,
    /// Embeddings, moderation, reranking: nothing is generated.
    Other,
}

impl Api {
    fn of(preset: &str, segments: &[&str]) -> Self {
        let last = segments.last().copied().unwrap_or_default();
        let openai = match (segments.len().checked_sub(2).and_then(|at| segments.get(at)), last) {
            (Some(&"chat"), "completions") => Self::Chat,
            (_, "completions") => Self::Completions,
            (_, "responses") => Self::Responses,
            _ => Self::Other,
        };
        match (preset, last) {
            ("anthropic", "messages") => Self::Anthropic,
            ("ollama", "chat" | "generate") => Self::Ollama,
            ("openai" | "ollama", _) => openai,
            ("cohere", "chat" | "generate") => Self::Cohere,
            ("mistral", "completions") => Self::Mistral,
            ("bedrock", "invoke" | "invoke-with-response-stream" | "converse" | "converse-stream") => Self::Bedrock,
            _ => Self::Other,
        }
    }
}

struct Copy {
    members: Members,
    tree: Json,
    changes: Vec<String>,
    api: Api,
}

impl Copy {
    /// What is left. A body without a change keeps every byte.
    fn finish(mut self, body: &[u8], model: Option<&str>, target: &[u8]) -> Result<Normalised, String> {
        let body = if self.changes.is_empty() { body.to_vec() } else { self.members.print()? };
        let target = model.and_then(|model| with_model_in_path(target, model));
        if target.is_some() {
            self.note("path", "model rewritten");
        }
        Ok(Normalised { body, target, changes: self.changes })
    }

    fn note(&mut self, name: &str, what: &str) {
        self.changes.push(format!("{name}: {what}"));
    }

    fn remove(&mut self, name: &str, what: &str) {
        if self.members.remove(name) {
            self.note(name, what);
        }
    }

    /// Sets the member, and notes it, unless it has that value already.
    fn set<T: serde::Serialize>(&mut self, name: &str, value: &T, what: &str) -> Result<(), String> {
        let value = raw(name, value)?;
        if self.members.get(name).map(RawValue::get) != Some(value.get()) {
            self.members.set(name, value);
            self.note(name, what);
        }
        Ok(())
    }

    fn state(&mut self) -> Result<(), String> {
        // Responses are stored unless the request says otherwise; chat completions only when it says so.
        if self.api == Api::Responses || self.tree.get("store").is_some_and(Json::is_set) {
            self.set("store", &false, "false")?;
        }
        for name in STATE {
            self.remove(name, "dropped");
        }
        Ok(())
    }

    /// Removes the definitions of tools that the provider would carry out.
    fn provider_tools(&mut self) -> Result<(), String> {
        let Some(definitions) = self.tree.get("tools").and_then(Json::as_array) else {
            return Ok(());
        };
        let acting: Vec<bool> = definitions
            .iter()
            .map(|tool| match tool {
                Json::Object(_) => match tool.get("type") {
                    None => false,
                    Some(kind) => tool_acts_at_provider(kind.as_str().or(Some("?"))),
                },
                _ => true,
            })
            .collect();
        if !acting.contains(&true) {
            return Ok(());
        }
        let names: Vec<String> = definitions
            .iter()
            .zip(&acting)
            .filter(|(_, acts)| **acts)
            .flat_map(|(tool, _)| ["name", "type"].map(|member| tool.get(member).and_then(Json::as_str)))
            .flatten()
            .map(str::to_owned)
            .collect();
        let text = self.members.get("tools").map_or("[]", RawValue::get);
        let definitions: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(|error| format!("tools: {error}"))?;
        let kept: Vec<Box<RawValue>> =
            definitions.into_iter().zip(&acting).filter_map(|(tool, acts)| (!acts).then_some(tool)).collect();
        let removed = acting.iter().filter(|acts| **acts).count();
        self.note("tools", &format!("{removed} of the provider removed"));
        if kept.is_empty() {
            self.members.remove("tools");
            for name in ["tool_choice", "parallel_tool_calls"] {
                self.remove(name, "dropped with the tools");
            }
            return Ok(());
        }
        self.members.set("tools", raw("tools", &kept)?);
        let chosen = self.tree.get("tool_choice").is_some_and(|choice| {
            ["type", "name"]
                .iter()
                .filter_map(|member| choice.get(member).and_then(Json::as_str))
                .any(|word| names.iter().any(|name| name == word))
        });
        if chosen {
            self.remove("tool_choice", "dropped with its tool");
        }
        Ok(())
    }

    /// Bedrock: tools of the system (grounding by web search), and those of the model's own request format.
    fn bedrock_tools(&mut self) {
        if self.api != Api::Bedrock {
            return;
        }
        let acts = |tool: &Json| tool.get("toolSpec").is_none() && tool.get("cachePoint").is_none();
        let listed = self.tree.get("toolConfig").and_then(|config| config.get("tools")).and_then(Json::as_array);
        if listed.is_some_and(|tools| tools.iter().any(acts)) {
            // The list cannot be empty, and a choice may name what is removed: all of it goes.
            self.remove("toolConfig", "dropped with the provider's tools");
        }
        let fields = self.tree.get("additionalModelRequestFields");
        if fields.is_some_and(|fields| fields.get("tools").is_some_and(Json::is_set)) {
            self.remove("additionalModelRequestFields", "dropped with the provider's tools");
        }
    }

    fn strip_tools(&mut self) {
        // These two refuse a conversation with tool results when the definitions are gone.
        if matches!(self.api, Api::Anthropic | Api::Bedrock) && mentions_tools(self.tree.get("messages")) {
            self.note("tools", "kept, because the conversation uses them");
            return;
        }
        for name in ["tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "toolConfig"] {
            self.remove(name, "stripped");
        }
    }

    fn forbid_tools(&mut self) -> Result<(), String> {
        if self.members.get("functions").is_some() {
            self.set("function_call", &"none", "none")?;
        }
        if self.members.get("tools").is_none() && self.members.get("toolConfig").is_none() {
            return Ok(());
        }
        match self.api {
            Api::Anthropic => self.set("tool_choice", &serde_json::json!({"type": "none"}), "none"),
            Api::Cohere => self.set("tool_choice", &"NONE", "none"),
            Api::Ollama | Api::Bedrock => {
                self.strip_tools();
                Ok(())
            }
            _ => self.set("tool_choice", &"none", "none"),
        }
    }

    fn align(&mut self, options: &Options) -> Result<(), String> {
        // Bedrock's model stands in the path.
        if let Some(model) = options.model.as_ref().filter(|_| self.api != Api::Bedrock) {
            self.set("model", model, "rewritten")?;
        }
        // Nothing is generated, or the invoke body has no field for these.
        if self.api == Api::Other {
            return Ok(());
        }
        if let Some(stream) = options.stream.filter(|_| self.api != Api::Bedrock) {
            self.set("stream", &stream, if stream { "true" } else { "false" })?;
            if !stream {
                self.remove("stream_options", "dropped with the stream");
            }
        }
        self.sampling(options)
    }

    fn sampling(&mut self, options: &Options) -> Result<(), String> {
        let seed_name = match self.api {
            Api::Mistral => "random_seed",
            _ => "seed",
        };
        match self.api {
            Api::Ollama => {
                self.nested("options", "temperature", options.temperature)?;
                self.nested("options", "seed", options.seed)
            }
            Api::Bedrock
                if self.members.get("messages").is_some() && self.members.get("anthropic_version").is_none() =>
            {
                self.nested("inferenceConfig", "temperature", options.temperature)
            }
            // The invoke body is the model family's own, and has no common field for these.
            Api::Bedrock => Ok(()),
            _ => {
                if let Some(temperature) = options.temperature {
                    self.set("temperature", &temperature, "aligned")?;
                }
                match options.seed {
                    Some(seed) if !matches!(self.api, Api::Anthropic | Api::Responses) => {
                        self.set(seed_name, &seed, "aligned")
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn nested<T: serde::Serialize>(&mut self, outer: &str, inner: &str, value: Option<T>) -> Result<(), String> {
        let Some(value) = value else { return Ok(()) };
        let mut members = match self.members.get(outer) {
            Some(object) => Members::parse(object.get().as_bytes())?,
            None => Members::default(),
        };
        let value = raw(inner, &value)?;
        if members.get(inner).map(RawValue::get) == Some(value.get()) {
            return Ok(());
        }
        members.set(inner, value);
        let text = String::from_utf8(members.print()?).map_err(|error| format!("{outer}: {error}"))?;
        let object = RawValue::from_string(text).map_err(|error| format!("{outer}: {error}"))?;
        self.members.set(outer, object);
        self.note(&format!("{outer}.{inner}"), "aligned");
        Ok(())
    }
}

/// Whether a conversation holds tool calls or their results.
fn mentions_tools(messages: Option<&Json>) -> bool {
    let block = |block: &Json| {
        matches!(block.get("type").and_then(Json::as_str), Some("tool_use" | "tool_result"))
            || block.get("toolUse").is_some()
            || block.get("toolResult").is_some()
    };
    messages
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|message| message.get("content").and_then(Json::as_array))
        .flatten()
        .any(block)
}
