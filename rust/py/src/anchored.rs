//! Anchored ΔS for Python: conversions only.

#![allow(clippy::needless_pass_by_value, reason = "pyo3 converts Python's values into owned ones")]

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use shadowlane_anchored::anchor;

use crate::convert::detached;

type Span = (usize, usize);
/// Kind, component, span of a, span of b.
type Contradiction = (&'static str, &'static str, Span, Span);

/// What one text says and the other does not: the share of its sentences, and where they stand.
type Unmatched = (f64, Vec<Span>);
/// Anchored ΔS, whether the clauses could not be compared for their language, whether a text was read in part only, each
/// contradiction, what is missing and what is extra.
type Anchored = (f64, bool, bool, Vec<Contradiction>, Unmatched, Unmatched);

/// Two texts whose plain ΔS is known: anchored ΔS, whether their clauses were not compared (a language that is not
/// known, or two), whether one was read in part only, each contradiction as `(kind, component, span of a, span of b)`,
/// and what is missing and what is extra, each as `(share, spans)`. Spans are in characters.
#[pyfunction]
fn anchor_pair(py: Python<'_>, text_a: PyBackedStr, text_b: PyBackedStr, delta: f64) -> PyResult<Anchored> {
    let found = detached(py, || anchor(&text_a, &text_b, delta))?;
    let evidence = found.evidence.iter().map(|item| (item.kind, item.component.name(), item.a, item.b)).collect();
    let (missing, extra) = ((found.missing.share, found.missing.spans), (found.extra.share, found.extra.spans));
    Ok((found.anchored, found.foreign, found.cut, evidence, missing, extra))
}

/// Anchored ΔS of many pairs, without the GIL. Raises ValueError when the lengths differ.
#[pyfunction]
fn anchor_pairs(
    py: Python<'_>,
    texts_a: Vec<PyBackedStr>,
    texts_b: Vec<PyBackedStr>,
    delta: Vec<f64>,
) -> PyResult<Vec<f64>> {
    if texts_a.len() != texts_b.len() || texts_a.len() != delta.len() {
        return Err(PyValueError::new_err("texts_a, texts_b and delta differ in length"));
    }
    detached(py, || {
        let pairs = texts_a.iter().zip(&texts_b).zip(&delta);
        pairs.map(|((one, other), plain)| anchor(one, other, *plain).anchored).collect()
    })
}

/// Anchored ΔS, whether there is a contradiction, the shares of what is missing and of what is extra, whether the clauses
/// could not be compared for their language, and whether a text was read in part only.
type Verdict = (f64, bool, f64, f64, bool, bool);

/// Many pairs of texts whose plain ΔS is known, compared without the GIL: for each `(anchored, contradicted, missing,
/// extra, foreign, cut)`, as `anchor_pair` says them, without its spans. Raises ValueError when the lengths differ.
#[pyfunction]
fn anchor_verdicts(
    py: Python<'_>,
    texts_a: Vec<PyBackedStr>,
    texts_b: Vec<PyBackedStr>,
    delta: Vec<f64>,
) -> PyResult<Vec<Verdict>> {
    if texts_a.len() != texts_b.len() || texts_a.len() != delta.len() {
        return Err(PyValueError::new_err("texts_a, texts_b and delta differ in length"));
    }
    detached(py, || {
        let pairs = texts_a.iter().zip(&texts_b).zip(&delta);
        let verdict = |((one, other), plain): ((&PyBackedStr, &PyBackedStr), &f64)| {
            let found = anchor(one, other, *plain);
            let contradicted = !found.evidence.is_empty();
            (found.anchored, contradicted, found.missing.share, found.extra.share, found.foreign, found.cut)
        };
        pairs.map(verdict).collect()
    })
}

/// Adds the functions of this file to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(anchor_pair, module)?)?;
    module.add_function(wrap_pyfunction!(anchor_pairs, module)?)?;
    module.add_function(wrap_pyfunction!(anchor_verdicts, module)?)
}
