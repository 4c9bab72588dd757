//! Names of parameters and members that say what a request does, wherever they stand: in a query, a form, a JSON body.

use super::effect::shown;

pub(super) const OVERRIDE_PARAMETERS: &[&str] = &[
    "_method",
    "method",
    "$httpmethod",
    "http_method",
    "httpmethod",
    "verb",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];
pub(super) const OPERATION_PARAMETERS: &[&str] = &["action", "cmd", "command", "do", "op", "operation"];
const UNSAFE_METHODS: &[&str] =
    &["POST", "PUT", "PATCH", "DELETE", "CONNECT", "MERGE", "MOVE", "COPY", "LINK", "UNLINK"];

/// Members and parameters that select a tool.
pub(super) const TOOL_PARAMETERS: &[&str] =
    &["function_name", "functionname", "procedure", "tool", "tool_name", "toolname"];

/// The members and parameters that carry a statement.
pub const SQL_MEMBERS: &[&str] = &["query", "sql", "statement", "stmt", "q"];

/// Whether a parameter, of a query or of a form, asks for another method or a writing operation.
pub fn parameter_overrides(method: &str, parameters: &[(String, String)]) -> Option<String> {
    for (name, value) in parameters {
        let value = value.trim();
        if OVERRIDE_PARAMETERS.contains(&name.as_str())
            && is_unsafe_method(value)
            && !value.eq_ignore_ascii_case(method)
        {
            return Some(format!("parameter {} overrides the method", shown(name)));
        }
        // RFC 9110 §9.2.1 names `page?do=delete` as the case to look out for.
        let operation = OPERATION_PARAMETERS.contains(&name.as_str()) && super::tool::writes(value);
        if operation || (TOOL_PARAMETERS.contains(&name.as_str()) && super::tool::asks_write(value)) {
            return Some(format!("parameter {} asks for a write", shown(name)));
        }
    }
    None
}

/// Whether a text names a method that writes, whatever its case.
pub fn is_unsafe_method(text: &str) -> bool {
    UNSAFE_METHODS.iter().any(|method| text.eq_ignore_ascii_case(method))
}

/// The value decoded once more, where that changes it: some servers do.
pub fn decoded_twice(value: &str) -> Option<String> {
    let decoded = super::target::decode(value);
    (value.contains('%') && decoded != value).then_some(decoded)
}
