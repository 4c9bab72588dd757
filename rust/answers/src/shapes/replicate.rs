//! Replicate's predictions, recognised; see `shadowlane.providers.replicate`.

use super::super::json::Object;

pub fn matches(value: &Object<'_>) -> bool {
    value.has("status") && value.has("input") && value.object("urls").has("get")
}
