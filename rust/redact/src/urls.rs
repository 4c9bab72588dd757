//! URLs: user information that holds a password, databases and brokers, and links that let in whoever has them.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::assign::template;
use super::hit::Hit;
use super::kinds::Kind;
use super::label;
use super::text::Text;
use super::values::{keylike, placeholder};

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
pub(super) fn url(text: &Text<'_>, at: usize) -> Option<Hit> {
    credentials(text, at).or_else(|| link(text, at))
}

fn credentials(text: &Text<'_>, at: usize) -> Option<Hit> {
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
    if password.is_empty() || placeholder(password) || template(password) || label::is_mask(password) {
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

/// What a segment of a path begins with whose next one is a token: `/reset/...`, `/invite/...`.
const LINKS: &[&[u8]] = &[
    b"reset",
    b"confirm",
    b"verif",
    b"invit",
    b"activat",
    b"magic",
    b"recover",
    b"unlock",
    b"unsubscribe",
    b"password",
    b"hook",
    b"webhook",
    b"token",
    b"signin",
    b"sso",
    b"callback",
    b"share",
];

static FINDER: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(LINKS).ok());

/// Shortest token of a link.
const TOKEN: usize = 16;

/// The end of a URL that begins at `start`. It goes on behind a label, however that is written: a password that was
/// masked, or an address.
fn link_end(text: &Text<'_>, start: usize) -> usize {
    const LONGEST: usize = 512;
    let mut end = start;
    while end - start < LONGEST {
        end += text.run(end, LONGEST - (end - start), |byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~' | b':' | b'%' | b'@' | b'+' | b'=')
        });
        match label::mask_end(text.bytes, end) {
            Some(behind) => end = behind,
            None => break,
        }
    }
    end
}

/// The token of a link: a random segment behind one that says what it does.
fn link(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = at + 3;
    let end = link_end(text, start);
    let path = start + text.slice(start, end).iter().position(|byte| *byte == b'/')? + 1;
    if !text.slice(path, end).split(|byte| *byte == b'/').any(|segment| segment.len() >= TOKEN) {
        return None;
    }
    let mut says = false;
    let mut from = path;
    for segment in text.slice(path, end).split(|byte| *byte == b'/') {
        let random = segment.len() >= TOKEN && label::first_mask(segment).is_none() && keylike(segment);
        if says && random {
            return text.sure(Kind::SECRET, from, from + segment.len());
        }
        let head = segment.get(..segment.len().min(16)).unwrap_or_default();
        // Without the list any segment may say it.
        says = says || FINDER.as_ref().is_none_or(|links| links.is_match(head));
        from += segment.len() + 1;
    }
    None
}
