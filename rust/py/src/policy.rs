//! The read-only policy for Python: conversions only. Verdicts are `(kind, reason)`; `shadowlane.policy` names them.

#![allow(clippy::needless_pass_by_value, reason = "pyo3 converts Python's values into owned ones")]

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shadowlane_core::policy::{self, Effect, Options, ToolMode};

type Verdict = (&'static str, String);

fn verdict(effect: Effect) -> Verdict {
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
    verdict(py.detach(|| policy::classify_request(method, target, &headers, body, preset)))
}

/// What one SQL statement does: `("read" | "write", reason)`.
#[pyfunction]
#[pyo3(signature = (text, dialect = "ansi"))]
fn classify_sql(py: Python<'_>, text: &str, dialect: &str) -> Verdict {
    verdict(py.detach(|| policy::classify_sql(text, dialect)))
}

/// What the selected operation of a GraphQL document does: `("read" | "write", reason)`.
#[pyfunction]
#[pyo3(signature = (document, operation_name = None))]
fn classify_graphql(py: Python<'_>, document: &str, operation_name: Option<&str>) -> Verdict {
    verdict(py.detach(|| policy::classify_graphql(document, operation_name)))
}

/// What a JSON-RPC or MCP message or batch does: `("read" | "write", reason)`.
#[pyfunction]
#[pyo3(signature = (body, allow_tools = Vec::new()))]
fn classify_jsonrpc(py: Python<'_>, body: &[u8], allow_tools: Vec<String>) -> Verdict {
    verdict(py.detach(|| policy::classify_jsonrpc(body, &allow_tools)))
}

/// What calling a tool does, from its definition as JSON: `("read" | "write", reason)`.
#[pyfunction]
fn classify_tool_json(py: Python<'_>, definition: &[u8]) -> Verdict {
    verdict(py.detach(|| policy::classify_tool_json(definition)))
}

/// The body that a shadow may get, and the list of what was changed. Raises ValueError if there is none.
#[pyfunction]
#[pyo3(signature = (preset, target, body, *, tool_mode = "stub", stream = None, model = None, temperature = None, seed = None))]
#[allow(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
fn normalise_llm_body<'py>(
    py: Python<'py>,
    preset: &str,
    target: &[u8],
    body: &[u8],
    tool_mode: &str,
    stream: Option<bool>,
    model: Option<String>,
    temperature: Option<f64>,
    seed: Option<i64>,
) -> PyResult<(Bound<'py, PyBytes>, Vec<String>)> {
    let tool_mode = ToolMode::from_name(tool_mode)
        .ok_or_else(|| PyValueError::new_err(format!("tool_mode: {tool_mode:?} is not strip, none or stub")))?;
    let options = Options { tool_mode, stream, model, temperature, seed };
    let copy =
        py.detach(|| policy::normalise_llm_body(preset, target, body, &options)).map_err(PyValueError::new_err)?;
    Ok((PyBytes::new(py, &copy.body), copy.changes))
}

/// Adds the functions of this file to the extension module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(classify_request, module)?)?;
    module.add_function(wrap_pyfunction!(classify_sql, module)?)?;
    module.add_function(wrap_pyfunction!(classify_graphql, module)?)?;
    module.add_function(wrap_pyfunction!(classify_jsonrpc, module)?)?;
    module.add_function(wrap_pyfunction!(classify_tool_json, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_llm_body, module)?)
}
