//! Telephone numbers: E.164, national forms, and what a word such as "fax" or "desk" names.
//!
//! Invariant: a form that other numbers share needs a word; a subtraction is none without one.

use super::checks;
use super::context;
use super::hit::{Hit, better};
use super::identity::{Grouped, NAMED};
use super::kinds::Kind;
use super::number::{leave, phone};
use super::text::Text;

/// Area and exchange of the North American plan: neither begins with 0 or 1, the area does not end in 11.
fn american(digits: &[u8]) -> bool {
    matches!(digits, [2..=9, b, c, 2..=9, ..] if (*b, *c) != (1, 1)) && digits.len() == 10
}

/// How sure a national form of a telephone number is.
fn national(digits: &[u8], shape: &[u8]) -> Option<u8> {
    let count = digits.len();
    if count > 15 {
        return None;
    }
    let uniform = |sign: u8| shape.iter().skip(1).step_by(2).all(|other| *other == sign);
    let groups = shape.len().div_ceil(2);
    let spaced = groups > 1 && (uniform(b' ') || uniform(b'-'));
    let first = *digits.first()?;
    Some(match shape {
        b"3-3-4" | b"3.3.4" if american(digits) => 60,
        b"3 3 4" | b"3 3-4" | b"3/3-4" if american(digits) => 35,
        b"1-3-3-4" | b"1 3 3 4" | b"1.3.3.4" | b"1 3-3-4" if first == 1 && american(checks::part(digits, 1..)) => 65,
        b"2.2.2.2.2" | b"2 2 2 2 2" | b"2-2-2-2-2" if first == 0 => 60,
        b"3 3 2 2" | b"3-3-2-2" if first == 5 => 55,
        b"5 5" | b"5-5" if (6..=9).contains(&first) => 30,
        _ if digits.starts_with(&[0, 0]) && count >= 11 && country(checks::part(digits, 2..)) => {
            if spaced {
                45
            } else {
                11
            }
        }
        _ if spaced
            && groups >= 3
            && first == 0
            && (10..=11).contains(&count)
            && digits.get(1).is_some_and(|second| *second != 0) =>
        {
            55
        }
        _ if spaced && first == 0 && (10..=12).contains(&count) && digits.get(1).is_some_and(|second| *second != 0) => {
            40
        }
        // Mobile prefixes, which areas do not share in most plans.
        _ if groups == 1 && (10..=11).contains(&count) && matches!(digits, [0, 4..=9, ..]) => 20,
        // A timestamp has ten digits from 1 on, or thirteen.
        _ if groups == 1 && (9..=12).contains(&count) && !(count == 10 && first == 1) => 11,
        _ if spaced && (7..=12).contains(&count) && !dated(shape) => 11,
        b"2 5-4" | b"2 4-4" => 15,
        _ => return None,
    })
}

/// Groups in which dates are written.
fn dated(shape: &[u8]) -> bool {
    let groups = shape.iter().step_by(2);
    groups.clone().eq(b"224") || groups.clone().eq(b"422") || groups.eq(b"222")
}

/// Any form that a word right beside it may name a telephone number.
fn nameable(digits: &[u8], shape: &[u8]) -> bool {
    let groups = shape.len().div_ceil(2);
    let longest = shape.iter().step_by(2).max().copied().unwrap_or_default();
    if groups == 1 {
        let time = digits.len() == 10 && digits.first() == Some(&1);
        let day = digits.len() == 8
            && matches!(checks::number(checks::part(digits, ..4)), 1900..=2099)
            && checks::date(checks::number(checks::part(digits, 4..6)), checks::number(checks::part(digits, 6..)));
        return (7..=12).contains(&digits.len()) && !time && !day;
    }
    // Four octets, a date, an amount.
    let octets = groups == 4 && longest <= b'3' && shape.iter().skip(1).step_by(2).all(|sign| *sign == b'.');
    (7..=15).contains(&digits.len()) && groups <= 6 && !octets && !dated(shape)
}

/// The better of a hit and of a national form.
pub(super) fn grouped_number(
    text: &Text<'_>,
    start: usize,
    end: usize,
    number: &Grouped<'_>,
    best: Option<Hit>,
) -> Option<Hit> {
    let mut best = best;
    let reach = extended(text, end);
    if let Some(base) = national(number.digits, number.shape) {
        let base = leave(base, number.weak || (base > NAMED && arithmetic(text, start, end)));
        best = text.rival(best, Kind::PHONE, start, reach, base, context::PHONE);
    }
    // What only a word names: the plain ones for any form, those of an office for groups.
    let words =
        if number.shape.len() == 1 && reach == end { context::PHONE } else { context::PHONE | context::REACHED };
    if best.is_none_or(|best| best.confidence < NAMED)
        && nameable(number.digits, number.shape)
        && text.named_by(start, reach, words)
    {
        best = better(best, text.hit(Kind::PHONE, start, reach, NAMED, 0));
    }
    best
}

/// Whether a number in groups is a subtraction: `734-245-3000 = ?`, `compute 734-245-3000`.
fn arithmetic(text: &Text<'_>, start: usize, end: usize) -> bool {
    let spaces = text.run(end, 2, |byte| byte == b' ');
    let after = spaces > 0 && matches!(text.get(end + spaces), b'=' | b'*' | b'^' | b'+' | b'/');
    let gap = text.back(start, 2, |byte| byte == b' ');
    let before = gap < start && matches!(text.before(gap), b'+' | b'*' | b'/' | b'^' | b'%');
    after || before || context::named(text.slice(text.back(start, 28, |byte| byte != b'\n'), start)) & context::SUM != 0
}

/// The letters of an extension at `at`, behind a space or two: their end.
fn extension(text: &Text<'_>, at: usize) -> Option<usize> {
    let from = at + text.run(at, 2, |byte| matches!(byte, b' ' | b','));
    let letters = text.run(from, 10, |byte| byte.is_ascii_alphabetic());
    let word = text.slice(from, from + letters);
    let known: [&[u8]; 6] = [b"x", b"ext", b"extn", b"extension", b"durchwahl", b"poste"];
    known.iter().any(|known| word.eq_ignore_ascii_case(known)).then_some(from + letters)
}

/// Whether letters that follow a number are those of its extension.
pub(super) fn is_extension(text: &Text<'_>, at: usize) -> bool {
    extended(text, at) > at
}

/// The end of a telephone number with its extension: `415-555-0132 ext. 12`, `259.735.7502x459`.
pub(super) fn extended(text: &Text<'_>, end: usize) -> usize {
    let Some(mut next) = extension(text, end) else {
        return end;
    };
    next += text.run(next, 3, |byte| matches!(byte, b'.' | b':' | b' ' | b'#'));
    let digits = text.run(next, 7, |byte| byte.is_ascii_digit());
    if (1..=6).contains(&digits) { next + digits } else { end }
}

/// Country codes of E.164, by their first digits: those of two digits; 1 and 7 have one, all others three.
const TWO: &[u64] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58, 60, 61, 62,
    63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];
/// First two digits of those of three.
const THREE: &[u64] = &[21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99];

fn country(digits: &[u8]) -> bool {
    match digits {
        [1, rest @ ..] => american(rest),
        [7, ..] => digits.len() == 11,
        [a, b, ..] => {
            let two = u64::from(*a) * 10 + u64::from(*b);
            TWO.contains(&two) || THREE.contains(&two)
        }
        _ => false,
    }
}

/// E.164: a plus sign and up to fifteen digits, with single signs and one pair of brackets between groups.
pub(super) fn international(text: &Text<'_>, at: usize) -> Option<Hit> {
    // `12 + 734-245-3000` is a sum.
    let sum = text.get(at + 1) == b' ' && text.before(at) == b' ' && text.before(at - 1).is_ascii_digit();
    // `+ - 203.0.113.77`: a sentence's dash, and what stands behind it is no telephone number of that plus.
    let apart = text.run(at + 1, 4, |byte| byte == b' ');
    let dash = apart > 0 && text.get(at + 1 + apart) == b'-';
    if text.before(at) == b'+' || text.before(at).is_ascii_digit() || sum || dash {
        return None;
    }
    let (mut best, mut groups, mut sure) = (None, 0, false);
    grouped(text, at + 1, 15, |digits, end| {
        groups += 1;
        if (8..=15).contains(&digits.len()) && digits.first() != Some(&0) {
            best = Some((end, groups));
            sure = digits.len() >= 9 && country(digits);
        }
    });
    let (end, groups) = best?;
    let glued = text.before(at).is_ascii_alphabetic();
    // In groups it is written as a telephone number, whether its country gives it out or not.
    let base = match (sure, groups) {
        (true, 2..) => 85,
        (true, _) if !glued => 85,
        (false, 3..) => 60,
        _ => 20,
    };
    phone(text, at, end, base)
}

/// `(020) 7946 0958`, `(415)555-0132`, `(11) 98456-5666`; any other with a word that names it.
pub(super) fn bracketed(text: &Text<'_>, at: usize) -> Option<Hit> {
    let area = text.run(at + 1, 6, |byte| byte.is_ascii_digit());
    if !(2..=5).contains(&area) || text.get(at + 1 + area) != b')' || text.before(at).is_ascii_digit() {
        return None;
    }
    let (mut best, mut named) = (None, None);
    grouped(text, at, 12, |digits, end| {
        let shaped = match area {
            3 if digits.first() != Some(&0) => american(digits),
            2 if digits.first() != Some(&0) => matches!(digits.len(), 10 | 11),
            _ => digits.first() == Some(&0) && (9..=11).contains(&digits.len()),
        };
        if digits.len() > area {
            if shaped {
                best = Some(end);
            }
            if digits.len() >= 7 {
                named = Some(end);
            }
        }
    });
    if let Some(end) = best {
        return phone(text, at, end, 70);
    }
    let end = named?;
    text.named_by(at, extended(text, end), context::PHONE | context::REACHED)
        .then(|| phone(text, at, end, NAMED))
        .flatten()
}

/// Read digits in groups, and call `group` at the end of each that no letter or digit follows.
fn grouped(text: &Text<'_>, from: usize, most: usize, mut group: impl FnMut(&[u8], usize)) {
    let mut digits = [0_u8; 16];
    let (mut count, mut next) = (0, from);
    let mut gap = 0;
    loop {
        let byte = text.get(next);
        if byte.is_ascii_digit() {
            let Some(slot) = digits.get_mut(count).filter(|_| count < most) else {
                return;
            };
            *slot = byte - b'0';
            count += 1;
            gap = 0;
        } else {
            if gap == 0 && count > 0 {
                group(digits.get(..count).unwrap_or_default(), next);
            }
            if !matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/' | b'+' | b'\t') || gap >= 3 {
                return;
            }
            gap += 1;
        }
        next += 1;
    }
}
