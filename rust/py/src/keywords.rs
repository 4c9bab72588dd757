//! Keyword arguments that fill one record of options: taken by name, and the rest refused.
//!
//! Invariant: an argument that nobody takes is an error that names it, as it would be for arguments written one by one.

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The keyword arguments of one call.
pub struct Keywords<'a, 'py> {
    function: &'static str,
    given: Option<&'a Bound<'py, PyDict>>,
    taken: Vec<&'static str>,
}

impl<'a, 'py> Keywords<'a, 'py> {
    /// `function` is the name that errors begin with.
    pub fn new(function: &'static str, given: Option<&'a Bound<'py, PyDict>>) -> Self {
        Self { function, given, taken: Vec::new() }
    }

    /// One argument, or `None` when it was not given. Raises `TypeError` or `OverflowError` with its name.
    pub fn take<T: FromPyObjectOwned<'py>>(&mut self, name: &'static str) -> PyResult<Option<T>> {
        self.taken.push(name);
        let value = self.given.map(|given| given.get_item(name)).transpose()?.flatten();
        value.map(|value| value.extract::<T>().map_err(|error| self.named(value.py(), name, error.into()))).transpose()
    }

    /// One argument, or its default.
    pub fn take_or<T: FromPyObjectOwned<'py>>(&mut self, name: &'static str, default: T) -> PyResult<T> {
        Ok(self.take(name)?.unwrap_or(default))
    }

    /// Raises `TypeError` for an argument that was given and not taken.
    pub fn finish(self) -> PyResult<()> {
        for name in self.given.into_iter().flat_map(PyDictMethods::keys) {
            let name = name.cast_into::<PyString>()?;
            let name = name.to_str()?;
            if !self.taken.contains(&name) {
                let why = format!("{}() got an unexpected keyword argument '{name}'", self.function);
                return Err(PyTypeError::new_err(format!("{why}; it takes {}", self.taken.join(", "))));
            }
        }
        Ok(())
    }

    fn named(&self, py: Python<'_>, name: &str, error: PyErr) -> PyErr {
        let text = format!("{}(): {name}: {}", self.function, error.value(py));
        if error.is_instance_of::<PyTypeError>(py) {
            PyTypeError::new_err(text)
        } else if error.is_instance_of::<PyOverflowError>(py) {
            PyOverflowError::new_err(text)
        } else {
            error
        }
    }
}
