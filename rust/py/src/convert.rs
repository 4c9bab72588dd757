//! Conversions between Python's objects and the core's slices. Borrowed: nothing here copies a body.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use shadowlane_base::{Fault, guarded};

/// `shadowlane.errors` class for a core error.
pub fn raise(py: Python<'_>, error: &shadowlane_base::Error) -> PyErr {
    let class = match error {
        shadowlane_base::Error::Invalid { .. } => "ConfigError",
        _ => "LaneError",
    };
    instance(py, class, &error.to_string())
}

/// Do work of the core without the GIL. A panic in it is a shadowlane.errors.CoreError, which quotes nothing of the input:
/// pyo3 would raise a `BaseException` that no `except Exception` catches.
pub fn detached<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> PyResult<R> {
    #[expect(clippy::disallowed_methods, reason = "the one guarded use")]
    py.detach(|| guarded(work)).map_err(|fault| core_error(py, &fault))
}

/// The same for work that holds the GIL.
pub fn attached<R>(py: Python<'_>, work: impl FnOnce() -> R) -> PyResult<R> {
    guarded(work).map_err(|fault| core_error(py, &fault))
}

fn core_error(py: Python<'_>, fault: &Fault) -> PyErr {
    instance(py, "CoreError", &format!("{fault}; please report it; what it was at work on is left out"))
}

fn instance(py: Python<'_>, class: &str, text: &str) -> PyErr {
    let made =
        py.import("shadowlane.errors").and_then(|errors| errors.getattr(class)).and_then(|class| class.call1((text,)));
    match made {
        Ok(instance) => PyErr::from_value(instance),
        Err(error) => error,
    }
}

/// A body: one `bytes`, or a list of them.
pub enum Body<'py> {
    /// In one piece.
    Whole(Bound<'py, PyBytes>),
    /// In the pieces in which it passed.
    Pieces(Vec<Bound<'py, PyBytes>>),
}

impl<'py> Body<'py> {
    /// From `bytes` or a list of `bytes`.
    pub fn new(body: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(whole) = body.cast::<PyBytes>() {
            return Ok(Self::Whole(whole.clone()));
        }
        let list =
            body.cast::<PyList>().map_err(|_| PyTypeError::new_err("a body must be bytes or a list of bytes"))?;
        let mut pieces = Vec::with_capacity(list.len());
        for piece in list {
            pieces.push(match piece.cast_into::<PyBytes>() {
                Ok(bytes) => bytes,
                // A bytearray or memoryview that a framework passes on.
                Err(error) => {
                    let other = error.into_inner();
                    PyBytes::new(other.py(), &other.extract::<Vec<u8>>()?)
                }
            });
        }
        Ok(Self::Pieces(pieces))
    }

    /// Lend the pieces.
    pub fn with<R>(&self, use_it: impl FnOnce(&[&[u8]]) -> R) -> R {
        match self {
            Self::Whole(bytes) => use_it(&[bytes.as_bytes()]),
            Self::Pieces(pieces) => match pieces.as_slice() {
                [] => use_it(&[]),
                [one] => use_it(&[one.as_bytes()]),
                many => use_it(&many.iter().map(PyBytesMethods::as_bytes).collect::<Vec<_>>()),
            },
        }
    }
}

/// Text given as `str` or as ASCII `bytes`.
pub enum Text<'py> {
    /// `bytes`.
    Bytes(Bound<'py, PyBytes>),
    /// `str`.
    Str(Bound<'py, PyString>),
}

impl<'py> FromPyObject<'_, 'py> for Text<'py> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.to_owned()));
        }
        let text = value.cast::<PyString>().map_err(|_| PyTypeError::new_err("expected str or bytes"))?;
        Ok(Self::Str(text.to_owned()))
    }
}

impl Text<'_> {
    /// The bytes; text as UTF-8.
    pub fn with<R>(&self, use_it: impl FnOnce(&[u8]) -> R) -> PyResult<R> {
        match self {
            Self::Bytes(bytes) => Ok(use_it(bytes.as_bytes())),
            Self::Str(text) => Ok(use_it(text.to_cow()?.as_bytes())),
        }
    }
}

/// A `ValueError` that names the argument.
pub fn invalid(field: &str, why: &str) -> PyErr {
    PyValueError::new_err(format!("{field}: {why}"))
}
