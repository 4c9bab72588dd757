//! What a value looks like: random, a placeholder, or a piece of code.

use super::names::Name;
use super::shapes;
use super::stand_in;

/// Letters with digits or signs among them.
pub(super) fn mixed(value: &[u8]) -> bool {
    value.iter().any(|byte| !byte.is_ascii_alphabetic()) && value.iter().any(|byte| !byte.is_ascii_punctuation())
}

/// A call, an index, a variable, a path: code, not a value.
pub(super) fn expression(value: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    let name = value.iter().take_while(|byte| word(byte)).count();
    let called =
        name > 0 && matches!(value.get(name), Some(b'(' | b'[')) && value.first().is_some_and(u8::is_ascii_alphabetic);
    let variable = match value {
        [b'$' | b'%' | b'@' | b'<', next, ..] => {
            next.is_ascii_alphabetic() || matches!(next, b'{' | b'(' | b'_' | b'%')
        }
        [b'{' | b'(' | b'[', ..] => true,
        _ => false,
    };
    variable
        || called
        || is_member(value)
        || (value.contains(&b'.')
            && value.iter().all(word)
            && value.split(|byte| *byte == b'.').all(|part| part.len() < 24 && !part.iter().any(u8::is_ascii_digit)))
}

/// A member of what programs keep their settings in: `process.env.DB_PASSWORD2`, `config.db.password1`.
fn is_member(value: &[u8]) -> bool {
    const OBJECTS: &[&[u8]] = &[
        b"process",
        b"config",
        b"configuration",
        b"settings",
        b"env",
        b"os",
        b"self",
        b"this",
        b"args",
        b"argv",
        b"props",
        b"params",
        b"options",
        b"opts",
        b"req",
        b"request",
        b"ctx",
        b"context",
        b"secrets",
        b"vars",
        b"var",
        b"local",
        b"data",
        b"state",
        b"import",
        b"app",
        b"conf",
        b"cfg",
        b"credentials",
        b"creds",
    ];
    let mut names = value.split(|byte| *byte == b'.');
    let object = names.next().unwrap_or_default();
    let name = |name: &[u8]| {
        const LONGEST: usize = 32;
        (1..=LONGEST).contains(&name.len())
            && name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            && name.iter().filter(|byte| byte.is_ascii_digit()).count() <= 2
    };
    OBJECTS.contains(&object) && value.contains(&b'.') && names.all(name)
}

/// Values that stand for one that is left out.
pub(super) fn placeholder(value: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[
        b"none",
        b"null",
        b"true",
        b"false",
        b"nil",
        b"undefined",
        b"string",
        b"str",
        b"text",
        b"required",
        b"optional",
        b"password",
        b"secret",
        b"token",
        b"changeme",
        b"example",
        b"redacted",
        b"hidden",
        b"unset",
        b"empty",
        b"integer",
        b"number",
        b"bool",
        b"boolean",
        b"object",
        b"bytes",
        b"self",
        b"this",
        b"value",
        b"pass",
        b"passwd",
        b"user",
        b"username",
        b"your",
        b"password123?",
        b"masked",
        b"incorrect",
        b"invalid",
        b"wrong",
        b"missing",
        b"expired",
        b"protected",
        b"forgotten",
        b"option",
        b"flag",
        b"argument",
        b"parameter",
        b"field",
        b"prompt",
        b"default",
        b"file",
        b"env",
        b"manager",
        b"policy",
        b"todo",
        b"n/a",
        b"auto",
        b"later",
        b"confirm",
        b"unknown",
        b"disabled",
        b"enabled",
        b"xxxx",
    ];
    let lower = value.to_ascii_lowercase();
    let first = value.first();
    value.iter().all(|byte| Some(byte) == first)
        || WORDS.contains(&lower.as_slice())
        || lower.starts_with(b"your")
        || lower.starts_with(b"my_")
        || lower.starts_with(b"<")
        || lower.starts_with(b"&lt;")
        || is_path(&lower)
        || memchr::memchr_iter(b'_', &lower).any(|at| {
            let (before, after) = lower.split_at(at);
            before.ends_with(b"your") || after.starts_with(b"_here")
        })
        || lower.chunk_by(|one, next| one == next).any(|run| run.len() >= 5 && matches!(run, [b'x' | b'#' | b'*', ..]))
        || lower.starts_with(b"${")
        || lower.starts_with(b"{{")
        || lower.iter().all(|byte| matches!(byte, b'*' | b'x' | b'.' | b'-' | b'_'))
}

/// A path, a selector, a name of what asks for a password.
fn is_path(value: &[u8]) -> bool {
    let digits = value.iter().any(u8::is_ascii_digit);
    let slashes = memchr::memchr_iter(b'/', value).count();
    (value.starts_with(b"/") && slashes > 1 && (!digits || stand_in::is_path(value)))
        || (!digits && memchr::memmem::find(value, b"password").is_some() && value.len() > 8)
}

/// Whether a value looks random: by its classes of characters and its entropy (Shannon, in bits a character).
pub(super) fn random(value: &[u8]) -> bool {
    let (mut digits, mut upper, mut lower, mut signs) = (0, 0, 0, 0);
    for byte in value {
        digits += usize::from(byte.is_ascii_digit());
        upper += usize::from(byte.is_ascii_uppercase());
        lower += usize::from(byte.is_ascii_lowercase());
        signs += usize::from(matches!(
            *byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'^'
                | b'&'
                | b'*'
                | b'+'
                | b'='
                | b'~'
                | b'?'
                | b'@'
                | b'{'
                | b'}'
                | b'('
                | b')'
                | b'['
                | b']'
                | b'<'
                | b'>'
        ));
    }
    let classes = usize::from(digits > 0) + usize::from(upper > 0) + usize::from(lower > 0) + usize::from(signs >= 2);
    // A number is a count of tokens, an expiry, an id; words in kebab or snake case are names.
    if upper + lower < 2 || classes < 2 || (digits == 0 && value.len() < 16) {
        return false;
    }
    let mut counts = [0_u16; 256];
    // Which bytes there are: values have few.
    let mut held = [0_u64; 4];
    for byte in value {
        if let (Some(count), Some(word)) = (counts.get_mut(usize::from(*byte)), held.get_mut(usize::from(byte / 64))) {
            *count += 1;
            *word |= 1 << (byte % 64);
        }
    }
    let length = value.len() as f32;
    let mut entropy = 0.0_f32;
    for (word, mut held) in held.into_iter().enumerate() {
        while held != 0 {
            let byte = word * 64 + held.trailing_zeros() as usize;
            held &= held - 1;
            let share = f32::from(counts.get(byte).copied().unwrap_or_default()) / length;
            entropy += -share * share.log2();
        }
    }
    entropy >= if value.len() >= 16 { 3.0 } else { 2.5 }
}

/// A name in words: every part is a word or a short number, as in `jackson-core-0.11.2`.
pub(super) fn words(value: &[u8]) -> bool {
    value.split(|byte| matches!(byte, b'-' | b'_' | b'.' | b'/' | b':')).all(|part| {
        let digits = part.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (part.iter().all(u8::is_ascii_alphabetic) && part.len() < 20) || (digits == part.len() && part.len() < 12)
    })
}

/// Digits that are more than any count, time or size has.
pub(super) fn is_long_number(value: &[u8]) -> bool {
    (15..=40).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

/// A UUID (RFC 9562 §4): under a name that says little it is an object's.
fn uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether a value looks like a key where its name alone says little: long, mixed, and no name in words.
pub(super) fn keylike(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let other = value.iter().any(|byte| {
        !(byte.is_ascii_alphanumeric()
            || matches!(
                *byte,
                b'-' | b'_' | b'+' | b'/' | b'=' | b'.' | b'~' | b'%' | b':' | b'$' | b'@' | b'!' | b'#' | b'*' | b'^'
            ))
    });
    value.len() >= 16
        && (digits >= 2 || (digits == 1 && shapes::is_mixed(value)))
        && !other
        && !words(value)
        && memchr::memmem::find(value, b"://").is_none()
        && random(value)
        && !stand_in::stands_in(value)
        && !value.split(|byte| matches!(byte, b'_' | b',')).all(uuid)
}

/// Whether a field's whole value is a secret by what its name says.
pub(super) fn is_secret(value: &[u8], says: Name) -> bool {
    let shown = || !placeholder(value) && !value.contains(&b' ');
    match says {
        Name::Plain => false,
        // Their fields are secret whatever is in them, where that is certain.
        Name::Password | Name::Header => value.len() >= 4 && shown() && !expression(value),
        Name::Code => (3..=8).contains(&value.len()) && value.iter().all(u8::is_ascii_digit),
        Name::Token => {
            value.len() >= 8
                && value.len() <= 4096
                && (random(value) || is_long_number(value))
                && !words(value)
                && !stand_in::stands_in(value)
                && shown()
                && !expression(value)
        }
        Name::Key => value.len() <= 4096 && keylike(value) && !placeholder(value),
    }
}
