//! What a request asks, as `shadowlane.providers.question` reads it.
//!
//! Invariant: the question that that module finds, or [`None`] wherever it is not certain: a body that is no strict JSON
//! or no object with members, numbers whose spelling other writers do not share, digits beyond ASCII.

use xxhash_rust::xxh3::Xxh3;

use super::canonical::canonical;
use super::json::{Object, Value, truthy};
use super::parse::parse;
use super::words::{is_blank, strip};

const SYSTEM_ROLES: [&str; 2] = ["system", "developer"];
/// Members beside a question's field that say nothing of what is asked.
const BESIDE: [&str; 3] = ["model", "seed", "user"];
const PART_END: u8 = 0x1f;

/// Under which names requests have what.
#[derive(Clone, Debug, Default)]
pub struct QuestionNames {
    /// Fields with the turns of a conversation, in the order in which they are looked for.
    pub turns: Vec<String>,
    /// Fields of which every answer depends.
    pub settings: Vec<String>,
    /// Fields with a question of their own, in the order in which they are looked for.
    pub fields: Vec<String>,
    /// Members that tell one run of a conversation from another, and not what was said in it.
    pub passing: Vec<String>,
}

/// A request's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What the user says, the turns of a conversation by lines; empty when nothing is asked that is known.
    pub text: String,
    /// XXH3-64 of method, path and all that the answer depends on beside the text.
    pub scope: u64,
}

/// What is asked, and what its answer depends on.
type Turns = (Vec<String>, Vec<String>);

/// The question of a request with a body.
pub fn question(names: &QuestionNames, method: &str, path: &str, body: &[u8]) -> Option<Question> {
    let body = parse(std::str::from_utf8(body).ok()?)?;
    let fields = body.object();
    if fields.is_empty() {
        return None;
    }
    let (turns, settings) = turns(names, fields)?;
    let text = turns.join("\n");
    let text = strip(&text);
    let figures = figures(text)?;
    let mut state = Xxh3::new();
    let known = settings.iter().map(String::as_str).chain(figures);
    for part in [method, path].into_iter().chain(known) {
        state.update(part.as_bytes());
        state.update(&[PART_END]);
    }
    Some(Question { text: text.to_owned(), scope: state.digest() })
}

fn turns(names: &QuestionNames, fields: &Object<'_>) -> Option<Turns> {
    let mut settings: Vec<String> = names.settings.iter().map(|name| content(fields.get(name))).collect();
    for name in &names.turns {
        if fields.objects(name).all(Object::is_empty) {
            continue;
        }
        let (system, others): (Vec<_>, Vec<_>) = fields.objects(name).partition(|item| is_system(item));
        settings.extend(system.into_iter().map(turn_text));
        for item in others {
            settings.extend(state(names, item)?.filter(|state| !state.is_empty()));
        }
        let said = fields.objects(name).filter(|item| is_users(item)).map(turn_text);
        return Some((said.filter(|text| !text.is_empty()).collect(), settings));
    }
    for name in &names.fields {
        let asked = fields.str(name);
        if !is_blank(asked) {
            let rest = fields.0.iter().filter(|(own, _)| own != name && !BESIDE.contains(&own.as_ref()));
            settings.push(canonical(&Value::Object(Object(rest.cloned().collect())))?);
            return Some((vec![asked.to_owned()], settings));
        }
    }
    Some((Vec::new(), Vec::new()))
}

fn is_system(item: &Object<'_>) -> bool {
    item.text("role").is_some_and(|role| SYSTEM_ROLES.contains(&role))
}

/// Items of a response API without a role are the model's calls and their results; elsewhere they are the user's.
fn is_users(item: &Object<'_>) -> bool {
    match item.get("role") {
        Some(role) => role.text() == Some("user"),
        None => !item.has("type") || item.has("content"),
    }
}

/// What a turn adds to the conversation beside the user's words; the outer `None` as for [`question`].
#[expect(clippy::option_option, reason = "no state, and one that cannot be told")]
fn state(names: &QuestionNames, item: &Object<'_>) -> Option<Option<String>> {
    if !is_users(item) {
        return Some(Some(canonical(&Value::Object(lasting(names, item)))?));
    }
    let parts = item.objects("content").chain(item.objects("parts")).filter(|part| part.text("text").is_none());
    let kept: Vec<Value<'_>> = parts.map(|part| Value::Object(lasting(names, part))).collect();
    if kept.is_empty() { Some(None) } else { Some(Some(format!("user{}", canonical(&Value::Array(kept))?))) }
}

fn lasting<'a>(names: &QuestionNames, object: &Object<'a>) -> Object<'a> {
    let kept = object.0.iter().filter(|(own, _)| !names.passing.iter().any(|name| name == own));
    Object(kept.map(|(own, value)| (own.clone(), lasting_value(names, value))).collect())
}

fn lasting_value<'a>(names: &QuestionNames, value: &Value<'a>) -> Value<'a> {
    match value {
        Value::Object(object) => Value::Object(lasting(names, object)),
        Value::Array(items) => Value::Array(items.iter().map(|item| lasting_value(names, item)).collect()),
        other => other.clone(),
    }
}

fn turn_text(item: &Object<'_>) -> String {
    let text = content(item.get("content"));
    if text.is_empty() { content(item.get("parts")) } else { text }
}

/// A text, or those of its parts by lines.
fn content(value: Option<&Value<'_>>) -> String {
    match value {
        Some(Value::Text(text)) => text.clone().into_owned(),
        Some(Value::Array(parts)) => {
            let parts = parts.iter().map(Value::object).filter(|part| truthy(part.get("text")));
            parts.map(|part| part.str("text")).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// The figures of a text, `3`, `1,000.5` or `12:30`, in the order of their digits.
fn figures(text: &str) -> Option<Vec<&str>> {
    if !text.is_ascii() && text.chars().any(|letter| !letter.is_ascii() && letter.is_numeric()) {
        return None;
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !digit(at) {
            at += 1;
            continue;
        }
        let start = at;
        while digit(at) || bytes.get(at).is_some_and(|byte| b".,:/-".contains(byte)) && digit(at + 1) {
            at += 1;
        }
        found.extend(text.get(start..at));
    }
    found.sort_unstable();
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> QuestionNames {
        let list = |words: &str| words.split(' ').map(str::to_owned).collect();
        QuestionNames {
            turns: list("messages input"),
            settings: list("model system"),
            fields: list("question prompt"),
            passing: list("id"),
        }
    }

    fn asked(body: &str) -> Option<Question> {
        question(&names(), "POST", "/v1", body.as_bytes())
    }

    #[test]
    fn the_turns_of_the_user_and_what_their_answer_depends_on() {
        let one = asked(r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"How?"}]}"#);
        assert_eq!(one.as_ref().map(|one| one.text.as_str()), Some("How?"));
        let other = asked(r#"{"messages":[{"role":"system","content":"Be rude."},{"role":"user","content":"How?"}]}"#);
        assert_ne!(one, other);
        assert_eq!(
            asked(r#"{"messages":[{"role":"assistant","id":1},{"content":"How?"}]}"#),
            asked(r#"{"messages":[{"role":"assistant","id":2},{"content":"How?"}]}"#)
        );
    }

    #[test]
    fn what_is_not_certain_is_left() {
        for body in ["", "[]", "{}", "{\"a\":", r#"{"question":"Why?","k":1e300}"#, r#"{"question":"٣"}"#] {
            assert_eq!(asked(body), None, "{body}");
        }
        assert_eq!(asked(r#"{"k":1}"#).map(|one| one.text), Some(String::new()));
    }

    #[test]
    fn figures_are_sorted() {
        assert_eq!(figures("12:30 and 3, 1,000.5 - x7-"), Some(vec!["1,000.5", "12:30", "3", "7"]));
    }
}
