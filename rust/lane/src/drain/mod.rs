//! The worker's side of a lane: drain all rings, sanitize, acknowledge, retire the rings of processes that are gone.
//!
//! Invariants: one drainer a lane (the lock file says so); a frame leaves here sanitized, or without contents when that fails; a ring is
//! removed only when the lock of its process is free or that has closed it, and everything in it is acknowledged; its counts are
//! folded into the control file in a way that a killed worker's successor completes.
//!
//! [`rings`] finds the rings and knows whose process is gone; [`copy`] makes a sanitized, classified copy of a frame;
//! [`retire`] ends a ring; [`trial`] goes on after a worker that was killed.

mod copy;
mod retire;
mod rings;
mod trace;
mod trial;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::files::{ControlFile, RingFile};
use crate::gcra::monotonic_ns;
use crate::keys::StickyKey;
use crate::lanedir;
use crate::lock::{Held, Signed};
use crate::older::OtherRing;
use crate::process::Identity;
use shadowlane_base::{Error, Result};
use shadowlane_policy::{Hints, Policy};
use shadowlane_redact::Sanitizer;
pub use shadowlane_redact::{CleanResponse, OwnedHeader, sanitize_response};
use shadowlane_ring::frame::Frame;
use shadowlane_ring::{Memory, Step};

pub use copy::DrainedCopy;
use copy::{Cleaner, Tenants};
use rings::Reader;

/// Empties a lane's rings.
pub struct Drainer {
    directory: PathBuf,
    control: Arc<ControlFile>,
    cleaner: Cleaner,
    readers: Vec<Reader>,
    refused: HashSet<u64>,
    /// Rings of other layouts in this lane's directory, and their numbers.
    others: Vec<(u64, OtherRing)>,
    /// Lanes beside this one that nobody held at the last look, and when that was.
    abandoned: (Vec<PathBuf>, u64),
    others_every_ns: u64,
    liveness_every_ns: u64,
    rings_seen: u64,
    listed_ns: u64,
    next: usize,
    /// When the last trial began.
    trial_since: u64,
    /// Until when frames on trial are waited for by a worker that is the first behind a kill.
    hurry_until: Option<u64>,
    acks: Mutex<Vec<(u64, u64)>>,
    _locks: [Held; 2],
    _signed: Signed,
}

fn another_worker(path: PathBuf) -> Error {
    Error::Refused { path, why: "another worker has this lane; stop it first, or let it do its work".to_owned() }
}

impl Drainer {
    /// Become the lane's worker. [`Error::Refused`] when another process is.
    ///
    /// Only GET and HEAD pass, until [`Self::with_policy`] says what else is a read.
    pub fn open(directory: &Path, sanitizer: Sanitizer, ignore: Vec<String>) -> Result<Self> {
        lanedir::ensure(directory)?;
        let lock_path = ControlFile::worker_lock(directory);
        let Some(lock) = Held::take(&lock_path)? else {
            return Err(another_worker(lock_path));
        };
        let signed = Signed::sign(&ControlFile::worker_signature(directory))?;
        let control = Arc::new(ControlFile::open_or_create(directory)?);
        // On the control file too: who removes the lock file alone makes no second worker.
        let Some(second) = Held::take(&ControlFile::path(directory))? else {
            return Err(another_worker(lock_path));
        };
        let salt = control.get().lane_id[1].load(Ordering::Relaxed);
        let me = Identity::current();
        let line = &control.get().worker;
        line.start.store(me.start, Ordering::Relaxed);
        line.namespace.store(me.namespace, Ordering::Relaxed);
        line.heartbeat.store(monotonic_ns(), Ordering::Relaxed);
        line.pid.store(me.pid, Ordering::Release);
        lanedir::remove_leftovers(directory);
        let mut drainer = Self {
            directory: directory.to_path_buf(),
            control,
            cleaner: Cleaner {
                sanitizer,
                policy: Policy::default(),
                hints: Hints::default(),
                ignore,
                tenants: Tenants { key: None, salt },
            },
            readers: Vec::new(),
            refused: HashSet::new(),
            others: Vec::new(),
            abandoned: (Vec::new(), 0),
            others_every_ns: retire::OTHERS_EVERY_NS,
            liveness_every_ns: rings::LIVENESS_EVERY_NS,
            rings_seen: u64::MAX,
            listed_ns: 0,
            next: 0,
            trial_since: 0,
            hurry_until: None,
            acks: Mutex::new(Vec::new()),
            _locks: [lock, second],
            _signed: signed,
        };
        drainer.finish_retirement();
        drainer.find_rings();
        Ok(drainer)
    }

    /// The same, with the policy that classifies every copy before it is handed on.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.cleaner.policy = policy;
        self
    }

    /// The same, asking in another interval for the locks of rings, and looking at lanes and rings of other layouts; such
    /// lanes go at the second look at which nobody holds them.
    #[must_use]
    pub fn with_looks_every(mut self, interval: Duration) -> Self {
        self.others_every_ns = interval.as_nanos() as u64;
        self.liveness_every_ns = self.others_every_ns;
        self
    }

    /// The same, telling the tenants of requests apart by a key.
    #[must_use]
    pub fn with_tenants(mut self, key: Option<StickyKey>) -> Self {
        self.cleaner.tenants.key = key;
        self
    }

    /// The lane's control file: the cap and what the worker says to admission.
    pub fn control(&self) -> Arc<ControlFile> {
        Arc::clone(&self.control)
    }

    /// Acknowledge a copy: its frame may be forgotten. Takes effect with the next drain. Any thread may call it.
    pub fn ack(&self, ring: u64, seq: u64) {
        let mut acks = self.acks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        acks.push((ring, seq));
    }

    /// Acknowledge many.
    pub fn ack_all(&self, acks: Vec<(u64, u64)>) {
        self.acks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(acks);
    }

    /// Take up to `max_frames` frames, or until `max_bytes` of them are taken, in turn from all rings.
    pub fn drain(&mut self, max_frames: usize, max_bytes: usize) -> Vec<DrainedCopy> {
        self.apply_acks();
        self.find_rings();
        let now = monotonic_ns();
        let mut copies = Vec::new();
        if !self.try_suspects(now, &mut copies) {
            return copies;
        }
        let mut bytes = 0;
        let mut idle = 0;
        while !self.readers.is_empty() && idle < self.readers.len() && copies.len() < max_frames && bytes < max_bytes {
            let index = self.next % self.readers.len();
            self.next = (index + 1) % self.readers.len();
            match self.drain_one(index, now) {
                Some(copy) => {
                    bytes += copy.body.len() + copy.response_body.len();
                    copies.push(copy);
                    idle = 0;
                }
                None => idle += 1,
            }
        }
        self.retire_rings(now);
        self.retire_others(now);
        copies
    }

    fn drain_one(&mut self, index: usize, now: u64) -> Option<DrainedCopy> {
        let reader = self.readers.get_mut(index)?;
        let dead = reader.is_dead(now, self.liveness_every_ns);
        let id = reader.id;
        let cleaner = &mut self.cleaner;
        let read = |bytes: &[u8]| Frame::decode(bytes).ok().map(|frame| cleaner.copy(&frame));
        match reader.consumer.next(dead, read) {
            Step::Record(drained) => {
                let redelivered = reader.consumer.is_redelivered(drained.seq);
                Some(drained.value.at(id, drained.seq, redelivered))
            }
            Step::Empty | Step::Blocked | Step::Broken => None,
        }
    }

    fn apply_acks(&mut self) {
        let acks = std::mem::take(&mut *self.acks.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for (ring, seq) in acks {
            if let Some(reader) = self.readers.iter_mut().find(|reader| reader.id == ring) {
                reader.consumer.ack(seq);
            }
        }
        for reader in &mut self.readers {
            reader.consumer.release();
            let mirrored = reader.consumer.memory().header().counters.mirrored.load(Ordering::Acquire);
            reader.consumer.settle(mirrored, RingFile::has_producer);
        }
    }

    /// Rings whose process lives and has not closed them.
    pub fn live_producers(&self) -> usize {
        self.readers.iter().filter(|reader| !reader.closed() && reader.consumer.memory().has_producer()).count()
    }

    /// Rings that hold something that is not acknowledged.
    pub fn pending(&self) -> usize {
        self.readers.iter().filter(|reader| !reader.consumer.is_empty()).count()
    }

    /// Bytes in the rings that are not drained yet.
    pub fn undrained(&mut self) -> u64 {
        self.find_rings();
        self.readers.iter().map(|reader| reader.consumer.undrained()).fold(0, u64::saturating_add)
    }

    /// Frames acknowledged by all workers of this lane, with what was acknowledged and not applied yet.
    pub fn acked(&mut self) -> u64 {
        self.apply_acks();
        let live: u64 = self
            .readers
            .iter()
            .map(|reader| reader.consumer.memory().cursors().journal.acked.load(Ordering::Relaxed))
            .sum();
        let others: u64 = self.others.iter().filter_map(|(_, ring)| ring.totals()).map(|totals| totals.acked).sum();
        // Of rings that were removed under their processes, which counted for them.
        let moved = self.control.get().fallback.acked.load(Ordering::Relaxed);
        self.control.get().retired.acked.load(Ordering::Relaxed) + live + others + moved
    }

    /// The lane's identity.
    pub fn lane_id(&self) -> String {
        self.control.lane_id()
    }

    /// Apply what is acknowledged, retire what is done, and say that there is no worker any more.
    pub fn close(&mut self) {
        self.apply_acks();
        self.retire_rings(u64::MAX);
        for reader in &mut self.readers {
            reader.consumer.leave();
        }
        let line = &self.control.get().worker;
        if line.pid.load(Ordering::Relaxed) == u64::from(std::process::id()) {
            line.pid.store(0, Ordering::Release);
            self.control.get().unopened.set(0, "");
        }
    }
}

impl Drop for Drainer {
    fn drop(&mut self) {
        self.close();
    }
}
