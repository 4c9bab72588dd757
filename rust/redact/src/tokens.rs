//! Where a text is masked, what says it once more in tokens is masked too: log probabilities with their alternatives, and
//! the identifiers of tokens.
//!
//! Invariant: structure stays. A string becomes empty, an integer 0, a name that is a token its number.

use super::edits::Edits;
use super::json_ends::string_end;

/// What holds tokens as text, with what else was likely. Names are compared without case and signs.
const LISTS: &[&[u8]] = &[
    b"logprobs",
    b"toplogprobs",
    b"promptlogprobs",
    b"logprobsresult",
    b"topcandidates",
    b"chosencandidates",
    b"completionprobabilities",
    b"decoderinputdetails",
    b"prefill",
    b"toptokens",
    b"token",
];
/// Lists of the numbers of tokens.
const NUMBERS: &[&[u8]] = &[
    b"tokens",
    b"tokenids",
    b"tokensids",
    b"inputids",
    b"outputids",
    b"prompttokenids",
    b"completiontokenids",
    b"outputtokenids",
    b"inputtokenids",
    b"generatedids",
    b"generatedtokenids",
    b"sequences",
    b"context",
    b"ids",
];
/// Names of numbers beside a token; any other name of a number is a token itself.
const NAMED: &[&[u8]] = &[
    b"logprob",
    b"logprobability",
    b"prob",
    b"probability",
    b"rank",
    b"id",
    b"tokenid",
    b"index",
    b"position",
    b"score",
    b"start",
    b"end",
    b"offset",
    b"textoffset",
];
/// Longest of the names.
const NAME: usize = 32;

/// A body with its token lists emptied; `None` when there are none.
pub(super) fn emptied(body: &[u8]) -> Option<Vec<u8>> {
    let mut edits = Edits::default();
    let mut at = 0;
    while let Some(open) = body.get(at..).and_then(|rest| memchr::memchr(b'"', rest)).map(|offset| at + offset) {
        let end = string_end(body, open + 1);
        at = end + 1;
        let Some(value) = value_after(body, at) else { continue };
        let Some(name) = plain(body.get(open + 1..end).unwrap_or_default()) else { continue };
        if LISTS.contains(&name.as_slice()) {
            at = empty_all(body, value, &mut edits);
        } else if NUMBERS.contains(&name.as_slice()) {
            at = empty_numbers(body, value, &mut edits);
        }
    }
    (edits.len() > 0).then(|| edits.applied(body))
}

/// Where an object or an array begins that follows a name.
fn value_after(body: &[u8], at: usize) -> Option<usize> {
    let colon = skip(body, at);
    let value = skip(body, colon + 1);
    (body.get(colon) == Some(&b':') && matches!(body.get(value), Some(b'{' | b'['))).then_some(value)
}

fn skip(body: &[u8], at: usize) -> usize {
    at + body.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// A name without case and signs.
fn plain(name: &[u8]) -> Option<Vec<u8>> {
    (name.len() <= NAME)
        .then(|| name.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).collect())
}

/// Empty strings and integers of the value that begins at `from`; its end.
fn empty_all(body: &[u8], from: usize, edits: &mut Edits) -> usize {
    let (mut at, mut depth, mut renamed) = (from, 0_usize, 0_usize);
    while let Some(byte) = body.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b'"' => {
                let end = string_end(body, at + 1);
                let colon = skip(body, end + 1);
                if body.get(colon) != Some(&b':') {
                    remove(at + 1, end, edits);
                } else if is_token(body, at + 1, end, colon) {
                    edits.push(at + 1..end, |out| out.extend_from_slice(renamed.to_string().as_bytes()));
                    renamed += 1;
                }
                at = end;
            }
            b'0'..=b'9' | b'-' => {
                at = number(body, at, edits);
                continue;
            }
            b'\n' | b'\r' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    body.len()
}

fn remove(from: usize, to: usize, edits: &mut Edits) {
    if from < to {
        edits.push(from..to, |_| {});
    }
}

/// A name is a token where its value is a number that no known name has, or where it is a token's number.
fn is_token(body: &[u8], from: usize, to: usize, colon: usize) -> bool {
    let name = body.get(from..to).unwrap_or_default();
    let value = body.get(skip(body, colon + 1));
    let of_number = value.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    let known = plain(name).is_some_and(|name| NAMED.contains(&name.as_slice()));
    (of_number && !known) || (!name.is_empty() && name.iter().all(u8::is_ascii_digit))
}

/// An integer becomes 0; a fraction is a probability. Where it ends.
fn number(body: &[u8], at: usize, edits: &mut Edits) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    let length = rest.iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
    let whole = rest.get(..length).unwrap_or_default().iter().all(u8::is_ascii_digit);
    if whole && rest.get(..length) != Some(b"0") {
        edits.push(at..at + length, |out| out.push(b'0'));
    }
    at + length.max(1)
}

/// Empty a list, or lists in a list, of integers and nothing else; where to go on.
fn empty_numbers(body: &[u8], from: usize, edits: &mut Edits) -> usize {
    let before = edits.len();
    let (mut at, mut depth) = (from, 0_usize);
    while let Some(byte) = body.get(at) {
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b'0'..=b'9' => {
                at = number(body, at, edits);
                continue;
            }
            b',' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => break,
        }
        at += 1;
    }
    edits.truncate(before);
    from
}
