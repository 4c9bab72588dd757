//! Addresses of machines: IPv4 (RFC 791), IPv6 (RFC 4291, text form of RFC 5952), MAC (EUI-48 in three writings).

use std::net::Ipv6Addr;

use super::context;
use super::hit::Hit;
use super::kinds::Kind;
use super::number;
use super::text::Text;

fn hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

/// Four numbers with dots; a fifth makes it something else only when the words before say so.
pub(super) fn numeric(text: &Text<'_>, at: usize) -> Option<Hit> {
    let part = match text.before(at) {
        b'.' => text.before(at - 1).is_ascii_digit(),
        b'-' => text.before(at - 1).is_ascii_alphanumeric(),
        before => before.is_ascii_alphabetic(),
    };
    if part {
        return None;
    }
    let end = quad(text, at)?;
    if !text.ends(end) || (text.get(end) == b'-' && text.get(end + 1).is_ascii_alphanumeric()) {
        return None;
    }
    // Only the word right before it makes it a version: a looser look would let addresses through.
    let gap = text.back(at, 2, |byte| matches!(byte, b' ' | b':' | b'='));
    let word = text.slice(text.back(gap, 12, |byte| byte.is_ascii_alphabetic() || byte >= 0x80), gap);
    if gap < at && context::named(word) & context::VERSION != 0 {
        return None;
    }
    if pinned(text, at) || context::named(text.wanted.origin.name) & context::VERSION != 0 {
        return None;
    }
    text.hit(Kind::IP, at, prefix(text, end, 32), 80, 0)
}

/// Whether a version is pinned here: `pkg==1.2.3.4`, `pkg>=1.2.3.4`, `"^1.2.3.4"`; not when what is compared is an address.
fn pinned(text: &Text<'_>, at: usize) -> bool {
    let sign = text.before(at);
    if matches!(sign, b'^' | b'~') {
        return at > 1 && matches!(text.before(at - 1), b'"' | b'\'');
    }
    let before = at.saturating_sub(2);
    if sign != b'=' || !matches!(text.get(before), b'=' | b'>' | b'<' | b'~' | b'!') || before < text.free {
        return false;
    }
    let word = text.back(before, 32, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b']'));
    word < before && context::named(text.slice(word, before)) & context::ADDRESS == 0
}

/// The end of four octets.
fn quad(text: &Text<'_>, at: usize) -> Option<usize> {
    let mut next = at;
    for octet in 0..4 {
        if octet > 0 {
            if text.get(next) != b'.' {
                return None;
            }
            next += 1;
        }
        let length = text.run(next, 4, |byte| byte.is_ascii_digit());
        let digits = text.slice(next, next + length);
        let value = digits.iter().fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0'));
        if !(1..=3).contains(&length) || value > 255 || (length > 1 && digits.first() == Some(&b'0')) {
            return None;
        }
        next += length;
    }
    Some(next)
}

/// The end of a prefix length after an address, when there is one that can be.
fn prefix(text: &Text<'_>, end: usize, most: u32) -> usize {
    if text.get(end) != b'/' {
        return end;
    }
    let length = text.run(end + 1, 4, |byte| byte.is_ascii_digit());
    let value =
        text.slice(end + 1, end + 1 + length).iter().fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0'));
    if (1..=3).contains(&length) && value <= most && text.ends(end + 1 + length) { end + 1 + length } else { end }
}

/// What a colon joins: the first one of a MAC or IPv6 address.
pub(super) fn colon(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = text.back(at, 5, hex);
    let more =
        text.before(start) == b':' && matches!(text.before(start - 1), b':' | b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F');
    if at - start > 4 || !text.begins(start) || more {
        return None;
    }
    if let Some(end) = pairs(text, start, b':') {
        return text.sure(Kind::MAC, start, end);
    }
    let mut end = start + text.run(start, 46, |byte| hex(byte) || matches!(byte, b':' | b'.'));
    // Punctuation of the sentence, and an empty group that is not one.
    while end > start
        && (text.get(end - 1) == b'.'
            || text.slice(start, end).ends_with(b":") && !text.slice(start, end).ends_with(b"::"))
    {
        end -= 1;
    }
    let parsed = |end: usize| -> Option<Ipv6Addr> { std::str::from_utf8(text.slice(start, end)).ok()?.parse().ok() };
    let mut address = parsed(end);
    // `...370.Bob`: the dot is the sentence's, and no IPv4 address follows it.
    if let Some(dot) = address.is_none().then(|| memchr::memchr(b'.', text.slice(start, end))).flatten() {
        end = start + dot;
        address = parsed(end);
    }
    let span = text.slice(start, end);
    let (true, Some(address)) = (text.ends(end) && memchr::memchr_iter(b':', span).count() >= 2, address) else {
        return None;
    };
    // `::4012 8888 8888 1881`: the signs stand before a number that goes on.
    if let Some(group) = span.strip_prefix(b"::")
        && group.iter().all(u8::is_ascii_digit)
        && let Some(number) = number::digits(text, start + 2, None)
        && number.end > end
    {
        return Some(number);
    }
    let compressed = memchr::memmem::find(span, b"::").is_some();
    let groups = span.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count();
    let digit = span.iter().any(u8::is_ascii_digit);
    let base = if compressed {
        match groups {
            // `::` is an operator, unless the word before it speaks of an address.
            0 if context::named(text.slice(text.back(start, 16, |byte| byte != b'\n'), start)) & context::ADDRESS
                == 0 =>
            {
                return None;
            }
            // `x[0::2]` is a slice.
            1 | 2 if text.before(start) == b'[' && start > 1 && text.before(start - 1).is_ascii_alphanumeric() => {
                return None;
            }
            // `0::2`, `::1`: an address only where one is spoken of.
            1 | 2
                if span
                    .split(|byte| *byte == b':')
                    .all(|group| group.len() < 4 && group.iter().all(u8::is_ascii_digit)) =>
            {
                12
            }
            // `a::b` is a name in code.
            1 | 2 if !digit => return None,
            _ => 80,
        }
    } else if span.iter().any(u8::is_ascii_alphabetic) || address.segments().iter().any(|group| *group > 0x99) {
        80
    } else {
        // `12:34:56:...` may be anything.
        12
    };
    if text.get(end) == b'%' {
        end += 1 + text.run(end + 1, 16, |byte| byte.is_ascii_alphanumeric());
    }
    text.hit(Kind::IP, start, prefix(text, end, 128), base, context::ADDRESS)
}

/// `AA-BB-CC-DD-EE-FF`.
pub(super) fn dash(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = text.back(at, 3, hex);
    if at - start != 2 || !text.begins(start) || text.before(start) == b'-' {
        return None;
    }
    let end = pairs(text, start, b'-')?;
    text.sure(Kind::MAC, start, end)
}

/// `aabb.ccdd.eeff`.
pub(super) fn dot(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = text.back(at, 5, hex);
    let span = text.slice(start, start + 14);
    let shaped = at - start == 4
        && text.begins(start)
        && text.before(start) != b'.'
        && span.len() == 14
        && span.iter().enumerate().all(|(index, byte)| if index % 5 == 4 { *byte == b'.' } else { hex(*byte) })
        && span.iter().any(u8::is_ascii_alphabetic)
        && text.ends(start + 14)
        && !(text.get(start + 14) == b'.' && text.ends(start + 15) && hex(text.get(start + 15)));
    shaped.then(|| text.sure(Kind::MAC, start, start + 14)).flatten()
}

/// The end of six pairs of hexadecimal digits; not for the addresses of everybody and nobody.
fn pairs(text: &Text<'_>, start: usize, sign: u8) -> Option<usize> {
    let span = text.slice(start, start + 17);
    let shaped = span.len() == 17
        && span.iter().enumerate().all(|(index, byte)| if index % 3 == 2 { *byte == sign } else { hex(*byte) });
    let end = start + 17;
    let more = text.get(end) == sign && hex(text.get(end + 1));
    let digits = || span.iter().filter(|byte| **byte != sign);
    let nobody = digits().all(|byte| *byte == b'0') || digits().all(|byte| matches!(byte, b'f' | b'F'));
    (shaped && !more && !nobody && text.ends(end)).then_some(end)
}
