//! One text for a JSON value, as `shadowlane.providers.reading.jsonlike.canonical` writes it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::json::Value;

/// The most characters of an integer: a longer one may be more than 64 bits hold.
const LONGEST_INTEGER: usize = 18;

/// One text for equal values: names sorted, no spaces. `None` for fractions whose spelling other writers do not share.
pub fn canonical(value: &Value<'_>) -> Option<String> {
    let mut out = String::new();
    write_value(value, &mut out).then_some(out)
}

fn write_value(value: &Value<'_>, out: &mut String) -> bool {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(is) => out.push_str(if *is { "true" } else { "false" }),
        Value::Number(spelt) => return write_number(spelt, out),
        Value::Text(text) => quote(text, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                if !write_value(item, out) {
                    return false;
                }
            }
            out.push(']');
        }
        Value::Object(object) => {
            let sorted: BTreeMap<&str, &Value<'_>> =
                object.0.iter().map(|(name, value)| (name.as_ref(), value)).collect();
            out.push('{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quote(name, out);
                out.push(':');
                if !write_value(value, out) {
                    return false;
                }
            }
            out.push('}');
        }
    }
    true
}

fn write_number(spelt: &str, out: &mut String) -> bool {
    if !spelt.contains(['.', 'e', 'E']) {
        out.push_str(if spelt == "-0" { "0" } else { spelt });
        return spelt.len() <= LONGEST_INTEGER;
    }
    let Ok(number) = spelt.parse::<f64>() else { return false };
    // Outside of these bounds some write an exponent and some do not.
    if number != 0.0 && !(1e-4..1e15).contains(&number.abs()) {
        return false;
    }
    write!(out, "{number:?}").is_ok()
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", letter as u32);
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}
