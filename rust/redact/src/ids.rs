//! Identifiers of letters and digits: IBANs, identity numbers with letters, crypto addresses.
//!
//! A word is turned into its pattern (`A` for letters, `0` for digits); the pattern selects what it can be.

use sha2::{Digest, Sha256};

use super::checks;
use super::classes::is_alphanumeric;
use super::context::{self, Contexts};
use super::hit::{Hit, better};
use super::kinds::Kind;
use super::text::Text;

const LONGEST: usize = 96;
/// Letters and digits of the shortest identifier; only groups have fewer.
const SHORTEST: usize = 6;

/// The better of a hit and of a word that begins at `start` and holds a digit.
pub(super) fn token(text: &Text<'_>, start: usize, best: Option<Hit>) -> Option<Hit> {
    // Part of a name with dashes or dots: only what has check digits of its own.
    if matches!(text.before(start), b'-' | b'.') && text.before(start.saturating_sub(1)).is_ascii_alphanumeric() {
        return better(best, iban(text, start));
    }
    let length = text.run(start, LONGEST + 1, is_alphanumeric);
    let end = start + length;
    // Most words with digits are short numbers: nothing is one unless groups follow or letters stand before.
    let joins = matches!(text.get(end), b'-' | b'+' | b' ') || text.before(start) == b' ';
    if length < SHORTEST && !joins {
        return best;
    }
    if length > LONGEST {
        return best;
    }
    if length >= 26 && text.ends(end) {
        return better(best, better(iban(text, start), crypto(text, start, end)));
    }
    let mut best = better(best, iban(text, start).or_else(|| nino(text, start)));
    if length < SHORTEST && !matches!(text.get(end), b'-' | b'+') {
        return best;
    }
    let whole = joined(text, start, end);
    if let Some(whole) = whole.as_ref().filter(|whole| whole.length >= SHORTEST) {
        best = identifier(text, start, whole.end, whole.bytes(), best);
    }
    // A sign joins a word to what has nothing to do with it, too: the word by itself.
    if (SHORTEST..=IDENTIFIER).contains(&length)
        && whole.is_some_and(|whole| whole.end != end)
        && text.ends(end)
        && text.get(end) != b'-'
        && let Some(word) = capitals(text, start, end)
    {
        best = identifier(text, start, end, word.bytes(), best);
    }
    best
}

/// Longest identifier, signs included.
const IDENTIFIER: usize = 20;

/// A word in capitals, with the words that dashes (or the Finnish century's plus sign) join to it.
struct Joined {
    bytes: [u8; IDENTIFIER],
    length: usize,
    end: usize,
}

impl Joined {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// `None` when it is longer than any identifier: the groups of a UUID, a name in kebab case.
fn joined(text: &Text<'_>, start: usize, end: usize) -> Option<Joined> {
    let mut end = end;
    while matches!(text.get(end), b'-' | b'+') && text.get(end + 1).is_ascii_alphanumeric() {
        end += 1 + text.run(end + 1, IDENTIFIER, is_alphanumeric);
        if end - start > IDENTIFIER {
            return None;
        }
    }
    capitals(text, start, end)
}

fn capitals(text: &Text<'_>, start: usize, end: usize) -> Option<Joined> {
    let mut joined = Joined { bytes: [0; IDENTIFIER], length: end - start, end };
    let written = text.slice(start, end);
    joined.bytes.get_mut(..written.len())?.copy_from_slice(written);
    joined.bytes.make_ascii_uppercase();
    Some(joined)
}

/// A word's pattern, and its digits as values, are in buffers of this many bytes.
type Buffer = [u8; IDENTIFIER];

/// `A` for letters, `0` for digits, signs as they are; and how many digits there are, with their values.
fn pattern(word: &[u8]) -> (Buffer, Buffer, usize) {
    let (mut pattern, mut digits, mut count) = ([0; IDENTIFIER], [0; IDENTIFIER], 0);
    for (slot, byte) in pattern.iter_mut().zip(word) {
        *slot = match byte {
            b'0'..=b'9' => {
                if let Some(digit) = digits.get_mut(count) {
                    *digit = byte - b'0';
                }
                count += 1;
                b'0'
            }
            b'A'..=b'Z' => b'A',
            other => *other,
        };
    }
    (pattern, digits, count)
}

/// The better of a hit and of what a word in capitals is.
fn identifier(text: &Text<'_>, start: usize, end: usize, word: &[u8], best: Option<Hit>) -> Option<Hit> {
    let (classes, digits, count) = pattern(word);
    let (Some(classes), Some(digits)) = (classes.get(..word.len()), digits.get(..count)) else {
        return best;
    };
    // Dates are not identifiers.
    if !text.ends(end) || count == 0 || matches!(classes, b"0000-00-00" | b"00-00-0000") {
        return best;
    }
    let mut best = best;
    let offer = |kind: Kind, base: u8, near: Contexts| best = text.rival(best, kind, start, end, base, near);
    patterns(word, classes, digits, offer);
    best
}

/// What each pattern can be, given to `offer` with how sure it is and the words that raise that.
fn patterns(word: &[u8], pattern: &[u8], digits: &[u8], mut offer: impl FnMut(Kind, u8, Contexts)) -> Option<()> {
    let (first, last) = (*word.first()?, *word.last()?);
    match pattern {
        b"A0000000A" => {
            if matches!(first, b'X' | b'Y' | b'Z') && checks::spanish(nie(first, digits), last) {
                offer(Kind::ES_NIE, 65, context::DOCUMENT);
            }
            if matches!(first, b'S' | b'T' | b'F' | b'G' | b'M') {
                let checked = checks::singaporean(first, digits, last);
                offer(Kind::SG_NRIC_FIN, if checked { 65 } else { 20 }, context::SINGAPORE);
            }
        }
        b"0000000A" | b"00000000A" | b"0000000-A" | b"00000000-A" => {
            if checks::spanish(checks::number(digits), last) {
                offer(Kind::ES_NIF, if word.len() > 8 { 50 } else { 20 }, context::DOCUMENT);
            }
            if pattern.len() == 9 && pattern.last() == Some(&b'A') && !word.contains(&b'-') {
                offer(Kind::SG_UEN, 15, context::SINGAPORE);
            }
        }
        b"000000000A" if matches!(checks::number(checks::part(digits, ..4)), 1800..=2099) => {
            offer(Kind::SG_UEN, 20, context::SINGAPORE);
        }
        b"A00AA0000A" if matches!(first, b'T' | b'S' | b'R') => offer(Kind::SG_UEN, 50, context::SINGAPORE),
        b"AA000000A" if nino_prefix(word) && matches!(last, b'A'..=b'D') => offer(Kind::UK_NINO, 75, 0),
        b"000000-000A" | b"000000-0000" | b"000000+000A" | b"000000+0000" | b"000000A000A" | b"000000A0000" => {
            let sign = word.get(6).copied()?;
            let day =
                checks::date(checks::number(checks::part(digits, 2..4)), checks::number(checks::part(digits, ..2)));
            let century = matches!(sign, b'-' | b'+' | b'A'..=b'F' | b'U'..=b'Y');
            let body = checks::number(checks::part(digits, ..9));
            if day && century && (2..=999).contains(&(body % 1000)) && checks::finnish(body, last) {
                offer(Kind::FI_PIC, 75, context::NORDIC);
            }
            if matches!(sign, b'+') && checks::swedish(digits) {
                offer(Kind::SE_PERSONNUMMER, 65, context::SWEDISH);
            }
        }
        b"AAAAAA00A00A000A" if b"ABCDEHLMPRST".contains(word.get(8)?) => offer(Kind::IT_FISCAL_CODE, 70, 0),
        b"00000000A000" if checks::german_pension(word) => offer(Kind::DE_SOCIAL_SECURITY, 65, context::GERMAN_SOCIAL),
        b"A000000000" if checks::german_health(word) => offer(Kind::DE_HEALTH_INSURANCE, 40, context::HEALTH),
        b"AA000000000" | b"AA-000-000-000" if word.starts_with(b"DE") => offer(Kind::DE_VAT_ID, 20, context::VAT),
        b"AAAAA0000A" if b"ABCFGHLJPT".contains(word.get(3)?) => offer(Kind::IN_PAN, 60, context::INDIA),
        b"00AAAAA0000A0A0" | b"00AAAAA0000A0AA" | b"00AAAAA0000AAAA" | b"00AAAAA0000AAA0"
            if word.get(13) == Some(&b'Z') && matches!(checks::number(checks::part(digits, ..2)), 1..=38 | 97 | 99) =>
        {
            offer(Kind::IN_GSTIN, 75, 0);
        }
        b"AAAA000000AAAAAA00" | b"AAAA000000AAAAAAA0" if matches!(word.get(10), Some(b'H' | b'M' | b'X')) => {
            offer(Kind::MX_CURP, 75, 0);
        }
        b"000000000000000000" | b"00000000000000000A" if checks::chinese(digits.get(..17)?, last) => {
            offer(Kind::CN_ID, 65, context::CHINESE | context::DOCUMENT);
        }
        b"AA0000000" if checks::dea(digits) => offer(Kind::MEDICAL_LICENSE, 25, context::DEA),
        b"AAAAA000000AA0AA" | b"AAAAA000000A90AA" | b"AAAAA000000AAAAA" | b"AAAAA000000A00AA" | b"AAAAA000000AA0A0"
            if matches!(checks::number(checks::part(digits, 1..3)) % 50, 1..=12) =>
        {
            offer(Kind::UK_DRIVING_LICENCE, 65, context::LICENSE);
        }
        _ => {}
    }
    if medicare(word) {
        offer(Kind::US_MBI, if word.len() > 11 { 75 } else { 45 }, context::MEDICARE);
    }
    if word.len() == 9 && first.is_ascii_alphabetic() && german_document(word) && checks::icao(word) {
        offer(Kind::DE_ID_CARD, 20, context::DOCUMENT | context::PASSPORT);
    }
    if (6..=10).contains(&word.len()) && digits.len() >= 5 && word.iter().all(u8::is_ascii_alphanumeric) {
        offer(Kind::PASSPORT, 11, context::PASSPORT);
    }
    if (6..=18).contains(&word.len()) && digits.len() >= 4 {
        offer(Kind::DRIVER_LICENSE, 10, context::LICENSE);
    }
    Some(())
}

fn nie(first: u8, digits: &[u8]) -> u64 {
    u64::from(first - b'X') * 10_000_000 + checks::number(digits)
}

/// Letters that German documents use: no vowels, nothing that looks like a digit.
fn german_document(word: &[u8]) -> bool {
    word.iter().all(|byte| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte))
}

/// Medicare beneficiary identifier: 1-9, letter, letter or digit, digit, letter, letter or digit, digit, two letters,
/// two digits; letters that look like digits are not used.
fn medicare(word: &[u8]) -> bool {
    let signs = memchr::memchr_iter(b'-', word).count();
    let signs_fit = signs == 0 || (signs == 2 && word.get(4) == Some(&b'-') && word.get(8) == Some(&b'-'));
    let plain = || word.iter().filter(|byte| **byte != b'-');
    let letter = |byte: u8| byte.is_ascii_uppercase() && !b"SLOIBZ".contains(&byte);
    signs_fit
        && plain().count() == 11
        && plain().zip(b"9AN9AN9AA99").enumerate().all(|(index, (byte, class))| match class {
            b'9' => byte.is_ascii_digit() && (index > 0 || *byte != b'0'),
            b'A' => letter(*byte),
            _ => letter(*byte) || byte.is_ascii_digit(),
        })
}

fn nino_prefix(word: &[u8]) -> bool {
    let (Some(a), Some(b)) = (word.first(), word.get(1)) else {
        return false;
    };
    let never: &[&[u8]] = &[b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
    !b"DFIQUV".contains(a) && !b"DFIOQUV".contains(b) && !never.contains(&[*a, *b].as_slice())
}

/// `AB 12 34 56 C`.
fn nino(text: &Text<'_>, start: usize) -> Option<Hit> {
    // The digits begin the word when a space stands after the letters.
    let start = if text.before(start) == b' ' && start >= 3 { start - 3 } else { start };
    if start < text.free || text.get(start + 2) != b' ' || !text.get(start).is_ascii_alphabetic() {
        return None;
    }
    let span = text.slice(start, start + 13);
    let shaped = span.len() == 13
        && span.iter().zip(b"AA 00 00 00 A").all(|(byte, class)| match class {
            b'A' => byte.is_ascii_alphabetic(),
            b'0' => byte.is_ascii_digit(),
            _ => *byte == b' ',
        })
        && text.begins(start)
        && text.ends(start + 13);
    if !shaped
        || !nino_prefix(&span.get(..2)?.to_ascii_uppercase())
        || !matches!(span.last()?.to_ascii_uppercase(), b'A'..=b'D')
    {
        return None;
    }
    text.hit(Kind::UK_NINO, start, start + 13, 75, 0)
}

/// Lengths of IBANs by country (SWIFT IBAN registry).
fn iban_length(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" | b"BI" => 16,
        b"DK" | b"FI" | b"FO" | b"GL" | b"NL" | b"SD" | b"FK" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"XK" | b"MN" => 20,
        b"CH" | b"CR" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"TL" | b"OM" | b"SO" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"DZ" | b"IR" | b"IS" | b"TR" => 26,
        b"CF" | b"CG" | b"CM" | b"DJ" | b"FR" | b"GA" | b"GQ" | b"GR" | b"IT" | b"KM" | b"MC" | b"MR" | b"SM"
        | b"TD" => 27,
        b"AL" | b"AZ" | b"BF" | b"BJ" | b"BY" | b"CI" | b"CY" | b"DO" | b"GT" | b"HN" | b"HU" | b"LB" | b"MA"
        | b"ML" | b"NI" | b"PL" | b"SN" | b"TG" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}

/// ISO 13616, whole or in groups of four with spaces or dashes.
fn iban(text: &Text<'_>, start: usize) -> Option<Hit> {
    let head = text.slice(start, start + 4);
    let [a, b, c, d] = head else {
        return None;
    };
    if !(a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return None;
    }
    let wanted = iban_length([a.to_ascii_uppercase(), b.to_ascii_uppercase()])?;
    let mut chars = [0_u8; 34];
    let (mut count, mut next) = (0, start);
    while count < wanted {
        let byte = text.get(next);
        if byte.is_ascii_alphanumeric() {
            *chars.get_mut(count)? = byte;
            count += 1;
        } else if !matches!(byte, b' ' | b'-' | b'+') || count % 4 != 0 || !text.get(next + 1).is_ascii_alphanumeric() {
            return None;
        }
        next += 1;
    }
    if !text.ends(next) || !checks::iban(chars.get(..count)?) {
        return None;
    }
    text.sure(Kind::IBAN, start, next)
}

/// `Base58Check` (Bitcoin, Litecoin, Dogecoin, Tron), Bech32 and Bech32m (BIP 173, BIP 350), Ethereum.
fn crypto(text: &Text<'_>, start: usize, end: usize) -> Option<Hit> {
    let word = text.slice(start, end);
    let right = match word {
        [b'0', b'x' | b'X', rest @ ..] if rest.len() == 40 => rest.iter().all(u8::is_ascii_hexdigit),
        [b'b' | b'B' | b't' | b'T' | b'l' | b'L', ..] if word.len() <= 90 && bech32(word) => true,
        [b'1' | b'3' | b'L' | b'M' | b'D' | b'T' | b'm' | b'n' | b'2', ..] if word.len() <= 35 => base58(word),
        _ => false,
    };
    if !right {
        return None;
    }
    text.hit(Kind::CRYPTO, start, end, 80, context::WALLET)
}

const NONE: u8 = u8::MAX;

/// What the letters of base 58 stand for.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a position outside would not compile")]
const BASE58: [u8; 256] = {
    let letters = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < letters.len() {
        values[letters[value] as usize] = value as u8;
        value += 1;
    }
    values
};

fn base58(word: &[u8]) -> bool {
    // A number of 28 bytes, the lowest word first, of which it may fill 25: it never becomes less.
    let mut words = [0_u32; 7];
    for letter in word {
        let value = BASE58.get(usize::from(*letter)).copied().unwrap_or(NONE);
        if value == NONE {
            return false;
        }
        let mut carry = u64::from(value);
        for word in &mut words {
            carry += u64::from(*word) * 58;
            *word = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            return false;
        }
    }
    let mut bytes = [0_u8; 28];
    for (four, word) in bytes.chunks_exact_mut(4).zip(words.iter().rev()) {
        four.copy_from_slice(&word.to_be_bytes());
    }
    let (above, bytes) = bytes.split_at(3);
    if above.iter().any(|byte| *byte != 0) {
        return false;
    }
    let (body, check) = bytes.split_at(21);
    let digest = Sha256::digest(Sha256::digest(body));
    digest.get(..4) == Some(check)
}

fn bech32(word: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = word.to_ascii_lowercase();
    let mixed = word.iter().any(u8::is_ascii_uppercase) && word.iter().any(u8::is_ascii_lowercase);
    let Some(sign) = lower.iter().rposition(|byte| *byte == b'1') else {
        return false;
    };
    let (head, data) = lower.split_at(sign);
    if mixed || !matches!(head, b"bc" | b"tb" | b"bcrt" | b"ltc" | b"tltc") {
        return false;
    }
    let step = |check: u32, value: u32| {
        let top = check >> 25;
        let next = (check & 0x01ff_ffff) << 5 ^ value;
        [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
            .iter()
            .enumerate()
            .fold(next, |next, (bit, generator)| if top >> bit & 1 == 1 { next ^ generator } else { next })
    };
    let mut check = head.iter().fold(1, |check, byte| step(check, u32::from(byte >> 5)));
    check = step(check, 0);
    check = head.iter().fold(check, |check, byte| step(check, u32::from(byte & 31)));
    for byte in data.iter().skip(1) {
        let Some(value) = ALPHABET.iter().position(|other| other == byte) else {
            return false;
        };
        check = step(check, value as u32);
    }
    data.len() > 7 && matches!(check, 1 | 0x2bc8_30a3)
}
