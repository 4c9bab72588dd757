//! The layout of the two kinds of file in a lane's directory.
//!
//! Everything is an atomic of eight bytes, valid when zero, in structures of C layout, spaced so that words written
//! by different parties do not share a cache line. A file of another magic, version or size is refused.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::caps::CapTable;
use crate::gcra::GcraCell;
use crate::latency::Latency;
use crate::lease::{LeaseLine, boottime_ns};
use crate::process::Identity;
use crate::revisions::Revisions;
use crate::sampler::RatioCell;
use crate::text::Text;
use crate::throttle::ThrottleLine;
use shadowlane_base::Reason;
use shadowlane_ring::Cursors;

/// Version of the layout of both files: another one for any change of [`RingHeader`], of [`ControlHeader`] or of what
/// a word in them or a lock on a file of the lane means. A directory holds files of one version.
pub const LAYOUT_VERSION: u8 = 10;
/// First word of a ring file: `slring`, a zero byte, the version; little-endian.
pub const RING_MAGIC: u64 = u64::from_le_bytes(*b"slring\0\0") | (LAYOUT_VERSION as u64) << 56;
/// First word of the control file: `slctrl`, a zero byte, the version; little-endian.
pub const CONTROL_MAGIC: u64 = u64::from_le_bytes(*b"slctrl\0\0") | (LAYOUT_VERSION as u64) << 56;
/// The largest page of the machines that this runs on: mappings of the data region begin on one.
const LARGEST_PAGE: u64 = 64 * 1024;
/// Where a ring file's data region starts: after the header, on a page.
pub const RING_DATA: u64 = (size_of::<RingHeader>() as u64).next_multiple_of(LARGEST_PAGE);
/// Room for reasons that later releases add.
pub const REASON_SLOTS: usize = 32;
const _: () = assert!(Reason::COUNT <= REASON_SLOTS);

/// What may lie in memory that other processes write to.
///
/// # Safety
/// The type is `repr(C)` and made of atomics (and arrays and structures of them) alone: every bit pattern is valid, and the
/// memory may change under a shared reference.
pub unsafe trait Shared {}

// SAFETY: every field is an atomic of eight bytes, or a `repr(C)` structure or array of such.
unsafe impl Shared for RingHeader {}
// SAFETY: as above.
unsafe impl Shared for ControlHeader {}

/// What [`RingHeader::closed`] says of a ring that a worker has retired, to a process that has it mapped still.
pub const RETIRED: u64 = 2;

/// What [`ControlHeader::retire_ring`] says of a ring whose file is gone already: no ring has this number, so that the file
/// that has its name now is left alone.
pub const NO_RING: u64 = u64::MAX;

/// Head of a ring file `ring-<id>.shm`; the data region follows at [`RING_DATA`].
#[repr(C, align(128))]
pub struct RingHeader {
    /// [`RING_MAGIC`].
    pub magic: AtomicU64,
    /// Size of the data region in bytes, a power of two.
    pub capacity: AtomicU64,
    /// The ring's number, unique in the lane.
    pub id: AtomicU64,
    /// The process that writes to it, see [`crate::process::Identity`].
    pub pid: AtomicU64,
    /// Its start time.
    pub start: AtomicU64,
    /// Its pid namespace.
    pub namespace: AtomicU64,
    /// Not 0 when the process has closed the ring: it will not write to it any more. [`RETIRED`] when a worker has moved its
    /// counts.
    pub closed: AtomicU64,
    /// The ring's cursors and the consumer's journal.
    pub cursors: Cursors,
    /// What the process counted.
    pub counters: Counters,
    /// What the process timed.
    pub latency: Latency,
}

/// Counts of requests. `started` counts at admission; each request is then counted once under `mirrored` or `dropped`.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Counters {
    /// Requests that reached admission.
    pub started: AtomicU64,
    /// Frames committed to the ring. Counted before the commit, so that it is never less than what a worker can read.
    pub mirrored: AtomicU64,
    /// Requests not mirrored, by reason.
    pub dropped: [AtomicU64; REASON_SLOTS],
    /// Frames acknowledged; filled when a ring is retired.
    pub acked: AtomicU64,
    /// Damaged frames; filled when a ring is retired.
    pub corrupt: AtomicU64,
    /// Failures of our own on the user path that were swallowed.
    pub faults: AtomicU64,
}

impl Counters {
    /// Count a request that is not mirrored.
    pub fn drop_for(&self, reason: Reason) {
        self.dropped[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A copy of all counts.
    pub fn read(&self) -> Totals {
        // `started` last: a request that settles meanwhile cannot make more settled than started.
        let mirrored = self.mirrored.load(Ordering::Acquire);
        let mut dropped = [0; REASON_SLOTS];
        for (total, count) in dropped.iter_mut().zip(&self.dropped) {
            *total = count.load(Ordering::Acquire);
        }
        Totals {
            mirrored,
            dropped,
            acked: self.acked.load(Ordering::Acquire),
            corrupt: self.corrupt.load(Ordering::Acquire),
            faults: self.faults.load(Ordering::Acquire),
            started: self.started.load(Ordering::Acquire),
        }
    }

    /// Add to the counts.
    pub fn count(&self, totals: &Totals) {
        self.started.fetch_add(totals.started, Ordering::Relaxed);
        self.mirrored.fetch_add(totals.mirrored, Ordering::Release);
        for (count, more) in self.dropped.iter().zip(&totals.dropped) {
            count.fetch_add(*more, Ordering::Relaxed);
        }
        self.acked.fetch_add(totals.acked, Ordering::Release);
    }

    /// Overwrite all counts.
    pub fn write(&self, totals: &Totals) {
        self.started.store(totals.started, Ordering::Release);
        self.mirrored.store(totals.mirrored, Ordering::Release);
        for (count, total) in self.dropped.iter().zip(&totals.dropped) {
            count.store(*total, Ordering::Release);
        }
        self.acked.store(totals.acked, Ordering::Release);
        self.corrupt.store(totals.corrupt, Ordering::Release);
        self.faults.store(totals.faults, Ordering::Release);
    }
}

/// Plain counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// See [`Counters::started`].
    pub started: u64,
    /// See [`Counters::mirrored`].
    pub mirrored: u64,
    /// See [`Counters::dropped`].
    pub dropped: [u64; REASON_SLOTS],
    /// Frames acknowledged.
    pub acked: u64,
    /// Damaged frames.
    pub corrupt: u64,
    /// See [`Counters::faults`].
    pub faults: u64,
}

impl Totals {
    /// Requests that are settled.
    pub fn settled(&self) -> u64 {
        self.mirrored + self.dropped.iter().sum::<u64>()
    }

    /// Add another's counts.
    pub fn add(&mut self, other: &Self) {
        self.started += other.started;
        self.mirrored += other.mirrored;
        for (mine, theirs) in self.dropped.iter_mut().zip(&other.dropped) {
            *mine += theirs;
        }
        self.acked += other.acked;
        self.corrupt += other.corrupt;
        self.faults += other.faults;
    }

    /// Damaged frames were mirrored and are lost: they count as dropped, under `producer_died`.
    #[must_use]
    pub fn without_corrupt(mut self) -> Self {
        let lost = self.corrupt.min(self.mirrored);
        self.mirrored -= lost;
        self.dropped[Reason::ProducerDied as usize] += lost;
        self
    }
}

/// The file `control.shm`, shared by all processes of a lane.
#[repr(C, align(128))]
pub struct ControlHeader {
    /// [`CONTROL_MAGIC`].
    pub magic: AtomicU64,
    /// `size_of::<ControlHeader>()` of the maker.
    pub size: AtomicU64,
    /// Random number of this lane's life: counts of different lives are not added.
    pub lane_id: [AtomicU64; 2],
    /// The kill switch: 1 is on.
    pub enabled: AtomicU64,
    /// The next ring's number, minus one; also tells the worker that there is a new ring.
    pub rings: AtomicU64,
    /// Processes that could not make a ring.
    pub ringless: AtomicU64,
    /// Why, for the last of them.
    pub ring_error: Text,
    /// How requests are chosen, as the number of a [`crate::choice::Choice`].
    pub choice: AtomicU64,
    /// Which requests are taken.
    pub sampler: RatioCell,
    /// The hard cap.
    pub cap: GcraCell,
    /// What the worker says to admission.
    pub throttle: ThrottleLine,
    /// The caps of routes and tenants.
    pub caps: CapTable,
    /// Who empties the rings.
    pub worker: WorkerLine,
    /// What nobody here could read.
    pub unread: Unread,
    /// What the worker cannot open now.
    pub unopened: Unopened,
    /// Odd while a ring is being retired.
    pub retire_generation: AtomicU64,
    /// The ring that is being retired, or 0: then `retiring` replaces `retired`, and that ring's file is left out.
    pub retire_ring: AtomicU64,
    /// Counts of the rings that are gone.
    pub retired: Counters,
    /// What `retired` will be.
    pub retiring: Counters,
    /// Counts of processes without a ring.
    pub fallback: Counters,
    /// What the rings that are gone timed.
    pub retired_latency: Latency,
    /// What `retired_latency` will be.
    pub retiring_latency: Latency,
    /// What was counted by which setting.
    pub revisions: Revisions,
    /// The lane's share of a fleet's cap, which is asked in the stead of `cap` where one is required.
    pub lease: LeaseLine,
}

impl ControlHeader {
    /// The rate in force, units a second: the configured one, or a lower one that the worker says; of a fleet's host, its
    /// share's.
    pub fn rate_at(&self, now_ns: u64) -> f64 {
        let ceiling = if self.lease.is_required() { self.lease.rate_at(boottime_ns()) } else { self.cap.rate() };
        self.throttle.rate_at(now_ns).map_or(ceiling, |rate| rate.min(ceiling))
    }

    /// Take `n` units of the lane's cap at the rate in force, or none.
    pub fn take(&self, n: u32, now_ns: u64) -> bool {
        if self.lease.is_required() {
            return self.lease.take(n, now_ns, self.throttle.rate_at(now_ns), boottime_ns);
        }
        self.cap.try_acquire_slowed_at(n, now_ns, self.rate_at(now_ns))
    }

    /// How long until `n` units of the lane's cap could be taken at the rate in force, in ns; `None` when they never can.
    pub fn wait_ns(&self, n: u32, now_ns: u64) -> Option<u64> {
        if self.lease.is_required() {
            return Some(self.lease.wait_ns(n, now_ns, self.throttle.rate_at(now_ns), boottime_ns()));
        }
        self.cap.wait_ns_slowed_at(n, now_ns, self.rate_at(now_ns))
    }

    /// Whether `n` units of the lane's cap could be taken now, at the rate in force.
    pub fn has_room(&self, n: u32, now_ns: u64) -> bool {
        self.wait_ns(n, now_ns) == Some(0)
    }

    /// Units of the lane's cap that could be taken at once at a moment, at the rate in force now.
    pub fn available_at(&self, at_ns: u64, now_ns: u64) -> f64 {
        if self.lease.is_required() {
            return self.lease.available_at(at_ns, self.throttle.rate_at(now_ns), boottime_ns());
        }
        self.cap.available_slowed_at(at_ns, self.rate_at(now_ns))
    }

    /// Whether mirroring is on: on this host, and in its fleet.
    pub fn is_on(&self) -> bool {
        self.enabled.load(Ordering::Relaxed) != 0 && !self.lease.is_off()
    }
}

/// What was in rings of other layouts when nobody held them any more, and went with them.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Unread {
    /// Copies.
    pub copies: AtomicU64,
    /// Rings that were not empty, of which nobody can say how many copies they held.
    pub uncounted: AtomicU64,
    /// Rings that were removed.
    pub rings: AtomicU64,
    /// Where the last of them were.
    pub last: Text,
}

/// Rings that the worker tries again each second. Another process may well read them.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Unopened {
    /// How many, or [`Self::ALL`] when it cannot look for them.
    pub rings: AtomicU64,
    /// Why, for the last of them.
    pub why: Text,
}

impl Unopened {
    /// The directory could not be listed: how many there are is not known.
    pub const ALL: u64 = u64::MAX;

    /// Say what is so now.
    pub fn set(&self, rings: u64, why: &str) {
        if rings != 0 {
            self.why.write(why);
        }
        self.rings.store(rings, Ordering::Release);
    }

    /// In words; `None` when all could be opened.
    pub fn text(&self) -> Option<String> {
        let rings = match self.rings.load(Ordering::Acquire) {
            0 => return None,
            Self::ALL => "new rings cannot be looked for".to_owned(),
            1 => "1 ring cannot be opened".to_owned(),
            rings => format!("{rings} rings cannot be opened"),
        };
        Some(format!("{rings} by the worker, which tries again each second: {}", self.why.read()))
    }
}

/// The worker, as it last reported itself.
#[repr(C, align(128))]
#[derive(Default)]
pub struct WorkerLine {
    /// Process id; 0 when there is none.
    pub pid: AtomicU64,
    /// Start time.
    pub start: AtomicU64,
    /// Pid namespace.
    pub namespace: AtomicU64,
    /// CLOCK_MONOTONIC in ns.
    pub heartbeat: AtomicU64,
}

impl WorkerLine {
    /// The process; its pid is 0 when there is none.
    pub fn identity(&self) -> Identity {
        Identity {
            pid: self.pid.load(Ordering::Acquire),
            start: self.start.load(Ordering::Relaxed),
            namespace: self.namespace.load(Ordering::Relaxed),
        }
    }
}
