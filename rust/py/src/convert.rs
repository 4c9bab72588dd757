//! Conversions between Python's objects and the core's slices. Borrowed: nothing here copies a body.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
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

/// Headers as borrowed Python objects, kept alive by the value.
pub struct Headers<'py> {
    pairs: Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>,
}

impl<'py> Headers<'py> {
    /// From any sequence of `(bytes, bytes)` pairs.
    pub fn new(headers: &Bound<'py, PyAny>) -> PyResult<Self> {
        let mut pairs = Vec::new();
        if let Ok(list) = headers.cast::<PyList>() {
            pairs.reserve(list.len());
            for item in list {
                pairs.push(pair(&item)?);
            }
        } else {
            for item in headers.try_iter()? {
                pairs.push(pair(&item?)?);
            }
        }
        Ok(Self { pairs })
    }

    /// Borrowed names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    /// Borrowed names and values, collected.
    pub fn slices(&self) -> Vec<(&[u8], &[u8])> {
        self.iter().collect()
    }
}

/// The few headers that a decision needs, out of a list of `(bytes, bytes)` tuples. Read where they are: no reference is
/// counted and nothing is allocated, since this runs for every request of a gateway.
pub struct WantedHeaders<'a> {
    pairs: [(&'a [u8], &'a [u8]); 8],
    used: usize,
}

impl<'a> WantedHeaders<'a> {
    /// The pairs whose name is `wanted`, lent. `None` when `headers` is anything else, when too many are wanted (then use
    /// [`Headers`]), or when threads run without the GIL and could change the list meanwhile.
    ///
    /// # Safety
    /// As for [`lend_all`]; `wanted` runs no Python code.
    pub unsafe fn lend(headers: &'a Bound<'_, PyAny>, wanted: impl Fn(&[u8]) -> bool) -> Option<Self> {
        let list = headers.cast::<PyList>().ok()?;
        if cfg!(Py_GIL_DISABLED) {
            return None;
        }
        let mut found = Self { pairs: [(&[], &[]); 8], used: 0 };
        for index in 0..list.len() {
            // SAFETY: handed on to the caller.
            let (name, value) = unsafe { lend_pair(list, index.cast_signed()) }?;
            let name = bytes_of(name);
            if wanted(name) {
                *found.pairs.get_mut(found.used)? = (name, bytes_of(value));
                found.used += 1;
            }
        }
        Some(found)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.pairs.iter().take(self.used).copied()
    }
}

/// Every pair of a list of `(bytes, bytes)` tuples, lent. `None` when `headers` is anything else, or when threads run
/// without the GIL and could change the list meanwhile.
///
/// # Safety
/// What is lent is the list's own: no reference is counted. Until its last use nothing may run Python code or give the GIL
/// up, since either could change the list: no Python object is made, called, compared or released.
pub unsafe fn lend_all<'a>(headers: &'a Bound<'_, PyAny>) -> Option<Vec<(&'a [u8], &'a [u8])>> {
    let list = headers.cast::<PyList>().ok()?;
    if cfg!(Py_GIL_DISABLED) {
        return None;
    }
    let mut pairs = Vec::with_capacity(list.len());
    for index in 0..list.len() {
        // SAFETY: handed on to the caller.
        let (name, value) = unsafe { lend_pair(list, index.cast_signed()) }?;
        pairs.push((bytes_of(name), bytes_of(value)));
    }
    Some(pairs)
}

type LentPair<'a, 'py> = (Borrowed<'a, 'py, PyBytes>, Borrowed<'a, 'py, PyBytes>);

/// # Safety
/// As for [`lend_all`].
unsafe fn lend_pair<'a, 'py>(list: &'a Bound<'py, PyList>, index: isize) -> Option<LentPair<'a, 'py>> {
    let py = list.py();
    // SAFETY: `PyList_GetItem` checks the index and lends the list's own reference. It stays good until the last use: the
    // GIL is held, and the caller promises that nothing changes the list before that.
    let item = unsafe { Borrowed::from_ptr_or_opt(py, pyo3::ffi::PyList_GetItem(list.as_ptr(), index)) }?;
    let tuple = item.cast::<PyTuple>().ok().filter(|tuple| tuple.len() == 2)?;
    let lend = |index| {
        // SAFETY: as above; a tuple never changes, and the list holds it.
        unsafe { Borrowed::from_ptr_or_opt(py, pyo3::ffi::PyTuple_GetItem(tuple.as_ptr(), index)) }
    };
    Some((lend(0)?.cast().ok()?, lend(1)?.cast().ok()?))
}

fn bytes_of<'a>(bytes: Borrowed<'a, '_, PyBytes>) -> &'a [u8] {
    let start = std::ptr::from_ref(bytes.as_bytes());
    // SAFETY: the memory is the object's, which lives for `'a` by the type of `bytes` and never changes.
    unsafe { &*start }
}

/// One pair: ASGI asks for two-item iterables of bytes; tuples are the common case.
pub fn pair<'py>(item: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    if let Ok(tuple) = item.cast::<PyTuple>()
        && tuple.len() == 2
    {
        return Ok((
            tuple.get_item(0)?.cast_into::<PyBytes>().map_err(PyErr::from)?,
            tuple.get_item(1)?.cast_into::<PyBytes>().map_err(PyErr::from)?,
        ));
    }
    let (name, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = (item.get_item(0)?, item.get_item(1)?);
    Ok((name.cast_into::<PyBytes>().map_err(PyErr::from)?, value.cast_into::<PyBytes>().map_err(PyErr::from)?))
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
