//! E-mail addresses around an `@`.

use super::hit::Hit;
use super::kinds::Kind;
use super::text::Text;

/// Last labels that name a file and no domain, as in `icon@2x.png`.
const FILES: &[&[u8]] = &[
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"ico", b"css", b"json", b"html", b"htm", b"txt", b"exe", b"dll",
    b"jar", b"class", b"yaml", b"yml", b"toml", b"lock", b"xml", b"csv", b"tsx", b"jsx", b"vue", b"bmp", b"pdf",
];

/// An addr-spec (RFC 5322 §3.4.1, dot-atom form; letters beyond ASCII as in RFC 6531).
pub(super) fn address(text: &Text<'_>, at: usize) -> Option<Hit> {
    let start = local(text, at);
    let end = domain(text, at + 1);
    let name = text.slice(at + 1, end);
    let last = name.iter().rposition(|byte| *byte == b'.')?;
    let top = name.get(last + 1..)?;
    let shaped = start < at
        && text.get(at - 1) != b'.'
        && last > 0
        && (2..=24).contains(&top.len())
        && (top.iter().all(u8::is_ascii_alphabetic) || top.to_ascii_lowercase().starts_with(b"xn--"))
        && !name.windows(2).any(|two| two == b"..")
        && name.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    let file = FILES.iter().any(|file| top.eq_ignore_ascii_case(file));
    // git@host:path is how repositories are named.
    let repository = text.slice(start, at) == b"git" && matches!(text.get(end), b':' | b'/');
    if !shaped || file || repository || is_user_information(text, start) {
        return None;
    }
    text.sure(Kind::EMAIL, start, end)
}

/// Whether what begins at `start` is the password of a URL (RFC 3986 §3.2.1) that stands for another.
fn is_user_information(text: &Text<'_>, start: usize) -> bool {
    const NAME: usize = 64;
    let start = start - usize::from(text.before(start) == b'$');
    if text.before(start) != b':' {
        return false;
    }
    let user =
        text.back(start - 1, NAME, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'$'));
    user >= 3 && text.slice(user - 3, user) == b"://" && user - 3 >= text.free
}

/// Where the local part begins that ends at `at`.
fn local(text: &Text<'_>, at: usize) -> usize {
    let part = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'.' | b'!'
                    | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'/'
                    | b'='
                    | b'?'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'{'
                    | b'|'
                    | b'}'
                    | b'~'
            )
            || byte >= 0x80
    };
    let mut start = text.back(at, 64, part);
    // What punctuates the text around an address is no part of it; `key=`, `path/` and `a|` before it neither; a
    // character is not cut in two.
    if let Some(sign) = text.slice(start, at).iter().rposition(|byte| {
        matches!(*byte, b'=' | b'/' | b'&' | b'?' | b'|' | b'{' | b'}' | b'`' | b'#' | b'$' | b'^' | b'!')
    }) {
        start += sign + 1;
    }
    // A label in percent-encoding ends so: what it stands for was taken out before, and is no part of an address.
    if let Some(end) = text.slice(start, at).windows(3).rposition(|three| three.eq_ignore_ascii_case(b"%5d")) {
        start += end + 3;
    }
    while start < at && matches!(text.get(start), 0x80..=0xbf) {
        start += 1;
    }
    // A dash, a quotation mark or a picture is no letter; nor does a word of a script without spaces belong to what
    // follows it.
    let written = String::from_utf8_lossy(text.slice(start, at));
    if let Some((end, sign)) = written.char_indices().rev().find(|(_, sign)| !sign.is_ascii() && !of_a_name(*sign)) {
        let after = end + sign.len_utf8();
        // What is not UTF-8 has other lengths.
        start = if written.len() == at - start { start + after } else { at - (written.len() - after).min(at - start) };
    }
    while start < at && matches!(text.get(start), b'.' | b'\'' | b'*' | b'-' | b'~' | b'+' | b'%') {
        start += 1;
    }
    start
}

/// Letters that stand in names of addresses: alphabets, and no scripts without spaces.
fn of_a_name(sign: char) -> bool {
    sign.is_alphanumeric() && (sign as u32) < 0x0e00
}

/// The end of a domain that begins at `from`. Letters beyond ASCII end one only in top-level names of their own; what
/// follows an address in running text of another script does not belong to it.
fn domain(text: &Text<'_>, from: usize) -> usize {
    let most = text.run(from, 255, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || byte >= 0x80);
    let name = text.slice(from, from + most);
    let mut end = from + most;
    // The first top-level name in ASCII before a letter of another script.
    let (mut label, mut dots) = (0, 0);
    for (at, byte) in name.iter().enumerate() {
        match byte {
            b'.' => (label, dots) = (at + 1, dots + 1),
            // A top-level name has no dash, except in its encoded form.
            b'-' if dots > 0
                && at >= label + 2
                && ascii_letters(name, label, at)
                && !name.get(at..).unwrap_or_default().contains(&b'.')
                && !name.get(label..at).is_some_and(|label| label.eq_ignore_ascii_case(b"xn")) =>
            {
                end = from + at;
                break;
            }
            0x80.. if dots > 0 && at >= label + 2 && ascii_letters(name, label, at) => {
                end = from + at;
                break;
            }
            _ => {}
        }
    }
    while end > from && matches!(text.get(end - 1), b'.' | b'-' | 0x80..=0xff) {
        end -= 1;
    }
    end
}

fn ascii_letters(name: &[u8], start: usize, end: usize) -> bool {
    name.get(start..end).unwrap_or_default().iter().all(u8::is_ascii_alphabetic)
}
