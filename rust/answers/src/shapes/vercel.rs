//! Vercel's AI SDK, recognised; see `shadowlane.providers.vercel`.

use super::super::json::Object;

const PARTS: [&str; 16] = [
    "start-step",
    "finish-step",
    "text-start",
    "text-delta",
    "text-end",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
    "tool-input-start",
    "tool-input-delta",
    "tool-input-available",
    "tool-input-error",
    "tool-output-available",
    "tool-output-error",
    "source-url",
    "source-document",
];

pub fn matches(value: &Object<'_>) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| value.has(name));
    match value.str("type") {
        "start" => has(&["messageId", "messageMetadata"]),
        "finish" => has(&["finishReason", "messageMetadata", "usage"]),
        "abort" => value.0.iter().all(|(name, _)| name == "type" || name == "reason"),
        "error" => value.has("errorText"),
        kind => PARTS.contains(&kind),
    }
}
