//! Which records a consumer was at work on when it died, and how often each of them was tried alone since.
//!
//! A consumer stores how far it has looked before it looks ([`Trial::looked_to`]); one that ends in good order takes that
//! back. So what its successor finds there was in the hands of one that was killed, perhaps by a record itself. The
//! successor tries these *suspects* one at a time: whatever ends it then was at work on that one record alone. A trial is
//! counted before the record is handed out, and the count goes when the record is acknowledged.
//!
//! Invariant: a record is handed out in at most [`MOST_TRIALS`] trials that end in a death, and never without a count; where
//! several are out because nobody waits for them, the count of one stands for all, so that their consumer's death is known.

use std::sync::atomic::compiler_fence;

use crate::sync::{AtomicU64, Ordering};

/// How often a record is tried alone. It was met once before that, among others, and once more where its first trial was not
/// waited for.
pub const MOST_TRIALS: u64 = 2;

/// Records whose counts are kept at a time: as many deaths in a row may fall on other records before one is tried again.
const SLOTS: usize = if cfg!(loom) { 2 } else { 255 };

/// Part of the ring's header: written by the consumer only. All zero suspects nothing.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Trial {
    /// End of the last record that a consumer has begun to look at; what is not above `head` says nothing.
    pub looked_to: AtomicU64,
    slots: [Slot; SLOTS],
    /// As `looked_to`, but never taken back: records below it may have been sent by whoever was here before.
    pub handed_to: AtomicU64,
}

/// One record's count.
#[repr(C)]
#[derive(Debug, Default)]
struct Slot {
    /// The record's position, plus one; 0 when the slot is free.
    record: AtomicU64,
    times: AtomicU64,
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            looked_to: AtomicU64::new(0),
            slots: std::array::from_fn(|_| Slot::default()),
            handed_to: AtomicU64::new(0),
        }
    }
}

impl Trial {
    /// Say that everything up to `end` is being looked at.
    pub(crate) fn look_to(&self, end: u64) {
        if self.handed_to.load(Ordering::Relaxed) < end {
            self.handed_to.store(end, Ordering::Relaxed);
        }
        self.looked_to.store(end, Ordering::Relaxed);
        // A kill falls between instructions: program order is all that a successor needs.
        compiler_fence(std::sync::atomic::Ordering::SeqCst);
    }

    fn slot(&self, seq: u64) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.record.load(Ordering::Relaxed) == seq.wrapping_add(1))
    }

    /// How often the record was tried.
    pub(crate) fn times(&self, seq: u64) -> u64 {
        self.slot(seq).map_or(0, |slot| slot.times.load(Ordering::Relaxed))
    }

    /// Whether there is room for the count of another record.
    pub(crate) fn has_room(&self) -> bool {
        self.slots.iter().any(|slot| slot.record.load(Ordering::Relaxed) == 0)
    }

    /// Count a trial before it begins; `false` when there is no room for the record.
    pub(crate) fn begin(&self, seq: u64) -> bool {
        let free = || self.slots.iter().find(|slot| slot.record.load(Ordering::Relaxed) == 0);
        let Some(slot) = self.slot(seq).or_else(free) else { return false };
        if slot.record.load(Ordering::Relaxed) == 0 {
            slot.times.store(0, Ordering::Relaxed);
            compiler_fence(std::sync::atomic::Ordering::SeqCst);
            slot.record.store(seq.wrapping_add(1), Ordering::Relaxed);
            compiler_fence(std::sync::atomic::Ordering::SeqCst);
        }
        slot.times.store(slot.times.load(Ordering::Relaxed).saturating_add(1), Ordering::Relaxed);
        compiler_fence(std::sync::atomic::Ordering::SeqCst);
        true
    }

    /// Take a trial back that nothing came of: its consumer ends in good order.
    pub(crate) fn undo(&self, seq: u64) {
        match (self.slot(seq), self.times(seq)) {
            (Some(slot), 0 | 1) => slot.record.store(0, Ordering::Relaxed),
            (Some(slot), times) => slot.times.store(times - 1, Ordering::Relaxed),
            (None, _) => {}
        }
    }

    /// Forget a record: it was acknowledged.
    pub(crate) fn end(&self, seq: u64) {
        if let Some(slot) = self.slot(seq) {
            slot.record.store(0, Ordering::Relaxed);
        }
    }

    /// Forget all but these: positions that are no record's can only come from a process that wrote where it must not.
    pub(crate) fn keep(&self, is_open: impl Fn(u64) -> bool) {
        for slot in &self.slots {
            let record = slot.record.load(Ordering::Relaxed);
            if record != 0 && !is_open(record - 1) {
                slot.record.store(0, Ordering::Relaxed);
            }
        }
    }
}
