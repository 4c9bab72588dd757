//! The readers of answers and of questions for Python: conversions only.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use shadowlane_answers::{Answer, Call, Citation, QuestionNames, Reader, SHAPES, UsageNames, question};
use shadowlane_redact::Sanitizer as Core;

use crate::convert::detached;
use crate::sanitize::Sanitizer;

type Names = (Vec<String>, Vec<String>, Vec<String>, Vec<String>, Vec<String>, Vec<String>);

/// AnswerReader(names, most): reads the answers of the shapes that are compiled.
///
/// `names`: under which names tokens are counted, as `UsageNames` of the providers. `most`: the most bytes that a
/// compressed body is inflated to.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct AnswerReader {
    core: Reader,
}

#[pymethods]
impl AnswerReader {
    #[new]
    fn new(names: Names, most: usize) -> Self {
        let (input, output, total, cached, cache_write, details) = names;
        let names = UsageNames { input, output, total, cached, cache_write, details };
        Self { core: Reader::new(names, most) }
    }

    /// The fields of an `Answer` in their order, citations and calls as tuples of theirs; `None` when the body is left to
    /// the readers in Python. `declared`: a media type says that it holds server-sent events. `sanitizer`: every text of the
    /// answer of `least` characters or more is put through its `again`.
    #[pyo3(signature = (body, declared, sanitizer=None, least=0))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        body: &[u8],
        declared: bool,
        sanitizer: Option<&Bound<'py, Sanitizer>>,
        least: usize,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let sanitizer = sanitizer.map(|sanitizer| &*sanitizer.get().core);
        let read = detached(py, || {
            let mut answer = self.core.read(body, declared)?;
            if let Some(sanitizer) = sanitizer {
                clean(&mut answer, sanitizer, least);
            }
            Some(answer)
        });
        read?.map(|answer| fields(py, answer)).transpose()
    }
}

/// QuestionReader(turns, settings, fields, passing): reads what requests ask.
///
/// `turns`: the fields with the turns of a conversation; `settings`: fields of which every answer depends; `fields`: those
/// with a question of their own; `passing`: members that tell one run of a conversation from another, and not what was
/// said in it.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct QuestionReader {
    names: QuestionNames,
}

#[pymethods]
impl QuestionReader {
    #[new]
    fn new(turns: Vec<String>, settings: Vec<String>, fields: Vec<String>, passing: Vec<String>) -> Self {
        Self { names: QuestionNames { turns, settings, fields, passing } }
    }

    /// What the user says (empty: nothing that is known) and the 64-bit hash of all that the answer depends on beside it;
    /// `None` when the body is left to the reader in Python.
    fn read(&self, py: Python<'_>, method: &str, path: &str, body: &[u8]) -> PyResult<Option<(String, u64)>> {
        let found = detached(py, || question(&self.names, method, path, body))?;
        Ok(found.map(|found| (found.text, found.scope)))
    }
}

/// Puts every text of an answer that was read through `again`; what the core itself says of it is none.
fn clean(answer: &mut Answer, sanitizer: &Core, least: usize) {
    // Taken apart, so that no field that is added is forgotten.
    let Answer {
        text,
        citations,
        calls,
        finish_reason,
        usage: _,
        cached: _,
        refusal: _,
        model,
        model_rev,
        index_hash,
        kind: _,
        incomplete: _,
        note,
    } = answer;
    let one = |text: &mut String| {
        if text.len() >= least && text.chars().nth(least.saturating_sub(1)).is_some() {
            *text = sanitizer.again(text);
        }
    };
    [text, finish_reason, model, model_rev, index_hash, note].into_iter().for_each(one);
    for citation in citations {
        let Citation {
            snippet_id,
            section_id,
            source_url,
            offsets: _,
            tokens: _,
            score: _,
            index_hash,
            analyzer,
            text,
        } = citation;
        [snippet_id, section_id, source_url, index_hash, analyzer, text].into_iter().for_each(one);
    }
    for Call { name, arguments, id } in calls {
        [name, arguments, id].into_iter().for_each(one);
    }
}

fn fields(py: Python<'_>, answer: Answer) -> PyResult<Bound<'_, PyTuple>> {
    let citations = answer.citations.into_iter().map(|citation| citation_fields(py, citation));
    let citations = PyTuple::new(py, citations.collect::<PyResult<Vec<_>>>()?)?;
    let calls = answer.calls.into_iter().map(|call| (call.name, call.arguments, call.id));
    let calls = PyTuple::new(py, calls.collect::<Vec<_>>())?;
    let all = [
        answer.text.into_pyobject(py)?.into_any(),
        citations.into_any(),
        calls.into_any(),
        answer.finish_reason.into_pyobject(py)?.into_any(),
        counts(py, &answer.usage)?.into_any(),
        counts(py, &answer.cached)?.into_any(),
        answer.refusal.into_pyobject(py)?.to_owned().into_any(),
        answer.model.into_pyobject(py)?.into_any(),
        answer.model_rev.into_pyobject(py)?.into_any(),
        answer.index_hash.into_pyobject(py)?.into_any(),
        answer.kind.into_pyobject(py)?.into_any(),
        answer.incomplete.into_pyobject(py)?.into_any(),
        answer.note.into_pyobject(py)?.into_any(),
    ];
    PyTuple::new(py, all)
}

fn counts<'py>(py: Python<'py>, counts: &[(&'static str, u64)]) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    for (name, count) in counts {
        found.set_item(name, count)?;
    }
    Ok(found)
}

fn citation_fields(py: Python<'_>, one: Citation) -> PyResult<Bound<'_, PyTuple>> {
    (
        one.snippet_id,
        one.section_id,
        one.source_url,
        one.offsets,
        one.tokens,
        one.score,
        one.index_hash,
        one.analyzer,
        one.text,
    )
        .into_pyobject(py)
}

/// Adds what is known of the shapes to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let shapes = SHAPES.iter().map(|shape| (shape.module, shape.is_read()));
    module.add("ANSWER_SHAPES", PyTuple::new(module.py(), shapes.collect::<Vec<_>>())?)?;
    module.add_class::<AnswerReader>()?;
    module.add_class::<QuestionReader>()
}
