//! Values that stand where a secret would and are none: names in words, paths, times, public keys, examples.
//!
//! Invariant: asked only under names that other things have too (a token, a key), never under a password's, since a
//! password may be any of these; and a value with one random part is none of them.

/// Whether a value under a token's or a key's name is something else than a secret.
#[inline(never)]
pub(super) fn stands_in(value: &[u8]) -> bool {
    in_words(value)
        || is_path(value)
        || is_time(value)
        || is_sequence(value)
        || repeats(value)
        || is_public(value)
        || is_told(value)
        || is_blank(value)
        || is_sentence(value)
        || is_parameter(value)
}

/// A part of a name: a word, a short number, or a word of one case with a short number behind it, as `v2`.
fn wordlike(part: &[u8], most: usize) -> bool {
    const WORD: usize = 16;
    const NUMBER: usize = 12;
    let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, number) = part.split_at(letters);
    let upper = word.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let one_case =
        upper == 0 || upper == word.len() || (upper == 1 && word.first().is_some_and(u8::is_ascii_uppercase));
    number.iter().all(u8::is_ascii_digit)
        && word.len() < WORD
        && (number.is_empty() || (word.is_empty() && number.len() < NUMBER) || (number.len() <= most && one_case))
}

fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| matches!(*byte, b'-' | b'_' | b'.' | b'/' | b':' | b'\\' | b'~' | b'@' | b'#' | b','))
}

/// A name of several words: `process.env.KEY2`, `user:12345:session:v2`, `1.2.3-beta4`.
fn in_words(value: &[u8]) -> bool {
    const DIGITS: usize = 2;
    parts(value).filter(|part| !part.is_empty()).nth(1).is_some() && parts(value).all(|part| wordlike(part, DIGITS))
}

/// A path from a root whose parts are words: `/run/secrets/db1`, `./server.pem`, `~/.ssh/id_ed25519`, `C:\keys\id`.
#[inline(never)]
pub(super) fn is_path(value: &[u8]) -> bool {
    const DIGITS: usize = 5;
    let rooted = match value {
        [b'/', ..] => memchr::memchr_iter(b'/', value).count() > 1,
        [b'~' | b'.', b'/', ..] | [b'.', b'.', b'/', ..] => true,
        [drive, b':', b'\\', ..] => drive.is_ascii_alphabetic(),
        _ => false,
    };
    rooted && parts(value).all(|part| wordlike(part, DIGITS))
}

/// A date, with or without a time (RFC 3339).
fn is_time(value: &[u8]) -> bool {
    let year = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    year == 4
        && value.get(4) == Some(&b'-')
        && value.len() <= 40
        && value.iter().all(|byte| {
            byte.is_ascii_digit() || matches!(*byte, b'-' | b':' | b'T' | b't' | b'Z' | b'z' | b'.' | b'+' | b' ')
        })
}

/// Letters and digits that follow each other as in the alphabet, up or down: nine of ten steps. Longer ones are keys that
/// somebody made up, and are treated as keys.
fn is_sequence(value: &[u8]) -> bool {
    const LONGEST: usize = 16;
    if value.len() > LONGEST {
        return false;
    }
    let step = |pair: &[u8]| match pair {
        [b'9', b'0'] | [b'0', b'9'] => true,
        [one, next] => one.is_ascii_alphanumeric() && one.to_ascii_lowercase().abs_diff(next.to_ascii_lowercase()) == 1,
        _ => false,
    };
    let steps = value.windows(2).filter(|pair| step(pair)).count();
    // Letters and digits in turns, each in their order: `1a2b3c4d`.
    let turns = value.windows(3).filter(|three| matches!(three, [one, _, next] if step(&[*one, *next]))).count();
    10 * steps >= 9 * value.len().saturating_sub(1) || turns + 2 >= value.len()
}

/// A parameter of a query behind a name: `st=2025-03-04T07:24:52Z`.
fn is_parameter(value: &[u8]) -> bool {
    value.iter().position(|byte| *byte == b'=').is_some_and(|sign| {
        let (name, rest) = value.split_at(sign);
        (1..=16).contains(&name.len())
            && name.iter().all(u8::is_ascii_lowercase)
            && is_time(rest.get(1..).unwrap_or_default())
    })
}

/// A short part again and again, three times at least.
fn repeats(value: &[u8]) -> bool {
    const TIMES: usize = 3;
    const PERIOD: usize = 8;
    (1..=PERIOD.min(value.len() / TIMES))
        .any(|period| value.iter().zip(value.iter().skip(period)).all(|(one, next)| one == next))
}

/// A key that is meant to be known, or the digest of something: by how it begins.
fn is_public(value: &[u8]) -> bool {
    // The first bytes of a public key (RFC 5280 §4.1, SubjectPublicKeyInfo) in base 64: Ed25519, X25519, P-256, RSA.
    const BEGIN: &[&[u8]] = &[
        b"MCowBQYDK2Vw",
        b"MCowBQYDK2Vu",
        b"MFkwEwYHKoZIzj0C",
        b"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ",
        b"MIICIjANBgkqhkiG9w0BAQEFAAOCAg",
        b"ssh-rsa AAAA",
        b"ssh-ed25519 AAAA",
        b"ecdsa-sha2-",
        b"arn:",
        b"pk_live_",
        b"pk_test_",
    ];
    let digest = |algorithm: &&[u8]| {
        value
            .strip_prefix(*algorithm)
            .and_then(|rest| rest.split_first())
            .is_some_and(|(sign, rest)| matches!(sign, b':' | b'-') && rest.len() >= 32 && is_base(rest))
    };
    BEGIN.iter().any(|begin| value.starts_with(begin))
        || [b"sha256".as_slice(), b"sha384", b"sha512", b"sha1", b"md5"].iter().any(digest)
}

fn is_base(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// It tells its reader to put another here: `replace-with-...`, `INSERT_KEY_1`, `example_key_1a`, `...Here`.
#[inline(never)]
pub(super) fn is_told(value: &[u8]) -> bool {
    const VERBS: &[&[u8]] =
        &[b"your", b"replace", b"insert", b"enter", b"put", b"paste", b"change", b"add", b"example"];
    // Behind such a word a part that is long and has digits may be a key all the same.
    const KEY: usize = 12;
    let random = |part: &[u8]| part.len() >= KEY && part.iter().any(u8::is_ascii_digit);
    if parts(value).any(random) {
        return false;
    }
    let part = |at: usize| value.split(|byte| matches!(byte, b'-' | b'_' | b' ' | b'.')).nth(at).unwrap_or_default();
    let first = part(0).to_ascii_lowercase();
    let here = value.len().checked_sub(4).and_then(|at| value.get(at..)).unwrap_or_default();
    (VERBS.contains(&first.as_slice()) && part(1).iter().all(u8::is_ascii_alphabetic) && !part(1).is_empty())
        || matches!(here, b"Here" | b"HERE")
        || memchr::memchr2_iter(b'-', b'_', value)
            .filter_map(|at| value.get(at..at + 6))
            .any(|part| matches!(part, b"-here-" | b"_here_" | b"_HERE_"))
}

/// A sign that stands for any other makes up most of it: `XXXXXXXX1234XXXXXXXX`.
#[inline(never)]
pub(super) fn is_blank(value: &[u8]) -> bool {
    let blanks = value.iter().filter(|byte| matches!(*byte, b'x' | b'X' | b'*' | b'#')).count();
    value.len() >= 8 && 5 * blanks >= 3 * value.len()
}

/// Words with spaces between, none of them long enough for a key.
fn is_sentence(value: &[u8]) -> bool {
    const KEY: usize = 16;
    value.contains(&b' ') && value.split(|byte| *byte == b' ').all(|word| word.len() < KEY)
}
