//! The producer's side: claim, copy, commit. Lock-free: a claim is repeated only when another one succeeded; no system
//! call, and no byte outside the region whatever the shared words hold.

use std::sync::atomic::compiler_fence;

use super::memory::Memory;
use super::record::{CLAIMED, COMMITTED, LENGTH, PADDING, WORD, record_size};
use crate::sync::{Ordering, load_to_store};

/// A claimed record: write into it, then commit it. A claim that is dropped stays as padding, so that the consumer
/// passes over it.
#[must_use = "a claim blocks the ring until it is committed or dropped"]
pub struct Claim<'a, M: Memory> {
    memory: &'a M,
    at: u64,
    payload: u64,
    size: u64,
    open: bool,
}

/// Claim room for `payload` bytes; `None` when the ring is full, or when the record could not fit into half of it
/// (a larger one might never fit between the wrap and the head).
pub fn claim<M: Memory>(memory: &M, payload: u64) -> Option<Claim<'_, M>> {
    if payload > LENGTH - WORD {
        return None;
    }
    let capacity = memory.capacity();
    let size = record_size(payload);
    if size > capacity / 2 {
        return None;
    }
    let cursors = memory.cursors();
    // Acquire pairs with the release below and, through `head_cache`, with the consumer's release of `head`: what the
    // consumer zeroed is zero before we write to it.
    let mut head = load_to_store(&cursors.head_cache.0, Ordering::Acquire);
    let mut tail = load_to_store(&cursors.tail.0, Ordering::Relaxed);
    loop {
        // The masks keep the offset inside the region and on a word whatever the cursors hold, and the differences
        // wrap: a broken process that wrote over them makes the ring full at worst.
        let offset = tail & (capacity - 1) & !(WORD - 1);
        let to_end = capacity - offset;
        let padding = if size > to_end { to_end } else { 0 };
        let room = capacity - (padding + size);
        if tail.wrapping_sub(head) > room {
            head = cursors.head.0.load(Ordering::Acquire);
            cursors.head_cache.0.store(head, Ordering::Release);
            // Only a tail that was read after the head can be compared with it: others may have claimed, and the
            // consumer have released, since the old one was read.
            let now = load_to_store(&cursors.tail.0, Ordering::Acquire);
            if now != tail {
                tail = now;
                continue;
            }
            if tail.wrapping_sub(head) > room {
                return None;
            }
        }
        let next = tail.wrapping_add(padding + size);
        if let Err(now) = cursors.tail.0.compare_exchange_weak(tail, next, Ordering::AcqRel, Ordering::Relaxed) {
            tail = now;
            continue;
        }
        if padding > 0 {
            memory.word(offset).store(PADDING | padding, Ordering::Release);
        }
        let at = if padding > 0 { 0 } else { offset };
        memory.word(at).store(CLAIMED | (payload + WORD), Ordering::Relaxed);
        // A producer killed from here on leaves a word that says how long the torn record is; killed before, it leaves
        // zeros up to the next record. Program order is enough: a kill falls between instructions.
        compiler_fence(std::sync::atomic::Ordering::SeqCst);
        return Some(Claim { memory, at, payload, size, open: true });
    }
}

impl<M: Memory> Claim<'_, M> {
    /// Write the record's payload. May be called more than once.
    pub fn write<R>(&mut self, write: impl FnOnce(&mut [u8]) -> R) -> R {
        // SAFETY: the compare-and-swap gave `[at, at + size)` to this claim alone; the consumer does not read past
        // the record's word before it says COMMITTED. `at + size <= capacity` was checked when claiming.
        unsafe { self.memory.bytes_mut(self.at + WORD, self.payload, write) }
    }

    /// Publish the record to the consumer.
    pub fn commit(mut self) {
        self.open = false;
        self.memory.word(self.at).store(COMMITTED | (self.payload + WORD), Ordering::Release);
    }
}

impl<M: Memory> Drop for Claim<'_, M> {
    fn drop(&mut self) {
        if self.open {
            self.memory.word(self.at).store(PADDING | self.size, Ordering::Release);
        }
    }
}
