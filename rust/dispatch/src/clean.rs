//! Answers as they may be kept: what the redactor leaves of them, made where nobody holds the interpreter.
//!
//! Not on the thread that sends: what that is busy with would be in the times of the calls that are out, which the shadow is
//! judged by. Invariant: a panic costs that answer alone, and it is then as if nobody had tried.

use std::sync::Arc;

use shadowlane_base::guarded;
use shadowlane_redact::{CleanResponse, Findings, Sanitizer, sanitize_response};

use crate::engine::Done;
use crate::fault::Fault;

/// What sanitizes a shadow's answers, and up to which size: larger ones are for a thread of their own.
pub struct Cleaner {
    /// The redactor.
    pub sanitizer: Arc<Sanitizer>,
    /// Of a decoded body, in bytes.
    pub most: usize,
}

impl Cleaner {
    /// A call's answer sanitized; `None` when it is too large, or the redaction fails.
    pub fn clean(&self, done: &Done) -> Option<(CleanResponse, Findings)> {
        if done.body.len() > self.most {
            return None;
        }
        let headers: Vec<(&[u8], &[u8])> =
            done.headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let cut = done.fault == Some(Fault::TooLarge);
        guarded(|| clean_answer(&self.sanitizer, &headers, &done.body, cut)).ok()
    }
}

/// A decoded answer sanitized. `cut`: its body may end anywhere.
pub fn clean_answer(
    sanitizer: &Sanitizer,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    cut: bool,
) -> (CleanResponse, Findings) {
    // The transport has decoded the body: what the header says of its encoding is history.
    let headers: Vec<(&[u8], &[u8])> =
        headers.iter().copied().filter(|(name, _)| !name.eq_ignore_ascii_case(b"content-encoding")).collect();
    let mut findings = Findings::default();
    (sanitize_response(sanitizer, &headers, body, cut, &mut findings), findings)
}
