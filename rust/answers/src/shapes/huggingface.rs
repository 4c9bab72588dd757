//! Hugging Face text generation, whole and streamed; see `shadowlane.providers.huggingface`.

use super::super::draft::Draft;
use super::super::json::{Object, Value};
use super::super::usage::set;

pub fn matches(value: &Object<'_>) -> bool {
    value.text("generated_text").is_some() || value.object("token").text("text").is_some()
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "huggingface";
    let token = value.object("token");
    if let Some(text) = value.text("generated_text") {
        if token.is_empty() {
            draft.add_text(text, draft.events, 0);
        } else {
            draft.replace(text, 0, 0); // the last token's event repeats the whole text
        }
        draft.ended = true;
    } else if !token.is_true("special") {
        draft.add_text(token.str("text"), 0, 0);
    }
    let details = value.object("details");
    draft.finish(details.get("finish_reason"), 0);
    draft.count_tokens(details, &[]);
    if let Some(Value::Array(prefill)) = details.get("prefill")
        && !prefill.is_empty()
    {
        set(&mut draft.usage, "input_tokens", prefill.len() as u64);
    }
}
