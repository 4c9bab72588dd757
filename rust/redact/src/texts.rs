//! The texts of a body that a detector outside this crate looks at (names and addresses need a model), and putting its
//! findings back. Keys, numbers and short strings hold no names.

use super::body::{Form, form_of};
use super::edits::Edits;
use super::escapes::{self, Positions};
use super::findings::Findings;
use super::framing::Framing;
use super::json_ends::string_end;
use super::options::Compiled;

/// A text and where it is written; `string`: as a JSON string.
struct Held {
    start: usize,
    end: usize,
    string: bool,
}

/// Shortest text that may hold a name.
const LEAST: usize = 4;

fn held(content_type: &[u8], body: &[u8]) -> Vec<Held> {
    let form = form_of(content_type);
    if matches!(form, Form::Multipart | Form::Frames | Form::Binary) {
        return Vec::new();
    }
    match Framing::of(body, form == Form::Events) {
        Framing::Frames => Vec::new(),
        Framing::Values | Framing::Events | Framing::Lines => strings(body),
        Framing::Text if form == Form::Pairs => Vec::new(),
        Framing::Text => vec![Held { start: 0, end: body.len(), string: false }],
    }
}

/// String values; what comes before a colon is a name.
fn strings(body: &[u8]) -> Vec<Held> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(open) = body.get(at..).and_then(|rest| memchr::memchr(b'"', rest)).map(|offset| at + offset) {
        let end = string_end(body, open + 1);
        if end >= body.len() {
            break;
        }
        let after = body.get(end + 1..).unwrap_or_default();
        let is_name = after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
        if !is_name && end - open > LEAST {
            all.push(Held { start: open + 1, end, string: true });
        }
        at = end + 1;
    }
    all
}

fn value(held: &Held, body: &[u8]) -> String {
    let written = body.get(held.start..held.end).unwrap_or_default();
    let value = if held.string { escapes::unescape(written, true).unwrap_or_default() } else { written.into() };
    String::from_utf8_lossy(&value).into_owned()
}

pub(super) fn of(content_type: &[u8], body: &[u8]) -> Vec<String> {
    held(content_type, body).iter().map(|held| value(held, body)).collect()
}

pub(super) fn replace(
    redaction: &Compiled,
    content_type: &[u8],
    body: &[u8],
    found: &[Vec<(usize, usize, String)>],
    findings: &mut Findings,
) -> Vec<u8> {
    let mut edits = Edits::default();
    for (held, found) in held(content_type, body).iter().zip(found) {
        let written = body.get(held.start..held.end).unwrap_or_default();
        let text = value(held, body);
        let mut positions = Positions::new(written);
        let mut free = 0;
        for (start, end, kind) in found {
            let Some(secret) = text.get(*start..*end).filter(|_| *start >= free && end > start) else {
                continue;
            };
            free = *end;
            let range = if held.string { positions.of(*start)..positions.of(*end) } else { *start..*end };
            let name: String = kind
                .chars()
                .map(|sign| if sign.is_ascii_alphanumeric() { sign.to_ascii_lowercase() } else { '_' })
                .take(40)
                .collect();
            edits.push(held.start + range.start..held.start + range.end, |out| {
                redaction.named_label(&name, secret.as_bytes(), out);
            });
            findings.add(&name);
        }
    }
    edits.applied(body)
}
