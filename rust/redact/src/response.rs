//! A whole response, prod's or a shadow's, by the same rules.
//!
//! Invariant: a body that cannot be read is left out, and `unreadable` says so.

use super::body::Body;
use super::findings::Findings;
use super::headers::OwnedHeader;
use super::sanitizer::Sanitizer;
use shadowlane_base::header;

/// A sanitized response.
pub struct CleanResponse {
    /// Headers that may pass.
    pub headers: Vec<OwnedHeader>,
    /// The body, decoded; empty when it could not be read.
    pub body: Vec<u8>,
    /// `unreadable:<why>` when the body could not be read.
    pub unreadable: Option<(String, u64)>,
}

/// Sanitize a response, prod's or a shadow's.
pub fn sanitize_response(
    sanitizer: &Sanitizer,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> CleanResponse {
    let passed = sanitizer.headers(headers, true, findings);
    let (content_type, encoding) = (header(headers, b"content-type"), header(headers, b"content-encoding"));
    let (body, unreadable) = if body.is_empty() {
        (Vec::new(), None)
    } else {
        match sanitizer.body(content_type, encoding, body, cut, findings) {
            Body::Clean { body, .. } => (body, None),
            Body::Unreadable(why) => (Vec::new(), Some((format!("unreadable:{why}"), 1))),
        }
    };
    CleanResponse { headers: passed, body, unreadable }
}
