//! How a body is framed, told by its bytes: as server-sent events (WHATWG HTML §9.2), JSON values, lines of JSON, Amazon's
//! event stream, or text.
//!
//! Invariant: the redaction and the reader of answers ask here, so that they take a body apart at the same bytes. A
//! declared media type is a hint for one question only: whether lines of no known field may stand between events.

use super::eventstream;
use super::label;

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Amazon's event stream.
    Frames,
    /// Server-sent events.
    Events,
    /// It begins like JSON: one value or several, one after the other.
    Values,
    /// Each line is JSON, perhaps behind a short code.
    Lines,
    /// None of these.
    Text,
}

impl Framing {
    /// Its name, as Python knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Events => "events",
            Self::Values => "values",
            Self::Lines => "lines",
            Self::Text => "text",
        }
    }

    /// Tell by the bytes. `declared`: a media type says that these are server-sent events.
    pub fn of(body: &[u8], declared: bool) -> Self {
        if eventstream::begins(body) {
            return Self::Frames;
        }
        let body = unmarked(body);
        if is_events(body, declared) {
            Self::Events
        } else if begins_json(body) {
            Self::Values
        } else if is_lines(body) {
            Self::Lines
        } else {
            Self::Text
        }
    }
}

/// The byte order mark of UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// A body without its byte order mark.
pub(super) fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix(MARK).unwrap_or(body)
}

/// What may stand between JSON values: white space, and the separator of JSON text sequences (RFC 7464).
pub(super) fn is_gap(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x1e
}

/// Lines and their ends: `\n`, `\r\n`, or a lone `\r`, which the event-stream grammar allows too.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let text = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(text);
        let end = if after.starts_with(b"\r\n") { 2 } else { after.len().min(1) };
        let (end, left) = after.split_at(end);
        rest = left;
        Some((line, end))
    })
}

/// Length of what stands before an event line's value; `None` when the line is of no known field.
pub(super) fn event_field(line: &[u8]) -> Option<usize> {
    let colon = memchr::memchr(b':', line);
    let name = line.get(..colon.unwrap_or(line.len())).unwrap_or_default();
    let name = if colon.is_some() { name } else { name.trim_ascii_end() };
    // A line that begins with a colon is a comment.
    let known = matches!(name, b"data" | b"event" | b"id" | b"retry") || (name.is_empty() && colon.is_some());
    let from = colon.map_or(line.len(), |colon| colon + 1);
    known.then(|| from + usize::from(line.get(from) == Some(&b' ')))
}

/// Length of what stands before the data of an event's line; `None` when the line holds none.
pub(super) fn event_data(line: &[u8]) -> Option<usize> {
    line.starts_with(b"data:").then(|| event_field(line)).flatten()
}

fn is_events(body: &[u8], declared: bool) -> bool {
    let (mut first, mut data, mut other) = (true, false, false);
    for (line, _) in lines(body) {
        let line = if first { line.trim_ascii_start() } else { line };
        if line.trim_ascii().is_empty() {
            continue;
        }
        match event_field(line) {
            None if first => return false,
            None => other = true,
            Some(_) if first && !line.contains(&b':') => return false,
            // The other lines say nothing more.
            Some(_) if declared => return true,
            Some(from) if line.starts_with(b"data:") => {
                if begins_json(line.get(from..).unwrap_or_default()) {
                    return true;
                }
                data = true;
            }
            Some(_) => {}
        }
        first = false;
    }
    data && !other
}

/// Length of what stands before a line's JSON, as `0:` in Vercel's data stream; `None` when no JSON follows.
pub(super) fn line_code(line: &[u8]) -> Option<usize> {
    const LONGEST: usize = 16;
    if begins_json(line) {
        return Some(0);
    }
    let code = line.iter().take(LONGEST).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    (code > 0 && line.get(code) == Some(&b':') && begins_json(line.get(code + 1..)?)).then_some(code + 1)
}

/// A label begins like an array, and is text: it stands where text stood.
pub(super) fn begins_json(data: &[u8]) -> bool {
    let Some(at) = data.iter().position(|byte| !is_gap(*byte)) else {
        return false;
    };
    matches!(data.get(at), Some(b'{' | b'[' | b'"')) && label::mask_end(data, at).is_none()
}

fn is_lines(body: &[u8]) -> bool {
    let mut written = lines(body).filter(|(line, _)| !line.trim_ascii().is_empty()).peekable();
    written.peek().is_some() && written.all(|(line, _)| line_code(line).is_some())
}
