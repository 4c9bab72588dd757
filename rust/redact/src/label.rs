//! What replaces a value: `[EMAIL]`, `[EMAIL:7f3a09c1d2e4]`, `[PAYMENT_CARD:*1881]`.
//!
//! Invariant: a label is never found again. So the grammar is narrow: what an attacker can put into one that he writes
//! himself is twelve hexadecimal digits or four characters.

use super::kinds::Kind;

/// Hexadecimal digits of a token: 48 bits, so that among a million values of a lane two are alike with 0.2 % chance.
const TOKEN: usize = 12;
/// Characters that `keep_last4` keeps, and how long a value must be for it: of a shorter one they would tell too much.
const LAST: usize = 4;
const LAST_LEAST: usize = 8;
/// Longest label, brackets included.
pub(super) const LONGEST: usize = 72;

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// `[EMAIL]`.
    Mask,
    /// `[EMAIL:7f3a09c1d2e4]`: the same for the same value under the same key.
    Hash,
    /// Nothing replaces it; a field goes with its name.
    Drop,
    /// `[PAYMENT_CARD:*1881]`.
    KeepLast4,
}

/// What stands in place of a number in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The label, as a string.
    #[default]
    Label,
    /// A number of the same length and class, whatever the action: each digit is a 1. A schema that wants a number
    /// accepts it.
    Same,
}

/// Write a number of the same form, and `false` for a truth value.
pub(super) fn write_same(written: &[u8], out: &mut Vec<u8>) {
    if written.first().is_some_and(u8::is_ascii_alphabetic) {
        out.extend_from_slice(b"false");
        return;
    }
    // An exponent stays: with other digits the number might be beyond all bounds.
    let exponent = written.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(written.len());
    out.extend(
        written.iter().enumerate().map(|(at, byte)| if byte.is_ascii_digit() && at < exponent { b'1' } else { *byte }),
    );
}

/// Write the label of a value.
pub(super) fn write(name: &str, kind: Kind, action: Action, key: &[u8; 32], value: &[u8], out: &mut Vec<u8>) {
    if action == Action::Drop {
        return;
    }
    out.push(b'[');
    out.extend(name.bytes().map(|byte| byte.to_ascii_uppercase()));
    match action {
        Action::Hash => {
            out.push(b':');
            out.extend_from_slice(token(name, kind, key, value).as_bytes());
        }
        Action::KeepLast4 => {
            let plain: Vec<u8> = value.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
            if plain.len() >= LAST_LEAST
                && let Some(last) = plain.last_chunk::<LAST>()
            {
                out.extend_from_slice(b":*");
                out.extend_from_slice(last);
            }
        }
        Action::Mask | Action::Drop => {}
    }
    out.push(b']');
}

/// BLAKE3 in keyed mode over kind and value. The ways to write one card, account or number are one value, and so are an
/// address's cases.
fn token(name: &str, kind: Kind, key: &[u8; 32], value: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(name.as_bytes()).update(&[0]);
    let written_in_groups =
        matches!(kind, Kind::CARD | Kind::PHONE | Kind::IBAN) || (Kind::US_SSN..=Kind::DRIVER_LICENSE).contains(&kind);
    if written_in_groups {
        let plain: Vec<u8> =
            value.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_uppercase).collect();
        hasher.update(&plain);
    } else if matches!(kind, Kind::EMAIL | Kind::MAC | Kind::IP) {
        hasher.update(&value.to_ascii_lowercase());
    } else {
        hasher.update(value);
    }
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(TOKEN);
    hex
}

/// The end of a label that begins at `at`, also in percent-encoding, as in a query.
pub(super) fn mask_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..bytes.len().min(at + LONGEST))?;
    let (open, encoded) = match rest {
        [b'[', ..] => (1, false),
        [b'%', b'5', b'B' | b'b', ..] => (3, true),
        _ => return None,
    };
    if !rest.get(open)?.is_ascii_uppercase() {
        return None;
    }
    let count =
        |from: usize, is: fn(&u8) -> bool| rest.get(from..).unwrap_or_default().iter().take_while(|b| is(b)).count();
    let name = count(open, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_');
    let mut next = open + name;
    let (colon, star): (&[u8], &[u8]) = if encoded { (b"%3A", b"%2A") } else { (b":", b"*") };
    let tail = rest.get(next..)?;
    if tail.starts_with(colon) {
        next += colon.len();
        if rest.get(next..)?.starts_with(star) {
            next += star.len();
            let letters = count(next, u8::is_ascii_alphanumeric);
            if letters != LAST {
                return None;
            }
            next += letters;
        } else {
            let digits = count(next, |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if digits != TOKEN {
                return None;
            }
            next += digits;
        }
    }
    let close: &[u8] = if encoded { b"%5D" } else { b"]" };
    rest.get(next..)?.get(..close.len())?.eq_ignore_ascii_case(close).then_some(at + next + close.len())
}

/// Whether the bytes are exactly a label.
pub(super) fn is_mask(bytes: &[u8]) -> bool {
    mask_end(bytes, 0) == Some(bytes.len())
}

/// Whether a value that begins at `start` begins within a label.
pub(super) fn inside_mask(bytes: &[u8], start: usize) -> bool {
    let from = start.saturating_sub(LONGEST);
    let window = bytes.get(from..bytes.len().min(start + 1)).unwrap_or_default();
    memchr::memrchr2_iter(b'[', b'%', window).any(|at| mask_end(bytes, from + at).is_some_and(|close| close > start))
}

/// Where the last label of a window ends.
pub(super) fn last_mask_end(window: &[u8]) -> Option<usize> {
    memchr::memrchr2_iter(b'[', b'%', window).find_map(|at| mask_end(window, at))
}

/// Where the first label of a window begins.
pub(super) fn first_mask(window: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'[', b'%', window).find(|at| mask_end(window, *at).is_some())
}
