//! Payment cards (ISO/IEC 7812): issuer ranges, the lengths that they give out, and the check digit.
//!
//! Invariant: without a word that names a card, only a number that passes issuer and check digit is one, and a run of
//! digits that is called an id is none.

use super::checks;
use super::context;
use super::hit::Hit;
use super::identity::{Grouped, NAMED};
use super::kinds::Kind;
use super::number::{called_id, leave};
use super::text::Text;

/// Issuer ranges, and the lengths that they give out.
fn issuer(digits: &[u8]) -> bool {
    let (two, three, four) = (
        checks::number(checks::part(digits, ..2)),
        checks::number(checks::part(digits, ..3)),
        checks::number(checks::part(digits, ..4)),
    );
    match (digits.first().copied().unwrap_or_default(), digits.len()) {
        (4, 13 | 16 | 19) => true,
        (6, 16..=19) => {
            matches!(two, 60 | 62 | 63 | 65 | 67) || (644..=649).contains(&three) || matches!(four, 6759 | 6761..=6763)
        }
        (5, 16) if (51..=55).contains(&two) => true,
        (2, 16) => (2200..=2204).contains(&four) || (2221..=2720).contains(&four),
        (2, 15) => matches!(four, 2131 | 2100),
        (1, 15) => four == 1800,
        (3, 15) => matches!(two, 34 | 37),
        (3, 14 | 16) => {
            matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39) || (3528..=3589).contains(&four)
        }
        (3, 17..=19) => (3528..=3589).contains(&four),
        (5, 12..=19) => matches!(two, 50 | 56..=58),
        (6, 12..=15) => matches!(four, 6304 | 6390) || two == 67,
        _ => false,
    }
}

/// The groups in which cards are printed.
fn printed(shape: &[u8]) -> bool {
    let groups = shape.iter().step_by(2);
    let of = |wanted: &[u8]| groups.clone().eq(wanted);
    of(b"4444")
        || of(b"465")
        || of(b"464")
        || of(b"445")
        || (shape.len() == 9 && groups.clone().take(4).eq(b"4444") && matches!(shape.last(), Some(b'1'..=b'3')))
}

/// Groups with one sign between them, the first of four digits.
fn uniform(shape: &[u8]) -> bool {
    let Some(sign) = shape.get(1) else { return false };
    let groups = || shape.iter().step_by(2);
    matches!(sign, b' ' | b'-')
        && shape.iter().skip(1).step_by(2).all(|other| other == sign)
        && shape.first() == Some(&b'4')
        && (3..=5).contains(&groups().count())
        && groups().all(|length| (b'1'..=b'7').contains(length))
}

/// What a number of one or more groups is, when it is a card.
pub(super) fn card(text: &Text<'_>, start: usize, end: usize, number: &Grouped<'_>) -> Option<Hit> {
    let (digits, plain) = (number.digits, number.shape.len() == 1);
    let grouped = plain || printed(number.shape) || uniform(number.shape);
    if !(12..=19).contains(&digits.len()) || !grouped {
        return None;
    }
    // UATP: fifteen digits from 1 on; too much else looks so.
    let uatp = digits.len() == 15 && digits.first() == Some(&1);
    let issued = checks::luhn(digits) && (issuer(digits) || uatp);
    let hit = if issued {
        // Nineteen digits without a sign are more often an id; a tenth of all pass the check.
        let base = if uatp {
            15
        } else if digits.len() > 16 && plain {
            30
        } else if plain && called_id(text, start) {
            leave(85, true)
        } else {
            85
        };
        text.hit(Kind::CARD, start, end, leave(base, number.weak), context::CARD)
    } else {
        None
    };
    // A time in milliseconds begins with 1, and no card does.
    let possible = digits.first() != Some(&1) || issuer(digits);
    if hit.is_some() || !possible || !text.named_by(start, end, context::CARD) {
        return hit;
    }
    text.hit(Kind::CARD, start, end, NAMED, 0)
}
