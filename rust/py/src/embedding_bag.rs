//! Static embeddings for Python: conversions only.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyList};
use shadowlane_anchored::embedding_bag::EmbeddingBag as Core;
use shadowlane_anchored::markup::plain;

use crate::convert::{detached, raise};

const FLOAT: usize = size_of::<f32>();

/// EmbeddingBag(table, dim, marks=None): means of token vectors, with the tokens of known words kept.
///
/// `table`: (tokens, dim) float32 in native order, row by row. Texts are read word by word where `marks` is given and the
/// text holds none of them: only give it when the tokenizer has no token across the space before a word, and no other
/// marks that cut a text. Safe to share between threads.
///
/// Raises ConfigError when the table has no row, or no whole rows.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct EmbeddingBag(Mutex<Core>);

#[pymethods]
impl EmbeddingBag {
    #[new]
    #[pyo3(signature = (table, dim, marks=None))]
    fn new(py: Python<'_>, table: &[u8], dim: usize, marks: Option<Vec<String>>) -> PyResult<Self> {
        let (numbers, rest) = table.as_chunks::<FLOAT>();
        if !rest.is_empty() {
            return Err(PyValueError::new_err("table: not a whole number of float32"));
        }
        // Straight into its blocks: the table is large, and so would be another copy of it.
        let numbers = numbers.iter().copied().map(f32::from_ne_bytes);
        let bag = Core::new(numbers, dim, marks).map_err(|error| raise(py, &error))?;
        Ok(Self(Mutex::new(bag)))
    }

    /// The mean vector of each text's tokens, its layout (tables, lists, bold) left out, as (texts, dim) float32 in native
    /// order, computed without the GIL.
    ///
    /// `tokenize` is called at most once, with the list of the words that are not known yet, and gives the list of each
    /// one's tokens; it must not use this bag. What it raises is raised, and ValueError when it gives another number.
    fn means<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<PyBackedStr>,
        tokenize: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let rows = detached(py, || {
            let texts: Vec<Cow<'_, str>> = texts.iter().map(|text| plain(text)).collect();
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            let mut bag = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            bag.means(&texts, |words| {
                Python::attach(|py| {
                    let tokens: Vec<Vec<u32>> = tokenize.call1(py, (PyList::new(py, words)?,))?.extract(py)?;
                    if tokens.len() == words.len() {
                        Ok(tokens)
                    } else {
                        Err(PyValueError::new_err("tokenize: gave another number of words than it got"))
                    }
                })
            })
        })??;
        PyBytes::new_with(py, rows.len() * FLOAT, |bytes| {
            for (element, number) in bytes.as_chunks_mut::<FLOAT>().0.iter_mut().zip(&rows) {
                *element = number.to_ne_bytes();
            }
            Ok(())
        })
    }
}
