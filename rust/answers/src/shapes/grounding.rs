//! What a candidate of Gemini cites: `groundingMetadata` and `citationMetadata`; see `shadowlane.providers.gemini`.

use super::super::answer::Citation;
use super::super::citing::lasting_url;
use super::super::draft::Draft;
use super::super::json::{Object, Value, truthy};

/// The object under the first of two names that holds anything.
fn either<'a, 'b>(value: &'a Object<'b>, first: &str, second: &str) -> &'a Object<'b> {
    value.object(if truthy(value.get(first)) { first } else { second })
}

/// Adds the chunks that supports name, those that none names, and the cited addresses.
pub fn cite(candidate: &Object<'_>, draft: &mut Draft<'_>) {
    let grounding = either(candidate, "groundingMetadata", "grounding_metadata");
    let sources: Vec<Citation> = grounding.objects("groundingChunks").map(|chunk| source(chunk, draft)).collect();
    let mut supported = vec![false; sources.len()];
    for support in grounding.objects("groundingSupports") {
        let scores = support.array("confidenceScores");
        let said = support.object("segment").str("text");
        for (position, index) in support.array("groundingChunkIndices").iter().enumerate() {
            let Some(number) = index.count().map(|number| number as usize) else { continue };
            let (Some(source), Some(seen)) = (sources.get(number), supported.get_mut(number)) else { continue };
            *seen = true;
            draft.cite(Citation {
                snippet_id: source.snippet_id.clone(),
                source_url: source.source_url.clone(),
                score: scores.get(position).and_then(Value::float),
                text: if said.is_empty() { source.text.clone() } else { said.to_owned() },
                ..Citation::default()
            });
        }
    }
    for (source, seen) in sources.into_iter().zip(supported) {
        if !seen && source != Citation::default() {
            draft.cite(source);
        }
    }
    let metadata = either(candidate, "citationMetadata", "citation_metadata");
    let name = if truthy(metadata.get("citations")) { "citations" } else { "citationSources" };
    for item in metadata.objects(name) {
        let url = item.first(&["uri", "title", "license"]);
        if !url.is_empty() {
            draft.cite(Citation { source_url: url.to_owned(), ..Citation::default() });
        }
    }
}

fn source(chunk: &Object<'_>, draft: &mut Draft<'_>) -> Citation {
    let inner = ["web", "retrievedContext", "maps"].map(|name| chunk.object(name));
    let Some(inner) = inner.into_iter().find(|inner| !inner.is_empty()) else { return Citation::default() };
    let (title, uri) = (inner.first(&["title", "domain"]), inner.str("uri"));
    let lasting = lasting_url(uri).unwrap_or_else(|| {
        draft.give_up();
        uri
    });
    // A search's addresses are redirects of this one answer; the title says where they lead.
    let url = [lasting, title, uri].into_iter().find(|url| !url.is_empty()).unwrap_or_default();
    Citation {
        snippet_id: inner.first(&["documentName", "placeId"]).to_owned(),
        source_url: url.to_owned(),
        text: inner.str("text").to_owned(),
        ..Citation::default()
    }
}
