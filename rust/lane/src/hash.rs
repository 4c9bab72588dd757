//! The request hash: equal requests get equal hashes, in every process and release.
//!
//! XXH3-128 over a canonical form: a version tag, then length-prefixed components: upper-case method, path normalised
//! as in RFC 3986 §6.2.2, sorted query, content type without parameters, `accept`, `accept-language`, body. A JSON body
//! is hashed in its RFC 8785 form; any other body, and JSON that has no canonical form, as it is.

use xxhash_rust::xxh3::Xxh3;

use crate::jcs::canonicalize_without;
use shadowlane_base::header;

const TAG: &[u8] = b"shadowlane-request-1";
const CHOSEN: [&[u8]; 2] = [b"accept", b"accept-language"];

/// The hash of a request. `target` is path and query; `ignore` names JSON fields to leave out (see
/// [`canonicalize_without`]).
pub fn request_hash(method: &[u8], target: &[u8], headers: &[(&[u8], &[u8])], body: &[u8], ignore: &[&str]) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(TAG);
    let mut put = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    put(&method.to_ascii_uppercase());
    // A fragment is never part of a request (RFC 9110 §7.1); one that was sent is not looked at.
    let target = target.split(|byte| *byte == b'#').next().unwrap_or_default();
    let (path, query) = match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, &[][..]),
    };
    put(&without_dot_segments(&percent_normalised(path)));
    let query = percent_normalised(query);
    let mut parts: Vec<&[u8]> = query.split(|byte| *byte == b'&').filter(|part| !part.is_empty()).collect();
    parts.sort_unstable();
    put(&parts.join(&b'&'));
    let content_type = essence(header(headers, b"content-type").unwrap_or_default());
    put(&content_type);
    for name in CHOSEN {
        put(&spaceless(header(headers, name).unwrap_or_default()));
    }
    let is_json = content_type.ends_with(b"/json") || content_type.ends_with(b"+json") || content_type.is_empty();
    if let Some(canonical) = is_json.then(|| canonicalize_without(body, ignore)).flatten() {
        put(b"json");
        put(&canonical);
    } else {
        put(b"raw");
        put(body);
    }
    hasher.digest128()
}

/// 32 lower-case hex digits.
pub fn hex32(hash: u128) -> String {
    format!("{hash:032x}")
}

/// A media type without its parameters, in lower case (RFC 9110 §8.3.1).
fn essence(value: &[u8]) -> Vec<u8> {
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase()
}

fn spaceless(value: &[u8]) -> Vec<u8> {
    value.iter().filter(|byte| !matches!(byte, b' ' | b'\t')).map(u8::to_ascii_lowercase).collect()
}

/// RFC 3986 §6.2.2.1 and §6.2.2.2: upper-case hex digits, and no encoding of unreserved characters.
fn percent_normalised(text: &[u8]) -> Vec<u8> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'%'
            && let (Some(high), Some(low)) = (hex(text.get(at + 1)), hex(text.get(at + 2)))
        {
            let byte = (high * 16 + low) as u8;
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                out.push(byte);
            } else {
                out.push(b'%');
                out.extend_from_slice(&text[at + 1..at + 3].to_ascii_uppercase());
            }
            at += 3;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

/// RFC 3986 §5.2.4, for a path that begins with a slash; an empty path is "/" (§6.2.3).
fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut resolved: Vec<&[u8]> = Vec::new();
    let mut open = true;
    for segment in path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/') {
        open = true;
        match segment {
            b"." => {}
            b".." => {
                resolved.pop();
            }
            other => {
                resolved.push(other);
                open = false;
            }
        }
    }
    let mut out = Vec::with_capacity(path.len() + 1);
    for segment in &resolved {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if open || resolved.is_empty() {
        out.push(b'/');
    }
    out
}
