//! `Redactor`, `Finding` and the worker's `Sanitizer`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use shadowlane_dispatch::clean_answer;
use shadowlane_lane::lanedir;
use shadowlane_redact::{BUILT_IN, CleanResponse, Findings, Options, Sanitizer as Core};

use crate::convert::{attached, detached, raise};
use crate::fields::Headers;

/// One value found in a text: its kind, and its range in characters, end excluded.
#[pyclass(frozen, module = "shadowlane.core", get_all, eq)]
#[derive(PartialEq, Eq)]
pub struct Finding {
    /// What was found: "email", "payment_card", "phone", ...: `Redactor.kinds()` lists all.
    kind: String,
    /// Position of the first character, counted in characters of the text.
    start: usize,
    /// Position after the last character.
    end: usize,
}

#[pymethods]
impl Finding {
    fn __repr__(&self) -> String {
        format!("Finding(kind='{}', start={}, end={})", self.kind, self.start, self.end)
    }
}

pub type Clean<'py> = (PyHeaders<'py>, Bound<'py, PyBytes>, BTreeMap<String, u64>, String);

pub type PyHeaders<'py> = Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;

/// Owned headers as pairs of `bytes`.
pub fn headers_out<'py>(py: Python<'py>, headers: &[(Vec<u8>, Vec<u8>)]) -> PyHeaders<'py> {
    headers.iter().map(|(name, value)| (PyBytes::new(py, name), PyBytes::new(py, value))).collect()
}

/// Redactor(rules=None): replaces secrets and personal data by their kind in brackets, as in "[EMAIL]".
///
/// `rules`: None, or a dict with any of the keys of `[sanitize]` that concern redaction: `secret_names`,
/// `allow_values`, `allow_patterns`, `allow_headers` (lists of str), `action` ("mask", "hash", "drop", "keep_last4"),
/// `actions` (kind to action), `format` ("label", "same"), `disable` (kinds), `min_confidence` (0 to 1), `rules` and
/// `fields` (lists of dicts), `hash_key` (64 hexadecimal digits; random when not given). Raises
/// shadowlane.ConfigError, with the field, the value and the remedy, for anything else: an unknown key or kind, a
/// pattern that does not compile, a header that never passes.
#[pyclass(frozen, module = "shadowlane.core")]
pub struct Redactor {
    core: Core,
}

/// Options from a dict, by way of JSON: what JSON cannot hold is no option.
fn options_from(rules: Option<&Bound<'_, PyDict>>) -> PyResult<Options> {
    let Some(rules) = rules else {
        return Ok(Options::default());
    };
    let py = rules.py();
    let invalid = |why: String| raise(py, &shadowlane_base::Error::Invalid { field: "sanitize", why });
    let text: String = match py.import("json")?.call_method1("dumps", (rules,)) {
        Ok(text) => text.extract()?,
        Err(error) => return Err(invalid(format!("{}; give str, float, bool, lists and dicts", error.value(py)))),
    };
    Options::from_json(&text).map_err(|error| raise(py, &error))
}

#[pymethods]
impl Redactor {
    #[new]
    #[pyo3(signature = (rules=None))]
    fn new(py: Python<'_>, rules: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let core = Core::new(&options_from(rules)?).map_err(|error| raise(py, &error))?;
        Ok(Self { core })
    }

    /// The built-in kinds, and what each stands for.
    #[staticmethod]
    fn kinds() -> BTreeMap<&'static str, &'static str> {
        BUILT_IN.iter().copied().collect()
    }

    /// The text with every value masked, and the list of findings (positions are characters of the input).
    fn redact_text(&self, py: Python<'_>, text: &str) -> PyResult<(String, Vec<Finding>)> {
        let (clean, found) = detached(py, || self.core.text(text))?;
        let mut positions = CharPositions { text, byte: 0, char: 0 };
        let findings = found
            .into_iter()
            .map(|finding| Finding {
                kind: self.core.name(finding.kind).to_owned(),
                start: positions.of(finding.start),
                end: positions.of(finding.end),
            })
            .collect();
        Ok((clean, findings))
    }

    /// A JSON text (RFC 8259) with every value masked; still JSON, every other byte kept. Raises
    /// shadowlane.ConfigError when it is not JSON.
    fn redact_json<'py>(&self, py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let clean = detached(py, || self.core.json(body))?.map_err(|error| raise(py, &error))?;
        Ok(PyBytes::new(py, &clean))
    }

    /// The request headers that may pass, names in lower case, values redacted. Everything else is left out.
    fn redact_headers<'py>(&self, headers: &Bound<'py, PyAny>) -> PyResult<PyHeaders<'py>> {
        let py = headers.py();
        let headers = Headers::new(headers)?;
        let clean = attached(py, || self.core.headers(&headers.slices(), false, &mut Findings::default()))?;
        Ok(headers_out(py, &clean))
    }
}

/// Turns byte positions, given in order, into character positions in one pass.
struct CharPositions<'a> {
    text: &'a str,
    byte: usize,
    char: usize,
}

impl CharPositions<'_> {
    fn of(&mut self, byte: usize) -> usize {
        self.char += self.text.get(self.byte..byte).map_or(0, |between| between.chars().count());
        self.byte = byte;
        self.char
    }
}

/// Turns character positions, given in order, into byte positions.
struct BytePositions<'a> {
    text: &'a str,
    byte: usize,
    char: usize,
}

impl BytePositions<'_> {
    fn of(&mut self, char: usize) -> usize {
        if char < self.char {
            (self.byte, self.char) = (0, 0);
        }
        let rest = self.text.get(self.byte..).unwrap_or_default();
        let wanted = char - self.char;
        self.byte += rest.char_indices().nth(wanted).map_or(rest.len(), |(byte, _)| byte);
        self.char = char;
        self.byte
    }
}

/// Sanitizer(rules, directory=None): what the worker applies to a shadow's answer before anything is stored.
///
/// `rules` as for Redactor. `directory`: the lane's, whose key for the `hash` action is used when `rules` gives none,
/// so that a value has one token in request, prod's answer and the shadow's. Raises shadowlane.ConfigError, and
/// shadowlane.LaneError when the key's file cannot be made or is not private.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Sanitizer {
    pub core: Arc<Core>,
}

/// A sanitizer as the worker uses it, for the ring and for the shadow's answers alike.
pub fn lane_sanitizer(
    rules: Option<&Bound<'_, PyDict>>,
    directory: Option<&Path>,
    allow_headers: Vec<String>,
) -> PyResult<Core> {
    let mut options = options_from(rules)?;
    options.allow_headers.extend(allow_headers);
    let build = || {
        let mut core = Core::new(&options)?;
        if let Some(directory) = directory.filter(|_| options.hash_key.is_empty()) {
            core.set_key(lanedir::key(directory)?);
        }
        Ok(core)
    };
    build().map_err(|error| match rules {
        Some(rules) => raise(rules.py(), &error),
        None => Python::attach(|py| raise(py, &error)),
    })
}

/// For each text the ranges (start, end, kind) of a detector's findings, in characters and in order.
type Detected = Vec<Vec<(usize, usize, String)>>;

#[pymethods]
impl Sanitizer {
    #[new]
    #[pyo3(signature = (rules=None, directory=None))]
    #[allow(clippy::needless_pass_by_value)] // extracted from Python
    fn new(rules: Option<&Bound<'_, PyDict>>, directory: Option<PathBuf>) -> PyResult<Self> {
        Ok(Self { core: Arc::new(lane_sanitizer(rules, directory.as_deref(), Vec::new())?) })
    }

    /// The texts of a sanitized body that a detector may look at: the string values of JSON, events or lines; or the
    /// whole text.
    #[staticmethod]
    fn texts(py: Python<'_>, content_type: &[u8], body: &[u8]) -> PyResult<Vec<String>> {
        attached(py, || Core::texts(Some(content_type), body))
    }

    /// The body with what a detector found replaced, and the counts by kind. `found`: for each of `texts(...)` its
    /// findings (start, end, kind) in order, in characters.
    fn replace<'py>(
        &self,
        py: Python<'py>,
        content_type: &[u8],
        body: &[u8],
        found: Detected,
    ) -> PyResult<(Bound<'py, PyBytes>, BTreeMap<String, u64>)> {
        let texts = attached(py, || Core::texts(Some(content_type), body))?;
        let found: Detected = texts
            .iter()
            .zip(found)
            .map(|(text, found)| {
                let mut positions = BytePositions { text, byte: 0, char: 0 };
                found.into_iter().map(|(start, end, kind)| (positions.of(start), positions.of(end), kind)).collect()
            })
            .collect();
        let mut findings = Findings::default();
        let clean = attached(py, || self.core.replace(Some(content_type), body, &found, &mut findings))?;
        let kinds = findings.iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        Ok((PyBytes::new(py, &clean), kinds))
    }

    /// A text with every value masked; inside its strings when it is JSON (RFC 8259), so that it stays JSON.
    fn text(&self, py: Python<'_>, text: &str) -> PyResult<String> {
        detached(py, || self.core.text_or_json(text))
    }

    /// A text that was put together from sanitized pieces, looked at once more: what the pieces show together is masked.
    fn again(&self, py: Python<'_>, text: &str) -> PyResult<String> {
        detached(py, || self.core.again(text))
    }

    /// A response's headers and body, sanitized: (headers, body, findings by kind, why the body could not be read or "").
    ///
    /// `body` is decoded already; `cut`: it may end anywhere. Raises shadowlane.errors.CoreError when the redaction itself
    /// fails: then nothing of the answer may be kept.
    fn response<'py>(
        &self,
        py: Python<'py>,
        headers: &Bound<'py, PyAny>,
        body: &[u8],
        cut: bool,
    ) -> PyResult<Clean<'py>> {
        let held = Headers::new(headers)?;
        let slices = held.slices();
        let clean = detached(py, || clean_answer(&self.core, &slices, body, cut))?;
        Ok(clean_out(py, clean, &PyBytes::new(py, &[])))
    }
}

/// A sanitized answer for Python; `body` is taken in its stead where the redaction has changed nothing of it.
pub fn clean_out<'py>(
    py: Python<'py>,
    (clean, findings): (CleanResponse, Findings),
    body: &Bound<'py, PyBytes>,
) -> Clean<'py> {
    let note = clean.unreadable.map(|(why, _)| why).unwrap_or_default();
    let kinds = findings.iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
    let kept = if clean.body == body.as_bytes() { body.clone() } else { PyBytes::new(py, &clean.body) };
    (headers_out(py, &clean.headers), kept, kinds, note)
}
