//! The consumer's side: drain in order, acknowledge in any order, move the head over the acknowledged prefix.

use std::collections::VecDeque;

use super::{CLAIMED, COMMITTED, LENGTH, Memory, PADDING, WORD, record_size};
use crate::sync::{Ordering, load_to_store};

/// What [`Consumer::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<R> {
    /// A record, with the number to acknowledge it by.
    Record(Drained<R>),
    /// Nothing that can be read now.
    Empty,
    /// A record is claimed and not committed: its producer is still writing, or dead.
    Blocked,
}

/// A record that was drained.
#[derive(Debug, PartialEq, Eq)]
pub struct Drained<R> {
    /// Its position: unique in the ring's life, and what [`Consumer::ack`] takes.
    pub seq: u64,
    /// What the reader made of the payload.
    pub value: R,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Record,
    Corrupt,
    /// Padding, or the remains of a dead producer's claim.
    Skipped,
}

struct Entry {
    seq: u64,
    end: u64,
    kind: Kind,
    acked: bool,
}

/// The one consumer of a ring. Whoever makes it guarantees that there is no other (the lane's worker lock does).
pub struct Consumer<M: Memory> {
    memory: M,
    drained: u64,
    open: VecDeque<Entry>,
}

impl<M: Memory> Consumer<M> {
    /// Take over a ring: complete what a killed predecessor had begun, and start at the first record that is not
    /// acknowledged.
    pub fn new(memory: M) -> Self {
        let mut consumer = Self { memory, drained: 0, open: VecDeque::new() };
        let clear_to = consumer.memory.cursors().journal.clear_to.load(Ordering::Acquire);
        if clear_to > consumer.head() {
            consumer.clear();
        }
        consumer.drained = consumer.head();
        consumer
    }

    /// The ring's storage.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Read the next record. `read` sees the payload and says what it is worth; `None` means that it is damaged: it
    /// is counted, passed over, and the search goes on.
    ///
    /// `producer_is_dead`: then a claimed record will never be committed, and is passed over.
    pub fn next<R>(&mut self, producer_is_dead: bool, mut read: impl FnMut(&[u8]) -> Option<R>) -> Step<R> {
        let tail = self.tail();
        let capacity = self.memory.capacity();
        while self.drained < tail {
            let at = self.drained & (capacity - 1);
            // Acquire pairs with the producer's commit: the payload is complete when the word says so.
            let word = self.memory.word(at).load(Ordering::Acquire);
            let length = word & LENGTH;
            let room = (capacity - at).min(tail - self.drained);
            match word & !LENGTH {
                COMMITTED if length >= WORD && record_size(length - WORD) <= room => {
                    // SAFETY: in bounds by the check above; the producer is done with it and we have not cleared it.
                    let value = unsafe { self.memory.bytes(at + WORD, length - WORD, &mut read) };
                    let seq = self.drained;
                    let kind = if value.is_some() { Kind::Record } else { Kind::Corrupt };
                    self.pass(record_size(length - WORD), kind);
                    if let Some(value) = value {
                        return Step::Record(Drained { seq, value });
                    }
                }
                PADDING if length >= WORD && length.is_multiple_of(WORD) && length <= room => {
                    self.pass(length, Kind::Skipped);
                }
                0 | CLAIMED if !producer_is_dead => return Step::Blocked,
                CLAIMED if length >= WORD && record_size(length - WORD) <= room => {
                    self.pass(record_size(length - WORD), Kind::Skipped);
                }
                // Killed between claiming and marking: zeros up to the next record's word.
                0 if length == 0 => self.pass(WORD, Kind::Skipped),
                _ => self.resynchronise(tail, &mut read),
            }
        }
        Step::Empty
    }

    /// The word makes no sense: something wrote over it. Go on at the next place where a whole record can be read.
    fn resynchronise<R>(&mut self, tail: u64, read: &mut impl FnMut(&[u8]) -> Option<R>) {
        let capacity = self.memory.capacity();
        let mut next = self.drained + WORD;
        while next < tail {
            let at = next & (capacity - 1);
            let word = self.memory.word(at).load(Ordering::Acquire);
            let length = word & LENGTH;
            let room = (capacity - at).min(tail - next);
            if word & !LENGTH == COMMITTED && length >= WORD && record_size(length - WORD) <= room {
                // SAFETY: in bounds; a word that is not a record's only makes `read` refuse what it is shown. A
                // producer that still writes into its own claim there makes `read` see changing bytes, which it
                // must bear: it checks a checksum over what it copied.
                if unsafe { self.memory.bytes(at + WORD, length - WORD, &mut *read) }.is_some() {
                    break;
                }
            }
            next += WORD;
        }
        self.pass(next - self.drained, Kind::Corrupt);
    }

    fn pass(&mut self, size: u64, kind: Kind) {
        let seq = self.drained;
        self.drained += size;
        if kind == Kind::Skipped
            && let Some(last) = self.open.back_mut()
            && last.kind == Kind::Skipped
        {
            last.end = self.drained;
            return;
        }
        self.open.push_back(Entry { seq, end: self.drained, kind, acked: kind != Kind::Record });
    }

    /// Acknowledge a record by its number; `false` when it is not one that is waiting for it.
    pub fn ack(&mut self, seq: u64) -> bool {
        let Ok(index) = self.open.binary_search_by_key(&seq, |entry| entry.seq) else {
            return false;
        };
        let Some(entry) = self.open.get_mut(index) else {
            return false;
        };
        if entry.acked {
            return false;
        }
        entry.acked = true;
        true
    }

    /// Give the acknowledged prefix back to the producers. Returns whether the head moved.
    pub fn release(&mut self) -> bool {
        let journal = &self.memory.cursors().journal;
        let mut clear_to = self.head();
        let mut acked = journal.acked.load(Ordering::Relaxed);
        let mut corrupt = journal.corrupt.load(Ordering::Relaxed);
        while let Some(entry) = self.open.front().filter(|entry| entry.acked) {
            clear_to = entry.end;
            match entry.kind {
                Kind::Record => acked += 1,
                Kind::Corrupt => corrupt += 1,
                Kind::Skipped => {}
            }
            self.open.pop_front();
        }
        if clear_to == self.head() {
            return false;
        }
        journal.acked_to.store(acked, Ordering::Relaxed);
        journal.corrupt_to.store(corrupt, Ordering::Relaxed);
        // From this store on, a successor completes the release; before it, a successor drains these records again.
        journal.clear_to.store(clear_to, Ordering::Release);
        self.clear();
        true
    }

    /// Carry out the journal. Every step may be repeated.
    fn clear(&mut self) {
        let capacity = self.memory.capacity();
        let cursors = self.memory.cursors();
        let (from, to) = (self.head(), cursors.journal.clear_to.load(Ordering::Acquire));
        let at = from & (capacity - 1);
        let first = (to - from).min(capacity - at);
        // SAFETY: `[head, clear_to)` belongs to the consumer until `head` is stored below; both parts are in bounds.
        unsafe {
            self.memory.zero(at, first);
            self.memory.zero(0, to - from - first);
        }
        let journal = &cursors.journal;
        journal.acked.store(journal.acked_to.load(Ordering::Relaxed), Ordering::Relaxed);
        journal.corrupt.store(journal.corrupt_to.load(Ordering::Relaxed), Ordering::Relaxed);
        cursors.head.0.store(to, Ordering::Release);
    }

    fn head(&self) -> u64 {
        load_to_store(&self.memory.cursors().head.0, Ordering::Acquire)
    }

    fn tail(&self) -> u64 {
        self.memory.cursors().tail.0.load(Ordering::Acquire)
    }

    /// Everything that was claimed is drained and acknowledged.
    pub fn is_empty(&self) -> bool {
        self.head() == self.tail()
    }

    /// Records drained and not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.open.iter().filter(|entry| !entry.acked).count()
    }
}
