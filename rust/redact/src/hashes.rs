//! Hashes of passwords in the modular crypt format and its kin: `$2b$12$...`, `$argon2id$v=19$...`, `$6$salt$...`.

use super::hit::Hit;
use super::kinds::Kind;
use super::text::Text;

/// Names of schemes between the first two dollars.
const SCHEMES: &[&[u8]] = &[
    b"1",
    b"2",
    b"2a",
    b"2b",
    b"2x",
    b"2y",
    b"5",
    b"6",
    b"7",
    b"8",
    b"9",
    b"14",
    b"y",
    b"gy",
    b"P",
    b"H",
    b"apr1",
    b"argon2i",
    b"argon2d",
    b"argon2id",
    b"scrypt",
    b"md5",
    b"sha1",
    b"pbkdf2",
    b"pbkdf2-sha1",
    b"pbkdf2-sha256",
    b"pbkdf2-sha512",
    b"krb5asrep",
    b"krb5tgs",
    b"krb5pa",
    b"S",
    b"bcrypt-sha256",
    b"NT",
    b"3",
    b"sm3",
];

/// A hash that begins with a dollar at `at`, or with the dollar of its scheme a little before.
pub(super) fn crypt(text: &Text<'_>, at: usize) -> Option<Hit> {
    let first = text.back(at, 16, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'-'));
    let start = first + text.slice(first, at + 1).iter().position(|byte| *byte == b'$')?;
    let length = text.run(start + 1, 14, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if text.get(start + 1 + length) != b'$' || !SCHEMES.contains(&text.slice(start + 1, start + 1 + length)) {
        return None;
    }
    let end = start
        + text.run(start, 4096, |byte| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'/' | b'$' | b'=' | b',' | b'+' | b'-' | b'_' | b'*' | b'@' | b':')
        });
    let end =
        end - text.slice(start, end).iter().rev().take_while(|byte| matches!(byte, b'.' | b',' | b':' | b'-')).count();
    (end - start >= 22).then(|| text.sure(Kind::SECRET, start, end)).flatten()
}
