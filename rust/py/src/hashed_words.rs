//! Rows of hashed words for Python: conversions only.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyBytes;
use shadowlane_anchored::hashed_words::HashedWords;

use crate::convert::detached;

const FLOAT: usize = size_of::<f32>();

/// The row of each text, given as its words: (texts, dim) float32 in native order, computed without the GIL. Not of unit
/// norm; see `shadowlane.embedders.lexical`.
///
/// Raises ValueError for a dim of 0.
#[pyfunction]
fn hashed_words(py: Python<'_>, texts: Vec<Vec<PyBackedStr>>, dim: usize) -> PyResult<Bound<'_, PyBytes>> {
    if dim == 0 {
        return Err(PyValueError::new_err("dim: must be positive"));
    }
    let rows = detached(py, || {
        let mut rows = vec![0.0; texts.len() * dim];
        let mut maker = HashedWords::new();
        for (words, row) in texts.iter().zip(rows.chunks_exact_mut(dim)) {
            maker.add(words.iter().map(|word| &**word), row);
        }
        rows
    })?;
    PyBytes::new_with(py, rows.len() * FLOAT, |bytes| {
        for (element, number) in bytes.as_chunks_mut::<FLOAT>().0.iter_mut().zip(&rows) {
            *element = number.to_ne_bytes();
        }
        Ok(())
    })
}

/// Adds the functions of this file to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hashed_words, module)?)
}
