//! A whole body: its compression, how it is framed, and the values in it.

use std::borrow::Cow;

use shadowlane_redact::Framing;
use shadowlane_redact::inflate::{State, inflate};

use super::answer::Answer;
use super::draft::Draft;
use super::eventstream;
use super::fold::{Stream, read_value};
use super::json::Value;
use super::parse::{Failure, first, first_or_cut, parse};
use super::shapes::bedrock;
use super::sse;
use super::usage::UsageNames;
use super::words::{is_space, strip};

const CUT: &str = "the stream ended before its end mark: the text is what came";

/// Reads answers.
#[derive(Debug)]
pub struct Reader {
    names: UsageNames,
    most: usize,
}

impl Reader {
    /// `names`: under which names tokens are counted. `most`: the most bytes that a compressed body is inflated to.
    pub fn new(names: UsageNames, most: usize) -> Self {
        Self { names, most }
    }

    /// What a body says; `None` when it is left to another reader. `declared`: a media type says that these are
    /// server-sent events.
    pub fn read(&self, body: &[u8], declared: bool) -> Option<Answer> {
        let Some(found) = inflate(body, self.most) else { return self.read_plain(body, declared) };
        if found.state == State::Whole { self.read_plain(&found.data, declared) } else { None }
    }

    fn read_plain(&self, body: &[u8], declared: bool) -> Option<Answer> {
        let mut draft = Draft::new(&self.names);
        match Framing::of(body, declared) {
            Framing::Events => read_events(std::str::from_utf8(body).ok()?, &mut draft)?,
            Framing::Values => read_document(std::str::from_utf8(body).ok()?, &mut draft)?,
            Framing::Frames => read_frames(body, &mut draft)?,
            Framing::Lines | Framing::Text => return None,
        }
        draft.answer()
    }
}

fn read_events(body: &str, draft: &mut Draft<'_>) -> Option<()> {
    let mut stream = Stream::default();
    let mut cut = false;
    for event in sse::events(body.strip_prefix('\u{feff}').unwrap_or(body)) {
        let begins = event.data.trim_start_matches(is_space).starts_with(['{', '[', '"']);
        let value = if begins && strip(&event.data) != "[DONE]" {
            match first_or_cut(&event.data) {
                Ok((value, "")) => value,
                Err(Failure::Cut) if !event.complete => {
                    cut = true;
                    break;
                }
                _ => return None,
            }
        } else {
            Value::Text(Cow::Borrowed(&event.data))
        };
        // A model's own event in base 64, as Bedrock sends it.
        if value.object().text("bytes").is_some() {
            return None;
        }
        stream.read(event.name, &value, draft);
        if draft.given_up() {
            return None;
        }
    }
    if draft.events == 0 {
        return None;
    }
    stream.close(draft);
    // Streams of unknown services have no end mark that one could miss; what is seen there is a broken last event.
    if cut || (!draft.ended && draft.kind != "stream") {
        draft.note_cut(CUT);
    }
    Some(())
}

/// One JSON value, or several, one after the other.
fn read_document(body: &str, draft: &mut Draft<'_>) -> Option<()> {
    let (value, rest) = first(body)?;
    if rest.is_empty() {
        read_value(&value, draft);
        return Some(());
    }
    let mut stream = Stream::default();
    let mut cut = false;
    let mut next = Some((value, rest));
    while let Some((value, rest)) = next {
        if !matches!(value, Value::Object(_) | Value::Array(_) | Value::Text(_)) {
            return None; // a text that only looks like values
        }
        stream.read(value.object().str("event"), &value, draft);
        if draft.given_up() {
            return None;
        }
        next = match first_or_cut(rest) {
            _ if rest.is_empty() => None,
            Ok(found) => Some(found),
            Err(Failure::Cut) if rest.starts_with(['{', '[', '"']) && !strip(rest).contains('\n') => {
                cut = true;
                None
            }
            Err(_) => return None,
        };
    }
    stream.close(draft);
    if draft.kind == "stream" && !draft.says_something() {
        return None; // lines that are data
    }
    if cut || (!draft.ended && draft.kind != "stream") {
        draft.note_cut(CUT);
    }
    Some(())
}

fn read_frames(body: &[u8], draft: &mut Draft<'_>) -> Option<()> {
    let mut stream = Stream::default();
    let mut rest = body;
    while !rest.is_empty() {
        let (message, left) = eventstream::next(rest)?;
        rest = left;
        let mut value = parse(message.payload)?;
        let inner = value.object().text("bytes").map(eventstream::decode_base64);
        let inner = if let Some(decoded) = inner { String::from_utf8(decoded?).ok()? } else { String::new() };
        if !inner.is_empty() {
            value = parse(&inner)?;
        }
        stream.read(message.name, &bedrock::named_event(message.name, value), draft);
        if draft.given_up() {
            return None;
        }
    }
    stream.close(draft);
    if !draft.ended {
        draft.note_cut(CUT);
    }
    Some(())
}
