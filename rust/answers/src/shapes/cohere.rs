//! Cohere: chat v2, and what [`super::cohere_v1`] reads; see `shadowlane.providers.cohere`.

use std::collections::HashMap;

use super::super::answer::Citation;
use super::super::citing::is_positional;
use super::super::draft::{Draft, Number};
use super::super::json::Object;
use super::cohere_v1;
use super::openai_chat::{read_content, read_tool_calls};

const EVENTS: [&str; 11] = [
    "message-start",
    "content-start",
    "content-delta",
    "content-end",
    "tool-plan-delta",
    "tool-call-start",
    "tool-call-delta",
    "tool-call-end",
    "citation-start",
    "citation-end",
    "message-end",
];

pub fn matches(value: &Object<'_>) -> bool {
    if EVENTS.contains(&value.str("type")) || cohere_v1::EVENTS.contains(&value.str("event_type")) {
        return true;
    }
    if value.text("text").is_some() && (value.has("generation_id") || value.has("is_finished")) {
        return true;
    }
    if value.is_array("generations") {
        return value.objects("generations").any(|item| item.text("text").is_some());
    }
    let message = value.object("message");
    value.has("finish_reason") && ["content", "tool_calls", "tool_plan"].iter().any(|name| message.has(name))
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    if EVENTS.contains(&value.str("type")) {
        read_event(value, draft);
    } else if cohere_v1::EVENTS.contains(&value.str("event_type")) {
        cohere_v1::read_event(value, draft);
    } else if value.is_object("message") {
        draft.kind = "cohere.v2";
        let message = value.object("message");
        read_content(message.get("content"), draft, 0);
        read_tool_calls(message.array("tool_calls"), draft, 0);
        for citation in message.objects("citations") {
            cite(citation, &Documents::new(), draft);
        }
        end(value, draft);
    } else if value.is_array("generations") {
        cohere_v1::read_generations(value, draft);
    } else {
        cohere_v1::read(value, draft);
    }
}

/// Notes why a choice ended.
pub fn finish(value: &Object<'_>, draft: &mut Draft<'_>, choice: Number) {
    let reason = value.str("finish_reason");
    draft.finish_text(reason, choice);
    draft.refusal |= reason == "ERROR_TOXIC";
}

fn end(value: &Object<'_>, draft: &mut Draft<'_>) {
    finish(value, draft, 0);
    count(value.object("usage"), draft);
    let error = value.str("error");
    if !error.is_empty() {
        draft.note_broken(error);
    }
}

/// Tokens as they were, else as they are billed.
pub fn count(usage: &Object<'_>, draft: &mut Draft<'_>) {
    let tokens = usage.object("tokens");
    draft.count_tokens(if tokens.is_empty() { usage.object("billed_units") } else { tokens }, &[]);
}

fn read_event(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "cohere.v2";
    let (kind, delta) = (value.str("type"), value.object("delta"));
    let message = delta.object("message");
    let index = Number::from(value.count("index").unwrap_or(0));
    let content = message.object("content");
    match kind {
        "content-start" if content.has("type") && content.text("type") != Some("text") => draft.skip_block(0, index),
        "content-start" | "content-delta" => {
            if let Some(text) = content.text("text") {
                draft.add_text(text, 0, index);
            }
        }
        "tool-call-start" | "tool-call-delta" => {
            let call = message.object("tool_calls");
            let function = call.object("function");
            draft.add_call_text(&[index], call.str("id"), function.str("name"), function.str("arguments"));
        }
        "citation-start" => cite(message.object("citations"), &Documents::new(), draft),
        "message-end" => {
            end(delta, draft);
            draft.ended = true;
        }
        _ => {}
    }
}

/// The documents of an answer by their identifier.
pub type Documents<'a, 'b> = HashMap<&'a str, &'a Object<'b>>;

/// Adds a citation of v1 (`document_ids`, with the answer's documents beside it) or v2 (`sources`): one for each source
/// that it names.
pub fn cite(item: &Object<'_>, documents: &Documents<'_, '_>, draft: &mut Draft<'_>) {
    let (text, none) = (item.str("text"), Object::default());
    let mut found = Vec::new();
    for id in item.array("document_ids").iter().map(|id| id.text().unwrap_or_default()) {
        found.push(citation(id, documents.get(id).copied().unwrap_or(&none), text));
    }
    for source in item.objects("sources") {
        let held = source.object("document");
        let document = if held.is_empty() { source.object("tool_output") } else { held };
        let id = source.str("id");
        found.push(citation(if id.is_empty() { document.str("id") } else { id }, document, text));
    }
    if found.is_empty() && !text.is_empty() {
        found.push(Citation { text: text.to_owned(), ..Citation::default() });
    }
    for citation in found {
        draft.cite(citation);
    }
}

/// A document that was cited: one that has a number by position alone is known by its address, else by what it says.
fn citation(name: &str, document: &Object<'_>, text: &str) -> Citation {
    let source = document.first(&["url", "source", "title"]);
    let passage = document.first(&["snippet", "text", "content", "data"]);
    if is_positional(name) && !(source.is_empty() && passage.is_empty()) {
        let said = if source.is_empty() { passage } else { text };
        return Citation { source_url: source.to_owned(), text: said.to_owned(), ..Citation::default() };
    }
    Citation {
        snippet_id: name.to_owned(),
        source_url: source.to_owned(),
        text: text.to_owned(),
        ..Citation::default()
    }
}
