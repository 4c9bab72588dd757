//! A lane whose directory or ring was removed or replaced while it runs: seen now and then, beside the user path, and taken
//! along into the one that was made in its place.
//!
//! Invariants: a copy in the ring that was removed is read by the worker that has it mapped, or, when that has left or was
//! killed, put into the new ring, by nobody twice; such a ring is looked after until a worker has retired it or it was taken
//! along. In the same life of the lane all its counts stay; in another one those since it was last seen in place do.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::Lane;
use crate::files::RingFile;
use crate::layout::{RETIRED, Totals};
use shadowlane_base::Reason;
use shadowlane_ring::frame::Frame;
use shadowlane_ring::{Consumer, Memory, Step, claim};

impl Lane {
    /// Whether control file and ring are where they were made.
    pub fn is_in_place(&self) -> bool {
        let there = self.control.is_in_place() && self.ring.as_ref().is_none_or(|ring| ring.is_in_place());
        if there {
            *self.seen_in_place.lock().unwrap_or_else(PoisonError::into_inner) = self.counters().read();
        }
        there
    }

    /// Take along what `old`, which was handed over to a lane that came after it, leaves behind. `false`: not yet, its worker
    /// may still read its ring. In a forked child there is nothing to take: `old` is its parent's, who looks after it.
    ///
    /// Call it when no request is being admitted or offered there any more.
    pub fn take_along(&self, old: &Self) -> bool {
        let Some(ring) = old.ring.as_ref().filter(|_| old.is_ours()) else { return true };
        if ring.is_in_place() {
            // The control file alone was removed: whoever is this directory's worker finds the ring, and retires it.
            return true;
        }
        if self.control.is_same(&old.control) {
            return self.take_along_whole(old, ring);
        }
        // A worker of the other life leaves when it sees what happened.
        if old.control.is_being_read() {
            return false;
        }
        let before = *old.seen_in_place.lock().unwrap_or_else(PoisonError::into_inner);
        let mut carried = Totals::default();
        let since = carried.dropped.iter_mut().zip(old.counters().read().dropped).zip(before.dropped);
        since.for_each(|((carried, now), before)| *carried = now.saturating_sub(before));
        self.move_frames(&mut Consumer::new(Arc::clone(ring)), &mut carried);
        carried.started = carried.settled();
        self.counters().count(&carried);
        true
    }

    /// In the same life: the worker that has the ring mapped retires it, counts and all. When that is gone before it has, no
    /// other one can, and this process does.
    fn take_along_whole(&self, old: &Self, ring: &Arc<RingFile>) -> bool {
        let is_retired = || ring.header().closed.load(Ordering::Acquire) == RETIRED;
        if is_retired() {
            return true;
        }
        if old.reader.get().is_some_and(|reader| old.control.has_still(reader)) {
            return false;
        }
        // As its last deed, after it was asked for above.
        if is_retired() {
            return true;
        }
        // What a worker that was killed had begun to acknowledge is acknowledged first.
        let mut consumer = Consumer::new(Arc::clone(ring));
        let acked = ring.cursors().journal.acked.load(Ordering::Acquire);
        let counted = old.counters().read();
        let mut carried = Totals { dropped: counted.dropped, mirrored: acked, acked, ..Totals::default() };
        let settled = carried.settled();
        let moved = self.move_frames(&mut consumer, &mut carried);
        // The rest was damaged, as when a worker retires a ring.
        carried.dropped[Reason::ProducerDied as usize] += counted.started.saturating_sub(settled + moved);
        carried.started = carried.settled();
        // Not to this process's ring: what was mirrored and acknowledged elsewhere would look lost there.
        self.control.get().fallback.count(&carried);
        true
    }

    /// Put what is in a ring into this lane's. Returns how many copies that were.
    fn move_frames<M: Memory>(&self, consumer: &mut Consumer<M>, carried: &mut Totals) -> u64 {
        let mut moved = 0;
        let whole = |bytes: &[u8]| Frame::decode(bytes).is_ok().then(|| bytes.to_vec());
        loop {
            let step = if consumer.has_suspects() {
                consumer.next_suspect(true, |bytes| Frame::decode(bytes).is_ok(), |bytes, _| whole(bytes))
            } else {
                consumer.next(true, whole)
            };
            let Step::Record(record) = step else { return moved };
            moved += 1;
            if let Err(reason) = self.put_bytes(&record.value) {
                carried.dropped[reason as usize] += 1;
            }
            consumer.ack(record.seq);
            consumer.release();
        }
    }

    fn put_bytes(&self, bytes: &[u8]) -> Result<(), Reason> {
        let ring = self.ring.as_ref().ok_or(Reason::Disabled)?;
        let mut claim = claim(&**ring, bytes.len() as u64).ok_or(Reason::RingFull)?;
        let written = claim.write(|out| {
            out.copy_from_slice(bytes);
            true
        });
        if !written {
            return Err(Reason::RingFull);
        }
        // Before the commit, as in an offer.
        self.counters().count(&Totals { started: 1, mirrored: 1, ..Totals::default() });
        claim.commit();
        Ok(())
    }
}
