//! Ollama: `/api/chat` and `/api/generate`, whole and streamed; see `shadowlane.providers.ollama`.

use super::super::draft::Draft;
use super::super::json::{Object, Value};
use super::openai_chat::{read_content, read_tool_call};
use super::take;

pub fn matches(value: &Object<'_>) -> bool {
    matches!(value.get("done"), Some(Value::Bool(_)))
        && (value.is_object("message") || value.text("response").is_some())
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    let message = value.object("message");
    draft.kind = if message.is_empty() { "ollama.generate" } else { "ollama.chat" };
    read_content(message.get("content"), draft, 0);
    for call in message.objects("tool_calls") {
        // Numbers of its own: each line begins to count its calls at 0 again.
        read_tool_call(call, draft, 0, Some(draft.calls()));
    }
    draft.add_text(value.str("response"), 0, 0);
    take("model", value, &mut draft.model);
    draft.count_tokens(value, &[]);
    if value.is_true("done") {
        let reason = value.str("done_reason");
        draft.finish_text(if reason.is_empty() { "stop" } else { reason }, 0);
        draft.ended = true;
    }
}
