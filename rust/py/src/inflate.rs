//! Compressed bodies for Python: conversions only.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shadowlane_redact::inflate as core;
use shadowlane_redact::inflate::State;

/// A compressed body's bytes (at most `most`), its coding, and `whole`, `cut`, `longer` or `damaged`; `None` when it is
/// not compressed.
#[pyfunction]
fn inflate<'py>(
    py: Python<'py>,
    body: &[u8],
    most: usize,
) -> Option<(Bound<'py, PyBytes>, &'static str, &'static str)> {
    let found = py.detach(|| core::inflate(body, most))?;
    let state = match found.state {
        State::Whole => "whole",
        State::Cut => "cut",
        State::Longer => "longer",
        State::Damaged => "damaged",
    };
    Some((PyBytes::new(py, &found.data), found.coding, state))
}

/// Adds the functions of this file to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(inflate, module)?)
}
