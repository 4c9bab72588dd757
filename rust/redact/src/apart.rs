//! Each text of a body of events or lines by itself: an event's data, a line's JSON, and what stands between.
//!
//! Invariants: what one reader sees as one text is looked at as one. An event's lines of data are joined by LF, as the
//! standard says; lines without data that follow each other are one text, since a key, a card or a block of YAML has
//! several. Each byte is looked at once.

use std::ops::Range;

use super::edits::Edits;
use super::findings::Findings;
use super::framing::{self, Framing, begins_json, is_gap};
use super::json::{self, Reading};
use super::options::Compiled;
use super::stream;
use super::text::Origin;

/// The data of events, each joined as the standard says, and where it stands in the body.
#[derive(Default)]
pub(super) struct Held {
    pub text: Vec<u8>,
    /// Where a part begins in `text` and in the body.
    pub segments: Vec<(usize, usize)>,
}

impl Held {
    /// Add the data of a line; lines of one event are joined by LF.
    pub(super) fn push(&mut self, body: &[u8], line: Range<usize>, first: bool) {
        if !first {
            // The end of the line before: what is found over it takes it.
            let before = self.segments.last().map_or(0, |(start, outer)| outer + self.text.len() - start);
            self.segments.push((self.text.len(), before));
            self.text.push(b'\n');
        }
        self.segments.push((self.text.len(), line.start));
        self.text.extend_from_slice(body.get(line).unwrap_or_default());
    }

    /// Where a range of the text stands in the body.
    pub(super) fn outward(&self, range: Range<usize>) -> Range<usize> {
        let of = |at: usize| match self.segments.partition_point(|(start, _)| *start <= at).checked_sub(1) {
            Some(index) => self.segments.get(index).map_or(at, |(start, outer)| outer + at - start),
            None => at,
        };
        let start = of(range.start);
        start..range.end.checked_sub(1).map_or(start, |last| of(last) + 1).max(start)
    }
}

/// What is found in each text of a body of events or of lines.
pub(super) fn edits(redaction: &Compiled, framing: Framing, body: &[u8], cut: bool, findings: &mut Findings) -> Edits {
    let mut apart = Apart { redaction, body, findings, masks: Vec::new(), between: None, event: Vec::new() };
    if framing == Framing::Events {
        apart.events(cut);
    } else {
        apart.lines(cut);
    }
    apart.edits()
}

struct Apart<'a> {
    redaction: &'a Compiled,
    body: &'a [u8],
    findings: &'a mut Findings,
    masks: Vec<(Range<usize>, Vec<u8>)>,
    /// The lines without data up to here, without the end of the last.
    between: Option<Range<usize>>,
    /// The lines of data of the event that is open.
    event: Vec<Range<usize>>,
}

impl<'a> Apart<'a> {
    /// Where each line stands, and whether it is the last.
    fn each_line(&self) -> impl Iterator<Item = (&'a [u8], Range<usize>, bool)> + use<'a> {
        let body = self.body;
        let mut at = body.len() - framing::unmarked(body).len();
        framing::lines(framing::unmarked(body)).map(move |(line, end)| {
            let range = at..at + line.len();
            at = range.end + end.len();
            (line, range, at == body.len())
        })
    }

    fn events(&mut self, cut: bool) {
        for (line, range, _) in self.each_line() {
            if let Some(from) = framing::event_data(line) {
                self.end_between();
                self.event.push(range.start + from..range.end);
            } else {
                if line.is_empty() {
                    self.end_event(false);
                }
                self.add_between(line, range);
            }
        }
        self.end_event(cut);
        self.end_between();
    }

    fn lines(&mut self, cut: bool) {
        for (line, range, last) in self.each_line() {
            let edits = framing::line_code(line).and_then(|code| {
                let from = code + gap(line.get(code..).unwrap_or_default());
                let reading = Reading { cut: cut && last, many: true };
                let edits = json::edits(self.redaction, line.get(from..).unwrap_or_default(), reading, self.findings)?;
                Some((range.start + from, edits))
            });
            if let Some((from, edits)) = edits {
                self.end_between();
                self.mask(&edits, |range| from + range.start..from + range.end);
            } else {
                self.add_between(line, range);
            }
        }
        self.end_between();
    }

    fn add_between(&mut self, line: &[u8], range: Range<usize>) {
        if line.trim_ascii().is_empty() {
            return;
        }
        self.between.get_or_insert_with(|| range.clone()).end = range.end;
    }

    fn end_between(&mut self) {
        let Some(range) = self.between.take() else { return };
        let edits = self.text(self.body.get(range.clone()).unwrap_or_default());
        self.mask(&edits, |found| range.start + found.start..range.start + found.end);
    }

    fn end_event(&mut self, cut: bool) {
        let lines = std::mem::take(&mut self.event);
        if let [line] = lines.as_slice() {
            let data = self.body.get(line.clone()).unwrap_or_default();
            let from = line.start + gap(data);
            let edits = self.data(data, cut);
            self.mask(&edits, |range| from + range.start..from + range.end);
        } else if !lines.is_empty() {
            let mut held = Held::default();
            for (number, line) in lines.into_iter().enumerate() {
                held.push(self.body, line, number == 0);
            }
            let from = gap(&held.text);
            let edits = self.data(&held.text, cut);
            self.mask(&edits, |range| held.outward(from + range.start..from + range.end));
        }
    }

    /// What is found in an event's data, behind its gap: as JSON, as lines of which most are JSON, else as a text.
    fn data(&mut self, data: &[u8], cut: bool) -> Edits {
        let data = data.get(gap(data)..).unwrap_or_default();
        if !begins_json(data) {
            return self.text(data);
        }
        let reading = Reading { cut, many: true };
        if let Some(edits) = json::edits(self.redaction, data, reading, self.findings) {
            return edits;
        }
        if !(data.contains(&b'\n') && stream::mostly_lines(data)) {
            return self.text(data);
        }
        let mut lines = Apart {
            redaction: self.redaction,
            body: data,
            findings: &mut *self.findings,
            masks: Vec::new(),
            between: None,
            event: Vec::new(),
        };
        lines.lines(cut);
        lines.edits()
    }

    fn text(&mut self, text: &[u8]) -> Edits {
        let (found, edits) = self.redaction.find(text, Origin::default());
        self.redaction.count(found.iter().map(|finding| finding.kind), self.findings);
        edits
    }

    fn mask(&mut self, edits: &Edits, outward: impl Fn(Range<usize>) -> Range<usize>) {
        self.masks.extend(edits.iter().map(|(range, with)| (outward(range), with.to_vec())));
    }

    /// The masks in their order. One over an event's lines covers what stands between them.
    fn edits(mut self) -> Edits {
        self.masks.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut edits = Edits::default();
        let mut free = 0;
        for (range, with) in self.masks {
            if range.start >= free {
                free = range.end;
                edits.push(range, |out| out.extend_from_slice(&with));
            }
        }
        edits
    }
}

/// What stands before JSON; a text keeps its blanks.
fn gap(data: &[u8]) -> usize {
    if begins_json(data) { data.iter().take_while(|byte| is_gap(**byte)).count() } else { 0 }
}
