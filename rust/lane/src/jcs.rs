//! RFC 8785, the JSON Canonicalization Scheme: one text for each JSON value.
//!
//! Invariant: nothing here recurses without a bound. What has no canonical form (invalid JSON, duplicate names, lone
//! surrogates, fractions beyond a double, more than 128 levels) gives `None`, never a guess.
//!
//! One thing differs from the RFC, whose numbers are IEEE doubles: an integer that no double holds keeps its digits.
//! Identifiers above 2^53 are that common, and two of them must not become one.

use std::collections::BTreeMap;

const DEEPEST: usize = 128;

enum Value {
    Atom(&'static str),
    Number(f64),
    /// An integer that is no double, as it came: JSON has one spelling for it.
    Digits(String),
    Text(String),
    Array(Vec<Value>),
    Object(BTreeMap<Key, Value>),
}

/// Names are ordered by their UTF-16 code units (RFC 8785 §3.2.3).
#[derive(PartialEq, Eq)]
struct Key(String);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.encode_utf16().cmp(other.0.encode_utf16())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The canonical form of a JSON text, or `None` when it has none.
pub fn canonicalize(text: &[u8]) -> Option<Vec<u8>> {
    canonicalize_without(text, &[])
}

/// The same, with fields left out: each is a JSON pointer (RFC 6901) or the name of a field at the top.
pub fn canonicalize_without(text: &[u8], ignore: &[&str]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parser = Parser { bytes: text.as_bytes(), text, at: 0 };
    let mut value = parser.value(0)?;
    parser.space();
    if parser.at != parser.bytes.len() {
        return None;
    }
    for field in ignore {
        let path: Vec<String> = match field.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect(),
            None => vec![(*field).to_owned()],
        };
        leave_out(&mut value, &path);
    }
    let mut out = String::with_capacity(text.len());
    write(&value, &mut out);
    Some(out.into_bytes())
}

fn leave_out(value: &mut Value, path: &[String]) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    match value {
        Value::Object(fields) if rest.is_empty() => {
            fields.remove(&Key(name.clone()));
        }
        Value::Object(fields) => {
            if let Some(inner) = fields.get_mut(&Key(name.clone())) {
                leave_out(inner, rest);
            }
        }
        Value::Array(items) => {
            if let Some(inner) = name.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                leave_out(inner, rest);
            }
        }
        _ => {}
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.bytes.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.space();
        match self.bytes.get(self.at)? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Value::Text),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &'static str) -> Option<Value> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| {
            self.at += word.len();
            Value::Atom(word)
        })
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.eat(b'{')?;
        let mut fields = BTreeMap::new();
        self.space();
        if self.eat(b'}').is_some() {
            return Some(Value::Object(fields));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.eat(b':')?;
            let value = self.value(depth + 1)?;
            if fields.insert(Key(name), value).is_some() {
                return None;
            }
            self.space();
            if self.eat(b',').is_none() {
                self.eat(b'}')?;
                return Some(Value::Object(fields));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.eat(b'[')?;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']').is_some() {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b',').is_none() {
                self.eat(b']')?;
                return Some(Value::Array(items));
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.eat(b'"')?;
        let mut out = String::new();
        loop {
            let start = self.at;
            while self.bytes.get(self.at).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            // Cut at ASCII bytes, so on character borders.
            out.push_str(self.text.get(start..self.at)?);
            match self.bytes.get(self.at)? {
                b'"' => {
                    self.at += 1;
                    return Some(out);
                }
                b'\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.unit()?;
                if (0xd800..0xdc00).contains(&first) {
                    self.eat(b'\\')?;
                    self.eat(b'u')?;
                    let second = self.unit()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return None;
                    }
                    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?
                } else {
                    char::from_u32(first)?
                }
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
    }

    fn number(&mut self) -> Option<Value> {
        let start = self.at;
        // Absent is fine.
        let _ = self.eat(b'-');
        if self.eat(b'0').is_none() {
            self.digits()?;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at)?;
        let number: f64 = text.parse().ok()?;
        let integer = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        // Up to 15 digits every integer is a double. Rust prints all digits of one.
        if integer && text.len() > 15 && format!("{number:.0}") != text {
            return Some(Value::Digits(text.to_owned()));
        }
        number.is_finite().then_some(Value::Number(number))
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Atom(word) => out.push_str(word),
        // ECMAScript's Number::toString, as RFC 8785 §3.2.2.3 asks; it writes -0 as 0.
        Value::Number(number) => out.push_str(ryu_js::Buffer::new().format(*number)),
        Value::Digits(digits) => out.push_str(digits),
        Value::Text(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(&name.0, out);
                out.push(':');
                write(field, out);
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                out.push_str("\\u00");
                for shift in [4, 0] {
                    out.extend(char::from_digit((u32::from(control) >> shift) & 0xf, 16));
                }
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
