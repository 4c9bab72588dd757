//! Amazon Bedrock's Converse, whole and streamed, and `RetrieveAndGenerate`; see `shadowlane.providers.bedrock`.

use super::super::answer::Citation;
use super::super::canonical::canonical;
use super::super::draft::{Draft, Number};
use super::super::json::{Object, Value};

const EVENTS: [&str; 6] =
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"];
/// Cached prompt tokens, which are counted apart.
const CACHED: &[&str] = &["cacheReadInputTokens", "cacheWriteInputTokens"];

/// `{name: payload}` for the events of a Converse stream, which are named outside of their payload; of others the payload.
pub fn named_event<'a>(name: &'a str, payload: Value<'a>) -> Value<'a> {
    let object = if let Value::Object(object) = payload { object } else { Object::default() };
    let named = EVENTS.contains(&name);
    Value::Object(if named { Object(vec![(name.into(), Value::Object(object))]) } else { object })
}

pub fn matches(value: &Object<'_>) -> bool {
    let output = value.object("output");
    if output.is_object("message") {
        return true;
    }
    if output.text("text").is_some() && (value.has("sessionId") || value.has("citations")) {
        return true;
    }
    let mut named = EVENTS.iter().filter(|name| value.has(name));
    match (named.next(), named.next()) {
        // Many bodies have some metadata.
        (Some(&"metadata"), None) => {
            let metadata = value.object("metadata");
            metadata.has("usage") || metadata.has("metrics")
        }
        (Some(name), None) => value.is_object(name),
        _ => false,
    }
}

pub fn read(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.kind = "bedrock.converse";
    let output = value.object("output");
    if let Some(text) = output.text("text") {
        draft.kind = "bedrock.retrieve_and_generate";
        draft.add_text(text, 0, 0);
        for citation in value.objects("citations") {
            cite(citation, draft);
        }
    }
    for (position, block) in output.object("message").objects("content").enumerate() {
        read_block(block, draft, position as Number);
    }
    read_usage(value, draft);
    draft.finish(value.get("stopReason"), 0);
    for (name, held) in [("contentBlockStart", "start"), ("contentBlockDelta", "delta")] {
        if value.has(name) {
            let event = value.object(name);
            let position = event.count("contentBlockIndex").unwrap_or(0);
            read_block(event.object(held), draft, Number::from(position));
        }
    }
    if value.has("messageStop") {
        draft.finish(value.object("messageStop").get("stopReason"), 0);
        draft.ended = true;
    }
    read_usage(value.object("metadata"), draft);
}

fn read_usage(value: &Object<'_>, draft: &mut Draft<'_>) {
    draft.count_tokens(value.object("usage"), CACHED);
    draft.count_tokens(value.object("amazon-bedrock-invocationMetrics"), &[]);
}

/// A content block, or a piece of one: both name their kind by their field.
fn read_block(block: &Object<'_>, draft: &mut Draft<'_>, position: Number) {
    if let Some(text) = block.text("text") {
        return draft.add_text(text, 0, position);
    }
    let cited = block.object("citationsContent");
    for part in cited.objects("content") {
        draft.add_text(part.str("text"), 0, position);
    }
    if cited.array("citations").is_empty() {
        cite(block.object("citation"), draft);
    }
    for citation in cited.objects("citations") {
        cite(citation, draft);
    }
    let tool = block.object("toolUse");
    if !tool.is_empty() {
        draft.skip_block(0, position);
        draft.add_call(&[position], tool.str("toolUseId"), tool.str("name"), tool.get("input"));
    } else if block.has("reasoningContent") {
        draft.skip_block(0, position);
    }
}

/// Adds a `citationsContent` citation, or one of `RetrieveAndGenerate` with its `retrievedReferences`.
fn cite(item: &Object<'_>, draft: &mut Draft<'_>) {
    let references = item.array("retrievedReferences");
    for reference in references.iter().map(Value::object) {
        draft.cite(Citation {
            source_url: deep_url(reference.object("location")),
            snippet_id: reference.object("metadata").str("x-amz-bedrock-kb-chunk-id").to_owned(),
            text: reference.object("content").str("text").to_owned(),
            ..Citation::default()
        });
    }
    if !references.is_empty() {
        return;
    }
    let location = item.object("location");
    let chars = location.object("documentChar");
    let counted = match location.object("documentPage") {
        page if page.is_empty() => location.object("documentChunk"),
        page => page,
    };
    // The document's number is one by position in the request.
    let pages = Object(counted.0.iter().filter(|(name, _)| name != "documentIndex").cloned().collect());
    let section = if pages.is_empty() { Some(String::new()) } else { canonical(&Value::Object(pages)) };
    if section.is_none() {
        draft.give_up();
    }
    let url = deep_url(location.object("web"));
    let citation = Citation {
        source_url: if url.is_empty() { item.first(&["source", "title"]).to_owned() } else { url },
        section_id: section.unwrap_or_default(),
        offsets: chars.count("start").zip(chars.count("end")).map(|(start, end)| (start as i64, end as i64)),
        text: item.objects("sourceContent").map(|part| part.str("text")).collect(),
        ..Citation::default()
    };
    if citation != Citation::default() {
        draft.cite(citation);
    }
}

/// The first `uri` or `url` of a location such as `{"s3Location": {"uri": ...}}`.
fn deep_url(level: &Object<'_>) -> String {
    let inner = level.0.iter().map(|(_, value)| value.object());
    let mut urls = std::iter::once(level).chain(inner).map(|layer| layer.first(&["uri", "url"]));
    urls.find(|url| !url.is_empty()).unwrap_or_default().to_owned()
}
