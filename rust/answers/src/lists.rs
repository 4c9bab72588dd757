//! Lists of citations that stand beside each other: numbers, and the sources that they mean.
//!
//! Invariant: the same as `shadowlane.providers.reading.citing`.

use super::citing::{Unsure, cite_all, parse_one};
use super::draft::Draft;
use super::json::{Object, Value, truthy};
use super::layers::{LOOSE_ID, NAME, NESTED, SECTION, SNIPPET, SOURCE, quote};

/// Where answers keep what they cite, best first.
pub const LIST_NAMES: [&str; 22] = [
    "citations",
    "sources",
    "references",
    "source_documents",
    "sourceDocuments",
    "source_nodes",
    "sourceNodes",
    "retriever_resources",
    "retrieved_documents",
    "context",
    "contexts",
    "source_urls",
    "documents",
    "docs",
    "chunks",
    "passages",
    "snippets",
    "search_results",
    "searchResults",
    "urls",
    "links",
    "results",
];

/// Those that are citations even where no answer stands beside them: all before `documents`.
pub const WITHOUT_AN_ANSWER: &[&str] = LIST_NAMES.split_at(12).0;

/// Adds the citations of a value: an array of them, one, or an object that holds lists.
pub fn cite_value(value: &Value<'_>, draft: &mut Draft<'_>) {
    if let Value::Array(items) = value {
        return cite_all(items, draft);
    }
    let Value::Object(object) = value else { return };
    let lists = LIST_NAMES.iter().filter(|name| object.is_array(name)).map(|name| object.array(name));
    let lists: Vec<&[Value<'_>]> = lists.collect();
    if lists.is_empty() { cite_all(std::slice::from_ref(value), draft) } else { cite_lists(&lists, draft) }
}

/// Adds the first list; of one of bare numbers, what the next list has at those positions.
pub fn cite_lists(lists: &[&[Value<'_>]], draft: &mut Draft<'_>) {
    let Some((first, others)) = lists.split_first() else { return };
    let numbers: Option<Vec<usize>> = first.iter().map(bare_number).collect();
    let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else { return cite_all(first, draft) };
    let start = usize::from(!numbers.contains(&0));
    let last = numbers.iter().max().copied().unwrap_or_default();
    let Some(sources) = others.iter().find(|others| last - start < others.len()) else {
        return cite_all(first, draft);
    };
    for (number, item) in numbers.into_iter().zip(*first) {
        match sources.get(number - start).map(parse_one) {
            Some(Ok(Some(mut source))) => {
                if let Value::Object(item) = item {
                    source.text = Some(quote(item)).filter(|quote| !quote.is_empty()).unwrap_or(source.text);
                }
                draft.cite(source);
            }
            Some(Err(Unsure)) => draft.give_up(),
            _ => {}
        }
    }
}

/// The number of a citation that is nothing but one, and perhaps a quotation.
fn bare_number(item: &Value<'_>) -> Option<usize> {
    match item {
        Value::Object(object) => number_of(object),
        Value::Text(text) => {
            let digits = text.trim_matches(['[', ']', '(', ')', ' ']);
            let plain = digits.len() <= 3 && digits.bytes().all(|digit| digit.is_ascii_digit());
            if plain { digits.parse().ok() } else { None }
        }
        other => other.count().map(|count| count as usize),
    }
}

fn number_of(object: &Object<'_>) -> Option<usize> {
    let named = [SNIPPET, SECTION, SOURCE, NAME, &NESTED].concat();
    if named.into_iter().any(|name| truthy(object.get(name))) {
        return None;
    }
    let mut held = LOOSE_ID.iter().chain(&["index"]).filter_map(|name| object.get(name));
    bare_number(held.find(|value| **value != Value::Null)?)
}
