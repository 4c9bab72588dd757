//! JSON-RPC 2.0, recognised; see `shadowlane.providers.jsonrpc`.

use super::super::json::Object;

pub fn matches(value: &Object<'_>) -> bool {
    value.has("jsonrpc") && value.has("result")
}
