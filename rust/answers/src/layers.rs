//! A citation out of an object and the objects within it: a document, its metadata.
//!
//! Invariant: the same as `shadowlane.providers.reading.citing`, where the names are gathered.

use std::sync::LazyLock;

use regex::Regex;

use super::answer::Citation;
use super::citing::{BAD_OFFSETS, Unsure, integer, is_positional, lasting_url};
use super::json::{Object, Value};

pub const SNIPPET: &[&str] =
    &["snippet_id", "snippetId", "chunk_id", "chunkId", "passage_id", "segment_id", "document_id", "documentId"];
pub const LOOSE_ID: &[&str] = &["doc_id", "docId", "file_id", "id", "id_", "node_id", "source_id", "sourceId"];
pub const SECTION: &[&str] = &["section_id", "sectionId", "section", "heading"];
const PAGE: &[&str] = &["page", "page_label", "page_number", "pageIdentifier"];
pub const SOURCE: &[&str] =
    &["source_url", "sourceUrl", "url", "uri", "link", "href", "source", "filepath", "file_path", "filename"];
pub const NAME: &[&str] = &["file_name", "document_name", "documentName", "document_title", "title", "name"];
const TEXT: &[&str] =
    &["text", "snippet", "quote", "cited_text", "page_content", "pageContent", "content", "passage", "excerpt"];
const SCORE: &[&str] = &["score", "relevance_score", "relevanceScore", "similarity", "confidence"];
pub const NESTED: [&str; 8] =
    ["metadata", "meta", "document", "node", "kwargs", "source", "url_citation", "file_citation"];
const DRAWN_IDS: [&str; 4] = ["page_content", "pageContent", "id_", "node_id"];

static UUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\A[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\z").ok());

/// What a citation quotes.
pub fn quote(item: &Object<'_>) -> String {
    first(&[item], TEXT)
}

/// The citation of an object; none when it says nothing of one.
pub fn from_layers(item: &Object<'_>) -> Result<Option<Citation>, Unsure> {
    let mut layers = vec![item];
    for inner in NESTED.map(|name| item.object(name)) {
        if !inner.is_empty() {
            layers.push(inner);
        }
    }
    let deeper: Vec<&Object<'_>> =
        layers.iter().skip(1).flat_map(|layer| NESTED.map(|name| layer.object(name))).collect();
    layers.extend(deeper.into_iter().filter(|layer| !layer.is_empty()));
    let first = |names: &[&str]| first(&layers, names);

    let (name, text) = (first(NAME), first(TEXT));
    let found = first(SOURCE);
    let lasting = lasting_url(&found).ok_or(Unsure)?;
    let source = if lasting.is_empty() { name.clone() } else { lasting.to_owned() };
    let says = !(source.is_empty() && text.is_empty());
    let (mut snippet, mut section) = (first(SNIPPET), first(SECTION));
    if !snippet.is_empty() && is_positional(&snippet) && says {
        // The number of a chunk within its document.
        if section.is_empty() && !source.is_empty() && named_chunk(&layers, &snippet)? {
            section = format!("chunk {snippet}");
        }
        snippet.clear();
    }
    if snippet.is_empty() {
        let loose = first(LOOSE_ID);
        // Numbers by position, and identifiers that an index gives itself when it is built.
        let drawn = || layers.iter().any(|layer| DRAWN_IDS.iter().any(|name| layer.has(name)));
        let passing = is_positional(&loose) || (UUID.as_ref().is_some_and(|uuid| uuid.is_match(&loose)) && drawn());
        snippet = if passing && says { String::new() } else { loose };
    }
    let page = first(PAGE);
    if section.is_empty() && !page.is_empty() && !source.is_empty() {
        section = format!("page {page}");
    }
    let citation = Citation {
        snippet_id: snippet,
        section_id: section,
        offsets: offsets(item),
        tokens: ["tokens", "token_count", "n_tokens"].iter().find_map(|name| item.count(name)),
        score: SCORE.iter().find_map(|name| item.get(name).and_then(Value::float)),
        index_hash: first(&["index_hash", "indexHash"]),
        analyzer: first(&["analyzer"]),
        text: if text.is_empty() && name != source { name } else { text },
        source_url: source,
    };
    Ok((citation != Citation::default()).then_some(citation))
}

fn first(layers: &[&Object<'_>], names: &[&str]) -> String {
    let found = layers.iter().flat_map(|layer| names.iter().filter_map(|name| layer.get(name)));
    let mut texts = found.filter_map(|value| match value {
        Value::Text(text) if !text.is_empty() => Some(text.as_ref().to_owned()),
        Value::Number(spelt) if !spelt.contains(['.', 'e', 'E']) => Some(integer(spelt)),
        _ => None,
    });
    texts.next().unwrap_or_default()
}

/// Whether the name under which a snippet's number stands is that of a chunk.
fn named_chunk(layers: &[&Object<'_>], snippet: &str) -> Result<bool, Unsure> {
    for layer in layers {
        for name in SNIPPET {
            let same = match layer.get(name) {
                None | Some(Value::Null | Value::Bool(_)) => false, // no number by position
                Some(Value::Text(text)) => text == snippet,
                Some(Value::Number(spelt)) if !spelt.contains(['.', 'e', 'E']) => integer(spelt) == snippet,
                Some(_) => return Err(Unsure),
            };
            if same {
                return Ok(name.to_lowercase().contains("chunk"));
            }
        }
    }
    Ok(false)
}

fn offsets(item: &Object<'_>) -> Option<(i64, i64)> {
    let pair = match ["offsets", "span", "offset"].iter().find_map(|name| item.get(name)) {
        Some(Value::Object(span)) => [span.get("start"), span.get("end")],
        Some(Value::Array(pair)) => match pair.as_slice() {
            [start, end] => [Some(start), Some(end)],
            _ => return Some(BAD_OFFSETS),
        },
        Some(value) if *value != Value::Null => return Some(BAD_OFFSETS),
        _ => match [["start", "end"], ["start_char", "end_char"]]
            .iter()
            .find(|names| names.iter().all(|name| item.has(name)))
        {
            Some(names) => names.map(|name| item.get(name)),
            None => return None,
        },
    };
    match pair {
        [None | Some(Value::Null), None | Some(Value::Null)] => None,
        [Some(start), Some(end)] => {
            Some(start.count().zip(end.count()).map_or(BAD_OFFSETS, |(start, end)| (start as i64, end as i64)))
        }
        _ => Some(BAD_OFFSETS),
    }
}
