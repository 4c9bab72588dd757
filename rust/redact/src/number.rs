//! Numbers in groups: payment cards, telephone numbers, identity numbers.
//!
//! A number is read once, as digits and as a shape (`3-2-4`: group lengths and the signs between); tables of shapes and
//! check digits then say what it can be. A bare run of digits is an identity number only with a context word, or when
//! it is all that a text says: ids and timestamps look alike.

use super::checks;
use super::context::{self, Contexts};
use super::hit::{Hit, better};
use super::kinds::Kind;
use super::text::Text;

const DIGITS: usize = 20;
const GROUPS: usize = 7;

/// A number, as far as it reaches.
struct Number {
    digits: [u8; DIGITS],
    /// For each group: digits up to its end, its end, and the shape's length up to it.
    groups: [(usize, usize, usize); GROUPS],
    count: usize,
    shape: [u8; 2 * GROUPS],
}

/// Read groups of digits; group lengths above nine are letters from `a` (ten) in the shape.
fn read(text: &Text<'_>, at: usize) -> Option<Number> {
    let mut number = Number { digits: [0; DIGITS], groups: [(0, 0, 0); GROUPS], count: 0, shape: [0; 2 * GROUPS] };
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
        *number.groups.get_mut(number.count)? = (digits, next, shape + 1);
        number.count += 1;
        let sign = text.get(next);
        if !matches!(sign, b' ' | b'-' | b'.' | b'/' | b'+') || !text.get(next + 1).is_ascii_digit() {
            break;
        }
        if let Some(slot) = number.shape.get_mut(shape + 1) {
            // A form that is quoted in another text writes its spaces so.
            *slot = if sign == b'+' { b' ' } else { sign };
        }
        next += 1;
    }
    (number.count > 0).then_some(number)
}

/// The better of a hit and of a number of one or more groups that may stand by itself.
pub(super) fn digits(text: &Text<'_>, at: usize, best: Option<Hit>) -> Option<Hit> {
    let Some(number) = left(text, at).then(|| read(text, at)).flatten() else {
        return best;
    };
    let mut best = best;
    // The longest first: where it is sure, the shorter ones need not be weighed.
    for (index, (count, end, shape)) in number.groups.iter().enumerate().take(number.count).rev() {
        let (digits, shape) = (number.digits.get(..*count)?, number.shape.get(..*shape)?);
        let whole = index + 1 == number.count;
        if *count < 7 || !right(text, *end, whole) {
            continue;
        }
        best = better(best, card(text, at, *end, digits, shape));
        if let Some(base) = national(digits, shape) {
            best = text.rival(best, Kind::PHONE, at, *end, base, context::PHONE);
        }
        if whole || number.shape.get(2 * index + 1) == Some(&b' ') {
            best = identity(text, at, *end, digits, shape, best);
        }
    }
    best
}

/// Whether a number may begin here: not within a decimal, a version, a UUID, an amount of money.
fn left(text: &Text<'_>, at: usize) -> bool {
    match text.before(at) {
        b'.' | b',' => !text.before(at - 1).is_ascii_alphanumeric(),
        // `visa-4111...` may; the last group of a UUID may not.
        b'-' => {
            let word = text.back(at - 1, 16, |byte| byte.is_ascii_alphanumeric());
            let word = text.slice(word, at - 1);
            word.iter().all(u8::is_ascii_alphabetic)
                && (word.is_empty() || word.iter().any(|byte| !byte.is_ascii_hexdigit()))
        }
        b'$' | b'#' => false,
        _ => true,
    }
}

fn right(text: &Text<'_>, end: usize, whole: bool) -> bool {
    let after = text.get(end + 1);
    text.ends(end)
        && match text.get(end) {
            b'.' | b',' | b'/' | b'%' => !after.is_ascii_digit(),
            b'-' => !after.is_ascii_alphanumeric(),
            b' ' => whole || after.is_ascii_digit(),
            _ => true,
        }
}

/// Issuer ranges, and the lengths that they give out.
fn issuer(digits: &[u8]) -> bool {
    let (two, three, four) = (
        checks::number(checks::part(digits, ..2)),
        checks::number(checks::part(digits, ..3)),
        checks::number(checks::part(digits, ..4)),
    );
    match (digits.first().copied().unwrap_or_default(), digits.len()) {
        (4, 13 | 16 | 19) | (6, 16..=19) => true,
        (5, 16) if (51..=55).contains(&two) => true,
        (2, 16) => (2200..=2204).contains(&four) || (2221..=2720).contains(&four),
        (3, 15) => matches!(two, 34 | 37),
        (3, 14 | 16) => {
            matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39) || (3528..=3589).contains(&four)
        }
        (3, 17..=19) => (3528..=3589).contains(&four),
        (5, 13..=19) => matches!(two, 50 | 56..=58),
        (6, 13..=15) => matches!(four, 6304 | 6390 | 6759 | 6761..=6763),
        _ => false,
    }
}

fn card(text: &Text<'_>, start: usize, end: usize, digits: &[u8], shape: &[u8]) -> Option<Hit> {
    if !(13..=19).contains(&digits.len()) || !checks::luhn(digits) {
        return None;
    }
    let grouped = if shape.len() == 1 {
        true
    } else {
        let sign = shape.get(1).copied()?;
        let groups = || shape.iter().step_by(2);
        matches!(sign, b' ' | b'-')
            && shape.iter().skip(1).step_by(2).all(|other| *other == sign)
            && shape.first() == Some(&b'4')
            && (3..=5).contains(&groups().count())
            && groups().all(|length| (b'1'..=b'7').contains(length))
    };
    // UATP: fifteen digits from 1 on; too much else looks so.
    let travel = digits.len() == 15 && digits.first() == Some(&1);
    if !grouped || !(issuer(digits) || travel) {
        return None;
    }
    // Nineteen digits without a sign are more often an id; a tenth of all pass the check.
    let base = if travel {
        15
    } else if digits.len() > 16 && shape.len() == 1 {
        30
    } else {
        85
    };
    text.hit(Kind::CARD, start, end, base, context::CARD)
}

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
        b"3 3 4" | b"3 3-4" if american(digits) => 35,
        b"1-3-3-4" | b"1 3 3 4" | b"1.3.3.4" if first == 1 && american(checks::part(digits, 1..)) => 65,
        b"2.2.2.2.2" | b"2 2 2 2 2" if first == 0 => 60,
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
        _ if spaced && (7..=12).contains(&count) && !(count == 8 && groups == 3) => 11,
        b"2 5-4" | b"2 4-4" => 15,
        _ => return None,
    })
}

/// Identity numbers of digits only: how many, the shapes in which signs part them and how sure each makes, how sure a
/// bare run makes, the check, and the context.
struct Rule {
    kind: Kind,
    count: usize,
    shapes: &'static [(&'static [u8], u8)],
    bare: u8,
    check: fn(&[u8]) -> bool,
    near: Contexts,
}

macro_rules! rules {
    ($($kind:ident $count:literal [$($shape:literal $base:literal),*] $bare:literal $check:ident $near:expr;)*) => {
        &[$(Rule {
            kind: Kind::$kind, count: $count, shapes: &[$(($shape, $base)),*], bare: $bare, check: checks::$check, near: $near,
        },)*]
    };
}

/// 15 to 20: standing alone is enough; 10 to 12: only a context word is.
const RULES: &[Rule] = rules! {
    CA_SIN 9 [b"3-3-3" 60, b"3 3 3" 35] 20 sin context::SIN;
    US_SSN 9 [b"3-2-4" 80, b"3 2 4" 45, b"3.2.4" 45] 16 ssn context::SSN;
    US_ITIN 9 [b"3-2-4" 70, b"3 2 4" 45] 16 itin context::ITIN;
    AU_TFN 9 [b"3 3 3" 30, b"3-3-3" 30] 15 tfn context::TFN;
    AU_ACN 9 [b"3 3 3" 32, b"3-3-3" 32] 17 acn context::ACN;
    DE_BSNR 9 [] 12 any context::DOCTOR;
    DE_LANR 9 [] 18 lanr context::DOCTOR;
    NL_BSN 9 [b"4.2.3" 60] 12 eleven_test context::DUTCH;
    US_BANK_ROUTING 9 [] 12 routing context::ROUTING;
    UK_NHS 10 [b"3 3 4" 60, b"3-3-4" 45] 17 nhs context::NHS;
    US_NPI 10 [] 12 npi context::NPI;
    AU_MEDICARE 10 [b"4 5 1" 60, b"4-5-1" 60] 16 medicare context::MEDICARE;
    KR_BRN 10 [b"3-2-5" 65] 16 korean_business context::KOREA;
    SE_PERSONNUMMER 10 [b"6-4" 65] 17 swedish context::SWEDISH;
    SE_PERSONNUMMER 12 [b"8-4" 70] 18 swedish context::SWEDISH;
    SE_ORG 10 [b"6-4" 45] 12 swedish_org context::SWEDISH;
    DE_TAX_NUMBER 10 [b"2/3/5" 45] 10 any context::GERMAN_TAX;
    DE_TAX_NUMBER 11 [b"3/3/5" 45, b"3/4/4" 45] 10 any context::GERMAN_TAX;
    DE_TAX_NUMBER 10 [b"2/4/4" 45] 10 any context::GERMAN_TAX;
    DE_TAX_NUMBER 13 [] 11 any context::GERMAN_TAX;
    DE_TAX_ID 11 [b"2 3 3 3" 60] 18 german_tax context::GERMAN_TAX;
    AU_ABN 11 [b"2 3 3 3" 60] 17 abn context::ABN;
    TR_NATIONAL_ID 11 [] 20 turkish context::TURKISH;
    PL_PESEL 11 [] 17 pesel context::POLISH;
    BR_CPF 11 [b"3.3.3-2" 80] 15 cpf context::BRAZIL;
    NO_FNR 11 [b"6 5" 60, b"6-5" 60] 19 norwegian context::NORDIC;
    NG_NIN 11 [] 16 verhoeff context::NIGERIA;
    BE_NN 11 [b"2.2.2-3.2" 80] 17 belgian context::DOCUMENT;
    IT_VAT_CODE 11 [] 12 luhn context::VAT;
    IN_AADHAAR 12 [b"4 4 4" 60, b"4-4-4" 60] 18 aadhaar context::AADHAAR;
    PH_TIN 12 [b"3-3-3-3" 45] 12 any context::PHILIPPINES;
    PH_TIN 9 [b"3-3-3" 12] 12 any context::PHILIPPINES;
    KR_DRIVER_LICENSE 12 [b"2-2-6-2" 45] 12 any context::LICENSE;
    KR_RRN 13 [b"6-7" 80] 18 korean_resident context::KOREA;
    KR_FRN 13 [b"6-7" 80] 18 korean_foreigner context::KOREA;
    TH_TNIN 13 [b"1-4-5-2-1" 75, b"1 4 5 2 1" 75] 18 thai context::THAI;
    ZA_ID_NUMBER 13 [] 19 south_african context::AFRICA;
    CH_AHV 13 [b"3.4.4.2" 80] 18 swiss context::DOCUMENT;
    BR_CNPJ 14 [b"2.3.3/4-2" 85] 15 cnpj context::BRAZIL;
    FR_NIR 15 [b"1 2 2 2 3 3 2" 85] 19 french context::FRENCH;
};

fn identity(text: &Text<'_>, start: usize, end: usize, digits: &[u8], shape: &[u8], best: Option<Hit>) -> Option<Hit> {
    let mut best = best;
    for rule in RULES.iter().filter(|rule| rule.count == digits.len()) {
        let base = if shape.len() == 1 {
            Some(rule.bare)
        } else {
            rule.shapes.iter().find(|(wanted, _)| *wanted == shape).map(|(_, base)| *base)
        };
        if let Some(base) = base
            && (rule.check)(digits)
        {
            best = text.rival(best, rule.kind, start, end, base, rule.near);
        }
    }
    best
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
    if matches!(text.before(at), b'+' | b'/' | b'=') && text.before(at) != b'=' || !text.begins(at) {
        return None;
    }
    let mut best = None;
    grouped(text, at + 1, 15, |digits, end| {
        if (9..=15).contains(&digits.len()) && digits.first() != Some(&0) && country(digits) && text.ends(end) {
            best = Some(end);
        }
    });
    text.hit(Kind::PHONE, at, best?, 85, 0)
}

/// `(020) 7946 0958`, `(415)555-0132`, `(11) 98456-5666`.
pub(super) fn bracketed(text: &Text<'_>, at: usize) -> Option<Hit> {
    let area = text.run(at + 1, 6, |byte| byte.is_ascii_digit());
    if !(2..=5).contains(&area) || text.get(at + 1 + area) != b')' || !text.begins(at) {
        return None;
    }
    let mut best = None;
    grouped(text, at, 11, |digits, end| {
        let shaped = match area {
            3 if digits.first() != Some(&0) => american(digits),
            2 if digits.first() != Some(&0) => matches!(digits.len(), 10 | 11),
            _ => digits.first() == Some(&0) && (9..=11).contains(&digits.len()),
        };
        if shaped && digits.len() > area && text.ends(end) {
            best = Some(end);
        }
    });
    text.hit(Kind::PHONE, at, best?, 70, 0)
}

/// Read digits in groups, and call `group` at the end of each.
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
        } else if matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/' | b'+') && gap < 2 {
            if gap == 0 && count > 0 {
                group(digits.get(..count).unwrap_or_default(), next);
            }
            gap += 1;
        } else {
            if gap == 0 && count > 0 {
                group(digits.get(..count).unwrap_or_default(), next);
            }
            return;
        }
        next += 1;
    }
}
