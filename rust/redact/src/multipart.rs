//! `multipart/form-data` (RFC 7578): text parts pass, redacted, files are left out.

use super::findings::Findings;
use super::kinds::Kind;
use super::label;
use super::options::Compiled;
use super::text::Origin;

/// Cleans one part by its media type, or says why it may not pass: `(redaction, media type, body, cut, findings)`.
pub(super) type CleanPart = fn(&Compiled, &[u8], &[u8], bool, &mut Findings) -> Result<Vec<u8>, &'static str>;

/// The parts that may pass, or why none may.
pub(super) fn clean(
    redaction: &Compiled,
    content_type: &[u8],
    body: &[u8],
    findings: &mut Findings,
    clean_part: CleanPart,
) -> Result<Vec<u8>, &'static str> {
    const BROKEN: &str = "multipart";
    let content_type = std::str::from_utf8(content_type).map_err(|_| BROKEN)?;
    let boundary =
        parameter(content_type, "boundary").filter(|value| !value.is_empty() && value.len() <= 70).ok_or(BROKEN)?;
    let fence = format!("--{boundary}");
    let next = format!("\r\n{fence}");
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body.get(memchr::memmem::find(body, fence.as_bytes()).ok_or(BROKEN)?..).ok_or(BROKEN)?;
    loop {
        rest = rest.get(fence.len()..).ok_or(BROKEN)?;
        if rest.starts_with(b"--") {
            out.extend_from_slice(fence.as_bytes());
            out.extend_from_slice(b"--\r\n");
            return Ok(out);
        }
        let end = memchr::memmem::find(rest, next.as_bytes()).ok_or(BROKEN)?;
        let part = rest.get(2..end).ok_or(BROKEN)?;
        let head_end = memchr::memmem::find(part, b"\r\n\r\n").ok_or(BROKEN)?;
        let head = std::str::from_utf8(part.get(..head_end).ok_or(BROKEN)?).map_err(|_| BROKEN)?;
        let value = part.get(head_end + 4..).ok_or(BROKEN)?;
        if let Some((name, kind)) = text_part(head) {
            let clean = if redaction.paths.is_secret(&name) && !value.is_empty() && !label::is_mask(value) {
                let mut with = Vec::new();
                redaction.label(Kind::SECRET, None, value, &mut with);
                findings.add(redaction.name(Kind::SECRET));
                with
            } else {
                clean_part(redaction, kind.as_bytes(), value, false, findings)?
            };
            out.extend_from_slice(fence.as_bytes());
            out.extend_from_slice(b"\r\n");
            redaction.text(head.as_bytes(), Origin::default(), findings, &mut out);
            out.extend_from_slice(b"\r\n\r\n");
            out.extend_from_slice(&clean);
            out.extend_from_slice(b"\r\n");
        }
        rest = rest.get(end + 2..).ok_or(BROKEN)?;
    }
}

/// Name and media type of a part that holds text, and no file.
fn text_part(head: &str) -> Option<(String, String)> {
    let (mut name, mut kind) = (String::new(), "text/plain".to_owned());
    for line in head.split("\r\n") {
        let (field, value) = line.split_once(':')?;
        match field.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => {
                if value.to_ascii_lowercase().contains("filename") {
                    return None;
                }
                parameter(value, "name").unwrap_or_default().clone_into(&mut name);
            }
            "content-type" => value.trim().clone_into(&mut kind),
            // RFC 7578 §4.7 deprecates it: what is encoded so is not read.
            "content-transfer-encoding" if !matches!(value.trim(), "7bit" | "8bit" | "binary") => return None,
            _ => {}
        }
    }
    // A part of a part is a file in all but name.
    (!kind.starts_with("multipart/")).then_some((name, kind))
}

/// A parameter of a header's value (RFC 9110 §5.6.6).
fn parameter<'a>(value: &'a str, wanted: &str) -> Option<&'a str> {
    value
        .split(';')
        .filter_map(|parameter| parameter.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.trim().trim_matches('"'))
}
