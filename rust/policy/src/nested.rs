//! JSON that stands in a text of another JSON: `"arguments": "{\"sql\": \"DROP TABLE t\"}"`, a parameter of a query, a
//! field of a form.
//!
//! Invariant: only a text that is JSON from its first sign to its last is read as such, and at most [`MOST`] texts deep:
//! each level has at least as many bytes as what it holds, so the time is linear. What begins and ends as an object and
//! has more than one reading, and what lies deeper, is told apart from prose, so that a guard can refuse it.

use super::json::Json;

/// How many texts deep JSON is looked for.
pub const MOST: usize = 4;

/// What a text is.
#[derive(Debug, PartialEq, Eq)]
pub enum Nested {
    /// No JSON, or a scalar that holds none.
    Text,
    /// One value, an array, an object or a text that may hold one.
    Json(Json),
    /// It begins and ends as an object does, and parsers do not agree on it.
    Ambiguous,
}

impl Nested {
    /// What a text is.
    pub fn of(text: &str) -> Self {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
            return Self::Text;
        };
        if !matches!((first, last), ('{', '}') | ('[', ']') | ('"', '"')) || text.len() < 2 {
            return Self::Text;
        }
        match Json::parse(text.as_bytes()) {
            Ok(Json::String(inner)) if !matches!(Self::of(&inner), Self::Text) => Self::Json(Json::String(inner)),
            Ok(value @ (Json::Object(_) | Json::Array(_))) => Self::Json(value),
            Err(_) if is_object(text) => Self::Ambiguous,
            Ok(_) | Err(_) => Self::Text,
        }
    }
}

/// Whether a text begins as an object with a quoted name, or as a list of such.
fn is_object(text: &str) -> bool {
    let inside = text.trim_start_matches(|c: char| c == '[' || c.is_whitespace());
    inside.strip_prefix('{').is_some_and(|name| name.trim_start().starts_with(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::{Json, Nested};

    #[test]
    fn only_whole_texts_are_json() {
        for text in ["", "a", "{a}", "[1] How?", "{\"a\": 1} and more", "\"quoted\"", "42", "{ me { name } }", "\""] {
            assert_eq!(Nested::of(text), Nested::Text, "{text}");
        }
        for text in ["{}", " {\"a\":1}\n", "[\"a\"]", "\u{feff}[{}]", r#""{\"a\":1}""#] {
            assert!(matches!(Nested::of(text), Nested::Json(_)), "{text}");
        }
        for text in [r#"{"a":1,"a":2}"#, r#"[{"a":NaN}]"#, "{'a':1}", r#"{ "a":1,}"#] {
            assert_eq!(Nested::of(text), Nested::Ambiguous, "{text}");
        }
        assert_eq!(Nested::of("[1]"), Nested::Json(Json::Array(vec![Json::Number])));
    }
}
