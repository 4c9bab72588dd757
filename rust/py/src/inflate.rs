//! Compressed bodies and their framing for Python: conversions only.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shadowlane_redact::Framing;
use shadowlane_redact::inflate as core;
use shadowlane_redact::inflate::State;

use crate::convert::detached;

/// A compressed body's bytes (at most `most`), its coding, and `whole`, `cut`, `longer` or `damaged`; `None` when it is
/// not compressed.
#[pyfunction]
fn inflate<'py>(
    py: Python<'py>,
    body: &[u8],
    most: usize,
) -> PyResult<Option<(Bound<'py, PyBytes>, &'static str, &'static str)>> {
    let Some(found) = detached(py, || core::inflate(body, most))? else { return Ok(None) };
    let state = match found.state {
        State::Whole => "whole",
        State::Cut => "cut",
        State::Longer => "longer",
        State::Damaged => "damaged",
    };
    Ok(Some((PyBytes::new(py, &found.data), found.coding, state)))
}

/// How a body is framed, told by its bytes: `events` (server-sent), `frames` (Amazon's event stream), `values` (it begins
/// like JSON, one value or several), `lines` (each is JSON, perhaps behind a code), `text`. `declared`: a media type says
/// that these are server-sent events.
#[pyfunction]
fn framing(py: Python<'_>, body: &[u8], declared: bool) -> PyResult<&'static str> {
    detached(py, || Framing::of(body, declared).name())
}

/// Adds the functions of this file to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(framing, module)?)?;
    module.add_function(wrap_pyfunction!(inflate, module)?)
}
