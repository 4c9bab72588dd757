//! Packed rows for Python: conversions only.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use shadowlane_packed::Packer;

use crate::convert::detached;

/// The parts of each of many rows as one value, compressed without the GIL; see `shadowlane.store.packed`.
///
/// Raises ValueError for a row of more than 255 parts.
#[pyfunction]
fn pack_rows(py: Python<'_>, rows: Vec<Vec<PyBackedBytes>>) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let packed = detached(py, || {
        let mut packer = Packer::new();
        rows.iter().map(|parts| packer.pack(parts.iter().map(|part| &**part))).collect::<Option<Vec<_>>>()
    })?;
    let packed = packed.ok_or_else(|| PyValueError::new_err("rows: one has more than 255 parts"))?;
    Ok(packed.iter().map(|value| PyBytes::new(py, value)).collect())
}

/// Adds the functions of this file to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(pack_rows, module)?)
}
