//! Words for secrets in a text, found by a few rare letters of theirs, since no other byte of "my password is ..." gives it
//! away.
//!
//! Invariant: each word is met once, and looked at a bounded way around.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::fields;
use super::hit::Finding;
use super::label;
use super::text::{Text, Wanted};

/// Letters within the words: of password, passwort, passphrase and passcode; of secret, token, key, PIN and OTP.
static LETTERS: LazyLock<[Finder<'static>; 9]> = LazyLock::new(|| {
    [b"assw".as_slice(), b"assphrase", b"asscode", b"ontrase", b"ecret ", b"oken ", b"ey ", b"PIN ", b"OTP "]
        .map(Finder::new)
});

/// Append what sentences say of secrets.
pub(super) fn scan(bytes: &[u8], wanted: Wanted<'_>, found: &mut Vec<Finding>) {
    // The shortest: "PIN is 1234"; a sentence has spaces.
    if bytes.len() < 11 || memchr::memchr(b' ', bytes).is_none() {
        return;
    }
    let text = Text::new(bytes, wanted);
    for finder in LETTERS.iter() {
        let mut free = 0;
        for at in finder.find_iter(bytes) {
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
