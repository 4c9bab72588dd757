//! Which shape a JSON object has, and folding objects into a draft: one object, or the events of a stream.
//!
//! Invariant: the same as `shadowlane.providers.events`: within a stream a shape, once seen, is kept for as long as it
//! fits. Whatever that module calls an error, or reads without a shape, is left to it.

use super::draft::Draft;
use super::json::{Object, Value, truthy};
use super::plain::{delta_text, joined, read_json, read_surroundings};
use super::shapes::{SHAPES, Shape};
use super::words::strip;

const ENDS: [&str; 9] = ["done", "end", "complete", "completed", "finish", "finished", "close", "message_end", "stop"];
const ERROR_FIELDS: [&str; 17] = [
    "message",
    "Message",
    "code",
    "status",
    "statusCode",
    "status_code",
    "type",
    "object",
    "param",
    "error_code",
    "request_id",
    "requestId",
    "raw_status_code",
    "id",
    "timestamp",
    "path",
    "__type",
];
const PROBLEM_FIELDS: [&str; 5] = ["type", "title", "status", "detail", "instance"];

/// Reads one whole JSON body.
pub fn read_value(value: &Value<'_>, draft: &mut Draft<'_>) {
    match value {
        Value::Object(object) => read_object(value, object, draft),
        Value::Array(items) => read_list(value, items, draft),
        _ => draft.give_up(),
    }
}

fn read_object(value: &Value<'_>, object: &Object<'_>, draft: &mut Draft<'_>) {
    if may_be_error(object) {
        return draft.give_up();
    }
    match shape_of(object) {
        Some(shape) => shape.read_into(object, draft),
        None if object.is_empty() => draft.give_up(),
        None => {
            read_json(value, draft);
            read_surroundings(object, draft, true);
        }
    }
}

/// An array: of chunks, each of a known shape, as Gemini streams without SSE; or of anything.
fn read_list(value: &Value<'_>, items: &[Value<'_>], draft: &mut Draft<'_>) {
    let vectors = items.iter().all(|item| matches!(item, Value::Array(_))); // none among them, too
    if vectors || (items.len() == 1 && items.iter().any(|item| may_be_error(item.object()))) {
        return draft.give_up();
    }
    let shapes: Option<Vec<&Shape>> = items.iter().map(|item| shape_of(item.object())).collect();
    let Some(shapes) = shapes else { return read_json(value, draft) };
    for (item, shape) in items.iter().zip(shapes) {
        shape.read_alone(item.object(), draft);
        draft.events += 1;
    }
    if draft.kind == "gemini" && !draft.ended {
        draft.note_cut("the answer ended before its finish reason: the text is what came");
    }
}

fn shape_of(object: &Object<'_>) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.matches(object))
}

/// The events of a stream, one by one.
#[derive(Default)]
pub struct Stream {
    shape: Option<&'static Shape>,
    /// What was said before a shape was known.
    unknown: Vec<String>,
}

impl Stream {
    /// Reads an event with its name (may be empty) and its value.
    pub fn read(&mut self, name: &str, value: &Value<'_>, draft: &mut Draft<'_>) {
        draft.events += 1;
        if value.text().is_some_and(|text| strip(text) == "[DONE]") {
            draft.ended = true;
            return;
        }
        let object = value.object();
        let fits = self.shape.filter(|shape| shape.matches(object));
        let found = fits.or_else(|| if object.is_empty() { None } else { shape_of(object) });
        match found {
            _ if may_be_error(object) => draft.give_up(),
            Some(shape) => {
                self.shape = Some(shape);
                shape.read_into(object, draft);
            }
            None => self.read_loose(name, value, object, draft),
        }
    }

    /// An event of no known shape: an end mark, a sign of life, or a piece of text.
    fn read_loose(&mut self, name: &str, value: &Value<'_>, object: &Object<'_>, draft: &mut Draft<'_>) {
        if name == "error" {
            return draft.give_up();
        }
        let marks = [name, object.str("event"), object.str("type")];
        let ends = marks.iter().any(|mark| ENDS.contains(&mark.to_lowercase().as_str()))
            || ["done", "finished", "is_finished"].iter().any(|field| object.is_true(field));
        draft.ended |= ends;
        // An end mark may carry the last piece, but plain text under it ("{}", "ok") is no piece.
        if (ends && object.is_empty()) || self.shape.is_some() || name == "ping" {
            return;
        }
        self.unknown.extend(delta_text(value).map(str::to_owned));
        if !object.is_empty() {
            read_surroundings(object, draft, true);
        }
        if let Value::Array(entries) = value {
            self.unknown.extend(entries.iter().filter_map(delta_text).map(str::to_owned));
        }
    }

    /// Adds what was said outside of any shape.
    pub fn close(self, draft: &mut Draft<'_>) {
        if !self.unknown.is_empty() {
            draft.add_text(&joined(&self.unknown), 0, 0);
        }
        if draft.kind.is_empty() {
            draft.kind = "stream";
        }
    }
}

/// Whether an object may be an error body, or hold one.
fn may_be_error(object: &Object<'_>) -> bool {
    let held = match object.get("error") {
        Some(Value::Bool(is)) => *is,
        Some(Value::Text(_) | Value::Array(_) | Value::Object(_)) => truthy(object.get("error")),
        _ => false,
    };
    let within = |fields: &[&str]| object.0.iter().all(|(name, _)| fields.contains(&name.as_ref()));
    held || object.str("type") == "error"
        || object.str("object") == "error"
        || (truthy(object.get("errors")) && !truthy(object.get("data")))
        || (object.has("detail") && within(&PROBLEM_FIELDS))
        || (object.has("title") && within(&PROBLEM_FIELDS))
        || (!object.first(&["message", "Message"]).is_empty() && within(&ERROR_FIELDS))
}

impl Shape {
    /// Reads an object, and what any body may say beside its text.
    fn read_into(&self, object: &Object<'_>, draft: &mut Draft<'_>) {
        self.read_alone(object, draft);
        read_surroundings(object, draft, false);
    }

    fn read_alone(&self, object: &Object<'_>, draft: &mut Draft<'_>) {
        match self.read {
            Some(read) => read(object, draft),
            None => draft.give_up(),
        }
    }
}
