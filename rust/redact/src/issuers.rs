//! Keys whose form their issuer gave them, without a prefix of a table: by their length, a mark within, or their parts.
//!
//! Invariant: a form is exact, to the sign, and bounded.

use super::classes::is_alphanumeric;
use super::hit::Hit;
use super::key_forms::Body;
use super::kinds::Kind;
use super::secrets::LONGEST;
use super::shapes;
use super::text::Text;
use super::values::random;

/// Discord's bot token: three parts of 24 to 28, 6 and 27 to 38 characters.
pub(super) fn discord(text: &Text<'_>, at: usize) -> Option<Hit> {
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
pub(super) fn airtable(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = text.back(at, 18, is_alphanumeric);
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

/// Microsoft Entra's refresh token: `0.A` or `1.A`, parts with dots between.
pub(super) fn entra(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = at.checked_sub(1)?;
    if !matches!(text.get(start), b'0' | b'1') || text.get(at + 1) != b'A' || !text.begins(start) {
        return None;
    }
    let url = |byte: u8| Body::Url.has(byte);
    let first = text.run(at + 1, 200, url);
    let second = at + 2 + first;
    let length = if text.get(second - 1) == b'.' { text.run(second, LONGEST, url) } else { 0 };
    let written = text.slice(second, second + 2);
    (first >= 30 && length >= 50 && matches!(written, b"Ag" | b"AQ"))
        .then(|| text.sure(Kind::AZURE_KEY, start, second + length))
        .flatten()
}

/// What Microsoft's keys have behind their random part, and how many signs then follow: storage, batch, machine learning,
/// container registry, devices, functions, search, caches.
const MARKS: &[(&[u8], usize)] = &[
    (b"+ASt", 8),
    (b"+ABa", 8),
    (b"+AMC", 8),
    (b"+ACR", 6),
    (b"+AIoT", 8),
    (b"+ARm", 8),
    (b"ACDb", 6),
    (b"AzFu", 6),
    (b"AzSe", 6),
    (b"AzCa", 6),
];

/// A key of Microsoft's by its mark: random base 64 of 32 signs and more before it, a few behind.
pub(super) fn marked(text: &Text<'_>, at: usize) -> Option<Hit> {
    let base = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let plus = usize::from(text.before(at) == b'+');
    let begin = at - plus;
    let (mark, tail) = MARKS.iter().find(|(mark, _)| text.from(begin).starts_with(mark))?;
    let start = text.back(begin, 90, base);
    let after = begin + mark.len();
    let length = text.run(after, tail + 1, |byte| base(byte) || byte == b'=');
    let shaped = (32..=84).contains(&(begin - start)) && (tail - 2..=*tail).contains(&length);
    let part = text.slice(start, begin);
    let mixed = shapes::is_mixed(part) && text.begins(start);
    (shaped && mixed).then(|| text.sure(Kind::AZURE_KEY, start, after + length)).flatten()
}

/// Azure's newer service keys: 84 letters and digits with a fixed mark within.
pub(super) fn azure(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !text.from(at).starts_with(b"JQQJ99") {
        return None;
    }
    let start = text.back(at, 80, is_alphanumeric);
    let end = at + text.run(at, 80, is_alphanumeric);
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
    if let Some(hit) = new_relic(text, at) {
        return Some(hit);
    }
    // Meta's: an application's number, a bar and 27 signs.
    if text.get(at + digits.max(10)).is_ascii_digit() || text.get(at + digits) == b'|' {
        let number = text.run(at, 18, |byte| byte.is_ascii_digit());
        let length = text.run(at + number + 1, 28, |byte| Body::Url.has(byte));
        let value = text.slice(at + number + 1, at + number + 1 + length);
        if (13..=17).contains(&number) && text.get(at + number) == b'|' && length == 27 && random(value) {
            return text.sure(Kind::API_KEY, at, at + number + 28);
        }
    }
    // A number in a list of keys, and the key: `8-Lp22...`.
    if digits <= 3 && text.get(at + digits) == b'-' {
        let length = text.run(at + digits + 1, 65, is_alphanumeric);
        if length == 64 && shapes::is_mixed(text.slice(at + digits + 1, at + digits + 65)) {
            return text.sure(Kind::API_KEY, at, at + digits + 65);
        }
    }
    if text.get(at + digits) == b'Q' {
        return inner(text, at);
    }
    if text.get(at + 32) == b'-' { word(text, at) } else { None }
}

/// Keys of letters and digits without a sign; `start` is where the word begins.
pub(super) fn word(text: &Text<'_>, start: usize) -> Option<Hit> {
    if let Some(hit) = new_relic(text, start) {
        return Some(hit);
    }
    let head = text.slice(start, start + 4);
    let length = || text.run(start, LONGEST, is_alphanumeric);
    let hex = |from| text.run(start + from, 41, |byte| byte.is_ascii_hexdigit());
    let end = |length: usize| text.ends(start + length).then_some(start + length);
    let (kind, end) = match head {
        [b'A', b'C', ..] | [b'S', b'K', ..] if hex(2) == 32 => (Kind::TWILIO_KEY, end(34)?),
        b"dapi" if hex(4) == 32 => (Kind::API_KEY, end(36)?),
        b"EZAK" | b"EZTK" if length() == 58 => (Kind::API_KEY, end(58)?),
        b"AKCp" if length() >= 64 => (Kind::API_KEY, end(length())?),
        // NuGet: 46 small letters and digits.
        [b'o', b'y', b'2', _] if length() == 46 && is_small(text.slice(start, start + 46)) => (Kind::API_KEY, end(46)?),
        // GitLab's older registration token of a runner, with a fixed head.
        [b'G', b'R', b'1', b'3'] if text.from(start).starts_with(b"GR1348941") => {
            let length = text.run(start + 9, 60, |byte| Body::Url.has(byte));
            let value = text.slice(start + 9, start + 9 + length);
            (Kind::GITLAB_TOKEN, (length >= 20 && random(value)).then_some(start + 9 + length)?)
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

/// Small letters and digits, of both several.
fn is_small(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    value.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) && (4..=30).contains(&digits)
}

/// Atlassian's tokens: `ATATT3`, `ATCTT3`, `ATBB`, `ATSTT3` and what follows, the first digit of which may be far in.
pub(super) fn atlassian(text: &Text<'_>, start: usize) -> Option<Hit> {
    const HEADS: [&[u8]; 4] = [b"ATATT", b"ATCTT", b"ATBB", b"ATSTT"];
    const LEAST: usize = 28;
    let known = HEADS.iter().any(|head| text.from(start).starts_with(head));
    if !known || !text.begins(start) {
        return None;
    }
    let length = text.run(start, LONGEST, |byte| Body::Dotted.has(byte));
    let random = random(text.slice(start, start + length));
    (length >= LEAST && random).then(|| text.sure(Kind::API_KEY, start, start + length)).flatten()
}

/// New Relic's licence: forty letters and digits, of which the last four are its mark.
fn new_relic(text: &Text<'_>, start: usize) -> Option<Hit> {
    const LENGTH: usize = 40;
    let marked = text.get(start + LENGTH - 4) == b'N' && text.slice(start + LENGTH - 4, start + LENGTH) == b"NRAL";
    (marked && text.run(start, LENGTH + 1, is_alphanumeric) == LENGTH)
        .then(|| text.sure(Kind::API_KEY, start, start + LENGTH))
        .flatten()
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
