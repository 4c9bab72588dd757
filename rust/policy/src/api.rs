//! The API that an inference request speaks: by its route where the preset lists it, else by its body.
//!
//! Invariant: the body says what it is, whatever the path; what nobody can tell apart is taken for the API that keeps most.

use super::json::Json;
use super::presets;
use super::tool::definition_acts;

/// The API that a request speaks, as far as normalising differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's chat completions, and whoever speaks them.
    Chat,
    /// OpenAI's older completions.
    Completions,
    /// OpenAI's responses, which are stored unless told otherwise.
    Responses,
    /// Anthropic's messages.
    Anthropic,
    /// Ollama's chat and generate.
    Ollama,
    /// Cohere's chat and generate.
    Cohere,
    /// Mistral's completions.
    Mistral,
    /// Bedrock's invoke and converse.
    Bedrock,
    /// Embeddings, moderation, reranking: nothing is generated.
    Other,
}

impl Api {
    /// Of a request under `preset` to a path.
    pub fn of(preset: &str, segments: &[&str], body: &Json) -> Self {
        if presets::find(preset, segments).is_none() {
            return Self::by_body(preset, segments, body);
        }
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

    fn by_body(preset: &str, segments: &[&str], body: &Json) -> Self {
        let has = |names: &[&str]| names.iter().any(|name| body.get(name).is_some());
        let path = segments.last().copied().unwrap_or_default().to_ascii_lowercase();
        let counted = ["embed", "rerank", "moderation", "classif", "token"].iter().any(|word| path.contains(word));
        let vectors = has(&["encoding_format", "dimensions", "input_type", "embedding_types", "texts", "query"]);
        let asks = has(&["messages", "message", "prompt", "input"]);
        if counted || (vectors && !has(&["messages", "message", "prompt"])) || !asks {
            return Self::Other;
        }
        match preset {
            "anthropic" => Self::Anthropic,
            "ollama" => Self::Ollama,
            "cohere" => Self::Cohere,
            "mistral" => Self::Mistral,
            "bedrock" => Self::Bedrock,
            _ if body.get("messages").is_some() => Self::Chat,
            _ if body.get("input").is_some() => Self::Responses,
            _ => Self::Completions,
        }
    }
}

/// The preset of a request to a route that only the user declared, if its body is that of an inference request: its copy
/// must keep nothing at the provider either.
pub fn inference(segments: &[&str], body: &Json) -> Option<&'static str> {
    let has = |names: &[&str]| names.iter().any(|name| body.get(name).is_some());
    let model = body.get("model").and_then(Json::as_str).is_some();
    let listed = presets::llm_preset(segments);
    if let Some(preset) = listed
        && has(&["messages", "prompt", "input", "inputs", "message", "texts"])
        && (model || preset == "bedrock")
    {
        return Some(preset);
    }
    let converse = has(&["inferenceConfig", "toolConfig", "anthropic_version"]);
    if is_conversation(body.get("messages")) && (converse || (model && has(&["inferenceConfig"]))) {
        return Some("bedrock");
    }
    if !model || !has(&["messages", "prompt", "input"]) {
        return None;
    }
    let anthropic = has(&["max_tokens"]) && has(&["system", "stop_sequences", "thinking", "mcp_servers", "container"]);
    let ollama = has(&["options", "keep_alive"]) && !has(&["input"]);
    Some(match () {
        () if body.get("messages").is_some() && anthropic => "anthropic",
        () if ollama => "ollama",
        () => "openai",
    })
}

fn is_conversation(messages: Option<&Json>) -> bool {
    messages.and_then(Json::as_array).is_some_and(|all| all.iter().any(|message| message.get("role").is_some()))
}

/// Why a body that is no inference request as a whole asks a provider to keep or to do something all the same.
pub fn keeps(body: &Json) -> Option<String> {
    let yes = |name: &str| match body.get(name) {
        Some(Json::Bool(value)) => *value,
        Some(Json::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let set = |name: &str| body.get(name).is_some_and(Json::is_set);
    let asks = ["background", "store"].into_iter().find(|name| yes(name));
    let acts = ["previous_response_id", "mcp_servers", "web_search_options"].into_iter().find(|name| set(name));
    if let Some(name) = asks.or(acts) {
        return Some(format!("{name} keeps or does something at the provider"));
    }
    let tools = body.get("tools").and_then(Json::as_array).unwrap_or(&[]);
    if tools.iter().any(|tool| matches!(tool, Json::Object(_)) && definition_acts(tool)) {
        return Some("tools of the provider".to_owned());
    }
    let items = ["input", "messages"].into_iter().filter_map(|name| body.get(name).and_then(Json::as_array)).flatten();
    let approves =
        items.filter_map(|item| item.get("type").and_then(Json::as_str)).any(|kind| kind.contains("approval"));
    approves.then(|| "an approval of a tool's call".to_owned())
}
