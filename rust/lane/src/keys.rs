//! What makes a request somebody's: the key of a sticky sample, or of a tenant's cap.
//!
//! Invariant: a key is compared by its hash only and kept nowhere, since it is a credential or names a person.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use shadowlane_base::{Error, Result};

/// Where clients put their credential.
const CREDENTIALS: [&[u8]; 3] = [b"authorization", b"x-api-key", b"api-key"];

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StickyKey {
    /// A header's value.
    Header(Vec<u8>),
    /// A cookie's value (RFC 6265 §4.2.1).
    Cookie(Vec<u8>),
    /// The credential: `authorization`, `x-api-key` or `api-key`. Only its hash decides; it is kept nowhere.
    ApiKey,
    /// A value of the JSON request body, by its JSON pointer's reference tokens (RFC 6901).
    Json(Vec<String>),
}

impl StickyKey {
    /// From `header:NAME`, `cookie:NAME`, `json:/POINTER` or `api_key`. [`Error::Invalid`] for anything else.
    pub fn parse(field: &'static str, text: &str) -> Result<Self> {
        let bad = || Error::Invalid {
            field,
            why: format!("{text:?} is none of header:NAME, cookie:NAME, json:/POINTER, api_key"),
        };
        if text == "api_key" {
            return Ok(Self::ApiKey);
        }
        match text.split_once(':').ok_or_else(bad)? {
            ("header", name) if !name.is_empty() => Ok(Self::Header(name.as_bytes().to_vec())),
            ("cookie", name) if !name.is_empty() => Ok(Self::Cookie(name.as_bytes().to_vec())),
            ("json", pointer) if pointer.starts_with('/') => Ok(Self::Json(
                pointer.split('/').skip(1).map(|token| token.replace("~1", "/").replace("~0", "~")).collect(),
            )),
            _ => Err(bad()),
        }
    }

    /// Whether the key is known only when the request's body is.
    pub fn needs_body(&self) -> bool {
        matches!(self, Self::Json(_))
    }

    /// Whether the key may be in a header of this name.
    pub fn reads(&self, name: &[u8]) -> bool {
        match self {
            Self::Header(header) => name.eq_ignore_ascii_case(header),
            Self::Cookie(_) => name.eq_ignore_ascii_case(b"cookie"),
            Self::ApiKey => CREDENTIALS.iter().any(|known| name.eq_ignore_ascii_case(known)),
            Self::Json(_) => false,
        }
    }

    /// The key, when this header holds it.
    pub fn find<'a>(&self, name: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            _ if !self.reads(name) => None,
            Self::Cookie(cookie) => value
                .split(|byte| *byte == b';')
                .find_map(|pair| pair.trim_ascii().strip_prefix(cookie.as_slice())?.strip_prefix(b"=")),
            Self::Header(_) | Self::ApiKey => Some(value),
            Self::Json(_) => None,
        }
    }

    /// The key in a JSON body: a string's text, or a number or truth value as it is written; `None` when the body is not
    /// JSON up to there, or has nothing of the kind. Of equal names the first counts. Reads no further than the value.
    pub fn find_in_body(&self, body: &[u8]) -> Option<Vec<u8>> {
        let Self::Json(tokens) = self else {
            return None;
        };
        let found = RefCell::new(None);
        let mut reader = serde_json::Deserializer::from_slice(body);
        // The error that ends the reading early is ours when the value was found; any other leaves `found` empty.
        let _ = Seek { tokens, found: &found }.deserialize(&mut reader);
        found.into_inner()
    }
}

/// Follows a pointer, and stops at its value.
#[derive(Clone, Copy)]
struct Seek<'p> {
    tokens: &'p [String],
    found: &'p RefCell<Option<Vec<u8>>>,
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> std::result::Result<(), D::Error> {
        if !self.tokens.is_empty() {
            return reader.deserialize_any(self);
        }
        let raw = <&RawValue as serde::Deserialize>::deserialize(reader)?.get();
        *self.found.borrow_mut() = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(raw).ok().map(String::into_bytes),
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => Some(raw.as_bytes().to_vec()),
            _ => None,
        };
        Err(D::Error::custom("found"))
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let (name, rest) = self.tokens.split_first().ok_or_else(|| A::Error::custom("no token"))?;
        while let Some(key) = map.next_key::<String>()? {
            if key == *name {
                return map.next_value_seed(Seek { tokens: rest, ..self });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("absent"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        let (index, rest) = self.tokens.split_first().ok_or_else(|| A::Error::custom("no token"))?;
        // RFC 6901 §4: digits without a leading zero.
        let plain = index == "0" || (!index.starts_with('0') && index.bytes().all(|byte| byte.is_ascii_digit()));
        let index = index.parse::<usize>().ok().filter(|_| plain).ok_or_else(|| A::Error::custom("no index"))?;
        for _ in 0..index {
            seq.next_element::<IgnoredAny>()?.ok_or_else(|| A::Error::custom("absent"))?;
        }
        seq.next_element_seed(Seek { tokens: rest, ..self })?.ok_or_else(|| A::Error::custom("absent"))
    }
}
