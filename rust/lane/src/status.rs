//! What a lane's files say about it: counts over all processes, rings, cap, sampler, worker. Reads, never writes.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use crate::choice::Choice;
use crate::files::{ControlFile, RingFile};
use crate::gcra::monotonic_ns;
use crate::lanedir;
use crate::latency::LatencySums;
use crate::layout::{ControlHeader, Totals};
use crate::lease::{LeaseState, boottime_ns};
use crate::older::{self, OlderLane, OtherRing};
use crate::revisions::{Counted, Revision};
use shadowlane_base::Reason;
use shadowlane_base::Result;
use shadowlane_ring::Memory;

/// One gateway process's ring.
#[derive(Clone, Debug)]
pub struct RingStatus {
    /// Number.
    pub id: u64,
    /// Process id of its producer.
    pub pid: u64,
    /// Whether that process lives and has not closed the ring.
    pub alive: bool,
    /// Whether its process id is of the reader's pid namespace.
    pub same_namespace: bool,
    /// Size of the data region.
    pub bytes: u64,
    /// Bytes claimed and not acknowledged.
    pub used: u64,
    /// What the process counted.
    pub totals: Totals,
}

/// The hard cap, and what is in force of it.
#[derive(Clone, Copy, Debug)]
pub struct CapStatus {
    /// The configured rate, units a second.
    pub qps: f64,
    /// Units that may come at once.
    pub burst: u32,
    /// Units that are available now.
    pub available: f64,
    /// The rate in force: the cap's, or a lower one that the worker says.
    pub rate: f64,
    /// Why nothing is admitted now, and for how many seconds yet.
    pub paused: Option<(Reason, f64)>,
}

/// The sampler's setting, and what it did.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerStatus {
    /// How requests are chosen.
    pub choice: Choice,
    /// The ratio.
    pub ratio: f64,
    /// Requests that it decided about.
    pub eligible: u64,
    /// Requests that it took.
    pub taken: u64,
    /// What was counted by which setting, the oldest first.
    pub revisions: Vec<Revision>,
}

/// What was counted up to now.
pub(crate) fn counted(directory: &Path, header: &ControlHeader) -> Counted {
    let (totals, _, _) = steadily(header, || read_rings(directory, header));
    counted_with(header, &totals)
}

fn counted_with(header: &ControlHeader, totals: &Totals) -> Counted {
    // What was taken last: it is never more than what was eligible then.
    let (eligible, taken) = (header.sampler.eligible(), header.sampler.taken());
    Counted { eligible, taken, dropped: totals.dropped }
}

/// The worker, as it last reported itself.
#[derive(Clone, Copy, Debug)]
pub struct WorkerStatus {
    /// Process id; 0 when there is none.
    pub pid: u64,
    /// Whether it lives.
    pub alive: bool,
    /// Whether its process id is of the reader's pid namespace.
    pub same_namespace: bool,
    /// Seconds since it last reported itself.
    pub heartbeat_age_s: Option<f64>,
}

/// A snapshot of a lane.
#[derive(Clone, Debug)]
pub struct LaneStatus {
    /// Identity of the lane's life.
    pub lane_id: String,
    /// The kill switches: this host's, and its fleet's.
    pub enabled: bool,
    /// Counts of all processes, those that are gone included.
    pub totals: Totals,
    /// The rings.
    pub rings: Vec<RingStatus>,
    /// Files that are not rings of this version, and why; and in one line those that the worker cannot open now.
    pub refused: Vec<String>,
    /// Lanes of other layouts beside this one, in words.
    pub older: Vec<String>,
    /// What went with such lanes when nobody held them any more, in words; empty when nothing did.
    pub unread: String,
    /// Processes without a ring.
    pub ringless: u64,
    /// Why, for the last of them.
    pub ring_error: String,
    /// The hard cap.
    pub cap: CapStatus,
    /// The share of a fleet's cap; `None` where the cap is this lane's own.
    pub lease: Option<LeaseState>,
    /// The sampler.
    pub sampler: SamplerStatus,
    /// Who empties the rings.
    pub worker: WorkerStatus,
}

impl LaneStatus {
    /// Read a lane's files. Counts are exact when no request is being counted meanwhile, and never lose a ring that is
    /// being retired: when one is, the reading is repeated.
    pub fn read(directory: &Path) -> Result<Self> {
        lanedir::check(directory)?;
        let control = ControlFile::open(directory)?;
        let header = control.get();
        let (totals, rings, mut refused) = steadily(header, || read_rings(directory, header));
        // What one that was killed said is no more.
        refused.extend(header.unopened.text().filter(|_| control.has_worker()));
        let worker = header.worker.identity();
        let now = monotonic_ns();
        Ok(Self {
            lane_id: control.lane_id(),
            enabled: header.is_on(),
            totals,
            rings,
            refused,
            older: older::others(directory).iter().map(OlderLane::text).collect(),
            unread: unread_text(header),
            ringless: header.ringless.load(Ordering::Relaxed),
            ring_error: control.ring_error(),
            cap: CapStatus {
                qps: header.cap.rate(),
                burst: header.cap.burst(),
                available: header.available_at(now, now),
                rate: header.rate_at(now),
                paused: header.throttle.paused_at(now).map(|(reason, left)| (reason, left as f64 / 1e9)),
            },
            lease: Some(header.lease.state(boottime_ns())).filter(|lease| lease.required),
            sampler: SamplerStatus {
                choice: Choice::of(header.choice.load(Ordering::Relaxed)),
                ratio: header.sampler.ratio(),
                eligible: header.sampler.eligible(),
                taken: header.sampler.taken(),
                revisions: header.revisions.counted(counted_with(header, &totals)),
            },
            worker: WorkerStatus {
                pid: worker.pid,
                // One that takes over holds the lock before it says who it is; until then the name is its predecessor's.
                alive: worker.pid != 0 && control.has_worker() && !worker.is_gone(),
                same_namespace: worker.pid == 0 || worker.is_same_namespace(),
                heartbeat_age_s: control.worker_age_s().filter(|_| worker.pid != 0),
            },
        })
    }
}

/// Read again while a ring is being retired: a reading counts when nothing moved meanwhile, and when the journal was
/// either in force all the time (it is whole then, whoever was killed) or not needed.
fn steadily<R>(header: &ControlHeader, read: impl Fn() -> R) -> R {
    let position = || (header.retire_generation.load(Ordering::Acquire), header.retire_ring.load(Ordering::Acquire));
    let mut tries = 0;
    loop {
        let before = position();
        let got = read();
        tries += 1;
        let whole = before.0.is_multiple_of(2) || before.1 != 0;
        // A worker that was killed just before or just behind the journal's word leaves the generation odd for long:
        // nothing moves then, and the last reading is as good as any.
        if (position() == before && whole) || tries == 100 {
            return got;
        }
        std::thread::yield_now();
    }
}

/// How long the requests of a lane took, over all processes, those that are gone included.
pub fn read_latency(directory: &Path) -> Result<LatencySums> {
    lanedir::check(directory)?;
    let control = ControlFile::open(directory)?;
    let header = control.get();
    Ok(steadily(header, || {
        let retiring = header.retire_ring.load(Ordering::Acquire);
        let mut sums = LatencySums::default();
        if retiring == 0 { &header.retired_latency } else { &header.retiring_latency }.add_to(&mut sums);
        for id in ring_ids(directory).into_iter().filter(|id| *id != retiring) {
            // What is not a ring of this version is named by [`LaneStatus::read`].
            if let Ok(ring) = RingFile::open(&RingFile::path_of(directory, id)) {
                ring.header().latency.add_to(&mut sums);
            }
        }
        sums
    }))
}

fn unread_text(header: &ControlHeader) -> String {
    let unread = &header.unread;
    let rings = unread.rings.load(Ordering::Acquire);
    if rings == 0 {
        return String::new();
    }
    let copies = older::copies_text(unread.copies.load(Ordering::Acquire), unread.uncounted.load(Ordering::Acquire));
    format!(
        "{copies} in {rings} rings of other layouts, gone when nobody held them any more; last {}",
        unread.last.read()
    )
}

fn read_rings(directory: &Path, header: &ControlHeader) -> (Totals, Vec<RingStatus>, Vec<String>) {
    let retiring = header.retire_ring.load(Ordering::Acquire);
    let mut totals = if retiring == 0 { header.retired.read() } else { header.retiring.read() };
    totals.add(&header.fallback.read());
    let mut rings = Vec::new();
    let mut refused = Vec::new();
    for id in ring_ids(directory) {
        if id == retiring {
            continue;
        }
        let path = RingFile::path_of(directory, id);
        match RingFile::open(&path) {
            Ok(ring) => {
                let status = ring_status(id, &ring);
                if !ring.cursors().make_sense(ring.capacity()) {
                    refused.push(format!("{}: something wrote over its cursors; it is read no more", path.display()));
                }
                totals.add(&status.totals);
                rings.push(status);
            }
            // Retired between the listing and the opening: the caller sees another generation and reads again.
            Err(_) if !path.exists() => {}
            Err(error) => {
                // Of another layout, and yet of this life: what it counted stands, read or not.
                if let Some(counted) = OtherRing::open(&path, false).and_then(|ring| ring.totals()) {
                    totals.add(&counted.without_corrupt());
                }
                refused.push(error.to_string());
            }
        }
    }
    (totals, rings, refused)
}

/// Numbers of the rings in a lane's directory, in order.
pub fn ring_ids(directory: &Path) -> Vec<u64> {
    list_rings(directory).unwrap_or_default()
}

/// The same, for whom it matters whether the directory could be read.
pub(crate) fn list_rings(directory: &Path) -> io::Result<Vec<u64>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(directory)? {
        ids.extend(entry?.file_name().to_str().and_then(RingFile::id_of));
    }
    ids.sort_unstable();
    Ok(ids)
}

fn ring_status(id: u64, ring: &RingFile) -> RingStatus {
    let header = ring.header();
    let cursors = ring.cursors();
    // What the consumer counts first: it may not be ahead of what the producers count.
    let acked = cursors.journal.acked.load(Ordering::Acquire);
    let corrupt = cursors.journal.corrupt.load(Ordering::Acquire);
    let totals = Totals { acked, corrupt, ..header.counters.read() };
    let head = cursors.head.0.load(Ordering::Acquire);
    RingStatus {
        id,
        pid: ring.producer().pid,
        alive: header.closed.load(Ordering::Relaxed) == 0 && ring.has_producer(),
        same_namespace: ring.producer().is_same_namespace(),
        bytes: ring.capacity(),
        used: cursors.tail.0.load(Ordering::Acquire).saturating_sub(head),
        totals: totals.without_corrupt(),
    }
}

/// Switch mirroring on or off for all processes of a lane, at once.
pub fn set_enabled(directory: &Path, enabled: bool) -> Result<()> {
    lanedir::check(directory)?;
    ControlFile::open(directory)?.get().enabled.store(u64::from(enabled), Ordering::Relaxed);
    Ok(())
}

/// Say what the fleet's switch says, for all processes of a lane, at once.
pub fn set_fleet_off(directory: &Path, off: bool) -> Result<()> {
    lanedir::check(directory)?;
    ControlFile::open(directory)?.get().lease.set_off(off);
    Ok(())
}
