//! Keys and tokens that a prefix (of [`key_forms`](super::key_forms)) or their own form gives away.
//!
//! Invariant: a value is bounded, so that no text is read over and over; words in snake or kebab case are no keys.

use super::classes::is_alphanumeric;
use super::fields;
use super::hit::Hit;
use super::issuers;
use super::key_forms::{Body, forms};
use super::kinds::Kind;
use super::net;
use super::public::is_documented;
use super::shapes;
use super::stand_in;
use super::text::{Text, is_word};

/// Longest value of a key.
pub(super) const LONGEST: usize = 4096;

/// A key whose prefix has its first sign at `at`.
pub(super) fn prefixed(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = text.back(at, 10, is_alphanumeric);
    if start == at || !text.begins(start) {
        return None;
    }
    key(text, start, at + 1).or_else(|| shapes::shaped(text, start, at + 1))
}

/// A key at `start` whose head ends before `head`.
fn key(text: &Text<'_>, start: usize, head: usize) -> Option<Hit> {
    let rest = text.from(head);
    let (prefix, kind, body, least) =
        forms(text.slice(start, head)).iter().find(|(prefix, ..)| rest.starts_with(prefix))?;
    if start < text.dull.get() {
        return None;
    }
    let from = head + prefix.len();
    let mut end = from + text.run(from, LONGEST, |byte| body.has(byte));
    let reach = end;
    while end > from && matches!(text.get(end - 1), b'.' | b'-' | b'/' | b'_') {
        end -= 1;
    }
    if *kind == Kind::PRIVATE_KEY && text.get(start) == b'P' {
        return putty(text, start);
    }
    let value = text.slice(from, end);
    let grouped =
        |value: &[u8]| value.iter().enumerate().all(|(at, byte)| (*byte == b'-') == matches!(at, 8 | 13 | 18 | 23));
    if *body == Body::Grouped && !(value.len() == 36 && grouped(value)) {
        return None;
    }
    // A key is random: words in snake or kebab case are not. A dot or a slash may end a sentence.
    let random = value.iter().any(u8::is_ascii_digit)
        && value
            .split(|byte| matches!(byte, b'-' | b'_'))
            .any(|part| part.len() >= 8 && part.iter().any(u8::is_ascii_digit))
        || (value.len() >= 30 && value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase));
    // What goes on in signs that stand for any other was masked by somebody else: `xoxp-572-573-####`.
    let blank =
        matches!(text.get(end), b'#' | b'*' | b'-') && text.run(reach, 4, |byte| matches!(byte, b'#' | b'*')) == 4;
    // Age's identities have a form that nothing else has.
    let random = random || *kind == Kind::PRIVATE_KEY;
    if end - from < *least || !random || blank || made_up(value) {
        // A long run that is no key is not read again from each sign within.
        if reach - from > 256 {
            text.dull.set(reach);
        }
        return None;
    }
    text.sure(*kind, start, end)
}

/// Whether the random part of a key is none: blanks, words that tell its reader to put another there, the alphabet at a key's
/// length, perhaps behind a word as in `proj-`.
fn made_up(value: &[u8]) -> bool {
    const WORD: usize = 8;
    const KEY: usize = 20;
    let last = value.iter().rposition(|byte| matches!(byte, b'-' | b'_')).map_or(0, |at| at + 1);
    let (words, last) = value.split_at(last);
    let worded = words.len() <= WORD && !words.iter().any(u8::is_ascii_digit) && last.len() >= KEY;
    stand_in::is_blank(value) || stand_in::is_told(value) || (worded && stand_in::is_sequence(last))
}

/// A `PuTTY` key file, to the end of its private part's authentication line.
fn putty(text: &Text<'_>, start: usize) -> Option<Hit> {
    // Real ones are a few KiB; a bound keeps the time linear.
    let rest = text.slice(start, text.bytes.len().min(start + 4096));
    memchr::memmem::find(rest, b"Private-Lines:")?;
    let mac =
        memchr::memmem::find(rest, b"Private-MAC:").map(|at| at + text.run(start + at, 120, |byte| byte != b'\n'));
    text.sure(Kind::PRIVATE_KEY, start, start + mac.unwrap_or(rest.len()))
}

pub(super) fn dash(text: &Text<'_>, at: usize) -> Option<Hit> {
    if text.before(at) == b'-' {
        return None;
    }
    if text.get(at + 1) == b'-' {
        return pem(text, at).or_else(|| fields::option(text, at));
    }
    fields::option(text, at).or_else(|| prefixed(text, at)).or_else(|| net::dash(text, at))
}

/// A private key (RFC 7468, OpenSSH, `OpenPGP`), to its end line, or to the end of the text when that is missing.
fn pem(text: &Text<'_>, at: usize) -> Option<Hit> {
    let rest = text.from(at);
    // What is searched for to the end of the text is then taken: looked for only when it can be.
    if !rest.starts_with(b"-----BEGIN ") || text.sure(Kind::PRIVATE_KEY, at, at).is_none() {
        return None;
    }
    let label = rest.get(11..rest.len().min(75))?;
    let label = label.get(..memchr::memmem::find(label, b"-----")?)?;
    if !label.ends_with(b"PRIVATE KEY") && !label.ends_with(b"PRIVATE KEY BLOCK") {
        return None;
    }
    // The end line, but not that of another block.
    let body = rest.get(11 + label.len()..)?;
    let end = memchr::memmem::find(body, b"-----END ").and_then(|end| {
        let tail = body.get(end + 9..)?;
        let close = memchr::memmem::find(tail.get(..tail.len().min(80))?, b"-----")?;
        Some(11 + label.len() + end + 9 + close + 5)
    });
    text.sure(Kind::PRIVATE_KEY, at, at + end.unwrap_or(rest.len()))
}

pub(super) fn dot(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !is_word(text.get(at + 1)) || !is_word(text.before(at)) {
        return None;
    }
    prefixed(text, at)
        .or_else(|| net::dot(text, at))
        .or_else(|| issuers::discord(text, at))
        .or_else(|| issuers::airtable(text, at))
        .or_else(|| issuers::entra(text, at))
}

/// What a capital `A`, `B` or `J` may be in.
pub(super) fn capital(text: &Text<'_>, at: usize) -> Option<Hit> {
    match text.get(at) {
        // The second letters of all that begin so: most words go on in another.
        b'A' if text.get(at + 1) == b'T' => issuers::atlassian(text, at),
        b'A' if !matches!(text.get(at + 1), b'A' | b'B' | b'C' | b'I' | b'K' | b'M' | b'R' | b'S' | b'z') => None,
        b'A' => amazon(text, at)
            .or_else(|| google(text, at))
            .or_else(|| facebook(text, at))
            .or_else(|| issuers::marked(text, at)),
        b'B' => scheme(text, at),
        _ if text.before(at) == b'y' => jwt(text, at),
        _ => issuers::azure(text, at),
    }
}

/// AWS unique identifiers that name credentials: four letters and sixteen of base 32.
fn amazon(text: &Text<'_>, at: usize) -> Option<Hit> {
    let head = text.slice(at, at + 4);
    if !matches!(head, b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA") || !text.begins(at) {
        return None;
    }
    let base = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7');
    let shaped = text.run(at + 4, 17, base) == 16 && text.ends(at + 20);
    let shown = || is_documented(text.slice(at, at + 20)) || made_up(text.slice(at + 4, at + 20));
    (shaped && !shown()).then(|| text.sure(Kind::AWS_KEY, at, at + 20)).flatten()
}

fn google(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.from(at).starts_with(b"AIza") || !text.begins(at) {
        return None;
    }
    let length = text.run(at + 4, 40, |byte| Body::Url.has(byte));
    let shaped = (35..=39).contains(&length) && !made_up(text.slice(at + 6, at + 4 + length));
    shaped.then(|| text.sure(Kind::GCP_KEY, at, at + 4 + length)).flatten()
}

/// Meta's (`EAA`) and Square's (`EAAA`) access tokens.
fn facebook(text: &Text<'_>, at: usize) -> Option<Hit> {
    if text.before(at) != b'E' || text.get(at + 1) != b'A' || at == 0 || !text.begins(at - 1) {
        return None;
    }
    let length = text.run(at + 2, LONGEST, |byte| Body::Url.has(byte));
    (length >= 57).then(|| text.sure(Kind::API_KEY, at - 1, at + 2 + length)).flatten()
}

/// `Bearer` and a token68 (RFC 6750 §2.1), `Basic` and base 64 (RFC 7617).
fn scheme(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.begins(at) {
        return None;
    }
    let (word, kind) = match text.slice(at, at + 7) {
        [b'B', b'e' | b'E', rest @ ..] if rest.eq_ignore_ascii_case(b"arer ") => (7, Kind::BEARER),
        [b'B', b'a' | b'A', rest @ ..] if rest.get(..4).is_some_and(|rest| rest.eq_ignore_ascii_case(b"sic ")) => {
            (6, Kind::BASIC_AUTH)
        }
        _ => return None,
    };
    credential(text, at + word, kind)
}

/// A token68 that begins at `start`; what has a form of its own is left to that.
pub(super) fn credential(text: &Text<'_>, start: usize, kind: Kind) -> Option<Hit> {
    let length = text.run(start, LONGEST * 4, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
    });
    let mut end = start + length;
    while end > start && text.get(end - 1) == b'.' {
        end -= 1;
    }
    let value = text.slice(start, end);
    // "Bearer of", "Basic rules": words are no credentials.
    let worded = value.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'.'))
        && !(value.len() >= 16 && value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase));
    if value.len() < 8 || worded || made_up(value) || (kind == Kind::BASIC_AUTH && !user_pass(value)) {
        return None;
    }
    known(text, start).filter(|hit| hit.end == end).or_else(|| text.sure(kind, start, end))
}

/// Base 64 of a name and a password that can be read, with its padding: what is no base 64 hardly ever decodes so.
pub(super) fn is_pair(value: &[u8]) -> bool {
    value.len() >= 8 && value.len().is_multiple_of(4) && decoded(value).is_some_and(|pair| pair.colon && pair.printed)
}

/// Base 64 of a text with a colon (RFC 7617 §2).
fn user_pass(value: &[u8]) -> bool {
    decoded(value).is_some_and(|pair| pair.colon)
}

/// What base 64 holds.
struct Decoded {
    /// A colon.
    colon: bool,
    /// Nothing but what is printed.
    printed: bool,
}

fn decoded(value: &[u8]) -> Option<Decoded> {
    let digit = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let plain = value.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (mut bits, mut held, mut colon, mut printed) = (0_u32, 0, false, true);
    for byte in value.iter().take(plain) {
        bits = bits << 6 | digit(byte)?;
        held += 6;
        if held >= 8 {
            held -= 8;
            let byte = (bits >> held & 0xff) as u8;
            colon |= byte == b':';
            printed &= byte.is_ascii_graphic() || byte == b' ';
        }
        bits &= 0xff;
    }
    Some(Decoded { colon, printed })
}

/// A key of a known form that begins at `start`.
pub(super) fn known(text: &Text<'_>, start: usize) -> Option<Hit> {
    if text.slice(start, start + 3) == b"eyJ" {
        return jwt(text, start + 2);
    }
    let head = text.run(start, 11, is_alphanumeric);
    if matches!(text.get(start + head), b'-' | b'_' | b'.')
        && head > 0
        && let Some(hit) = key(text, start, start + head + 1)
    {
        return Some(hit);
    }
    amazon(text, start).or_else(|| google(text, start))
}

/// A JWS or JWE in compact form (RFC 7515 §7.1, RFC 7516 §7.1): its header is a JSON object, which base 64 begins `eyJ`.
fn jwt(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = at.checked_sub(2)?;
    // A dash within a longer run of base 64 begins nothing.
    let within = text.before(start) == b'-' && text.before(start - 1).is_ascii_alphanumeric();
    if start < text.free || text.get(start) != b'e' || !text.begins(start) || within {
        return None;
    }
    let part = |from| text.run(from, LONGEST * 4, |byte| Body::Url.has(byte));
    let first = part(start);
    let mut end = start + first;
    let mut parts = 1;
    // Claims without a signature (RFC 7519 §6), or cut from it, say as much.
    let claims = text.slice(end, end + 4) == b".eyJ";
    while parts < 5 && text.get(end) == b'.' && first >= 10 {
        let length = part(end + 1);
        end += 1 + length;
        parts += 1;
    }
    ((parts >= 3 || (parts == 2 && claims)) && end - start >= 24).then(|| text.sure(Kind::JWT, start, end)).flatten()
}
