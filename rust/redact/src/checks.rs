//! Check digits. Each function takes digits as values 0 to 9 unless it says otherwise.
//!
//! Invariant: any number of digits will do; what is too short for a rule fails it, or its missing digits count as 0.

use std::slice::SliceIndex;

/// Weighted sum.
fn sum(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// The digit there; 0 where there is none.
fn digit(digits: &[u8], at: usize) -> u8 {
    digits.get(at).copied().unwrap_or_default()
}

/// The digits there; none where the range does not fit.
pub(super) fn part(digits: &[u8], range: impl SliceIndex<[u8], Output = [u8]>) -> &[u8] {
    digits.get(range).unwrap_or_default()
}

fn last(digits: &[u8]) -> u32 {
    digits.last().map_or(0, |digit| u32::from(*digit))
}

/// A number below 10^19 from its digits.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

fn alike(digits: &[u8]) -> bool {
    digits.iter().all(|digit| Some(digit) == digits.first())
}

/// ISO/IEC 7812-1 annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    luhn_sum(digits).is_multiple_of(10) && !alike(digits)
}

fn luhn_sum(digits: &[u8]) -> u32 {
    let double = |(index, digit): (usize, &u8)| {
        let value = u32::from(*digit) << (index % 2);
        if value > 9 { value - 9 } else { value }
    };
    digits.iter().rev().enumerate().map(double).sum()
}

/// ISO/IEC 7064 mod 97-10 as ISO 13616 uses it: over letters and digits, the first four moved to the end.
pub(super) fn iban(chars: &[u8]) -> bool {
    let Some((head, tail)) = chars.split_at_checked(4) else {
        return false;
    };
    let step = |rest: u32, byte: &u8| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.to_ascii_uppercase().saturating_sub(b'A')) + 10) % 97,
    };
    tail.iter().chain(head).fold(0, step) == 1
}

/// A day of a month, leap years left alone.
pub(super) fn date(month: u64, day: u64) -> bool {
    let most = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=most).contains(&day)
}

pub(super) fn yymmdd(digits: &[u8]) -> bool {
    digits.len() >= 6 && date(number(part(digits, 2..4)), number(part(digits, 4..6)))
}

/// US SSN: areas, groups and serials that are never given, and the numbers that were printed in advertisements.
pub(super) fn ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (number(part(digits, ..3)), number(part(digits, 3..5)), number(part(digits, 5..)));
    let printed = matches!(number(digits), 78_051_120 | 219_099_999 | 123_456_789 | 987_654_320..=987_654_329);
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && !printed && !alike(digits)
}

pub(super) fn itin(digits: &[u8]) -> bool {
    let group = number(part(digits, 3..5));
    digit(digits, 0) == 9 && (matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99))
}

pub(super) fn npi(digits: &[u8]) -> bool {
    // Luhn over the number with the prefix 80840 (ISO/IEC 7812 issuer of US health care): it adds 24.
    matches!(digit(digits, 0), 1 | 2) && (luhn_sum(digits) + 24).is_multiple_of(10)
}

pub(super) fn routing(digits: &[u8]) -> bool {
    let region = number(part(digits, ..2));
    matches!(region, 1..=12 | 21..=32 | 61..=72 | 80) && sum(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

pub(super) fn sin(digits: &[u8]) -> bool {
    !matches!(digit(digits, 0), 0 | 8) && luhn(digits)
}

pub(super) fn nhs(digits: &[u8]) -> bool {
    sum(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11) && !alike(digits)
}

pub(super) fn abn(digits: &[u8]) -> bool {
    let weights = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
    digit(digits, 0) != 0 && (sum(digits, &weights) - 10).is_multiple_of(89)
}

pub(super) fn acn(digits: &[u8]) -> bool {
    (10 - sum(part(digits, ..8), &[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10 == last(digits) && !alike(digits)
}

pub(super) fn tfn(digits: &[u8]) -> bool {
    sum(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && !alike(digits)
}

pub(super) fn medicare(digits: &[u8]) -> bool {
    matches!(digit(digits, 0), 2..=6)
        && sum(part(digits, ..8), &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(digit(digits, 8))
}

/// ISO/IEC 7064 mod 11,10; of the first ten digits one comes twice or three times.
pub(super) fn german_tax(digits: &[u8]) -> bool {
    let mut counts = [0; 10];
    for digit in part(digits, ..10) {
        if let Some(count) = counts.get_mut(usize::from(*digit)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let product = part(digits, ..10).iter().fold(10, |product, digit| {
        let sum = (u32::from(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    digit(digits, 0) != 0
        && repeated == 1
        && counts.iter().all(|count| *count <= 3)
        && (11 - product) % 10 == last(digits)
}

pub(super) fn lanr(digits: &[u8]) -> bool {
    digit(digits, 0) != 0 && (10 - sum(part(digits, ..6), &[4, 9, 4, 9, 4, 9]) % 10) % 10 == u32::from(digit(digits, 6))
}

fn quersumme(value: u32) -> u32 {
    value / 10 + value % 10
}

/// German pension insurance number: area, birth date, letter as two digits, serial, check digit.
pub(super) fn german_pension(text: &[u8]) -> bool {
    let Some(digits) = lettered(text) else {
        return false;
    };
    if digits.len() != 13 || !date(number(part(&digits, 4..6)), number(part(&digits, 2..4)) % 50) {
        return false;
    }
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let total: u32 = digits.iter().zip(weights).map(|(digit, weight)| quersumme(u32::from(*digit) * weight)).sum();
    total % 10 == last(&digits)
}

/// German health insurance number: a letter as two digits, eight digits, check digit.
pub(super) fn german_health(text: &[u8]) -> bool {
    let Some(digits) = lettered(text) else {
        return false;
    };
    let total: u32 = digits
        .iter()
        .take(10)
        .zip([1, 2, 1, 2, 1, 2, 1, 2, 1, 2])
        .map(|(digit, weight)| quersumme(u32::from(*digit) * weight))
        .sum();
    digits.len() == 11 && total % 10 == last(&digits)
}

/// Digits, with each letter as its two-digit position in the alphabet.
fn lettered(text: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len() + 2);
    for byte in text {
        match byte {
            b'0'..=b'9' => digits.push(byte - b'0'),
            b'A'..=b'Z' => digits.extend([(byte - b'A' + 1) / 10, (byte - b'A' + 1) % 10]),
            _ => return None,
        }
    }
    Some(digits)
}

/// ICAO 9303 part 3 §4.9: weights 7, 3, 1 over digits and letters (A is 10); the last is the check digit.
pub(super) fn icao(text: &[u8]) -> bool {
    let Some((check, body)) = text.split_last() else {
        return false;
    };
    let value = |byte: &u8| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' + 10 });
    let total: u32 = body.iter().zip([7, 3, 1].iter().cycle()).map(|(byte, weight)| value(byte) * weight).sum();
    check.is_ascii_digit() && total % 10 == u32::from(check - b'0')
}

/// The Spanish check letter of a number.
pub(super) fn spanish(number: u64, letter: u8) -> bool {
    b"TRWAGMYFPDXBNJZSQVHLCKE".get((number % 23) as usize) == Some(&letter)
}

/// The Finnish check character of birth date and serial.
pub(super) fn finnish(number: u64, check: u8) -> bool {
    b"0123456789ABCDEFHJKLMNPRSTUVWXY".get((number % 31) as usize) == Some(&check)
}

pub(super) fn eleven_test(digits: &[u8]) -> bool {
    let plus = sum(digits, &[9, 8, 7, 6, 5, 4, 3, 2, 0]);
    !alike(digits) && plus % 11 == last(digits)
}

pub(super) fn belgian(digits: &[u8]) -> bool {
    let (body, check) = (number(part(digits, ..9)), number(part(digits, 9..)));
    yymmdd(digits) && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

/// EAN-13.
pub(super) fn ean(digits: &[u8]) -> bool {
    sum(digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

pub(super) fn swiss(digits: &[u8]) -> bool {
    digits.starts_with(&[7, 5, 6]) && ean(digits)
}

pub(super) fn pesel(digits: &[u8]) -> bool {
    date(number(part(digits, 2..4)) % 20, number(part(digits, 4..6)))
        && sum(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

/// Ten digits from the year of two digits on; days over 60 are co-ordination numbers.
pub(super) fn swedish(digits: &[u8]) -> bool {
    let Some(ten) = digits.last_chunk::<10>() else {
        return false;
    };
    let century = digits.len() == 10 || matches!(number(part(digits, ..2)), 18..=20);
    century && date(number(&ten[2..4]), number(&ten[4..6]) % 60) && luhn(ten)
}

/// A Swedish organisation number: its third digit is two or more.
pub(super) fn swedish_org(digits: &[u8]) -> bool {
    digit(digits, 2) >= 2 && luhn(digits)
}

pub(super) fn norwegian(digits: &[u8]) -> bool {
    date(number(part(digits, 2..4)) % 40, number(part(digits, ..2)) % 40)
        && sum(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && sum(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn brazilian(digits: &[u8], weights: &[u32]) -> bool {
    let check = |count: usize, weights: &[u32]| {
        let rest = sum(part(digits, ..count), weights) % 11;
        (if rest < 2 { 0 } else { 11 - rest }) == u32::from(digit(digits, count))
    };
    let count = digits.len().saturating_sub(2);
    !alike(digits) && check(count, weights.get(1..).unwrap_or_default()) && check(count + 1, weights)
}

pub(super) fn cpf(digits: &[u8]) -> bool {
    brazilian(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

pub(super) fn cnpj(digits: &[u8]) -> bool {
    brazilian(digits, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

/// ISO/IEC 7064 mod 11-2 over seventeen digits, and the birth date within.
pub(super) fn chinese(digits: &[u8], check: u8) -> bool {
    let total = sum(digits, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let year = number(part(digits, 6..10));
    (1900..2100).contains(&year)
        && date(number(part(digits, 10..12)), number(part(digits, 12..14)))
        && b"10X98765432".get((total % 11) as usize) == Some(&check)
}

/// Verhoeff's permutation: applied once more for each position.
const STEP: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/// J. Verhoeff, Error Detecting Decimal Codes (1969): the dihedral group D5.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    let times = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let check = digits.iter().rev().enumerate().fold(0, |check, (index, digit)| {
        let mut value = usize::from(*digit);
        for _ in 0..index % 8 {
            value = STEP.get(value).copied().unwrap_or_default();
        }
        times(check, value)
    });
    check == 0 && !alike(digits)
}

pub(super) fn aadhaar(digits: &[u8]) -> bool {
    digit(digits, 0) >= 2 && verhoeff(digits) && !digits.iter().eq(digits.iter().rev())
}

/// Date, region, and the check digit that numbers given before October 2020 have.
pub(super) fn korean(digits: &[u8]) -> bool {
    let rest = sum(part(digits, ..12), &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11;
    let plus = if matches!(digit(digits, 6), 5..=8) { 13 } else { 11 };
    let checked = (plus - rest) % 10 == last(digits);
    // Since October 2020 the digits after the first of the second half are random.
    yymmdd(digits) && (checked || number(part(digits, ..2)) >= 20 && matches!(digit(digits, 6), 3 | 4 | 7 | 8))
}

pub(super) fn korean_resident(digits: &[u8]) -> bool {
    matches!(digit(digits, 6), 1..=4) && korean(digits)
}

pub(super) fn korean_foreigner(digits: &[u8]) -> bool {
    matches!(digit(digits, 6), 5..=8) && korean(digits)
}

pub(super) fn korean_business(digits: &[u8]) -> bool {
    let total = sum(part(digits, ..9), &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + u32::from(digit(digits, 8)) * 5 / 10;
    (10 - total % 10) % 10 == last(digits)
}

pub(super) fn thai(digits: &[u8]) -> bool {
    let total = sum(part(digits, ..12), &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    // Regions of the second and third digit (the province).
    let province = number(part(digits, 1..3));
    matches!(digit(digits, 0), 1..=8)
        && matches!(province, 10..=27 | 30..=58 | 60..=67 | 70..=77 | 80..=86 | 90..=96)
        && (11 - total % 11) % 10 == last(digits)
}

pub(super) fn turkish(digits: &[u8]) -> bool {
    let odd: u32 = part(digits, ..9).iter().step_by(2).map(|digit| u32::from(*digit)).sum();
    let even: u32 = part(digits, 1..8).iter().step_by(2).map(|digit| u32::from(*digit)).sum();
    let ten: u32 = part(digits, ..10).iter().map(|digit| u32::from(*digit)).sum();
    digit(digits, 0) != 0 && (odd * 7 + 90 - even) % 10 == u32::from(digit(digits, 9)) && ten % 10 == last(digits)
}

pub(super) fn south_african(digits: &[u8]) -> bool {
    yymmdd(digits) && matches!(digit(digits, 10), 0..=2) && luhn(digits)
}

pub(super) fn french(digits: &[u8]) -> bool {
    matches!(digit(digits, 0), 1 | 2)
        && matches!(number(part(digits, 3..5)), 1..=12 | 20..=42 | 50..=99)
        && 97 - number(part(digits, ..13)) % 97 == number(part(digits, 13..))
}

/// US DEA number: two letters and seven digits.
pub(super) fn dea(digits: &[u8]) -> bool {
    sum(part(digits, ..6), &[1, 2, 1, 2, 1, 2]) % 10 == last(digits) && !alike(digits)
}

/// The Singaporean check letter; foreigners of the series M have a table of their own.
pub(super) fn singaporean(series: u8, digits: &[u8], letter: u8) -> bool {
    let add = match series {
        b'T' | b'G' => 4,
        b'M' => 3,
        _ => 0,
    };
    let rest = ((sum(digits, &[2, 7, 6, 5, 4, 3, 2]) + add) % 11) as usize;
    let table: &[u8] = match series {
        b'S' | b'T' => b"JZIHGFEDCBA",
        b'F' | b'G' => b"XWUTRQPNMLK",
        _ => b"KLJNPQRTUWX",
    };
    table.get(rest) == Some(&letter)
}

pub(super) fn any(_: &[u8]) -> bool {
    true
}

/// Weights 2, 3, ... from the right, and a sum that eleven divides: the commonest mod 11.
pub(super) fn mod_11(digits: &[u8]) -> bool {
    let total: u32 = digits.iter().rev().zip(1..).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    digits.len() > 1 && total.is_multiple_of(11) && !alike(digits)
}
