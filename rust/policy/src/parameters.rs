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
pub(super) const OPERATION_PARAMETERS: &[&str] = &["act", "action", "cmd", "command", "do", "op", "oper", "operation"];
const UNSAFE_METHODS: &[&str] =
    &["POST", "PUT", "PATCH", "DELETE", "CONNECT", "MERGE", "MOVE", "COPY", "LINK", "UNLINK"];

/// Members and parameters that select a tool.
pub(super) const TOOL_PARAMETERS: &[&str] =
    &["function_name", "functionname", "procedure", "tool", "tool_name", "toolname"];

/// The members and parameters that carry a statement.
pub const SQL_MEMBERS: &[&str] = &["query", "sql", "statement", "stmt", "q"];

/// Whether a parameter, of a query or of a form, asks for another method or a writing operation.
pub fn parameter_overrides(method: &str, parameters: &[(String, String)]) -> Option<String> {
    parameters.iter().find_map(|(name, value)| {
        readings(value).find_map(|value| {
            let bare = bare(name);
            if OVERRIDE_PARAMETERS.contains(&bare) && is_unsafe_method(&value) && !value.eq_ignore_ascii_case(method) {
                return Some(format!("parameter {} overrides the method", shown(name)));
            }
            // RFC 9110 §9.2.1 names `page?do=delete` as the case to look out for.
            let operation = is_operation(bare) && super::tool::writes(&value);
            (operation || (TOOL_PARAMETERS.contains(&bare) && super::tool::asks_write(&value)))
                .then(|| format!("parameter {} asks for a write", shown(name)))
        })
    })
}

/// Whether a parameter of that name says what is done.
pub fn is_operation(name: &str) -> bool {
    OPERATION_PARAMETERS.contains(&name.trim_start_matches(['_', '$']))
}

/// A parameter's name without what makes a list or a member of it: `action[]`, `action[0]`, `form.action`, `form[action]`.
pub fn bare(name: &str) -> &str {
    let mut parts = name.split(['[', ']', '.']).filter(|part| !part.is_empty());
    let last = parts.next_back().unwrap_or(name);
    // An index names nothing.
    if last.bytes().all(|byte| byte.is_ascii_digit()) { parts.next_back().unwrap_or(last) } else { last }
}

/// The readings of a value: as it is, and decoded once more.
pub fn readings(value: &str) -> impl Iterator<Item = String> {
    [Some(value.trim().to_owned()), decoded_twice(value)].into_iter().flatten()
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
