//! The texts of JSON as they stand in it: each string, list of bytes or bare line with its path, so that pieces of one
//! text can be put together ([`super::groups`]).
//!
//! Invariants: one pass, no stack of the machine, and whatever the bytes: what is no JSON is passed over. A path leaves
//! positions in arrays out, and the digits of names (`part1`, `part2`), so that what repeats has one path.

use super::framing::{begins_json, is_gap};
use super::json_ends::{after_space, bytes_end, string_end};
use super::path_hash::{START, hash, mixed, name_hash};
use super::seam_signs::signs;

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A JSON string, without its quotes.
    String,
    /// The elements of a JSON array that are the bytes of a text.
    Bytes,
    /// As it is.
    Bare,
    /// In percent-encoding, as a form's value.
    Form,
}

/// One text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub path: u64,
    /// Hash of the name of the member that holds it.
    pub name: u64,
    pub start: u32,
    pub end: u32,
    /// The name as it is written.
    pub key: (u32, u32),
    /// The object that holds it.
    pub owner: u32,
    /// Position in the array that holds it; [`NONE`] in an object.
    pub index: u32,
    /// Which value or event of the stream it stands in.
    pub document: u32,
    pub written: Written,
    /// Whether a sign that values have stands near its beginning, and near its end.
    pub signs: (bool, bool),
}

/// No object, no array.
pub(super) const NONE: u32 = u32::MAX;

/// An object, and what its scalars say: which choice, block or item its texts belong to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    pub parent: u32,
    /// The array that it is an element of, and its position there.
    pub array: u64,
    pub index: u32,
    /// The last of its scalars.
    last: u32,
    count: u8,
}

/// A scalar member: by it, texts of one path are told apart.
#[derive(Clone, Copy, Debug)]
struct Scalar {
    before: u32,
    key: u64,
    value: u64,
}

/// Scalars that are looked at in one object, and how long a string may be that tells texts apart.
const SCALARS: u8 = 12;
const SCALAR_LENGTH: usize = 80;
/// For so many texts there is room at first, each with so many bytes around it.
const FEW: usize = 256;
const PIECE: usize = 64;
/// Arrays and objects beyond this depth are one level.
const DEPTH: usize = 128;
/// Most texts of a body. An event of a model has some hundred bytes and five.
pub(super) const MOST: usize = 4 << 20;

/// What was found.
#[derive(Debug)]
pub(super) struct Pieces {
    pub list: Vec<Piece>,
    most: usize,
    owners: Vec<Owner>,
    scalars: Vec<Scalar>,
    documents: u32,
    /// There are more than are looked at: the body must not pass.
    pub too_many: bool,
    /// All single texts are masked: only what a mask stands beside may be a value now.
    masked: bool,
}

#[derive(Clone, Copy)]
struct Level {
    object: bool,
    path: u64,
    owner: u32,
    /// The name that its elements are under.
    name: u64,
    key: (u32, u32),
    /// Of an array: the position of the next element.
    index: u32,
}

impl Pieces {
    /// `most`: how many are looked at. `masked`: all single texts are masked already.
    pub(super) fn new(most: usize, masked: bool) -> Self {
        Self { list: Vec::new(), most, owners: Vec::new(), scalars: Vec::new(), documents: 0, too_many: false, masked }
    }

    /// The scalars of an object: hash of the name's path, and of the value.
    pub(super) fn scalars(&self, owner: u32) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut next = self.owners.get(owner as usize).map_or(NONE, |owner| owner.last);
        std::iter::from_fn(move || {
            let scalar = self.scalars.get(next as usize)?;
            next = scalar.before;
            Some((scalar.key, scalar.value))
        })
    }

    pub(super) fn owner(&self, owner: u32) -> Option<&Owner> {
        self.owners.get(owner as usize)
    }

    fn push(&mut self, piece: Piece) {
        if self.list.len() < self.most {
            self.list.push(piece);
        } else {
            self.too_many = true;
        }
    }

    /// A text that is no JSON, as the data of an event may be.
    pub(super) fn bare(&mut self, text: &[u8], root: &[u8], start: usize, end: usize) {
        self.documents += 1;
        let path = hash(START, root);
        let piece = Piece {
            path,
            name: path,
            start: start as u32,
            end: end as u32,
            key: (0, 0),
            owner: NONE,
            index: NONE,
            document: self.documents,
            written: Written::Bare,
            signs: signs(text.get(start..end).unwrap_or_default(), self.masked),
        };
        if start < end {
            self.push(piece);
        }
    }

    /// The value of a form's field, with the range of its name.
    pub(super) fn field(&mut self, text: &[u8], name: (usize, usize), start: usize, end: usize) {
        let path = mixed(START, name_hash(text.get(name.0..name.1).unwrap_or_default()));
        let piece = Piece {
            path,
            name: path,
            start: start as u32,
            end: end as u32,
            key: (name.0 as u32, name.1 as u32),
            owner: NONE,
            index: NONE,
            document: 0,
            written: Written::Form,
            signs: signs(text.get(start..end).unwrap_or_default(), self.masked),
        };
        if start < end {
            self.push(piece);
        }
    }

    /// The texts of the JSON in `text[from..to]`. Whether it is well-formed, roughly; else what was found of it stays.
    pub(super) fn json(&mut self, text: &[u8], from: usize, to: usize, root: &[u8]) -> bool {
        let text = text.get(..to).unwrap_or(text);
        if self.list.is_empty() {
            let few = (text.len().saturating_sub(from) / PIECE).min(FEW);
            self.list.reserve(few);
            self.owners.reserve(few / 2);
            self.scalars.reserve(few);
        }
        let mut walk = Walk { levels: Vec::new(), deep: 0, key: None, root: hash(START, root), pieces: self };
        walk.run(text, from)
    }

    /// What `text[from..to]` of a stream says: JSON, else the text itself. What begins like a list or a string is a text
    /// unless it is one whole.
    pub(super) fn event(&mut self, text: &[u8], from: usize, to: usize, root: &[u8]) {
        let data = text.get(from..to).unwrap_or_default();
        if !begins_json(data) {
            self.bare(text, root, from, to);
            return;
        }
        let count = self.list.len();
        let right = self.json(text, from, to, root);
        if !right && data.trim_ascii_start().first() != Some(&b'{') {
            self.list.truncate(count);
            self.bare(text, root, from, to);
        }
    }
}

/// Hashes of a value's path and of its name, and where the name is written.
type Child = (u64, u64, (u32, u32));

struct Walk<'a> {
    levels: Vec<Level>,
    /// Levels beyond the deepest that is kept.
    deep: usize,
    /// The name before a value.
    key: Option<(usize, usize)>,
    root: u64,
    pieces: &'a mut Pieces,
}

impl Walk<'_> {
    fn run(&mut self, text: &[u8], from: usize) -> bool {
        let mut at = from;
        let mut right = true;
        while let Some(byte) = text.get(at) {
            at = match byte {
                b'"' => {
                    let end = string_end(text, at + 1);
                    right &= end < text.len();
                    self.string(text, at + 1, end)
                }
                b'{' | b'[' => self.open(text, *byte == b'{', at),
                b'}' | b']' => {
                    right &= self.close(*byte == b'}');
                    at + 1
                }
                b',' => {
                    self.comma();
                    after_space(text, at + 1)
                }
                b':' => {
                    right &= !self.levels.is_empty();
                    after_space(text, at + 1)
                }
                b'-' | b'0'..=b'9' => self.number(text, at),
                byte if is_gap(*byte) => at + 1,
                _ => {
                    let word = text.get(at..).unwrap_or_default();
                    let length = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                    let known: [&[u8]; 5] = [b"true", b"false", b"null", b"NaN", b"Infinity"];
                    right &= known.contains(&word.get(..length).unwrap_or_default());
                    self.key = None;
                    at + length.max(1)
                }
            };
        }
        right && self.levels.is_empty()
    }

    /// Path and owner of a value here.
    fn child(&self, text: &[u8]) -> Child {
        let path = self.levels.last().map_or(self.root, |level| level.path);
        match self.key {
            Some((start, end)) => {
                let name = text.get(start..end).unwrap_or_default();
                let name = name_hash(name);
                (mixed(path, name), mixed(START, name), (start as u32, end as u32))
            }
            // An array's elements are under the name of the array.
            None if self.levels.is_empty() => (path, path, (0, 0)),
            None => {
                let (name, key) = self.levels.last().map_or((self.root, (0, 0)), |level| (level.name, level.key));
                (hash(path, b"*"), name, key)
            }
        }
    }

    /// A new value at the top, or in an array at the top, is another document.
    fn begins_value(&mut self) {
        let top = self.levels.is_empty()
            || (self.levels.len() == 1 && self.levels.first().is_some_and(|level| !level.object));
        if top && self.deep == 0 {
            self.pieces.documents += 1;
        }
    }

    /// A name with its colon, or a value. Where to go on.
    fn string(&mut self, text: &[u8], start: usize, end: usize) -> usize {
        let in_object = self.levels.last().is_some_and(|level| level.object) && self.deep == 0;
        if in_object && self.key.is_none() {
            let after = text.get(end + 1..).unwrap_or_default();
            let gap = after.iter().take_while(|byte| is_gap(**byte)).count();
            if after.get(gap) == Some(&b':') {
                self.key = Some((start, end));
                return after_space(text, end + 1 + gap + 1);
            }
        }
        self.begins_value();
        let child = self.child(text);
        self.text(text, start, end, Written::String, child);
        let inner = text.get(start..end).unwrap_or_default();
        if inner.len() <= SCALAR_LENGTH {
            self.scalar(inner, child.0);
        }
        self.key = None;
        end + 1
    }

    fn text(&mut self, text: &[u8], start: usize, end: usize, written: Written, child: Child) {
        let (path, name, key) = child;
        let path = if written == Written::Bytes { hash(path, b"[]") } else { path };
        let level = self.levels.last();
        let piece = Piece {
            path,
            name,
            start: start as u32,
            end: end as u32,
            key,
            owner: level.map_or(NONE, |level| level.owner),
            index: level.filter(|level| !level.object).map_or(NONE, |level| level.index),
            document: self.pieces.documents,
            written,
            signs: match written {
                Written::Bytes => (true, true),
                _ => signs(text.get(start..end).unwrap_or_default(), self.pieces.masked),
            },
        };
        if start < end {
            self.pieces.push(piece);
        }
    }

    fn scalar(&mut self, value: &[u8], key: u64) {
        let Some(level) = self.levels.last().filter(|level| level.object && self.key.is_some()) else { return };
        let owner = level.owner;
        let before = match self.pieces.owners.get_mut(owner as usize) {
            Some(owner) if owner.count < SCALARS => {
                owner.count += 1;
                std::mem::replace(&mut owner.last, self.pieces.scalars.len() as u32)
            }
            _ => return,
        };
        self.pieces.scalars.push(Scalar { before, key, value: hash(START, value) });
    }

    fn number(&mut self, text: &[u8], at: usize) -> usize {
        let rest = text.get(at..).unwrap_or_default();
        let is_number = |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let length = rest.iter().take_while(is_number).count();
        let number = rest.get(..length).unwrap_or_default();
        self.begins_value();
        // Fractions are measures.
        if number.len() < 20 && number.iter().all(u8::is_ascii_digit) {
            let (path, _, _) = self.child(text);
            self.scalar(number, path);
        }
        self.key = None;
        at + length
    }

    fn open(&mut self, text: &[u8], object: bool, at: usize) -> usize {
        if self.levels.len() >= DEPTH {
            self.deep += 1;
            self.key = None;
            return at + 1;
        }
        let child = self.child(text);
        let (path, name, key) = child;
        self.begins_value();
        if !object && let Some(end) = bytes_end(text, at + 1) {
            self.text(text, at + 1, end, Written::Bytes, child);
            self.key = None;
            return end + 1;
        }
        let (parent, array, index) = self
            .levels
            .last()
            .map_or((NONE, 0, 0), |level| (level.owner, if level.object { 0 } else { level.path }, level.index));
        let owner = if object {
            self.pieces.owners.push(Owner { parent, array, index, last: NONE, count: 0 });
            self.pieces.owners.len() as u32 - 1
        } else {
            parent
        };
        self.levels.push(Level { object, path, owner, name, key, index: 0 });
        self.key = None;
        at + 1
    }

    fn close(&mut self, object: bool) -> bool {
        self.key = None;
        if self.deep > 0 {
            self.deep -= 1;
            return true;
        }
        self.levels.pop().is_some_and(|level| level.object == object)
    }

    fn comma(&mut self) {
        self.key = None;
        if let Some(level) = self.levels.last_mut().filter(|level| !level.object) {
            level.index = level.index.saturating_add(1);
        }
    }
}
