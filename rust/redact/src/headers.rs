//! Headers: default-deny. What identifies a user or a client, or lets somebody in, never passes, whatever is allowed.

use super::findings::Findings;
use super::header_names::{is_listed, is_never};
use super::options::Compiled;
use super::text::Origin;

/// A header, owned.
pub type OwnedHeader = (Vec<u8>, Vec<u8>);

pub(super) fn clean(
    redaction: &Compiled,
    headers: &[(&[u8], &[u8])],
    response: bool,
    findings: &mut Findings,
) -> Vec<OwnedHeader> {
    let mut passed = Vec::new();
    for (name, value) in headers {
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        let name = name.to_ascii_lowercase();
        if is_never(&name) || value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            continue;
        }
        if is_listed(&name, response) || redaction.allow_headers.contains(&name) {
            let mut clean = Vec::new();
            redaction.text(value, Origin { name: name.as_bytes(), alone: false }, findings, &mut clean);
            passed.push((name.into_bytes(), clean));
        }
    }
    passed
}
