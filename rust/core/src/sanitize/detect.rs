//! Detectors: where in a text a secret or a personal datum stands.
//!
//! One pass over the bytes; each byte that may begin (or, for `@`, join) a value starts a bounded look around it, so
//! the time is linear. What is found is validated (Luhn, mod 97, shapes) before it counts.

use super::rules;

/// One value found: its kind, and its place in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `email`, `payment_card`, `phone`, `iban`, `jwt`, `bearer`, `private_key`, `api_key`, ...
    pub kind: &'static str,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

/// Find all values in a text, in order, without overlap. Percent-encoding (RFC 3986 §2.1) is looked through, since
/// queries and forms are quoted in other texts.
pub fn detect(text: &str) -> Vec<Finding> {
    let bytes = text.as_bytes();
    let found = scan(bytes);
    match decoded(bytes) {
        Some((plain, places)) => merge(found, &scan(&plain), &places),
        None => found,
    }
}

/// The text with its percent-encoding undone, and for each byte of it (and the end) the place it came from; `None`
/// when there is none.
fn decoded(bytes: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let at_sign = |at: usize| Some((hex(bytes.get(at + 1))?, hex(bytes.get(at + 2))?));
    let first = memchr::memchr_iter(b'%', bytes).find(|at| at_sign(*at).is_some())?;
    let mut plain = bytes.get(..first)?.to_vec();
    let mut places: Vec<usize> = (0..first).collect();
    let mut at = first;
    while let Some(byte) = bytes.get(at) {
        places.push(at);
        if let (b'%', Some((high, low))) = (byte, at_sign(at)) {
            plain.push((high * 16 + low) as u8);
            at += 3;
        } else {
            plain.push(*byte);
            at += 1;
        }
    }
    places.push(bytes.len());
    Some((plain, places))
}

fn merge(mut found: Vec<Finding>, more: &[Finding], places: &[usize]) -> Vec<Finding> {
    for finding in more {
        if let (Some(start), Some(end)) = (places.get(finding.start), places.get(finding.end)) {
            found.push(Finding { kind: finding.kind, start: *start, end: *end });
        }
    }
    // The widest first where several begin alike; one that reaches into an earlier one makes that longer.
    found.sort_by_key(|finding| (finding.start, std::cmp::Reverse(finding.end)));
    let mut merged: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        match merged.last_mut() {
            Some(last) if finding.start < last.end => last.end = last.end.max(finding.end),
            _ => merged.push(finding),
        }
    }
    merged
}

fn scan(bytes: &[u8]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut at = 0;
    // First byte that no finding covers yet: a look back never goes before it.
    let mut free = 0;
    while let Some(byte) = bytes.get(at) {
        let hit = match CLASS[usize::from(*byte)] {
            AT => rules::email(bytes, at, free),
            DIGIT if starts_token(bytes, at) => rules::digits(bytes, at),
            PLUS => rules::international_phone(bytes, at),
            PAREN => rules::bracketed_phone(bytes, at),
            DASH => rules::private_key(bytes, at),
            LETTER if starts_token(bytes, at) => rules::word(bytes, at),
            COLON => rules::url_credentials(bytes, at),
            _ => None,
        };
        if let Some((kind, start, end)) = hit
            && start >= free
            && end > start
        {
            found.push(Finding { kind, start, end });
            free = end;
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// A value begins here only when the byte before is not part of a longer word.
fn starts_token(bytes: &[u8], at: usize) -> bool {
    at == 0 || bytes.get(at - 1).is_none_or(|before| !before.is_ascii_alphanumeric() && *before != b'_')
}

const OTHER: u8 = 0;
const AT: u8 = 1;
const DIGIT: u8 = 2;
const PLUS: u8 = 3;
const DASH: u8 = 4;
const LETTER: u8 = 5;
const COLON: u8 = 6;
const PAREN: u8 = 7;

const CLASS: [u8; 256] = {
    let mut class = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'@' => AT,
            b'0'..=b'9' => DIGIT,
            b'+' => PLUS,
            b'(' => PAREN,
            b'-' => DASH,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b':' => COLON,
            _ => OTHER,
        };
        byte += 1;
    }
    class
};
