//! The shapes of secrets and personal data, each with its validator.
//!
//! A rule gets the bytes and the place that triggered it, looks a bounded way around, and gives kind, start and end.

/// Kind, start, end.
pub type Hit = Option<(&'static str, usize, usize)>;

fn run(bytes: &[u8], from: usize, most: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.get(from..).unwrap_or_default().iter().take(most).take_while(|byte| is(**byte)).count()
}

fn ends_token(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|after| !after.is_ascii_alphanumeric() && *after != b'_')
}

/// An addr-spec (RFC 5322 §3.4.1, dot-atom form) around an `@`.
pub fn email(bytes: &[u8], at: usize, free: usize) -> Hit {
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte) || byte >= 0x80;
    let border = at.saturating_sub(64).max(free);
    let mut start = at;
    while start > border && bytes.get(start - 1).is_some_and(|byte| local(*byte)) {
        start -= 1;
    }
    // What punctuates text around an address is not part of it; a character is not cut in two.
    while start < at && bytes.get(start).is_some_and(|byte| matches!(byte, b'.' | b'/' | b'=' | b'\'' | 0x80..0xc0)) {
        start += 1;
    }
    let domain =
        run(bytes, at + 1, 255, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || byte >= 0x80);
    let mut end = at + 1 + domain;
    while end > at + 1 && bytes.get(end - 1).is_some_and(|byte| matches!(byte, b'.' | b'-')) {
        end -= 1;
    }
    let name = bytes.get(at + 1..end)?;
    let last = name.iter().rposition(|byte| *byte == b'.')?;
    let top = name.get(last + 1..)?;
    let right =
        start < at && last > 0 && top.len() >= 2 && top.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    right.then_some(("email", start, end))
}

/// A run of digits, perhaps in groups: a card, a national phone number.
pub fn digits(bytes: &[u8], at: usize) -> Hit {
    card(bytes, at).or_else(|| national_phone(bytes, at))
}

/// 13 to 19 digits (ISO/IEC 7812-1), spaces or dashes (or a form's plus signs) between groups, a known first digit, and the Luhn check.
fn card(bytes: &[u8], at: usize) -> Hit {
    let mut digits = [0_u8; 19];
    let mut count = 0;
    let mut end = at;
    let mut next = at;
    let mut separator = 0;
    let mut best = None;
    while let Some(byte) = bytes.get(next) {
        if byte.is_ascii_digit() {
            let place = digits.get_mut(count)?;
            *place = byte - b'0';
            count += 1;
            next += 1;
            end = next;
        } else if matches!(byte, b' ' | b'-' | b'+')
            && (separator == 0 || separator == *byte)
            && bytes.get(next + 1).is_some_and(u8::is_ascii_digit)
        {
            separator = *byte;
            next += 1;
            if (13..=19).contains(&count) && luhn(&digits[..count]) {
                best = Some(end);
            }
        } else {
            break;
        }
    }
    let issuer = matches!(digits[0], 2..=6);
    if issuer && (13..=19).contains(&count) && luhn(&digits[..count]) && ends_token(bytes, end) {
        return Some(("payment_card", at, end));
    }
    best.filter(|_| issuer).map(|end| ("payment_card", at, end))
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(*digit) << (index % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}

/// E.164: a plus sign and 8 to 15 digits, with spaces, dots, dashes or brackets between groups.
pub fn international_phone(bytes: &[u8], at: usize) -> Hit {
    if at > 0 && bytes.get(at - 1).is_some_and(|before| before.is_ascii_alphanumeric() || *before == b'+') {
        return None;
    }
    let (count, end) = grouped(bytes, at + 1, 15)?;
    (count >= 8 && bytes.get(at + 1) != Some(&b'0') && ends_token(bytes, end)).then_some(("phone", at, end))
}

/// `(020) 7946 0958`, `(555) 010-9999`.
pub fn bracketed_phone(bytes: &[u8], at: usize) -> Hit {
    let area = run(bytes, at + 1, 6, |byte| byte.is_ascii_digit());
    if !(2..=5).contains(&area) || bytes.get(at + 1 + area) != Some(&b')') {
        return None;
    }
    let after = at + 2 + area;
    let gap = run(bytes, after, 1, |byte| matches!(byte, b' ' | b'-'));
    let (count, end) = grouped(bytes, after + gap, 10)?;
    (area + count >= 9 && count <= 9 && ends_token(bytes, end)).then_some(("phone", at, end))
}

/// Digits in groups that single separators part; how many, and where they end.
fn grouped(bytes: &[u8], from: usize, most: usize) -> Option<(usize, usize)> {
    let (mut count, mut next, mut end) = (0, from, from);
    while let Some(byte) = bytes.get(next) {
        if byte.is_ascii_digit() {
            count += 1;
            if count > most {
                return None;
            }
            next += 1;
            end = next;
        } else if matches!(byte, b' ' | b'-' | b'.' | b'(' | b')') && next - end < 2 {
            next += 1;
        } else {
            break;
        }
    }
    (count > 0).then_some((count, end))
}

/// National numbers are only told from other numbers by their grouping, or by a word before them.
fn national_phone(bytes: &[u8], at: usize) -> Hit {
    let (count, end) = grouped(bytes, at, 13)?;
    if !(9..=13).contains(&count) || !ends_token(bytes, end) {
        return None;
    }
    let text = bytes.get(at..end)?;
    if is_date_or_address(text) {
        return None;
    }
    let mut groups = [0_usize; 6];
    let mut used = 0;
    for group in text.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()) {
        *groups.get_mut(used)? = group.len();
        used += 1;
    }
    let groups = &groups[..used];
    let north_american = groups == [3, 3, 4] || (groups == [1, 3, 3, 4] && text[0] == b'1');
    let trunk = text[0] == b'0' && groups.len() >= 2 && (2..=5).contains(&groups[0]) && count >= 10;
    let named = context(bytes, at, &[b"phone", b"tel", b"call", b"mobile", b"cell", b"fax", b"whatsapp"]);
    (north_american || trunk || (named && count >= 9)).then_some(("phone", at, end))
}

/// `2026-11-24`, `10.0.0.1` and the like.
fn is_date_or_address(text: &[u8]) -> bool {
    let dots = memchr::memchr_iter(b'.', text).count();
    let year = text.get(..2).is_some_and(|two| two == b"19" || two == b"20")
        && text.get(4).is_some_and(|byte| matches!(byte, b'-' | b'.'));
    dots == 3 && !text.contains(&b' ') && !text.contains(&b'-') || year
}

/// Whether one of the words stands within 24 bytes before the place.
fn context(bytes: &[u8], at: usize, words: &[&[u8]]) -> bool {
    let before = bytes.get(at.saturating_sub(24)..at).unwrap_or_default().to_ascii_lowercase();
    words.iter().any(|word| before.windows(word.len()).any(|window| window == *word))
}

/// A PEM block of a private key (RFC 7468), to its end line, or to the end of the text when that is missing.
pub fn private_key(bytes: &[u8], at: usize) -> Hit {
    let rest = bytes.get(at..)?;
    if !rest.starts_with(b"-----BEGIN ") {
        return None;
    }
    let label = rest.get(11..rest.len().min(75))?;
    let label_end = label.windows(5).position(|five| five == b"-----")?;
    if !label.get(..label_end)?.ends_with(b"PRIVATE KEY") && !label.get(..label_end)?.ends_with(b"PRIVATE KEY BLOCK") {
        return None;
    }
    let end = memchr::memmem::find(rest, b"-----END ")
        .and_then(|end| {
            let tail = rest.get(end + 9..)?;
            Some(end + 9 + memchr::memmem::find(tail, b"-----")? + 5)
        })
        .unwrap_or(rest.len());
    Some(("private_key", at, at + end))
}

/// What begins with a letter: tokens, keys, IBANs.
pub fn word(bytes: &[u8], at: usize) -> Hit {
    let rest = bytes.get(at..)?;
    match rest.first()? {
        b'e' if rest.starts_with(b"eyJ") => jwt(bytes, at),
        b'B' | b'b' if rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"bearer ")) => bearer(bytes, at),
        b'A'..=b'Z' if rest.get(2).is_some_and(u8::is_ascii_digit) => iban(bytes, at),
        _ => None,
    }
    .or_else(|| api_key(bytes, at))
    .or_else(|| assignment(bytes, at))
}

/// Names whose assigned value is a secret whatever it looks like, and names whose value is one when it looks random.
const PASSWORDS: &[&str] = &["password", "passwd", "passphrase", "pwd"];
const TOKENS: &[&str] =
    &["secret", "token", "api_key", "apikey", "api-key", "access_key", "secret_key", "client_secret", "access_token"];

/// `password=value`, `"token": "value"`, `api_key: value`.
fn assignment(bytes: &[u8], at: usize) -> Hit {
    let rest = bytes.get(at..)?;
    let begins = |name: &&&str| rest.get(..name.len()).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let (name, always) = match PASSWORDS.iter().find(begins) {
        Some(name) => (name, true),
        None => (TOKENS.iter().filter(begins).max_by_key(|name| name.len())?, false),
    };
    let mut next = at + name.len();
    next += run(bytes, next, 1, |byte| matches!(byte, b'"' | b'\''));
    next += run(bytes, next, 2, |byte| byte == b' ');
    if !matches!(bytes.get(next), Some(b'=' | b':')) {
        return None;
    }
    next += 1;
    next += run(bytes, next, 3, |byte| matches!(byte, b' ' | b'"' | b'\''));
    let ends = |byte: u8| byte.is_ascii_whitespace() || b"\"'&;,<>)}]".contains(&byte);
    let length = run(bytes, next, 512, |byte| !ends(byte));
    let value = bytes.get(next..next + length)?;
    let random = length >= 12 && value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
    let masked = value.starts_with(b"[") || value.starts_with(b"%5B");
    (!masked && length >= 4 && (always || random)).then_some(("secret", next, next + length))
}

/// A JWS or JWE in compact form (RFC 7515 §7.1, RFC 7516 §7.1): its header is a JSON object.
fn jwt(bytes: &[u8], at: usize) -> Hit {
    let part = |from| run(bytes, from, 16_384, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let mut end = at + part(at);
    let mut parts = 1;
    while parts < 5 && bytes.get(end) == Some(&b'.') {
        end += 1 + part(end + 1);
        parts += 1;
    }
    (parts >= 3 && end - at >= 24).then_some(("jwt", at, end))
}

/// `Bearer` and a token68 (RFC 6750 §2.1).
fn bearer(bytes: &[u8], at: usize) -> Hit {
    let start = at + 7;
    let length = run(bytes, start, 16_384, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
    let token = bytes.get(start..start + length)?;
    // "Bearer token", "bearer of": a word of text is not a credential.
    let worded = token.iter().all(u8::is_ascii_alphabetic) && length < 20;
    (length >= 8 && !worded).then_some(("bearer", start, start + length))
}

/// ISO 13616: two letters, two check digits, up to 30 more, spaces between groups of four; mod 97 is 1.
fn iban(bytes: &[u8], at: usize) -> Hit {
    let mut chars = [0_u8; 34];
    let (mut count, mut next, mut end) = (0, at, at);
    let mut best = None;
    while let Some(byte) = bytes.get(next) {
        if byte.is_ascii_uppercase() || byte.is_ascii_digit() {
            let Some(place) = chars.get_mut(count) else {
                break;
            };
            *place = *byte;
            count += 1;
            next += 1;
            end = next;
            if count >= 15 && ends_token(bytes, end) && mod_97(&chars[..count]) {
                best = Some(end);
            }
        } else if matches!(byte, b' ' | b'+') && count % 4 == 0 && next == end {
            next += 1;
        } else {
            break;
        }
    }
    let shaped = chars[1].is_ascii_uppercase() && chars[2].is_ascii_digit() && chars[3].is_ascii_digit();
    best.filter(|_| shaped).map(|end| ("iban", at, end))
}

fn mod_97(chars: &[u8]) -> bool {
    let (head, tail) = chars.split_at(4);
    tail.iter().chain(head).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    }) == 1
}

/// Prefix, and how many characters of a key follow it at least and at most. As documented by their issuers.
const KEYS: &[(&str, usize, usize)] = &[
    ("AKIA", 16, 16),
    ("ASIA", 16, 16),
    ("ABIA", 16, 16),
    ("AIza", 35, 39),
    ("ya29.", 20, 512),
    ("github_pat_", 22, 255),
    ("ghp_", 30, 255),
    ("gho_", 30, 255),
    ("ghu_", 30, 255),
    ("ghs_", 30, 255),
    ("ghr_", 30, 255),
    ("glpat-", 20, 64),
    ("xoxb-", 10, 255),
    ("xoxp-", 10, 255),
    ("xoxa-", 10, 255),
    ("xoxr-", 10, 255),
    ("xoxs-", 10, 255),
    ("xapp-", 10, 255),
    ("sk_live_", 10, 255),
    ("sk_test_", 10, 255),
    ("rk_live_", 10, 255),
    ("rk_test_", 10, 255),
    ("pk_live_", 10, 255),
    ("whsec_", 16, 255),
    ("sk-", 20, 255),
    ("hf_", 30, 64),
    ("npm_", 36, 36),
    ("pypi-", 16, 512),
    ("SG.", 30, 100),
    ("gsk_", 30, 128),
    ("xai-", 40, 128),
];

fn api_key(bytes: &[u8], at: usize) -> Hit {
    let rest = bytes.get(at..)?;
    for (prefix, least, most) in KEYS {
        if rest.starts_with(prefix.as_bytes()) {
            let from = at + prefix.len();
            let aws = prefix.ends_with("IA");
            let key = |byte: u8| {
                if aws {
                    byte.is_ascii_uppercase() || byte.is_ascii_digit()
                } else {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
                }
            };
            let mut length = run(bytes, from, most + 1, key);
            while length > 0 && bytes.get(from + length - 1) == Some(&b'.') {
                length -= 1;
            }
            let mixed = aws || bytes.get(from..from + length)?.iter().any(u8::is_ascii_digit);
            return ((*least..=*most).contains(&length) && mixed).then_some(("api_key", at, from + length));
        }
    }
    None
}

/// `scheme://user:password@host`: the user information (RFC 3986 §3.2.1), when it holds a password.
pub fn url_credentials(bytes: &[u8], at: usize) -> Hit {
    if !bytes.get(at..)?.starts_with(b"://") {
        return None;
    }
    let start = at + 3;
    let length = run(bytes, start, 512, |byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'<' | b'>')
    });
    let authority = bytes.get(start..start + length)?;
    let sign = authority.iter().rposition(|byte| *byte == b'@')?;
    authority.get(..sign)?.contains(&b':').then_some(("url_credential", start, start + sign))
}
