//! What rules and scans return, and which of two hits wins.

use super::kinds::Kind;

/// One value found: its kind, and its range in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

/// A finding, and how sure its rule is of it, in per cent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    pub confidence: u8,
}

/// Of two hits the surer; of equally sure ones the longer; of those the first.
pub(super) fn better(first: Option<Hit>, second: Option<Hit>) -> Option<Hit> {
    match (first, second) {
        (Some(a), Some(b)) if (b.confidence, b.end - b.start) > (a.confidence, a.end - a.start) => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}
