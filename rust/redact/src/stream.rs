//! Streams of JSON: server-sent events (WHATWG HTML §9.2) and newline-delimited JSON.
//!
//! A secret may be cut into several events. So the pieces of text that events carry are joined, by field and index,
//! and looked at as one; what spans events is masked in the first of them and taken out of the others.

use std::collections::BTreeMap;
use std::ops::Range;

use super::edits::Edits;
use super::escapes::{self, Positions};
use super::findings::Findings;
use super::json::{self, Reading};
use super::options::Compiled;
use super::text::Origin;

/// Fields that carry pieces of a longer text in the streams of the known providers.
const PIECES: &[&[u8]] = &[
    b"content",
    b"text",
    b"delta",
    b"arguments",
    b"partial_json",
    b"response",
    b"output_text",
    b"refusal",
    b"thinking",
    b"reasoning",
    b"reasoning_content",
    b"token",
    b"generated_text",
    b"completion",
    b"transcript",
];

/// A server-sent event stream.
pub(super) fn events(
    redaction: &Compiled,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> Result<Vec<u8>, &'static str> {
    lines_with(redaction, body, cut, findings, |line| {
        let after = line.strip_prefix(b"data:")?;
        let space = usize::from(after.first() == Some(&b' '));
        Some(5 + space)
    })
}

/// Newline-delimited JSON.
pub(super) fn lines(
    redaction: &Compiled,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> Result<Vec<u8>, &'static str> {
    lines_with(redaction, body, cut, findings, |_| Some(0))
}

/// A line: what stands before its data, the data, and its end.
pub(super) struct Line<'a> {
    pub prefix: &'a [u8],
    pub data: Vec<u8>,
    pub end: &'a [u8],
    pub is_data: bool,
}

fn lines_with(
    redaction: &Compiled,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
    prefix: impl Fn(&[u8]) -> Option<usize>,
) -> Result<Vec<u8>, &'static str> {
    if body.contains(&0) {
        return Err("binary");
    }
    let mut lines: Vec<Line<'_>> = split(body)
        .map(|(text, end)| {
            let at = prefix(text);
            let (before, data) = text.split_at_checked(at.unwrap_or(0)).unwrap_or((text, b""));
            Line { prefix: before, data: data.to_vec(), end, is_data: at.is_some() }
        })
        .collect();
    mask_across(redaction, &mut lines, &[], findings);
    let mut out = Vec::with_capacity(body.len());
    let last = lines.len().saturating_sub(1);
    for (index, line) in lines.iter().enumerate() {
        out.extend_from_slice(line.prefix);
        let reading = Reading { cut: cut && index == last, many: true };
        let edits = (line.is_data && line.data.first().is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"')))
            .then(|| json::edits(redaction, &line.data, reading, findings))
            .flatten();
        match edits {
            Some(edits) => edits.apply(&line.data, &mut out),
            None => redaction.text(&line.data, Origin::default(), findings, &mut out),
        }
        out.extend_from_slice(line.end);
    }
    Ok(out)
}

/// Lines and their ends: `\n`, `\r\n`, or a lone `\r`, which the event-stream grammar allows too.
fn split(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let text = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(text);
        let end = if after.starts_with(b"\r\n") { 2 } else { after.len().min(1) };
        let (end, left) = after.split_at(end);
        rest = left;
        Some((line, end))
    })
}

/// A piece of text in a line: where it is written, and what it says.
struct Piece {
    line: usize,
    inner: Range<usize>,
    text: Vec<u8>,
    /// It is a JSON string, and no bare data.
    string: bool,
}

/// What one line loses of a value that reaches over several, and gets instead.
struct Cut {
    line: usize,
    range: Range<usize>,
    with: Vec<u8>,
}

/// Mask what the joined pieces of lines hold and no line by itself. `also`: fields beside the usual ones that carry
/// pieces.
pub(super) fn mask_across(redaction: &Compiled, lines: &mut [Line<'_>], also: &[&[u8]], findings: &mut Findings) {
    let mut streams: BTreeMap<(Vec<u8>, Vec<u8>), Vec<Piece>> = BTreeMap::new();
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.is_data) {
        if matches!(line.data.first(), Some(b'{' | b'[' | b'"')) {
            pieces(&line.data, also, |key, index, inner, text| {
                let piece = Piece { line: number, inner, text, string: true };
                streams.entry((key.to_vec(), index.to_vec())).or_default().push(piece);
            });
        } else if !line.prefix.is_empty() && line.data != b"[DONE]" {
            let piece = Piece { line: number, inner: 0..line.data.len(), text: line.data.clone(), string: false };
            streams.entry((Vec::new(), Vec::new())).or_default().push(piece);
        }
    }
    let mut cuts: Vec<Cut> = Vec::new();
    for pieces in streams.into_values().filter(|pieces| pieces.len() > 1) {
        across(redaction, lines, &pieces, findings, &mut cuts);
    }
    cuts.sort_by_key(|cut| (cut.line, cut.range.start));
    for cuts in cuts.chunk_by(|one, next| one.line == next.line) {
        let mut edits = Edits::default();
        for cut in cuts {
            edits.push(cut.range.clone(), |out| out.extend_from_slice(&cut.with));
        }
        if let Some(line) = cuts.first().and_then(|cut| lines.get_mut(cut.line)) {
            line.data = edits.applied(&line.data);
        }
    }
}

/// What is found in the joined text of some pieces and reaches over more than one.
fn across(redaction: &Compiled, lines: &[Line<'_>], pieces: &[Piece], findings: &mut Findings, cuts: &mut Vec<Cut>) {
    let mut whole = Vec::new();
    let mut starts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        starts.push(whole.len());
        whole.extend_from_slice(&piece.text);
    }
    // The last piece that begins at or before a position; empty pieces hold nothing.
    let owner = |position: usize| starts.partition_point(|start| *start <= position).saturating_sub(1);
    let (found, _) = redaction.find(&whole, Origin { name: b"content", alone: true });
    for finding in found {
        let (first, last) = (owner(finding.start), owner(finding.end.saturating_sub(1)));
        if first == last {
            continue; // the line by itself shows it, or the joined text is all that does
        }
        findings.add(redaction.name(finding.kind));
        let mut with = Vec::new();
        redaction.label(finding.kind, None, whole.get(finding.start..finding.end).unwrap_or_default(), &mut with);
        for (piece, start) in pieces.iter().zip(&starts).take(last + 1).skip(first) {
            let from = finding.start.saturating_sub(*start).min(piece.text.len());
            let to = (finding.end - start).min(piece.text.len());
            let Some(written) = lines.get(piece.line).and_then(|line| line.data.get(piece.inner.clone())) else {
                continue;
            };
            let range = if piece.string {
                let mut positions = Positions::new(written);
                positions.of(from)..positions.of(to)
            } else {
                from..to
            };
            let range = piece.inner.start + range.start..piece.inner.start + range.end;
            if !range.is_empty() || !with.is_empty() {
                cuts.push(Cut { line: piece.line, range, with: std::mem::take(&mut with) });
            }
        }
    }
}

/// The string values of the fields that carry pieces, with the last number of a field `index` before them.
fn pieces(data: &[u8], also: &[&[u8]], mut found: impl FnMut(&[u8], &[u8], Range<usize>, Vec<u8>)) {
    let mut at = 0;
    let mut key: &[u8] = b"";
    let mut index: &[u8] = b"";
    while let Some(open) = data.get(at..).and_then(|rest| memchr::memchr(b'"', rest)).map(|offset| at + offset) {
        let mut end = open + 1;
        while let Some(sign) = data.get(end..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
            end += sign;
            if data.get(end) == Some(&b'"') {
                break;
            }
            end += 2;
        }
        let Some(inner) = data.get(open + 1..end) else {
            return;
        };
        let after = data.get(end + 1..).unwrap_or_default();
        let gap = after.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if after.get(gap) == Some(&b':') {
            key = inner;
            let value = after.get(gap + 1..).unwrap_or_default().trim_ascii_start();
            if matches!(key, b"index" | b"contentBlockIndex") {
                let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
                index = value.get(..digits).unwrap_or_default();
            }
        } else {
            if (PIECES.contains(&key) || also.contains(&key))
                && let Some(text) = escapes::unescape(inner, false)
            {
                found(key, index, open + 1..end, text.into_owned());
            }
            key = b"";
        }
        at = end + 1;
    }
}
