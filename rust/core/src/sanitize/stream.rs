//! Streams of JSON: server-sent events (WHATWG HTML §9.2) and newline-delimited JSON.
//!
//! A secret may be cut into several events. So the pieces of text that events carry are joined, by field and index,
//! and looked at as one; what spans events is masked in the first of them and taken out of the others.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Findings, Redaction, json, label};

/// Fields that carry pieces of a longer text in the streams of the known providers.
const PIECES: &[&[u8]] =
    &[b"content", b"text", b"delta", b"arguments", b"partial_json", b"response", b"output_text", b"refusal"];

/// A server-sent event stream.
pub(super) fn events(
    redaction: &Redaction,
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
    redaction: &Redaction,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> Result<Vec<u8>, &'static str> {
    lines_with(redaction, body, cut, findings, |_| Some(0))
}

struct Line {
    prefix: Vec<u8>,
    data: Vec<u8>,
    end: Vec<u8>,
    is_data: bool,
}

fn lines_with(
    redaction: &Redaction,
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
    prefix: impl Fn(&[u8]) -> Option<usize>,
) -> Result<Vec<u8>, &'static str> {
    if body.contains(&0) {
        return Err("binary");
    }
    let mut lines: Vec<Line> = body
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            let text = line.trim_ascii_end();
            let at = prefix(text).unwrap_or(0);
            Line {
                prefix: text[..at].to_vec(),
                data: text[at..].to_vec(),
                end: line[text.len()..].to_vec(),
                is_data: prefix(text).is_some(),
            }
        })
        .collect();
    mask_across(redaction, &mut lines, findings);
    let mut out = Vec::with_capacity(body.len());
    let last = lines.len().saturating_sub(1);
    for (index, line) in lines.iter().enumerate() {
        out.extend_from_slice(&line.prefix);
        let mut counted = Findings::default();
        let rewritten = (line.is_data && line.data.first().is_some_and(|byte| matches!(byte, b'{' | b'[' | b'"')))
            .then(|| json::rewrite(redaction, &line.data, cut && index == last, &mut counted))
            .flatten();
        match rewritten {
            Some(clean) => {
                counted.iter().for_each(|(kind, count)| (0..count).for_each(|_| findings.add(kind)));
                out.extend_from_slice(&clean);
            }
            None => {
                out.extend_from_slice(redaction.text(&String::from_utf8_lossy(&line.data), findings).as_bytes());
            }
        }
        out.extend_from_slice(&line.end);
    }
    Ok(out)
}

/// A piece of text in a line: where its string stands, and what it says.
struct Piece {
    line: usize,
    inner: Range<usize>,
    text: String,
}

fn mask_across(redaction: &Redaction, lines: &mut [Line], findings: &mut Findings) {
    let mut streams: BTreeMap<(Vec<u8>, Vec<u8>), Vec<Piece>> = BTreeMap::new();
    for (number, line) in lines.iter().enumerate() {
        if line.is_data {
            pieces(&line.data, |key, index, inner, text| {
                let piece = Piece { line: number, inner, text };
                streams.entry((key.to_vec(), index.to_vec())).or_default().push(piece);
            });
        }
    }
    // Edits by line, from the back, so that places stay right.
    let mut edits: Vec<(usize, Range<usize>, String)> = Vec::new();
    for pieces in streams.into_values() {
        let whole: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
        let mut starts = Vec::with_capacity(pieces.len());
        let mut at = 0;
        for piece in &pieces {
            starts.push(at);
            at += piece.text.len();
        }
        let owner = |place: usize| starts.partition_point(|start| *start <= place).saturating_sub(1);
        let mut changed: BTreeMap<usize, Vec<(Range<usize>, String)>> = BTreeMap::new();
        for finding in redaction.detect(&whole) {
            let (first, last) = (owner(finding.start), owner(finding.end - 1));
            if first == last {
                continue; // the line by itself shows it
            }
            findings.add(finding.kind);
            for index in first..=last {
                let start = starts[index];
                let length = pieces[index].text.len();
                let range = finding.start.saturating_sub(start)..(finding.end - start).min(length);
                let text = if index == first { label(finding.kind) } else { String::new() };
                changed.entry(index).or_default().push((range, text));
            }
        }
        for (index, changes) in changed {
            let piece = &pieces[index];
            let mut text = piece.text.clone();
            for (range, with) in changes.into_iter().rev() {
                if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
                    text.replace_range(range, &with);
                } else {
                    text.clear();
                }
            }
            let mut escaped = Vec::new();
            json::escape(&text, &mut escaped);
            edits.push((piece.line, piece.inner.clone(), String::from_utf8_lossy(&escaped).into_owned()));
        }
    }
    edits.sort_by_key(|(line, inner, _)| std::cmp::Reverse((*line, inner.start)));
    for (line, inner, text) in edits {
        if let Some(line) = lines.get_mut(line) {
            line.data.splice(inner, text.into_bytes());
        }
    }
}

/// The string values of the fields that carry pieces, with the last number of a field `index` before them.
fn pieces(data: &[u8], mut found: impl FnMut(&[u8], &[u8], Range<usize>, String)) {
    let mut at = 0;
    let mut key: &[u8] = b"";
    let mut index: &[u8] = b"";
    while let Some(open) = data.get(at..).and_then(|rest| memchr::memchr(b'"', rest)).map(|place| at + place) {
        let mut end = open + 1;
        while let Some(byte) = data.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let Some(inner) = data.get(open + 1..end) else {
            return;
        };
        let after = data.get(end + 1..).unwrap_or_default();
        let gap = after.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if after.get(gap) == Some(&b':') {
            key = inner;
            let value = after[gap + 1..].trim_ascii_start();
            if key == b"index" {
                let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
                index = &value[..digits];
            }
        } else {
            if PIECES.contains(&key)
                && let Some(text) = json::unescape(inner, false)
            {
                found(key, index, open + 1..end, text.into_owned());
            }
            key = b"";
        }
        at = end + 1;
    }
}
