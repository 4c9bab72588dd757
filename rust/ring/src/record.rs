//! A record's word: its states, its length, and the size that a record takes.

/// Size of the word in front of each record, in bytes; records are aligned to it.
pub const WORD: u64 = 8;

/// States in the upper half of a record's word. Zero: nothing was written here yet.
pub(crate) const CLAIMED: u64 = 1 << 32;
pub(crate) const COMMITTED: u64 = 2 << 32;
pub(crate) const PADDING: u64 = 3 << 32;
pub(crate) const LENGTH: u64 = 0xffff_ffff;

/// Bytes that a record with that many bytes of payload takes in the ring.
pub const fn record_size(payload: u64) -> u64 {
    (payload + WORD + WORD - 1) & !(WORD - 1)
}
