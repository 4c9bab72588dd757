//! The end of a ring: its counts move into the control file, then its file goes.
//!
//! Invariant: the move is journaled. The new totals are written whole before the journal word says that they count, so
//! that a worker killed at any step is completed by its successor and nothing is counted twice. A file is removed only
//! while its name is that of the ring which was counted: numbers may begin anew.

use std::fs;
use std::sync::atomic::Ordering;

use super::Drainer;
use super::rings::Reader;
use crate::files::RingFile;
use crate::latency::LatencySums;
use crate::layout::{NO_RING, RETIRED, RingHeader, Totals};
use crate::older;
use shadowlane_base::Reason;
use shadowlane_ring::Memory;

/// How often lanes and rings of other layouts are looked at, in ns: their processes are another release's.
pub(super) const OTHERS_EVERY_NS: u64 = 5_000_000_000;

impl Drainer {
    /// Retire the rings that are gone and empty. Those of a lane that was made anew in its place are left to the worker of
    /// the new one: what is counted in a control file that was removed, nobody reads.
    pub(super) fn retire_rings(&mut self, now: u64) {
        let mut index = 0;
        while let Some(reader) = self.readers.get_mut(index) {
            if reader.is_gone(now, self.liveness_every_ns) && reader.consumer.is_empty() && self.control.is_in_place() {
                let reader = self.readers.swap_remove(index);
                self.retire(&reader);
            } else {
                index += 1;
            }
        }
    }

    /// Retire what nobody here can read, when nobody holds it any more: rings of other layouts in this directory, whose
    /// copies are counted as dropped, and whole lanes beside it.
    pub(super) fn retire_others(&mut self, now: u64) {
        if now.saturating_sub(self.abandoned.1) < self.others_every_ns || !self.control.is_in_place() {
            return;
        }
        let (done, live): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.others).into_iter().partition(|(_, ring)| !ring.has_producer());
        self.others = live;
        for (id, ring) in done {
            let Some(mut totals) = ring.totals() else { continue };
            totals.mirrored = totals.acked;
            let lost = totals.started.saturating_sub(totals.settled());
            totals.corrupt = 0;
            totals.dropped[Reason::Unreadable as usize] += lost;
            let there = ring.is_at(&RingFile::path_of(&self.directory, id));
            self.fold(if there { id } else { NO_RING }, &totals, None);
            // Its number may be a new ring's from here on.
            self.refused.remove(&id);
        }
        let mut idle: Vec<_> = older::others(&self.directory).into_iter().filter(|lane| !lane.held).collect();
        // Seen twice: between the two a process of it may just have been starting.
        let (gone, new) = idle.drain(..).partition::<Vec<_>, _>(|lane| self.abandoned.0.contains(&lane.directory));
        for lane in &gone {
            lane.retire(self.control.get());
        }
        self.abandoned = (new.into_iter().map(|lane| lane.directory).collect(), now);
    }

    /// Fold the counts of a ring that is done into the control file, and remove its file.
    fn retire(&self, reader: &Reader) {
        let journal = &reader.consumer.memory().cursors().journal;
        let mut totals = reader.consumer.memory().header().counters.read();
        let acked = journal.acked.load(Ordering::Acquire);
        // What was really committed is what was really read. The rest of what was started and not dropped was in the
        // hands of a process that died.
        totals.mirrored = acked;
        let lost = totals.started.saturating_sub(totals.settled());
        totals.acked = acked;
        totals.corrupt = journal.corrupt.load(Ordering::Acquire).min(lost);
        totals.dropped[Reason::ProducerDied as usize] += lost;
        let ring = if reader.consumer.memory().is_in_place() { reader.id } else { NO_RING };
        self.fold(ring, &totals, Some(reader.consumer.memory().header()));
    }

    /// `ring` is the number of the file that goes with it, or [`NO_RING`].
    ///
    /// The journal holds the new totals whole before it is in force, so that each step may be repeated by a successor.
    fn fold(&self, ring: u64, totals: &Totals, of: Option<&RingHeader>) {
        let header = self.control.get();
        let mut sum = header.retired.read();
        sum.add(totals);
        let mut times = LatencySums::default();
        header.retired_latency.add_to(&mut times);
        if let Some(of) = of {
            of.latency.add_to(&mut times);
        }
        header.retire_generation.fetch_or(1, Ordering::AcqRel);
        header.retiring.write(&sum);
        header.retiring_latency.write(&times);
        header.retire_ring.store(ring, Ordering::Release);
        // From here on its counts are the lane's: a process whose ring was removed under it need not take them along.
        if let Some(of) = of {
            of.closed.store(RETIRED, Ordering::Release);
        }
        self.finish_retirement();
    }

    /// Do what the journal says, when it is in force: of this worker, or of one that was killed.
    pub(super) fn finish_retirement(&self) {
        let header = self.control.get();
        let ring = header.retire_ring.load(Ordering::Acquire);
        if ring != 0 {
            let sum: Totals = header.retiring.read();
            header.retired.write(&sum);
            let mut times = LatencySums::default();
            header.retiring_latency.add_to(&mut times);
            header.retired_latency.write(&times);
            // Gone already when a predecessor was killed after this.
            let _ = fs::remove_file(RingFile::path_of(&self.directory, ring));
            header.retire_ring.store(0, Ordering::Release);
        }
        if header.retire_generation.load(Ordering::Acquire) % 2 == 1 {
            header.retire_generation.fetch_add(1, Ordering::AcqRel);
        }
    }
}
