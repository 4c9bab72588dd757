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
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(&byte) || byte >= 0x80;
    let mut start = text.back(at, 64, local);
    // What punctuates the text around an address is no part of it; `key=`, `path/` and `a|` before it neither; a
    // character is not cut in two.
    let head = text.slice(start, at);
    if let Some(sign) = head.iter().rposition(|byte| b"=/&?|{}`#$^!".contains(byte)) {
        start += sign + 1;
    }
    // A label in percent-encoding ends so: what it stands for was taken out before, and is no part of an address.
    if let Some(end) = text.slice(start, at).windows(3).rposition(|three| three.eq_ignore_ascii_case(b"%5d")) {
        start += end + 3;
    }
    while start < at && matches!(text.get(start), b'.' | b'\'' | b'*' | b'-' | b'~' | b'+' | b'%' | 0x80..=0xbf) {
        start += 1;
    }
    let mut end = at
        + 1
        + text.run(at + 1, 255, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || byte >= 0x80);
    while end > at + 1 && matches!(text.get(end - 1), b'.' | b'-' | 0x80..=0xff) {
        // Letters beyond ASCII end a domain only in their own top-level names; what follows an address in running
        // text of another script does not belong to it.
        end -= 1;
    }
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
    if !shaped || file || repository {
        return None;
    }
    text.sure(Kind::EMAIL, start, end)
}
