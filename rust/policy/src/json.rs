//! JSON as a guard must read it: a member that occurs twice, in the same or another case, is an error.
//!
//! Parsers differ in which of two members with one name they take (RFC 8259 §4), and some servers match names without
//! regard to case. A body that two parsers may read differently must never be called a read; so it is refused here,
//! once, for every classifier. Depth is bounded by serde_json (128).

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// A JSON value with the order of its members kept. Numbers are kept only as "a number": no verdict depends on one.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    ///
    /// A byte order mark is no part of the text (RFC 8259 §8.1), and half a surrogate pair is read as U+FFFD: clients
    /// write both by accident, parsers take them, and no word that a verdict depends on can be hidden so.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(&whole_pairs(&plain(bytes))).map_err(|error| error.to_string())
    }

    /// The values of a text of several: JSON lines, or one behind the other (RFC 7464 puts a record separator between).
    pub fn parse_several(text: &str) -> Result<Vec<Self>, String> {
        let separated = text.replace('\u{1e}', "\n");
        let text = whole_pairs(separated.as_bytes());
        let values = serde_json::Deserializer::from_slice(&text).into_iter();
        values.collect::<Result<_, _>>().map_err(|error| error.to_string())
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

/// A JSON text without its byte order mark, and with U+FFFD for surrogates that were encoded by themselves.
pub fn plain(bytes: &[u8]) -> Cow<'_, [u8]> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let surrogate =
        |three: &[u8]| matches!(three, [0xed, second, third] if *second >= 0xa0 && (0x80..0xc0).contains(third));
    if std::str::from_utf8(text).is_ok() || !text.windows(3).any(surrogate) {
        return Cow::Borrowed(text);
    }
    let mut out = text.to_vec();
    for at in 0..out.len() {
        if let Some(three) = out.get_mut(at..at + 3)
            && surrogate(three)
        {
            three.copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    Cow::Owned(out)
}

/// The text with `\ufffd` for each escaped half of a surrogate pair that stands without its other half.
fn whole_pairs(text: &[u8]) -> Cow<'_, [u8]> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    };
    let mut out = Cow::Borrowed(text);
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        at += match unit(at) {
            Some(0xd800..0xdc00) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => 12,
            Some(0xd800..0xe000) => {
                if let Some(escape) = out.to_mut().get_mut(at..at + 6) {
                    escape.copy_from_slice(b"\\ufffd");
                }
                6
            }
            _ => 2,
        };
    }
    out
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
    fn a_mark_and_half_pairs_are_read_and_hide_nothing() {
        let parse = |text: &[u8]| Json::parse(text);
        assert_eq!(parse(b"\xef\xbb\xbf{\"a\":1}"), parse(b"{\"a\":1}"));
        let replaced = Ok(Json::String("x\u{fffd}y".to_owned()));
        for half in [&br#""x\ud83dy""#[..], br#""x\uDE00y""#, b"\"x\xed\xa0\xbdy\"", b"\"x\xed\xb8\x80y\""] {
            assert_eq!(parse(half), replaced, "{}", String::from_utf8_lossy(half));
        }
        assert_eq!(parse(br#""\ud83d\ude00\ude00\ud83d""#), Ok(Json::String("😀\u{fffd}\u{fffd}".to_owned())));
        assert_eq!(parse(br#""\\ud83d""#), Ok(Json::String(r"\ud83d".to_owned())));
        assert!(parse(br#"{"a\ud800":1,"a\udfff":2}"#).is_err(), "read alike, so ambiguous");
        for none in [
            &b"\xff\"x\""[..],
            b"\"x\xff\"",
            b"\xfe\xff\"x\"",
            br#""\ud8""#,
            br#""\"#,
            b"\"\xed\xa0\"",
            b"\xef\xbb\xbf",
        ] {
            assert!(parse(none).is_err(), "{}", String::from_utf8_lossy(none));
        }
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
