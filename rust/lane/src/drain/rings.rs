//! The rings that a drainer reads: finding them, and knowing whose process is gone.
//!
//! Invariants: a ring is gone only when the lock that its process held is free, or that has closed it. One that cannot be
//! read is refused as long as it is there, and left where it is; one that cannot be opened is tried again, and said. A ring of another life of the lane is nobody's here.

use std::sync::atomic::Ordering;

use super::Drainer;
use crate::files::RingFile;
use crate::gcra::monotonic_ns;
use crate::layout::Unopened;
use crate::older::OtherRing;
use crate::status::list_rings;
use shadowlane_base::Error;
use shadowlane_ring::Consumer;

/// How often a ring's lock is asked for, in ns: a look costs a system call.
pub(super) const LIVENESS_EVERY_NS: u64 = 200_000_000;

/// A ring and what is known of its process.
pub(super) struct Reader {
    pub(super) id: u64,
    pub(super) consumer: Consumer<RingFile>,
    dead: bool,
    looked_ns: u64,
}

impl Reader {
    /// Whether the ring's process is dead: its lock is free. Looked up now and then; once dead, dead for ever.
    pub(super) fn is_dead(&mut self, now_ns: u64, every_ns: u64) -> bool {
        if !self.dead && now_ns.saturating_sub(self.looked_ns) >= every_ns {
            self.looked_ns = now_ns;
            self.dead = !self.consumer.memory().has_producer();
        }
        self.dead
    }

    /// Whether no new record will come. A process that has closed its ring and lives may still be finishing a record
    /// that another of its threads had claimed: such a ring is gone when it is empty, and its claims are waited for.
    pub(super) fn is_gone(&mut self, now_ns: u64, every_ns: u64) -> bool {
        self.closed() || self.is_dead(now_ns, every_ns)
    }

    /// Whether the process has closed its ring.
    pub(super) fn closed(&self) -> bool {
        self.consumer.memory().header().closed.load(Ordering::Acquire) != 0
    }
}

impl Drainer {
    /// Look for rings that are new: when the control file says so, and once a second in any case, since a process may
    /// be killed between naming its file and saying so.
    pub(super) fn find_rings(&mut self) {
        let rings = self.control.get().rings.load(Ordering::Acquire);
        let now = monotonic_ns();
        if rings == self.rings_seen && now.saturating_sub(self.listed_ns) < 1_000_000_000 {
            return;
        }
        self.rings_seen = rings;
        self.listed_ns = now;
        let ids = match list_rings(&self.directory) {
            Ok(ids) => ids,
            Err(error) => {
                let why = format!("{}: {error}", self.directory.display());
                self.control.get().unopened.set(Unopened::ALL, &why);
                return;
            }
        };
        let (mut unopened, mut why) = (0, String::new());
        self.refused.retain(|id| ids.contains(id));
        for id in ids {
            if self.refused.contains(&id) || self.readers.iter().any(|reader| reader.id == id) {
                continue;
            }
            let path = RingFile::path_of(&self.directory, id);
            let opened = RingFile::open(&path);
            // Where the lane was made anew, its rings are for the worker of the new one. A control file is there before
            // its first ring, so that what was opened while ours is in place is ours.
            if !self.control.is_in_place() {
                return;
            }
            match opened {
                Ok(ring) => self.readers.push(Reader { id, consumer: Consumer::new(ring), dead: false, looked_ns: 0 }),
                Err(Error::Refused { .. }) => {
                    self.refused.insert(id);
                    let other = OtherRing::open(&path, false).filter(|ring| ring.totals().is_some());
                    self.others.extend(other.map(|ring| (id, ring)));
                }
                // It could not be asked (no descriptor, no memory): it is looked at again. Or it is gone again.
                Err(error) => {
                    if std::fs::symlink_metadata(&path).is_ok() {
                        unopened += 1;
                        why = error.to_string();
                    }
                }
            }
        }
        self.control.get().unopened.set(unopened, &why);
    }
}
