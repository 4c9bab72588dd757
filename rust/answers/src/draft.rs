//! An answer while it is put together: from one JSON body at once, or from the events of a stream, one by one.
//!
//! Invariant: the same as `shadowlane.providers.reading.draft`. Where a reader is not certain it calls
//! [`Draft::give_up`], and then there is no answer.

use std::collections::{BTreeMap, HashSet};

use super::answer::{Answer, Call, Citation};
use super::canonical::canonical;
use super::json::Value;
use super::parse::parse;
use super::thinking::{may_think, without_thinking};
use super::usage::{UsageNames, set};
use super::words::is_blank;

/// A block's number holds its message above this bit: blocks of one message join seamlessly, messages do not.
pub const MESSAGE_SHIFT: u32 = 16;

/// Position of a choice, block, message or call; 2^53 shifted by a message still fits.
pub type Number = u128;

#[derive(Default)]
struct Block {
    text: String,
    is_text: bool,
}

/// What has been read so far.
pub struct Draft<'n> {
    pub(super) names: &'n UsageNames,
    pub kind: &'static str,
    pub model: String,
    pub model_rev: String,
    pub index_hash: String,
    pub refusal: bool,
    /// The provider's own end mark was seen.
    pub ended: bool,
    /// How many events of a stream have been read.
    pub events: Number,
    pub usage: Vec<(&'static str, u64)>,
    pub(super) cached: Vec<(&'static str, u64)>,
    notes: Vec<String>,
    incomplete: &'static str,
    blocks: BTreeMap<(Number, Number), Block>,
    calls: BTreeMap<Vec<Number>, Call>,
    open_calls: BTreeMap<(Number, Option<Number>), Vec<Number>>,
    finish: BTreeMap<Number, String>,
    citations: Vec<Citation>,
    cited: HashSet<String>,
    unsure: bool,
}

impl<'n> Draft<'n> {
    pub fn new(names: &'n UsageNames) -> Self {
        Self {
            names,
            kind: "",
            model: String::new(),
            model_rev: String::new(),
            index_hash: String::new(),
            refusal: false,
            ended: false,
            events: 0,
            usage: Vec::new(),
            cached: Vec::new(),
            notes: Vec::new(),
            incomplete: "",
            blocks: BTreeMap::new(),
            calls: BTreeMap::new(),
            open_calls: BTreeMap::new(),
            finish: BTreeMap::new(),
            citations: Vec::new(),
            cited: HashSet::new(),
            unsure: false,
        }
    }

    /// This body is left to a reader that knows more.
    pub fn give_up(&mut self) {
        self.unsure = true;
    }

    /// Whether there will be no answer.
    pub fn given_up(&self) -> bool {
        self.unsure
    }

    /// Adds a piece of visible text to a block of a choice.
    pub fn add_text(&mut self, piece: &str, choice: Number, block: Number) {
        let found = self.blocks.entry((choice, block)).or_default();
        found.is_text = true;
        found.text.push_str(piece);
    }

    /// Sets a block's whole text, when an event repeats what its pieces already said.
    pub fn replace(&mut self, text: &str, choice: Number, block: Number) {
        let found = self.blocks.entry((choice, block)).or_default();
        found.is_text = true;
        found.text.clear();
        found.text.push_str(text);
    }

    /// Marks where a block stands that is not visible text.
    pub fn skip_block(&mut self, choice: Number, block: Number) {
        self.blocks.entry((choice, block)).or_default();
    }

    /// Forgets text, calls and citations: a last event repeats the whole answer.
    pub fn restart(&mut self) {
        self.blocks.clear();
        self.calls.clear();
        self.open_calls.clear();
        self.citations.clear();
        self.cited.clear();
        self.finish.clear();
    }

    /// Adds to a tool call. `arguments` is a piece of JSON text, or a value.
    pub fn add_call(&mut self, key: &[Number], id: &str, name: &str, arguments: Option<&Value<'_>>) {
        let text = match arguments {
            None | Some(Value::Null) => None,
            Some(Value::Text(text)) => Some(text.as_ref().to_owned()),
            Some(value) => canonical(value).or_else(|| {
                self.unsure = true;
                None
            }),
        };
        self.add_call_text(key, id, name, text.as_deref().unwrap_or_default());
    }

    /// The same with a piece of JSON text.
    pub fn add_call_text(&mut self, key: &[Number], id: &str, name: &str, arguments: &str) {
        if !self.calls.contains_key(key) {
            self.calls.insert(key.to_vec(), Call::default());
        }
        let Some(call) = self.calls.get_mut(key) else { return };
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        call.arguments.push_str(arguments);
    }

    /// Adds to the tool call of a choice that the index means, or begins one.
    pub fn add_tool_call(
        &mut self,
        choice: Number,
        index: Option<Number>,
        id: &str,
        name: &str,
        arguments: Option<&Value<'_>>,
    ) {
        let open = self.open_calls.get(&(choice, index)).filter(|key| self.calls.contains_key(*key)).cloned();
        let key = match open {
            Some(key) if !self.begins_another(&key, id, name) => key,
            _ => {
                let next = self.calls();
                let mut key = vec![choice, index.unwrap_or(next)];
                if self.calls.contains_key(&key) {
                    key.push(next);
                }
                self.open_calls.insert((choice, index), key.clone());
                key
            }
        };
        self.add_call(&key, id, name, arguments);
    }

    fn begins_another(&mut self, key: &[Number], id: &str, name: &str) -> bool {
        let Some(call) = self.calls.get(key) else { return true };
        if name.is_empty() || call.name.is_empty() {
            return false;
        }
        if !id.is_empty() && !call.id.is_empty() {
            return id != call.id;
        }
        if call.arguments.is_empty() {
            return false;
        }
        if parse(&call.arguments).is_none() {
            self.unsure = true; // a parser that takes more may find them complete
        }
        true
    }

    /// Sets a call's whole arguments, when an event repeats what its pieces already said.
    pub fn set_arguments(&mut self, key: &[Number], arguments: &str) {
        arguments.clone_into(&mut self.calls.entry(key.to_vec()).or_default().arguments);
    }

    /// How many tool calls there are so far: the next free key.
    pub fn calls(&self) -> Number {
        self.calls.len() as Number
    }

    /// Whether a tool call was begun under this key.
    pub fn has_call(&self, key: &[Number]) -> bool {
        self.calls.contains_key(key)
    }

    /// Adds a citation; one that is there already (streams repeat them) is kept once.
    pub fn cite(&mut self, citation: Citation) {
        if self.cited.insert(format!("{citation:?}")) {
            self.citations.push(citation);
        }
    }

    /// Notes why a choice ended; anything but a non-empty string is no end.
    pub fn finish(&mut self, reason: Option<&Value<'_>>, choice: Number) {
        self.finish_text(reason.and_then(Value::text).unwrap_or_default(), choice);
    }

    /// The same with a text.
    pub fn finish_text(&mut self, reason: &str, choice: Number) {
        if !reason.is_empty() {
            self.finish.insert(choice, reason.to_owned());
        }
    }

    /// Whether every choice that was begun has a finish reason, and there is one.
    pub fn all_finished(&self) -> bool {
        let mut begun =
            self.blocks.keys().map(|(choice, _)| choice).chain(self.calls.keys().filter_map(|key| key.first()));
        !self.finish.is_empty() && begun.all(|choice| self.finish.contains_key(choice))
    }

    /// Whether any block holds text that is surely no reasoning.
    pub fn says_something(&self) -> bool {
        self.blocks.values().any(|block| !block.text.is_empty() && !may_think(&block.text))
    }

    /// Adds a reason why the text is empty or not whole; said once.
    pub fn note(&mut self, text: &str) {
        if !text.is_empty() && !self.notes.iter().any(|note| note == text) {
            self.notes.push(text.to_owned());
        }
    }

    /// Notes that the answer would have gone on.
    pub fn note_cut(&mut self, text: &str) {
        if self.incomplete.is_empty() {
            self.incomplete = "cut";
        }
        self.note(text);
    }

    /// Marks an answer that did not go on after an error.
    pub fn set_broken(&mut self) {
        self.incomplete = "error";
    }

    /// Notes an error after which the answer did not go on.
    pub fn note_broken(&mut self, text: &str) {
        self.set_broken();
        self.note(format!("error in mid-stream: {text}").trim_end_matches([':', ' ']));
    }

    /// The visible text: adjoining blocks joined as they are, others by a blank line, choices by a blank line.
    fn text(&mut self) -> String {
        let mut choices: Vec<String> = Vec::new();
        let mut parts: Vec<String> = Vec::new();
        let (mut choice_now, mut message_now) = (None, None);
        for ((choice, position), block) in std::mem::take(&mut self.blocks) {
            if choice_now != Some(choice) {
                choices.push(joined(std::mem::take(&mut parts)));
                (choice_now, message_now) = (Some(choice), None);
            }
            let message = position >> MESSAGE_SHIFT;
            match parts.last_mut() {
                _ if !block.is_text => message_now = None,
                Some(last) if message_now == Some(message) => last.push_str(&block.text),
                _ => {
                    parts.push(block.text);
                    message_now = Some(message);
                }
            }
        }
        choices.push(joined(parts));
        let answers: Option<Vec<String>> = choices.into_iter().map(without_thinking).collect();
        self.unsure |= answers.is_none();
        joined(answers.unwrap_or_default())
    }

    /// The answer as far as it was read; none when it is left to another reader. An empty one always says why.
    pub fn answer(mut self) -> Option<Answer> {
        let text = self.text();
        let mut seen = HashSet::new();
        let reasons: Vec<&str> =
            self.finish.values().map(String::as_str).filter(|reason| seen.insert(*reason)).collect();
        let finish_reason = reasons.join(",");
        if is_blank(&text) && self.calls.is_empty() && self.notes.is_empty() {
            let note = if finish_reason.is_empty() {
                "the answer holds no text".to_owned()
            } else {
                self.unsure |=
                    !finish_reason.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\'' && byte != b'\\');
                format!("the answer holds no text (finish reason '{finish_reason}')")
            };
            self.note(&note);
        }
        if self.unsure {
            return None;
        }
        let count = |name| self.usage.iter().find(|(own, _)| *own == name).map(|(_, count)| *count);
        if let (None, Some(input), Some(output)) =
            (count("total_tokens"), count("input_tokens"), count("output_tokens"))
        {
            set(&mut self.usage, "total_tokens", input + output);
        }
        if self.index_hash.is_empty() {
            let mut hashes = self.citations.iter().map(|citation| &citation.index_hash).filter(|hash| !hash.is_empty());
            if let Some(first) = hashes.next()
                && hashes.all(|hash| hash == first)
            {
                self.index_hash.clone_from(first);
            }
        }
        Some(Answer {
            text,
            citations: self.citations,
            calls: self.calls.into_values().collect(),
            finish_reason,
            usage: self.usage,
            cached: self.cached,
            refusal: self.refusal,
            model: self.model,
            model_rev: self.model_rev,
            index_hash: self.index_hash,
            kind: self.kind,
            incomplete: self.incomplete,
            note: self.notes.join("; "),
        })
    }
}

/// What is not empty, with blank lines between.
fn joined(mut parts: Vec<String>) -> String {
    parts.retain(|part| !part.is_empty());
    if parts.len() == 1 { parts.remove(0) } else { parts.join("\n\n") }
}
