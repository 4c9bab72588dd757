//! An HTTP request: whether sending it once more would only read (RFC 9110 §9.2.1, and what deployments add to it).
//!
//! Invariant: a safe method is a read unless something else in the request says otherwise (an overriding method, an
//! upgrade, an operation in the query, a body); any other method is a write, and POST a read only on a route that
//! the preset lists and with a body that its classifier reads.
//!
//! For inference routes the verdict is that of the normalised copy: `store: true` or a web-search tool do not make a
//! write, because [`super::normalise_llm_body`] turns them off; what it cannot turn off without changing the question
//! (`previous_response_id`, `background`, conversations, threads) does.

use std::sync::LazyLock;

use super::acting_gets::ActingGets;
use super::disguise;
use super::effect::{Effect, shown};
use super::graphql::classify_graphql;
use super::http_body::{self, sql_dialect};
use super::jsonrpc::{Allowed, classify_messages};
use super::parameters::{SQL_MEMBERS, parameter_overrides};
use super::presets::{self, Kind, preset_problem};
use super::searches::searching;
use super::sql::classify_sql;
use super::target::{self, Target};
use shadowlane_base::header;

const OVERRIDES: &[&str] = &["x-http-method-override", "x-http-method", "x-method-override", "x-original-method"];
/// A request as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method, compared with case (RFC 9110 §9.1).
    pub method: &'a [u8],
    /// Path and query, or an absolute URL.
    pub target: &'a [u8],
    /// Name and value of each header.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// The body, decoded from `content-encoding`.
    pub body: &'a [u8],
}

static DEFAULT_ACTING: LazyLock<ActingGets> = LazyLock::new(ActingGets::default);

/// A write, if the request is a GET or HEAD that is on the list of those that act. `named`: the user named its path in full.
pub fn request_acts(request: &Request<'_>, target: &Target<'_>, acting: &ActingGets, named: bool) -> Option<Effect> {
    let gets = matches!(request.method, b"GET" | b"HEAD");
    if gets { acting.find(target, named).map(Effect::write) } else { None }
}

/// What the request does when it is sent once more.
///
/// `method` is compared with case (RFC 9110 §9.1); `headers` are (name, value) pairs; `body` is decoded from
/// `content-encoding`; `preset` is one of [`super::PRESET_NAMES`], `sql` optionally with a dialect (`sql:postgres`).
pub fn classify_request(method: &[u8], target: &[u8], headers: &[(&[u8], &[u8])], body: &[u8], preset: &str) -> Effect {
    // The classifier of statements reports an unknown dialect.
    if preset_problem(presets::split(preset).0).is_some() {
        return Effect::write("unknown preset");
    }
    let request = Request { method, target, headers, body };
    if method == b"OPTIONS" && target == b"*" {
        return malformed(headers).map_or_else(|| Effect::read("OPTIONS * asks about the server"), Effect::write);
    }
    let target = match checked(&request, false) {
        Ok(target) => target,
        Err(effect) => return effect,
    };
    if is_safe(method) {
        let acting = request_acts(&request, &target, &DEFAULT_ACTING, false);
        return acting.unwrap_or_else(|| safe_method(&request, &target, preset));
    }
    // These presets say what the endpoint speaks, not where it is.
    let kind = match presets::anywhere(preset) {
        Some(kind @ (Kind::JsonRpc | Kind::Mcp | Kind::Sql)) if target.plain => Some(kind),
        _ if target.plain => presets::find(preset, &target.segments),
        _ => return Effect::write("the path has more than one reading"),
    };
    kind.map_or_else(
        || Effect::write("POST to a route that the preset does not list"),
        |kind| by_kind(kind, &request, &target, preset, Allowed::none()),
    )
}

/// Whether RFC 9110 §9.2.1 calls the method safe.
pub fn is_safe(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE")
}

/// The request's target, if nothing in its line and headers makes it a write whatever its body.
///
/// `declared`: the method is one that the user declared a read, with the route.
pub fn checked<'a>(request: &Request<'a>, declared: bool) -> Result<Target<'a>, Effect> {
    let Ok(method) = std::str::from_utf8(request.method) else {
        return Err(Effect::write("the method is not a token"));
    };
    if !declared && !is_safe(request.method) && method != "POST" {
        return Err(Effect::write(format!("method {}", shown(method))));
    }
    if let Some(reason) = malformed(request.headers) {
        return Err(Effect::write(reason));
    }
    let target = target::parse(request.target).map_err(Effect::write)?;
    match overridden(method, request.headers, &target) {
        Some(reason) => Err(Effect::write(reason)),
        None => Ok(target),
    }
}

/// The verdict on a POST whose route says what its body is.
pub fn by_kind(kind: Kind, request: &Request<'_>, target: &Target<'_>, preset: &str, tools: Allowed<'_>) -> Effect {
    match kind {
        Kind::JsonRpc => classify_messages(request.body, tools, true),
        Kind::Mcp => classify_messages(request.body, tools, false),
        Kind::Sql => http_body::sql(target, request.headers, request.body, preset),
        Kind::Llm => http_body::llm(request.headers, request.body),
        Kind::Search => http_body::search(target, request.headers, request.body),
        Kind::GraphQl => http_body::graphql(target, request.headers, request.body),
    }
}

/// Requests that two servers may cut or frame differently (RFC 9112 §6, §11.2), and upgrades.
fn malformed(headers: &[(&[u8], &[u8])]) -> Option<&'static str> {
    let mut lengths: Vec<&[u8]> = Vec::new();
    let mut chunked = false;
    let mut hosts = 0;
    for (name, value) in headers {
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        // HTTP/2's pseudo-headers keep their colon in some servers' scopes.
        let bare = name.strip_prefix(b":").unwrap_or(name);
        if bare.is_empty() || !bare.iter().all(token) {
            return Some("a header name that is not a token");
        }
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Some("a line break in a header");
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                return Some("a content-length that is not a number");
            }
            lengths.push(value);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Some("a transfer-encoding that is not just chunked");
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case(b"upgrade")
            || name.eq_ignore_ascii_case(b":protocol")
            || (name.eq_ignore_ascii_case(b"connection") && contains_token(value, "upgrade"))
        {
            return Some("an upgrade to another protocol");
        }
    }
    if lengths.len() > 1 {
        return Some("two content-lengths");
    }
    if chunked && !lengths.is_empty() {
        return Some("both content-length and transfer-encoding");
    }
    (hosts > 1).then_some("two hosts")
}

fn contains_token(value: &[u8], token: &str) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Whether a header or parameter makes frameworks dispatch another method than the request line's.
fn overridden(method: &str, headers: &[(&[u8], &[u8])], target: &Target<'_>) -> Option<String> {
    for (name, value) in headers {
        let known = OVERRIDES.iter().any(|known| {
            // Gateways and WSGI fold `_` into `-`.
            name.len() == known.len()
                && name
                    .iter()
                    .zip(known.bytes())
                    .all(|(have, want)| have.eq_ignore_ascii_case(&want) || (*have == b'_' && want == b'-'))
        });
        let value = value.trim_ascii();
        let same = value.eq_ignore_ascii_case(method.as_bytes());
        let harmless = [&b"GET"[..], b"HEAD", b"OPTIONS"].iter().any(|method| value.eq_ignore_ascii_case(method));
        if known && !same && !harmless {
            return Some(format!("header {} overrides the method", shown(&String::from_utf8_lossy(name))));
        }
    }
    parameter_overrides(method, &target.query)
}

/// The verdict on a safe method at an endpoint that speaks `preset` (empty: nothing that is known).
pub fn safe_method(request: &Request<'_>, target: &Target<'_>, preset: &str) -> Effect {
    let Request { headers, body, .. } = *request;
    let method = String::from_utf8_lossy(request.method);
    let parameter = |wanted: &str| {
        let mut found = target.query.iter().filter(|(name, _)| name == wanted);
        (found.next().map(|(_, value)| value.as_str()), found.next().is_some())
    };
    if preset == "mcp" && header(headers, b"accept").is_some_and(contains_event_stream) {
        return Effect::write("opens the server's event stream");
    }
    // GraphQL over HTTP: a GET carries the document, or the hash of one.
    if preset == "graphql" || presets::is_graphql(&target.segments) {
        let (document, twice) = parameter("query");
        let (name, name_twice) = parameter("operationname");
        if twice || name_twice {
            return Effect::write("a GraphQL parameter occurs twice");
        }
        if let Some(document) = document {
            let effect = classify_graphql(document, name);
            if !effect.is_read() {
                return effect;
            }
        }
        let persisted = ["extensions", "id", "documentid", "doc_id", "queryid", "hash"];
        if persisted.iter().any(|id| parameter(id).0.is_some_and(|value| !value.is_empty())) {
            return Effect::write("a persisted query whose document is unknown");
        }
    }
    if preset == "sql" || preset.starts_with("sql:") {
        for name in SQL_MEMBERS {
            let (statement, twice) = parameter(name);
            let effect = statement.map(|text| classify_sql(text, sql_dialect(preset)));
            if twice || effect.as_ref().is_some_and(|effect| !effect.is_read()) {
                return effect.unwrap_or_else(|| Effect::write("two statements"));
            }
        }
    } else if let Some(reason) = disguise::in_parameters(&target.query, searching(target)) {
        return Effect::write(reason);
    }
    if !body.is_empty() {
        // Elasticsearch's clients send searches so; nobody else gives a GET's body a meaning (RFC 9110 §9.3.1).
        let listed =
            preset == "search" && target.plain && presets::find(preset, &target.segments) == Some(Kind::Search);
        if !listed {
            return Effect::write(format!("{method} with a body"));
        }
        return http_body::search(target, headers, body);
    }
    Effect::read(format!("{method} is a safe method"))
}

fn contains_event_stream(accept: &[u8]) -> bool {
    accept.to_ascii_lowercase().windows(17).any(|window| window == b"text/event-stream")
}
