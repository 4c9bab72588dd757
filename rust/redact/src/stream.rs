//! Bodies that are made of pieces: server-sent events, JSON values one after the other, lines of JSON.
//!
//! A secret may be cut over several events, elements or parts. So the pieces are found by the framing that the bytes show
//! ([`super::framing`]), put together by their paths and looked at as one ([`super::join`]); then each is looked at where
//! it stands. Invariant: the declared media type does not decide what is put together.

use std::borrow::Cow;

use super::apart::{self, Held};
use super::edits::Edits;
use super::findings::Findings;
use super::framing::{self, Framing, is_gap};
use super::join;
use super::json::{self, Reading};
use super::options::Compiled;
use super::pieces::Pieces;

/// How often a body with findings is looked at again: what one mask leaves beside another is rare.
pub(super) const ROUNDS: usize = 3;

/// Sanitize a body by its framing. `false` when it is none of those here, or is broken in a way that only its text can be
/// looked at: then its pieces are masked. What nothing is found in is not copied.
pub(super) fn clean(
    redaction: &Compiled,
    mut framing: Framing,
    body: &mut Cow<'_, [u8]>,
    (declared, cut): (bool, bool),
    findings: &mut Findings,
) -> Result<bool, &'static str> {
    for round in 0..ROUNDS {
        match across_most(redaction, framing, body, (0, round > 0), findings)? {
            Some(edits) => {
                *body = edits.applied(body).into();
                framing = Framing::of(body, declared);
            }
            None if round > 0 => break,
            None => {}
        }
        let Some(edits) = each(redaction, framing, body, cut, findings) else { return Ok(false) };
        if edits.len() == 0 {
            break;
        }
        let out = edits.applied(body);
        if out == **body {
            break;
        }
        *body = out.into();
        framing = Framing::of(body, declared);
    }
    Ok(true)
}

/// What is found in each event, value or line by itself.
fn each(redaction: &Compiled, framing: Framing, body: &[u8], cut: bool, findings: &mut Findings) -> Option<Edits> {
    match framing {
        Framing::Events | Framing::Lines => Some(apart::edits(redaction, framing, body, cut, findings)),
        Framing::Values => json::edits(redaction, body, Reading { cut, many: true }, findings)
            .or_else(|| mostly_lines(body).then(|| apart::edits(redaction, Framing::Lines, body, cut, findings))),
        Framing::Frames | Framing::Text => None,
    }
}

/// Lines of JSON of which some are broken.
pub(super) fn mostly_lines(body: &[u8]) -> bool {
    let written = || framing::lines(body).filter(|(line, _)| !line.trim_ascii().is_empty());
    let json = written().filter(|(line, _)| framing::line_code(line).is_some()).count();
    json > 1 && 2 * json >= written().count()
}

/// What the pieces of a text show together and none by itself; `None` when there is nothing, an error when they are too
/// many. `depth`: in so many texts it stands. `masked`: it was masked once, so only pieces beside labels are looked at.
pub(super) fn across(
    redaction: &Compiled,
    text: &[u8],
    (depth, masked): (u8, bool),
    findings: &mut Findings,
) -> Result<Option<Edits>, &'static str> {
    across_most(redaction, Framing::of(text, false), text, (depth, masked), findings)
}

fn across_most(
    redaction: &Compiled,
    framing: Framing,
    body: &[u8],
    (depth, masked): (u8, bool),
    findings: &mut Findings,
) -> Result<Option<Edits>, &'static str> {
    let mut pieces = Pieces::new(redaction.most_pieces, masked);
    let mark = body.len() - framing::unmarked(body).len();
    let held = match framing {
        Framing::Frames => return Ok(None),
        Framing::Values => {
            if !pieces.json(body, mark, body.len(), b"") {
                // A string that is none, and what only begins like JSON within another text.
                let text = depth > 0 || body.iter().find(|byte| !is_gap(**byte)) == Some(&b'"');
                if mostly_lines(body) {
                    pieces = Pieces::new(redaction.most_pieces, masked);
                    lines(body, mark, &mut pieces);
                } else if text {
                    pieces = Pieces::new(redaction.most_pieces, masked);
                }
            }
            Held::default()
        }
        Framing::Events => events(body, mark, &mut pieces),
        Framing::Lines | Framing::Text => {
            lines(body, mark, &mut pieces);
            Held::default()
        }
    };
    let text = if held.segments.is_empty() { body } else { &held.text };
    let masks = join::masks(redaction, text, &pieces, depth, findings)?;
    if masks.is_empty() {
        return Ok(None);
    }
    let mut edits = Edits::default();
    for (range, with) in masks {
        edits.push(held.outward(range), |out| out.extend_from_slice(&with));
    }
    Ok(Some(edits))
}

/// The pieces of events: their data.
fn events(body: &[u8], mark: usize, pieces: &mut Pieces) -> Held {
    let mut held = Held::default();
    held.text.reserve(body.len());
    let (mut at, mut begin) = (mark, None);
    let dispatch = |held: &Held, begin: &mut Option<usize>, pieces: &mut Pieces| {
        if let Some(from) = begin.take() {
            let data = held.text.get(from..).unwrap_or_default();
            if data.trim_ascii() != b"[DONE]" {
                pieces.event(&held.text, from, held.text.len(), b"data");
            }
        }
    };
    for (line, end) in framing::lines(framing::unmarked(body)) {
        if line.is_empty() {
            dispatch(&held, &mut begin, pieces);
        } else if let Some(from) = framing::event_data(line) {
            let first = begin.is_none();
            begin.get_or_insert(held.text.len());
            held.push(body, at + from..at + line.len(), first);
        }
        at += line.len() + end.len();
    }
    dispatch(&held, &mut begin, pieces);
    held
}

/// The pieces of lines that hold JSON; others are texts by themselves.
fn lines(body: &[u8], mark: usize, pieces: &mut Pieces) {
    let mut at = mark;
    for (line, end) in framing::lines(framing::unmarked(body)) {
        if let Some(from) = framing::line_code(line) {
            pieces.json(body, at + from, at + line.len(), line.get(..from).unwrap_or_default());
        }
        at += line.len() + end.len();
    }
}

/// Replace what the pieces of several texts, which are JSON each, show together. Whether there was something; an error when
/// they are too many. `masked`: as for [`across`].
pub(super) fn mask_across(
    redaction: &Compiled,
    texts: &mut [Vec<u8>],
    masked: bool,
    findings: &mut Findings,
) -> Result<bool, &'static str> {
    let mut whole = Vec::new();
    let mut pieces = Pieces::new(redaction.most_pieces, masked);
    let mut starts = Vec::with_capacity(texts.len());
    for text in texts.iter() {
        starts.push(whole.len());
        whole.extend_from_slice(text);
        pieces.event(&whole, whole.len() - text.len(), whole.len(), b"");
    }
    let masks = join::masks(redaction, &whole, &pieces, 0, findings)?;
    let crossed = !masks.is_empty();
    let mut masks = masks.into_iter().peekable();
    for (text, start) in texts.iter_mut().zip(starts) {
        let mut edits = Edits::default();
        while let Some((range, with)) = masks.next_if(|(range, _)| range.end <= start + text.len()) {
            edits.push(range.start.saturating_sub(start)..range.end.saturating_sub(start), |out| {
                out.extend_from_slice(&with);
            });
        }
        *text = edits.applied(text);
    }
    Ok(crossed)
}
