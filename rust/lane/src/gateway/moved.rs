//! A lane whose directory or ring was removed or replaced while it runs: seen now and then, beside the user path, and taken
//! along into the one that was made in its place.
//!
//! Invariants: a copy in the ring that was removed is read by the worker that has it mapped, or, when that has left, put
//! into the new ring, by nobody twice; what was counted since the lane was last seen in place is counted in the new one.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::Lane;
use crate::layout::Totals;
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

    /// Take along what `old`, which is closed and was this process's lane before, leaves behind. `false`: not yet, its
    /// worker may still read its ring.
    ///
    /// Call it when no request is being admitted or offered there any more.
    pub fn take_along(&self, old: &Self) -> bool {
        let Some(ring) = &old.ring else { return true };
        if ring.is_in_place() {
            // The control file alone was removed: whoever is this directory's worker finds the ring, and retires it.
            return true;
        }
        let same_life = self.control.is_same(&old.control);
        if old.control.is_being_read() {
            // In the same life the worker retires the ring, counts and all; else it leaves when it sees what happened.
            return same_life;
        }
        let before = *old.seen_in_place.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = old.counters().read();
        let mut carried = Totals::default();
        if same_life {
            carried.dropped = counted.dropped;
            carried.mirrored = ring.cursors().journal.acked.load(Ordering::Acquire);
        } else {
            let since = carried.dropped.iter_mut().zip(counted.dropped).zip(before.dropped);
            since.for_each(|((carried, now), before)| *carried = now.saturating_sub(before));
        }
        self.move_frames(ring, &mut carried);
        carried.started = carried.settled();
        self.counters().count(&carried);
        true
    }

    /// Put what is in a ring into this lane's.
    fn move_frames<M: Memory>(&self, from: &Arc<M>, carried: &mut Totals) {
        let mut consumer = Consumer::new(Arc::clone(from));
        let whole = |bytes: &[u8]| Frame::decode(bytes).is_ok().then(|| bytes.to_vec());
        loop {
            let step = if consumer.has_suspects() {
                consumer.next_suspect(true, |bytes| Frame::decode(bytes).is_ok(), |bytes, _| whole(bytes))
            } else {
                consumer.next(true, whole)
            };
            let Step::Record(record) = step else { break };
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
