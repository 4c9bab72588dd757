//! Fields in other writings than `name = value`: pairs of a name and a value, elements of XML, arguments of a call, options
//! of a command, blocks of YAML, lines of a password file, and what a sentence says ("my password is ...").
//!
//! Invariant: each looks a bounded way around its trigger.

use super::assign::{Given, given, is_name};
use super::hit::Hit;
use super::kinds::Kind;
use super::names::{self, Name, says};
use super::secrets::LONGEST;
use super::text::Text;
use super::values::{is_long_number, keylike, mixed, placeholder, random};

/// What the name beside a `value` says: `name="password" value="..."`, `"key": "Authorization", "value": "..."`.
pub(super) fn pair(text: &Text<'_>, start: usize, end: usize) -> Name {
    const REACH: usize = 112;
    let from = start.saturating_sub(REACH).max(text.free).min(start);
    let before = text.slice(from, start);
    let cut = before.iter().rposition(|byte| matches!(byte, b'<' | b'{' | b'}')).map_or(0, |at| at + 1);
    let before = before.get(cut..).unwrap_or_default();
    let after = text.slice(end, text.bytes.len().min(end + REACH));
    let after = after.split(|byte| matches!(byte, b'>' | b'}' | b'{')).next().unwrap_or_default();
    [before, after].into_iter().map(attribute).find(|says| *says != Name::Plain).unwrap_or(Name::Plain)
}

/// What the attribute says that names a pair, in a part of a text.
fn attribute(part: &[u8]) -> Name {
    for sign in memchr::memchr2_iter(b'=', b':', part) {
        let clean = |byte: &u8| matches!(byte, b' ' | b'"' | b'\'' | b'\\');
        let head = part.get(..sign).unwrap_or_default();
        let close = head.iter().rposition(|byte| !clean(byte)).map_or(0, |at| at + 1);
        let open = head
            .get(..close)
            .unwrap_or_default()
            .iter()
            .rposition(|byte| !byte.is_ascii_alphanumeric())
            .map_or(0, |at| at + 1);
        let name = head.get(open..close).unwrap_or_default();
        if !(names::names_a_pair(name) || name == b"type") {
            continue;
        }
        let tail = part.get(sign + 1..).unwrap_or_default();
        let tail = tail.get(tail.iter().position(|byte| !clean(byte)).unwrap_or(tail.len())..).unwrap_or_default();
        let length = tail
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || **byte >= 0x80)
            .count();
        let named = says(tail.get(..length).unwrap_or_default());
        if named != Name::Plain && (name != b"type" || named == Name::Password) {
            return named;
        }
    }
    Name::Plain
}

/// An element of XML or HTML: `<password>...</password>`.
pub(super) fn element(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = text.back(at, 64, |byte| byte != b'<' && byte != b'>' && byte != b'\n');
    if start == 0 || text.before(start) != b'<' || text.get(start) == b'/' {
        return None;
    }
    let tag = text.slice(start, at);
    let tag = tag.split(u8::is_ascii_whitespace).next()?;
    let name = tag.rsplit(|byte| *byte == b':').next()?;
    let named = says(name);
    if named == Name::Plain {
        return None;
    }
    let from = at + 1 + text.run(at + 1, 80, |byte| byte.is_ascii_whitespace());
    let mut end = from + text.run(from, LONGEST, |byte| byte != b'<');
    if text.get(end) != b'<' || text.get(end + 1) != b'/' {
        return None;
    }
    while end > from && text.get(end - 1).is_ascii_whitespace() {
        end -= 1;
    }
    let value = text.slice(from, end);
    let secret = match named {
        Name::Password | Name::Header => value.len() >= 3,
        Name::Code => value.iter().any(u8::is_ascii_digit),
        _ => value
            .split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'{' | b'}'))
            .any(|word| word.len() >= 8 && (random(word) || is_long_number(word))),
    };
    let left_out = placeholder(value) || value.starts_with(b"${") || super::label::first_mask(value).is_some();
    (secret && !left_out).then(|| text.sure(Kind::SECRET, from, end)).flatten()
}

/// Arguments of a call: `("X-Api-Key", "...")`, and a member with what it is compared with: `(config['api_key'], '...')`.
pub(super) fn argument(text: &Text<'_>, at: usize) -> Option<Hit> {
    let object = text.run(at + 1, names::LONGEST, is_name);
    let member = object > 0 && text.get(at + 1 + object) == b'[';
    if object > 0 && !member {
        return None;
    }
    let open = at + 1 + object + usize::from(member);
    let quote = text.get(open);
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return returned(text, at);
    }
    let start = open + 1;
    let length = text.run(start, names::LONGEST, is_name);
    let named = says(text.slice(start, start + length));
    if named == Name::Plain || text.get(start + length) != quote {
        return None;
    }
    let comma = start + length + 1 + usize::from(member);
    if member && text.get(comma - 1) != b']' {
        return None;
    }
    let from = comma + 1 + text.run(comma + 1, 4, |byte| byte == b' ');
    let open = text.get(from);
    if text.get(comma) != b',' || !matches!(open, b'"' | b'\'' | b'`') || text.get(from + 1) == open {
        return None;
    }
    given(text, from + 1, open, &Given { says: named, prose: false, quoted: true })
}

/// What a function returns that is called after a secret: `func apiToken() string { return "..." }`.
fn returned(text: &Text<'_>, at: usize) -> Option<Hit> {
    const HEAD: usize = 48;
    if text.get(at + 1) != b')' {
        return None;
    }
    // `apiToken = () => { return ... }`
    let close = text.back(at, 3, |byte| matches!(byte, b' ' | b'='));
    let named = says(text.slice(text.back(close, names::LONGEST + 1, is_name), close));
    if named == Name::Plain {
        return None;
    }
    // A type and brackets stand between, and no other call.
    let sign = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'{' | b':' | b'-' | b'=' | b'>' | b'_' | b'.');
    let from = at + 2;
    let head = text.slice(from, from + text.run(from, HEAD, |byte| byte.is_ascii_alphanumeric() || sign(byte)));
    let word = memchr::memmem::find(head, b"return ")?;
    let open = from + word + 7;
    let quote = text.get(open);
    if !matches!(quote, b'"' | b'\'' | b'`') || !text.begins(from + word) {
        return None;
    }
    // A sentence is what is shown, and no password.
    given(text, open + 1, quote, &Given { says: named, prose: false, quoted: true })
        .filter(|hit| !text.slice(hit.start, hit.end).contains(&b' '))
}

/// An option of a command and its value: `--password x`, `-u user:x`, `-px`.
pub(super) fn option(text: &Text<'_>, at: usize) -> Option<Hit> {
    if !matches!(text.before(at), 0 | b' ' | b'\n' | b'\t' | b'"' | b'\'' | b'`' | b'[' | b',' | b'(') {
        return None;
    }
    let start = at + text.run(at, 2, |byte| byte == b'-');
    let length = text.run(start, names::LONGEST, is_name);
    let name = text.slice(start, start + length);
    let (first, rest) = name.split_first()?;
    let mut from = start + length;
    // As one word, or as the next element of a list.
    let apart = text.run(from, 5, |byte| matches!(byte, b' ' | b'"' | b'\'' | b','));
    from += apart;
    let open = if apart > 0 && matches!(text.get(from - 1), b'"' | b'\'') { text.get(from - 1) } else { 0 };
    let user = matches!(name, b"u" | b"user" | b"U" | b"proxy-user") && apart > 0;
    let short = rest.is_empty() && matches!(first, b'p' | b'a' | b'w') && apart > 0;
    let glued = *first == b'p' && start == at + 1 && length >= 5;
    if user || short || glued {
        let known = command(text, at);
        if user && known == Some(Command::Web) {
            let end = from
                + text.run(from, 256, |byte| {
                    !(byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'\\'))
                });
            let colon = from + text.slice(from, end).iter().position(|byte| *byte == b':')?;
            // `-u name:'...'`: the quote may stand behind the name.
            let quote = if colon + 1 == end { text.get(end) } else { 0 };
            let (from, end) = match quote {
                b'"' | b'\'' => {
                    let from = end + 1;
                    (from, from + text.run(from, 256, |byte| byte != quote && byte != b'\n'))
                }
                _ => (colon + 1, end),
            };
            let value = text.slice(from, end);
            let given = value.len() >= 2
                && !value.starts_with(b"$")
                && !placeholder(value)
                && super::label::first_mask(value).is_none();
            return given.then(|| text.sure(Kind::SECRET, from, end)).flatten();
        }
        if known == Some(Command::Login) && (short || (glued && says(name) == Name::Plain)) {
            let from = if short { from } else { start + 1 };
            return given(text, from, open, &Given { says: Name::Password, prose: false, quoted: open != 0 });
        }
    }
    if apart == 0 {
        return None;
    }
    let named = says(name);
    if named == Name::Plain || text.get(from) == b'-' {
        return None;
    }
    given(text, from, open, &Given { says: named, prose: false, quoted: open != 0 })
}

/// Programs whose short options hold credentials.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    /// `-u user:password`.
    Web,
    /// `-p password`, `-ppassword`, `-a password`.
    Login,
}

/// The program of the command that an option belongs to, when it is one of those.
fn command(text: &Text<'_>, at: usize) -> Option<Command> {
    let from = text.back(at, 256, |byte| byte != b';' && byte != b'|');
    let line = text.slice(from, at);
    let named = |name: &[u8]| memchr::memmem::rfind(line, name);
    let web: [&[u8]; 5] = [b"curl", b"wget", b"http ", b"https ", b"xh "];
    let login: [&[u8]; 12] = [
        b"mysql",
        b"mariadb",
        b"sshpass",
        b"docker login",
        b"redis-cli",
        b"ldapsearch",
        b"mongo",
        b"psexec",
        b"sqlcmd",
        b"smbclient",
        b"podman login",
        b"influx",
    ];
    if web.iter().any(|name| named(name).is_some()) {
        return Some(Command::Web);
    }
    login.iter().any(|name| named(name).is_some()).then_some(Command::Login)
}

/// A block or a list of YAML below a name: from its first value to its last. `from`: where the name's line ends.
pub(super) fn block(text: &Text<'_>, name: usize, from: usize, named: Name) -> Option<Hit> {
    let folded = matches!(text.get(from), b'|' | b'>');
    let mark = from + text.run(from, 4, |byte| matches!(byte, b'|' | b'>' | b'+' | b'-' | b'0'..=b'9' | b' '));
    let mut line = mark + text.run(mark, 2, |byte| byte == b'\r' || byte == b'\n');
    if line == mark {
        return None;
    }
    let indent = name - text.back(name, 64, |byte| matches!(byte, b' ' | b'-'));
    let (mut start, mut end) = (None, 0);
    for _ in 0..20 {
        let spaces = text.run(line, 64, |byte| matches!(byte, b' ' | b'\t'));
        let item = text.get(line + spaces) == b'-' && text.get(line + spaces + 1) == b' ';
        let mut value = line + spaces + if item { 2 } else { 0 };
        let quote = usize::from(matches!(text.get(value), b'"' | b'\''));
        value += quote;
        let close = value + text.run(value, 256, |byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'\''));
        let written = text.slice(value, close);
        let single = !written.contains(&b' ') && !written.ends_with(b":");
        let below = spaces > indent || (item && spaces >= indent);
        let beside = spaces == indent
            && start.is_none()
            && named == Name::Password
            && mixed(written)
            && written.iter().any(u8::is_ascii_digit);
        let secret = match named {
            Name::Password | Name::Header => written.len() >= 4,
            Name::Code => written.iter().all(u8::is_ascii_digit) && written.len() >= 3,
            _ => written.len() >= 8 && random(written),
        };
        let bare = super::label::first_mask(written).is_some() || placeholder(written) || written.starts_with(b"$");
        if !(below || beside) || !secret || bare || !(single || (folded && !item)) {
            break;
        }
        start = start.or(Some(value));
        end = close;
        line = close + text.run(close, 1, |byte| matches!(byte, b'"' | b'\''));
        line += text.run(line, 2, |byte| byte == b'\r' || byte == b'\n');
        if beside {
            break;
        }
    }
    text.sure(Kind::SECRET, start?, end)
}

/// A line of `.pgpass`: host, port, database, user, password.
pub(super) fn pgpass(text: &Text<'_>, at: usize) -> Option<Hit> {
    let port = text.run(at + 1, 6, |byte| byte.is_ascii_digit() || byte == b'*');
    if port == 0 || port > 5 || text.get(at + 1 + port) != b':' {
        return None;
    }
    let start = text.back(at, 64, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'*'));
    let host = text.slice(start, at);
    if !matches!(text.before(start), 0 | b'\n' | b'"' | b'`' | b' ')
        || !host.iter().any(|byte| byte.is_ascii_alphabetic() || *byte == b'*')
    {
        return None;
    }
    let mut next = at + 2 + port;
    for _ in 0..2 {
        let field = text.run(next, 64, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b':' | b'"' | b'/'));
        if field == 0 || text.get(next + field) != b':' {
            return None;
        }
        next += field + 1;
    }
    let end = next + text.run(next, 128, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'`'));
    let value = text.slice(next, end);
    (value.len() >= 4 && super::label::first_mask(value).is_none())
        .then(|| text.sure(Kind::SECRET, next, end))
        .flatten()
}

/// Where the verb ends, with the space behind it, that ends first.
fn verb_end(said: &[u8]) -> Option<usize> {
    const VERBS: [&[u8]; 9] = [b"is", b"was", b"ist", b"lautet", b"es", b"est", b"to", b"set to", b"are"];
    let mut end: Option<usize> = None;
    for space in memchr::memchr_iter(b' ', said) {
        let behind = said.get(space + 1..).unwrap_or_default();
        let here = VERBS.iter().filter(|verb| behind.starts_with(verb) && behind.get(verb.len()) == Some(&b' '));
        let here = here.map(|verb| space + 2 + verb.len()).min();
        end = end.into_iter().chain(here).min();
        if end.is_some_and(|end| end <= space + 5) {
            break;
        }
    }
    end
}

/// The word that is all of the line behind one that ends in a colon: "use the following password to go on:", and below it.
fn below(text: &Text<'_>, end: usize) -> Option<(usize, usize)> {
    const SENTENCE: usize = 80;
    const WORD: usize = 128;
    let line = end + text.run(end, SENTENCE, |byte| !matches!(byte, b'\n' | b'\r' | b'.' | b';'));
    let said = text.slice(end, line).trim_ascii_end();
    if !said.ends_with(b":") || !matches!(text.get(line), b'\n' | b'\r') {
        return None;
    }
    let from = line + text.run(line, 12, |byte| byte.is_ascii_whitespace());
    let stop = from + text.run(from, WORD, |byte| byte.is_ascii_graphic());
    (stop > from && matches!(text.get(stop), b'\n' | b'\r' | 0)).then_some((from, stop))
}

/// What a sentence says of a secret: the word that names it stands at `start..end`.
pub(super) fn spoken(text: &Text<'_>, start: usize, end: usize) -> Option<Hit> {
    let named = says(text.slice(start, end));
    if named == Name::Plain || text.get(end) != b' ' || !text.begins(start) {
        return None;
    }
    if let Some((from, stop)) = below(text, end) {
        let value = text.slice(from, stop);
        let secret = match named {
            Name::Password => value.len() >= 8 && mixed(value) && value.iter().any(u8::is_ascii_digit),
            Name::Token | Name::Key => keylike(value),
            _ => false,
        };
        let left_out =
            placeholder(value) || super::values::expression(value) || super::label::first_mask(value).is_some();
        return (secret && !left_out).then(|| text.sure(Kind::SECRET, from, stop)).flatten();
    }
    // "is", perhaps behind a few words more: "the password for the portal is".
    let rest = text.slice(end, text.bytes.len().min(end + 48));
    let rest = rest.split(|byte| matches!(byte, b'\n' | b'.' | b';' | b'?')).next().unwrap_or_default();
    let verb = verb_end(rest);
    // "to" changes it only right behind the word.
    let far = verb.is_some_and(|verb| rest.get(..verb).is_some_and(|said| said.ends_with(b" to ") && said.len() > 8));
    let verb = verb.filter(|_| !far);
    let mut from = end + verb.unwrap_or(1);
    let marks = text.run(from, 3, |byte| matches!(byte, b'"' | b'\'' | b'`' | b'*' | b':' | b' '));
    from += marks;
    let open = if marks > 0 && matches!(text.get(from - 1), b'"' | b'\'' | b'`') { text.get(from - 1) } else { 0 };
    let close = from
        + text.run(from, 256, |byte| {
            !(byte.is_ascii_whitespace() || byte == open || matches!(byte, b'"' | b'<' | b'`' | b'*'))
        });
    let mut stop = close;
    while stop > from && matches!(text.get(stop - 1), b'.' | b',' | b'!' | b'?' | b';' | b')' | b':' | b'\'') {
        stop -= 1;
    }
    let value = text.slice(from, stop);
    let netrc =
        || memchr::memmem::find(text.slice(start.saturating_sub(160).max(text.free), start), b"login ").is_some();
    let digits = value.iter().any(u8::is_ascii_digit);
    let secret = match named {
        Name::Password => {
            let said =
                verb.is_some() && (open != 0 || (mixed(value) && (digits || value.iter().any(u8::is_ascii_uppercase))));
            value.len() >= 4
                && (said || (open != 0 && verb.is_none() && mixed(value)) || (verb.is_none() && digits && netrc()))
        }
        Name::Code => verb.is_some() && (3..=8).contains(&value.len()) && value.iter().all(u8::is_ascii_digit),
        Name::Token | Name::Key => keylike(value),
        Name::Header | Name::Plain => false,
    };
    let left_out = placeholder(value)
        || super::values::expression(value)
        || super::label::first_mask(text.slice(from, text.bytes.len().min(close + 1))).is_some();
    (secret && !left_out).then(|| text.sure(Kind::SECRET, from, stop)).flatten()
}
