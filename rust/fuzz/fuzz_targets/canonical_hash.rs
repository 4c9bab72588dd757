//! The request hash over any bytes: it never fails, and does not depend on how JSON is spelled.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowlane_lane::hash::request_hash;

fuzz_target!(|data: &[u8]| {
    let (target, body) = match data.split_first() {
        Some((size, rest)) => rest.split_at(rest.len().min(usize::from(*size))),
        None => return,
    };
    let headers: &[(&[u8], &[u8])] = &[(b"content-type", b"application/json")];
    let hash = request_hash(b"POST", target, headers, body, &["/id"]);
    assert_eq!(hash, request_hash(b"post", target, headers, body, &["/id"]));
    // Numbers that serde_json does not keep, and names that come twice, have no second spelling to compare with.
    if body.iter().any(u8::is_ascii_digit) {
        return;
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else { return };
    let Ok(spelled) = serde_json::to_vec_pretty(&value) else { return };
    let colons = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b':').count();
    if colons(body) == colons(&spelled) {
        assert_eq!(hash, request_hash(b"POST", target, headers, &spelled, &["/id"]));
    }
});
