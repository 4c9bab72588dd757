//! Bodies by media type, and request targets.

use std::io::Read;

use super::{Body, Findings, Redaction, json, stream};

/// Bound of a decoded body: the ring's bodies are at most some MiB, and a compressed one may be a bomb.
const DECODED_MOST: u64 = 32 * 1024 * 1024;

pub(super) fn clean(
    redaction: &Redaction,
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

/// Content codings of RFC 9110 §8.4.1, and Brotli (RFC 7932). What is not known, broken or too large gives `None`.
fn decode(encoding: &[u8], body: &[u8], cut: bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let read = match encoding {
        b"gzip" | b"x-gzip" => flate2::read::MultiGzDecoder::new(body).take(DECODED_MOST + 1).read_to_end(&mut out),
        b"deflate" => flate2::read::ZlibDecoder::new(body).take(DECODED_MOST + 1).read_to_end(&mut out),
        b"br" => brotli_decompressor::Decompressor::new(body, 4096).take(DECODED_MOST + 1).read_to_end(&mut out),
        _ => return None,
    };
    let whole = read.is_ok() || (cut && !out.is_empty());
    (whole && out.len() as u64 <= DECODED_MOST).then_some(out)
}

fn by_type(
    redaction: &Redaction,
    content_type: &[u8],
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> Result<Vec<u8>, &'static str> {
    let full = String::from_utf8_lossy(content_type).to_ascii_lowercase();
    let essence = full.split(';').next().unwrap_or_default().trim();
    if essence.ends_with("/json") || essence.ends_with("+json") {
        return json_or_text(redaction, body, cut, findings);
    }
    match essence {
        "text/event-stream" => stream::events(redaction, body, cut, findings),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json-lines" => {
            stream::lines(redaction, body, cut, findings)
        }
        "application/x-www-form-urlencoded" => Ok(form(redaction, body, findings)),
        "multipart/form-data" => multipart(redaction, &String::from_utf8_lossy(content_type), body, findings),
        "" | "application/octet-stream" => {
            if body.trim_ascii_start().first().is_some_and(|first| matches!(first, b'{' | b'[' | b'"')) {
                json_or_text(redaction, body, cut, findings)
            } else {
                text(redaction, body, cut, findings)
            }
        }
        _ if essence.starts_with("text/")
            || essence.ends_with("/xml")
            || essence.ends_with("+xml")
            || matches!(
                essence,
                "application/javascript"
                    | "application/yaml"
                    | "application/x-yaml"
                    | "application/graphql"
                    | "application/sql"
            ) =>
        {
            text(redaction, body, cut, findings)
        }
        _ => Err("binary"),
    }
}

fn json_or_text(
    redaction: &Redaction,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> Result<Vec<u8>, &'static str> {
    let mut counted = Findings::default();
    if let Some(clean) = json::rewrite(redaction, body, cut, &mut counted) {
        counted.iter().for_each(|(kind, count)| (0..count).for_each(|_| findings.add(kind)));
        return Ok(clean);
    }
    // Said to be JSON and is not: event streams and broken answers come so.
    text(redaction, body, cut, findings).map_err(|_| "bad_json")
}

fn text(redaction: &Redaction, body: &[u8], cut: bool, findings: &mut Findings) -> Result<Vec<u8>, &'static str> {
    match std::str::from_utf8(body) {
        Ok(text) if !text.contains('\0') => Ok(redaction.text(text, findings).into_bytes()),
        // A cut may fall inside a character.
        Err(error) if cut && error.error_len().is_none() => {
            let text = String::from_utf8_lossy(&body[..error.valid_up_to()]);
            Ok(redaction.text(&text, findings).into_bytes())
        }
        // Latin-1 and the like: ASCII parts are looked at, the rest is replaced, so nothing hides behind odd bytes.
        _ if body.iter().filter(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()).count() * 10
            >= body.len() * 8
            && !body.contains(&0) =>
        {
            Ok(redaction.text(&String::from_utf8_lossy(body), findings).into_bytes())
        }
        _ => Err("binary"),
    }
}

/// `application/x-www-form-urlencoded` (WHATWG URL §5).
fn form(redaction: &Redaction, body: &[u8], findings: &mut Findings) -> Vec<u8> {
    let parts: Vec<Vec<u8>> =
        body.split(|byte| *byte == b'&').map(|pair| pair_of(redaction, pair, true, findings)).collect();
    parts.join(&b'&')
}

fn pair_of(redaction: &Redaction, pair: &[u8], plus: bool, findings: &mut Findings) -> Vec<u8> {
    let Some(sign) = memchr::memchr(b'=', pair) else {
        return encoded(redaction, pair, plus, findings);
    };
    let name = String::from_utf8_lossy(&percent_decode(&pair[..sign], plus)).into_owned();
    let mut out = encoded(redaction, &pair[..sign], plus, findings);
    out.push(b'=');
    let value = &pair[sign + 1..];
    let secret =
        redaction.is_secret_name(&name) || matches!(name.as_str(), "token" | "key" | "sig" | "signature" | "code");
    if secret && !value.is_empty() && value != b"%5BSECRET%5D" {
        findings.add("secret");
        out.extend_from_slice(b"%5BSECRET%5D");
    } else {
        out.extend(encoded(redaction, value, plus, findings));
    }
    out
}

/// One percent-encoded component: as it was when nothing is found in what it stands for, else masked and encoded.
fn encoded(redaction: &Redaction, component: &[u8], plus: bool, findings: &mut Findings) -> Vec<u8> {
    let plain = percent_decode(component, plus);
    let plain = String::from_utf8_lossy(&plain);
    let clean = redaction.text(&plain, findings);
    if clean == plain {
        // Bytes that are not allowed in a target are encoded, so that it stays one.
        return component.iter().fold(Vec::with_capacity(component.len()), |mut out, byte| {
            if byte.is_ascii_graphic() {
                out.push(*byte);
            } else {
                push_encoded(*byte, &mut out);
            }
            out
        });
    }
    let mut out = Vec::with_capacity(clean.len());
    for byte in clean.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            push_encoded(byte, &mut out);
        }
    }
    out
}

fn push_encoded(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("%{byte:02X}").as_bytes());
}

fn percent_decode(text: &[u8], plus: bool) -> Vec<u8> {
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
            out.push(if plus && *byte == b'+' { b' ' } else { *byte });
            at += 1;
        }
    }
    out
}

pub(super) fn target(redaction: &Redaction, target: &[u8], findings: &mut Findings) -> String {
    let (path, query) = match memchr::memchr(b'?', target) {
        Some(sign) => (&target[..sign], Some(&target[sign + 1..])),
        None => (target, None),
    };
    let segments: Vec<Vec<u8>> =
        path.split(|byte| *byte == b'/').map(|segment| encoded(redaction, segment, false, findings)).collect();
    let mut out = segments.join(&b'/');
    if let Some(query) = query {
        out.push(b'?');
        let pairs: Vec<Vec<u8>> =
            query.split(|byte| *byte == b'&').map(|pair| pair_of(redaction, pair, true, findings)).collect();
        out.extend(pairs.join(&b'&'));
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `multipart/form-data` (RFC 7578): text parts are kept and redacted, files are left out.
fn multipart(
    redaction: &Redaction,
    content_type: &str,
    body: &[u8],
    findings: &mut Findings,
) -> Result<Vec<u8>, &'static str> {
    let boundary = content_type
        .split(';')
        .filter_map(|parameter| parameter.trim().split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("boundary"))
        .map(|(_, value)| value.trim_matches('"'))
        .filter(|value| !value.is_empty() && value.len() <= 70)
        .ok_or("multipart")?;
    let fence = format!("--{boundary}");
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body.get(memchr::memmem::find(body, fence.as_bytes()).ok_or("multipart")?..).ok_or("multipart")?;
    loop {
        rest = rest.get(fence.len()..).ok_or("multipart")?;
        if rest.starts_with(b"--") {
            out.extend_from_slice(fence.as_bytes());
            out.extend_from_slice(b"--\r\n");
            return Ok(out);
        }
        let end = memchr::memmem::find(rest, format!("\r\n{fence}").as_bytes()).ok_or("multipart")?;
        let part = rest.get(2..end).ok_or("multipart")?;
        let head_end = memchr::memmem::find(part, b"\r\n\r\n").ok_or("multipart")?;
        let head = std::str::from_utf8(&part[..head_end]).map_err(|_| "multipart")?;
        if !head.to_ascii_lowercase().contains("filename") {
            let value = text(redaction, &part[head_end + 4..], false, findings)?;
            out.extend_from_slice(fence.as_bytes());
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(redaction.text(head, findings).as_bytes());
            out.extend_from_slice(b"\r\n\r\n");
            out.extend_from_slice(&value);
            out.extend_from_slice(b"\r\n");
        }
        rest = &rest[end + 2..];
    }
}
