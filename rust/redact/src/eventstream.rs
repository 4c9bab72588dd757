//! Amazon's event stream, as Bedrock answers (Smithy, "Amazon Event Stream specification"): frames of total length, header
//! length and their CRC-32, headers, payload, and the CRC-32 of all before it; numbers are big-endian.
//!
//! Payloads are cleaned like the lines of other streams, a model's own event in base 64 (`{"bytes": ...}`) too, and every
//! frame is written anew with its lengths and checksums. Invariants: nothing of a frame passes whose checksum fails; what
//! was wrong with a stream (cut, damaged, a checksum) is wrong with the clean one in the same way, so that a reader can
//! tell; of headers, the strings of the protocol pass, whose names begin with a colon.

use super::encoded;
use super::findings::Findings;
use super::json::{self, Reading};
use super::options::Compiled;
use super::stream;
use super::text::Origin;
use super::tokens;

/// Both lengths and their checksum.
const PRELUDE: usize = 12;
/// The prelude and the frame's own checksum.
const AROUND: usize = PRELUDE + 4;
/// A header's value is a string, with its length in two bytes.
const STRING: u8 = 7;
/// The field that a model's own event is wrapped in.
const WRAPPED: &str = "bytes";

/// Whether a body begins with a frame's prelude: its lengths and their checksum.
pub(super) fn begins(body: &[u8]) -> bool {
    word(body, 8).is_some_and(|check| crc32(body.get(..8).unwrap_or_default()) == check)
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

/// What stands at a position of a stream.
enum Frame<'a> {
    Whole { headers: &'a [u8], payload: &'a [u8] },
    FailsItsChecksum,
}

/// The next frame and what is left; else what is written instead of what cannot be read.
fn next(rest: &[u8]) -> Result<(Frame<'_>, &[u8]), Vec<u8>> {
    let (Some(total), Some(headers), Some(check)) = (word(rest, 0), word(rest, 4), word(rest, 8)) else {
        return Err(vec![0; rest.len()]); // cut in its prelude
    };
    let (total, headers) = (total as usize, headers as usize);
    let prelude = rest.get(..PRELUDE).unwrap_or_default();
    if crc32(rest.get(..8).unwrap_or_default()) != check || total < headers.saturating_add(AROUND) {
        return Err(vec![0; PRELUDE]); // damaged: the checksum of zeros is not zero
    }
    let Some((frame, left)) = rest.split_at_checked(total) else {
        return Err(prelude.to_vec()); // cut behind it
    };
    let (body, check) = frame.split_at(total - 4);
    if word(check, 0) != Some(crc32(body)) {
        return Ok((Frame::FailsItsChecksum, left));
    }
    let (headers, payload) = body.get(PRELUDE..).unwrap_or_default().split_at(headers);
    Ok((Frame::Whole { headers, payload }, left))
}

fn write(headers: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&((AROUND + headers.len() + payload.len()) as u32).to_be_bytes());
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32(out.get(start..).unwrap_or_default()).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32(out.get(start..).unwrap_or_default()).to_be_bytes());
}

/// The string headers of the protocol, cleaned; up to the first that makes no sense.
fn clean_headers(redaction: &Compiled, headers: &[u8], findings: &mut Findings) -> Vec<u8> {
    let mut out = Vec::with_capacity(headers.len());
    let mut rest = headers;
    while let Some((Header { name, kind, value }, left)) = header(rest) {
        rest = left;
        let known = matches!(name, [b':', word @ ..] if word.len() < 32 && word.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'-')));
        if kind != STRING || !known {
            continue;
        }
        let mut clean = Vec::with_capacity(value.len());
        redaction.text(value, Origin { name, alone: false }, findings, &mut clean);
        let Ok(length) = u16::try_from(clean.len()) else { continue };
        out.push(name.len() as u8);
        out.extend_from_slice(name);
        out.push(STRING);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&clean);
    }
    out
}

struct Header<'a> {
    name: &'a [u8],
    kind: u8,
    value: &'a [u8],
}

/// The first header, and what is left.
fn header(rest: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let (length, rest) = rest.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (kind, rest) = rest.split_first()?;
    let (length, rest) = match kind {
        0 | 1 => (0, rest),
        2 => (1, rest),
        3 => (2, rest),
        4 => (4, rest),
        5 | 8 => (8, rest),
        9 => (16, rest),
        6 | 7 => {
            let (length, rest) = rest.split_at_checked(2)?;
            (usize::from(u16::from_be_bytes(*length.first_chunk()?)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((Header { name, kind: *kind, value }, rest))
}

/// A stream, with what is found in it masked; an error when its texts are too many.
pub(super) fn clean(redaction: &Compiled, body: &[u8], findings: &mut Findings) -> Result<Vec<u8>, &'static str> {
    let before = findings.total();
    let (mut frames, mut payloads) = (Vec::new(), Vec::new());
    let mut tail = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        match next(rest) {
            Ok((frame, left)) => {
                rest = left;
                if let Frame::Whole { headers, payload } = frame {
                    let inner = unwrapped(payload);
                    frames.push(Some((headers, inner.is_some())));
                    payloads.push(inner.unwrap_or_else(|| payload.to_vec()));
                } else {
                    frames.push(None);
                    payloads.push(Vec::new());
                }
            }
            Err(instead) => {
                tail = instead;
                break;
            }
        }
    }
    for round in 0..stream::ROUNDS {
        let crossed = stream::mask_across(redaction, &mut payloads, round > 0, findings)?;
        if (round > 0 && !crossed) || !each(redaction, &mut payloads, findings) {
            break;
        }
    }
    let masked = findings.total() > before;
    let mut out = Vec::with_capacity(body.len());
    for (frame, data) in frames.iter().zip(payloads) {
        let Some((headers, wrapped)) = frame else {
            // Wrong again: as long as nothing, and a checksum that is not its own.
            write(b"", b"", &mut out);
            if let Some(last) = out.last_mut() {
                *last ^= 1;
            }
            continue;
        };
        let mut payload = if masked { tokens::emptied(&data, findings).unwrap_or(data) } else { data };
        if *wrapped {
            payload = format!("{{\"{WRAPPED}\":\"{}\"}}", encode(&payload)).into_bytes();
        }
        write(&clean_headers(redaction, headers, findings), &payload, &mut out);
    }
    out.extend_from_slice(&tail);
    Ok(out)
}

/// Mask what each payload shows by itself. Whether one has changed.
fn each(redaction: &Compiled, payloads: &mut [Vec<u8>], findings: &mut Findings) -> bool {
    let mut changed = false;
    for data in payloads {
        let mut clean = Vec::with_capacity(data.len());
        match json::edits(redaction, data, Reading::default(), findings) {
            Some(edits) => edits.apply(data, &mut clean),
            None => redaction.text(data, Origin::default(), findings, &mut clean),
        }
        changed |= clean != *data;
        *data = clean;
    }
    changed
}

/// A model's own event out of `{"bytes": base 64}`; the padding beside it says nothing.
fn unwrapped(payload: &[u8]) -> Option<Vec<u8>> {
    let value: serde_json::Value = serde_json::from_slice(payload).ok()?;
    encoded::bytes(encoded::unpadded(value.get(WRAPPED)?.as_str()?.as_bytes()))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for index in 0..4 {
            let letter = ALPHABET.get((bits >> (18 - 6 * index) & 63) as usize).copied().unwrap_or(b'=');
            out.push(char::from(if index <= three.len() { letter } else { b'=' }));
        }
    }
    out
}
