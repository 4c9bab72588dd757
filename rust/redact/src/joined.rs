//! Some texts as one: where each stands in it, where a value may reach over a seam, and what is a list's items instead.
//!
//! Invariant: of a long text only what is near a seam is looked at, each byte at most once.

use std::collections::HashMap;
use std::ops::Range;

use super::hit::Finding;
use super::json;
use super::kinds::Kind;
use super::options::Compiled;
use super::seam_signs;
use super::text::Origin;

/// Joined texts up to this length are looked at whole.
const WHOLE: usize = 512;
/// Of longer ones so much is looked at to either side of a seam, and the words there up to their ends.
const NEAR: usize = 128;
const WORD: usize = 8192;
/// Shorter pieces, on average, leave nothing between their seams.
const SHORT: usize = 24;

/// A value over pieces: its part of each, and its label.
pub(super) struct Value {
    pub parts: Vec<(u32, Range<usize>)>,
    pub with: Vec<u8>,
    pub kinds: Vec<Kind>,
    pub length: usize,
}

/// Some texts as one.
pub(super) struct Joined<'a> {
    pub members: &'a [u32],
    pub bytes: Vec<u8>,
    /// Where each begins.
    pub starts: Vec<usize>,
    /// What stands between two.
    pub gap: &'a [u8],
}

impl Joined<'_> {
    /// The last text that begins at or before a position.
    pub(super) fn holder(&self, position: usize) -> usize {
        self.starts.partition_point(|start| *start <= position).saturating_sub(1)
    }

    pub(super) fn end(&self, position: usize) -> usize {
        self.starts.get(position + 1).map_or(self.bytes.len(), |next| next - self.gap.len())
    }

    /// What a replacement of a range is for each text that it concerns.
    pub(super) fn value(&self, range: Range<usize>, with: Vec<u8>, kinds: Vec<Kind>) -> Value {
        let first = self.holder(range.start);
        let last = self.holder(range.end.saturating_sub(1)).max(first);
        let mut parts: Vec<(u32, Range<usize>)> = Vec::new();
        for position in first..=last {
            let start = self.starts.get(position).copied().unwrap_or(0);
            let most = self.end(position).saturating_sub(start);
            let part = range.start.saturating_sub(start).min(most)..range.end.saturating_sub(start).min(most);
            if let Some(index) = self.members.get(position).filter(|_| !part.is_empty()) {
                parts.push((*index, part));
            }
        }
        let length = parts.iter().map(|(_, part)| part.len()).sum();
        Value { parts, with, kinds, length }
    }

    /// Whether digits stand near a seam, on both of its sides.
    pub(super) fn numbers_around(&self, seam: usize) -> bool {
        const AROUND: usize = 24;
        let end = seam - self.gap.len();
        let digit = |byte: &u8| byte.is_ascii_digit() || !byte.is_ascii();
        let left = self.bytes.get(end.saturating_sub(AROUND)..end).unwrap_or_default();
        let right = self.bytes.get(seam..self.bytes.len().min(seam + AROUND)).unwrap_or_default();
        left.iter().any(digit) && right.iter().any(digit)
    }

    /// Whether one of some texts has words.
    pub(super) fn is_prose(&self, from: usize, to: usize) -> bool {
        (from..=to).any(|position| self.text(position).trim_ascii().iter().any(u8::is_ascii_whitespace))
    }

    pub(super) fn text(&self, position: usize) -> &[u8] {
        self.starts.get(position).and_then(|start| self.bytes.get(*start..self.end(position))).unwrap_or_default()
    }
}

/// The parts of a joined text in which something may reach over a seam, in order and apart.
pub(super) fn near(joined: &Joined<'_>, stream: bool) -> Vec<Range<usize>> {
    let bytes = joined.bytes.as_slice();
    let seams = || joined.starts.iter().skip(1).copied();
    let short = bytes.len() < SHORT * joined.starts.len();
    let mut open = seams().filter(|seam| (stream && short) || is_open(joined, *seam, stream)).peekable();
    if joined.members.len() > 1 && open.peek().is_none() {
        return Vec::new();
    }
    // A private key has lines, and begins far before its seam.
    let long =
        || memchr::memmem::find(bytes, b"-----BEGIN").is_some() || memchr::memmem::find(bytes, b"PuTTY-").is_some();
    if bytes.len() <= WHOLE || joined.members.len() == 1 || long() {
        return std::iter::once(0..bytes.len()).collect();
    }
    // What stands over a gap are numbers, and no number is that long; where another value is, more is looked at.
    let longest = if joined.gap.is_empty() { WORD } else { NEAR };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut word_ends = 0;
    for seam in open {
        let base = seam.saturating_sub(NEAR);
        let free = ranges.last().map_or(0, |last| last.end);
        let most = base.saturating_sub(longest).max(free.min(base));
        let from = base - word(bytes.get(most..base).unwrap_or_default().iter().rev());
        let base = (seam + NEAR).min(bytes.len());
        if word_ends < base {
            word_ends = base + word(bytes.get(base..).unwrap_or_default().iter().take(longest));
        }
        match ranges.last_mut() {
            Some(last) if from <= last.end => last.end = word_ends.max(last.end),
            _ => ranges.push(from..word_ends),
        }
    }
    ranges
}

/// The same range with the rest of the word in which it ends; `None` where it ends with one.
pub(super) fn whole_word(joined: &Joined<'_>, range: &Range<usize>) -> Option<Range<usize>> {
    let rest = word(joined.bytes.get(range.end..).unwrap_or_default().iter().take(WORD));
    (rest > 0).then(|| range.start..range.end + rest)
}

/// Length of a word.
fn word<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.take_while(|byte| !byte.is_ascii_whitespace()).count()
}

/// Whether something may reach over a seam: the word on it has a sign that values have, or stands behind a name, or
/// numbers stand on both of its sides. In a stream, whether such a sign is near.
fn is_open(joined: &Joined<'_>, seam: usize, stream: bool) -> bool {
    const NAMED: usize = 48;
    let bytes = joined.bytes.as_slice();
    let end = seam - joined.gap.len();
    let left = bytes.get(end.saturating_sub(seam_signs::REACH)..end).unwrap_or_default();
    let right = bytes.get(seam..bytes.len().min(seam + seam_signs::REACH)).unwrap_or_default();
    if stream {
        return left.iter().chain(right).any(|byte| seam_signs::is_sign(*byte));
    }
    if joined.numbers_around(seam) {
        return true;
    }
    let (before, after) = (word(left.iter().rev()), word(right.iter()));
    if before == 0 || after == 0 || !joined.gap.is_empty() {
        return false;
    }
    let of_word = left.iter().rev().take(before).chain(right.iter().take(after));
    // `password: hun` and `ter2`: the value that the name says reaches to the seam.
    let said = left.get(left.len().saturating_sub(NAMED)..).unwrap_or_default();
    let named = said.iter().rposition(|byte| matches!(byte, b':' | b'=')).is_some_and(|sign| {
        let value = said.get(sign + 1..).unwrap_or_default().trim_ascii_start();
        !value.iter().any(u8::is_ascii_whitespace)
    });
    named || of_word.copied().any(seam_signs::is_sign)
}

/// Whether a kind has a form that items of a list make by chance, side by side: versions, counts, addresses of pages.
pub(super) fn is_weak(kind: Kind, value: &[u8]) -> bool {
    let identity = (Kind::US_SSN..=Kind::DRIVER_LICENSE).contains(&kind);
    matches!(kind, Kind::IP | Kind::PHONE | Kind::URL_CREDENTIALS)
        || (identity && !(kind == Kind::US_SSN && value.contains(&b'-')))
}

/// What the texts of a group show by themselves, asked for where something seems to reach over them.
pub(super) struct Alone<'a> {
    pub redaction: &'a Compiled,
    pub joined: &'a Joined<'a>,
    pub name: &'a [u8],
    pub found: HashMap<usize, Vec<Finding>>,
    /// Whether the list has several values: of any kind, and of those that no chance makes.
    pub items: [Option<bool>; 2],
    /// What was found over the texts has a form that no chance makes: a text that shows a weak one is no item beside it,
    /// as half of a card is a telephone number.
    pub beside_strong: bool,
}

impl Alone<'_> {
    fn of(&mut self, position: usize) -> &[Finding] {
        let origin = Origin { name: self.name, alone: json::is_prose(self.name) };
        let text = self.joined.text(position);
        self.found.entry(position).or_insert_with(|| self.redaction.find(text, origin).0)
    }

    /// Whether each text shows its part of a range by itself, as the same kind: then they are values side by side.
    pub(super) fn covers(&mut self, (from, to): (usize, usize), range: &Range<usize>, kind: Kind) -> bool {
        (from..=to).all(|position| {
            let start = self.joined.starts.get(position).copied().unwrap_or(0);
            let part =
                range.start.saturating_sub(start)..range.end.min(self.joined.end(position)).saturating_sub(start);
            part.is_empty()
                || self
                    .of(position)
                    .iter()
                    .any(|finding| finding.kind == kind && finding.start <= part.start && finding.end >= part.end)
        })
    }

    fn is_value(&mut self, position: usize) -> bool {
        let (text, beside_strong) = (self.joined.text(position), self.beside_strong);
        matches!(self.of(position), [finding] if finding.start == 0 && finding.end == text.len()
            && !(beside_strong && is_weak(finding.kind, text)))
    }

    /// Whether what was found is whole texts, one of which is a value by itself and all before it are plain words or
    /// numbers: a row's cell with its neighbours. `carol.jo` before `nes@mail.example` is a piece.
    pub(super) fn is_item(&mut self, from: usize, to: usize, range: &Range<usize>) -> bool {
        let whole = self.joined.starts.get(from) == Some(&range.start) && self.joined.end(to) == range.end;
        let plain = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
        whole
            && (from..=to)
                .find(|position| self.is_value(*position))
                .is_some_and(|value| (from..value).all(|position| plain(self.joined.text(position))))
    }

    /// Whether one of the texts is a value by itself in a list that has several of them.
    pub(super) fn are_items(&mut self, from: usize, to: usize) -> bool {
        const LOOKED_AT: usize = 256;
        if !(from..=to).any(|position| self.is_value(position)) {
            return false;
        }
        let count = self.joined.members.len().min(LOOKED_AT);
        let slot = usize::from(self.beside_strong);
        let known = self.items.get(slot).copied().flatten();
        let items = known.unwrap_or_else(|| (0..count).filter(|position| self.is_value(*position)).count() > 1);
        if let Some(slot) = self.items.get_mut(slot) {
            *slot = Some(items);
        }
        items
    }
}

/// Whether what was found is a list's items and no value: in a body, two texts of one form with digits and signs, as
/// versions have, or two whole ones that begin alike, as identifiers do.
pub(super) fn alike(joined: &Joined<'_>, from: usize, to: usize, range: &Range<usize>, stream: bool) -> bool {
    const BEGIN: usize = 3;
    const FORM: usize = 5;
    let inside = |position: &usize| {
        joined.starts.get(*position).is_some_and(|start| *start >= range.start) && joined.end(*position) <= range.end
    };
    let mut whole = (from..=to).filter(inside).map(|position| joined.text(position));
    if let (Some(one), Some(other)) = (whole.next(), whole.next()) {
        let begin = one.iter().zip(other).take_while(|(one, other)| one == other).count();
        if begin >= BEGIN && one.get(..begin).unwrap_or_default().iter().any(u8::is_ascii_alphabetic) {
            return true;
        }
    }
    let (one, other) = (joined.text(from), joined.text(from + 1));
    !stream
        && one.len() >= FORM
        && one.len() == other.len()
        && one.iter().any(u8::is_ascii_digit)
        && one.iter().any(|byte| matches!(byte, b'.' | b'_' | b'/' | b':'))
        && one.iter().zip(other).all(|(one, other)| form(*one) == form(*other))
}

fn form(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => b'0',
        b'a'..=b'z' => b'a',
        b'A'..=b'Z' => b'A',
        other => other,
    }
}
