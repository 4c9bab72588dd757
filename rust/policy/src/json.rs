//! JSON as a guard must read it: a member that occurs twice, in the same or another case, is an error.
//!
//! Parsers differ in which of two members with one name they take (RFC 8259 §4), and some servers match names without
//! regard to case. A body that two parsers may read differently must never be called a read; so it is refused here,
//! once, for every classifier. Depth is bounded by serde_json (128).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value with the order of its members kept. Numbers are kept only as "a number": no verdict depends on one.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number,
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value of `bytes`, which must be one UTF-8 JSON text without ambiguous members.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// The member of that exact name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find_map(|(key, value)| (key == name).then_some(value)),
            _ => None,
        }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Whether it says something: not absent, null, false, empty.
    pub fn is_set(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) => false,
            Self::String(text) => !text.is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::Object(members) => !members.is_empty(),
            Self::Bool(true) | Self::Number => true,
        }
    }

    /// A member whose name equals one of `names` only when case is ignored: a server may read it, we would not.
    pub fn misspelt(&self, names: &[&str]) -> Option<&str> {
        match self {
            Self::Object(members) => members
                .iter()
                .map(|(key, _)| key.as_str())
                .find(|key| names.iter().any(|name| key.eq_ignore_ascii_case(name) && key != name)),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value()?;
            members.push((key, value));
        }
        if has_duplicate(&members) {
            return Err(A::Error::custom("a member occurs twice"));
        }
        Ok(Json::Object(members))
    }
}

/// Whether two members have one name. Small objects, nearly all, are compared pairwise without an allocation.
fn has_duplicate(members: &[(String, Json)]) -> bool {
    if members.len() <= 16 {
        return members
            .iter()
            .enumerate()
            .any(|(at, (key, _))| members.iter().take(at).any(|(before, _)| before == key));
    }
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.iter().zip(keys.iter().skip(1)).any(|(one, next)| one == next)
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn a_member_twice_is_refused_at_any_depth() {
        assert!(Json::parse(br#"{"a":1,"a":2}"#).is_err());
        assert!(Json::parse(br#"{"x":[{"a":1,"\u0061":2}]}"#).is_err());
        let wide: Vec<String> = (0..40).map(|n| format!("\"k{}\":0", n % 39)).collect();
        assert!(Json::parse(format!("{{{}}}", wide.join(",")).as_bytes()).is_err());
        assert!(Json::parse(br#"{"a":1,"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_an_overflow() {
        let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
        assert!(Json::parse(&deep).is_err());
    }

    #[test]
    fn a_name_in_another_case_is_found() {
        let body = Json::parse(br#"{"Method":"tools/call"}"#).expect("it is JSON");
        assert_eq!(body.misspelt(&["method"]), Some("Method"));
        assert_eq!(body.misspelt(&["Method"]), None);
    }
}
