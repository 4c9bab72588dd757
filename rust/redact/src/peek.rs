//! Looks ahead in a JSON text, without reading it: what a number is, and what an object's own members say of the others,
//! wherever among them they stand: that one names the value beside it, or that they describe values and hold none.
//!
//! Invariants: objects are read when they are asked about, each with all in it, and all of the text once that would take
//! longer, so that the time is linear however they are nested; only an object's own members speak for it.

use std::ops::Range;

use super::escapes;
use super::json_ends::string_end;
use super::label;
use super::names::{self, Name};

/// What an object's own members say.
#[derive(Clone, Copy, Debug)]
struct Object {
    /// Where it opens.
    at: usize,
    /// What the member that names its value says: `{"value": "...", "type": "text", "name": "password"}`.
    pair: Name,
    /// A JSON Schema's signs: `"type": "string"`, `"anyOf": [...]`.
    schema: bool,
}

/// What was asked of the objects of a text so far.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// Those of the part that was read last, by where they open.
    list: Vec<Object>,
    part: Range<usize>,
    /// How much was read to answer.
    looked: usize,
}

impl Objects {
    /// Read the objects of the value that opens at `from`, or those of the whole text. Where that ends; `None` when it
    /// does not end before `to`.
    fn read(&mut self, text: &[u8], from: usize, to: usize, whole: bool) -> Option<usize> {
        self.list.clear();
        // Of an array: `None`.
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut at = from;
        while let Some(byte) = text.get(at) {
            if at > to {
                return None;
            }
            at = match byte {
                b'"' => {
                    let end = string_end(text, at + 1);
                    let value = after_colon(text, end + 1);
                    let object = open.last().copied().flatten().and_then(|index| self.list.get_mut(index));
                    if let (Some(value), Some(object)) = (value, object) {
                        object.member(text, text.get(at + 1..end).unwrap_or_default(), value);
                    }
                    value.unwrap_or(end + 1)
                }
                b'{' => {
                    open.push(Some(self.list.len()));
                    self.list.push(Object { at, pair: Name::Plain, schema: false });
                    at + 1
                }
                b'[' => {
                    open.push(None);
                    at + 1
                }
                b'}' | b']' => {
                    open.pop();
                    if open.is_empty() && !whole {
                        return Some(at + 1);
                    }
                    at + 1
                }
                _ => at + 1,
            };
        }
        Some(text.len())
    }

    /// The object that opens there: what was read last, or it with all in it, or the whole text, where it and what was
    /// read before would come to more than that.
    fn at(&mut self, text: &[u8], open: usize) -> Option<&Object> {
        if !self.part.contains(&open) {
            let left = text.len().saturating_sub(self.looked);
            let end = self.read(text, open, open + left, false);
            self.part = match end {
                Some(end) => open..end,
                None => 0..self.read(text, 0, text.len(), true).unwrap_or(text.len()),
            };
            self.looked += self.part.len();
        }
        self.list.binary_search_by_key(&open, |object| object.at).ok().and_then(|index| self.list.get(index))
    }

    /// What an object that opens there says of the value that it names.
    pub(super) fn pair(&mut self, text: &[u8], open: usize) -> Name {
        self.at(text, open).map_or(Name::Plain, |object| object.pair)
    }

    /// Whether an object that opens there describes values: which of its members do so, [`is_keyword`] says.
    pub(super) fn is_schema(&mut self, text: &[u8], open: usize) -> bool {
        self.at(text, open).is_some_and(|object| object.schema)
    }
}

impl Object {
    fn member(&mut self, text: &[u8], name: &[u8], value: usize) {
        let string = |at: usize| {
            let from = at + 1;
            (text.get(at) == Some(&b'"')).then(|| text.get(from..string_end(text, from)).unwrap_or_default())
        };
        self.schema |= match name {
            b"type" => is_type(text, value),
            b"$ref" => string(value).is_some(),
            b"anyOf" | b"oneOf" | b"allOf" | b"enum" => text.get(value) == Some(&b'['),
            _ => false,
        };
        if names::names_a_pair(name)
            && let Some(written) = string(value)
            && written.len() <= NAME
            && let Some(said) = escapes::unescape(written, true)
            && label::first_mask(&said).is_none()
        {
            let says = names::says(&said);
            if weight(says) > weight(self.pair) {
                self.pair = says;
            }
        }
    }
}

/// Longest name of a value.
const NAME: usize = 256;

/// Of several names the one that hides most.
fn weight(says: Name) -> u8 {
    match says {
        Name::Plain => 0,
        Name::Key => 1,
        Name::Token => 2,
        Name::Code => 3,
        Name::Header => 4,
        Name::Password => 5,
    }
}

/// Where a value begins behind a name and its colon.
fn after_colon(text: &[u8], at: usize) -> Option<usize> {
    let skip = |at: usize| {
        at + text.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    };
    let colon = skip(at);
    (text.get(colon) == Some(&b':')).then(|| skip(colon + 1))
}

/// A type of JSON Schema, or a list of them.
fn is_type(text: &[u8], at: usize) -> bool {
    const TYPES: [&[u8]; 8] = [b"string", b"object", b"array", b"number", b"integer", b"boolean", b"null", b"str"];
    const LONGEST: usize = 96;
    let rest = text.get(at..text.len().min(at + LONGEST)).unwrap_or_default();
    let list = match rest {
        [b'"', inner @ ..] => {
            return inner.split(|byte| *byte == b'"').next().is_some_and(|word| TYPES.contains(&word));
        }
        [b'[', inner @ ..] => inner,
        _ => return false,
    };
    let Some(end) = list.iter().position(|byte| *byte == b']') else { return false };
    let mut words = list.get(..end).unwrap_or_default().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    words.all(|word| {
        word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).is_some_and(|word| TYPES.contains(&word))
    })
}

/// Whether a schema's member of this name describes a value: any other may be the value, as `value` or `default` are.
pub(super) fn is_keyword(name: &[u8]) -> bool {
    matches!(
        name,
        b"type"
            | b"$ref"
            | b"$id"
            | b"$schema"
            | b"$comment"
            | b"$defs"
            | b"definitions"
            | b"anyOf"
            | b"oneOf"
            | b"allOf"
            | b"not"
            | b"if"
            | b"then"
            | b"else"
            | b"enum"
            | b"properties"
            | b"patternProperties"
            | b"additionalProperties"
            | b"propertyNames"
            | b"dependentRequired"
            | b"dependentSchemas"
            | b"items"
            | b"prefixItems"
            | b"additionalItems"
            | b"contains"
            | b"required"
            | b"optional"
            | b"nullable"
            | b"sensitive"
            | b"readOnly"
            | b"writeOnly"
            | b"deprecated"
            | b"format"
            | b"pattern"
            | b"minLength"
            | b"maxLength"
            | b"minimum"
            | b"maximum"
            | b"exclusiveMinimum"
            | b"exclusiveMaximum"
            | b"multipleOf"
            | b"minItems"
            | b"maxItems"
            | b"uniqueItems"
            | b"minProperties"
            | b"maxProperties"
            | b"contentEncoding"
            | b"contentMediaType"
            | b"title"
            | b"description"
            | b"name"
            | b"in"
            | b"label"
            | b"help"
            | b"hint"
            | b"placeholder"
    )
}

/// RFC 8259 §6.
pub(super) fn is_number(number: &[u8]) -> bool {
    let digits =
        |from: usize| number.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(number.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && number.get(at) == Some(&b'0')) {
        return false;
    }
    at += whole;
    if number.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return false;
        }
        at += 1 + fraction;
    }
    if matches!(number.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(number.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return false;
        }
        at += exponent;
    }
    at == number.len()
}
