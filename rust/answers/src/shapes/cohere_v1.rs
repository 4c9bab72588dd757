//! Cohere's chat v1 and generate; see `shadowlane.providers.cohere`.

use super::super::draft::{Draft, Number};
use super::super::json::{Object, Value};
use super::cohere::{Documents, cite, count, finish};
use super::take;

pub const EVENTS: [&str; 8] = [
    "stream-start",
    "text-generation",
    "search-queries-generation",
    "search-results",
    "citation-generation",
    "tool-calls-chunk",
    "tool-calls-generation",
    "stream-end",
];

static NO_PARAMETERS: Value<'static> = Value::Object(Object(Vec::new()));

/// A whole answer; also a piece of a stream on Bedrock (`{text, is_finished}`).
pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "cohere.v1";
    draft.add_text(value.str("text"), 0, 0);
    let documents: Documents<'_, '_> = value.objects("documents").map(|one| (one.str("id"), one)).collect();
    for citation in value.objects("citations") {
        cite(citation, &documents, draft);
    }
    read_calls(value, draft);
    finish(value, draft, 0);
    read_meta(value, draft);
    draft.ended = draft.ended || value.is_true("is_finished") || draft.all_finished();
}

pub fn read_generations(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "cohere.generate";
    for (position, item) in value.objects("generations").enumerate() {
        draft.add_text(item.str("text"), position as Number, 0);
        finish(item, draft, position as Number);
    }
    read_meta(value, draft);
    draft.ended = draft.all_finished();
}

fn read_calls(value: &Object<'_>, draft: &mut Draft<'_>) {
    for call in value.objects("tool_calls") {
        let parameters = call.get("parameters").unwrap_or(&NO_PARAMETERS);
        draft.add_call(&[draft.calls()], "", call.str("name"), Some(parameters));
    }
}

fn read_meta(value: &Object<'_>, draft: &mut Draft<'_>) {
    count(value.object("meta"), draft);
    take("model", value, &mut draft.model);
}

pub fn read_event(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "cohere.v1";
    match value.str("event_type") {
        "text-generation" => draft.add_text(value.str("text"), 0, 0),
        "citation-generation" => {
            for citation in value.objects("citations") {
                cite(citation, &Documents::new(), draft);
            }
        }
        "stream-end" => {
            let response = value.object("response");
            if !response.is_empty() {
                draft.restart();
                read(response, draft);
            }
            finish(value, draft, 0);
            draft.ended = true;
        }
        "tool-calls-generation" => read_calls(value, draft),
        _ => {}
    }
}
