//! A text without the marks of Markdown and the tags of HTML that part the groups of a number or an address:
//! `4012 **8888** ...`, `<b>219</b>-09-9192`, `jane<wbr>@example.org`.
//!
//! Invariant: a mark goes only where a digit, an `@` or a dot of a name stands on both sides of it, so that most texts
//! have no such view; each mark is read once.

use super::view::View;

/// Most marks in a row, and longest tag.
const ROW: usize = 8;
const TAG: usize = 96;

/// The view without such marks, when there are any.
pub(super) fn without(text: &[u8]) -> Option<View> {
    let mut view: Option<View> = None;
    let (mut at, mut copied) = (0, 0);
    while let Some(next) =
        text.get(at..).and_then(|rest| memchr::memchr3(b'<', b'*', b'`', rest)).map(|found| at + found)
    {
        let (reach, marks, count) = row(text, next);
        at = reach.max(next + 1);
        if count == 0 || !parts(text, next, reach) {
            continue;
        }
        let view = view.get_or_insert_with(|| View::with_capacity(text.len()));
        for (start, end) in marks.into_iter().take(count) {
            view.copy(text, copied, start - copied);
            // A line break of HTML parts words.
            if text.get(start + 1..start + 3).is_some_and(|two| two.eq_ignore_ascii_case(b"br")) {
                view.push(b' ', start);
            }
            copied = end;
        }
    }
    let mut view = view?;
    view.copy(text, copied, text.len() - copied);
    Some(view.end(text))
}

/// The marks from `at` on, with single separators between: where they end, and which they are.
fn row(text: &[u8], at: usize) -> (usize, [(usize, usize); ROW], usize) {
    let mut marks = [(0, 0); ROW];
    let (mut next, mut count, mut reach) = (at, 0, at);
    while let Some(slot) = marks.get_mut(count) {
        let end = mark(text, next);
        if end == next {
            break;
        }
        *slot = (next, end);
        count += 1;
        reach = end;
        next = end + text.get(end..).unwrap_or_default().iter().take(2).take_while(|byte| separates(**byte)).count();
    }
    (reach, marks, count)
}

/// The end of a mark or a tag at `at`; `at` where there is none.
fn mark(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..text.len().min(at + TAG)).unwrap_or_default();
    match rest {
        [b'<', b'/' | b'a'..=b'z' | b'A'..=b'Z', ..] => match rest.iter().position(|byte| *byte == b'>') {
            Some(close) if !rest.get(1..close).unwrap_or_default().contains(&b'<') => at + close + 1,
            _ => at,
        },
        [sign @ (b'*' | b'`'), ..] => at + rest.iter().take(3).take_while(|byte| *byte == sign).count(),
        _ => at,
    }
}

fn separates(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'\n')
}

/// Whether marks stand within a value: between digits, beside an `@`, before the dot of a name.
fn parts(text: &[u8], start: usize, end: usize) -> bool {
    let before = text.get(..start).unwrap_or_default().iter().rev().take(3).find(|byte| !separates(**byte));
    let rest = text.get(end..).unwrap_or_default();
    let after = rest.iter().take(3).find(|byte| !separates(**byte));
    let (Some(before), Some(after)) = (before, after) else { return false };
    let name = rest.first() == Some(&b'.') && before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric();
    *before == b'@' || *after == b'@' || name || (before.is_ascii_digit() && after.is_ascii_digit())
}
