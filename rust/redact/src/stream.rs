//! Bodies that are made of pieces: server-sent events, JSON values one after the other, lines of JSON.
//!
//! A secret may be cut over several events, elements or parts. So the pieces are found by the framing that the bytes show
//! ([`super::framing`]), put together by their paths and looked at as one ([`super::join`]); then each is looked at where
//! it stands. Invariant: the declared media type does not decide what is put together.

use std::ops::Range;

use super::edits::Edits;
use super::findings::Findings;
use super::framing::{self, Framing, begins_json, is_gap};
use super::join;
use super::json::{self, Reading};
use super::options::Compiled;
use super::pieces::Pieces;
use super::text::Origin;

/// How often a body with findings is looked at again: what one mask leaves beside another is rare.
const ROUNDS: usize = 3;

/// Sanitize a body by its framing; `None` when it is none of those here, or is broken in a way that only its text can be
/// looked at: then its pieces are masked in `body`.
pub(super) fn clean(
    redaction: &Compiled,
    body: &mut Vec<u8>,
    declared: bool,
    cut: bool,
    findings: &mut Findings,
) -> Result<Option<Vec<u8>>, &'static str> {
    let mut clean = None;
    for round in 0..ROUNDS {
        let crossed = match across_most(redaction, body, declared, (0, round > 0), findings)? {
            Some(edits) => {
                *body = edits.applied(body);
                true
            }
            None => false,
        };
        if round > 0 && !crossed {
            break;
        }
        let framing = Framing::of(body, declared);
        let Some(out) = each(redaction, framing, body, cut, findings) else { return Ok(None) };
        let changed = out != *body;
        if changed {
            body.clone_from(&out);
        }
        clean = Some(out);
        if !changed {
            break;
        }
    }
    Ok(clean)
}

/// Each event, value or line by itself.
fn each(redaction: &Compiled, framing: Framing, body: &[u8], cut: bool, findings: &mut Findings) -> Option<Vec<u8>> {
    match framing {
        Framing::Events => Some(lines_with(redaction, body, cut, findings, framing::event_data)),
        Framing::Lines => Some(lines_with(redaction, body, cut, findings, framing::line_code)),
        Framing::Values => match json::edits(redaction, body, Reading { cut, many: true }, findings) {
            Some(edits) => Some(edits.applied(body)),
            None => mostly_lines(body).then(|| lines_with(redaction, body, cut, findings, framing::line_code)),
        },
        Framing::Frames | Framing::Text => None,
    }
}

/// Lines of JSON of which some are broken.
fn mostly_lines(body: &[u8]) -> bool {
    let written = || framing::lines(body).filter(|(line, _)| !line.trim_ascii().is_empty());
    let json = written().filter(|(line, _)| framing::line_code(line).is_some()).count();
    json > 1 && 2 * json >= written().count()
}

fn lines_with(
    redaction: &Compiled,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
    prefix: impl Fn(&[u8]) -> Option<usize>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mark = body.len() - framing::unmarked(body).len();
    out.extend_from_slice(body.get(..mark).unwrap_or_default());
    let mut left = framing::lines(framing::unmarked(body)).peekable();
    while let Some((line, end)) = left.next() {
        let begin = prefix(line);
        let gap = |from: usize| line.get(from..).unwrap_or_default().iter().take_while(|byte| is_gap(**byte)).count();
        let at = begin
            .map_or(0, |begin| begin + if begins_json(line.get(begin..).unwrap_or_default()) { gap(begin) } else { 0 });
        let (before, data) = line.split_at_checked(at).unwrap_or((line, b""));
        out.extend_from_slice(before);
        let reading = Reading { cut: cut && left.peek().is_none(), many: true };
        let edits =
            (begin.is_some() && begins_json(data)).then(|| json::edits(redaction, data, reading, findings)).flatten();
        match edits {
            Some(edits) => edits.apply(data, &mut out),
            None => redaction.text(data, Origin::default(), findings, &mut out),
        }
        out.extend_from_slice(end);
    }
    out
}

/// What the pieces of a body show together and none by itself; `None` when there is nothing.
pub(super) fn across(
    redaction: &Compiled,
    body: &[u8],
    declared: bool,
    depth: u8,
    findings: &mut Findings,
) -> Option<Edits> {
    across_most(redaction, body, declared, (depth, false), findings).ok().flatten()
}

/// The same for a text that was masked once: only pieces beside labels are looked at.
pub(super) fn across_masked(redaction: &Compiled, body: &[u8], findings: &mut Findings) -> Option<Edits> {
    across_most(redaction, body, false, (0, true), findings).ok().flatten()
}

fn across_most(
    redaction: &Compiled,
    body: &[u8],
    declared: bool,
    (depth, masked): (u8, bool),
    findings: &mut Findings,
) -> Result<Option<Edits>, &'static str> {
    let mut pieces = Pieces::new(masked);
    let mark = body.len() - framing::unmarked(body).len();
    let held = match Framing::of(body, declared) {
        Framing::Frames => return Ok(None),
        Framing::Values => {
            if !pieces.json(body, mark, body.len(), b"") {
                // A string that is none, and what only begins like JSON within another text.
                let text = depth > 0 || body.iter().find(|byte| !is_gap(**byte)) == Some(&b'"');
                if mostly_lines(body) {
                    pieces = Pieces::new(masked);
                    lines(body, mark, &mut pieces);
                } else if text {
                    pieces = Pieces::new(masked);
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
    if pieces.too_many {
        return Err("pieces");
    }
    let text = if held.segments.is_empty() { body } else { &held.text };
    let masks = join::masks(redaction, text, &pieces, depth, findings);
    if masks.is_empty() {
        return Ok(None);
    }
    let mut edits = Edits::default();
    for (range, with) in masks {
        edits.push(held.outward(range), |out| out.extend_from_slice(&with));
    }
    Ok(Some(edits))
}

/// The data of events, each joined as the standard says, and where it stands in the body.
#[derive(Default)]
struct Held {
    text: Vec<u8>,
    /// Where a part begins in `text` and in the body.
    segments: Vec<(usize, usize)>,
}

impl Held {
    fn outward(&self, range: Range<usize>) -> Range<usize> {
        let of = |at: usize| match self.segments.partition_point(|(start, _)| *start <= at).checked_sub(1) {
            Some(index) => self.segments.get(index).map_or(at, |(start, outer)| outer + at - start),
            None => at,
        };
        let start = of(range.start);
        start..range.end.checked_sub(1).map_or(start, |last| of(last) + 1).max(start)
    }
}

/// The pieces of events: their data.
fn events(body: &[u8], mark: usize, pieces: &mut Pieces) -> Held {
    let mut held = Held { text: Vec::with_capacity(body.len()), segments: Vec::new() };
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
            // Lines of one event are joined by LF.
            if begin.is_some() {
                held.segments.push((held.text.len(), at.saturating_sub(1)));
                held.text.push(b'\n');
            }
            begin.get_or_insert(held.text.len());
            held.segments.push((held.text.len(), at + from));
            held.text.extend_from_slice(line.get(from..).unwrap_or_default());
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

/// Replace what the pieces of several texts, which are JSON each, show together.
pub(super) fn mask_across(redaction: &Compiled, texts: &mut [Vec<u8>], findings: &mut Findings) {
    let mut whole = Vec::new();
    let mut pieces = Pieces::default();
    let mut starts = Vec::with_capacity(texts.len());
    for text in texts.iter() {
        starts.push(whole.len());
        whole.extend_from_slice(text);
        pieces.event(&whole, whole.len() - text.len(), whole.len(), b"");
    }
    let masks = join::masks(redaction, &whole, &pieces, 0, findings);
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
}
