//! The Anthropic Messages API, whole and streamed, and the older text completions; see `shadowlane.providers.anthropic`.

use super::super::citing::cite_block;
use super::super::draft::{Draft, Number};
use super::super::json::{Object, Value, truthy};
use super::take;

const EVENTS: [&str; 6] = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
];
/// Cached prompt tokens, which are counted apart.
const CACHED: &[&str] = &["cache_creation_input_tokens", "cache_read_input_tokens"];

pub fn matches(value: &Object<'_>) -> bool {
    let kind = value.str("type");
    EVENTS.contains(&kind)
        || (value.is_array("content") && (kind == "message" || value.has("stop_reason")))
        || (value.text("completion").is_some() && (value.has("stop_reason") || kind == "completion"))
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    if let Some(text) = value.text("completion") {
        draft.kind = "anthropic.completions";
        draft.add_text(text, 0, 0);
        take("model", value, &mut draft.model);
        stop(value, draft);
        draft.ended = draft.all_finished();
        return;
    }
    draft.kind = "anthropic.messages";
    let index = Number::from(value.count("index").unwrap_or(0));
    match value.str("type") {
        "message_start" => read_message(value.object("message"), draft),
        "content_block_start" => read_block(value.object("content_block"), draft, index, true),
        "content_block_delta" => read_delta(value.object("delta"), draft, index),
        "message_delta" => {
            stop(value.object("delta"), draft);
            draft.count_tokens(value.object("usage"), CACHED);
        }
        "message_stop" => {
            draft.count_tokens(value.object("amazon-bedrock-invocationMetrics"), &[]);
            draft.ended = true;
        }
        "content_block_stop" => {}
        _ => read_message(value, draft),
    }
}

fn read_message(message: &Object<'_>, draft: &mut Draft<'_>) {
    for (position, block) in message.objects("content").enumerate() {
        read_block(block, draft, position as Number, false);
    }
    take("model", message, &mut draft.model);
    draft.count_tokens(message.object("usage"), CACHED);
    stop(message, draft);
}

fn stop(value: &Object<'_>, draft: &mut Draft<'_>) {
    let reason = value.str("stop_reason");
    draft.finish_text(reason, 0);
    draft.refusal |= reason == "refusal";
}

fn read_block(block: &Object<'_>, draft: &mut Draft<'_>, index: Number, streamed: bool) {
    match block.str("type") {
        "text" => {
            draft.add_text(block.str("text"), 0, index);
            for citation in block.objects("citations") {
                cite_block(citation, draft);
            }
        }
        kind => {
            draft.skip_block(0, index);
            if kind == "tool_use" {
                let input = block.get("input");
                let given = if input.is_none() { Some(&NO_INPUT) } else { input };
                // In a stream the input begins empty and comes in pieces.
                let arguments = if streamed && !truthy(input) { None } else { given };
                draft.add_call(&[index], block.str("id"), block.str("name"), arguments);
            }
        }
    }
}

static NO_INPUT: Value<'static> = Value::Object(Object(Vec::new()));

fn read_delta(delta: &Object<'_>, draft: &mut Draft<'_>, index: Number) {
    match delta.str("type") {
        "text_delta" => draft.add_text(delta.str("text"), 0, index),
        "input_json_delta" if draft.has_call(&[index]) => {
            draft.add_call_text(&[index], "", "", delta.str("partial_json"));
        }
        "citations_delta" => cite_block(delta.object("citation"), draft),
        _ => {}
    }
}
