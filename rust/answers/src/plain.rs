//! JSON of some API, and events of an unknown stream.
//!
//! Invariant: the same as `shadowlane.providers.reading.plain`: which part of a JSON body is the text depends on names and
//! types only.

use super::canonical::canonical;
use super::draft::Draft;
use super::json::{Object, Value};
use super::lists::{LIST_NAMES, WITHOUT_AN_ANSWER, cite_lists};
use super::words::is_blank;

const TEXT_FIELDS: [&str; 14] = [
    "answer",
    "output_text",
    "generated_text",
    "completion",
    "response",
    "reply",
    "text",
    "output",
    "result",
    "content",
    "message",
    "summary",
    "translation",
    "transcript",
];
const HOLDERS: [&str; 7] = ["answer", "message", "output", "result", "response", "data", "metadata"];
const DEPTH: usize = 3;

/// The text of some API's JSON: its first common field that holds text, else all of it, in canonical form.
pub fn read_json(value: &Value<'_>, draft: &mut Draft<'_>) {
    draft.kind = "json";
    let found = if let Value::Object(object) = value { field_text(object, DEPTH) } else { None };
    match found.or_else(|| canonical(value)) {
        Some(text) => draft.add_text(&text, 0, 0),
        None => draft.give_up(),
    }
    draft.ended = true;
}

fn field_text(object: &Object<'_>, depth: usize) -> Option<String> {
    TEXT_FIELDS.iter().find_map(|name| match object.get(name)? {
        Value::Text(text) if !is_blank(text) => Some(text.as_ref().to_owned()),
        Value::Object(inner) if depth > 0 => field_text(inner, depth - 1),
        Value::Array(parts) if !parts.is_empty() => parts.iter().map(|part| part.object().text("text")).collect(),
        _ => None,
    })
}

/// The piece of text in one event of an unknown stream.
pub fn delta_text<'a>(value: &'a Value<'_>) -> Option<&'a str> {
    value.text().or_else(|| delta(value.object(), DEPTH))
}

fn delta<'a>(object: &'a Object<'_>, depth: usize) -> Option<&'a str> {
    let names = ["delta", "token", "chunk", "piece"].into_iter().chain(TEXT_FIELDS).chain(["data"]);
    names.into_iter().find_map(|name| match object.get(name)? {
        Value::Text(text) => Some(text.as_ref()),
        Value::Object(inner) if depth > 0 => delta(inner, depth - 1),
        _ => None,
    })
}

/// Pieces one after the other; or the last, when each repeats the one before and adds to it.
pub fn joined(pieces: &[String]) -> String {
    let texts: Vec<&str> = pieces.iter().map(String::as_str).filter(|piece| !piece.is_empty()).collect();
    let follows = |pair: &[&str]| match pair {
        // Two that end in one masked value are equal, where they were parts of it before.
        [earlier, later] => later.starts_with(earlier) && (later != earlier || later.ends_with(']')),
        _ => false,
    };
    match texts.as_slice() {
        [first, _, .., last] if last.len() > first.len() && texts.windows(2).all(follows) => (*last).to_owned(),
        _ => texts.concat(),
    }
}

/// What any body may say beside its text: citations, the index it was answered from, model and revision, usage.
pub fn read_surroundings(object: &Object<'_>, draft: &mut Draft<'_>, is_json: bool) {
    if is_json {
        cite(object, draft);
    }
    for layer in [object, object.object("metadata"), object.object("meta"), object.object("retrieval")] {
        keep(&mut draft.index_hash, layer.first(&["index_hash", "indexHash"]));
        keep(&mut draft.model_rev, layer.first(&["model_rev", "model_revision", "model_version"]));
        if is_json {
            keep(&mut draft.model, layer.first(&["model", "model_id"]));
            draft.count_tokens(layer.object("usage"), &[]);
        }
    }
    if is_json {
        draft.finish_text(object.first(&["finish_reason", "stop_reason"]), 0);
        draft.refusal |= match object.get("refusal").or_else(|| object.get("refused")) {
            Some(Value::Bool(is)) => *is,
            Some(Value::Text(text)) => !text.is_empty(),
            _ => false,
        };
    }
}

fn keep(held: &mut String, found: &str) {
    if held.is_empty() {
        found.clone_into(held);
    }
}

/// What a body cites: at its top, or in the object that holds its answer (LangServe's `output`).
fn cite(object: &Object<'_>, draft: &mut Draft<'_>) {
    for layer in std::iter::once(object).chain(HOLDERS.map(|name| object.object(name))) {
        // A list of results is what an answer rests on only where there is an answer.
        let answers = !layer.first(&TEXT_FIELDS).is_empty();
        let names = if answers { LIST_NAMES.as_slice() } else { WITHOUT_AN_ANSWER };
        let lists: Vec<&[Value<'_>]> =
            names.iter().filter(|name| layer.is_array(name)).map(|name| layer.array(name)).collect();
        if !lists.is_empty() {
            return cite_lists(&lists, draft);
        }
    }
}
