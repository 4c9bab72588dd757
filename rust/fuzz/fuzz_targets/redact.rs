//! The sanitizer over any bytes: it never fails, and JSON stays JSON.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shadowlane_core::sanitize::{Body, Findings, Options, Sanitizer};

static SANITIZER: LazyLock<Sanitizer> =
    LazyLock::new(|| Sanitizer::new(&Options::default()).expect("the built-in rules hold"));

const TYPES: [&[u8]; 7] = [
    b"application/json",
    b"text/plain; charset=utf-8",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b"text/event-stream",
    b"application/octet-stream",
    b"",
];
const ENCODINGS: [Option<&[u8]>; 4] = [None, Some(b"gzip"), Some(b"br"), Some(b"deflate")];

fuzz_target!(|data: &[u8]| {
    let [kind, encoding, body @ ..] = data else { return };
    let content_type = TYPES[usize::from(*kind) % TYPES.len()];
    let cut = encoding & 0x80 != 0;
    let encoding = ENCODINGS[usize::from(*encoding) % ENCODINGS.len()];
    let mut findings = Findings::default();
    let result = SANITIZER.body(Some(content_type), encoding, body, cut, &mut findings);
    if content_type == b"application/json" && encoding.is_none() && !cut && is_json(body) {
        let Body::Clean { body: clean, .. } = result else { return };
        assert!(is_json(&clean), "JSON stays JSON");
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let (_, found) = SANITIZER.text(text);
        assert!(found.iter().all(|one| text.get(one.start..one.end).is_some()));
    }
    SANITIZER.target(body, &mut findings);
});

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok()
}
