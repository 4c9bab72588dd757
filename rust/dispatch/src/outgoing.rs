//! What is sent to a shadow: the copy's request, turned towards the shadow's address.
//!
//! Invariants: the authority is always the configured one, whatever the copy's target says; no header can smuggle a second
//! line; the copy's own credentials, tags and connection headers never pass; everything else is passed as it is.

use crate::head::is_token;

/// The content codings that an answer's body can be undone from within a bound.
pub const ACCEPTED_ENCODINGS: [&str; 4] = ["gzip", "x-gzip", "deflate", "identity"];

/// Hop-by-hop (RFC 9110 §7.6.1), framing and routing: these belong to a connection, and the shadow's is another one. Prod's
/// signatures (RFC 9421) do not fit the copy, and a copy is no part of prod's trace (W3C Trace Context).
const OWN: [&str; 16] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "signature",
    "signature-input",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
const TAG_PREFIX: &str = "x-shadow";

/// A shadow as requests to it need it.
pub struct Outgoing {
    base: String,
    credential: Option<(String, String)>,
    agent: String,
}

impl Outgoing {
    /// `base`: its address, with the path that stands before every target. `credential`: the header that authenticates
    /// there. `agent`: who asks, where the copy does not say.
    pub fn new(base: &str, credential: Option<(&[u8], &[u8])>, agent: &str) -> Self {
        let credential = credential.map(|(name, value)| (text(&name.to_ascii_lowercase()), text(value)));
        Self { base: base.to_owned(), credential, agent: agent.to_owned() }
    }

    /// The path and query to ask for.
    pub fn target(&self, target: &str) -> String {
        path_and_query(&request_url(&self.base, target))
    }

    /// The copy's headers that pass, the shadow's own credential, and the copy's identity and hash: tags that break
    /// mirroring loops.
    pub fn headers<'a>(
        &self,
        copied: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        (id, hash): (&str, &str),
    ) -> Vec<(String, String)> {
        let own = self.credential.as_ref().map_or("", |(name, _)| name.as_str());
        let mut headers = Vec::with_capacity(16);
        let mut has_agent = false;
        for (name, value) in copied {
            let Some(name) = passed(name).filter(|name| name != own) else { continue };
            if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                continue;
            }
            has_agent |= name == "user-agent";
            let value = if name == "accept-encoding" { text(&accepted(value)) } else { text(value) };
            headers.push((name, value));
        }
        if !has_agent {
            headers.push(("user-agent".to_owned(), self.agent.clone()));
        }
        headers.extend(self.credential.clone());
        for (name, value) in [("x-shadow", "1"), ("x-shadow-id", id), ("x-shadow-req-hash", hash)] {
            headers.push((name.to_owned(), value.to_owned()));
        }
        headers
    }
}

/// The address to ask: the shadow's with its path prefix, then the copy's path and query as they are.
///
/// Characters that cannot stand in a request line (RFC 9112 §3.2) are percent-encoded, so that a target can neither end
/// the line nor change the authority.
pub fn request_url(base: &str, target: &str) -> String {
    let mut url = String::with_capacity(base.len() + target.len() + 8);
    url.push_str(base.trim_end_matches('/'));
    if !target.starts_with('/') {
        url.push('/');
    }
    for byte in target.bytes() {
        if byte.is_ascii_graphic() && byte != b'#' {
            url.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            url.push('%');
            url.extend([byte >> 4, byte & 15].map(|digit| char::from(HEX[usize::from(digit)])));
        }
    }
    url
}

/// What of an address with a path, as [`request_url`] makes it, stands in the request line. A `?` with nothing behind it
/// is dropped, as clients do.
pub fn path_and_query(url: &str) -> String {
    let sent = url.splitn(4, '/').nth(3).unwrap_or_default();
    let sent = match sent.split_once('?') {
        Some((path, "")) => path,
        _ => sent,
    };
    format!("/{sent}")
}

/// A header's name in lower case, if it passes.
fn passed(name: &[u8]) -> Option<String> {
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return None;
    }
    let name = String::from_utf8(name.to_ascii_lowercase()).ok()?;
    (!OWN.contains(&name.as_str()) && !name.starts_with(TAG_PREFIX)).then_some(name)
}

/// The part of an Accept-Encoding (RFC 9110 §12.5.3) that can be decoded here; `identity` when none is left.
fn accepted(value: &[u8]) -> Vec<u8> {
    let known = |part: &&[u8]| {
        let coding = part.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        ACCEPTED_ENCODINGS.iter().any(|known| coding.eq_ignore_ascii_case(known.as_bytes()))
    };
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(known).collect();
    if parts.is_empty() { b"identity".to_vec() } else { parts.join(&b", "[..]) }
}

/// Header text is sent as UTF-8: UTF-8 bytes pass unchanged, ISO 8859-1 bytes as the same characters.
pub fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|byte| char::from(*byte)).collect(),
    }
}
