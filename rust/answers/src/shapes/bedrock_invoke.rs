//! What Bedrock's `invoke` returns for Titan, Llama, Mistral and Jurassic; see `shadowlane.providers.bedrock`.

use super::super::draft::{Draft, Number};
use super::super::json::{Object, Value, truthy};
use super::super::usage::set;

pub fn matches(value: &Object<'_>) -> bool {
    value.text("outputText").is_some() || shape(value).is_some()
}

/// Which of the shapes holds.
enum Invoke<'a, 'b> {
    Titan(Vec<&'a Object<'b>>),
    Llama(&'a str),
    Mistral(Vec<&'a Object<'b>>),
    Jurassic(Vec<&'a Object<'b>>),
}

fn shape<'a, 'b>(value: &'a Object<'b>) -> Option<Invoke<'a, 'b>> {
    let titan: Vec<_> = value.objects("results").filter(|item| item.text("outputText").is_some()).collect();
    if !titan.is_empty() {
        return Some(Invoke::Titan(titan));
    }
    if let Some(text) = value.text("generation") {
        return Some(Invoke::Llama(text));
    }
    let mistral: Vec<_> = value.objects("outputs").filter(|item| item.text("text").is_some()).collect();
    if !mistral.is_empty() {
        return Some(Invoke::Mistral(mistral));
    }
    let says = |item: &&Object<'_>| item.object("data").text("text").is_some() || item.text("completion").is_some();
    let jurassic: Vec<_> = value.objects("completions").filter(says).collect();
    (!jurassic.is_empty()).then_some(Invoke::Jurassic(jurassic))
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    let found = if value.text("outputText").is_some() { Some(Invoke::Titan(vec![value])) } else { shape(value) };
    match found {
        Some(Invoke::Titan(items)) => read_titan(&items, draft),
        Some(Invoke::Llama(text)) => {
            draft.kind = "bedrock.llama";
            draft.add_text(text, 0, 0);
            draft.finish(value.get("stop_reason"), 0);
        }
        Some(Invoke::Mistral(items)) => {
            draft.kind = "bedrock.mistral";
            for (position, item) in items.into_iter().enumerate() {
                draft.add_text(item.str("text"), position as Number, 0);
                draft.finish(item.get("stop_reason"), position as Number);
            }
        }
        Some(Invoke::Jurassic(items)) => {
            draft.kind = "ai21.completions";
            for (position, item) in items.into_iter().enumerate() {
                let text = item.object("data").str("text");
                draft.add_text(if text.is_empty() { item.str("completion") } else { text }, position as Number, 0);
                let named = item.get("finishReason");
                let reason = if truthy(named) { named } else { item.get("finish_reason") };
                let inner = match reason {
                    Some(Value::Object(object)) => object.get("reason"),
                    other => other,
                };
                draft.finish(inner, position as Number);
            }
        }
        None => return draft.give_up(),
    }
    // Counts beside the text; in a stream only the last chunk's metrics are whole.
    let counts = value.0.iter().filter(|(name, _)| value.count(name).is_some()).cloned().collect();
    draft.count_tokens(&Object(counts), &[]);
    draft.count_tokens(value.object("amazon-bedrock-invocationMetrics"), &[]);
    let model = value.first(&["model", "model_version"]);
    if !model.is_empty() {
        model.clone_into(&mut draft.model);
    }
    draft.ended = draft.all_finished();
}

fn read_titan(items: &[&Object<'_>], draft: &mut Draft<'_>) {
    draft.kind = "bedrock.titan";
    for (position, item) in items.iter().enumerate() {
        draft.add_text(item.str("outputText"), position as Number, 0);
        draft.finish(item.get("completionReason"), position as Number);
        draft.count_tokens(item, &[]);
    }
    let counts: Vec<u64> = items.iter().filter_map(|item| item.count("tokenCount")).collect();
    if !counts.is_empty() {
        set(&mut draft.usage, "output_tokens", counts.iter().sum());
    }
}
