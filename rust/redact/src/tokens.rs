//! Where a text is masked, what says it once more in tokens is masked too: log probabilities with their alternatives, and
//! the identifiers of tokens.
//!
//! Invariants: structure stays. A string becomes empty, an integer 0, a name that is a token its number. A name that other
//! things have too (`ids`, `context`, `token`) is a token list's only where a member beside it, or in it, proves that.

use super::edits::Edits;
use super::findings::Findings;
use super::json_ends::string_end;

/// What holds tokens as text, with what else was likely. Names are compared without case and signs.
const LISTS: &[&[u8]] = &[
    b"logprobs",
    b"toplogprobs",
    b"promptlogprobs",
    b"logprobsresult",
    b"topcandidates",
    b"chosencandidates",
    b"completionprobabilities",
    b"decoderinputdetails",
    b"toptokens",
];
/// The same, where their objects have log probabilities.
const LISTS_IF: &[&[u8]] = &[b"prefill", b"token"];
/// Lists of the numbers of tokens.
const NUMBERS: &[&[u8]] = &[
    b"tokens",
    b"tokenids",
    b"tokensids",
    b"inputids",
    b"outputids",
    b"prompttokenids",
    b"completiontokenids",
    b"outputtokenids",
    b"inputtokenids",
    b"generatedids",
    b"generatedtokenids",
];
/// The same, beside what proves it.
const NUMBERS_IF: &[&[u8]] = &[b"sequences", b"context", b"ids"];
/// Counts that servers write beside the numbers of a conversation's tokens (Ollama's `context`).
const COUNTS: &[&[u8]] = &[b"evalcount", b"promptevalcount"];
/// Names of numbers beside a token; any other name of a number is a token itself.
const NAMED: &[&[u8]] = &[
    b"logprob",
    b"logprobability",
    b"prob",
    b"probability",
    b"rank",
    b"id",
    b"tokenid",
    b"index",
    b"position",
    b"score",
    b"start",
    b"end",
    b"offset",
    b"textoffset",
];
/// Longest of the names.
const NAME: usize = 32;
/// What the findings call a list that is emptied.
const KIND: &str = "token_list";

/// A body with its token lists emptied, and how many of them; `None` when there are none.
pub(super) fn emptied(body: &[u8], findings: &mut Findings) -> Option<Vec<u8>> {
    let outline = Outline::of(body);
    let mut edits = Edits::default();
    let mut free = 0;
    for list in &outline.lists {
        if list.value < free {
            continue;
        }
        let before = edits.len();
        match list.holds {
            Holds::Texts => free = empty_all(body, list.value, true, &mut edits),
            Holds::PerhapsTexts if outline.has_log_probabilities(body, list) => {
                free = empty_all(body, list.value, false, &mut edits);
            }
            Holds::Numbers => free = empty_numbers(body, list.value, &mut edits),
            Holds::PerhapsNumbers if outline.are_tokens(body, list) => {
                free = empty_numbers(body, list.value, &mut edits);
            }
            Holds::PerhapsTexts | Holds::PerhapsNumbers => {}
        }
        if edits.len() > before {
            findings.add(KIND);
        }
    }
    (edits.len() > 0).then(|| edits.applied(body))
}

#[derive(Clone, Copy)]
enum Holds {
    Texts,
    PerhapsTexts,
    Numbers,
    PerhapsNumbers,
}

/// A member whose value may be a list of tokens.
struct List {
    holds: Holds,
    value: usize,
    /// The object that it is a member of.
    object: Option<usize>,
}

/// An object, and what of its own members proves that lists beside them are tokens.
struct Object {
    at: usize,
    /// It has log probabilities, or a member for one: a text's first token has none.
    log_probabilities: bool,
    log_probability: bool,
    counts: bool,
    /// How long its lists of the tokens' texts are.
    tokens: Option<usize>,
    text: Option<usize>,
}

/// The lists of a body in their order, and the objects around them.
struct Outline {
    lists: Vec<List>,
    objects: Vec<Object>,
}

impl Outline {
    fn of(body: &[u8]) -> Self {
        let mut outline = Self { lists: Vec::new(), objects: Vec::new() };
        // Of an array: `None`.
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut at = 0;
        while let Some(byte) = body.get(at) {
            at = match byte {
                b'"' => {
                    let end = string_end(body, at + 1);
                    let value = skip(body, end + 1);
                    if body.get(value) == Some(&b':') {
                        let object = open.last().copied().flatten();
                        outline.member(body, body.get(at + 1..end).unwrap_or_default(), skip(body, value + 1), object);
                    }
                    end + 1
                }
                b'{' => {
                    open.push(Some(outline.objects.len()));
                    outline.objects.push(Object {
                        at,
                        log_probabilities: false,
                        log_probability: false,
                        counts: false,
                        tokens: None,
                        text: None,
                    });
                    at + 1
                }
                b'[' => {
                    open.push(None);
                    at + 1
                }
                b'}' | b']' => {
                    open.pop();
                    at + 1
                }
                _ => at + 1,
            };
        }
        outline
    }

    fn member(&mut self, body: &[u8], name: &[u8], value: usize, object: Option<usize>) {
        let Some(name) = plain(name) else { return };
        let name = name.as_slice();
        let opens = matches!(body.get(value), Some(b'{' | b'['));
        let holds = match () {
            () if LISTS.contains(&name) => Some(Holds::Texts),
            () if LISTS_IF.contains(&name) => Some(Holds::PerhapsTexts),
            // Tokens with their texts stand under the same names.
            () if NUMBERS.contains(&name) && holds_objects(body, value) => Some(Holds::PerhapsTexts),
            () if NUMBERS.contains(&name) => Some(Holds::Numbers),
            () if NUMBERS_IF.contains(&name) => Some(Holds::PerhapsNumbers),
            () => None,
        };
        if let Some(holds) = holds.filter(|_| opens) {
            self.lists.push(List { holds, value, object });
        }
        let Some(object) = object.and_then(|index| self.objects.get_mut(index)) else { return };
        let said = !matches!(body.get(value), None | Some(b'n' | b'f' | b't'));
        let log_probability = memchr::memmem::find(name, b"logprob").is_some();
        object.log_probabilities |= said && log_probability;
        object.log_probability |= log_probability;
        object.counts |= COUNTS.contains(&name);
        match name {
            b"tokens" if opens => object.tokens = length(body, value),
            b"text" if opens => object.text = length(body, value),
            _ => {}
        }
    }

    fn beside(&self, list: &List) -> Option<&Object> {
        list.object.and_then(|index| self.objects.get(index))
    }

    /// Whether log probabilities stand beside a list, or in it: in the object that it is, or in the first of its objects.
    fn has_log_probabilities(&self, body: &[u8], list: &List) -> bool {
        let first = if body.get(list.value) == Some(&b'[') { skip(body, list.value + 1) } else { list.value };
        let within = self.objects.binary_search_by_key(&first, |object| object.at).ok();
        let within = within.and_then(|index| self.objects.get(index)).is_some_and(|object| object.log_probability);
        within || self.beside(list).is_some_and(|object| object.log_probabilities)
    }

    /// Whether numbers are tokens': log probabilities, a text for each, or a count of them stand beside.
    fn are_tokens(&self, body: &[u8], list: &List) -> bool {
        let Some(beside) = self.beside(list) else { return false };
        beside.log_probabilities || beside.counts || {
            let count = length(body, list.value);
            count.is_some() && (beside.tokens == count || beside.text == count)
        }
    }
}

/// Whether a list of objects begins at `from`.
fn holds_objects(body: &[u8], from: usize) -> bool {
    body.get(from) == Some(&b'[') && body.get(skip(body, from + 1)) == Some(&b'{')
}

/// How many elements a list of strings or of numbers has; `None` when it holds anything else.
fn length(body: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut count) = (skip(body, from + 1), 0);
    while let Some(byte) = body.get(at) {
        at = match byte {
            b']' => return Some(count),
            b'"' => string_end(body, at + 1) + 1,
            b'-' | b'0'..=b'9' => {
                let number = body.get(at..).unwrap_or_default();
                at + number
                    .iter()
                    .take_while(|byte| !matches!(byte, b',' | b']') && !byte.is_ascii_whitespace())
                    .count()
            }
            _ => return None,
        };
        count += 1;
        at = skip(body, at);
        if body.get(at) == Some(&b',') {
            at = skip(body, at + 1);
        }
    }
    None
}

fn skip(body: &[u8], at: usize) -> usize {
    at + body.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// A name without case and signs.
fn plain(name: &[u8]) -> Option<Vec<u8>> {
    (name.len() <= NAME)
        .then(|| name.iter().filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).collect())
}

/// Empty strings and integers of the object or array that begins at `from`; its end. `rename`: names may be tokens.
fn empty_all(body: &[u8], from: usize, rename: bool, edits: &mut Edits) -> usize {
    let (mut at, mut depth, mut renamed) = (from, 0_usize, 0_usize);
    while let Some(byte) = body.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b'"' => {
                let end = string_end(body, at + 1);
                let colon = skip(body, end + 1);
                if body.get(colon) != Some(&b':') {
                    remove(at + 1, end, edits);
                } else if rename && is_token(body, at + 1, end, colon) {
                    let number = renamed.to_string().into_bytes();
                    if body.get(at + 1..end) != Some(number.as_slice()) {
                        edits.push(at + 1..end, |out| out.extend_from_slice(&number));
                    }
                    renamed += 1;
                }
                at = end;
            }
            b'0'..=b'9' | b'-' => {
                at = number(body, at, edits);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    body.len()
}

fn remove(from: usize, to: usize, edits: &mut Edits) {
    if from < to {
        edits.push(from..to, |_| {});
    }
}

/// A name is a token where its value is a number that no known name has, or where it is a token's number.
fn is_token(body: &[u8], from: usize, to: usize, colon: usize) -> bool {
    let name = body.get(from..to).unwrap_or_default();
    let value = body.get(skip(body, colon + 1));
    let of_number = value.is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    let known = plain(name).is_some_and(|name| NAMED.contains(&name.as_slice()));
    (of_number && !known) || (!name.is_empty() && name.iter().all(u8::is_ascii_digit))
}

/// An integer becomes 0; a fraction is a probability. Where it ends.
fn number(body: &[u8], at: usize, edits: &mut Edits) -> usize {
    let rest = body.get(at..).unwrap_or_default();
    let length = rest.iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
    let whole = rest.get(..length).unwrap_or_default().iter().all(u8::is_ascii_digit);
    if whole && rest.get(..length) != Some(b"0") {
        edits.push(at..at + length, |out| out.push(b'0'));
    }
    at + length.max(1)
}

/// Empty a list, or lists in a list, of integers and nothing else; where to go on.
fn empty_numbers(body: &[u8], from: usize, edits: &mut Edits) -> usize {
    let before = edits.len();
    let (mut at, mut depth) = (from, 0_usize);
    while let Some(byte) = body.get(at) {
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b'0'..=b'9' => {
                at = number(body, at, edits);
                continue;
            }
            b',' => {}
            byte if byte.is_ascii_whitespace() => {}
            _ => break,
        }
        at += 1;
    }
    edits.truncate(before);
    from
}
