//! The end of a ring: its counts move into the control file, then its file goes.
//!
//! Invariant: the move is journaled. The new totals are written whole before the journal word says that they count, so
//! that a worker killed at any step is completed by its successor and nothing is counted twice.

use std::fs;
use std::sync::atomic::Ordering;

use super::Drainer;
use super::rings::Reader;
use crate::files::RingFile;
use crate::latency::LatencySums;
use crate::layout::Totals;
use shadowlane_base::Reason;
use shadowlane_ring::Memory;

impl Drainer {
    /// Retire the rings that are gone and empty.
    pub(super) fn retire_rings(&mut self, now: u64) {
        let mut index = 0;
        while let Some(reader) = self.readers.get_mut(index) {
            if reader.is_gone(now) && reader.consumer.is_empty() {
                let reader = self.readers.swap_remove(index);
                self.retire(&reader);
            } else {
                index += 1;
            }
        }
    }

    /// Fold the counts of a ring that is done into the control file, and remove its file.
    ///
    /// The journal holds the new totals whole before it is in force, so that each step may be repeated by a successor.
    fn retire(&self, reader: &Reader) {
        let header = self.control.get();
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
        let mut sum = header.retired.read();
        sum.add(&totals);
        let mut times = LatencySums::default();
        header.retired_latency.add_to(&mut times);
        reader.consumer.memory().header().latency.add_to(&mut times);
        header.retire_generation.fetch_or(1, Ordering::AcqRel);
        header.retiring.write(&sum);
        header.retiring_latency.write(&times);
        header.retire_ring.store(reader.id, Ordering::Release);
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
