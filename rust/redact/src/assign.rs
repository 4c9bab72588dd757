//! What a colon or an equals sign gives to a name: `password=...`, `"token": "..."`, `scheme://user:password@host`.
//!
//! Invariant: a look to either side is bounded; code (a call, a variable, a template) and words that stand for a value
//! that was left out are no values; a label ends the value before it.

use super::classes::is_url;
use super::hit::Hit;
use super::kinds::Kind;
use super::names::{self, Name, says};
use super::secrets;
use super::text::Text;
use super::values::{expression, is_long_number, keylike, mixed, placeholder, random, words};
use super::{encoded, fallbacks, fields, label, net, stand_in, urls};

pub(super) fn colon(text: &Text<'_>, at: usize) -> Option<Hit> {
    if text.slice(at, at + 3) == b"://" {
        return urls::url(text, at);
    }
    if text.get(at + 1) == b':' && text.before(at) != b':' && !text.before(at).is_ascii_hexdigit() {
        return net::colon(text, at);
    }
    net::colon(text, at)
        .or_else(|| value(text, at))
        .or_else(|| fields::pgpass(text, at))
        .or_else(|| encoded::data_url(text, at))
}

/// A name before a sign: where it begins, and what it says.
struct Named {
    start: usize,
    says: Name,
    /// It stands between quotes that close after it, or without any.
    closed: bool,
}

pub(super) fn is_name(byte: u8) -> bool {
    is_url(byte) || byte == b'.' || byte >= 0x80
}

/// The name that ends before `end`, with the quotes and brackets behind it.
fn named(text: &Text<'_>, end: usize) -> Named {
    let mut close = text.back(end, 8, |byte| matches!(byte, b' ' | b'\t'));
    let quotes = close;
    close = text.back(close, 4, |byte| matches!(byte, b'"' | b'\'' | b'\\' | b']' | b')' | b'`' | b'*' | b'>'));
    let start = text.back(close, names::LONGEST + 1, is_name);
    let written = text.slice(start, close);
    // `var token string =`, `password: str =`: a type stands between.
    if matches!(written, b"string" | b"String" | b"str" | b"text" | b"char" | b"SecretStr" | b"const")
        && close == quotes
    {
        let gap = text.back(start, 4, |byte| matches!(byte, b' ' | b':' | b'*'));
        if gap < start {
            let first = text.back(gap, names::LONGEST + 1, is_name);
            return Named { start: first, says: says(text.slice(first, gap)), closed: true };
        }
    }
    if written.last().is_some_and(u8::is_ascii_digit) && written.iter().all(u8::is_ascii_digit) {
        // `Unseal Key 2:`: the name stands before its number. By itself a number says nothing.
        let numbers = written.len() <= 2 && text.before(start) == b' ';
        let first = if numbers { text.back(start - 1, names::LONGEST + 1, is_name) } else { start };
        let says = if numbers { says(text.slice(first, start - 1)) } else { Name::Plain };
        return Named { start: first, says, closed: true };
    }
    let name = match written.iter().rposition(|byte| *byte == b'.') {
        // A scanner's token, by its property.
        Some(_) if written.to_ascii_lowercase().ends_with(b"sonar.login") => b"token".as_slice(),
        // What is passed on: `config.facebook.key`, `-Dsonar.login`.
        Some(dot) => written.get(dot + 1..).unwrap_or_default(),
        None => written,
    };
    let says = if name.len() > names::LONGEST { Name::Plain } else { says(name) };
    // A parameter of a link or of a form in a text.
    let parameter = matches!(text.before(start), b'?' | b'&')
        && matches!(
            name,
            b"code"
                | b"state"
                | b"t"
                | b"st"
                | b"ticket"
                | b"invite"
                | b"k"
                | b"s"
                | b"h"
                | b"hmac"
                | b"policy"
                | b"Policy"
        );
    let says = if says == Name::Plain && parameter { Name::Key } else { says };
    let says = if says == Name::Plain && names::values_a_pair(name) { fields::pair(text, start, end) } else { says };
    let says = if says == Name::Plain && name == b"default" { fallbacks::variable(text, start) } else { says };
    let opened = matches!(text.before(start), b'"' | b'\'' | b'`');
    Named { start, says, closed: !opened || close < quotes }
}

/// The value after a sign, when the name before it says that it is a secret.
pub(super) fn value(text: &Text<'_>, at: usize) -> Option<Hit> {
    const MASKED: usize = 64;
    const SHOWN: usize = 4;
    let sign = text.get(at);
    // `==`, `:=`, `=>`: the last of two signs gives.
    if matches!(text.get(at + 1), b'=' | b'~') || (sign == b':' && text.get(at + 1) == b':') {
        return None;
    }
    let before =
        text.back(at, 4, |byte| matches!(byte, b'=' | b'!' | b':' | b'?' | b'+') || (byte == b'.' && sign == b'='));
    if matches!(text.before(at), b'<' | b'>' | b'~') {
        return None;
    }
    let compared = matches!(text.before(at), b'=' | b'!');
    let name = named(text, before);
    if name.says == Name::Plain || label::inside_mask(text.bytes, name.start) {
        return None;
    }
    let mut from =
        at + 1 + usize::from(text.get(at + 1) == b'>' || text.get(at + 1) == b'*' && text.get(at + 2) != b'*');
    // Markdown's emphasis; a longer run stands for what somebody else masked, who may show its last signs.
    let stars = text.run(from, MASKED, |byte| byte == b'*');
    if stars > 3 && text.run(from + stars, SHOWN + 1, |byte| byte.is_ascii_graphic()) <= SHOWN {
        return None;
    }
    from += if stars > 3 { stars } else { stars.min(2) };
    let spaces = text.run(from, 24, |byte| matches!(byte, b' ' | b'\t'));
    from += spaces;
    if matches!(text.get(from), b'\n' | b'\r' | b'|' | b'>') && sign == b':' {
        return fields::block(text, name.start, from, name.says);
    }
    // `const apiKey =` and the value below, as formatters break long lines.
    if sign == b'=' && matches!(text.get(from), b'\n' | b'\r') {
        let line = text.run(from, 48, |byte| byte.is_ascii_whitespace());
        from += if matches!(text.get(from + line), b'"' | b'\'' | b'`') { line } else { 0 };
    }
    from += usize::from(text.get(from) == b'@' && matches!(text.get(from + 1), b'"'));
    let (open, quoted) = quotes(text, from)?;
    // The quote that opened before the name closes: `"Password:"`.
    if quoted > 0 && spaces == 0 && !name.closed {
        return None;
    }
    if compared && quoted == 0 {
        return None;
    }
    if quoted > 0 && is_concatenated(text, at, open, from + quoted) {
        return None;
    }
    if quoted == 0
        && let Some((from, open)) = fallbacks::after_operator(text, from)
    {
        return given(text, from, open, &Given { says: name.says, prose: false, quoted: true });
    }
    from += quoted;
    // A header's value ends with its line, or with the text in quotes that the header stands in.
    let around = text.before(name.start);
    let open = if name.says == Name::Header && quoted == 0 && matches!(around, b'"' | b'\'') { around } else { open };
    given(
        text,
        from,
        open,
        &Given { says: name.says, prose: sign == b':' && spaces > 0 && quoted == 0, quoted: quoted > 0 },
    )
    .filter(|hit| !(hit.kind == Kind::SECRET && sign == b':' && quoted == 0 && spaces == 0 && hit.end - hit.start < 6))
}

/// The quote that opens a value at `at`, 0 for none, and how many bytes it takes; `None` when nothing stands between.
fn quotes(text: &Text<'_>, at: usize) -> Option<(u8, usize)> {
    let escapes = text.run(at, 3, |byte| byte == b'\\');
    let open = text.get(at + escapes);
    if !matches!(open, b'"' | b'\'' | b'`') {
        return Some((0, 0));
    }
    let count = text.run(at + escapes, 3, |byte| byte == open);
    // Two of them hold nothing, three open a text of several lines.
    (count != 2 && !(escapes > 0 && text.get(at + escapes + 1) == b'\\')).then_some((open, escapes + count))
}

/// Whether the quote behind a sign closes a text in which the sign stands, and code goes on: `"password = " + given`.
fn is_concatenated(text: &Text<'_>, sign: usize, quote: u8, after: usize) -> bool {
    const LINE: usize = 200;
    if !matches!(text.get(after), b'+' | b' ' | b',' | b')' | b';' | b'.' | b'&') {
        return false;
    }
    let start = text.back(sign, LINE, |byte| byte != b'\n');
    // Of a line that is longer nobody knows where its texts begin.
    sign - start < LINE && memchr::memchr_iter(quote, text.slice(start, sign)).count() % 2 == 1
}

/// How much of a value is read to tell what it is, and how far it is read on when that is a secret.
const READ: usize = 512;
const LONGEST: usize = 16_384;

/// What is known of a value before it is read.
pub(super) struct Given {
    pub says: Name,
    /// In running text, "password: something" need not be one.
    pub prose: bool,
    pub quoted: bool,
}

/// The value at `from`, when it is a secret. `open`: the quote before it, 0 for none.
pub(super) fn given(text: &Text<'_>, from: usize, open: u8, given: &Given) -> Option<Hit> {
    if label::mask_end(text.bytes, from).is_some() {
        return None;
    }
    let scheme = scheme(text, from);
    let from = if scheme > 0 && given.says != Name::Password { from + scheme } else { from };
    let header = given.says == Name::Header;
    let ends = |byte: u8| match open {
        b'"' | b'\'' | b'`' => byte == open || byte == b'\n' || byte == b'\\',
        _ if header => matches!(byte, b'\n' | b'\r' | b'`' | b'\\' | b'<'),
        // Brackets may stand in a password; those around it are taken off below.
        _ if given.says == Name::Password => {
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'&' | b';' | b',' | b'<' | b'`' | b'\\')
        }
        _ => {
            byte.is_ascii_whitespace()
                || matches!(byte, b'"' | b'\'' | b'&' | b';' | b',' | b'<' | b'>' | b')' | b'}' | b']' | b'`' | b'\\')
        }
    };
    let mut end = from + text.run(from, READ, |byte| !ends(byte));
    // What stands for another value ends this one, however the label is written.
    let written = text.slice(from, text.bytes.len().min(end + label::LONGEST));
    end = label::first_mask(written).map_or(end, |mask| end.min(from + mask));
    if let Some(hit) = secrets::known(text, from)
        && hit.end >= end
    {
        return Some(hit);
    }
    while end > from
        && (text.get(end - 1) == b' ' || (open == 0 && matches!(text.get(end - 1), b'.' | b'!' | b'?' | b':')))
    {
        end -= 1;
    }
    while open == 0 && end > from && closes(text.slice(from, end)) {
        end -= 1;
    }
    let value = text.slice(from, end);
    // All that its line says after the name.
    let alone = given.prose && matches!(text.get(end), b'\n' | b'\r' | 0);
    let secret = is_secret(value, given, alone, scheme > 0) && !placeholder(value);
    // A long value is read on only when it is one.
    if secret && end - from + 12 >= READ && end < text.bytes.len() {
        let more = text.run(end, LONGEST, |byte| !ends(byte));
        let rest = text.slice(end, text.bytes.len().min(end + more + label::LONGEST));
        end += label::first_mask(rest).map_or(more, |mask| more.min(mask));
    }
    secret.then(|| text.sure(Kind::SECRET, from, end)).flatten()
}

/// Whether a value ends in a bracket that nothing in it opens.
fn closes(value: &[u8]) -> bool {
    let open = match value.last() {
        Some(b')') => b'(',
        Some(b']') => b'[',
        Some(b'}') => b'{',
        Some(b'>') => b'<',
        _ => return false,
    };
    !value.contains(&open)
}

fn is_secret(value: &[u8], given: &Given, alone: bool, scheme: bool) -> bool {
    let code = |least: usize| value.len() >= least && value.len() <= 8 && value.iter().all(u8::is_ascii_digit);
    match given.says {
        Name::Plain => false,
        Name::Password => {
            let shown = !given.prose || alone || mixed(value);
            value.len() >= 4
                && shown
                && (given.quoted || !expression(value))
                && value.iter().any(u8::is_ascii_alphanumeric)
                && !template(value)
        }
        Name::Code => code(3) || (value.len() >= 6 && random(value) && !expression(value)),
        Name::Header => {
            let cookie = value.contains(&b'=') && value.len() >= 6;
            !template(value)
                && (cookie
                    || (scheme && value.len() >= 6)
                    || value.split(|byte| *byte == b' ').any(|word| word.len() >= 8 && random(word)))
        }
        Name::Key => {
            (keylike(value) || (given.quoted && secrets::is_pair(value)))
                && !template(value)
                && (given.quoted || !expression(value))
        }
        Name::Token => {
            value.len() >= 8
                && (random(value) || is_long_number(value))
                && !words(value)
                && !stand_in::stands_in(value)
                && !template(value)
                && (given.quoted || !expression(value))
        }
    }
}

/// A place for a value: `${KEY}`, `{{ key }}`, `<key>`, `%KEY%`.
pub(super) fn template(value: &[u8]) -> bool {
    let pair = |open: &[u8], close: &[u8]| value.starts_with(open) && value.ends_with(close) && value.len() < 64;
    let value = value.strip_prefix(b"'").unwrap_or(value);
    let variable = value.starts_with(b"$(") || value.starts_with(b"${") || value.starts_with(b"{{");
    variable
        || pair(b"${", b"}")
        || pair(b"{{", b"}}")
        || pair(b"<", b">")
        || pair(b"%", b"%")
        || pair(b"$(", b")")
        || pair(b"{", b"}")
        || (pair(b"@", b"@") && value.len() > 4 && value.iter().all(|byte| is_name(*byte) || *byte == b'@'))
        || is_tag(value)
        || (value.first() == Some(&b'$') && is_variable(value))
}

/// A tag of YAML that says where the value is: Ansible, Home Assistant, CloudFormation, GitLab.
fn is_tag(value: &[u8]) -> bool {
    const TAGS: [&[u8]; 10] = [
        b"!vault",
        b"!secret",
        b"!env",
        b"!env_var",
        b"!ENV",
        b"!Ref",
        b"!Sub",
        b"!GetAtt",
        b"!ImportValue",
        b"!reference",
    ];
    TAGS.contains(&value)
}

/// The name of a variable of the environment, behind its dollar: `$TOKEN_1`.
fn is_variable(value: &[u8]) -> bool {
    value.iter().skip(1).all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && value.get(1).is_some_and(|byte| !byte.is_ascii_digit())
}

/// Length of a scheme of authorization and its space (RFC 9110 §11.4).
fn scheme(text: &Text<'_>, from: usize) -> usize {
    let word = text.run(from, 24, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let name = text.slice(from, from + word);
    let known: [&[u8]; 13] = [
        b"bearer",
        b"basic",
        b"token",
        b"digest",
        b"apikey",
        b"negotiate",
        b"ntlm",
        b"aws4-hmac-sha256",
        b"hmac",
        b"key",
        b"sharedkey",
        b"oauth",
        b"genie-key",
    ];
    let known = known.iter().any(|known| name.eq_ignore_ascii_case(known));
    if text.get(from + word) == b' ' && known { word + 1 } else { 0 }
}
