//! OpenAI's Assistants API, recognised; see `shadowlane.providers.openai.threads`.

use super::super::json::Object;

pub fn matches(value: &Object<'_>) -> bool {
    match value.str("object") {
        "thread.message" | "thread.run" | "thread.message.delta" => true,
        "list" => value.objects("data").any(|item| item.str("object") == "thread.message"),
        _ => false,
    }
}
