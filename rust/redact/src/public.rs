//! Values that are meant to be known, whatever name they stand under: examples that a vendor documents, public keys and
//! certificates, digests, images, files in a store.
//!
//! Invariant: each is told by what its format fixes, never by a word that a secret may hold too.

use super::encoded;
use super::stand_in::{is_file, is_hex};

/// Whether a value under a token's or a key's name is one of these.
pub(super) fn is_public(value: &[u8]) -> bool {
    is_documented(value) || begins_public(value) || is_digest(value) || is_binary(value) || is_file(value)
}

/// AWS's own examples: an identifier that ends in `EXAMPLE`, a secret that ends in `EXAMPLEKEY`. An issued one ends so in
/// one of 2^35 and of 2^60 (AWS General Reference, "AWS security credentials").
pub(super) fn is_documented(value: &[u8]) -> bool {
    const ID: usize = 20;
    const SECRET: usize = 40;
    match value.len() {
        ID => {
            value.starts_with(b"A") && value.ends_with(b"EXAMPLE") && value.iter().all(|byte| is_upper_or_digit(*byte))
        }
        SECRET => value.ends_with(b"EXAMPLEKEY") && value.iter().all(|byte| is_base(*byte)),
        _ => false,
    }
}

fn is_upper_or_digit(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_base(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// A key that is meant to be known, by how it begins.
fn begins_public(value: &[u8]) -> bool {
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
    BEGIN.iter().any(|begin| value.starts_with(begin))
}

/// The digest of something: its algorithm, or `commit`, a sign, and as many digits as it has.
fn is_digest(value: &[u8]) -> bool {
    const ALGORITHMS: &[&[u8]] = &[b"sha256", b"sha384", b"sha512", b"sha1", b"md5"];
    const REVISIONS: &[&[u8]] = &[b"commit", b"sha", b"rev", b"git", b"tree", b"etag"];
    let behind = |head: &[u8]| {
        let (sign, rest) =
            value.get(..head.len())?.eq_ignore_ascii_case(head).then(|| value.get(head.len()..))??.split_first()?;
        matches!(sign, b':' | b'-').then_some(rest)
    };
    let digest = |rest: &[u8]| rest.len() >= 32 && rest.iter().all(|byte| is_base(*byte));
    let revision = |rest: &[u8]| matches!(rest.len(), 32 | 40 | 64) && is_hex(rest);
    ALGORITHMS.iter().filter_map(|head| behind(head)).any(digest)
        || REVISIONS.iter().filter_map(|head| behind(head)).any(revision)
}

/// A certificate or an image in base 64, by the bytes that its format begins with.
fn is_binary(value: &[u8]) -> bool {
    // Enough for the longest of the heads below.
    const HEAD: usize = 20;
    const IMAGES: &[&[u8]] = &[b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"\xff\xd8\xff"];
    let Some(head) = value.get(..HEAD).filter(|_| value.iter().all(|byte| is_base(*byte))) else { return false };
    let Some(head) = encoded::bytes(head) else { return false };
    // Two sequences of two bytes' length, and the tag of version 3 (RFC 5280 §4.1); a private key has its version first.
    let certificate = matches!(head.as_slice(), [0x30, 0x82, _, _, 0x30, 0x82, _, _, 0xa0, 0x03, 0x02, 0x01, 0x02, ..]);
    certificate || IMAGES.iter().any(|magic| head.starts_with(magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_not_public_however_like_a_certificate_it_begins() {
        let certificate = b"MIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJRTES";
        let pkcs8 = b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        let pkcs1 = b"MIIEpAIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gun";
        let pkcs12 = b"MIIJqQIBAzCCCW8GCSqGSIb3DQEHAaCCCWAEgglcMIIJWDCCBA8GCSqGSIb3DQEH";
        assert!(is_public(certificate));
        for key in [pkcs8.as_slice(), pkcs1, pkcs12] {
            assert!(!is_public(key), "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn an_example_is_documented_at_its_length_alone() {
        assert!(is_documented(b"AKIAIOSFODNN7EXAMPLE") && is_documented(b"ASIAI44QH8DHBEXAMPLE"));
        assert!(is_documented(b"je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY"));
        for secret in ["AKIAIOSFODNN72EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY3EXAMPLEKEY", "Tr0ub4dor-EXAMPLE"] {
            assert!(!is_documented(secret.as_bytes()), "{secret}");
        }
    }
}
