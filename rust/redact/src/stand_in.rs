//! Values that stand where a secret would and are none: names in words, paths, times, patterns, examples.
//!
//! Invariant: asked only under names that other things have too (a token, a key), never under a password's, since a
//! password may be any of these; and a value with one random part is none of them.

use super::public::is_public;

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
        || is_pattern(value)
}

/// A part of a name: a word, a short number, or a word of one case with a short number behind it, as `v2`.
fn wordlike(part: &[u8], most: usize) -> bool {
    const WORD: usize = 16;
    const NUMBER: usize = 12;
    let letters = part.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, number) = part.split_at(letters);
    number.iter().all(u8::is_ascii_digit)
        && word.len() < WORD
        && (number.is_empty()
            || (word.is_empty() && number.len() < NUMBER)
            || (number.len() <= most && has_one_case(word)))
}

/// Letters of one case, or a capital before small ones.
fn has_one_case(word: &[u8]) -> bool {
    let upper = word.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let letters = word.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    upper == 0 || upper == letters || (upper == 1 && word.first().is_some_and(u8::is_ascii_uppercase))
}

fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| matches!(*byte, b'-' | b'_' | b'.' | b'/' | b':' | b'\\' | b'~' | b'@' | b'#' | b','))
}

/// A name of several words: `process.env.KEY2`, `user:12345:session:v2`, `1.2.3-beta4`, `ctrl+shift+F12`.
fn in_words(value: &[u8]) -> bool {
    const DIGITS: usize = 2;
    // Base 64 has a plus too, and letters of both cases around it.
    let word = |part: &[u8]| match part.split(|byte| *byte == b'+').count() {
        1 => wordlike(part, DIGITS),
        _ => part.split(|byte| *byte == b'+').all(|one| wordlike(one, DIGITS) && has_one_case(one)),
    };
    parts(value).filter(|part| !part.is_empty()).nth(1).is_some() && parts(value).all(word)
        || value.contains(&b'+') && parts(value).all(word)
}

/// A file in a folder or a store, with its ending: `exports/2024-01-31T12-00-00Z/part-0001.parquet`. Its parts are short,
/// or digests.
pub(super) fn is_file(value: &[u8]) -> bool {
    const LONGEST: usize = 12;
    const ENDINGS: &[&[u8]] = &[
        b"avi",
        b"bin",
        b"bmp",
        b"cer",
        b"conf",
        b"cpp",
        b"crt",
        b"css",
        b"csv",
        b"doc",
        b"docx",
        b"gif",
        b"gz",
        b"heic",
        b"html",
        b"ico",
        b"ini",
        b"ipynb",
        b"java",
        b"jks",
        b"jpeg",
        b"jpg",
        b"js",
        b"json",
        b"jsonl",
        b"key",
        b"lock",
        b"log",
        b"md",
        b"mov",
        b"mp3",
        b"mp4",
        b"orc",
        b"p12",
        b"parquet",
        b"pdf",
        b"pem",
        b"pfx",
        b"php",
        b"png",
        b"pptx",
        b"properties",
        b"pub",
        b"py",
        b"rs",
        b"sql",
        b"svg",
        b"tar",
        b"tgz",
        b"toml",
        b"ts",
        b"tsx",
        b"txt",
        b"wav",
        b"webm",
        b"webp",
        b"xlsx",
        b"xml",
        b"yaml",
        b"yml",
        b"zip",
        b"zst",
    ];
    let Some(dot) = value.iter().rposition(|byte| *byte == b'.') else { return false };
    let (path, ending) = value.split_at(dot);
    ENDINGS.iter().any(|known| ending.get(1..).is_some_and(|ending| ending.eq_ignore_ascii_case(known)))
        && value.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':' | b'\\' | b'~' | b'@' | b'=' | b'%' | b' ')
        })
        && path
            .split(|byte| !byte.is_ascii_alphanumeric())
            .all(|part| part.len() <= LONGEST || part.iter().all(u8::is_ascii_alphabetic) || is_hex(part))
}

/// Digits and letters of hexadecimal numbers in one case.
pub(super) fn is_hex(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_hexdigit)
        && !(value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase))
}

/// A pattern that says which values there are: `[a-zA-Z0-9]{32}`, `^\w{20}$`.
fn is_pattern(value: &[u8]) -> bool {
    const CLASSES: &[&[u8]] = &[b"a-z", b"A-Z", b"0-9", b"a-f", b"A-F"];
    let class = value.iter().position(|byte| *byte == b'[').is_some_and(|open| {
        let rest = value.get(open + 1..).unwrap_or_default();
        let rest = rest.strip_prefix(b"^").unwrap_or(rest);
        CLASSES.iter().any(|class| rest.starts_with(class))
    });
    let escaped = |sign: &[u8]| memchr::memmem::find(value, sign).is_some();
    class || [b"\\w{".as_slice(), b"\\d{", b"\\w+", b"\\d+", b"\\S+"].into_iter().any(escaped)
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

/// Letters and digits that follow each other as in the alphabet, up or down: nine of ten steps. A longer one is a key that
/// somebody made up, and is treated as a key, unless it is the alphabet, the digits or both in their order, to its end.
pub(super) fn is_sequence(value: &[u8]) -> bool {
    const LONGEST: usize = 16;
    if value.len() > LONGEST {
        return is_alphabet(value);
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

/// The alphabet and the digits, each sign the one after that before it; behind the last of them they begin anew.
fn is_alphabet(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_alphanumeric)
        && value.windows(2).all(|pair| match pair {
            [b'0' | b'9', b'a' | b'A']
            | [b'9' | b'z' | b'Z', b'0']
            | [b'z' | b'Z', b'1']
            | [b'z', b'A']
            | [b'Z', b'a'] => true,
            [one, next] => one.is_ascii_alphanumeric() && *next == one + 1,
            _ => false,
        })
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

/// It tells its reader to put another here, or that it is none: `replace-with-...`, `INSERT_KEY_1`, `example_key_1a`,
/// `not-a-real-key`, `...Here`.
#[inline(never)]
pub(super) fn is_told(value: &[u8]) -> bool {
    const VERBS: &[&[u8]] = &[
        b"your",
        b"replace",
        b"insert",
        b"enter",
        b"put",
        b"paste",
        b"change",
        b"add",
        b"example",
        b"sample",
        b"dummy",
        b"fake",
        b"mock",
        b"placeholder",
    ];
    // Behind such a word a part that is long and has digits may be a key all the same.
    const KEY: usize = 12;
    let random = |part: &[u8]| part.len() >= KEY && part.iter().any(u8::is_ascii_digit);
    if parts(value).any(random) {
        return false;
    }
    let part = |at: usize| value.split(|byte| matches!(byte, b'-' | b'_' | b' ' | b'.')).nth(at).unwrap_or_default();
    let first = part(0).to_ascii_lowercase();
    let here = value.len().checked_sub(4).and_then(|at| value.get(at..)).unwrap_or_default();
    let unreal = first == b"not" && memchr::memmem::find(&value.to_ascii_lowercase(), b"real").is_some();
    unreal
        || (VERBS.contains(&first.as_slice()) && part(1).iter().all(u8::is_ascii_alphabetic) && !part(1).is_empty())
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
