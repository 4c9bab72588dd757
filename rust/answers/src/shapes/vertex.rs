//! Vertex AI Search and older predictions, recognised; see `shadowlane.providers.vertex`.

use super::super::json::{Object, Value};

pub fn is_search(value: &Object<'_>) -> bool {
    let answer = value.object("answer");
    let own = value.object("summary");
    let summary = if own.is_empty() { value.object("reply").object("summary") } else { own };
    answer.has("answerText") || (answer.has("state") && answer.has("references")) || summary.has("summaryText")
}

pub fn is_predictions(value: &Object<'_>) -> bool {
    value.array("predictions").iter().any(|item| match item {
        Value::Text(_) => true,
        item => item.object().text("content").is_some() || item.object().has("candidates"),
    })
}
