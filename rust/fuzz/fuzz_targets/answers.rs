//! The reader of answers over any bytes: it never fails, an empty answer says why, and JSON is taken only where serde_json
//! takes it too.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shadowlane_answers::{Reader, UsageNames, parse};

static READER: LazyLock<Reader> = LazyLock::new(|| {
    let names = |name: &str| vec![name.to_owned()];
    let (input, output, total) = (names("prompt_tokens"), names("completion_tokens"), names("total_tokens"));
    let (cached, cache_write, details) = (names("cached_tokens"), Vec::new(), names("prompt_tokens_details"));
    Reader::new(UsageNames { input, output, total, cached, cache_write, details }, 1 << 16)
});

fuzz_target!(|data: &[u8]| {
    let [declared, body @ ..] = data else { return };
    if let Some(answer) = READER.read(body, declared & 1 != 0) {
        assert!(!answer.text.trim().is_empty() || !answer.calls.is_empty() || !answer.note.is_empty());
    }
    if let Ok(text) = std::str::from_utf8(body)
        && parse(text).is_some()
    {
        serde_json::from_str::<serde_json::Value>(text).expect("what is taken is JSON");
    }
});
