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
mod record;
mod sync;
mod trial;

pub use consumer::{Consumer, Drained, PATIENCE, Step};
pub use memory::{Cursors, HeapMemory, Journal, Memory};
pub use producer::{Claim, claim};
pub use record::{WORD, record_size};
pub use trial::{MOST_TRIALS, Trial};
