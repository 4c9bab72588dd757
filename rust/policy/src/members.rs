//! A JSON object whose members keep their order and their bytes, so that editing one leaves the others as they came.

use serde_json::value::{RawValue, to_raw_value};

use super::json::plain;

/// The members of an object in their order, values as the bytes that came.
#[derive(Default)]
pub struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    /// The members of the object in `body`.
    pub fn parse(body: &[u8]) -> Result<Self, String> {
        struct Reader;
        impl<'de> serde::de::Visitor<'de> for Reader {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        let text = plain(body);
        let mut reader = serde_json::Deserializer::from_slice(&text);
        serde::Deserializer::deserialize_map(&mut reader, Reader)
            .and_then(|members| reader.end().map(|()| members))
            .map_err(|error| format!("body: {error}"))
    }

    /// The object, without white space between its members.
    pub fn print(&self) -> Result<Vec<u8>, String> {
        let mut out = vec![b'{'];
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            serde_json::to_writer(&mut out, name).map_err(|error| format!("{name}: {error}"))?;
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b'}');
        Ok(out)
    }

    /// The member's value.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find_map(|(key, value)| (key == name).then_some(value.as_ref()))
    }

    /// Sets the member where it stands, or at the end. One that occurs twice is set twice: parsers differ in which counts.
    pub fn set(&mut self, name: &str, value: Box<RawValue>) {
        let mut found = false;
        for (_, old) in self.0.iter_mut().filter(|(key, _)| key == name) {
            old.clone_from(&value);
            found = true;
        }
        if !found {
            self.0.push((name.to_owned(), value));
        }
    }

    /// Removes the member; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(key, _)| key != name);
        self.0.len() != before
    }
}

/// A value as raw JSON; `name` is for the error.
pub fn raw<T: serde::Serialize>(name: &str, value: &T) -> Result<Box<RawValue>, String> {
    to_raw_value(value).map_err(|error| format!("{name}: {error}"))
}
