//! A secret that stands for another that is not set: `process.env.KEY || "..."`, `variable "token" { default = "..." }`.
//!
//! Invariant: each looks a bounded way around its sign.

use super::names::{self, Name, says};
use super::text::Text;

/// Where the value in quotes begins, and its quote, behind an expression at `from` and an operator that gives what is used
/// when the expression has nothing.
pub(super) fn after_operator(text: &Text<'_>, from: usize) -> Option<(usize, u8)> {
    const LONGEST: usize = 96;
    const GAP: usize = 32;
    let white = |at: usize| at + text.run(at, GAP, |byte| byte.is_ascii_whitespace());
    let start = white(from);
    if !text.get(start).is_ascii_alphabetic() {
        return None;
    }
    let mut end = start;
    while end - start < LONGEST {
        let byte = text.get(end);
        let quote = matches!(byte, b'"' | b'\'') && matches!(text.get(end - 1), b'[' | b'(');
        if quote {
            // The name in `os.environ["KEY"]`.
            end += 1 + text.run(end + 1, names::LONGEST, |inner| inner != byte && inner != b'\n') + 1;
        } else if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'[' | b']' | b'(' | b')' | b':' | b'!')
        {
            end += 1;
        } else {
            break;
        }
    }
    let operator = white(end);
    let length = match text.slice(operator, operator + 3) {
        [b'|', b'|', ..] | [b'?', b'?' | b':', ..] => 2,
        [b'o', b'r', b' '] if operator > end => 2,
        _ => return None,
    };
    let open = white(operator + length);
    let quote = text.get(open);
    (matches!(quote, b'"' | b'\'' | b'`') && text.get(open + 1) != quote).then_some((open + 1, quote))
}

/// What the name of the variable says whose `default` stands at `start`.
pub(super) fn variable(text: &Text<'_>, start: usize) -> Name {
    const REACH: usize = 200;
    const WORD: &[u8] = b"variable \"";
    let before = text.slice(start.saturating_sub(REACH).max(text.free).min(start), start);
    let named = memchr::memmem::rfind(before, WORD).and_then(|at| before.get(at + WORD.len()..));
    let Some((name, rest)) = named.and_then(|named| {
        let quote = memchr::memchr(b'"', named)?;
        named.split_at_checked(quote)
    }) else {
        return Name::Plain;
    };
    if rest.contains(&b'}') { Name::Plain } else { says(name) }
}
