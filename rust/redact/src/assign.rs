//! What a colon or an equals sign gives to a name: `password=...`, `"token": "..."`, `scheme://user:password@host`.

use super::hit::Hit;
use super::kinds::Kind;
use super::text::Text;
use super::{label, net, secrets};

/// What a name says of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// Nothing.
    Plain,
    /// A secret when it looks random.
    Token,
    /// A secret whatever it looks like.
    Password,
}

/// What names of passwords end in, without signs and in small letters; and of tokens.
const PASSWORDS: &[&[u8]] = &[b"password", b"passwd", b"passphrase", b"pwd", b"passwort", b"motdepasse", b"contrasena"];
const TOKENS: &[&[u8]] = &[
    b"token",
    b"secret",
    b"apikey",
    b"accesskey",
    b"secretkey",
    b"privatekey",
    b"clientsecret",
    b"accountkey",
    b"signature",
    b"authkey",
    b"encryptionkey",
    b"sharedaccesskey",
    b"accesskeyid",
    b"credential",
    b"credentials",
    b"subscriptionkey",
    b"signingkey",
    b"masterkey",
    b"sessionid",
    b"authorization",
    b"apisecret",
    b"connectionstring",
    b"sig",
    b"passcode",
    b"otp",
    b"pin",
];

/// What a name of a field or variable says of its value.
pub(super) fn name(name: &[u8]) -> Name {
    let mut plain = [0_u8; 40];
    let mut length = 0;
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        let Some(slot) = plain.get_mut(length) else {
            return Name::Plain;
        };
        *slot = byte.to_ascii_lowercase();
        length += 1;
    }
    let plain = plain.get(..length).unwrap_or_default();
    let Some(last) = plain.last() else {
        return Name::Plain;
    };
    // Most names end in no letter that one of these ends in.
    if PASSWORDS.iter().any(|end| end.last() == Some(last) && plain.ends_with(end)) {
        return Name::Password;
    }
    // Short words end many others: they count only whole.
    let is = |end: &[u8]| plain == end || (end.len() > 4 && plain.ends_with(end));
    if TOKENS.iter().any(|end| end.last() == Some(last) && is(end)) {
        return Name::Token;
    }
    Name::Plain
}

pub(super) fn colon(text: &Text<'_>, at: usize) -> Option<Hit> {
    if text.slice(at, at + 3) == b"://" {
        return url(text, at);
    }
    if text.get(at + 1) == b':' && text.before(at) != b':' && !text.before(at).is_ascii_hexdigit() {
        return net::colon(text, at);
    }
    net::colon(text, at).or_else(|| value(text, at))
}

/// Schemes of databases and brokers: the whole URL tells where the data is.
const DATABASES: &[&[u8]] = &[
    b"postgres",
    b"postgresql",
    b"mysql",
    b"mariadb",
    b"mongodb",
    b"mongodb+srv",
    b"redis",
    b"rediss",
    b"amqp",
    b"amqps",
    b"mssql",
    b"sqlserver",
    b"oracle",
    b"clickhouse",
    b"cassandra",
    b"cockroachdb",
    b"kafka",
    b"nats",
    b"snowflake",
    b"neo4j",
    b"bolt",
    b"influxdb",
    b"couchdb",
    b"db2",
    b"redshift",
    b"memcached",
    b"valkey",
    b"libsql",
];

/// `scheme://user:password@host`: the user information (RFC 3986 §3.2.1), when it holds a password.
fn url(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = at + 3;
    let end = start
        + text.run(start, 512, |byte| {
            (byte.is_ascii_graphic() || byte >= 0x80) && !matches!(byte, b'"' | b'<' | b'>' | b'\'' | b'`' | b'\\')
        });
    let whole = text.slice(start, end);
    // A password may hold `/`, `?` or `#` that nobody encoded; the host may not.
    let authority = whole.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(whole.len());
    let sign = whole.get(..authority)?.iter().rposition(|byte| *byte == b'@').or_else(|| {
        let colon = whole.iter().position(|byte| *byte == b':')?;
        let sign = whole.iter().position(|byte| *byte == b'@')?;
        (colon < sign && colon < authority && !whole.get(colon + 1)?.is_ascii_digit()).then_some(sign)
    })?;
    let user = whole.get(..sign)?;
    let colon = user.iter().position(|byte| *byte == b':')?;
    let password = user.get(colon + 1..)?;
    if password.is_empty() || placeholder(password) || label::is_mask(password) {
        return None;
    }
    let scheme = text.back(at, 16, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    // Drivers are named after a plus sign: postgresql+asyncpg.
    let name = text.slice(scheme, at).to_ascii_lowercase();
    let base = name.split(|byte| *byte == b'+').next().unwrap_or_default();
    if DATABASES.contains(&name.as_slice()) || DATABASES.contains(&base) {
        let mut close = end;
        while close > start && matches!(text.get(close - 1), b'.' | b',' | b';' | b')' | b']' | b'}') {
            close -= 1;
        }
        return text.sure(Kind::DATABASE_URL, scheme, close);
    }
    text.sure(Kind::URL_CREDENTIALS, start, start + sign)
}

/// The value after a sign, when the name before it says that it is a secret.
pub(super) fn value(text: &Text<'_>, at: usize) -> Option<Hit> {
    let sign = text.get(at);
    // `==`, `!=`, `=>`, `:=`: the last of the two gives, or nothing does.
    if matches!(text.get(at + 1), b'=' | b'~') || matches!(text.before(at), b'=' | b'!' | b'<' | b'>' | b'~') {
        return None;
    }
    let mut close = text.back(at, 2, |byte| byte == b' ');
    close = text.back(close, 2, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b']' | b':'));
    let start = text.back(close, 41, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let name_says = match text.slice(start, close) {
        name if name.is_empty() || name.len() > 40 => Name::Plain,
        written => name(written),
    };
    if name_says == Name::Plain || label::inside_mask(text.bytes, start) {
        return None;
    }
    let mut from = at + 1;
    if text.get(from) == b'>' {
        from += 1;
    }
    let spaces = text.run(from, 4, |byte| byte == b' ');
    from += spaces;
    let quote = text.run(from, 2, |byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\'));
    from += quote;
    // A scheme of authorization.
    let word = text.run(from, 12, |byte| byte.is_ascii_alphabetic());
    let scheme = text.slice(from, from + word);
    if text.get(from + word) == b' '
        && [b"bearer".as_slice(), b"basic", b"token"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    {
        from += word + 1;
    }
    let open = if quote > 0 { text.get(from.saturating_sub(1)) } else { 0 };
    let ends = |byte: u8| match open {
        b'"' | b'\'' | b'`' => byte == open || byte == b'\n' || byte == b'\\',
        _ => byte.is_ascii_whitespace() || b"\"'&;,<>)}]`\\".contains(&byte),
    };
    let mut end = from + text.run(from, 512, |byte| !ends(byte));
    if label::mask_end(text.bytes, from).is_some() {
        return None;
    }
    // What stands for another value ends this one, however the label is written.
    let written = text.slice(from, text.bytes.len().min(end + label::LONGEST));
    end = label::first_mask(written).map_or(end, |mask| end.min(from + mask));
    if let Some(hit) = secrets::known(text, from)
        && hit.end >= end
    {
        return Some(hit);
    }
    while open == 0 && end > from && matches!(text.get(end - 1), b'.' | b'!' | b'?' | b':') {
        end -= 1;
    }
    let value = text.slice(from, end);
    let quoted = quote > 0;
    let secret = match name_says {
        Name::Password => {
            // In running text, "password: something" need not be one.
            let prose = sign == b':' && spaces > 0 && !quoted;
            value.len() >= 4 && (!prose || mixed(value)) && !(open == 0 && expression(value))
        }
        _ => value.len() >= 8 && random(value) && !expression(value),
    };
    if !secret || placeholder(value) {
        return None;
    }
    text.sure(Kind::SECRET, from, end)
}

/// Letters with digits or signs among them.
fn mixed(value: &[u8]) -> bool {
    value.iter().any(|byte| !byte.is_ascii_alphabetic()) && value.iter().any(|byte| !byte.is_ascii_punctuation())
}

/// A call, an index, a variable, a path: code, not a value.
fn expression(value: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    value.iter().any(|byte| matches!(byte, b'(' | b'{' | b'|'))
        || matches!(value.first(), Some(b'$' | b'%' | b'<' | b'{' | b'@'))
        || value.iter().take_while(|byte| word(byte)).count() < value.len() && value.contains(&b'[')
        || (value.contains(&b'.')
            && value.iter().all(word)
            && value.split(|byte| *byte == b'.').all(|part| part.len() < 24 && !part.iter().any(u8::is_ascii_digit)))
}

/// Values that stand for one that is left out.
fn placeholder(value: &[u8]) -> bool {
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
        b"xxxx",
    ];
    let lower = value.to_ascii_lowercase();
    let first = value.first();
    value.iter().all(|byte| Some(byte) == first)
        || WORDS.contains(&lower.as_slice())
        || lower.starts_with(b"your")
        || lower.starts_with(b"my_")
        || lower.starts_with(b"<")
        || lower.starts_with(b"${")
        || lower.starts_with(b"{{")
        || lower.iter().all(|byte| matches!(byte, b'*' | b'x' | b'.' | b'-' | b'_'))
}

/// Whether a value looks random: by its classes of characters and its entropy (Shannon, in bits a character).
pub(super) fn random(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let upper = value.iter().any(u8::is_ascii_uppercase);
    let lower = value.iter().any(u8::is_ascii_lowercase);
    let classes = usize::from(digits > 0) + usize::from(upper) + usize::from(lower);
    let mut counts = [0_u16; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = value.len() as f32;
    let entropy: f32 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f32::from(*count) / length;
            -share * share.log2()
        })
        .sum();
    // A number is a count of tokens, an expiry, an id; words in kebab or snake case are names.
    let (letters, least) = (value.len() - digits, if value.len() >= 16 { 3.0 } else { 2.5 });
    letters >= 2 && classes >= 2 && (digits > 0 || value.len() >= 16) && entropy >= least
}
