//! Sanitizing JSON (RFC 8259) without parsing it into a tree: strings and numbers are looked at where they stand.
//!
//! Invariants: every byte outside a replacement is kept, so the result is JSON when the input was; depth costs memory
//! and not stack; a name that comes twice counts twice. `NaN` and `Infinity` are let through, since servers write them.

use std::borrow::Cow;

use super::edits::Edits;
use super::escapes::{self, Positions};
use super::findings::Findings;
use super::json_ends::{after_space, closing_quote};
use super::kinds::Kind;
use super::known_names::{self, Known};
use super::label::{self, Action, Format};
use super::names::{self, Name};
use super::options::Compiled;
use super::paths::{Child, Field, State};
use super::peek::{self, Objects};
use super::text::Origin;
use super::values;

/// How a body is to be read.
#[derive(Clone, Copy, Default)]
pub(super) struct Reading {
    /// It may end anywhere.
    pub cut: bool,
    /// Several values may follow each other.
    pub many: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Done,
}

/// What an object or array stands under.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Under {
    Plain,
    /// A secret name: all in it is secret.
    Secret,
    /// A secret name, whose value it describes: what is no keyword of a schema is secret.
    Schema,
}

/// An object or array that is open.
#[derive(Clone, Copy)]
struct Level {
    object: bool,
    /// Where it opens.
    open: usize,
    /// Steps of field rules that may come next below it.
    state: State,
    index: u32,
    /// The rule that it falls under itself: it holds for all that is in it.
    field: Option<Field>,
    under: Under,
    /// What an array's name says of its elements.
    says: Name,
    /// Name of the field that it stands in.
    name: (usize, usize),
    /// End of the last member that stays, or of the opening bracket; and whether there is such a member.
    after: usize,
    has_member: bool,
    /// The comma after a first member that was dropped goes too: which edit takes it.
    eat: Option<usize>,
}

/// What a member is under.
#[derive(Clone, Copy, Default)]
struct Member {
    state: State,
    field: Option<Field>,
    secret: bool,
    /// What its name says of a value that is no secret for certain.
    says: Name,
    name: (usize, usize),
    /// Edits before it.
    mark: usize,
}

struct Walk<'a> {
    redaction: &'a Compiled,
    text: &'a [u8],
    reading: Reading,
    nesting: u8,
    levels: Vec<Level>,
    member: Member,
    /// What the members of the levels above are under, for when a level closes.
    members: Vec<Member>,
    /// What the objects say of themselves.
    objects: Objects,
    edits: Edits,
    /// The kind of each value found, and counted if all is JSON.
    counted: &'a mut Vec<Kind>,
}

/// JSON in a string in JSON, so many times. Each level doubles the backslashes, so honest bodies have two or three.
const NESTED_MOST: u8 = 8;

/// Whether a field of this name holds what a person wrote: there a value that stands alone speaks for itself.
pub(super) fn is_prose(name: &[u8]) -> bool {
    let mut lower = [0_u8; 12];
    let Some(lower) = lower.get_mut(..name.len()) else { return false };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"content"
            | b"text"
            | b"input"
            | b"prompt"
            | b"query"
            | b"q"
            | b"message"
            | b"value"
            | b"answer"
            | b"question"
            | b"output"
            | b"body"
            | b"msg"
            | b"system"
            | b"delta"
            | b"note"
            | b"comment"
            | b"description"
            | b"response"
    )
}

/// The replacements that a JSON text needs, in order; `None` when it is not JSON, and then nothing is counted.
pub(super) fn edits(redaction: &Compiled, text: &[u8], reading: Reading, findings: &mut Findings) -> Option<Edits> {
    let (edits, counted) = counted(redaction, text, reading)?;
    redaction.count(counted, findings);
    Some(edits)
}

/// The same, with the kind of each value that is found.
pub(super) fn counted(redaction: &Compiled, text: &[u8], reading: Reading) -> Option<(Edits, Vec<Kind>)> {
    let mut counted = Vec::new();
    let edits = nested(redaction, text, reading, 0, &mut counted)?;
    Some((edits, counted))
}

fn nested(redaction: &Compiled, text: &[u8], reading: Reading, nesting: u8, counted: &mut Vec<Kind>) -> Option<Edits> {
    let before = counted.len();
    let mut walk = Walk {
        redaction,
        text,
        reading,
        nesting,
        levels: Vec::new(),
        member: Member { state: redaction.paths.root(), ..Member::default() },
        members: Vec::new(),
        objects: Objects::default(),
        edits: Edits::default(),
        counted,
    };
    if walk.run().is_none() {
        walk.counted.truncate(before);
        return None;
    }
    Some(walk.edits)
}

impl Walk<'_> {
    fn run(&mut self) -> Option<()> {
        let mut expect = Expect::Value;
        // A byte order mark is allowed before (RFC 8259 §8.1).
        let mut at = if self.text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut begun = false;
        while let Some(byte) = self.text.get(at) {
            if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                at += 1;
                continue;
            }
            if expect == Expect::Done {
                if !self.reading.many {
                    return None;
                }
                expect = Expect::Value;
            }
            begun = true;
            (at, expect) = match (byte, expect) {
                (b'"', Expect::Key | Expect::KeyOrEnd) => match self.key(at)? {
                    colon if self.text.get(colon) == Some(&b':') => (after_space(self.text, colon + 1), Expect::Value),
                    next => (next, Expect::Colon),
                },
                (b':', Expect::Colon) => (at + 1, Expect::Value),
                (b',', Expect::CommaOrEnd) => (after_space(self.text, at + 1), self.comma(at)?),
                (b'}' | b']', Expect::CommaOrEnd | Expect::KeyOrEnd | Expect::ValueOrEnd) => {
                    self.close(*byte, at, expect)?;
                    (at + 1, self.after_value())
                }
                (_, Expect::Value | Expect::ValueOrEnd) => self.value(*byte, at)?,
                _ => return None,
            };
        }
        let whole = expect == Expect::Done && self.levels.is_empty();
        (begun && (whole || self.reading.cut)).then_some(())
    }

    fn after_value(&self) -> Expect {
        if self.levels.is_empty() { Expect::Done } else { Expect::CommaOrEnd }
    }

    /// A name: scanned like a text, and what it says of its value.
    fn key(&mut self, at: usize) -> Option<usize> {
        let level = self.levels.last()?;
        let (open, under, within_field, level_state) = (level.open, level.under, level.field, level.state);
        let (end, next, escaped) = self.string_end(at)?;
        let mark = self.edits.len();
        let inner = self.text.get(at + 1..end)?;
        let seen = if escaped { None } else { known_names::get(self.redaction.id, inner) };
        let (written, known, clean) = match seen {
            Some(known) => (Cow::Borrowed(inner), known, true),
            None => self.new_name(at + 1, inner, escaped)?,
        };
        let paths = &self.redaction.paths;
        let (state, field) = if paths.is_empty() {
            (0, None)
        } else {
            paths.step(level_state, Child::Name(std::str::from_utf8(&written).unwrap_or_default()))
        };
        // A name that will hold a label does not say what the label says: its words say the same before and after.
        let spoken = if clean { (at + 1, end) } else { (0, 0) };
        // A value's secret may be named by a member beside it.
        let says = if known.of_pair { self.objects.pair(self.text, open) } else { known.says };
        let within = match under {
            Under::Plain => false,
            Under::Secret => true,
            Under::Schema => !peek::is_keyword(&written),
        };
        let secret = within || known.listed || matches!(says, Name::Password | Name::Header);
        self.member = Member { state, field: within_field.or(field), secret, says, name: spoken, mark };
        Some(next)
    }

    /// A name that is not known, looked at: its value, what it says, and whether nothing was found in it. Of one that
    /// holds a label, or is no text, nothing is left.
    fn new_name<'t>(&mut self, start: usize, inner: &'t [u8], escaped: bool) -> Option<(Cow<'t, [u8]>, Known, bool)> {
        let value = if escaped { escapes::unescape(inner, self.reading.cut)? } else { inner.into() };
        let clean = self.scan(start, inner, &value, Origin::default());
        // A name that holds a label does not say what the label says.
        let right = std::str::from_utf8(&value).is_ok() && label::first_mask(&value).is_none();
        let value = if right { value } else { Cow::default() };
        let says = names::says(&value);
        let known = Known {
            // A signature of what is in the body is part of what is asked; a session is what the caller calls it.
            says: match says {
                Name::Token | Name::Key if names::is_of_the_body(&value) => Name::Plain,
                says => says,
            },
            listed: self.redaction.paths.is_listed(std::str::from_utf8(&value).unwrap_or_default()),
            of_pair: says == Name::Plain && names::values_a_pair(&value),
        };
        if clean && right && !escaped {
            known_names::keep(self.redaction.id, inner, known);
        }
        Some((value, known, clean))
    }

    fn comma(&mut self, at: usize) -> Option<Expect> {
        let level = self.levels.last_mut()?;
        if let Some(edit) = level.eat.take().and_then(|edit| self.edits.get_mut(edit)) {
            edit.range.end = at + 1;
            level.after = at + 1;
        }
        if level.object {
            return Some(Expect::Key);
        }
        level.index = level.index.saturating_add(1);
        self.element();
        Some(Expect::Value)
    }

    /// What the next element of the array is under.
    fn element(&mut self) {
        let Some(level) = self.levels.last() else { return };
        let paths = &self.redaction.paths;
        let (state, field) =
            if paths.is_empty() { (0, None) } else { paths.step(level.state, Child::Index(level.index)) };
        self.member = Member {
            state,
            field: level.field.or(field),
            secret: level.under == Under::Secret,
            says: level.says,
            name: level.name,
            mark: self.edits.len(),
        };
    }

    fn value(&mut self, byte: u8, at: usize) -> Option<(usize, Expect)> {
        if matches!(byte, b'{' | b'[') {
            let member = self.member;
            let object = byte == b'{';
            let under = match member.secret {
                false => Under::Plain,
                true if object && self.objects.is_schema(self.text, at) => Under::Schema,
                true => Under::Secret,
            };
            self.members.push(member);
            self.levels.push(Level {
                object,
                open: at,
                state: member.state,
                index: 0,
                field: member.field,
                under,
                says: if object { Name::Plain } else { member.says },
                name: member.name,
                after: at + 1,
                has_member: false,
                eat: None,
            });
            if object {
                return Some((at + 1, Expect::KeyOrEnd));
            }
            self.element();
            return Some((at + 1, Expect::ValueOrEnd));
        }
        let next = match byte {
            b'"' => {
                let (end, next, escaped) = self.string_end(at)?;
                self.string(at + 1, end, escaped)?;
                next
            }
            b'-' | b'0'..=b'9' => self.number(at)?,
            _ => self.word(at)?,
        };
        self.leave(next);
        Some((next, self.after_value()))
    }

    fn close(&mut self, byte: u8, at: usize, expect: Expect) -> Option<()> {
        let level = self.levels.pop()?;
        let right = match expect {
            Expect::KeyOrEnd => level.object,
            Expect::ValueOrEnd => !level.object,
            _ => true,
        };
        if level.object != (byte == b'}') || !right {
            return None;
        }
        self.member = self.members.pop()?;
        self.leave(at + 1);
        Some(())
    }

    /// A member ends: it stays, or its rule drops it with its name and one comma.
    fn leave(&mut self, end: usize) {
        let member = self.member;
        let Some(level) = self.levels.last_mut() else { return };
        let Some(field) = member.field.filter(|field| field.action == Action::Drop && level.field.is_none()) else {
            level.has_member = true;
            level.after = end;
            return;
        };
        self.edits.truncate(member.mark);
        // Two that follow each other are one range.
        match self.edits.last_mut() {
            Some(last) if !level.has_member && last.range.end == level.after && last.removes() => last.range.end = end,
            Some(last) if level.has_member && last.range.start == level.after => last.range.end = end,
            _ => self.edits.push(level.after..end, |_| {}),
        }
        if !level.has_member {
            level.eat = Some(self.edits.len() - 1);
        }
        self.counted.push(field.kind);
    }

    /// End of the text within the quotes, where to go on, and whether there are escapes.
    fn string_end(&self, open: usize) -> Option<(usize, usize, bool)> {
        if let Some((quote, escaped)) = closing_quote(self.text, open + 1) {
            return Some((quote, quote + 1, escaped));
        }
        let escaped = || memchr::memchr(b'\\', self.text.get(open..).unwrap_or_default()).is_some();
        self.reading.cut.then(|| (self.text.len(), self.text.len(), escaped()))
    }

    /// The rule of a value, unless it drops the value or there is none.
    fn field(&self) -> Option<Field> {
        self.member.field.filter(|field| field.action != Action::Drop)
    }

    fn string(&mut self, start: usize, end: usize, escaped: bool) -> Option<()> {
        let inner = self.text.get(start..end)?;
        let value = if escaped { escapes::unescape(inner, self.reading.cut)? } else { inner.into() };
        let name = self.text.get(self.member.name.0..self.member.name.1).unwrap_or_default();
        let secret = Field { action: Action::Mask, kind: Kind::SECRET };
        if let Some(field) = self.field().or(self.member.secret.then_some(secret)) {
            if !value.is_empty() && !label::is_mask(&value) {
                // A secret's action is its kind's.
                let action = (field.kind != Kind::SECRET).then_some(field.action);
                self.edits.push(start..end, |out| self.redaction.label(field.kind, action, &value, out));
                self.counted.push(field.kind);
            }
            return Some(());
        }
        if values::is_secret(&value, self.member.says) && label::first_mask(&value).is_none() {
            self.edits.push(start..end, |out| self.redaction.label(Kind::SECRET, None, &value, out));
            self.counted.push(Kind::SECRET);
            return Some(());
        }
        // JSON in a string, as tool arguments are.
        let first = value.iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'[')) && value.len() > 2 && self.nesting < NESTED_MOST {
            let reading = Reading::default();
            if let Some(edits) = nested(self.redaction, &value, reading, self.nesting + 1, self.counted) {
                let mut positions = Positions::new(inner);
                for (range, with) in edits.iter() {
                    let range = start + positions.of(range.start)..start + positions.of(range.end);
                    self.edits.push(range, |out| escapes::escape(with, out));
                }
                return Some(());
            }
        }
        let alone = name.is_empty() || is_prose(name);
        self.scan(start, inner, &value, Origin { name, alone });
        Some(())
    }

    /// Find in a string's value, and replace where it is written. Whether there was nothing.
    fn scan(&mut self, start: usize, inner: &[u8], value: &[u8], origin: Origin<'_>) -> bool {
        let (found, edits) = self.redaction.find(value, origin);
        if found.is_empty() {
            return true;
        }
        self.counted.extend(found.iter().map(|finding| finding.kind));
        self.edits.reserve(&edits);
        let mut positions = Positions::new(inner);
        for (range, with) in edits.iter() {
            let range = start + positions.of(range.start)..start + positions.of(range.end);
            self.edits.push(range, |out| out.extend_from_slice(with));
        }
        false
    }

    /// A number: a card or telephone number becomes a string.
    fn number(&mut self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let is_number = |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let length = rest.iter().take_while(is_number).count();
        if rest.starts_with(b"-Infinity") {
            return Some(at + 9);
        }
        let number = rest.get(..length)?;
        let ends_in_a_cut = self.reading.cut && at + length == self.text.len();
        if !(peek::is_number(number) || ends_in_a_cut) {
            return None;
        }
        let replaced = self.scalar(at, number);
        // Fractions are measures: an embedding has thousands of them.
        let whole = number.len() >= 9 && number.iter().all(u8::is_ascii_digit);
        if self.member.field.is_none() && !self.member.secret && !replaced && whole {
            let name = self.text.get(self.member.name.0..self.member.name.1).unwrap_or_default();
            if let [finding] = self.redaction.find(number, Origin { name, alone: false }).0.as_slice()
                && (finding.start, finding.end) == (0, number.len())
            {
                self.quoted(at, number, finding.kind, None);
            }
        }
        Some(at + length)
    }

    /// A number or a truth value under a rule becomes a string. Whether it did.
    fn scalar(&mut self, at: usize, written: &[u8]) -> bool {
        let secret = (self.member.secret || self.member.says == Name::Code)
            && written.len() >= 3
            && written.first().is_some_and(u8::is_ascii_digit);
        let secret = secret.then_some(Field { action: Action::Mask, kind: Kind::SECRET });
        if let Some(field) = self.field().or(secret.filter(|_| self.member.field.is_none())) {
            let action = (field.kind != Kind::SECRET).then_some(field.action);
            self.quoted(at, written, field.kind, action);
            return true;
        }
        false
    }

    /// A label as a string, where there was none; or a number of the same form, which is no finding a second time.
    fn quoted(&mut self, at: usize, written: &[u8], kind: Kind, action: Option<Action>) {
        if self.redaction.format == Format::Same {
            let mut same = Vec::with_capacity(written.len());
            label::write_same(written, &mut same);
            if same == written {
                return;
            }
            self.edits.push(at..at + written.len(), |out| out.extend_from_slice(&same));
        } else {
            self.edits.push(at..at + written.len(), |out| {
                out.push(b'"');
                self.redaction.label(kind, action, written, out);
                out.push(b'"');
            });
        }
        self.counted.push(kind);
    }

    fn word(&mut self, at: usize) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let words: [&[u8]; 5] = [b"true", b"false", b"null", b"NaN", b"Infinity"];
        if let Some(word) = words.iter().find(|word| rest.starts_with(word)) {
            if !matches!(*word, b"null") {
                self.scalar(at, word);
            }
            return Some(at + word.len());
        }
        (self.reading.cut && words.iter().any(|word| word.starts_with(rest))).then_some(self.text.len())
    }
}
