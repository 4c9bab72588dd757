//! Google's Gemini: `generateContent`, whole and streamed; see `shadowlane.providers.gemini`.

use super::super::draft::{Draft, Number};
use super::super::json::{Object, Value, truthy};
use super::super::usage::set;
use super::{grounding, take};

const WITHHELD: [&str; 8] =
    ["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE", "MODEL_ARMOR"];

pub fn matches(value: &Object<'_>) -> bool {
    match value.array("candidates").first().map(Value::object) {
        Some(first) => first.has("content") || first.has("finishReason"),
        None => value.has("promptFeedback") || value.has("usageMetadata"),
    }
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "gemini";
    for (position, candidate) in value.objects("candidates").enumerate() {
        read_candidate(candidate, draft, position as Number);
    }
    let blocked = value.object("promptFeedback").str("blockReason");
    if !blocked.is_empty() {
        draft.refusal = true;
        draft.finish_text(blocked, 0);
        draft.note(&format!("the provider blocked the prompt: {blocked}"));
    }
    let usage = value.object("usageMetadata");
    draft.count_tokens(usage, &["toolUsePromptTokenCount"]);
    let (visible, thoughts) = (usage.count("candidatesTokenCount"), usage.count("thoughtsTokenCount"));
    if visible.is_some() || thoughts.is_some() {
        set(&mut draft.usage, "output_tokens", visible.unwrap_or(0) + thoughts.unwrap_or(0));
    }
    take("modelVersion", value, &mut draft.model);
    draft.ended = draft.all_finished();
}

fn read_candidate(candidate: &Object<'_>, draft: &mut Draft<'_>, position: Number) {
    let choice = candidate.count("index").map_or(position, Number::from);
    // PaLM's chat-bison
    if let Some(text) = candidate.text("content") {
        draft.add_text(text, choice, 0);
    }
    for part in candidate.object("content").objects("parts") {
        if part.is_true("thought") {
            continue;
        }
        if let Some(text) = part.text("text") {
            draft.add_text(text, choice, 0);
        }
        let named = part.get("functionCall");
        let call = if truthy(named) { named } else { part.get("function_call") };
        if let Some(Value::Object(call)) = call
            && !call.is_empty()
        {
            let arguments = call.get("args").unwrap_or(&NO_ARGUMENTS);
            draft.add_call(&[choice, draft.calls()], call.str("id"), call.str("name"), Some(arguments));
        }
    }
    let reason = candidate.str("finishReason");
    draft.finish_text(reason, choice);
    if WITHHELD.contains(&reason) {
        draft.refusal = true;
        draft.note(&format!("the provider withheld the answer or a part of it: {reason}"));
    }
    grounding::cite(candidate, draft);
}

static NO_ARGUMENTS: Value<'static> = Value::Object(Object(Vec::new()));
