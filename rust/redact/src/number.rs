//! Numbers in groups: read once, as digits and as a shape (`3-2-4`: group lengths and the signs between), and given to
//! the rules of cards, telephones and identity numbers.
//!
//! Invariant: a number is read in at most seven groups and twenty digits, so a position costs a bounded time. What stands
//! beside a number can make it unsure or part of something else (a decimal, a UUID); no byte beside it hides it.

use super::cards::card;
use super::classes::{is_alphabetic, is_alphanumeric};
use super::context;
use super::hit::{Hit, better};
use super::identity::{Grouped, WEAK, identity};
use super::kinds::Kind;
use super::phones;
use super::text::Text;

const DIGITS: usize = 20;
const GROUPS: usize = 7;
/// Digits of the shortest number that is one, and how far apart they may stand: four signs between two.
const LEAST: usize = 7;
const REACH: usize = LEAST + 4 * (LEAST - 1);

/// One group: digits up to its end, its end, the shape's length up to it, and what stands after it.
#[derive(Clone, Copy, Default)]
struct Group {
    count: usize,
    end: usize,
    shape: usize,
    /// The sign to the next group, 0 for none.
    sign: u8,
    /// A line ends there.
    line: bool,
}

/// A number, as far as it reaches.
struct Number {
    digits: [u8; DIGITS],
    groups: [Group; GROUPS],
    count: usize,
    shape: [u8; 2 * GROUPS],
}

/// What separates two groups at `at`: the sign it counts as, its length, and whether a line ends in it. White space may
/// be double, a tab or a new line, and may stand around a dash or a slash.
fn gap(text: &Text<'_>, at: usize) -> Option<(u8, usize, bool)> {
    let (mut sign, mut length, mut line) = (b' ', 0, false);
    while length < 4 {
        match text.get(at + length) {
            b' ' | b'\t' | b'\r' => {}
            b'\n' if !line => line = true,
            // A form that is quoted in another text writes its spaces as plus signs.
            b'+' if length == 0 => {}
            byte @ (b'-' | b'/') if sign == b' ' => sign = byte,
            b'.' if length == 0 => sign = b'.',
            _ => break,
        }
        length += 1;
    }
    let single = sign != b'.' || length == 1;
    (length > 0 && single && text.get(at + length).is_ascii_digit()).then_some((sign, length, line))
}

/// Read groups of digits; group lengths above nine are letters from `a` (ten) in the shape.
fn read(text: &Text<'_>, at: usize) -> Option<Number> {
    let mut number =
        Number { digits: [0; DIGITS], groups: [Group::default(); GROUPS], count: 0, shape: [0; 2 * GROUPS] };
    let (mut next, mut digits) = (at, 0);
    while number.count < GROUPS {
        let length = text.run(next, DIGITS + 1, |byte| byte.is_ascii_digit());
        if length == 0 || digits + length > DIGITS {
            break;
        }
        for (slot, byte) in number.digits.iter_mut().skip(digits).zip(text.slice(next, next + length)) {
            *slot = byte - b'0';
        }
        digits += length;
        next += length;
        let shape = 2 * number.count;
        *number.shape.get_mut(shape)? = if length < 10 { b'0' + length as u8 } else { b'a' + (length - 10) as u8 };
        let after = gap(text, next);
        let (sign, line) = after.map_or((0, false), |(sign, _, line)| (sign, line));
        *number.groups.get_mut(number.count)? = Group { count: digits, end: next, shape: shape + 1, sign, line };
        number.count += 1;
        let Some((sign, length, _)) = after else { break };
        if let Some(slot) = number.shape.get_mut(shape + 1) {
            *slot = sign;
        }
        next += length;
    }
    (number.count > 0).then_some(number)
}

/// Whether digits enough for a number stand at `at`, with nothing between them that parts no groups: most do not.
fn is_long(text: &Text<'_>, at: usize) -> bool {
    let mut count = 0;
    for byte in text.from(at).iter().take(REACH) {
        match byte {
            b'0'..=b'9' => count += 1,
            b' ' | b'\t' | b'\r' | b'\n' | b'+' | b'-' | b'/' | b'.' => {}
            _ => break,
        }
    }
    count >= LEAST
}

/// The better of a hit and of a number of one or more groups that may stand by itself.
pub(super) fn digits(text: &Text<'_>, at: usize, best: Option<Hit>) -> Option<Hit> {
    if !is_long(text, at) {
        return best;
    }
    let Some(before) = left(text, at) else {
        return best;
    };
    let Some(number) = read(text, at) else {
        return best;
    };
    let mut best = best;
    // The longest first: where it is sure, the shorter ones need not be weighed.
    for (index, group) in number.groups.iter().enumerate().take(number.count).rev() {
        if group.count < LEAST {
            continue;
        }
        let (digits, shape) = (number.digits.get(..group.count)?, number.shape.get(..group.shape)?);
        let bare = shape.len() == 1;
        let whole = index + 1 == number.count || group.line || group.sign == b' ';
        let (after, apart) = (right(text, group.end, bare), !(before.glued && bare));
        let number = Grouped { digits, shape, weak: before.weak || after == Side::Weak };
        if after != Side::Never && (whole || matches!(group.sign, b'/' | b'-')) {
            best = better(best, card(text, at, group.end, &number));
        }
        if after == Side::Never || !whole || !(apart || named_by_letters(text, at)) {
            continue;
        }
        best = phones::grouped_number(text, at, group.end, &number, best);
        best = identity(text, at, group.end, &number, best);
    }
    best
}

/// What stands on one side of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// It is part of something else.
    Never,
    /// It may be.
    Weak,
    Free,
}

/// What stands before a number that may begin here.
struct Before {
    weak: bool,
    /// Letters stand right before it.
    glued: bool,
}

/// Whether a number may begin here: not within an amount, a decimal, a version, a UUID.
fn left(text: &Text<'_>, at: usize) -> Option<Before> {
    let before = text.before(at);
    if within_uuid(text, at) {
        return None;
    }
    let two = if at > 1 { text.before(at - 1) } else { 0 };
    let weak = match before {
        // `1,234,567` is one number; the cells of a table are several.
        b',' if two.is_ascii_digit() => {
            let length = text.run(at, 4, |byte| byte.is_ascii_digit());
            let next = text.run(at + 4, 4, |byte| byte.is_ascii_digit());
            let grouped = next == 3 && matches!(text.get(at + 7), b'.' | b'-');
            if length == 3 && next > 0 && (text.get(at + 3) == b',' || (text.get(at + 3) == b'.' && !grouped)) {
                return None;
            }
            length == 3 && !matches!(text.get(at + 3), b'-' | b'.' | b'/' | b' ')
        }
        b'.' if two.is_ascii_digit() => true,
        b'-' => {
            let from = text.back(at - 1, 13, is_alphanumeric);
            let word = text.slice(from, at - 1);
            !word.is_empty() && (word.len() > 12 || word.iter().all(u8::is_ascii_hexdigit))
        }
        // An amount, unless it is longer than any.
        b'$' => {
            let length = text.run(at, 14, |byte| byte.is_ascii_digit());
            length < 13 && !matches!(text.get(at + length), b'-' | b' ' | b'.')
        }
        _ => false,
    };
    let glued = before.is_ascii_alphabetic();
    if glued {
        let from = text.back(at, 25, is_alphanumeric);
        let word = text.slice(from, at);
        if word.len() < 2 || word.len() > 24 || word.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
    }
    Some(Before { weak, glued })
}

/// Whether a group of a UUID (RFC 9562) begins here.
fn within_uuid(text: &Text<'_>, at: usize) -> bool {
    let dash = text.before(at) == b'-' || text.get(at + 8) == b'-';
    dash && [0, 9, 14, 19, 24].iter().any(|group| {
        let shaped = |byte: u8, index: usize| {
            if matches!(index, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() }
        };
        let start = at.checked_sub(*group).filter(|start| *start >= text.free);
        start.is_some_and(|start| {
            let written = text.slice(start, start + 36);
            written.len() == 36 && written.iter().enumerate().all(|(index, byte)| shaped(*byte, index))
        })
    })
}

/// Whether the letters right before a number name what it is: `ssn219099192`, `tel4155550132`.
fn named_by_letters(text: &Text<'_>, at: usize) -> bool {
    context::named(text.slice(text.back(at, 24, is_alphabetic), at)) != 0
}

fn right(text: &Text<'_>, end: usize, bare: bool) -> Side {
    let after = text.get(end + 1);
    match text.get(end) {
        b'.' if after.is_ascii_digit() => Side::Weak,
        // A thousand more, or the next cell.
        b',' if after.is_ascii_digit() => {
            let length = text.run(end + 1, 4, |byte| byte.is_ascii_digit());
            if length == 3 && bare && text.run(end.saturating_sub(3), 4, |byte| byte.is_ascii_digit()) < 3 {
                Side::Weak
            } else {
                Side::Free
            }
        }
        b'%' if after.is_ascii_digit() => Side::Free,
        b'-' if bare => {
            let length = text.run(end + 1, 20, is_alphanumeric);
            let word = text.slice(end + 1, end + 1 + length);
            let id = word.iter().any(u8::is_ascii_digit) && word.iter().all(u8::is_ascii_hexdigit);
            if id { Side::Weak } else { Side::Free }
        }
        b'_' => Side::Free,
        byte if byte.is_ascii_alphabetic() => {
            let length = text.run(end, 25, is_alphanumeric);
            let word = text.slice(end, end + length);
            // An extension, or a word; what is hexadecimal or mixed is an id.
            let written = word.iter().any(|byte| !byte.is_ascii_hexdigit());
            let letters = word.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            // The next number behind a word, as where texts are set side by side.
            let number = letters > 2 && word.get(letters..).unwrap_or_default().iter().all(u8::is_ascii_digit);
            if !written || (letters < word.len() && !number && !phones::is_extension(text, end)) {
                Side::Never
            } else if bare {
                Side::Weak
            } else {
                Side::Free
            }
        }
        _ => Side::Free,
    }
}

/// A base that the sides of a number leave.
pub(super) fn leave(base: u8, weak: bool) -> u8 {
    if weak { base.min(WEAK) } else { base }
}

/// Whether the word right before a number calls it an id, a time or a count.
pub(super) fn called_id(text: &Text<'_>, at: usize) -> bool {
    let gap = text.back(at, 4, |byte| matches!(byte, b' ' | b':' | b'=' | b'#' | b'"' | b'\''));
    let word = text.slice(text.back(gap, 24, |byte| byte.is_ascii_alphabetic() || byte == b'_'), gap);
    (gap < at && context::named(word) & context::ID != 0) || context::named(text.wanted.origin.name) & context::ID != 0
}

/// `Kind::PHONE`'s hit, for the modules that read telephone numbers in other forms.
pub(super) fn phone(text: &Text<'_>, start: usize, end: usize, base: u8) -> Option<Hit> {
    text.hit(Kind::PHONE, start, phones::extended(text, end), base, context::PHONE)
}
