//! Bodies: content codings undone, then by what their bytes show; the media type says what is a form or no text. What is not known to be text is not passed on.

use std::borrow::Cow;
use std::io::Read;

use super::findings::Findings;
use super::framing::{self, Framing};
use super::options::Compiled;
use super::text::Origin;
use super::{eventstream, form, multipart, stream, tokens};

/// Bound of a decoded body: the ring's bodies are at most some MiB, and a compressed one may be a bomb.
const DECODED_MOST: u64 = 32 * 1024 * 1024;

/// A sanitized body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// It may pass.
    Clean {
        /// The bytes.
        body: Vec<u8>,
        /// Whether a content encoding was removed.
        decoded: bool,
    },
    /// It could not be read, so nothing of it passes; why, in a word.
    Unreadable(&'static str),
}

pub(super) fn clean(
    redaction: &Compiled,
    content_type: Option<&[u8]>,
    content_encoding: Option<&[u8]>,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> Body {
    let mut decoded = None;
    for encoding in content_encoding.unwrap_or_default().split(|byte| *byte == b',').rev() {
        let encoding = encoding.trim_ascii().to_ascii_lowercase();
        if encoding.is_empty() || encoding == b"identity" {
            continue;
        }
        match decode(&encoding, decoded.as_deref().unwrap_or(body), cut) {
            Some(plain) => decoded = Some(plain),
            None => return Body::Unreadable("encoding"),
        }
    }
    let was_decoded = decoded.is_some();
    let body = decoded.as_deref().unwrap_or(body);
    match by_type(redaction, content_type.unwrap_or_default(), body, cut, findings) {
        Ok(body) => Body::Clean { body, decoded: was_decoded },
        Err(why) => Body::Unreadable(why),
    }
}

/// Content codings of RFC 9110 §8.4.1, Brotli (RFC 7932) and Zstandard (RFC 8878). What is not known, broken or too
/// large gives `None`.
fn decode(encoding: &[u8], body: &[u8], cut: bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = match encoding {
        b"gzip" | b"x-gzip" => flate2::read::MultiGzDecoder::new(body).take(DECODED_MOST + 1).read_to_end(&mut out),
        // RFC 9110 §8.4.1.2 means zlib; some servers send the bare stream.
        b"deflate" => {
            let read = flate2::read::ZlibDecoder::new(body).take(DECODED_MOST + 1).read_to_end(&mut out);
            if read.is_err() && out.is_empty() {
                flate2::read::DeflateDecoder::new(body).take(DECODED_MOST + 1).read_to_end(&mut out)
            } else {
                read
            }
        }
        b"br" => brotli_decompressor::Decompressor::new(body, 4096).take(DECODED_MOST + 1).read_to_end(&mut out),
        b"zstd" => zstandard(body, &mut out),
        _ => return None,
    };
    let whole = read.is_ok() || (cut && !out.is_empty());
    (whole && out.len() as u64 <= DECODED_MOST).then_some(out)
}

/// All frames of a body, one after the other (RFC 8878 §3), with a window of at most 8 MiB (RFC 9659 §3).
fn zstandard(body: &[u8], out: &mut Vec<u8>) -> std::io::Result<usize> {
    let mut rest = body;
    while !rest.is_empty() {
        let frame = ruzstd::decoding::StreamingDecoder::new(&mut rest).map_err(std::io::Error::other)?;
        if out.len() as u64 > DECODED_MOST {
            break;
        }
        frame.take(DECODED_MOST + 1).read_to_end(out)?;
    }
    Ok(out.len())
}

/// What a media type says of how its text is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Events,
    Lines,
    Pairs,
    Multipart,
    Frames,
    Unknown,
    Text,
    Binary,
}

pub(super) fn form_of(content_type: &[u8]) -> Form {
    let full = String::from_utf8_lossy(content_type).to_ascii_lowercase();
    let essence = full.split(';').next().unwrap_or_default().trim();
    match essence {
        _ if essence.ends_with("/json") || essence.ends_with("+json") => Form::Json,
        "text/event-stream" => Form::Events,
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/json-lines"
        | "application/stream+json" => Form::Lines,
        "application/x-www-form-urlencoded" => Form::Pairs,
        "multipart/form-data" => Form::Multipart,
        "application/vnd.amazon.eventstream" => Form::Frames,
        "" | "application/octet-stream" => Form::Unknown,
        "application/javascript"
        | "application/ecmascript"
        | "application/yaml"
        | "application/x-yaml"
        | "application/toml"
        | "application/graphql"
        | "application/sql"
        | "application/jwt" => Form::Text,
        _ if essence.starts_with("text/") || essence.ends_with("/xml") || essence.ends_with("+xml") => Form::Text,
        _ => Form::Binary,
    }
}

pub(super) fn by_type(
    redaction: &Compiled,
    content_type: &[u8],
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> Result<Vec<u8>, &'static str> {
    let form = form_of(content_type);
    match form {
        Form::Binary => return Err("binary"),
        Form::Multipart => return multipart::clean(redaction, content_type, body, findings, by_type),
        Form::Frames => return eventstream::clean(redaction, body, findings),
        _ => {}
    }
    match Framing::of(body, form == Form::Events) {
        Framing::Frames => eventstream::clean(redaction, body, findings),
        // One line that begins like an event or with a code is a pair in a form, whose own ends of lines are encoded.
        Framing::Events | Framing::Lines if form == Form::Pairs && framing::lines(body.trim_ascii()).count() < 2 => {
            form::pairs(redaction, body, findings)
        }
        Framing::Text if form == Form::Pairs => form::pairs(redaction, body, findings),
        framing => framed(redaction, form, framing, body, cut, findings),
    }
}

/// A body by the framing that its bytes show; one that is broken by its text.
fn framed(
    redaction: &Compiled,
    form: Form,
    framing: Framing,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> Result<Vec<u8>, &'static str> {
    let why = if form == Form::Json { "bad_json" } else { "binary" };
    if framing != Framing::Values && body.contains(&0) {
        return Err(why);
    }
    let before = findings.total();
    let mut body = Cow::Borrowed(body);
    if !stream::clean(redaction, framing, &mut body, (form == Form::Events, cut), findings)? {
        // Broken answers come declared as JSON too.
        body = text(redaction, &body, cut, findings).map_err(|_| why)?.into();
    }
    let emptied = if findings.total() > before { tokens::emptied(&body, findings) } else { None };
    Ok(emptied.unwrap_or_else(|| body.into_owned()))
}

/// A text, in UTF-8 or in another encoding that keeps ASCII. Bytes beyond ASCII are kept; the forms that are looked for
/// are ASCII, or UTF-8 that reads as ASCII.
fn text(redaction: &Compiled, body: &[u8], cut: bool, findings: &mut Findings) -> Result<Vec<u8>, &'static str> {
    let origin = Origin { name: b"", alone: true };
    // The marks of UTF-16, which may hold no byte that is 0.
    let wide = body.starts_with(b"\xff\xfe") || body.starts_with(b"\xfe\xff");
    let readable = !wide
        && !body.contains(&0)
        && match std::str::from_utf8(body) {
            Ok(_) => true,
            // A cut may fall inside a character.
            Err(error) if cut && error.error_len().is_none() => true,
            // Latin-1 and the like. What has more is binary, or a text that is not read here.
            Err(_) => {
                body.iter().filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()).count() * 10
                    >= body.len() * 8
            }
        };
    if !readable {
        return Err("binary");
    }
    let mut out = Vec::new();
    redaction.text(body, origin, findings, &mut out);
    Ok(out)
}
