//! The records that were in the hands of a consumer that was killed: its successor tries them one at a time.
//!
//! Invariants: while a record is on trial no other suspect is handed out; one that was tried [`MOST_TRIALS`] times and is
//! still there is handed out as lost, which is not for anybody to look into; a consumer whose ring holds suspects is
//! asked for them before [`Consumer::next`].
//!
//! One that has been tried comes after those that have not: a consumer that is killed for another cause, again and again,
//! is then killed on another record each time, and none of them is taken for the cause.
//!
//! Where no suspect was ever tried alone, whoever hands them out may be in a hurry ([`Consumer::hurry`]): the next one comes
//! before the last one is acknowledged. One of those that are out so keeps a count. By it a successor sees that they were
//! not alone, and is in no hurry ([`Consumer::is_strict`]).

use super::{Consumer, Drained, Kind, Step};
use crate::memory::Memory;
use crate::record::{CLAIMED, COMMITTED, LENGTH, PADDING, WORD, record_size};
use crate::sync::Ordering;
use crate::trial::MOST_TRIALS;

/// What a consumer suspects.
#[derive(Default)]
pub(super) struct Suspects {
    /// Passed over and not handed out yet, by their numbers, in order.
    waiting: Vec<u64>,
    /// Up to here everything is suspected that is not passed over yet.
    end: u64,
    /// The one on trial.
    trying: Option<u64>,
    /// Those with a count that this consumer has handed out.
    counted: Vec<u64>,
    /// What `looked_to` is in the ring, which is not read again.
    looked_to: u64,
    /// Handed out, and not waited for.
    hurried: Vec<u64>,
    /// The one of them whose count stands for all.
    told_by: Option<u64>,
    /// Whether one was found that had been tried.
    strict: bool,
}

impl<M: Memory> Consumer<M> {
    /// What a killed predecessor was at work on is suspected. `tail` is the ring's.
    pub(super) fn suspect(&mut self, tail: u64) {
        let trial = &self.memory.cursors().trial;
        let looked_to = trial.looked_to.load(Ordering::Relaxed);
        self.suspects.end = if self.broken { 0 } else { looked_to.min(tail) };
        if looked_to != 0 {
            self.suspects.looked_to = self.suspects.end;
            trial.look_to(self.suspects.end);
        }
    }

    /// Before anything up to `end` is looked at.
    pub(super) fn look(&mut self, end: u64) {
        if end > self.suspects.looked_to {
            self.suspects.looked_to = end;
            self.memory.cursors().trial.look_to(end);
        }
    }

    /// Whether records are suspected that were not handed out, or are on trial.
    pub fn has_suspects(&self) -> bool {
        self.suspects() > 0 || self.suspects.end > self.drained
    }

    /// How many records are known to be suspected, with the one on trial.
    pub fn suspects(&self) -> usize {
        self.suspects.waiting.len() + usize::from(self.suspects.trying.is_some())
    }

    /// Whether a record is on trial: nothing else may be handed out until it is acknowledged.
    pub fn is_trying(&self) -> bool {
        self.suspects.trying.is_some()
    }

    /// Whether suspects must come alone: one of them was tried before, and its consumer was killed.
    pub fn is_strict(&self) -> bool {
        self.suspects.strict
    }

    /// Whether suspects are out that were not waited for: none may be tried alone beside them.
    pub fn is_hurried(&self) -> bool {
        !self.suspects.hurried.is_empty()
    }

    /// Wait no longer for the record that is on trial: the next one comes beside it. Not where one was tried before.
    pub fn hurry(&mut self) {
        let Some(seq) = self.suspects.trying.take() else { return };
        if self.suspects.told_by.is_some() {
            self.memory.cursors().trial.undo(seq);
        } else {
            self.suspects.told_by = Some(seq);
        }
        self.suspects.hurried.push(seq);
    }

    /// Pass over what is suspected, without handing it out: from then on [`Self::is_strict`] is known. As
    /// [`Self::next_suspect`] does.
    pub fn look_for_suspects(&mut self, producer_is_dead: bool, is_record: impl Fn(&[u8]) -> bool) {
        self.find_suspects(producer_is_dead, &is_record);
    }

    /// Wait no longer for the record that is on trial: it is held by somebody, and has not killed them.
    pub fn end_trial(&mut self) {
        self.suspects.trying = None;
    }

    /// Hand out the next suspect alone, or one that is lost. `read` as for [`Self::next`], with `true` for a lost one;
    /// `is_record` says whether bytes are a record, without doing anything with it. [`Step::Blocked`]: one is on trial.
    /// [`Step::Empty`]: there is none (left).
    pub fn next_suspect<R>(
        &mut self,
        producer_is_dead: bool,
        is_record: impl Fn(&[u8]) -> bool,
        mut read: impl FnMut(&[u8], bool) -> Option<R>,
    ) -> Step<R> {
        if self.suspects.trying.is_some() {
            return Step::Blocked;
        }
        self.find_suspects(producer_is_dead, &is_record);
        let open = &self.open;
        let is_open = |seq| open.binary_search_by_key(&seq, |entry| entry.seq).is_ok();
        self.memory.cursors().trial.keep(is_open);
        while let Some((seq, lost)) = self.take_suspect() {
            // Of a lost one nothing is looked into, so nothing is counted.
            let counted = !lost && self.memory.cursors().trial.begin(seq);
            self.suspects.counted.push(seq);
            let at = seq & (self.memory.capacity() - 1);
            let word = self.memory.word(at).load(Ordering::Acquire);
            let fits = word & !LENGTH == COMMITTED && self.fits(seq, word & LENGTH);
            let value = if fits { self.look_at(at, word & LENGTH, &mut |bytes| read(bytes, lost)) } else { None };
            if let Some(value) = value {
                self.suspects.trying = counted.then_some(seq);
                return Step::Record(Drained { seq, value });
            }
            self.acquit(seq);
            if let Ok(index) = self.open.binary_search_by_key(&seq, |entry| entry.seq)
                && let Some(entry) = self.open.get_mut(index)
            {
                (entry.kind, entry.acked) = (Kind::Corrupt, true);
            }
        }
        if self.broken { Step::Broken } else { Step::Empty }
    }

    /// Pass over what is suspected, and note the records in it.
    fn find_suspects(&mut self, producer_is_dead: bool, is_record: &impl Fn(&[u8]) -> bool) {
        let tail = self.tail();
        if self.broken || tail < self.suspects.end || !crate::memory::possible(self.head, tail, self.memory.capacity())
        {
            if self.suspects.end > self.drained {
                self.give_up();
            }
            return;
        }
        while self.drained < self.suspects.end {
            let at = self.drained & (self.memory.capacity() - 1);
            let word = self.memory.word(at).load(Ordering::Acquire);
            let length = word & LENGTH;
            match word & !LENGTH {
                COMMITTED if self.fits(self.drained, length) => {
                    self.suspects.strict |= self.memory.cursors().trial.times(self.drained) > 0;
                    self.suspects.waiting.push(self.drained);
                    self.pass(record_size(length - WORD), Kind::Record);
                }
                PADDING if length.is_multiple_of(WORD) && self.fits(self.drained, length) => {
                    self.pass(length, Kind::Skipped);
                }
                CLAIMED if producer_is_dead && self.fits(self.drained, length) => {
                    self.pass(record_size(length - WORD), Kind::Skipped);
                }
                0 if producer_is_dead && length == 0 => self.pass(WORD, Kind::Skipped),
                // A predecessor saw another word here, or knew more of the producer: what is behind is not held back.
                CLAIMED | 0 => self.suspects.end = self.drained,
                _ => {
                    let tail = self.suspects.end;
                    self.resynchronise(tail, &mut |bytes: &[u8]| is_record(bytes).then_some(()));
                }
            }
        }
    }

    /// Whether a record of that word length lies in the region and before the tail.
    fn fits(&self, seq: u64, length: u64) -> bool {
        let capacity = self.memory.capacity();
        let room = (capacity - (seq & (capacity - 1))).min(self.tail().saturating_sub(seq));
        length >= WORD && record_size(length - WORD) <= room
    }

    /// The next one, and whether it is lost: the lost ones first, then those that were not tried, then the others; those
    /// first when there is no room for another count.
    fn take_suspect(&mut self) -> Option<(u64, bool)> {
        let trial = &self.memory.cursors().trial;
        let waiting = &mut self.suspects.waiting;
        let lost = waiting.iter().position(|seq| trial.times(*seq) >= MOST_TRIALS);
        if let Some(index) = lost {
            return Some((waiting.remove(index), true));
        }
        let untried = waiting.iter().position(|seq| trial.times(*seq) == 0).filter(|_| trial.has_room());
        let tried = || waiting.iter().position(|seq| trial.times(*seq) > 0);
        let index = untried.or_else(tried)?;
        Some((waiting.remove(index), false))
    }

    /// A record was acknowledged: it has killed nobody.
    pub(super) fn acquit(&mut self, seq: u64) {
        if self.suspects.trying == Some(seq) {
            self.suspects.trying = None;
        }
        if let Some(index) = self.suspects.hurried.iter().position(|hurried| *hurried == seq) {
            self.suspects.hurried.swap_remove(index);
            if self.suspects.told_by == Some(seq) {
                // Before the count of this one goes: a successor finds one at any moment.
                self.suspects.told_by = self.suspects.hurried.first().copied();
                if let Some(next) = self.suspects.told_by {
                    self.memory.cursors().trial.begin(next);
                }
            }
        }
        if let Some(index) = self.suspects.counted.iter().position(|counted| *counted == seq) {
            self.suspects.counted.swap_remove(index);
            self.memory.cursors().trial.end(seq);
        }
    }

    /// Nothing can be read from this ring any more, the suspects neither.
    pub(super) fn give_up(&mut self) {
        self.broken = true;
        let waiting = std::mem::take(&mut self.suspects).waiting;
        self.open.retain(|entry| waiting.binary_search(&entry.seq).is_err());
    }

    /// Leave the ring in good order: a successor need suspect only what this one had not tried yet.
    pub fn leave(&mut self) {
        let trial = &self.memory.cursors().trial;
        let suspects = self.has_suspects();
        if let Some(seq) = self.suspects.trying.take() {
            trial.undo(seq);
        }
        if let Some(seq) = self.suspects.told_by.take() {
            trial.undo(seq);
        }
        if !suspects {
            trial.looked_to.store(0, Ordering::Relaxed);
            self.suspects.looked_to = 0;
        }
    }
}
