//! Dify, recognised; see `shadowlane.providers.dify`.

use super::super::json::Object;

const EVENTS: [&str; 15] = [
    "error",
    "message",
    "agent_message",
    "agent_thought",
    "message_replace",
    "message_file",
    "message_end",
    "text_chunk",
    "text_replace",
    "workflow_started",
    "workflow_finished",
    "node_started",
    "node_finished",
    "tts_message",
    "tts_message_end",
];

pub fn matches(value: &Object<'_>) -> bool {
    let own = ["task_id", "message_id", "conversation_id", "workflow_run_id"];
    (EVENTS.contains(&value.str("event")) && own.iter().any(|name| value.has(name)))
        || (value.has("workflow_run_id") && value.object("data").has("outputs"))
}
