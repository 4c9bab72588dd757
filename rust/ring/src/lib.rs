//! A bounded byte ring: many producers, one consumer, records drained and acknowledged separately.
//!
//! The algorithm is the many-to-one ring buffer of Agrona and Aeron (claim by compare-and-swap on the tail, copy,
//! commit by a release store of the record's length word), with three additions for a consumer and producers that
//! may be killed at any instruction:
//!
//! * a claimed record's word says so (`CLAIMED`) before its first byte is written, so that the records after it
//!   can be found when its producer is dead;
//! * `drained` (in the consumer's memory) runs ahead of `head` (in the ring), which moves only when records are
//!   acknowledged: a new consumer starts at `head` again;
//! * moving `head` is journaled (`clear_to`), so that a consumer killed while it zeroes memory is completed by its
//!   successor;
//! * what a killed consumer was at work on is known (`looked_to`), and its successor tries those records one at a time.
//!
//! Invariants: `head <= drained <= tail <= head + capacity`; every byte in `[tail, head + capacity)` is zero;
//! a record starts at every multiple of 8 that the previous record's length leads to.
//!
//! This module knows no file and no process: [`Memory`] gives it storage, so that the same code runs over a mapped
//! file, over the heap under Miri, and over loom's cells.

mod consumer;
pub mod frame;
mod memory;
mod producer;
mod sync;
mod trial;

pub use consumer::{Consumer, Drained, PATIENCE, Step};
pub use memory::{Cursors, HeapMemory, Memory};
pub use producer::{Claim, claim};
pub use trial::{MOST_TRIALS, Trial};

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
