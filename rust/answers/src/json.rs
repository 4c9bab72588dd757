//! JSON values, borrowed from their text, and accessors that never fail.
//!
//! Invariant: no two members of an object have one name; [`super::parse`] takes no such object.

use std::borrow::Cow;

/// The largest count, 2^53.
const LARGEST_COUNT: u64 = 1 << 53;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is spelt.
    Number(&'a str),
    /// A string without its escapes.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// An object's members, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(pub Vec<(Cow<'a, str>, Value<'a>)>);

const EMPTY: &Object<'static> = &Object(Vec::new());

/// Whether a value that may not be there is one that Python's `or` keeps.
pub fn truthy(value: Option<&Value<'_>>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(is)) => *is,
        Some(Value::Number(spelt)) => spelt.parse::<f64>().is_ok_and(|number| number != 0.0),
        Some(Value::Text(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
    }
}

impl<'a> Value<'a> {
    /// The object; an empty one for anything else.
    pub fn object(&self) -> &Object<'a> {
        if let Value::Object(object) = self { object } else { EMPTY }
    }

    /// The string.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// A count that JSON may spell 28 or 28.0.
    pub fn count(&self) -> Option<u64> {
        let Value::Number(spelt) = self else { return None };
        if let Ok(count) = spelt.parse::<u64>() {
            return (count <= LARGEST_COUNT).then_some(count);
        }
        let number: f64 = spelt.parse().ok()?;
        (0.0..=LARGEST_COUNT as f64).contains(&number).then_some(number as u64)
    }

    /// A number as a float.
    pub fn float(&self) -> Option<f64> {
        let Value::Number(spelt) = self else { return None };
        // The integer -0 is 0, the float -0.0 is not.
        if *spelt == "-0" { Some(0.0) } else { spelt.parse().ok() }
    }
}

impl<'a> Object<'a> {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// Whether there is a member of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object under a name; an empty one when there is none.
    pub fn object(&self, name: &str) -> &Object<'a> {
        self.get(name).map_or(EMPTY, Value::object)
    }

    /// The array under a name; an empty one when there is none.
    pub fn array(&self, name: &str) -> &[Value<'a>] {
        match self.get(name) {
            Some(Value::Array(items)) => items,
            _ => &[],
        }
    }

    /// The objects of the array under a name, an empty one for what is none.
    pub fn objects(&self, name: &str) -> impl Iterator<Item = &Object<'a>> {
        self.array(name).iter().map(Value::object)
    }

    /// The string under a name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::text)
    }

    /// The string under a name; an empty one when there is none.
    pub fn str(&self, name: &str) -> &str {
        self.text(name).unwrap_or("")
    }

    /// The count under a name.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::count)
    }

    /// The first of the names that holds a string that is not empty; empty when none does.
    pub fn first(&self, names: &[&str]) -> &str {
        names.iter().map(|name| self.str(name)).find(|text| !text.is_empty()).unwrap_or("")
    }

    /// Whether a member is an array.
    pub fn is_array(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Array(_)))
    }

    /// Whether a member is an object.
    pub fn is_object(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Object(_)))
    }

    /// Whether a member is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Bool(true)))
    }
}
