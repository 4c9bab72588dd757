//! What a value measures: the content words around it, in its sentence.
//!
//! Invariants: words of other values say nothing; a word weighs less the further it stands from the value and the more
//! often the text has it; a weight is in (0, 1].

use std::cell::OnceCell;
use std::sync::LazyLock;

use super::Value;
use super::tokens::{Kind, Token};
use super::vocabulary::{AND, Entry, SMALL};
use crate::lexicon::{WordSet, mark};

/// So many content words around a value are looked at.
const MOST: usize = 24;
/// Words that say what holds beyond a bound that was just named.
static REST: LazyLock<WordSet<&str>> = LazyLock::new(|| {
    "smaller larger anything everything otherwise rest others remaining else darüber darunter größere kleinere übrige \
     übrigen sonst au-delà delà autres demás resto mayores"
        .split(' ')
        .collect()
});
/// So many characters behind a value are looked at for them.
const REACH: usize = 120;
/// Two signs say less than a word, and there are more of them.
const SIGNS: f32 = 0.6;

/// The content words of a text by token, and how often the text has each.
pub(crate) struct Subjects<'t> {
    low: &'t str,
    tokens: Vec<Token>,
    entries: Vec<&'static Entry>,
    /// Made when it is first asked for: most pairs agree in their values at once.
    words: OnceCell<Words>,
}

struct Words {
    /// 0 where a token has no content.
    keys: Vec<u64>,
    /// Tokens that part what is said of one value from what is said of the next: commas, `and`, other values.
    parts: Vec<bool>,
    /// Those that are not 0.
    sorted: Vec<u64>,
}

impl Words {
    /// How often the text has a key, once at least.
    fn count(&self, key: u64) -> f32 {
        let from = self.sorted.partition_point(|known| *known < key);
        let often = self.sorted.iter().skip(from).take_while(|known| **known == key).count();
        often.max(1) as f32
    }
}

/// A content word near a value; each once, with the weight of the nearest mention.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Near {
    pub key: u64,
    pub weight: f32,
    /// It stands right before the value (`port 8080`, in languages with spaces), right behind it, or one content word further.
    pub head: bool,
}

impl<'t> Subjects<'t> {
    pub fn new(low: &'t str, tokens: Vec<Token>, entries: Vec<&'static Entry>) -> Self {
        Self { low, tokens, entries, words: OnceCell::new() }
    }

    fn words(&self, values: &[Value<'_>]) -> Words {
        let mut keys: Vec<u64> = Vec::with_capacity(self.tokens.len());
        let mut parts: Vec<bool> = Vec::with_capacity(self.tokens.len());
        for (at, (token, entry)) in self.tokens.iter().zip(&self.entries).enumerate() {
            let said = text(self.low, token);
            let (key, part) = match token.kind {
                Kind::Word => (word_key(said, entry), entry.is(AND)),
                Kind::Sign => {
                    let before = at.checked_sub(1).and_then(|at| self.tokens.get(at));
                    (sign_key(self.low, before, token, self.tokens.get(at + 1)), false)
                }
                // What comes out of a sum is said of the sum.
                Kind::Mark if said == "=" => (mark("=") | 1, false),
                Kind::Mark => (0, matches!(said, "," | ";" | "、" | "，" | "；" | "|" | "(" | ")" | "（" | "）")),
                Kind::Number => (0, false),
            };
            keys.push(key);
            parts.push(part);
        }
        for value in values {
            if let Some(own) = keys.get_mut(value.tokens.0..value.tokens.1) {
                own.fill(0);
            }
            if let Some(own) = parts.get_mut(value.tokens.0..value.tokens.1) {
                own.fill(true);
            }
        }
        let mut sorted: Vec<u64> = keys.iter().copied().filter(|key| *key != 0).collect();
        sorted.sort_unstable();
        Words { keys, parts, sorted }
    }

    /// Whether the sentence of a value says what holds on the other side of it too: `above that`, `anything larger`. Then
    /// `up to 10: Ann; above: Bob` and `over 10: Bob; smaller: Ann` are one rule.
    pub fn parts_in_two(&self, value: &Value<'_>) -> bool {
        let of_it = |token: &&Token| token.sentence == value.sentence && token.kind == Kind::Word;
        let mut words = self.tokens.iter().filter(of_it).map(|token| text(self.low, token));
        words.any(|word| REST.contains(word))
            || self.low.get(value.whole.1..).is_some_and(|behind| {
                let near =
                    behind.char_indices().nth(REACH).map_or(behind, |(end, _)| behind.get(..end).unwrap_or(behind));
                near.split(|letter: char| !letter.is_alphabetic()).any(|word| REST.contains(word))
            })
    }

    /// The content words around a value, the nearest first on either side.
    pub fn near(&self, values: &[Value<'_>], position: usize) -> Vec<Near> {
        self.around(values, position, false)
    }

    /// Those that are said of this value and of no other one, as far as commas and other values tell.
    pub fn own(&self, values: &[Value<'_>], position: usize) -> Vec<Near> {
        self.around(values, position, true)
    }

    fn around(&self, values: &[Value<'_>], position: usize, own: bool) -> Vec<Near> {
        let Some(value) = values.get(position) else { return Vec::new() };
        let words = self.words.get_or_init(|| self.words(values));
        let mut found = Vec::with_capacity(MOST);
        let (from, until) = value.tokens;
        let sentence = |at: usize| {
            self.tokens.get(at).is_some_and(|token| token.sentence == value.sentence)
                && !(own && words.parts.get(at) == Some(&true))
        };
        let mut side = |positions: &mut dyn Iterator<Item = usize>, behind: bool| {
            let mut distance = 0;
            for at in positions.take_while(|at| sentence(*at)) {
                let key = words.keys.get(at).copied().unwrap_or(0);
                if key == 0 {
                    continue;
                }
                let sign = self.tokens.get(at).is_some_and(|token| token.kind == Kind::Sign);
                let steps = if sign { distance / 2 } else { distance };
                let far = match steps {
                    0..=1 => 1.0,
                    2..=3 => 0.7,
                    4..=6 => 0.5,
                    _ => 0.3,
                };
                let often = words.count(key).sqrt();
                let near = Near {
                    key,
                    weight: far / often * if sign { SIGNS } else { 1.0 },
                    head: if behind { steps <= 1 } else { steps == 0 && !sign },
                };
                match found.iter_mut().find(|known: &&mut Near| known.key == key) {
                    Some(known) => {
                        *known = Near { weight: known.weight.max(near.weight), head: known.head || near.head, ..near };
                    }
                    None => found.push(near),
                }
                distance += 1;
                if distance >= MOST / 2 {
                    break;
                }
            }
        };
        side(&mut (0..from).rev(), false);
        side(&mut (until..self.tokens.len()), true);
        found
    }
}

fn text<'t>(low: &'t str, token: &Token) -> &'t str {
    low.get(token.span.0..token.span.1).unwrap_or("")
}

/// What the inflections of a word begin with: enough to meet, too little to be mistaken often.
fn word_key(word: &str, known: &Entry) -> u64 {
    if known.is(SMALL) || known.number.is_some() || known.scale.is_some() {
        return 0;
    }
    let ascii = word.is_ascii();
    let size = if ascii { word.len() } else { word.chars().count() };
    if size < 3 {
        return 0;
    }
    let kept = match size {
        3 => 3,
        4..=6 => 4,
        _ => 5,
    };
    let end = if ascii { kept } else { word.char_indices().nth(kept).map_or(word.len(), |(end, _)| end) };
    mark(word.get(..end).unwrap_or(word)) | 1
}

/// Two signs of meaning that stand together, or one that stands alone; endings in Hiragana say nothing.
fn sign_key(low: &str, before: Option<&Token>, token: &Token, next: Option<&Token>) -> u64 {
    let meaning = |token: &Token| {
        token.kind == Kind::Sign
            && !text(low, token).starts_with(|letter: char| ('\u{3040}'..='\u{309f}').contains(&letter))
    };
    if !meaning(token) {
        return 0;
    }
    match next.filter(|next| meaning(next) && next.span.0 == token.span.1) {
        Some(next) => low.get(token.span.0..next.span.1).map_or(0, |pair| mark(pair) | 1),
        None if before.is_some_and(|before| meaning(before) && before.span.1 == token.span.0) => 0,
        None => mark(text(low, token)) | 1,
    }
}

/// How much two values have in common around them, and whether what stands right behind both is the same word.
pub(crate) fn common(one: &[Near], other: &[Near]) -> (f32, bool) {
    let (mut sum, mut head) = (0.0, false);
    for mine in one {
        if let Some(theirs) = other.iter().find(|theirs| theirs.key == mine.key) {
            sum += mine.weight.min(theirs.weight);
            head |= mine.head && theirs.head;
        }
    }
    (sum, head)
}
