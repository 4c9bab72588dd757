//! The bodies of POST requests on routes that a preset lists.
//!
//! Invariant: a body is classified only as what its media type says it is, in UTF-8, and whole; a request that carries its
//! operation both in the URL and in the body is a write, because servers differ in which they take.

use super::disguise::Depth;
use super::effect::{Effect, shown};
use super::graphql::{classify_graphql, classify_graphql_request};
use super::http::Request;
use super::json::Json;
use super::jsonrpc::Allowed;
use super::keeps::{form_keeps, keeps};
use super::normalise::stateful;
use super::parameters::{SQL_MEMBERS, parameter_overrides};
use super::searches::searching;
use super::sql::classify_sql;
use super::statements::statement;
use super::target::{self, Target};
use super::{disguise, presets};

/// The media type in lower case without parameters; none if absent. An error if it occurs twice or in another charset.
fn media_type(headers: &[(&[u8], &[u8])]) -> Result<Option<String>, Effect> {
    let mut found = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    let (Some((_, value)), None) = (found.next(), found.next()) else {
        return if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"content-type")) {
            Err(Effect::write("two content-types"))
        } else {
            Ok(None)
        };
    };
    let text = String::from_utf8_lossy(value).to_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_owned();
    for parameter in parts {
        let charset = parameter.strip_prefix("charset=").unwrap_or("utf-8");
        if !matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii" | "ascii") {
            return Err(Effect::write("a charset other than UTF-8"));
        }
    }
    Ok(Some(media))
}

fn is_json(media: Option<&str>) -> bool {
    media.is_none_or(|media| {
        matches!(media, "application/json" | "text/json" | "application/x-ndjson" | "text/plain")
            || (media.starts_with("application/") && media.ends_with("+json"))
    })
}

fn json_media(headers: &[(&[u8], &[u8])]) -> Result<(), Effect> {
    if is_json(media_type(headers)?.as_deref()) { Ok(()) } else { Err(Effect::write("the body is not JSON")) }
}

pub fn json_body(headers: &[(&[u8], &[u8])], body: &[u8]) -> Result<Json, Effect> {
    json_media(headers)?;
    Json::parse(body).map_err(|_| Effect::write("the body is not one unambiguous JSON text"))
}

/// An inference request: a read if what it asks to keep can be turned off.
pub fn llm(headers: &[(&[u8], &[u8])], body: &[u8]) -> Effect {
    json_body(headers, body).map_or_else(|effect| effect, |tree| inference(&tree))
}

/// As [`llm`], of a body that is parsed already.
pub fn llm_tree(headers: &[(&[u8], &[u8])], tree: &Json) -> Effect {
    json_media(headers).map_or_else(|effect| effect, |()| inference(tree))
}

/// As [`llm`], of a body that is parsed already and says that it is JSON.
pub fn inference(tree: &Json) -> Effect {
    match tree {
        Json::Object(_) => stateful(tree).map_or_else(|| Effect::read("inference"), Effect::write),
        _ => Effect::write("the body is not a JSON object"),
    }
}

/// Why what stands beside the question in an inference request on a declared route is a write; none if nothing says so.
///
/// The question itself is prose: what it says is not done.
pub fn beside_inference(body: &Json, target: &Target<'_>, tools: Allowed<'_>) -> Option<String> {
    const QUESTION: &[&str] =
        &["documents", "functions", "input", "messages", "prompt", "response_format", "system", "tools"];
    let Json::Object(members) = body else { return None };
    let beside = members.iter().filter(|(name, _)| !QUESTION.contains(&name.as_str())).cloned().collect();
    disguise::in_parameters(&target.query, searching(target))
        .or_else(|| disguise::in_json(&Json::Object(beside), false, Depth::whole(searching(target)), tools))
}

/// Searches that open something on the server: a scroll, a point in time, an asynchronous search.
const SEARCH_STATE: &[&str] = &["scroll", "keep_alive", "keep_on_completion", "wait_for_completion_timeout"];

/// A search: a read unless it opens something that outlives it.
pub fn search(target: &Target<'_>, headers: &[(&[u8], &[u8])], body: &[u8]) -> Effect {
    if let Some((name, _)) = target.query.iter().find(|(name, _)| SEARCH_STATE.contains(&name.as_str())) {
        return Effect::write(format!("parameter {} keeps state on the server", shown(name)));
    }
    // The `source` parameter stands for the body in Elasticsearch; it holds a query as well.
    let lines = target.segments.last().is_some_and(|last| *last == "_msearch" || target.segments.contains(&"_msearch"));
    if body.is_empty() || lines {
        return Effect::read("a search");
    }
    match json_body(headers, body) {
        Err(effect) => effect,
        Ok(body) if SEARCH_STATE.iter().any(|name| body.get(name).is_some()) => {
            Effect::write("the body keeps state on the server")
        }
        Ok(body) if body.get("pit").is_some_and(|pit| pit.get("keep_alive").is_some()) => {
            Effect::write("the body keeps a point in time open")
        }
        Ok(body) => disguise::in_json(&body, false, Depth::Top, Allowed::none())
            .map_or_else(|| Effect::read("a search"), Effect::write),
    }
}

/// A body on a route that the user declared a read without saying what it speaks: a read, unless it says that it calls,
/// mutates, or stands for another method.
///
/// A body that says it is JSON and is not one unambiguous JSON text is a write. Free text and files are the user's word.
/// `parsed`: the body, if it is one.
pub fn declared(request: &Request<'_>, target: &Target<'_>, parsed: Option<&Json>, tools: Allowed<'_>) -> Effect {
    let Request { headers, body, .. } = *request;
    let read = || Effect::read("declared a read");
    let media = match media_type(headers) {
        Ok(media) => media,
        Err(effect) => return effect,
    };
    let searching = searching(target);
    if let Some(reason) = disguise::in_parameters(&target.query, searching) {
        return Effect::write(reason);
    }
    let endpoint = presets::is_graphql(&target.segments);
    // Servers skip a byte order mark, and so does whoever sniffs.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    if let Some(reason) = envelope(headers, &text) {
        return Effect::write(reason);
    }
    match media.as_deref().unwrap_or_default() {
        _ if body.is_empty() => read(),
        "multipart/mixed" | "multipart/batch" | "application/http" => Effect::write("a batch of requests"),
        "application/x-www-form-urlencoded" => {
            in_fields(&target::parameters(&text), searching).map_or_else(read, Effect::write)
        }
        "multipart/form-data" => {
            let fields = multipart_fields(&text);
            if endpoint || fields.iter().any(|(name, _)| name == "operations") {
                return Effect::write("a GraphQL request in parts");
            }
            in_fields(&fields, searching).or_else(|| in_parts(&text)).map_or_else(read, Effect::write)
        }
        "application/graphql" => classify_graphql(&text, None),
        "application/sql" | "application/x-sql" | "text/sql" => {
            Effect::write("a statement of an unknown dialect; name it: \"POST /path sql:postgres\"")
        }
        media if is_json(Some(media)) && media != "text/plain" && media != "application/x-ndjson" => parsed
            .map_or_else(
                || Effect::write("the body is not one unambiguous JSON text"),
                |parsed| disguise::json_effect(parsed, endpoint, searching, tools),
            ),
        // Declared as something else, or as nothing: classified as what it looks like, since servers sniff too.
        media => match parsed {
            Some(parsed) => disguise::json_effect(parsed, endpoint, searching, tools),
            None if endpoint => Effect::write("a GraphQL body that is neither JSON nor application/graphql"),
            None => {
                let several = Json::parse_several(&text);
                if several.is_err() && (media.contains("json") || begins_as_json(&text)) {
                    return Effect::write("the body is JSON with more than one reading, or none");
                }
                several
                    .ok()
                    .and_then(|several| in_lines(&several, tools))
                    .or_else(|| statement(&text).map(|why| format!("the body holds a statement: {why}")))
                    .map_or_else(read, Effect::write)
            }
        },
    }
}

/// Whether a text begins as an object, or as an array of objects or texts: lenient parsers read more than ours does.
fn begins_as_json(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{1e}');
    text.starts_with('{')
        || text.strip_prefix('[').is_some_and(|inside| inside.trim_start().starts_with(['{', '"', '[']))
}

/// Why the fields of a form are a write; none if nothing says so.
fn in_fields(fields: &[(String, String)], searching: bool) -> Option<String> {
    parameter_overrides("POST", fields)
        .or_else(|| disguise::in_parameters(fields, searching))
        .or_else(|| form_keeps(fields))
}

/// Why a part of `multipart/form-data` that is JSON asks a provider to keep or to do something.
fn in_parts(text: &str) -> Option<String> {
    let contents =
        text.split("\n--").filter_map(|part| part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")));
    let parsed =
        contents.filter(|(_, content)| begins_as_json(content)).map(|(_, content)| Json::parse_several(content));
    parsed.flatten().flatten().find_map(|value| keeps(&value, true))
}

/// A remote call in XML: SOAP names its operation in the envelope, XML-RPC in `methodCall`; neither says that it reads.
fn envelope(headers: &[(&[u8], &[u8])], text: &str) -> Option<&'static str> {
    let soap = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"soapaction"))
        || headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case(b"content-type") && value.to_ascii_lowercase().starts_with(b"application/soap")
        });
    if soap {
        return Some("a SOAP call");
    }
    if !text.trim_start().starts_with('<') {
        return None;
    }
    text.split('<').skip(1).take(16).find_map(|tag| {
        let name = tag.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or_default();
        match name.rsplit(':').next().unwrap_or_default() {
            "Envelope" => Some("a SOAP call"),
            "methodCall" => Some("an XML-RPC call"),
            _ => None,
        }
    })
}

/// Why one of the values of a body of several (NDJSON, bulk requests) is a write.
fn in_lines(lines: &[Json], tools: Allowed<'_>) -> Option<String> {
    lines.iter().find_map(|line| disguise::in_json(line, false, Depth::Whole, tools).or_else(|| keeps(line, true)))
}

/// The start of a text: a part's header is no longer, and looking further for each field would take quadratic time.
fn window(text: &str) -> &str {
    let mut end = text.len().min(1024);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Names (in lower case) and first lines of the parts of a `multipart/form-data` body (RFC 7578).
fn multipart_fields(text: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for (at, _) in text.match_indices("name=") {
        // `filename=` is not the field's.
        if text[..at].ends_with(|c: char| c.is_alphanumeric()) {
            continue;
        }
        let rest = window(&text[at + 5..]);
        let name = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => rest.split([';', '\r', '\n', ' ']).next(),
        };
        let value = rest.split_once("\r\n\r\n").and_then(|(_, after)| after.split(['\r', '\n']).next());
        fields.push((name.unwrap_or_default().to_lowercase(), value.unwrap_or_default().to_owned()));
    }
    fields
}

/// A GraphQL POST: JSON or `application/graphql`.
pub fn graphql(target: &Target<'_>, headers: &[(&[u8], &[u8])], body: &[u8]) -> Effect {
    let media = match media_type(headers) {
        Ok(media) => media,
        Err(effect) => return effect,
    };
    // Some servers read the URL's document before the body's.
    let in_url = ["query", "operationname", "extensions", "id", "documentid", "doc_id", "queryid", "hash"];
    if target.query.iter().any(|(name, _)| in_url.contains(&name.as_str())) {
        return Effect::write("a GraphQL request both in the URL and in the body");
    }
    if media.as_deref() == Some("application/graphql") {
        return match std::str::from_utf8(body) {
            Ok(document) => classify_graphql(document, None),
            Err(_) => Effect::write("the document is not UTF-8"),
        };
    }
    if !is_json(media.as_deref()) || media.as_deref() == Some("text/plain") {
        return Effect::write("a GraphQL body that is neither JSON nor application/graphql");
    }
    classify_graphql_request(body)
}

const SQL_OTHERS: &[&str] = &[
    "args",
    "bindings",
    "catalog",
    "database",
    "disposition",
    "format",
    "limit",
    "location",
    "maxresults",
    "parameters",
    "params",
    "role",
    "row_limit",
    "schema",
    "timeout",
    "uselegacysql",
    "wait_timeout",
    "warehouse",
    "warehouse_id",
];

/// The dialect in `sql:dialect`, else `ansi`.
pub fn sql_dialect(preset: &str) -> &str {
    preset.split_once(':').map_or("ansi", |(_, dialect)| dialect)
}

/// SQL over HTTP: the text itself, or one statement in a JSON object.
pub fn sql(target: &Target<'_>, headers: &[(&[u8], &[u8])], body: &[u8], preset: &str) -> Effect {
    if target.query.iter().any(|(name, _)| SQL_MEMBERS.contains(&name.as_str())) {
        return Effect::write("a statement both in the URL and in the body");
    }
    let media = match media_type(headers) {
        Ok(media) => media,
        Err(effect) => return effect,
    };
    let media = media.as_deref();
    if matches!(media, Some("application/sql" | "text/plain" | "application/x-sql" | "text/sql")) {
        return match std::str::from_utf8(body) {
            Ok(text) => classify_sql(text, sql_dialect(preset)),
            Err(_) => Effect::write("the statement is not UTF-8"),
        };
    }
    let Ok(Json::Object(members)) = Json::parse(body) else {
        return Effect::write("the body is neither SQL text nor a JSON object");
    };
    let mut statement = None;
    for (name, value) in &members {
        let folded = name.to_ascii_lowercase();
        if SQL_MEMBERS.contains(&folded.as_str()) {
            let (None, Json::String(text)) = (statement, value) else {
                return Effect::write("not exactly one statement");
            };
            statement = Some(text);
        } else if !SQL_OTHERS.contains(&folded.as_str()) {
            return Effect::write(format!("unknown member {}", shown(name)));
        }
    }
    match statement {
        Some(text) => classify_sql(text, sql_dialect(preset)),
        None => Effect::write("no statement"),
    }
}
