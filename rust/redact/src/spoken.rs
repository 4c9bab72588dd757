//! Words for secrets in a text, found by a few rare letters of theirs, since no other byte of "my password is ..." gives it
//! away.
//!
//! Invariant: each word is met once, and looked at a bounded way around.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use super::fields;
use super::hit::Finding;
use super::label;
use super::text::{Text, Wanted};

/// Letters within the words: of password, passwort, passphrase and passcode; of secret, token, key, PIN and OTP. Which
/// word, and where its letters begin: no other name ends in `oken` or `ey`, but signs may stand within one. No two of
/// them begin at one byte.
const LETTERS: [(&str, u8, usize); 15] = [
    ("assw", 0, 0),
    ("assphrase", 1, 0),
    ("asscode", 2, 0),
    ("ontrase", 3, 0),
    ("ecret ", 4, 0),
    ("token ", 5, 1),
    ("Token ", 5, 1),
    ("-oken ", 5, 1),
    ("_oken ", 5, 1),
    ("key ", 6, 1),
    ("Key ", 6, 1),
    ("-ey ", 6, 1),
    ("_ey ", 6, 1),
    ("PIN ", 7, 0),
    ("OTP ", 8, 0),
];

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(LETTERS.map(|(letters, ..)| letters)).ok()
});

/// Whether the words can be found; without that no rules are made.
pub(super) fn is_built() -> bool {
    FINDER.is_some()
}

/// Append what sentences say of secrets.
pub(super) fn scan(bytes: &[u8], wanted: Wanted<'_>, found: &mut Vec<Finding>) {
    let Some(finder) = FINDER.as_ref() else { return };
    // The shortest: "PIN is 1234".
    if bytes.len() < 11 {
        return;
    }
    let mut next = 0;
    let words = std::iter::from_fn(|| {
        let word = finder.find(Input::new(bytes).range(next..))?;
        next = word.start() + 1;
        let (_, kind, skipped) = LETTERS.get(word.pattern().as_usize())?;
        Some((*kind, word.start() + skipped))
    });
    let mut words: Vec<_> = words.collect();
    if words.is_empty() {
        return;
    }
    words.sort_unstable();
    let text = Text::new(bytes, wanted);
    for words in words.chunk_by(|one, next| one.0 == next.0) {
        let mut free = 0;
        for (_, at) in words.iter().copied() {
            if at < free {
                continue;
            }
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || byte == b'-' || byte == b'_';
            let start = text.back(at, 24, letter);
            let end = at + text.run(at, 24, letter);
            if let Some(hit) = fields::spoken(&text, start, end)
                && !label::inside_mask(bytes, hit.start)
            {
                found.push(Finding { kind: hit.kind, start: hit.start, end: hit.end });
                free = hit.end;
            }
        }
    }
}
