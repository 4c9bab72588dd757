//! OpenAI's chat completions and legacy completions, and those who speak them; see `shadowlane.providers.openai.chat`.

use super::super::citing::{cite_all, cite_annotation};
use super::super::draft::{Draft, Number};
use super::super::json::{Object, Value, truthy};
use super::super::lists::cite_value;
use super::take;

pub fn matches(value: &Object<'_>) -> bool {
    match value.get("choices") {
        Some(Value::Null) => value.str("object").starts_with("chat.completion") || value.is_object("usage"),
        Some(Value::Array(choices)) if choices.is_empty() => {
            ["object", "usage", "id"].iter().any(|name| value.has(name))
        }
        Some(Value::Array(choices)) => {
            choices.iter().any(|choice| ["message", "delta", "text"].iter().any(|name| choice.object().has(name)))
        }
        _ => false,
    }
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    for (position, choice) in value.objects("choices").enumerate() {
        let number = choice.count("index").map_or(position as Number, Number::from);
        if let Some(text) = choice.text("text") {
            draft.kind = "openai.completions";
            draft.add_text(text, number, 0);
        }
        for name in ["message", "delta"] {
            if choice.is_object(name) {
                read_message(choice.object(name), draft, number);
            }
        }
        let named = choice.get("finish_reason");
        let reason = if truthy(named) { named } else { choice.get("stop_reason") };
        draft.finish(reason, number);
        if reason.and_then(Value::text) == Some("content_filter") {
            draft.refusal = true;
            draft.note("the provider's content filter withheld the answer or a part of it");
        }
    }
    if draft.kind.is_empty() {
        draft.kind = "openai.chat";
    }
    draft.count_tokens(value.object("x_groq").object("usage"), &[]);
    draft.count_tokens(value.object("usage"), &[]);
    take("model", value, &mut draft.model);
    take("system_fingerprint", value, &mut draft.model_rev);
    let cited = value.array("citations");
    if !cited.is_empty() {
        cite_all(cited, draft);
    } else if let Some(results) = value.get("search_results") {
        cite_value(results, draft);
    }
    draft.ended = draft.all_finished();
}

fn read_message(message: &Object<'_>, draft: &mut Draft<'_>, choice: Number) {
    read_content(message.get("content"), draft, choice);
    let refusal = message.str("refusal");
    if !refusal.is_empty() {
        draft.refusal = true;
        draft.add_text(refusal, choice, 0);
    }
    read_tool_calls(message.array("tool_calls"), draft, choice);
    let function = message.object("function_call");
    if !function.is_empty() {
        draft.add_call(&[choice, 0], "", function.str("name"), function.get("arguments"));
    }
    let transcript = message.object("audio").str("transcript");
    if !transcript.is_empty() {
        draft.add_text(transcript, choice, 0);
    }
    for annotation in message.objects("annotations") {
        cite_annotation(annotation, message.str("content"), draft);
    }
    // Azure "on your data", Writer's knowledge graphs.
    cite_all(message.object("context").array("citations"), draft);
    cite_all(message.object("graph_data").array("sources"), draft);
}

/// A message's content: text, or an array of parts of which the text and the refusals are visible.
pub fn read_content(content: Option<&Value<'_>>, draft: &mut Draft<'_>, choice: Number) {
    match content {
        Some(Value::Text(text)) => draft.add_text(text, choice, 0),
        Some(Value::Array(parts)) => {
            for part in parts {
                read_part(part, draft, choice);
            }
        }
        _ => {}
    }
}

fn read_part(part: &Value<'_>, draft: &mut Draft<'_>, choice: Number) {
    if let Value::Text(text) = part {
        return draft.add_text(text, choice, 0);
    }
    let part = part.object();
    match part.str("type") {
        "refusal" => {
            draft.refusal = true;
            draft.add_text(part.str("refusal"), choice, 0);
        }
        "text" | "output_text" | "" => {
            if let Some(text) = part.text("text") {
                draft.add_text(text, choice, 0);
            }
        }
        "reference" => cite_all(part.array("reference_ids"), draft),
        _ => {}
    }
}

/// `tool_calls` as in chat; the index is there in streams only, and not in all.
pub fn read_tool_calls(calls: &[Value<'_>], draft: &mut Draft<'_>, choice: Number) {
    for call in calls.iter().map(Value::object) {
        read_tool_call(call, draft, choice, call.count("index").map(Number::from));
    }
}

/// One of them, with its number.
pub fn read_tool_call(call: &Object<'_>, draft: &mut Draft<'_>, choice: Number, index: Option<Number>) {
    let function = call.object("function");
    let body = if function.is_empty() { call.object("custom") } else { function };
    let arguments = body.get("arguments").or_else(|| body.get("input"));
    draft.add_tool_call(choice, index, call.str("id"), body.str("name"), arguments);
}
