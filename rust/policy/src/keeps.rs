//! What a body that is no inference request as a whole asks a provider to keep or to do all the same, at any depth of it.
//!
//! Invariant: this only ever turns a read into a write. Names are compared without regard to case, as some servers do, and
//! every object is looked at: the elements of an array, the lines of JSON lines, what stands under another member. A
//! request to a model below the top has no copy that keeps nothing, since only the top of a body is normalised. In the
//! conditions of a search names are fields; ids of a conversation are those of the user's own service.

use super::definitions::acts_by_form;
use super::disguise::CRITERIA;
use super::effect::shown;
use super::json::Json;
use super::known_parts::part_acts;
use super::nested::{self, Nested};
use super::normalise::{ACTING, STATE};

/// Ids of `STATE` that services of the user's own have, too.
const OWN_IDS: &[&str] = &["conversation", "conversation_id", "thread_id"];

/// Switches: a text or a number there is something else (`"background": "I run a shop"`).
const SWITCHES: &[&str] = &["background", "store"];

/// Members that make who gets the request ask or tell somebody else.
const REACHING: &[&str] = &[
    "api_base",
    "base_url",
    "callback_url",
    "callbacks",
    "compound_custom",
    "failure_callback",
    "success_callback",
    "web_search",
    "webhook",
    "webhook_url",
    "webhooks",
];

/// Names under which searches describe what they count: fields below them.
const COUNTED: &[&str] = &["aggregations", "aggs", "facets"];

/// Why a body on a declared route keeps or does something at a provider; none if nothing says so. `below`: it is a part of
/// the request (an element, a line).
pub fn keeps(body: &Json, below: bool) -> Option<String> {
    look(body, below, false, 0)
}

/// The same of the fields of a form, each a text or JSON.
pub fn form_keeps(fields: &[(String, String)]) -> Option<String> {
    fields.iter().find_map(|(name, value)| {
        let value = Json::parse(value.as_bytes()).unwrap_or_else(|_| Json::String(value.clone()));
        member(name, &value).or_else(|| look(&value, true, false, 0))
    })
}

/// `texts`: how many texts deep.
fn look(value: &Json, below: bool, criteria: bool, texts: usize) -> Option<String> {
    match value {
        Json::Array(items) => items.iter().find_map(|item| look(item, true, criteria, texts)),
        Json::Object(members) => {
            if asks_model(members) {
                let which = if below { "below the top" } else { "with an ambiguous member" };
                return Some(format!("an inference request {which}"));
            }
            members.iter().find_map(|(name, value)| {
                let found = if criteria { None } else { member(name, value) };
                let criteria = criteria || is_one(CRITERIA, name) || is_one(COUNTED, name);
                found.or_else(|| look(value, true, criteria, texts))
            })
        }
        // JSON in a text; what lies deeper, or has more than one reading, is refused where statements are looked for.
        Json::String(text) if texts < nested::MOST => match Nested::of(text) {
            Nested::Json(value) => look(&value, true, criteria, texts + 1),
            _ => None,
        },
        _ => None,
    }
}

fn is_one(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether an object is a request to a model.
fn asks_model(members: &[(String, Json)]) -> bool {
    let has = |names: &[&str], fits: fn(&Json) -> bool| {
        members.iter().any(|(name, value)| is_one(names, name) && fits(value))
    };
    let conversation =
        |value: &Json| value.as_array().is_some_and(|all| all.iter().any(|message| message.get("role").is_some()));
    (has(&["model"], |value| value.as_str().is_some()) && has(&["input", "messages", "prompt"], |_| true))
        || (has(&["anthropic_version", "inferenceConfig", "toolConfig"], |_| true) && has(&["messages"], conversation))
}

fn member(name: &str, value: &Json) -> Option<String> {
    let switched = match value {
        Json::Bool(value) => *value,
        Json::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let acts = if is_one(SWITCHES, name) {
        switched
    } else {
        let state = is_one(STATE, name) && !is_one(OWN_IDS, name);
        value.is_set() && (state || is_one(ACTING, name) || is_one(REACHING, name))
    };
    if acts {
        return Some(format!("{} keeps or does something at the provider", shown(name)));
    }
    if is_one(&["prompt"], name) && value.get("id").is_some() {
        return Some("a prompt that is stored at the provider".to_owned());
    }
    let items = value.as_array().unwrap_or(&[]);
    if is_one(&["tools"], name) && items.iter().any(|tool| matches!(tool, Json::Object(_)) && acts_by_form(tool)) {
        return Some("tools of the provider".to_owned());
    }
    let parts = is_one(&["content", "input", "messages"], name);
    (parts && items.iter().any(part_acts)).then(|| "a part that is more than a question".to_owned())
}
