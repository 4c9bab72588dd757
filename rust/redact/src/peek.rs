//! Looks ahead in a JSON text, without reading it: what a number is, whether an object describes values, what a member's
//! neighbour names it.
//!
//! Invariant: a look reads at most what follows once, a string or some hundred bytes.

use super::label;
use super::names::{self, Name};

/// What the next member says that names the one whose name ends at `at`; only right behind a string:
/// `{"value": "...", "name": "password"}`.
pub(super) fn named_next(text: &[u8], at: usize) -> Name {
    let skip = |at: usize| {
        at + text.get(at..).unwrap_or_default().iter().take(64).take_while(|byte| byte.is_ascii_whitespace()).count()
    };
    let sign = |at: usize, sign: u8| (text.get(at) == Some(&sign)).then(|| skip(at + 1));
    let next = || {
        let (_, end) = string(text, sign(skip(at), b':')?)?;
        let (key, end) = string(text, sign(skip(end), b',')?)?;
        if !names::names_a_pair(key) {
            return None;
        }
        let (name, _) = string(text, sign(skip(end), b':')?)?;
        (label::first_mask(name).is_none()).then(|| names::says(name))
    };
    next().unwrap_or(Name::Plain)
}

/// A string that opens at `at`, as it is written, and its end.
fn string(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = text.get(at..)?.strip_prefix(b"\"")?;
    let mut next = 0;
    loop {
        let quote = next + memchr::memchr2(b'"', b'\\', rest.get(next..)?)?;
        if rest.get(quote) == Some(&b'"') {
            return Some((rest.get(..quote)?, at + quote + 2));
        }
        next = quote + 2;
    }
}

/// Whether an object that opens at `at` describes values and holds none: a JSON Schema's `{"type": "string", ...}`.
pub(super) fn is_schema(text: &[u8], at: usize) -> bool {
    const REACH: usize = 400;
    const TYPES: [&[u8]; 7] = [b"string", b"object", b"array", b"number", b"integer", b"boolean", b"str"];
    const WORDS: [&[u8]; 4] = [b"\"$ref\"", b"\"anyOf\"", b"\"oneOf\"", b"\"enum\""];
    let part = text.get(at..text.len().min(at + REACH)).unwrap_or_default();
    let typed = |from: usize| -> Option<&[u8]> {
        let rest = part.get(from..)?;
        let open = rest.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b':')?;
        let word = rest.get(open..)?.strip_prefix(b"\"")?;
        word.get(..word.iter().position(|byte| *byte == b'"')?)
    };
    memchr::memmem::find_iter(part, b"\"type\"").any(|at| typed(at + 6).is_some_and(|word| TYPES.contains(&word)))
        || WORDS.iter().any(|word| memchr::memmem::find(part, word).is_some())
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
