//! Text in base 64 (RFC 4648 §4 and §5), as a whole member, header or form value, and as the body of a `data:` URL (RFC 2397).
//!
//! Invariant: what does not decode to text is decoded no further than its beginning; a value in which something is found
//! goes whole.

use super::hit::{Finding, Hit};
use super::scan::scan;
use super::text::{Text, Wanted};

/// Shortest value that is looked into: an address of eleven letters.
const LEAST: usize = 16;
/// How much is decoded before it is known to be text; a multiple of four.
const HEAD: usize = 64;

const NONE: u8 = u8::MAX;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a position outside would not compile")]
const SEXTETS: [u8; 256] = {
    let mut sextets = [NONE; 256];
    let mut byte = 0;
    while byte < 256 {
        sextets[byte] = match byte as u8 {
            letter @ b'A'..=b'Z' => letter - b'A',
            letter @ b'a'..=b'z' => letter - b'a' + 26,
            digit @ b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => NONE,
        };
        byte += 1;
    }
    sextets
};

fn sextet(byte: u8) -> Option<u32> {
    SEXTETS.get(usize::from(byte)).filter(|value| **value != NONE).map(|value| u32::from(*value))
}

/// The bytes that base 64 without padding stands for; `None` when it is none.
pub(super) fn bytes(written: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(written.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0_u32, 0);
    for byte in written {
        bits = (bits << 6 | sextet(*byte)?) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    // One character more than whole bytes have is left over in nothing.
    (held < 6).then_some(out)
}

/// A value without the padding of base 64.
pub(super) fn unpadded(value: &[u8]) -> &[u8] {
    let padding = value.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    value.get(..value.len() - padding).unwrap_or_default()
}

/// Whether bytes are a text: UTF-8, perhaps cut, without control characters but those of lines.
fn is_text(bytes: &[u8], cut: bool) -> bool {
    let whole = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => cut && error.error_len().is_none(),
    };
    whole && !bytes.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\n' | b'\r' | b'\t'))
}

/// Whether the first byte that base 64 stands for may begin a text in UTF-8: of most words it does not.
fn begins_text(head: &[u8]) -> bool {
    let (Some(one), Some(two)) = (head.first(), head.get(1)) else { return false };
    let (Some(one), Some(two)) = (sextet(*one), sextet(*two)) else { return false };
    matches!(one << 2 | two >> 4, 0x09 | 0x0a | 0x0d | 0x20..=0x7f | 0xc2..=0xf4)
}

/// The text that a value in base 64 stands for; `None` when the value is something else.
fn text(value: &[u8]) -> Option<Vec<u8>> {
    let written = unpadded(value);
    if written.len() < LEAST {
        return None;
    }
    let head = written.get(..HEAD.min(written.len()))?;
    // Nearly every other text has a sign or a space there.
    if !head.iter().all(|byte| sextet(*byte).is_some()) {
        return None;
    }
    if !begins_text(head) {
        return None;
    }
    let head = bytes(head)?;
    if !is_text(&head, written.len() > HEAD) {
        return None;
    }
    bytes(written).filter(|text| is_text(text, false))
}

/// What a text is when all of it is base 64 and something is found in what it stands for.
pub(super) fn whole(value: &[u8], wanted: Wanted<'_>) -> Option<Finding> {
    let start = value.iter().take(8).position(|byte| !byte.is_ascii_whitespace())?;
    let end = value.len() - value.iter().rev().take(8).position(|byte| !byte.is_ascii_whitespace())?;
    let plain = text(value.get(start..end)?)?;
    let first = *scan(&plain, wanted, None).first()?;
    Some(Finding { kind: first.kind, start, end })
}

/// The body of `data:text/plain;base64,...`; the colon stands at `at`.
pub(super) fn data_url(text_: &Text<'_>, at: usize) -> Option<Hit> {
    if !text_.slice(at.saturating_sub(4), at).eq_ignore_ascii_case(b"data") {
        return None;
    }
    let head = text_.slice(at, text_.bytes.len().min(at + 128));
    let start = at + memchr::memmem::find(head, b";base64,")? + 8;
    let length = text_.from(start).iter().take_while(|byte| sextet(**byte).is_some() || **byte == b'=').count();
    let plain = text(text_.slice(start, start + length))?;
    let first = *scan(&plain, text_.wanted, None).first()?;
    text_.sure(first.kind, start, start + length)
}
