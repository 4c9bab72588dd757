//! Strips secrets and personal data from an exchange before anything else in the worker sees it.
//!
//! Invariants: what cannot be read is not passed on; JSON stays JSON; nothing outside a finding changes; sanitizing
//! what is sanitized finds nothing; time is linear in the bytes, whatever they are.
//!
//! The way of a body: [`body`] decodes it and takes it apart by its media type, [`json`], [`form`], [`multipart`],
//! [`stream`] and [`eventstream`] give its texts to the engine, [`scan`] goes over each text once, from trigger to trigger, and asks the
//! rules of that byte ([`mail`], [`number`], [`ids`], [`net`], [`secrets`], [`assign`]), whose candidates are validated
//! ([`checks`]) and weighed by the words before them ([`context`]).

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod assign;
mod body;
mod checks;
mod context;
mod engine;
mod escapes;
mod eventstream;
mod form;
mod headers;
mod ids;
pub mod inflate;
mod json;
mod key_forms;
mod kinds;
mod label;
mod mail;
mod multipart;
mod net;
mod number;
mod options;
mod paths;
#[cfg(feature = "panic-probe")]
pub mod probe;
mod response;
mod scan;
mod secrets;
mod stream;
mod texts;
mod triggers;
mod view;

use std::collections::BTreeMap;

use shadowlane_base::{Error, Result};

use engine::Place;
use json::Reading;
use options::Compiled;

pub use kinds::{BUILT_IN, Kind};
pub use label::Action;
pub use options::{FieldOptions, Options, RuleOptions, VALIDATORS};
pub use response::{CleanResponse, sanitize_response};
pub use scan::Finding;

/// A header, owned.
pub type OwnedHeader = (Vec<u8>, Vec<u8>);

/// How many values of each kind were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(BTreeMap<String, u64>);

impl Findings {
    /// Count one value.
    pub fn add(&mut self, kind: &str) {
        self.add_many(kind, 1);
    }

    fn add_many(&mut self, kind: &str, count: u64) {
        match self.0.get_mut(kind) {
            Some(sum) => *sum += count,
            None => {
                self.0.insert(kind.to_owned(), count);
            }
        }
    }

    /// Add the counts of others.
    pub fn merge(&mut self, others: &Self) {
        for (kind, count) in &others.0 {
            self.add_many(kind, *count);
        }
    }

    /// Kinds and counts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> + '_ {
        self.0.iter().map(|(kind, count)| (kind.as_str(), *count))
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
        let (found, edits) = self.redaction.find(text.as_bytes(), Place { name: b"", alone: true });
        (String::from_utf8_lossy(&edits.applied(text.as_bytes())).into_owned(), found)
    }

    /// A kind's name.
    pub fn name(&self, kind: Kind) -> &str {
        self.redaction.name(kind)
    }

    /// A JSON text. [`Error::Invalid`] when it is not JSON.
    pub fn json(&self, text: &[u8]) -> Result<Vec<u8>> {
        json::edits(&self.redaction, text, Reading::default(), &mut Findings::default())
            .map(|edits| edits.applied(text))
            .ok_or(Error::Invalid { field: "body", why: "is not JSON; give JSON, or use redact_text".to_owned() })
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
