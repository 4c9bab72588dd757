//! Header fields out of Python's pairs: of `bytes`, or of `str` where a library has them so (http.client and WSGI, whose
//! text is latin-1). What can be is lent where it is.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};
use shadowlane_base::Header;

type Pair<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// Header fields as Python objects, kept alive by the value.
pub struct Headers<'py> {
    pairs: Vec<Pair<'py>>,
}

impl<'py> Headers<'py> {
    /// From any iterable of `(bytes, bytes)` pairs.
    pub fn new(headers: &Bound<'py, PyAny>) -> PyResult<Self> {
        Self::of(headers, |part| Ok(part.cast_into::<PyBytes>()?))
    }

    /// The same, where names and values may be `str` of latin-1 too. Raises `UnicodeEncodeError` for other text.
    pub fn of_text(headers: &Bound<'py, PyAny>) -> PyResult<Self> {
        Self::of(headers, encoded)
    }

    fn of(
        headers: &Bound<'py, PyAny>,
        part: impl Fn(Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>>,
    ) -> PyResult<Self> {
        let pair = |item: &Bound<'py, PyAny>| {
            if let Ok(tuple) = item.cast::<PyTuple>()
                && tuple.len() == 2
            {
                return PyResult::Ok((part(tuple.get_item(0)?)?, part(tuple.get_item(1)?)?));
            }
            // ASGI asks for two-item iterables; tuples are the common case.
            let (name, value) = (item.get_item(0)?, item.get_item(1)?);
            Ok((part(name)?, part(value)?))
        };
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
    pub fn iter(&self) -> impl Iterator<Item = Header<'_>> {
        self.pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }

    /// Borrowed names and values, collected.
    pub fn slices(&self) -> Vec<Header<'_>> {
        self.iter().collect()
    }
}

fn encoded(part: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyBytes>> {
    match part.cast_into::<PyString>() {
        Ok(text) => {
            // SAFETY: `text` is a str, and what is returned is a new reference, or null with an exception set.
            let made =
                unsafe { Bound::from_owned_ptr_or_err(text.py(), pyo3::ffi::PyUnicode_AsLatin1String(text.as_ptr())) }?;
            Ok(made.cast_into::<PyBytes>()?)
        }
        Err(other) => Ok(other.into_inner().cast_into::<PyBytes>()?),
    }
}

/// The few header fields that a decision needs, out of a list or tuple of pairs of `bytes` or ASCII `str`. Read where they
/// are: no reference is counted and nothing is allocated, since this runs for every request of a gateway.
pub struct WantedHeaders<'a> {
    pairs: [Header<'a>; 8],
    used: usize,
}

impl<'a> WantedHeaders<'a> {
    /// The pairs whose name is `wanted`, lent. `None` when `headers` is anything else, when too many are wanted (then use
    /// [`Headers`]), or when threads run without the GIL and could change the list meanwhile.
    ///
    /// # Safety
    /// As for [`lend_all`]; `wanted` runs no Python code.
    pub unsafe fn lend(headers: &'a Bound<'_, PyAny>, wanted: impl Fn(&[u8]) -> bool) -> Option<Self> {
        let rows = Rows::of(headers)?;
        let mut found = Self { pairs: [(&[], &[]); 8], used: 0 };
        for index in 0..rows.len() {
            // SAFETY: handed on to the caller.
            let (name, value) = unsafe { rows.pair(index) }?;
            // SAFETY: the same.
            let name = unsafe { text_of(name) }?;
            if wanted(name) {
                // SAFETY: the same.
                *found.pairs.get_mut(found.used)? = (name, unsafe { text_of(value) }?);
                found.used += 1;
            }
        }
        Some(found)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> {
        self.pairs.iter().take(self.used).copied()
    }
}

/// Every pair of a list or tuple of pairs of `bytes` or ASCII `str`, lent. `None` when `headers` is anything else, or when
/// threads run without the GIL and could change the list meanwhile.
///
/// # Safety
/// What is lent is the list's own: no reference is counted. Until its last use nothing may run Python code or give the GIL
/// up, since either could change the list: no Python object is made, called, compared or released. Nothing that was lent is
/// used after another call has given `None`: the exception that it met and forgot was such an object.
pub unsafe fn lend_all<'a>(headers: &'a Bound<'_, PyAny>) -> Option<Vec<Header<'a>>> {
    let rows = Rows::of(headers)?;
    let mut pairs = Vec::with_capacity(rows.len());
    for index in 0..rows.len() {
        // SAFETY: handed on to the caller.
        let (name, value) = unsafe { rows.pair(index) }?;
        // SAFETY: the same.
        pairs.push(unsafe { (text_of(name)?, text_of(value)?) });
    }
    Some(pairs)
}

/// Names in small letters (RFC 9110 section 5.1: case does not matter). Those that are not are made so in `room`.
pub fn folded<'a>(mut headers: Vec<Header<'a>>, room: &'a mut Vec<u8>) -> Vec<Header<'a>> {
    let is_folded = |name: &[u8]| !name.iter().any(u8::is_ascii_uppercase);
    for (name, _) in headers.iter().filter(|(name, _)| !is_folded(name)) {
        room.extend(name.iter().map(u8::to_ascii_lowercase));
    }
    let mut rest: &'a [u8] = room;
    for (name, _) in headers.iter_mut().filter(|(name, _)| !is_folded(name)) {
        (*name, rest) = rest.split_at(name.len());
    }
    headers
}

type BorrowedPair<'a, 'py> = (Borrowed<'a, 'py, PyAny>, Borrowed<'a, 'py, PyAny>);

enum Rows<'a, 'py> {
    List(&'a Bound<'py, PyList>),
    Tuple(&'a Bound<'py, PyTuple>),
}

impl<'a, 'py> Rows<'a, 'py> {
    fn of(headers: &'a Bound<'py, PyAny>) -> Option<Self> {
        if cfg!(Py_GIL_DISABLED) {
            return None;
        }
        let list = headers.cast::<PyList>().map(Self::List);
        list.or_else(|_| headers.cast::<PyTuple>().map(Self::Tuple)).ok()
    }

    fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Tuple(tuple) => tuple.len(),
        }
    }

    /// # Safety
    /// As for [`lend_all`].
    unsafe fn pair(&self, index: usize) -> Option<BorrowedPair<'a, 'py>> {
        let index = index.cast_signed();
        let (py, item) = match self {
            // SAFETY: `PyList_GetItem` checks the index and lends the list's own reference.
            Self::List(list) => (list.py(), unsafe { pyo3::ffi::PyList_GetItem(list.as_ptr(), index) }),
            // SAFETY: the same of a tuple, which never changes.
            Self::Tuple(tuple) => (tuple.py(), unsafe { pyo3::ffi::PyTuple_GetItem(tuple.as_ptr(), index) }),
        };
        // SAFETY: it stays good until the last use: the GIL is held, and the caller promises that nothing changes the
        // list before that.
        let item = unsafe { Borrowed::from_ptr_or_opt(py, item) }?;
        let tuple = item.cast::<PyTuple>().ok().filter(|tuple| tuple.len() == 2)?;
        let lend = |index| {
            // SAFETY: as above; a tuple never changes, and the list holds it.
            unsafe { Borrowed::from_ptr_or_opt(py, pyo3::ffi::PyTuple_GetItem(tuple.as_ptr(), index)) }
        };
        Some((lend(0)?, lend(1)?))
    }
}

/// The bytes of `bytes`, or of ASCII text, where they are. Text that is not ASCII is `None`: its latin-1 has to be made.
/// Python keeps the UTF-8 of such text beside it, for as long as the text lives.
///
/// # Safety
/// As for [`lend_all`].
unsafe fn text_of<'a>(part: Borrowed<'a, '_, PyAny>) -> Option<&'a [u8]> {
    if let Ok(bytes) = part.cast::<PyBytes>() {
        let start = std::ptr::from_ref(bytes.as_bytes());
        // SAFETY: the memory is the object's, which lives for `'a` by the type of `part` and never changes.
        return Some(unsafe { &*start });
    }
    let text = part.cast::<PyString>().ok()?;
    let mut size = 0;
    // SAFETY: `text` is a str. ASCII text is its own UTF-8, which is given without anything being made.
    let start = unsafe { pyo3::ffi::PyUnicode_AsUTF8AndSize(text.as_ptr(), &raw mut size) };
    if start.is_null() {
        // SAFETY: the GIL is held, and the exception is ours: a surrogate, or no memory.
        unsafe { pyo3::ffi::PyErr_Clear() };
        return None;
    }
    // SAFETY: `size` bytes that belong to the object, which lives for `'a` by the type of `part` and never changes.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), size.cast_unsigned()) };
    bytes.is_ascii().then_some(bytes)
}
