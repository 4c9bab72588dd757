//! `Redactor`, `Finding` and the worker's `Sanitizer`.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use shadowlane_core::drain::sanitize_response;
use shadowlane_core::sanitize::{Findings, Options, Sanitizer as Core};

use crate::convert::{Headers, raise};

/// One value found in a text: its kind, and its place in characters, end excluded.
#[pyclass(frozen, module = "shadowlane.core", get_all, eq)]
#[derive(PartialEq, Eq)]
pub struct Finding {
    /// What was found: "email", "payment_card", "phone", "iban", "jwt", "bearer", "private_key", "api_key", ...
    kind: String,
    /// Place of the first character, counted in characters of the text.
    start: usize,
    /// Place after the last character.
    end: usize,
}

#[pymethods]
impl Finding {
    fn __repr__(&self) -> String {
        format!("Finding(kind='{}', start={}, end={})", self.kind, self.start, self.end)
    }
}

type CleanResponse<'py> = (PyHeaders<'py>, Bound<'py, PyBytes>, BTreeMap<String, u64>, String);

pub type PyHeaders<'py> = Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;

/// Owned headers as pairs of `bytes`.
pub fn headers_out<'py>(py: Python<'py>, headers: &[(Vec<u8>, Vec<u8>)]) -> PyHeaders<'py> {
    headers.iter().map(|(name, value)| (PyBytes::new(py, name), PyBytes::new(py, value))).collect()
}

/// Redactor(rules=None): replaces secrets and personal data by their kind in brackets, as in "[EMAIL]".
///
/// `rules`: None, or a dict with any of `secret_names` (further JSON and form fields whose text is a secret),
/// `allow_values` (values that are never redacted) and `allow_headers` (further headers that may pass), each a list of
/// str. Raises shadowlane.ConfigError for other keys and for a header that never passes.
#[pyclass(frozen, module = "shadowlane.core")]
pub struct Redactor {
    core: Core,
}

fn options_from(rules: Option<&Bound<'_, PyDict>>) -> PyResult<Options> {
    let mut options = Options::default();
    let Some(rules) = rules else {
        return Ok(options);
    };
    for (key, value) in rules {
        let key: String = key.extract()?;
        let values: Vec<String> = value.extract()?;
        match key.as_str() {
            "secret_names" => options.secret_names = values,
            "allow_values" => options.allow_values = values,
            "allow_headers" => options.allow_headers = values,
            _ => {
                let why = format!("{key:?} is none of secret_names, allow_values, allow_headers");
                return Err(raise(rules.py(), &shadowlane_core::Error::Invalid { field: "rules", why }));
            }
        }
    }
    Ok(options)
}

#[pymethods]
impl Redactor {
    #[new]
    #[pyo3(signature = (rules=None))]
    fn new(py: Python<'_>, rules: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let core = Core::new(&options_from(rules)?).map_err(|error| raise(py, &error))?;
        Ok(Self { core })
    }

    /// The text with every value masked, and the list of findings (places are characters of the input).
    fn redact_text(&self, py: Python<'_>, text: &str) -> (String, Vec<Finding>) {
        let (clean, found) = py.detach(|| self.core.text(text));
        let mut places = CharPlaces { text, byte: 0, char: 0 };
        let findings = found
            .into_iter()
            .map(|finding| Finding {
                kind: finding.kind.to_owned(),
                start: places.of(finding.start),
                end: places.of(finding.end),
            })
            .collect();
        (clean, findings)
    }

    /// A JSON text (RFC 8259) with every value masked; still JSON, every other byte kept. Raises
    /// shadowlane.ConfigError when it is not JSON.
    fn redact_json<'py>(&self, py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let clean = py.detach(|| self.core.json(body)).map_err(|error| raise(py, &error))?;
        Ok(PyBytes::new(py, &clean))
    }

    /// The request headers that may pass, names in lower case, values redacted. Everything else is left out.
    fn redact_headers<'py>(&self, headers: &Bound<'py, PyAny>) -> PyResult<PyHeaders<'py>> {
        let py = headers.py();
        let headers = Headers::new(headers)?;
        Ok(headers_out(py, &self.core.headers(&headers.slices(), false, &mut Findings::default())))
    }
}

/// Turns byte places, asked for in order, into character places in one pass.
struct CharPlaces<'a> {
    text: &'a str,
    byte: usize,
    char: usize,
}

impl CharPlaces<'_> {
    fn of(&mut self, byte: usize) -> usize {
        self.char += self.text.get(self.byte..byte).map_or(0, |between| between.chars().count());
        self.byte = byte;
        self.char
    }
}

/// Sanitizer(allow_headers, secret_names=(), allow_values=()): what the worker applies to a shadow's answer before
/// anything is stored.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Sanitizer {
    pub core: Core,
}

#[pymethods]
impl Sanitizer {
    #[new]
    #[pyo3(signature = (allow_headers, secret_names=Vec::new(), allow_values=Vec::new()))]
    fn new(
        py: Python<'_>,
        allow_headers: Vec<String>,
        secret_names: Vec<String>,
        allow_values: Vec<String>,
    ) -> PyResult<Self> {
        let options = Options { allow_headers, secret_names, allow_values };
        Ok(Self { core: Core::new(&options).map_err(|error| raise(py, &error))? })
    }

    /// A text with every value masked; inside its strings when it is JSON (RFC 8259), so that it stays JSON.
    fn text(&self, py: Python<'_>, text: &str) -> String {
        py.detach(|| match self.core.json(text.as_bytes()) {
            Ok(clean) => String::from_utf8_lossy(&clean).into_owned(),
            Err(_) => self.core.text(text).0,
        })
    }

    /// A response's headers and body, sanitized: (headers, body, findings by kind, why the body could not be read or "").
    ///
    /// `body` is decoded already; `cut`: it may end anywhere.
    fn response<'py>(
        &self,
        py: Python<'py>,
        headers: &Bound<'py, PyAny>,
        body: &[u8],
        cut: bool,
    ) -> PyResult<CleanResponse<'py>> {
        let held = Headers::new(headers)?;
        // The transport has decoded the body: what the header says of its encoding is history.
        let slices: Vec<(&[u8], &[u8])> =
            held.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"content-encoding")).collect();
        let (clean, findings) = py.detach(|| {
            let mut findings = Findings::default();
            (sanitize_response(&self.core, &slices, body, cut, &mut findings), findings)
        });
        let note = clean.unreadable.map(|(why, _)| why).unwrap_or_default();
        let kinds = findings.iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
        Ok((headers_out(py, &clean.headers), PyBytes::new(py, &clean.body), kinds, note))
    }
}
