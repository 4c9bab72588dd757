//! Masking what reaches over several pieces: the texts of a group are put together, looked at as one, and the masked text
//! is put back over the pieces.
//!
//! Invariants: what is not part of a finding keeps its bytes; a value's label stands in its first piece; looking again
//! finds nothing; only what lies near a seam is looked at of long texts, so that a body is not read twice.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::escapes;
use super::findings::Findings;
use super::groups;
use super::joined::{Alone, Joined, Value, alike, is_weak, near, whole_word};
use super::json::{self, Reading};
use super::kinds::Kind;
use super::options::Compiled;
use super::pieces::{NONE, Piece, Pieces, Written};
use super::rewrite::{rewritten, uncovered, value};
use super::seam_signs;
use super::stream;
use super::text::Origin;

/// How often the groups are gone over. What one group's mask shows to another is rare.
const ROUNDS: usize = 4;
/// JSON in strings in JSON, so many times.
pub(super) const NESTED_MOST: u8 = 3;
/// Pieces up to this length are no texts of their own: what their neighbours say is said of them.
const SHORT: usize = 64;

/// So much of what is found tells whether it is a list's items: in a longer one, one text or another is a key by chance.
const JUDGED: usize = 512;

/// Ranges of a text and what replaces them.
pub(super) type Masks = Vec<(Range<usize>, Vec<u8>)>;

/// Why a body does not pass whose texts are too many to be put together.
pub(super) const TOO_MANY: &str = "pieces";

/// Replacements for the texts of `text` that pieces show together: in order, without overlap. [`TOO_MANY`] when the
/// texts, or those within one of them, are more than are looked at.
pub(super) fn masks(
    redaction: &Compiled,
    text: &[u8],
    pieces: &Pieces,
    depth: u8,
    findings: &mut Findings,
) -> Result<Masks, &'static str> {
    if pieces.too_many {
        return Err(TOO_MANY);
    }
    let mut join = Join {
        redaction,
        text,
        pieces,
        depth,
        findings,
        written: HashMap::new(),
        touched: HashSet::new(),
        found: Vec::new(),
        too_many: false,
    };
    join.nested();
    for round in 0..ROUNDS {
        let before = std::mem::take(&mut join.touched);
        let still = |members: &[u32]| constant(text, pieces, members);
        groups::each(pieces, still, |members| {
            if round == 0 || members.iter().any(|member| before.contains(member)) {
                join.group(members);
            }
        });
        join.settle();
        if join.touched.is_empty() {
            break;
        }
    }
    if join.too_many {
        return Err(TOO_MANY);
    }
    let mut masks: Masks = join
        .written
        .into_iter()
        .filter_map(|(index, with)| pieces.list.get(index as usize).map(|piece| (piece.range(), with)))
        .collect();
    masks.sort_unstable_by_key(|(range, _)| range.start);
    Ok(masks)
}

impl Piece {
    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Whether a value of a kind has an end that its own form tells: a key goes on as long as there are letters.
fn has_end(kind: Kind) -> bool {
    matches!(kind, Kind::EMAIL | Kind::IP | Kind::PHONE | Kind::IBAN | Kind::CARD)
}

/// Whether texts of one path are none of one text: all are the same, as the type of each event is (but digits may be
/// groups of one number), or one object has a name twice.
fn constant(text: &[u8], pieces: &Pieces, members: &[u32]) -> bool {
    let piece = |index: &u32| pieces.list.get(*index as usize);
    let key = |index: &u32| piece(index).and_then(|piece| text.get(piece.key.0 as usize..piece.key.1 as usize));
    let twice = |index: &u32| {
        piece(index).map(|piece| (piece.owner, piece.index)).filter(|(owner, index)| *owner != NONE && *index == NONE)
    };
    let one = members.first().and_then(twice);
    if one.is_some() && members.iter().all(|index| twice(index) == one && key(index) == members.first().and_then(key)) {
        return true;
    }
    let of =
        |index: &u32| pieces.list.get(*index as usize).and_then(|piece| text.get(piece.range())).unwrap_or_default();
    let first = members.first().map(of).unwrap_or_default();
    let digits = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'-');
    let number = first.len() <= 16 && first.iter().any(u8::is_ascii_digit) && first.iter().all(digits);
    !number && members.iter().all(|member| of(member) == first)
}

struct Join<'a> {
    redaction: &'a Compiled,
    text: &'a [u8],
    pieces: &'a Pieces,
    depth: u8,
    findings: &'a mut Findings,
    /// Texts that changed, as they are written now.
    written: HashMap<u32, Vec<u8>>,
    /// Those that changed in this round.
    touched: HashSet<u32>,
    /// What the groups of this round show.
    found: Vec<Value>,
    /// The texts within one are more than are looked at.
    too_many: bool,
}

impl Join<'_> {
    fn now(&self, index: u32) -> &[u8] {
        let piece = self.pieces.list.get(index as usize);
        let as_it_came = || piece.and_then(|piece| self.text.get(piece.range())).unwrap_or_default();
        self.written.get(&index).map_or_else(as_it_came, Vec::as_slice)
    }

    fn kind(&self, index: u32) -> Written {
        self.pieces.list.get(index as usize).map_or(Written::Bare, |piece| piece.written)
    }

    /// JSON and events in single strings have pieces of their own.
    fn nested(&mut self) {
        if self.depth >= NESTED_MOST {
            return;
        }
        for index in 0..self.pieces.list.len() as u32 {
            if self.kind(index) != Written::String {
                continue;
            }
            let written = self.now(index);
            let first = written.iter().find(|byte| !byte.is_ascii_whitespace());
            let framed = matches!(first, Some(b'{' | b'[' | b'\\'));
            if !(framed || written.starts_with(b"data:") || written.starts_with(b"event:")) {
                continue;
            }
            if let Some(bytes) = escapes::unescape(written, true).map(Cow::into_owned) {
                self.inner(&Joined { members: &[index], bytes, starts: vec![0], gap: b"" });
            }
        }
    }

    /// Mask what the pieces within a joined text show.
    fn inner(&mut self, joined: &Joined<'_>) {
        let edits = match stream::across(self.redaction, &joined.bytes, (self.depth + 1, false), self.findings) {
            Ok(Some(edits)) => edits,
            Ok(None) => return,
            Err(_) => {
                self.too_many = true;
                return;
            }
        };
        let values: Vec<Value> =
            edits.iter().map(|(range, with)| joined.value(range, with.to_vec(), Vec::new())).collect();
        self.put_back(values);
    }

    fn joined<'m>(&self, members: &'m [u32], gap: &'m [u8]) -> Joined<'m> {
        let (mut bytes, mut starts) = (Vec::new(), Vec::with_capacity(members.len()));
        for (position, index) in members.iter().enumerate() {
            if position > 0 {
                bytes.extend_from_slice(gap);
            }
            starts.push(bytes.len());
            bytes.extend_from_slice(&value(self.now(*index), self.kind(*index)));
        }
        Joined { members, bytes, starts, gap }
    }

    /// Note what the texts of a group show together.
    fn group(&mut self, members: &[u32]) {
        let document = |index: Option<&u32>| {
            index.and_then(|index| self.pieces.list.get(*index as usize)).map(|piece| piece.document)
        };
        let stream = document(members.first()) != document(members.last());
        let first = members.first().map(|first| self.now(*first).trim_ascii_start()).unwrap_or_default();
        if stream && matches!(first.first(), Some(b'{' | b'[' | b'\\')) && self.as_json(members) {
            return;
        }
        if stream && self.grown(members) {
            return;
        }
        for stretch in self.stretches(members) {
            let near = members.get(stretch).unwrap_or_default();
            let joined = self.joined(near, b"");
            self.find(&joined, stream);
            // A reader sets a list's texts side by side: there a number may be parted where a space would stand.
            if !stream && joined.starts.iter().skip(1).any(|seam| joined.numbers_around(*seam)) {
                let apart = self.joined(near, b" ");
                self.find(&apart, false);
            }
        }
    }

    /// Texts of a stream that each repeat the one before and add to it: what the last one shows, the others show in part.
    /// `false` when these are none. That a digit or a sign comes again is no repeating.
    fn grown(&mut self, members: &[u32]) -> bool {
        const LEAST: usize = 3;
        const REPEATED: usize = 24;
        let repeats = |two: &[u32]| match two {
            [one, next] => !self.now(*one).is_empty() && self.now(*next).starts_with(self.now(*one)),
            _ => false,
        };
        let length = |index: Option<&u32>| index.map_or(0, |index| self.now(*index).len());
        let (mut steps, mut same, mut repeated) = (0, 0, 0);
        for two in members.windows(2).filter(|two| repeats(two)) {
            if length(two.first()) == length(two.last()) {
                same += 1;
            } else {
                steps += 1;
                repeated += length(two.first());
            }
        }
        if steps + 1 < LEAST
            || 2 * steps + same < members.len()
            || repeated < REPEATED
            || length(members.first()) >= length(members.last())
        {
            return false;
        }
        let mut runs: Vec<&[u32]> = members.chunk_by(|one, next| repeats(&[*one, *next])).collect();
        runs.retain(|run| run.len() > 1);
        for run in runs {
            let Some((last, others)) = run.split_last() else { continue };
            let bytes = value(self.now(*last), self.kind(*last)).into_owned();
            let name = self.name(*last);
            let origin = Origin { name: &name, alone: json::is_prose(&name) };
            let (found, edits) = self.redaction.find(&bytes, origin);
            for index in others {
                let length = value(self.now(*index), self.kind(*index)).len();
                for (finding, (range, with)) in found.iter().zip(edits.iter()) {
                    let part = range.start..range.end.min(length);
                    // What is whole here is found here, too.
                    if !part.is_empty() && range.end > length {
                        let (kinds, length) = (vec![finding.kind], part.len());
                        self.found.push(Value { parts: vec![(*index, part)], with: with.to_vec(), kinds, length });
                    }
                }
            }
        }
        true
    }

    /// The name that a text stands under.
    fn name(&self, index: u32) -> Vec<u8> {
        let key = self.pieces.list.get(index as usize).map_or((0, 0), |piece| piece.key);
        self.text.get(key.0 as usize..key.1 as usize).unwrap_or_default().to_vec()
    }

    /// The texts of a group that stand near a sign that values have; with none, nothing reaches over a seam.
    fn stretches(&self, members: &[u32]) -> Vec<Range<usize>> {
        let piece = |position: usize| members.get(position).and_then(|index| self.pieces.list.get(*index as usize));
        let around = |from: usize, step: isize| {
            let (mut at, mut length) = (from, 0);
            while let Some(next) = at.checked_add_signed(step).filter(|_| length < seam_signs::REACH) {
                let Some(piece) = piece(next) else { break };
                length += piece.range().len();
                at = next;
            }
            at
        };
        let mut stretches: Vec<Range<usize>> = Vec::new();
        for position in 0..members.len() {
            let Some(piece) = piece(position).filter(|piece| piece.signs.0 || piece.signs.1) else { continue };
            let from = if piece.signs.0 { around(position, -1) } else { position };
            let to = if piece.signs.1 { around(position, 1) } else { position } + 1;
            match stretches.last_mut() {
                Some(last) if from < last.end => last.end = last.end.max(to),
                _ if to - from > 1 || piece.written == Written::Bytes => stretches.push(from..to),
                _ => {}
            }
        }
        stretches
    }

    /// The texts of a stream as one JSON text, as a tool's arguments come. `false` when they are none.
    fn as_json(&mut self, members: &[u32]) -> bool {
        let joined = self.joined(members, b"");
        if !matches!(joined.bytes.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return false;
        }
        if self.depth < NESTED_MOST {
            self.inner(&joined);
        }
        let joined = self.joined(members, b"");
        let reading = Reading { cut: true, many: true };
        let Some((edits, kinds)) = json::counted(self.redaction, &joined.bytes, reading) else { return false };
        let mut kinds = kinds.into_iter();
        let last = edits.len().saturating_sub(1);
        for (position, (range, with)) in edits.iter().enumerate() {
            // One a replacement; where rules dropped more than one value with it, the last has the rest.
            let counted: Vec<Kind> =
                if position == last { kinds.by_ref().collect() } else { kinds.next().into_iter().collect() };
            let value = joined.value(range, with.to_vec(), counted);
            self.found.push(value);
        }
        true
    }

    /// Note what is found in a joined text and is masked here: what reaches over pieces, and in a stream what its
    /// neighbours say of a short one.
    fn find(&mut self, joined: &Joined<'_>, stream: bool) {
        let first = joined.members.first().and_then(|index| self.pieces.list.get(*index as usize));
        let key = first.map_or((0, 0), |piece| piece.key);
        let name = self.text.get(key.0 as usize..key.1 as usize).unwrap_or_default();
        let list = first.is_some_and(|piece| piece.written == Written::Bytes);
        let mut alone = Alone {
            redaction: self.redaction,
            joined,
            name,
            found: HashMap::new(),
            items: [None, None],
            beside_strong: false,
        };
        for near in near(joined, stream) {
            let whole = near.len() == joined.bytes.len();
            let origin = Origin { name, alone: whole && stream && json::is_prose(name) };
            let look =
                |near: &Range<usize>| self.redaction.find(joined.bytes.get(near.clone()).unwrap_or_default(), origin);
            let (mut found, mut edits) = look(&near);
            if found.last().is_some_and(|last| near.start + last.end == near.end)
                && let Some(longer) = whole_word(joined, &near)
            {
                (found, edits) = look(&longer);
            }
            for (finding, (range, with)) in found.iter().zip(edits.iter()) {
                let range = near.start + range.start..near.start + range.end;
                let (from, to) = (joined.holder(range.start), joined.holder(range.end.saturating_sub(1)));
                let inside = from == to
                    && !list
                    && !(stream && joined.end(from) - joined.starts.get(from).copied().unwrap_or(0) <= SHORT);
                let weak = is_weak(finding.kind, joined.bytes.get(range.clone()).unwrap_or_default());
                alone.beside_strong = !weak;
                let judged = range.start..range.end.min(range.start + JUDGED);
                let until = joined.holder(judged.end.saturating_sub(1));
                let apart = from < to
                    && ((weak && !stream && !joined.is_prose(from, to))
                        || alike(joined, from, until, &judged, stream && !weak)
                        || alone.covers((from, to), &range, finding.kind)
                        || (!stream && alone.are_items(from, until))
                        || (has_end(finding.kind) && self.is_row(joined) && alone.is_item(from, to, &range)));
                if inside || apart {
                    continue;
                }
                self.found.push(joined.value(range, with.to_vec(), vec![finding.kind]));
            }
        }
    }

    /// Whether the texts are elements of one list of strings, which is no stream even where it is all of a body.
    fn is_row(&self, joined: &Joined<'_>) -> bool {
        joined.members.iter().all(|index| {
            self.pieces
                .list
                .get(*index as usize)
                .is_some_and(|piece| piece.index != NONE && piece.written == Written::String)
        })
    }

    /// Mask what was found in this round. Groups overlap, so the longest comes first, and what it covers is no value more.
    fn settle(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by_key(|value| std::cmp::Reverse(value.length));
        let mut covered: HashMap<u32, BTreeMap<usize, usize>> = HashMap::new();
        for value in &mut found {
            let parts = std::mem::take(&mut value.parts);
            for (index, range) in parts {
                let free = uncovered(covered.entry(index).or_default(), range);
                value.parts.extend(free.into_iter().map(|range| (index, range)));
            }
            if !value.parts.is_empty() {
                self.redaction.count(value.kinds.iter().copied(), self.findings);
            }
        }
        found.retain(|value| !value.parts.is_empty());
        self.put_back(found);
    }

    /// Write the pieces of values anew: the label stands in the first of them.
    fn put_back(&mut self, values: Vec<Value>) {
        let mut cuts: Vec<(u32, Range<usize>, Vec<u8>)> = Vec::new();
        for value in values {
            let mut with = Some(value.with);
            for (index, range) in value.parts {
                cuts.push((index, range, with.take().unwrap_or_default()));
            }
        }
        cuts.sort_by_key(|(index, range, _)| (*index, range.start));
        for cuts in cuts.chunk_by(|one, next| one.0 == next.0) {
            if let Some((index, _, _)) = cuts.first() {
                let written = rewritten(self.now(*index), self.kind(*index), cuts);
                self.written.insert(*index, written);
                self.touched.insert(*index);
            }
        }
    }
}
