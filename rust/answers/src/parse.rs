//! Strict JSON (RFC 8259), parsed in one pass; strings without escapes are borrowed.
//!
//! Invariant: what is accepted means the same to every parser: no number that is not finite or longer than
//! [`LONGEST_NUMBER`], no lone surrogate, no name twice in an object, no more than [`DEEPEST`] levels.

use std::borrow::Cow;
use std::collections::HashSet;

use super::json::{Object, Value};

/// The most levels of arrays and objects. Deeper bodies are left to a parser with a larger stack.
const DEEPEST: usize = 100;
/// The most characters of a number: Python reads no integer of more than some thousand digits.
const LONGEST_NUMBER: usize = 300;

/// The value of a JSON text, white space around it included.
pub fn parse(text: &str) -> Option<Value<'_>> {
    let (value, rest) = first(text)?;
    rest.is_empty().then_some(value)
}

/// The first value of a text, and what stands behind it and the white space that follows.
pub fn first(text: &str) -> Option<(Value<'_>, &str)> {
    first_or_cut(text).ok()
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The text ends within an object, array or string: no parser finds a value.
    Cut,
    /// It is no strict JSON, or too deep.
    Other,
}

/// [`first`], and why there is none.
pub fn first_or_cut(text: &str) -> Result<(Value<'_>, &str), Failure> {
    let mut parser = Parser { text, at: 0, ended: false };
    parser.space();
    let value = parser.value(0).ok_or(if parser.ended { Failure::Cut } else { Failure::Other })?;
    parser.space();
    Ok((value, text.get(parser.at..).unwrap_or_default()))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// More was wanted than there is, within an object, array or string.
    ended: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// No value, for want of what stands here.
    fn none<T>(&mut self) -> Option<T> {
        self.ended |= self.peek().is_none();
        None
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        let rest = self.text.as_bytes().get(self.at..)?;
        if !rest.starts_with(word.as_bytes()) {
            self.ended |= word.as_bytes().starts_with(rest);
            return None;
        }
        self.at += word.len();
        Some(value)
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => self.number(),
            None => self.none(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value<'a>> {
        let mut members = Vec::new();
        self.at += 1;
        self.space();
        if depth > DEEPEST {
            return None;
        }
        if self.eat(b'}') {
            return Some(Value::Object(Object(members)));
        }
        loop {
            let name = if self.peek() == Some(b'"') { self.string()? } else { return self.none() };
            self.space();
            if !self.eat(b':') {
                return self.none();
            }
            self.space();
            members.push((name, self.value(depth)?));
            self.space();
            if self.eat(b'}') {
                return (!has_twins(&members)).then_some(Value::Object(Object(members)));
            }
            if !self.eat(b',') {
                return self.none();
            }
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value<'a>> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if depth > DEEPEST {
            return None;
        }
        if self.eat(b']') {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.eat(b']') {
                return Some(Value::Array(items));
            }
            if !self.eat(b',') {
                return self.none();
            }
            self.space();
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        self.eat(b'-');
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if zero && whole > 1 {
            return None;
        }
        if whole == 0 {
            return self.none();
        }
        let (mut fraction, mut exponent) = (false, false);
        if self.eat(b'.') {
            fraction = true;
            if self.digits() == 0 {
                return self.none();
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            (fraction, exponent) = (true, true);
            self.at += 1;
            let _ = self.eat(b'+') || self.eat(b'-');
            if self.digits() == 0 {
                return self.none();
            }
        }
        let spelt = self.text.get(start..self.at)?;
        // A float -0.0 equals 0 and is written otherwise.
        let negative_zero = fraction && spelt.starts_with('-') && !spelt.contains(|sign| matches!(sign, '1'..='9'));
        let ordinary = !exponent || spelt.parse::<f64>().is_ok_and(|number| number.is_finite() && number != 0.0);
        (ordinary && !negative_zero && spelt.len() <= LONGEST_NUMBER).then_some(Value::Number(spelt))
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.at += 1;
        let start = self.at;
        let rest = self.text.as_bytes().get(start..)?;
        let Some(end) = plain(rest) else { return self.unclosed() };
        self.at = start + end;
        let before = self.text.get(start..self.at)?;
        if self.eat(b'"') {
            return Some(Cow::Borrowed(before));
        }
        let mut out = String::with_capacity(before.len() * 2);
        out.push_str(before);
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(Cow::Owned(out));
                }
                b'\\' => out.push(self.escape()?),
                _ => return None,
            }
            let start = self.at;
            let Some(end) = plain(self.text.as_bytes().get(start..)?) else { return self.unclosed() };
            self.at += end;
            out.push_str(self.text.get(start..self.at)?);
        }
    }

    fn unclosed<T>(&mut self) -> Option<T> {
        self.ended = true;
        None
    }

    fn escape(&mut self) -> Option<char> {
        let sign = *self.text.as_bytes().get(self.at + 1)?;
        self.at += 2;
        Some(match sign {
            b'"' | b'\\' | b'/' => char::from(sign),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = self.unit()?;
                if (0xd800..0xdc00).contains(&unit) {
                    let other = if self.eat(b'\\') && self.eat(b'u') { self.unit()? } else { return None };
                    if !(0xdc00..0xe000).contains(&other) {
                        return None;
                    }
                    char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (other - 0xdc00))?
                } else {
                    char::from_u32(unit)? // none for the second half of a pair
                }
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    }
}

/// Length of what stands before a string's quote, its next escape or a control character; `None` when there is none.
fn plain(rest: &[u8]) -> Option<usize> {
    let end = memchr::memchr2(b'"', b'\\', rest)?;
    let control = rest.get(..end)?.iter().position(|byte| *byte < 0x20);
    Some(control.unwrap_or(end))
}

/// Whether two members have one name: parsers do not agree which of them counts.
fn has_twins(members: &[(Cow<'_, str>, Value<'_>)]) -> bool {
    const FEW: usize = 24;
    if members.len() > FEW {
        let names: HashSet<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
        return names.len() < members.len();
    }
    members.iter().enumerate().any(|(at, (name, _))| members.iter().take(at).any(|(other, _)| other == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_ends_too_early_is_told_from_one_that_is_no_json() {
        let whole = r#"{"a":[true,-1.5e3,"b"],"c":{"d":null}}"#;
        for end in 1..whole.len() {
            let text = whole.get(..end).unwrap();
            assert_eq!(first_or_cut(text), Err(Failure::Cut), "{text}");
        }
        for text in [r#"{"a":1,"a":2}"#, "[01", "[tx", "[1 2", r#"["\x"#, "{1", "[NaN"] {
            assert_eq!(first_or_cut(text), Err(Failure::Other), "{text}");
        }
    }
}
