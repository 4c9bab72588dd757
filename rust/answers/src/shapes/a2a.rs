//! The Agent2Agent protocol, recognised; see `shadowlane.providers.a2a`.

use super::super::json::{Object, truthy};

pub fn matches(value: &Object<'_>) -> bool {
    let rpc = value.has("jsonrpc");
    let inner = if rpc { value.object("result") } else { value };
    let known = matches!(inner.str("kind"), "task" | "message" | "status-update" | "artifact-update");
    let names = inner.0.iter().all(|(name, _)| Some(name) == inner.0.first().map(|(first, _)| first));
    (known && (inner.is_array("parts") || inner.has("status") || inner.has("artifact")))
        || (names && is_wrapped(inner))
        || (rpc && truthy(inner.object("status").get("state")) && inner.has("id"))
}

/// `{"task": ...}` and its like, with nothing beside it.
fn is_wrapped(inner: &Object<'_>) -> bool {
    let held = |name| inner.object(name);
    held("message").is_array("parts")
        || held("artifactUpdate").is_object("artifact")
        || ["task", "statusUpdate"].iter().any(|name| truthy(held(name).object("status").get("state")))
}
