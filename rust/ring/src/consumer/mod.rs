//! The consumer's side: drain in order, acknowledge in any order, move the head over the acknowledged prefix.
//!
//! Invariant: no word of the shared memory is trusted. Positions and lengths are computed from cursors that make sense
//! and from words that fit; what does not is counted as damage and passed over, or ends the reading of this ring.

mod suspects;

use std::collections::VecDeque;
use std::sync::atomic::compiler_fence;

use crate::memory::Memory;
use crate::memory::possible;
use crate::record::{CLAIMED, COMMITTED, LENGTH, PADDING, WORD, record_size};
use crate::sync::{Ordering, load_to_store};
use suspects::Suspects;

/// How often [`Consumer::next`] looks at a word that makes no sense, in the ring of a live process, before it goes on
/// behind it: claims that are being written behind the damage are whole by then, unless their process was stopped.
pub const PATIENCE: u32 = 32;

/// A copy of a record larger than this is not kept to be used again.
const KEEP_BYTES: usize = 4 * 1024 * 1024;

/// What [`Consumer::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<R> {
    /// A record, with the number to acknowledge it by.
    Record(Drained<R>),
    /// Nothing that can be read now.
    Empty,
    /// A record is claimed and not committed: its producer is still writing, or dead.
    Blocked,
    /// Something wrote over the cursors: nothing can be read from this ring any more.
    Broken,
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
    /// What this consumer last stored to the shared `head`, which is not read again.
    head: u64,
    drained: u64,
    open: VecDeque<Entry>,
    scratch: Vec<u8>,
    /// Where a word made no sense, and how often it was looked at since.
    damage: (u64, u32),
    broken: bool,
    suspects: Suspects,
    /// What lies before was in the hands of a predecessor.
    handed_before: u64,
}

impl<M: Memory> Consumer<M> {
    /// Take over a ring: complete what a killed predecessor had begun, and start at the first record that is not
    /// acknowledged.
    pub fn new(memory: M) -> Self {
        let cursors = memory.cursors();
        let head = load_to_store(&cursors.head.0, Ordering::Acquire);
        let clear_to = cursors.journal.clear_to.load(Ordering::Acquire);
        let tail = cursors.tail.0.load(Ordering::Acquire);
        let capacity = memory.capacity();
        let broken = !possible(head, tail, capacity) || (clear_to > head && !possible(clear_to, tail, capacity));
        let handed_to = cursors.trial.handed_to.load(Ordering::Relaxed);
        let handed_before = if broken { tail } else { handed_to.min(tail) };
        let mut consumer = Self {
            memory,
            head,
            drained: head,
            open: VecDeque::new(),
            scratch: Vec::new(),
            damage: (0, 0),
            broken,
            suspects: Suspects::default(),
            handed_before,
        };
        if !broken && clear_to > head {
            consumer.clear(clear_to);
            consumer.drained = clear_to;
        }
        consumer.suspect(tail);
        consumer
    }

    /// The ring's storage.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Whether a predecessor had that record in its hands, and may have done something with it.
    pub fn is_redelivered(&self, seq: u64) -> bool {
        seq < self.handed_before
    }

    /// Read the next record. `read` sees a copy of the payload and says what it is worth; `None` means that it is
    /// damaged: it is counted, passed over, and the search goes on.
    ///
    /// `producer_is_dead`: then a claimed record will never be committed, and is passed over.
    pub fn next<R>(&mut self, producer_is_dead: bool, mut read: impl FnMut(&[u8]) -> Option<R>) -> Step<R> {
        let tail = self.tail();
        let capacity = self.memory.capacity();
        if self.broken || tail < self.drained || !possible(self.head, tail, capacity) {
            self.give_up();
            return Step::Broken;
        }
        while self.drained < tail {
            let at = self.drained & (capacity - 1);
            // Acquire pairs with the producer's commit: the payload is complete when the word says so.
            let word = self.memory.word(at).load(Ordering::Acquire);
            let length = word & LENGTH;
            let room = (capacity - at).min(tail - self.drained);
            let fits = length >= WORD && record_size(length - WORD) <= room;
            match word & !LENGTH {
                COMMITTED if fits => {
                    let seq = self.drained;
                    self.look(seq + record_size(length - WORD));
                    let value = self.look_at(at, length, &mut read);
                    let kind = if value.is_some() { Kind::Record } else { Kind::Corrupt };
                    self.pass(record_size(length - WORD), kind);
                    if let Some(value) = value {
                        return Step::Record(Drained { seq, value });
                    }
                }
                PADDING if length >= WORD && length.is_multiple_of(WORD) && length <= room => {
                    self.pass(length, Kind::Skipped);
                }
                CLAIMED if fits => {
                    if !producer_is_dead {
                        return Step::Blocked;
                    }
                    self.pass(record_size(length - WORD), Kind::Skipped);
                }
                0 if length == 0 => {
                    if !producer_is_dead {
                        return Step::Blocked;
                    }
                    // Killed between claiming and marking: zeros up to the next record's word.
                    self.pass(WORD, Kind::Skipped);
                }
                _ => {
                    if !producer_is_dead && self.is_patient() {
                        return Step::Blocked;
                    }
                    self.resynchronise(tail, &mut read);
                }
            }
        }
        Step::Empty
    }

    /// The payload of a record of that word length, as `read` takes it.
    fn look_at<R>(&mut self, at: u64, length: u64, read: &mut impl FnMut(&[u8]) -> Option<R>) -> Option<R> {
        self.memory.copy_out(at + WORD, length - WORD, &mut self.scratch);
        let value = read(&self.scratch);
        if self.scratch.capacity() > KEEP_BYTES {
            self.scratch = Vec::new();
        }
        value
    }

    fn is_patient(&mut self) -> bool {
        if self.damage.0 != self.drained {
            self.damage = (self.drained, 0);
        }
        self.damage.1 += 1;
        self.damage.1 <= PATIENCE
    }

    /// The word makes no sense: something wrote over it. Go on at the next position where a whole record can be read.
    fn resynchronise<R>(&mut self, tail: u64, read: &mut impl FnMut(&[u8]) -> Option<R>) {
        let capacity = self.memory.capacity();
        let mut next = self.drained + WORD;
        while next < tail {
            let at = next & (capacity - 1);
            let word = self.memory.word(at).load(Ordering::Acquire);
            let length = word & LENGTH;
            let room = (capacity - at).min(tail - next);
            // A word that is not a record's only makes `read` refuse the copy that it is shown.
            let fits = length >= WORD && record_size(length - WORD) <= room;
            if word & !LENGTH == COMMITTED && fits {
                self.look(next + record_size(length - WORD));
                if self.look_at(at, length, read).is_some() {
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
        self.acquit(seq);
        true
    }

    /// Give the acknowledged prefix back to the producers. Returns whether the head moved.
    pub fn release(&mut self) -> bool {
        let journal = &self.memory.cursors().journal;
        let mut clear_to = self.head;
        let mut acked = journal.acked.load(Ordering::Relaxed);
        let mut corrupt = journal.corrupt.load(Ordering::Relaxed);
        while let Some(entry) = self.open.front().filter(|entry| entry.acked) {
            clear_to = entry.end;
            match entry.kind {
                Kind::Record => acked = acked.wrapping_add(1),
                Kind::Corrupt => corrupt = corrupt.wrapping_add(1),
                Kind::Skipped => {}
            }
            self.open.pop_front();
        }
        if clear_to == self.head {
            return false;
        }
        journal.acked_to.store(acked, Ordering::Relaxed);
        journal.corrupt_to.store(corrupt, Ordering::Relaxed);
        // From this store on, a successor completes the release; before it, a successor drains these records again.
        journal.clear_to.store(clear_to, Ordering::Release);
        // Nothing is zeroed before the journal says so. A release store orders only what is before it.
        compiler_fence(std::sync::atomic::Ordering::SeqCst);
        self.clear(clear_to);
        true
    }

    /// Carry out the journal. Every step may be repeated.
    fn clear(&mut self, to: u64) {
        let capacity = self.memory.capacity();
        let cursors = self.memory.cursors();
        let at = self.head & (capacity - 1);
        let size = to - self.head;
        let first = size.min(capacity - at);
        // SAFETY: `[head, to)` belongs to the consumer until `head` is stored below. It is no larger than the region:
        // `to` is at most `drained`, or was checked against the cursors when this consumer was made.
        unsafe {
            self.memory.zero(at, first);
            self.memory.zero(0, size - first);
        }
        let journal = &cursors.journal;
        journal.acked.store(journal.acked_to.load(Ordering::Relaxed), Ordering::Relaxed);
        journal.corrupt.store(journal.corrupt_to.load(Ordering::Relaxed), Ordering::Relaxed);
        cursors.head.0.store(to, Ordering::Release);
        self.head = to;
    }

    fn tail(&self) -> u64 {
        self.memory.cursors().tail.0.load(Ordering::Acquire)
    }

    /// Bytes that are claimed and not drained; none of a broken ring.
    pub fn undrained(&self) -> u64 {
        if self.broken { 0 } else { self.tail().saturating_sub(self.drained) }
    }

    /// Everything that was claimed is drained and acknowledged. Of a broken ring: everything that could be drained.
    pub fn is_empty(&self) -> bool {
        if self.broken { self.unacknowledged() == 0 } else { self.head == self.tail() }
    }

    /// Something wrote over the cursors, and nothing more is read from this ring.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Set how many frames are lost to damage, when the ring is empty: `mirrored` is how many were committed, read
    /// before this call. What was passed over as one piece of damage may have been several frames, or none.
    ///
    /// Only while the producer `lives`, which is asked where the counts differ: one that was killed between counting a
    /// frame and committing it has damaged nothing.
    pub fn settle(&mut self, mirrored: u64, lives: impl FnOnce(&M) -> bool) {
        let journal = &self.memory.cursors().journal;
        let lost = mirrored.saturating_sub(journal.acked.load(Ordering::Relaxed));
        let differs = !self.broken && self.is_empty() && lost != journal.corrupt.load(Ordering::Relaxed);
        if differs && lives(&self.memory) {
            journal.corrupt.store(lost, Ordering::Relaxed);
        }
    }

    /// Records drained and not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.open.iter().filter(|entry| !entry.acked).count()
    }
}
