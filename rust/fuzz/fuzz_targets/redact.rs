//! The sanitizer over any bytes: it never fails, JSON stays JSON, nothing outside a finding changes, and what is
//! sanitized stays as it is.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shadowlane_redact::{Body, Findings, Options, Sanitizer};

/// The defaults, and every kind of rule.
static SANITIZERS: LazyLock<[Sanitizer; 2]> = LazyLock::new(|| {
    let rules = r#"{"action": "hash", "actions": {"phone": "keep_last4"},
        "hash_key": "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "rules": [{"kind": "part", "pattern": "\\bP-\\d{4}\\b"}], "allow_values": ["a@b.example"],
        "fields": [{"path": "$..drop", "action": "drop"}, {"path": "$.a[*].b", "action": "mask"}, {"key": "k", "action": "hash"}]}"#;
    [Options::default(), Options::from_json(rules).expect("options")]
        .map(|options| Sanitizer::new(&options).expect("they hold"))
});

const TYPES: [&[u8]; 9] = [
    b"application/json",
    b"text/plain; charset=utf-8",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b"text/event-stream",
    b"application/x-ndjson",
    b"application/octet-stream",
    b"application/vnd.amazon.eventstream",
    b"",
];
const ENCODINGS: [Option<&[u8]>; 5] = [None, Some(b"gzip"), Some(b"br"), Some(b"deflate"), Some(b"zstd")];

fuzz_target!(|data: &[u8]| {
    let [kind, encoding, body @ ..] = data else { return };
    let sanitizer = &SANITIZERS[usize::from(*kind >> 7)];
    let content_type = TYPES[usize::from(*kind) % TYPES.len()];
    let cut = encoding & 0x80 != 0;
    let encoding = ENCODINGS[usize::from(*encoding & 0x7f) % ENCODINGS.len()];
    let mut findings = Findings::default();
    if let Body::Clean { body: clean, .. } = sanitizer.body(Some(content_type), encoding, body, cut, &mut findings) {
        if content_type == b"application/json" && encoding.is_none() && is_json(body) {
            assert!(is_json(&clean), "JSON stays JSON");
        }
        sanitizer.body(Some(content_type), None, &clean, cut, &mut findings);
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let (clean, found) = sanitizer.text(text);
        let mut end = 0;
        for one in &found {
            assert!(one.start >= end && text.get(one.start..one.end).is_some_and(|value| !value.is_empty()));
            end = one.end;
        }
        let between: usize = text.len() - found.iter().map(|one| one.end - one.start).sum::<usize>();
        assert!(clean.len() >= between, "what is outside the findings stays");
    }
    sanitizer.target(body, &mut findings);
});

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok()
}
