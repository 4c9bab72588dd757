//! The pass over a text: at each trigger the rules of that byte look a bounded way around it.
//!
//! Invariants: no rule looks further than a constant number of bytes to either side, except along a value that it then
//! takes, so the time is linear; a rule never looks back over the end of the finding before; a mask is never found.

use std::ops::Range;

use super::hit::{Finding, Hit, better};
use super::text::{Text, Wanted};
use super::triggers::Triggers;
use super::{assign, classes, fields, hashes, ids, issuers, label, licences, mail, net, number, phones, secrets};

/// Room for findings, once there is one.
const FEW: usize = 16;

/// Find all values, in order, without overlap. `near`: only from triggers in these ranges, which are in order.
pub(super) fn scan(bytes: &[u8], wanted: Wanted<'_>, near: Option<&[Range<usize>]>) -> Vec<Finding> {
    let mut near = near;
    let mut found = Vec::new();
    let mut triggers = Triggers::new(bytes);
    if !triggers.any() {
        return found;
    }
    let mut text = Text::new(bytes, wanted);
    for at in triggers {
        if at < text.free {
            continue;
        }
        if let Some(ranges) = &mut near {
            while ranges.first().is_some_and(|range| range.end <= at) {
                *ranges = ranges.get(1..).unwrap_or_default();
            }
            match ranges.first() {
                None => break,
                Some(range) if at < range.start => continue,
                Some(_) => {}
            }
        }
        let hit = match text.get(at) {
            b'@' => mail::address(&text, at),
            b':' => assign::colon(&text, at),
            b'=' => assign::value(&text, at),
            b'-' => secrets::dash(&text, at),
            b'_' => secrets::prefixed(&text, at),
            b'.' => secrets::dot(&text, at),
            b'+' => phones::international(&text, at),
            b'(' => phones::bracketed(&text, at).or_else(|| fields::argument(&text, at)),
            b'>' => fields::element(&text, at),
            b'A' | b'B' | b'J' => secrets::capital(&text, at),
            _ => digits(&text, at),
        };
        if let Some(hit) = hit
            && hit.start >= text.free
            && hit.end > hit.start
            && !label::inside_mask(bytes, hit.start)
        {
            if found.capacity() == 0 {
                found.reserve(FEW);
            }
            found.push(Finding { kind: hit.kind, start: hit.start, end: hit.end });
            text.free = hit.end;
        }
    }
    found
}

/// Whether a number of less than six digits stands at `at` with nothing behind it that joins it to more: no form has so
/// few, and most numbers are such.
fn is_short(text: &Text<'_>, at: usize) -> bool {
    const FEW: usize = 6;
    let length = text.run(at, FEW, |byte| byte.is_ascii_digit());
    let after = text.get(at + length);
    let joins = matches!(after, b' ' | b'\t' | b'\r' | b'\n' | b'+' | b'-' | b'/' | b'.' | b'*' | b'|' | b':');
    length < FEW && !joins && !classes::is_alphanumeric(after)
}

fn digits(text: &Text<'_>, at: usize) -> Option<Hit> {
    // Where the word begins that the digits belong to: more letters than any identifier has make it another word.
    let start = text.back(at, 12, classes::is_alphabetic);
    // Not the first digits of the word; only hashes and keys with a sign within have a mark there.
    let within = text.before(start).is_ascii_alphanumeric();
    if within && !text.holds_sign() {
        return None;
    }
    let start = if within { text.back(at, 12, classes::is_alphanumeric) } else { start };
    if text.before(start) == b'$'
        && let Some(hit) = hashes::crypt(text, start - 1)
    {
        return Some(hit);
    }
    if start == at {
        // `DE-136-695-976`: the first word has no digit.
        if at >= 3
            && text.before(at) == b'-'
            && text.slice(at - 3, at - 1).eq_ignore_ascii_case(b"de")
            && text.begins(at - 3)
        {
            return ids::token(text, at - 3, None);
        }
        if is_short(text, at) {
            return None;
        }
        let hit = number::digits(text, at, net::numeric(text, at));
        let hit = ids::token(text, at, hit).or_else(|| issuers::numeric(text, at));
        return hit.or_else(|| licences::named(text, at));
    }
    if within {
        return issuers::inner(text, at);
    }
    // `Card4012...`: a word that stands right before a number.
    number::digits(text, at, better(ids::token(text, start, None), issuers::word(text, start)))
        .or_else(|| licences::named(text, start))
}
