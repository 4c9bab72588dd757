//! The read-only policy for Python: conversions only. Verdicts are `(kind, reason)`; `shadowlane.policy` names them.

#![allow(clippy::needless_pass_by_value, reason = "pyo3 converts Python's values into owned ones")]

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use shadowlane_base::guarded;
use shadowlane_lane::jcs;
use shadowlane_policy::{self as policy, Effect, Options, Policy as Core, PolicyOptions, ToolMode};

use crate::convert::{detached, raise};
use crate::keywords::Keywords;

type Verdict = (&'static str, String);

/// What a classifier says. Where it panics nobody knows that the input only reads: it is a write.
fn verdict(py: Python<'_>, classify: impl FnOnce() -> Effect + Send) -> Verdict {
    #[expect(clippy::disallowed_methods, reason = "guarded here, since a fault is a verdict")]
    let effect = py.detach(|| guarded(classify)).unwrap_or_else(|fault| Effect::write(fault.to_string()));
    (effect.kind.name(), effect.reason.into_owned())
}

/// What the request does when it is sent once more: `("read" | "write", reason)`.
#[pyfunction]
#[pyo3(signature = (method, target, headers, body, preset = "openai"))]
fn classify_request(
    py: Python<'_>,
    method: &[u8],
    target: &[u8],
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: &[u8],
    preset: &str,
) -> Verdict {
    let headers: Vec<(&[u8], &[u8])> =
        headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
    verdict(py, || policy::classify_request(method, target, &headers, body, preset))
}

/// What one SQL statement does: `("read" | "write", reason)`.
#[pyfunction]
#[pyo3(signature = (text, dialect = "ansi"))]
fn classify_sql(py: Python<'_>, text: &str, dialect: &str) -> Verdict {
    verdict(py, || policy::classify_sql(text, dialect))
}

/// What the selected operation of a GraphQL document does: `("read" | "write", reason)`.
#[pyfunction]
#[pyo3(signature = (document, operation_name = None))]
fn classify_graphql(py: Python<'_>, document: &str, operation_name: Option<&str>) -> Verdict {
    verdict(py, || policy::classify_graphql(document, operation_name))
}

/// What a JSON-RPC or MCP message or batch does: `("read" | "write", reason)`.
#[pyfunction]
#[pyo3(signature = (body, allow_tools = Vec::new()))]
fn classify_jsonrpc(py: Python<'_>, body: &[u8], allow_tools: Vec<String>) -> Verdict {
    verdict(py, || policy::classify_jsonrpc(body, &allow_tools))
}

/// What calling a tool does, from its definition as JSON: `("read" | "write", reason)`.
#[pyfunction]
fn classify_tool_json(py: Python<'_>, definition: &[u8]) -> Verdict {
    verdict(py, || policy::classify_tool_json(definition))
}

/// Policy(*, read=(), allow_tools=(), read_only_hint=False, tool_mode="stub", stream=None, temperature=None,
/// seed=None, acting_gets=None, keep_members=()): what a lane takes for a read, and how it changes the copies of inference
/// requests.
///
/// `read`: presets and patterns, both as in `[routes]`; the rest as in `[policy]`. Raises shadowlane.ConfigError for a
/// preset, pattern or name of a GET that is none, ValueError for an unknown `tool_mode`, TypeError for an unknown keyword.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Policy {
    pub core: Core,
}

#[pymethods]
impl Policy {
    #[new]
    #[pyo3(signature = (**options))]
    fn new(py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut given = Keywords::new("Policy", options);
        let options = PolicyOptions {
            read: given.take_or("read", Vec::new())?,
            allow_tools: given.take_or("allow_tools", Vec::new())?,
            read_only_hint: given.take_or("read_only_hint", false)?,
            acting_gets: given.take_or("acting_gets", None)?,
            copy: copy_options(&mut given)?,
        };
        given.finish()?;
        Ok(Self { core: Core::new(options).map_err(|error| raise(py, &error))? })
    }
}

/// How copies of inference requests change, without the model.
fn copy_options(given: &mut Keywords<'_, '_>) -> PyResult<Options> {
    let tool_mode: String = given.take_or("tool_mode", "stub".to_owned())?;
    Ok(Options {
        tool_mode: mode(&tool_mode)?,
        stream: given.take_or("stream", None)?,
        model: None,
        temperature: given.take_or("temperature", None)?,
        seed: given.take_or("seed", None)?,
        keep_members: given.take_or("keep_members", Vec::new())?,
    })
}

fn mode(name: &str) -> PyResult<ToolMode> {
    ToolMode::from_name(name)
        .ok_or_else(|| PyValueError::new_err(format!("tool_mode: {name:?} is not strip, none or stub")))
}

/// The request with the shadow's model in body and path: `(target, body, changes)`. `preset` is empty where the request is
/// not known to be inference: then only a `model` at the top of a JSON object is rewritten.
#[pyfunction]
fn rewrite_model<'py>(
    py: Python<'py>,
    preset: &str,
    target: &str,
    body: &[u8],
    model: &str,
) -> PyResult<(String, Bound<'py, PyBytes>, Vec<String>)> {
    let copy = detached(py, || policy::rewrite_model(preset, target.as_bytes(), body, model))?
        .map_err(PyValueError::new_err)?;
    let target = copy.target.unwrap_or_else(|| target.to_owned());
    Ok((target, PyBytes::new(py, &copy.body), copy.changes))
}

/// The canonical form of a JSON text (RFC 8785), or `None` when it has none (not JSON, a name twice, a fraction out of
/// range).
#[pyfunction]
fn canonical_json<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
    Ok(detached(py, || jcs::canonicalize(text))?.map(|canonical| PyBytes::new(py, &canonical)))
}

/// The body that a shadow may get, and the list of what was changed. Raises ValueError if there is none.
#[pyfunction]
#[pyo3(signature = (preset, target, body, **options))]
fn normalise_llm_body<'py>(
    py: Python<'py>,
    preset: &str,
    target: &[u8],
    body: &[u8],
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<(Bound<'py, PyBytes>, Vec<String>)> {
    let mut given = Keywords::new("normalise_llm_body", options);
    let model = given.take_or("model", None)?;
    let options = Options { model, ..copy_options(&mut given)? };
    given.finish()?;
    let copy =
        detached(py, || policy::normalise_llm_body(preset, target, body, &options))?.map_err(PyValueError::new_err)?;
    Ok((PyBytes::new(py, &copy.body), copy.changes))
}

/// Adds the functions of this file to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(classify_request, module)?)?;
    module.add_function(wrap_pyfunction!(classify_sql, module)?)?;
    module.add_function(wrap_pyfunction!(classify_graphql, module)?)?;
    module.add_function(wrap_pyfunction!(classify_jsonrpc, module)?)?;
    module.add_function(wrap_pyfunction!(classify_tool_json, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_llm_body, module)?)?;
    module.add_function(wrap_pyfunction!(rewrite_model, module)?)?;
    module.add_function(wrap_pyfunction!(canonical_json, module)?)?;
    module.add("PRESET_NAMES", PyTuple::new(module.py(), policy::PRESET_NAMES)?)?;
    module.add("ACTING_GETS", PyTuple::new(module.py(), policy::ACTING_GETS)?)?;
    module.add_class::<Policy>()
}
