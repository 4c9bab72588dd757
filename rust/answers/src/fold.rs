//! Which shape a JSON object has, and folding objects into a draft: one object, or the events of a stream.
//!
//! Invariant: the same as `shadowlane.providers.events`: within a stream a shape, once seen, is kept for as long as it
//! fits. Whatever that module calls an error, or reads without a shape, is left to it.

use super::draft::Draft;
use super::json::{Object, Value, truthy};
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
        Value::Object(object) => read_object(object, draft),
        Value::Array(items) => read_chunks(items, draft),
        _ => draft.give_up(),
    }
}

fn read_object(object: &Object<'_>, draft: &mut Draft<'_>) {
    if may_be_error(object) {
        return draft.give_up();
    }
    match shape_of(object) {
        Some(shape) => shape.read_into(object, draft),
        None => draft.give_up(),
    }
}

/// An array of chunks, each of a known shape, as Gemini streams without SSE.
fn read_chunks(items: &[Value<'_>], draft: &mut Draft<'_>) {
    let shapes: Option<Vec<&Shape>> = items.iter().map(|item| shape_of(item.object())).collect();
    let Some(shapes) = shapes.filter(|shapes| !shapes.is_empty()) else { return draft.give_up() };
    for (item, shape) in items.iter().zip(shapes) {
        shape.read_alone(item.object(), draft);
    }
    if draft.kind == "gemini" && !draft.ended {
        draft.note_cut("the answer ended before its finish reason: the text is what came");
    }
}

fn shape_of(object: &Object<'_>) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.matches(object))
}

/// The events of a stream, one by one.
pub struct Stream {
    shape: Option<&'static Shape>,
}

impl Stream {
    pub fn new() -> Self {
        Self { shape: None }
    }

    /// Reads an event with its name (may be empty) and its value.
    pub fn read(&mut self, name: &str, value: &Value<'_>, draft: &mut Draft<'_>) {
        if value.text().is_some_and(is_done) {
            draft.ended = true;
            return;
        }
        let object = value.object();
        let fits = self.shape.filter(|shape| shape.matches(object));
        let found = fits.or_else(|| if object.is_empty() { None } else { shape_of(object) });
        match found {
            Some(_) if may_be_error(object) => draft.give_up(),
            Some(shape) => {
                self.shape = Some(shape);
                shape.read_into(object, draft);
            }
            None => self.read_loose(name, object, draft),
        }
    }

    /// Reads an event that is no JSON.
    pub fn read_text(&mut self, name: &str, text: &str, draft: &mut Draft<'_>) {
        if is_done(text) {
            draft.ended = true;
        } else {
            self.read_loose(name, &Object::default(), draft);
        }
    }

    /// An event of no known shape, behind one that has one: an end mark, or a sign of life.
    fn read_loose(&self, name: &str, object: &Object<'_>, draft: &mut Draft<'_>) {
        if self.shape.is_none() || name == "error" || may_be_error(object) {
            return draft.give_up();
        }
        let marks = [name, object.str("event"), object.str("type")];
        draft.ended |= marks.iter().any(|mark| ENDS.contains(&mark.to_lowercase().as_str()))
            || ["done", "finished", "is_finished"].iter().any(|field| object.is_true(field));
    }
}

fn is_done(text: &str) -> bool {
    strip(text) == "[DONE]"
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
        for layer in [object, object.object("metadata"), object.object("meta"), object.object("retrieval")] {
            if draft.index_hash.is_empty() {
                layer.first(&["index_hash", "indexHash"]).clone_into(&mut draft.index_hash);
            }
            if draft.model_rev.is_empty() {
                layer.first(&["model_rev", "model_revision", "model_version"]).clone_into(&mut draft.model_rev);
            }
        }
    }

    fn read_alone(&self, object: &Object<'_>, draft: &mut Draft<'_>) {
        match self.read {
            Some(read) => read(object, draft),
            None => draft.give_up(),
        }
    }
}
