//! The shadow's copy of an inference request: state switched off, acting tools removed, sampling aligned.
//!
//! Invariant: every member that is not listed as a change keeps its bytes (raw JSON is copied, never printed anew), where
//! it stood; and what is left asks the provider to keep nothing and to act on nothing.

use serde_json::value::RawValue;

use super::api::Api;
use super::effect::shown;
use super::json::Json;
use super::known_members::knows;
use super::known_parts::knows_part;
use super::members::{Members, raw};
use super::target;

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
    /// Members that stay although no preset knows them, by exact name.
    pub keep_members: Vec<String>,
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
pub(super) const STATE: &[&str] =
    &["previous_response_id", "conversation", "conversation_id", "thread_id", "assistant_id", "background"];

/// Members that say who asked, or label what is stored.
const LABELS: &[&str] = &["user", "metadata", "safety_identifier", "prompt_cache_key", "requestMetadata", "user_id"];

/// Members that make the provider act: search the web, call connectors, keep a container.
pub(super) const ACTING: &[&str] = &[
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
    if let Some(name) = STATE.iter().find(|name| body.get(name).is_some_and(Json::is_set)) {
        return Some(format!("{name} keeps state at the provider"));
    }
    let model = body.get("model").and_then(Json::as_str).unwrap_or_default();
    acting_model(model).then(|| "the model itself calls tools".to_owned())
}

/// Models that search, browse or run code on their own account, with no member that switches it off.
fn acting_model(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let research = ["deep-research", "search-preview", "search-api"].iter().any(|part| name.contains(part));
    research || name == "compound" || name.starts_with("compound-")
}

/// The body that a shadow may get, for a request to `target` under `preset`.
///
/// An error if the body is not one unambiguous JSON object, or asks for state that cannot be turned off: then there is
/// no copy to send.
pub fn normalise_llm_body(preset: &str, target: &[u8], body: &[u8], options: &Options) -> Result<Normalised, String> {
    let tree = Json::parse(body).map_err(|error| format!("body: {error}"))?;
    normalise_tree(preset, target, body, tree, options)
}

/// As [`normalise_llm_body`], with the body as it was parsed.
pub(super) fn normalise_tree(
    preset: &str,
    target: &[u8],
    body: &[u8],
    tree: Json,
    options: &Options,
) -> Result<Normalised, String> {
    if !matches!(tree, Json::Object(_)) {
        return Err("body: not a JSON object".to_owned());
    }
    if let Some(reason) = stateful(&tree) {
        return Err(reason);
    }
    let raw_target = target;
    let target = target::parse(target).map_err(|error| format!("target: {error}"))?;
    let api = Api::of(preset, &target.segments, &tree);
    let mut copy = Copy { members: Members::parse(body)?, tree, changes: Vec::new(), api };
    copy.state()?;
    for name in LABELS.iter().chain(ACTING) {
        copy.remove(name, "dropped");
    }
    copy.unknown(preset, &options.keep_members)?;
    copy.parts()?;
    copy.online_model()?;
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
    let tree = Json::parse(body).unwrap_or(Json::Null);
    let api = if preset.is_empty() { Api::Other } else { Api::of(preset, &parsed.segments, &tree) };
    let known = members.get("model").is_some() || !(preset.is_empty() || api == Api::Bedrock);
    let mut copy = Copy { members, tree, changes: Vec::new(), api };
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

/// A copy in the making.
pub(super) struct Copy {
    pub(super) members: Members,
    pub(super) tree: Json,
    changes: Vec<String>,
    pub(super) api: Api,
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

    pub(super) fn note(&mut self, name: &str, what: &str) {
        self.changes.push(format!("{name}: {what}"));
    }

    pub(super) fn remove(&mut self, name: &str, what: &str) {
        if self.members.remove(name) {
            self.note(name, what);
        }
    }

    /// Sets the member, and notes it, unless it has that value already.
    pub(super) fn set<T: serde::Serialize>(&mut self, name: &str, value: &T, what: &str) -> Result<(), String> {
        let value = raw(name, value)?;
        if self.members.get(name).map(RawValue::get) != Some(value.get()) {
            self.members.set(name, value);
            self.note(name, what);
        }
        Ok(())
    }

    /// Removes what the API does not know: nobody can tell what it would make the provider do.
    fn unknown(&mut self, preset: &str, keep: &[String]) -> Result<(), String> {
        const MOST_NOTES: usize = 24;
        let Json::Object(members) = &self.tree else { return Ok(()) };
        let stored = |name: &str, value: &Json| name == "prompt" && matches!(value, Json::Object(_));
        let names: Vec<String> = members
            .iter()
            .filter(|(name, value)| {
                let kept = keep.iter().any(|kept| kept == name);
                !kept && (!knows(self.api, preset, name) || stored(name, value)) && self.members.get(name).is_some()
            })
            .map(|(name, _)| name.clone())
            .collect();
        let asks = |name: &str| ["messages", "message", "input", "prompt", "inputs"].contains(&name);
        if names.iter().any(|name| asks(name)) && !members.iter().any(|(name, _)| asks(name) && !names.contains(name)) {
            return Err("prompt is stored at the provider, and nothing else is asked".to_owned());
        }
        for (at, name) in names.iter().enumerate() {
            self.members.remove(name);
            if at < MOST_NOTES {
                self.note(&shown(name), "not known to only ask, removed");
            }
        }
        if let Some(more) = names.len().checked_sub(MOST_NOTES).filter(|more| *more > 0) {
            self.note("members", &format!("{more} more not known to only ask, removed"));
        }
        Ok(())
    }

    /// Removes the parts of a conversation that ask for more than an answer: approvals, stored items, uploads.
    fn parts(&mut self) -> Result<(), String> {
        for name in ["input", "messages"] {
            let Some(items) = self.tree.get(name).and_then(Json::as_array) else { continue };
            let bad: Vec<bool> = items.iter().map(|item| !knows_part(item)).collect();
            let removed = bad.iter().filter(|bad| **bad).count();
            if removed == 0 || self.members.get(name).is_none() {
                continue;
            }
            if removed == bad.len() {
                return Err(format!("{name} holds nothing that only asks"));
            }
            let text = self.members.get(name).map_or("[]", RawValue::get);
            let items: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(|error| format!("{name}: {error}"))?;
            let kept: Vec<Box<RawValue>> =
                items.into_iter().zip(&bad).filter_map(|(item, bad)| (!bad).then_some(item)).collect();
            self.members.set(name, raw(name, &kept)?);
            self.note(name, &format!("{removed} not known to only ask, removed"));
        }
        Ok(())
    }

    /// `:online` after a model's name makes a gateway search the web for it.
    fn online_model(&mut self) -> Result<(), String> {
        let name = self.tree.get("model").and_then(Json::as_str);
        match name.and_then(|name| name.strip_suffix(":online")).map(str::to_owned) {
            Some(plain) => self.set("model", &plain, ":online removed"),
            None => Ok(()),
        }
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
