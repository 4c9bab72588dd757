//! OpenAI's Responses API, whole and streamed; see `shadowlane.providers.openai.responses`.

use super::super::citing::{cite_all, cite_annotation};
use super::super::draft::{Draft, MESSAGE_SHIFT, Number};
use super::super::json::Object;
use super::take;

pub fn matches(value: &Object<'_>) -> bool {
    value.str("type").starts_with("response.")
        || (value.is_array("output") && (value.str("object") == "response" || value.has("output_text")))
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "openai.responses";
    let Some(event) = value.str("type").strip_prefix("response.") else { return read_response(value, draft) };
    let output = Number::from(value.count("output_index").unwrap_or(0));
    let block = (output << MESSAGE_SHIFT) + Number::from(value.count("content_index").unwrap_or(0));
    match event {
        "output_text.delta" | "refusal.delta" => {
            draft.refusal |= event == "refusal.delta";
            draft.add_text(value.str("delta"), 0, block);
        }
        "output_text.done" | "refusal.done" => draft.replace(value.first(&["text", "refusal"]), 0, block),
        "output_item.added" | "output_item.done" => {
            read_item(value.object("item"), draft, output, event == "output_item.done");
        }
        "function_call_arguments.delta" | "custom_tool_call_input.delta" => {
            draft.add_call_text(&[output], "", "", value.str("delta"));
        }
        "output_text.annotation.added" => cite_annotation(value.object("annotation"), "", draft),
        "completed" | "incomplete" | "failed" | "done" => {
            let response = value.object("response");
            if !response.array("output").is_empty() {
                draft.restart();
            }
            read_response(response, draft);
            draft.ended = true;
        }
        _ => take("model", value.object("response"), &mut draft.model),
    }
}

fn read_response(value: &Object<'_>, draft: &mut Draft<'_>) {
    for (position, item) in value.objects("output").enumerate() {
        read_item(item, draft, position as Number, true);
    }
    draft.count_tokens(value.object("usage"), &[]);
    take("model", value, &mut draft.model);
    let status = value.str("status");
    let reason = value.object("incomplete_details").str("reason");
    draft.finish_text(if reason.is_empty() { status } else { reason }, 0);
    draft.refusal |= reason == "content_filter";
    if matches!(status, "failed" | "cancelled") {
        draft.set_broken();
    }
    if matches!(status, "failed" | "cancelled" | "queued" | "in_progress") {
        let error = value.object("error").str("message");
        draft.note(&if error.is_empty() {
            format!("the response is {status}")
        } else {
            format!("the response is {status}: {error}")
        });
    }
}

fn read_item(item: &Object<'_>, draft: &mut Draft<'_>, position: Number, with_text: bool) {
    let kind = item.str("type");
    if kind == "message" {
        if with_text {
            read_message(item, draft, position);
        }
        return;
    }
    // A free number before the next message, so that two messages are not glued together.
    draft.skip_block(0, position << MESSAGE_SHIFT);
    if matches!(kind, "function_call" | "custom_tool_call") {
        draft.add_call_text(&[position], item.first(&["call_id", "id"]), item.str("name"), "");
        let arguments = item.first(&["arguments", "input"]);
        if !arguments.is_empty() {
            draft.set_arguments(&[position], arguments);
        }
    } else if kind == "file_search_call" {
        cite_all(item.array("results"), draft);
    }
}

fn read_message(item: &Object<'_>, draft: &mut Draft<'_>, position: Number) {
    for (number, part) in item.objects("content").enumerate() {
        let text = part.first(&["text", "refusal"]);
        draft.refusal |= part.str("type") == "refusal";
        draft.replace(text, 0, (position << MESSAGE_SHIFT) + number as Number);
        for annotation in part.objects("annotations") {
            cite_annotation(annotation, text, draft);
        }
    }
}
