//! Exact nearest rows for Python: conversions only.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shadowlane_anchored::flat_index::{FlatIndex as Core, Search};

use crate::convert::{attached, detached, raise};

const FLOAT: usize = size_of::<f32>();

/// FlatIndex(dim): exact search for the nearest row by cosine, among the rows of one scope.
///
/// Rows are (dim,) float32 in native order, as bytes; they need not have norm 1. Safe to share between threads; searches
/// give up the GIL.
///
/// Raises ConfigError when `dim` is not between 1 and 65 536.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct FlatIndex(Mutex<Core>);

#[pymethods]
impl FlatIndex {
    #[new]
    fn new(py: Python<'_>, dim: usize) -> PyResult<Self> {
        Core::new(dim).map(|index| Self(Mutex::new(index))).map_err(|error| raise(py, &error))
    }

    /// Put a row of a scope into a slot, instead of the one there. `slot` is one that there is, or the next one.
    ///
    /// Raises ConfigError for a slot further on, a row of another length, and one that is not finite.
    fn set(&self, py: Python<'_>, slot: usize, scope: u64, row: &[u8]) -> PyResult<()> {
        let row = numbers(row)?;
        detached(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).set(slot, scope, &row))?
            .map_err(|error| raise(py, &error))
    }

    /// The slot of `scope` whose row has the greatest cosine to `row`, at least `least`, and that cosine; None without one.
    ///
    /// Raises ConfigError for a row of another length, and one that is not finite.
    fn nearest(&self, py: Python<'_>, row: &[u8], scope: u64, least: f64) -> PyResult<Option<(usize, f64)>> {
        let row = numbers(row)?;
        detached(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).nearest(&row, scope, least))?
            .map_err(|error| raise(py, &error))
    }

    /// Look for many rows at once: (scopes, dim) float32, row by row, each in its scope. `found` says what was found.
    ///
    /// Raises ConfigError for another number of rows, and one that is not finite.
    fn search(&self, py: Python<'_>, rows: &[u8], scopes: Vec<u64>, least: f64) -> PyResult<FlatSearch> {
        let rows = numbers(rows)?;
        detached(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).search(&rows, &scopes, least))?
            .map(FlatSearch)
            .map_err(|error| raise(py, &error))
    }

    /// What `nearest` gives now for a row of a search of this index, by its place; rows that were set since then are seen.
    ///
    /// Raises IndexError for a place beyond the last.
    fn found(&self, py: Python<'_>, search: &FlatSearch, place: usize) -> PyResult<Option<(usize, f64)>> {
        if place >= search.0.len() {
            return Err(PyIndexError::new_err(place));
        }
        // With the GIL: nearly always this is a look at the few rows that were set since the search.
        attached(py, || self.0.lock().unwrap_or_else(PoisonError::into_inner).found(&search.0, place))
    }

    /// A slot's row as it was given, or None when there is no such slot.
    fn row<'py>(&self, py: Python<'py>, slot: usize) -> Option<Bound<'py, PyBytes>> {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        index.row(slot).map(|row| {
            let bytes: Vec<u8> = row.iter().flat_map(|number| number.to_ne_bytes()).collect();
            PyBytes::new(py, &bytes)
        })
    }
}

/// Rows that are looked for together in a FlatIndex, see its `search`.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct FlatSearch(Search);

fn numbers(row: &[u8]) -> PyResult<Vec<f32>> {
    let (numbers, rest) = row.as_chunks::<FLOAT>();
    if rest.is_empty() {
        Ok(numbers.iter().copied().map(f32::from_ne_bytes).collect())
    } else {
        Err(PyValueError::new_err("row: not a whole number of float32"))
    }
}
