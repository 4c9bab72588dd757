//! Faults to be tested with: a text that says so makes the redaction panic, or ends the process.
//!
//! Invariant: only in a build with the feature `panic-probe`, which no release has.

use memchr::memmem;

/// A text with these words panics.
pub const PANIC: &[u8] = b"shadowlane panic probe";
/// A text with these words aborts the process.
pub const ABORT: &[u8] = b"shadowlane abort probe";

pub(crate) fn check(text: &[u8]) {
    if memmem::find(text, ABORT).is_some() {
        std::process::abort();
    }
    assert!(memmem::find(text, PANIC).is_none(), "{}", String::from_utf8_lossy(text));
}
