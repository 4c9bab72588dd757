//! Keys by their shape, whoever issues them: a short word, a sign, and a long run of letters and digits that look random.
//!
//! Invariant: what names an object, a digest or a revision in the same shape is no key; hexadecimal digits alone are none.

use super::hit::Hit;
use super::key_forms::Body;
use super::kinds::Kind;
use super::secrets::LONGEST;
use super::text::Text;

/// Prefixes of what is named and not secret: objects of an API, digests, revisions.
const NAMED: &[&[u8]] = &[
    b"chatcmpl",
    b"cmpl",
    b"msg",
    b"call",
    b"toolu",
    b"req",
    b"run",
    b"thread",
    b"asst",
    b"file",
    b"batch",
    b"resp",
    b"rs",
    b"fc",
    b"org",
    b"proj",
    b"evt",
    b"cus",
    b"pi",
    b"ch",
    b"in",
    b"sub",
    b"price",
    b"prod",
    b"acct",
    b"gen",
    b"fp",
    b"embd",
    b"vs",
    b"step",
    b"modr",
    b"ftjob",
    b"user",
    b"usr",
    b"id",
    b"sha256",
    b"sha512",
    b"sha384",
    b"sha1",
    b"md5",
    b"commit",
    b"trace",
    b"span",
    b"tx",
    b"txn",
    b"order",
    b"inv",
    b"item",
    b"doc",
    b"chunk",
    b"node",
    b"pod",
    b"img",
    b"image",
    b"layer",
    b"digest",
    b"etag",
    b"rev",
    b"ref",
    b"conv",
    b"model",
    b"ft",
    b"srvtoolu",
    b"ws",
    b"wf",
    b"task",
    b"job",
    b"event",
    b"hash",
    b"uuid",
    b"guid",
    b"obj",
    b"part",
    b"response",
    b"request",
    b"assistant",
    b"tool",
    b"ctc",
    b"ig",
    b"mcp",
    b"mcpl",
    b"mcpr",
    b"cntr",
    b"container",
    b"video",
    b"skill",
    b"vector",
    b"completion",
    b"message",
    b"conversation",
    b"realtime",
    b"item",
    b"upload",
    b"eval",
    b"evalrun",
    b"group",
    b"team",
    b"tenant",
    b"customer",
    b"invoice",
    b"pm",
    b"seti",
    b"src",
    b"card",
    b"txr",
    b"re",
    b"dp",
    b"po",
    b"ii",
    b"si",
    b"base64",
    b"css",
    b"class",
    b"test",
    b"name",
    b"page",
    b"block",
    b"index",
    b"version",
    b"rsn",
    b"ci",
    b"ws",
    b"cfcall",
];

/// Whether letters of both cases and digits stand in turns, as at random.
pub(super) fn is_mixed(part: &[u8]) -> bool {
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'a'..=b'z' => 3,
        _ => 4,
    };
    let turns = part.windows(2).filter(|pair| matches!(pair, [one, next] if class(one) != class(next))).count();
    let has = |wanted: u8| part.iter().any(|byte| class(byte) == wanted);
    has(1) && has(2) && has(3) && turns + 1 >= part.len() / 3
}

/// A key by its shape: a short word, a sign, and twenty or more letters and digits that look random.
pub(super) fn shaped(text: &Text<'_>, start: usize, head: usize) -> Option<Hit> {
    // Most words before a sign have no such run behind it.
    if text.run(head, 20, |byte| Body::Url.has(byte)) < 20 {
        return None;
    }
    let prefix = text.slice(start, head - 1);
    // A word in one case; `1W7KCxOxP-` is itself random, and an id.
    let (first, rest) = prefix.split_first()?;
    let one_case = !rest.iter().any(u8::is_ascii_uppercase) || !prefix.iter().any(u8::is_ascii_lowercase);
    let inner = matches!(text.before(start), b'_' | b'-' | b'.' | b'/');
    if !first.is_ascii_alphabetic() || !one_case || inner {
        return None;
    }
    // A key that its issuer calls publishable.
    let published = prefix == b"pk" && matches!(text.slice(head, head + 5), b"live_" | b"test_");
    if start < text.dull.get() || prefix.len() < 2 || published || NAMED.contains(&prefix) {
        return None;
    }
    let reach = head + text.run(head, LONGEST, |byte| Body::Url.has(byte));
    let part = |part: &[u8]| {
        let (mut digits, mut upper, mut lower, mut hex, mut turns) = (0, 0, 0, true, 0);
        let mut before = 0;
        for byte in part {
            let class = if byte.is_ascii_digit() {
                1
            } else if byte.is_ascii_uppercase() {
                2
            } else {
                3
            };
            turns += usize::from(class != before);
            before = class;
            digits += usize::from(class == 1);
            upper += usize::from(class == 2);
            lower += usize::from(class == 3);
            hex &= byte.is_ascii_hexdigit();
        }
        let mixed = digits > 0 && upper > 0 && lower > 0;
        part.len() >= 20 && !hex && digits >= 2 && turns >= part.len() / 3 && (mixed || part.len() >= 24)
    };
    let run = text.slice(head, reach);
    if !run.split(|byte| matches!(byte, b'-' | b'_')).any(part) {
        if reach - head > 256 {
            text.dull.set(reach);
        }
        return None;
    }
    let end = reach - run.iter().rev().take_while(|byte| matches!(byte, b'-' | b'_')).count();
    text.sure(Kind::API_KEY, start, end)
}
