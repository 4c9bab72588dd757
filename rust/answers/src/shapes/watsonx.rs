//! IBM watsonx text generation, whole and streamed; see `shadowlane.providers.watsonx`.

use super::super::draft::{Draft, Number};
use super::super::json::{Object, truthy};
use super::take;

pub fn matches(value: &Object<'_>) -> bool {
    value.objects("results").any(|item| item.text("generated_text").is_some())
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "watsonx";
    for (position, item) in value.objects("results").enumerate() {
        let position = position as Number;
        draft.add_text(item.str("generated_text"), position, 0);
        let reason = item.str("stop_reason");
        draft.finish_text(if reason.to_lowercase() == "not_finished" { "" } else { reason }, position);
        // Only the first event counts the prompt, later ones say 0.
        let counts = ["input_token_count", "generated_token_count"].into_iter().filter_map(|name| {
            item.get(name).filter(|count| truthy(Some(count))).map(|count| (name.into(), count.clone()))
        });
        draft.count_tokens(&Object(counts.collect()), &[]);
    }
    take("model_id", value, &mut draft.model);
    take("model_version", value, &mut draft.model_rev);
    draft.ended = draft.all_finished();
}
