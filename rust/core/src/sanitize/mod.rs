//! Strips secrets and personal data from an exchange before anything else in the worker sees it.
//!
//! Invariants: what cannot be read is not passed on; JSON stays JSON; nothing outside a finding changes; sanitizing
//! what is sanitized finds nothing.

mod body;
mod detect;
mod headers;
mod json;
mod rules;
mod stream;

use std::collections::BTreeMap;

use crate::drain::OwnedHeader;
use crate::error::{Error, Result};

pub use detect::{Finding, detect};

/// What may pass, beyond the built-in rules.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Further headers that may pass, in requests and responses.
    pub allow_headers: Vec<String>,
    /// Further names of fields whose text is a secret whatever it looks like; case and punctuation do not count.
    pub secret_names: Vec<String>,
    /// Values that are never redacted, such as the company's own support address.
    pub allow_values: Vec<String>,
}

/// How many values of each kind were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(BTreeMap<&'static str, u64>);

impl Findings {
    /// Count one value.
    pub fn add(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Kinds and counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }

    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

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

/// Sanitizes headers, targets and bodies.
#[derive(Clone, Debug)]
pub struct Sanitizer {
    redaction: Redaction,
    allow_headers: Vec<String>,
}

impl Sanitizer {
    /// [`Error::Invalid`] when an allowed header is one that never passes.
    pub fn new(options: &Options) -> Result<Self> {
        let allow_headers: Vec<String> =
            options.allow_headers.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        if let Some(name) = allow_headers.iter().find(|name| headers::is_never(name)) {
            return Err(Error::Invalid {
                field: "sanitize.allow_headers",
                why: format!(
                    "{name:?} can carry a credential, a cookie or a client's identity and never passes; remove it"
                ),
            });
        }
        let secret_names = options.secret_names.iter().map(|name| plain_name(name)).collect();
        Ok(Self { redaction: Redaction { secret_names, allow_values: options.allow_values.clone() }, allow_headers })
    }

    /// The headers that may pass, with their values redacted, names in lower case.
    pub fn headers(&self, headers: &[(&[u8], &[u8])], response: bool, findings: &mut Findings) -> Vec<OwnedHeader> {
        headers::clean(&self.redaction, &self.allow_headers, headers, response, findings)
    }

    /// Path and query with secrets masked; ASCII, percent-encoded.
    pub fn target(&self, target: &[u8], findings: &mut Findings) -> String {
        body::target(&self.redaction, target, findings)
    }

    /// A body, by its media type. `cut`: it may end anywhere.
    pub fn body(
        &self,
        content_type: Option<&[u8]>,
        content_encoding: Option<&[u8]>,
        body: &[u8],
        cut: bool,
        findings: &mut Findings,
    ) -> Body {
        body::clean(&self.redaction, content_type, content_encoding, body, cut, findings)
    }

    /// A text, and what was found in it.
    pub fn text(&self, text: &str) -> (String, Vec<Finding>) {
        let found = self.redaction.detect(text);
        (mask(text, &found), found)
    }

    /// A JSON text. [`Error::Invalid`] when it is not JSON.
    pub fn json(&self, text: &[u8]) -> Result<Vec<u8>> {
        json::rewrite(&self.redaction, text, false, &mut Findings::default())
            .ok_or(Error::Invalid { field: "body", why: "is not JSON; give JSON, or use redact_text".to_owned() })
    }
}

/// Replaces what was found.
#[derive(Clone, Debug)]
pub(crate) struct Redaction {
    secret_names: Vec<String>,
    allow_values: Vec<String>,
}

fn plain_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Names of fields whose text is a secret whatever it looks like.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "secret",
    "clientsecret",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "sessiontoken",
    "bearertoken",
    "authorization",
    "credentials",
    "ssn",
    "cvv",
    "cvc",
];

impl Redaction {
    fn is_secret_name(&self, name: &str) -> bool {
        let plain = plain_name(name);
        SECRET_NAMES.contains(&plain.as_str())
            || self.secret_names.contains(&plain)
            || (plain.ends_with("password") && plain.len() < 24)
    }

    fn detect(&self, text: &str) -> Vec<Finding> {
        let mut found = detect(text);
        if !self.allow_values.is_empty() {
            found.retain(|finding| {
                text.get(finding.start..finding.end)
                    .is_none_or(|value| !self.allow_values.iter().any(|allowed| allowed == value))
            });
        }
        found
    }

    /// A text with its findings masked and counted.
    fn text(&self, text: &str, findings: &mut Findings) -> String {
        let found = self.detect(text);
        for finding in &found {
            findings.add(finding.kind);
        }
        mask(text, &found)
    }

    /// The inside of a JSON string: as it was when nothing is found, else masked and escaped.
    fn string(&self, value: &str, inner: &[u8], secret: bool, findings: &mut Findings, out: &mut Vec<u8>) {
        if secret && !value.is_empty() && value != "[SECRET]" {
            findings.add("secret");
            out.extend_from_slice(b"[SECRET]");
            return;
        }
        // JSON in a string, as tool arguments are.
        if value.trim_start().starts_with(['{', '['])
            && value.len() > 2
            && let Some(nested) = json::rewrite(self, value.as_bytes(), false, findings)
        {
            if nested == value.as_bytes() {
                out.extend_from_slice(inner);
            } else {
                json::escape(&String::from_utf8_lossy(&nested), out);
            }
            return;
        }
        let found = self.detect(value);
        if found.is_empty() {
            out.extend_from_slice(inner);
            return;
        }
        for finding in &found {
            findings.add(finding.kind);
        }
        json::escape(&mask(value, &found), out);
    }

    /// A JSON number: a card or phone number becomes a string.
    fn number(&self, number: &[u8], findings: &mut Findings, out: &mut Vec<u8>) {
        let text = std::str::from_utf8(number).unwrap_or_default();
        match self.detect(text).first() {
            Some(finding) if number.len() >= 12 && finding.start == 0 && finding.end == text.len() => {
                findings.add(finding.kind);
                out.push(b'"');
                out.extend_from_slice(label(finding.kind).as_bytes());
                out.push(b'"');
            }
            _ => out.extend_from_slice(number),
        }
    }
}

/// What stands in a value's place: `[EMAIL]`.
fn label(kind: &str) -> String {
    format!("[{}]", kind.to_ascii_uppercase())
}

fn mask(text: &str, found: &[Finding]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for finding in found {
        out.push_str(text.get(at..finding.start).unwrap_or_default());
        out.push_str(&label(finding.kind));
        at = finding.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
