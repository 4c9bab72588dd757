//! The API that an inference request speaks: by its route where the preset lists it, else by its body.
//!
//! Invariant: the body says what it is, whatever the path; what nobody can tell apart is taken for the API that keeps most.

use super::json::Json;
use super::presets;

/// Last segments of paths that generate nothing, exactly.
const COUNTED: &[&str] = &[
    "classifications",
    "classify",
    "count_tokens",
    "detokenize",
    "embed",
    "embeddings",
    "input_tokens",
    "moderations",
    "rerank",
    "tokenize",
];

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
        let last = segments.last().copied().unwrap_or_default();
        // The body of a response may have any member of an embedding: only a path that says so is trusted.
        if COUNTED.contains(&last) || !has(&["messages", "message", "prompt", "input"]) {
            return Self::Other;
        }
        match preset {
            "anthropic" => Self::Anthropic,
            "ollama" => Self::Ollama,
            "cohere" => Self::Cohere,
            "mistral" => Self::Mistral,
            "bedrock" => Self::Bedrock,
            _ if has(&["input"]) => Self::Responses,
            _ if has(&["messages"]) => Self::Chat,
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
    if is_conversation(body.get("messages")) && converse {
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
