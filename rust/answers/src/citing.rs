//! Citations, as applications and providers spell them, into the one snippet contract.
//!
//! Invariant: the same as `shadowlane.providers.reading.citing`, where the rules are explained.

use std::sync::LazyLock;

use regex::Regex;

use super::answer::Citation;
use super::draft::Draft;
use super::json::{Object, Value};
use super::layers::from_layers;
use super::words::{is_space, strip};

/// Stands for offsets that were sent and cannot be read.
pub const BAD_OFFSETS: (i64, i64) = (-1, -1);

/// Words from which on a text that stands where an identifier might is what was cited.
const SENTENCE: usize = 4;

static POSITION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)\A(?: [\[(\#]?\d{1,3}[\])]?
        | (?:doc(?:ument)?s?|source|src|ref(?:erence)?|cit(?:e|ation)|chunk|passage|snippet|segment
          |(?:search|tool)?[_\ -]?result|web[_\ -]search|item|hit|node|context|page)(?:[:_\ \#-]?\d{1,3})+ )\z",
    )
    .ok()
});

/// Whether an identifier looks like a number by position: `3`, `[3]`, `doc:0`, `web-search_2`.
pub fn is_positional(name: &str) -> bool {
    POSITION.as_ref().is_some_and(|position| position.is_match(strip(name)))
}

/// The URL; empty for a redirect that is made anew for every answer. `None` where that takes a parser of URLs.
pub fn lasting_url(url: &str) -> Option<&str> {
    const REDIRECT: &str = "vertexaisearch.cloud.google.com/grounding-api-redirect/";
    if url.strip_prefix("https://").is_some_and(|rest| rest.starts_with(REDIRECT)) {
        // Brackets and characters outside of ASCII are checked by such a parser.
        return (url.is_ascii() && !url.contains(['[', ']'])).then_some("");
    }
    let may_redirect = url.contains("redirect") || url.contains(['\t', '\r', '\n']);
    (!may_redirect).then_some(url)
}

/// Adds the citations of an array: objects, URLs or identifiers. What is no citation at all is left out.
pub fn cite_all(items: &[Value<'_>], draft: &mut Draft<'_>) {
    match parse_all(items) {
        Ok(citations) => citations.into_iter().for_each(|citation| draft.cite(citation)),
        Err(Unsure) => draft.give_up(),
    }
}

/// The citations of an array.
pub fn parse_all(items: &[Value<'_>]) -> Result<Vec<Citation>, Unsure> {
    items.iter().filter_map(|item| parse_one(item).transpose()).collect()
}

/// What another reader must look at.
pub struct Unsure;

/// One citation; none when the value is no citation at all.
pub fn parse_one(item: &Value<'_>) -> Result<Option<Citation>, Unsure> {
    Ok(Some(match item {
        Value::Text(text) if !strip(text).is_empty() => {
            let text = text.as_ref().to_owned();
            if text.contains("://") && !strip(&text).contains(is_space) {
                Citation { source_url: text, ..Citation::default() }
            } else if text.split(is_space).filter(|word| !word.is_empty()).count() > SENTENCE {
                Citation { text, ..Citation::default() }
            } else {
                Citation { snippet_id: text, ..Citation::default() }
            }
        }
        Value::Number(spelt) if !spelt.contains(['.', 'e', 'E']) => {
            Citation { snippet_id: integer(spelt), ..Citation::default() }
        }
        Value::Object(object) => {
            let kind = object.str("type");
            return if kind.ends_with("_location") {
                anthropic_citation(object)
            } else if is_annotation(kind) || kind == "url_citation" {
                openai_annotation(object, "")
            } else {
                from_layers(object)
            };
        }
        _ => return Ok(None),
    }))
}

/// An integer, as Python writes it.
pub fn integer(spelt: &str) -> String {
    if spelt == "-0" { "0" } else { spelt }.to_owned()
}

fn is_annotation(kind: &str) -> bool {
    matches!(kind, "file_citation" | "file_path" | "container_file_citation")
}

/// Adds an annotation of chat or of the Responses API; `text` is what the answer says around it.
pub fn cite_annotation(item: &Object<'_>, text: &str, draft: &mut Draft<'_>) {
    match openai_annotation(item, text) {
        Ok(Some(citation)) => draft.cite(citation),
        Ok(None) => {}
        Err(Unsure) => draft.give_up(),
    }
}

/// An annotation of chat (nested by its type) or of the Responses API (flat).
fn openai_annotation(item: &Object<'_>, text: &str) -> Result<Option<Citation>, Unsure> {
    let kind = item.str("type");
    let inner = Some(item.object(kind)).filter(|inner| !inner.is_empty()).unwrap_or(item);
    let cited = match (inner.count("start_index"), inner.count("end_index")) {
        (Some(start), Some(end)) => {
            text.chars().skip(start as usize).take(end.saturating_sub(start) as usize).collect::<String>()
        }
        _ => String::new(),
    };
    if kind == "url_citation" {
        let title = inner.str("title");
        let lasting = lasting_url(inner.str("url")).ok_or(Unsure)?;
        let url = if lasting.is_empty() { title } else { lasting };
        let text = if cited.is_empty() { title.to_owned() } else { cited };
        let found = Citation { source_url: url.to_owned(), text, ..Citation::default() };
        return Ok((!url.is_empty()).then_some(found));
    }
    if !is_annotation(kind) {
        return Ok(None);
    }
    let (quote, name, file) = (inner.str("quote"), inner.str("filename"), inner.str("file_id"));
    let text = if quote.is_empty() { cited } else { quote.to_owned() };
    let found = Citation { snippet_id: file.to_owned(), source_url: name.to_owned(), text, ..Citation::default() };
    Ok((!(name.is_empty() && file.is_empty())).then_some(found))
}

/// Adds a citation of a text block of the Messages API.
pub fn cite_block(item: &Object<'_>, draft: &mut Draft<'_>) {
    match anthropic_citation(item) {
        Ok(Some(citation)) => draft.cite(citation),
        Ok(None) => {}
        Err(Unsure) => draft.give_up(),
    }
}

/// A citation of a text block (Messages API, "Citations"): by characters, pages, blocks, or a search's result.
fn anthropic_citation(item: &Object<'_>) -> Result<Option<Citation>, Unsure> {
    let (mut section, mut offsets) = (String::new(), None);
    match item.str("type") {
        "char_location" => {
            let (start, end) = (item.count("start_char_index"), item.count("end_char_index"));
            offsets = Some(start.zip(end).map_or(BAD_OFFSETS, |(start, end)| (start as i64, end as i64)));
        }
        "page_location" => {
            section = format!("pages {}-{}", shown(item, "start_page_number")?, shown(item, "end_page_number")?);
        }
        "content_block_location" | "search_result_location" => {
            section = format!("blocks {}-{}", shown(item, "start_block_index")?, shown(item, "end_block_index")?);
        }
        "web_search_result_location" => {}
        _ => return Ok(None),
    }
    let (file, text) = (item.str("file_id"), item.str("cited_text"));
    let source = item.first(&["url", "source", "document_title", "title"]);
    let document = item.get("document_index").or_else(|| item.get("search_result_index")).and_then(Value::count);
    let unnamed = file.is_empty() && source.is_empty() && text.is_empty();
    let snippet_id = match document {
        Some(document) if unnamed => format!("document {document}"),
        _ => file.to_owned(),
    };
    let keeps = !(source.is_empty() && file.is_empty()) || text.is_empty();
    Ok(Some(Citation {
        snippet_id,
        section_id: if keeps { section } else { String::new() },
        source_url: source.to_owned(),
        offsets,
        text: text.to_owned(),
        ..Citation::default()
    }))
}

/// A member, as Python's formatting writes it.
fn shown(item: &Object<'_>, name: &str) -> Result<String, Unsure> {
    match item.get(name) {
        None | Some(Value::Null) => Ok("None".to_owned()),
        Some(Value::Number(spelt)) if !spelt.contains(['.', 'e', 'E']) => Ok(integer(spelt)),
        Some(Value::Text(text)) => Ok(text.as_ref().to_owned()),
        _ => Err(Unsure),
    }
}
