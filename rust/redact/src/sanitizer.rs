//! `Sanitizer`: what other crates call. It holds the compiled options and hands each part of an exchange to its module.

use shadowlane_base::{Error, Result};

use super::body::{self, Body};
use super::findings::Findings;
use super::headers::{self, OwnedHeader};
use super::hit::Finding;
use super::json::{self, Reading};
use super::kinds::Kind;
use super::options::{Compiled, Options};
use super::text::Origin;
use super::{form, stream, texts};

/// Sanitizes headers, targets and bodies.
#[derive(Clone, Debug)]
pub struct Sanitizer {
    redaction: Compiled,
}

impl Sanitizer {
    /// [`Error::Invalid`] names the option that is wrong: a pattern, a path, a kind, a key, a header that never passes.
    pub fn new(options: &Options) -> Result<Self> {
        Ok(Self { redaction: Compiled::new(options)? })
    }

    /// Use this key for the `hash` action: the lane's, so that all of its processes write the same tokens.
    pub fn set_key(&mut self, key: [u8; 32]) {
        self.redaction.key = key;
    }

    /// The headers that may pass, with their values redacted, names in lower case.
    pub fn headers(&self, headers: &[(&[u8], &[u8])], response: bool, findings: &mut Findings) -> Vec<OwnedHeader> {
        headers::clean(&self.redaction, headers, response, findings)
    }

    /// Path and query with secrets masked; ASCII, percent-encoded.
    pub fn target(&self, target: &[u8], findings: &mut Findings) -> String {
        form::target(&self.redaction, target, findings)
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
        let (found, edits) = self.redaction.find(text.as_bytes(), Origin { name: b"", alone: true });
        (String::from_utf8_lossy(&edits.applied(text.as_bytes())).into_owned(), found)
    }

    /// A text that was put together from sanitized pieces, looked at once more; inside its strings when it is JSON. What
    /// speaks for itself only where it stands alone was decided where it stood.
    pub fn again(&self, text: &str) -> String {
        let clean = self.json(text.as_bytes()).unwrap_or_else(|_| {
            let (_, edits) = self.redaction.find(text.as_bytes(), Origin::default());
            edits.applied(text.as_bytes())
        });
        String::from_utf8_lossy(&clean).into_owned()
    }

    /// A kind's name.
    pub fn name(&self, kind: Kind) -> &str {
        self.redaction.name(kind)
    }

    /// A JSON text. [`Error::Invalid`] when it is not JSON.
    pub fn json(&self, text: &[u8]) -> Result<Vec<u8>> {
        // What one text's mask shows of its neighbours is rare: as `stream::clean` does with whole bodies.
        const ROUNDS: usize = 3;
        let invalid = || Error::Invalid { field: "body", why: "is not JSON; give JSON, or use redact_text".to_owned() };
        let mut body = std::borrow::Cow::Borrowed(text);
        for round in 0..ROUNDS {
            let across = match round {
                0 => stream::across(&self.redaction, &body, false, 0, &mut Findings::default()),
                _ => stream::across_masked(&self.redaction, &body, &mut Findings::default()),
            };
            match across {
                Some(across) => body = across.applied(&body).into(),
                None if round > 0 => break,
                None => {}
            }
            let single = json::edits(&self.redaction, &body, Reading::default(), &mut Findings::default());
            let single = single.ok_or_else(invalid)?;
            if single.len() == 0 {
                break;
            }
            body = single.applied(&body).into();
        }
        Ok(body.into_owned())
    }

    /// The texts of a clean body that a detector of names may look at, in order: the string values of JSON, or the
    /// whole text.
    pub fn texts(content_type: Option<&[u8]>, body: &[u8]) -> Vec<String> {
        texts::of(content_type.unwrap_or_default(), body)
    }

    /// The body with ranges of those texts replaced: for each text its ranges, in bytes and in order, and the label of
    /// each.
    pub fn replace(
        &self,
        content_type: Option<&[u8]>,
        body: &[u8],
        found: &[Vec<(usize, usize, String)>],
        findings: &mut Findings,
    ) -> Vec<u8> {
        texts::replace(&self.redaction, content_type.unwrap_or_default(), body, found, findings)
    }
}
