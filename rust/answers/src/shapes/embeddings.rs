//! Embeddings, of any provider; see `shadowlane.providers.embeddings`.

use super::super::json::{Object, truthy};

/// Whether something stands where a provider has vectors.
pub fn may_be(value: &Object<'_>) -> bool {
    truthy(value.get("embedding"))
        || truthy(value.get("embeddings"))
        || value.objects("data").any(|item| item.has("embedding"))
        || value.objects("predictions").any(|item| item.has("embeddings"))
}
