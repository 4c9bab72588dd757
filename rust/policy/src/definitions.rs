//! The tool definitions of inference requests: whose they are, the caller's functions or tools that the provider runs.
//!
//! Invariant: what is not known to describe a function counts as one that acts, in a copy; elsewhere, where a tool may be
//! anything of the user's own, what has the form of a provider's.

use super::json::Json;

/// Whether a tool of a request is carried out by the provider, or by a client for it, and is more than a function.
///
/// Functions run where the request came from, and a shadow's answer is never carried out; `file_search` only reads.
pub fn tool_acts_at_provider(kind: Option<&str>) -> bool {
    !matches!(kind, None | Some("function" | "custom" | "file_search"))
}

/// Members that say what a function is, as the APIs have them, and those of `file_search`.
const DEFINING: &[&str] = &[
    "_meta",
    "allowed_callers",
    "annotations",
    "cache_control",
    "defer_loading",
    "description",
    "eager_input_streaming",
    "examples",
    "filters",
    "format",
    "function",
    "function_declarations",
    "inputSchema",
    "input_examples",
    "input_schema",
    "max_num_results",
    "name",
    "outputSchema",
    "output_schema",
    "parameter_definitions",
    "parameters",
    "ranking_options",
    "strict",
    "title",
    "toolSpec",
    "type",
    "vector_store_ids",
];

/// Whether a definition in a request's copy is of a tool that is carried out elsewhere than where the request came from,
/// or may be, since nobody here knows one of its members.
pub fn definition_acts(definition: &Json) -> bool {
    acts_by_form(definition) || undefined(definition)
}

/// The same by what is known of the form alone: where nothing says that the definition is one of an inference request.
///
/// Without a type it must be a function by its form: `{"google_search": {}}` is a tool of the provider, whatever stands
/// beside it, and so is a function whose name the provider reserves (`$web_search`).
pub fn acts_by_form(definition: &Json) -> bool {
    let Json::Object(_) = definition else { return true };
    let inner = definition.get("function").or_else(|| definition.get("toolSpec")).unwrap_or(definition);
    let name = inner.get("name").and_then(Json::as_str);
    let reserved = name.is_some_and(|name| name.starts_with('$'));
    match definition.get("type") {
        Some(kind) => reserved || tool_acts_at_provider(kind.as_str().or(Some("?"))),
        None if name.is_none() => definition.get("function_declarations").is_none() || undefined(definition),
        None => reserved,
    }
}

fn undefined(definition: &Json) -> bool {
    let Json::Object(members) = definition else { return true };
    let off = |value: &Json| matches!(value, Json::Null | Json::Bool(false));
    members.iter().any(|(name, value)| !DEFINING.contains(&name.as_str()) && !off(value))
}
