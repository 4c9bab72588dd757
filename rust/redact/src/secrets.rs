//! Keys and tokens that a prefix (of [`key_forms`](super::key_forms)) or their own form gives away.
//!
//! Invariant: a value is bounded, so that no text is read over and over; words in snake or kebab case are no keys.

use super::fields;
use super::hit::Hit;
use super::key_forms::{Body, forms};
use super::kinds::Kind;
use super::net;
use super::shapes;
use super::stand_in;
use super::text::{Text, is_word};

/// Longest value of a key.
const LONGEST: usize = 4096;

/// A key whose prefix has its first sign at `at`.
pub(super) fn prefixed(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = text.back(at, 10, |byte| byte.is_ascii_alphanumeric());
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
    // A key is random: words in snake or kebab case are not. A dot or a slash may end a sentence.
    let random = value.iter().any(u8::is_ascii_digit)
        && value
            .split(|byte| matches!(byte, b'-' | b'_'))
            .any(|part| part.len() >= 8 && part.iter().any(u8::is_ascii_digit))
        || (value.len() >= 30 && value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase));
    if end - from < *least || !random || stand_in::is_blank(value) || stand_in::is_told(value) {
        // A long run that is no key is not read again from each sign within.
        if reach - from > 256 {
            text.dull.set(reach);
        }
        return None;
    }
    text.sure(*kind, start, end)
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
    prefixed(text, at).or_else(|| net::dot(text, at)).or_else(|| discord(text, at)).or_else(|| airtable(text, at))
}

/// Discord's bot token: three parts of 24 to 28, 6 and 27 to 38 characters.
fn discord(text: &Text<'_>, at: usize) -> Option<Hit> {
    if text.get(at + 7) != b'.' {
        return None;
    }
    let url = |byte: u8| Body::Url.has(byte);
    let start = text.back(at, 29, url);
    let tail = text.run(at + 8, 39, url);
    let shaped = (24..=28).contains(&(at - start))
        && matches!(text.get(start), b'M' | b'N' | b'O')
        && text.run(at + 1, 6, url) == 6
        && (27..=38).contains(&tail);
    shaped.then(|| text.sure(Kind::API_KEY, start, at + 8 + tail)).flatten()
}

/// Airtable's personal token: `pat`, 14 characters, a dot, 64 hexadecimal digits; Terraform's has 14 before `.atlasv1.`
fn airtable(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = text.back(at, 18, |byte| byte.is_ascii_alphanumeric());
    let head = text.slice(start, at);
    if head.len() == 17 && head.starts_with(b"pat") && text.run(at + 1, 65, |byte| byte.is_ascii_hexdigit()) == 64 {
        return text.sure(Kind::API_KEY, start, at + 65);
    }
    if head.len() == 14 && text.from(at).starts_with(b".atlasv1.") {
        let length = text.run(at + 9, 72, |byte| Body::Url.has(byte));
        return (length >= 60).then(|| text.sure(Kind::API_KEY, start, at + 9 + length)).flatten();
    }
    None
}

/// What a capital `A`, `B` or `J` may be in.
pub(super) fn capital(text: &Text<'_>, at: usize) -> Option<Hit> {
    match text.get(at) {
        b'A' => amazon(text, at).or_else(|| google(text, at)).or_else(|| facebook(text, at)),
        b'B' => scheme(text, at),
        _ if text.before(at) == b'y' => jwt(text, at),
        _ => azure(text, at),
    }
}

/// AWS unique identifiers that name credentials: four letters and sixteen of base 32.
fn amazon(text: &Text<'_>, at: usize) -> Option<Hit> {
    let head = text.slice(at, at + 4);
    if !matches!(head, b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA") || !text.begins(at) {
        return None;
    }
    let base = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'2'..=b'7');
    (text.run(at + 4, 17, base) == 16 && text.ends(at + 20)).then(|| text.sure(Kind::AWS_KEY, at, at + 20)).flatten()
}

fn google(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.from(at).starts_with(b"AIza") || !text.begins(at) {
        return None;
    }
    let length = text.run(at + 4, 40, |byte| Body::Url.has(byte));
    (35..=39).contains(&length).then(|| text.sure(Kind::GCP_KEY, at, at + 4 + length)).flatten()
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
    if value.len() < 8
        || worded
        || stand_in::is_blank(value)
        || stand_in::is_told(value)
        || (kind == Kind::BASIC_AUTH && !user_pass(value))
    {
        return None;
    }
    known(text, start).filter(|hit| hit.end == end).or_else(|| text.sure(kind, start, end))
}

/// Base 64 of a text with a colon (RFC 7617 §2).
fn user_pass(value: &[u8]) -> bool {
    let digit = |byte: &u8| match byte {
        b'A'..=b'Z' => Some(u32::from(byte - b'A')),
        b'a'..=b'z' => Some(u32::from(byte - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(byte - b'0') + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let plain = value.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (mut bits, mut held, mut colon) = (0_u32, 0, false);
    for byte in value.iter().take(plain) {
        let Some(value) = digit(byte) else {
            return false;
        };
        bits = bits << 6 | value;
        held += 6;
        if held >= 8 {
            held -= 8;
            colon |= bits >> held & 0xff == u32::from(b':');
        }
        bits &= 0xff;
    }
    colon
}

/// A key of a known form that begins at `start`.
pub(super) fn known(text: &Text<'_>, start: usize) -> Option<Hit> {
    if text.slice(start, start + 3) == b"eyJ" {
        return jwt(text, start + 2);
    }
    let head = text.run(start, 11, |byte| byte.is_ascii_alphanumeric());
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
    while parts < 5 && text.get(end) == b'.' && first >= 10 {
        let length = part(end + 1);
        end += 1 + length;
        parts += 1;
    }
    (parts >= 3 && end - start >= 24).then(|| text.sure(Kind::JWT, start, end)).flatten()
}

/// Azure's newer service keys: 84 letters and digits with a fixed mark within.
fn azure(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.from(at).starts_with(b"JQQJ99") {
        return None;
    }
    let start = text.back(at, 80, |byte| byte.is_ascii_alphanumeric());
    let end = at + text.run(at, 80, |byte| byte.is_ascii_alphanumeric());
    (end - start >= 80).then(|| text.sure(Kind::AZURE_KEY, start, end)).flatten()
}

/// Keys that begin with digits: Google's refresh token, Telegram's bot token, Mailchimp's key.
pub(super) fn numeric(text: &Text<'_>, at: usize) -> Option<Hit> {
    let digits = text.run(at, 11, |byte| byte.is_ascii_digit());
    if (8..=10).contains(&digits) && text.get(at + digits) == b':' {
        let length = text.run(at + digits + 1, 36, |byte| Body::Url.has(byte));
        if length == 35 && text.from(at + digits + 1).starts_with(b"A") {
            return text.sure(Kind::API_KEY, at, at + digits + 36);
        }
    }
    if digits == 1 && text.from(at).starts_with(b"1//0") {
        let length = text.run(at + 4, 200, |byte| Body::Url.has(byte));
        if length >= 40 {
            return text.sure(Kind::GCP_KEY, at, at + 4 + length);
        }
    }
    if text.get(at + digits) == b'Q' {
        return inner(text, at);
    }
    if text.get(at + 32) == b'-' { word(text, at) } else { None }
}

/// Keys of letters and digits without a sign; `start` is where the word begins.
pub(super) fn word(text: &Text<'_>, start: usize) -> Option<Hit> {
    let head = text.slice(start, start + 4);
    let length = || text.run(start, LONGEST, |byte| byte.is_ascii_alphanumeric());
    let hex = |from| text.run(start + from, 41, |byte| byte.is_ascii_hexdigit());
    let end = |length: usize| text.ends(start + length).then_some(start + length);
    let (kind, end) = match head {
        [b'A', b'C', ..] | [b'S', b'K', ..] if hex(2) == 32 => (Kind::TWILIO_KEY, end(34)?),
        b"dapi" if hex(4) == 32 => (Kind::API_KEY, end(36)?),
        b"EZAK" | b"EZTK" if length() == 58 => (Kind::API_KEY, end(58)?),
        b"AKCp" if length() >= 64 => (Kind::API_KEY, end(length())?),
        b"ATAT" | b"ATCT" | b"ATBB" | b"ATST" => {
            let length = text.run(start, LONGEST, |byte| Body::Dotted.has(byte));
            if length < 32 || !matches!(text.slice(start, start + 5), b"ATATT" | b"ATCTT" | b"ATBB" | b"ATSTT") {
                return None;
            }
            (Kind::API_KEY, start + length)
        }
        _ => {
            // Mailchimp: 32 hexadecimal digits and the data centre.
            let centre = hex(0) == 32 && text.slice(start + 32, start + 35) == b"-us";
            let digits = text.run(start + 35, 3, |byte| byte.is_ascii_digit());
            if !centre || digits == 0 || digits > 2 {
                return None;
            }
            (Kind::API_KEY, start + 35 + digits)
        }
    };
    text.sure(kind, start, end)
}

/// Azure's client secret: three characters, a digit, `Q~`, and 31 to 34 more.
pub(super) fn inner(text: &Text<'_>, at: usize) -> Option<Hit> {
    let digits = text.run(at, 8, |byte| byte.is_ascii_digit());
    let mark = at + digits;
    if text.get(mark) != b'Q' || text.get(mark + 1) != b'~' {
        return None;
    }
    let class = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~');
    let start = mark.checked_sub(4)?;
    let tail = text.run(mark + 2, 40, class);
    let shaped =
        start >= text.free && text.slice(start, mark).iter().all(|byte| class(*byte)) && (31..=36).contains(&tail);
    shaped.then(|| text.hit(Kind::AZURE_KEY, start, mark + 2 + tail, 90, 0)).flatten()
}
