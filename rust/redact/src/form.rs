//! `application/x-www-form-urlencoded` (WHATWG URL §5) and request targets: pairs of percent-encoded names and values.

use std::borrow::Cow;

use super::edits::Edits;
use super::findings::Findings;
use super::join;
use super::kinds::Kind;
use super::label::{self, Action};
use super::options::Compiled;
use super::paths::Child;
use super::pieces::Pieces;
use super::text::Origin;

/// Names that are secrets in a form or query, where short names are common.
const SECRET_NAMES: &[&str] = &["token", "key", "sig", "signature", "code", "auth", "access_token", "state"];

/// How often a component with findings is looked at again.
const ROUNDS: usize = 3;

/// A form or the query of a target.
pub(super) fn pairs(redaction: &Compiled, body: &[u8], findings: &mut Findings) -> Result<Vec<u8>, &'static str> {
    let joined = across(redaction, body, findings)?;
    let body = joined.as_deref().unwrap_or(body);
    let mut out = Vec::with_capacity(body.len());
    let mut first = true;
    for pair in body.split(|byte| *byte == b'&') {
        if let Some(clean) = pair_of(redaction, pair, findings) {
            if !first {
                out.push(b'&');
            }
            first = false;
            out.extend(clean);
        }
    }
    Ok(out)
}

/// What the values of one name, side by side, show together; `None` when there is nothing.
fn across(redaction: &Compiled, body: &[u8], findings: &mut Findings) -> Result<Option<Vec<u8>>, &'static str> {
    let mut pieces = Pieces::new(redaction.most_pieces, false);
    let mut at = 0;
    for pair in body.split(|byte| *byte == b'&') {
        if let Some(sign) = memchr::memchr(b'=', pair) {
            pieces.field(body, (at, at + sign), at + sign + 1, at + pair.len());
        }
        at += pair.len() + 1;
    }
    let masks = join::masks(redaction, body, &pieces, join::NESTED_MOST, findings)?;
    if masks.is_empty() {
        return Ok(None);
    }
    let mut edits = Edits::default();
    for (range, with) in masks {
        edits.push(range, |out| out.extend_from_slice(&with));
    }
    Ok(Some(edits.applied(body)))
}

/// One pair; `None` when a rule drops it.
fn pair_of(redaction: &Compiled, pair: &[u8], findings: &mut Findings) -> Option<Vec<u8>> {
    let Some(sign) = memchr::memchr(b'=', pair) else {
        return Some(component(redaction, pair, true, Origin { name: b"", alone: true }, findings).0);
    };
    let (written, value) = (pair.get(..sign)?, pair.get(sign + 1..)?);
    let decoded = percent_decode(written);
    // A name that holds a label does not say what the label says.
    let name = if label::first_mask(&decoded).is_some() { "".into() } else { String::from_utf8_lossy(&decoded) };
    let (_, field) = redaction.paths.step(redaction.paths.root(), Child::Name(&name));
    let secret = redaction.paths.is_secret(&name) || (SECRET_NAMES.contains(&name.as_ref()) && value.len() >= 8);
    let rule = field.map(|field| (field.kind, Some(field.action))).or(secret.then_some((Kind::SECRET, None)));
    if let Some((kind, Some(Action::Drop))) = rule {
        findings.add(redaction.name(kind));
        return None;
    }
    let (mut out, clean) = component(redaction, written, true, Origin::default(), findings);
    // A name that holds a label does not speak of its value, nor does one that will.
    let spoken: &[u8] = if clean { &decoded } else { b"" };
    out.push(b'=');
    match rule {
        Some((kind, action)) if !value.is_empty() => {
            if label::mask_end(value, 0) == Some(value.len()) {
                out.extend_from_slice(value);
            } else {
                findings.add(redaction.name(kind));
                let mut with = Vec::new();
                redaction.label(kind, action, &percent_decode(value), &mut with);
                encode(&with, &mut out);
            }
        }
        _ => out.extend(component(redaction, value, true, Origin { name: spoken, alone: true }, findings).0),
    }
    Some(out)
}

/// One percent-encoded component: what is found in what it stands for is masked, the rest keeps its bytes. `plus`:
/// spaces are written as plus signs. And whether nothing was found.
fn component(
    redaction: &Compiled,
    written: &[u8],
    plus: bool,
    origin: Origin<'_>,
    findings: &mut Findings,
) -> (Vec<u8>, bool) {
    // Bytes that are not allowed in a target are encoded, so that it stays one.
    let written = written.iter().fold(Vec::with_capacity(written.len()), |mut out, byte| {
        if byte.is_ascii_graphic() {
            out.push(*byte);
        } else {
            push_encoded(*byte, &mut out);
        }
        out
    });
    let mut written = written;
    let mut clean = true;
    // A label is encoded too, beside which something else may show.
    for _ in 0..ROUNDS {
        let text: Cow<'_, [u8]> = if plus && written.contains(&b'+') {
            written.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()
        } else {
            written.as_slice().into()
        };
        let (found, edits) = redaction.find(&text, origin);
        if found.is_empty() {
            break;
        }
        clean = false;
        redaction.count(found.iter().map(|finding| finding.kind), findings);
        let mut encoded = Edits::default();
        for (range, with) in edits.iter() {
            encoded.push(range, |out| encode(with, out));
        }
        written = encoded.applied(&written);
    }
    (written, clean)
}

pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(*byte);
        } else {
            push_encoded(*byte, out);
        }
    }
}

fn push_encoded(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("%{byte:02X}").as_bytes());
}

pub(super) fn percent_decode(text: &[u8]) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if *byte == b'%'
            && let (Some(high), Some(low)) = (hex(text.get(at + 1)), hex(text.get(at + 2)))
        {
            out.push((high * 16 + low) as u8);
            at += 3;
        } else {
            out.push(if *byte == b'+' { b' ' } else { *byte });
            at += 1;
        }
    }
    out
}

/// Path and query.
pub(super) fn target(redaction: &Compiled, target: &[u8], findings: &mut Findings) -> String {
    let (path, query) = match memchr::memchr(b'?', target) {
        Some(sign) => (target.get(..sign).unwrap_or_default(), target.get(sign + 1..)),
        None => (target, None),
    };
    let mut before = Vec::new();
    let mut out = Vec::with_capacity(target.len());
    for (index, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if index > 0 {
            out.push(b'/');
        }
        // `/users/jane@example.org`: the segment before names the value.
        let (clean, _) = component(redaction, segment, false, Origin { name: &before, alone: false }, findings);
        out.extend_from_slice(&clean);
        before = clean;
    }
    if let Some(query) = query {
        out.push(b'?');
        // What has too many values goes whole.
        out.extend(pairs(redaction, query, findings).unwrap_or_else(|_| {
            findings.add(redaction.name(Kind::SECRET));
            let (mut label, mut out) = (Vec::new(), Vec::new());
            redaction.label(Kind::SECRET, None, query, &mut label);
            encode(&label, &mut out);
            out
        }));
    }
    String::from_utf8_lossy(&out).into_owned()
}
