//! What the command line asks of a lane, with or without a worker: its counts, its times, its switch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shadowlane_base::Reason;
use shadowlane_lane::histogram::{BUCKETS, lower_edge};
use shadowlane_lane::lanedir;
use shadowlane_lane::older;
use shadowlane_lane::revisions::Revision;
use shadowlane_lane::status::{
    LaneStatus, RingStatus, read_latency, set_enabled as core_set_enabled, set_fleet_off as core_set_fleet_off,
};

use crate::convert::{detached, raise};

/// A lane's status as Python gets it: a dict with the fields' names. `shadowlane.status.lane` has the same as records.
#[derive(IntoPyObject)]
pub struct StatusOut {
    directory: String,
    lane_id: String,
    enabled: bool,
    seen: u64,
    open: u64,
    mirrored: u64,
    dropped: BTreeMap<&'static str, u64>,
    acked: u64,
    corrupt: u64,
    faults: u64,
    rings: Vec<RingOut>,
    refused: Vec<String>,
    older: Vec<String>,
    unread: String,
    ringless: u64,
    ring_error: String,
    cap: CapOut,
    lease: Option<LeaseOut>,
    sampler: SamplerOut,
    worker: WorkerOut,
}

#[derive(IntoPyObject)]
struct RingOut {
    ring: u64,
    pid: u64,
    alive: bool,
    same_namespace: bool,
    bytes: u64,
    used: u64,
    started: u64,
    mirrored: u64,
    open: u64,
    acked: u64,
}

#[derive(IntoPyObject)]
struct CapOut {
    qps: f64,
    burst: u32,
    available: f64,
    rate: f64,
    paused_s: f64,
    paused_reason: &'static str,
}

#[derive(IntoPyObject)]
struct LeaseOut {
    off: bool,
    rate: f64,
    burst: u32,
    left_s: f64,
    wanted: u64,
}

#[derive(IntoPyObject)]
struct SamplerOut {
    choice: &'static str,
    ratio: f64,
    eligible: u64,
    taken: u64,
    revisions: Vec<RevisionOut>,
}

#[derive(IntoPyObject)]
struct RevisionOut {
    number: u64,
    since_ns: u64,
    choice: &'static str,
    ratio: f64,
    qps: f64,
    burst: u32,
    eligible: u64,
    taken: u64,
    dropped: BTreeMap<&'static str, u64>,
}

impl RevisionOut {
    fn new(revision: &Revision) -> Self {
        let Revision { setting, counted, .. } = revision;
        Self {
            number: revision.number,
            since_ns: revision.since_ns,
            choice: setting.choice.name(),
            ratio: setting.ratio,
            qps: setting.qps,
            burst: setting.burst,
            eligible: counted.eligible,
            taken: counted.taken,
            dropped: by_reason(&counted.dropped),
        }
    }
}

/// Counts by the names of their reasons, without zeros.
fn by_reason(counts: &[u64]) -> BTreeMap<&'static str, u64> {
    Reason::ALL
        .iter()
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| (reason.name(), *count))
        .collect()
}

#[derive(IntoPyObject)]
struct WorkerOut {
    pid: u64,
    alive: bool,
    same_namespace: bool,
    heartbeat_age_s: Option<f64>,
}

impl RingOut {
    fn new(ring: &RingStatus) -> Self {
        let totals = &ring.totals;
        Self {
            ring: ring.id,
            pid: ring.pid,
            alive: ring.alive,
            same_namespace: ring.same_namespace,
            bytes: ring.bytes,
            used: ring.used,
            started: totals.started,
            mirrored: totals.mirrored,
            open: totals.started.saturating_sub(totals.settled()),
            acked: totals.acked,
        }
    }
}

impl StatusOut {
    fn new(directory: &Path, status: LaneStatus) -> Self {
        let LaneStatus { totals, cap, sampler, worker, .. } = &status;
        let (paused_reason, paused_s) = cap.paused.map_or(("", 0.0), |(reason, left)| (reason.name(), left));
        Self {
            directory: directory.to_string_lossy().into_owned(),
            enabled: status.enabled,
            seen: totals.settled(),
            open: totals.started.saturating_sub(totals.settled()),
            mirrored: totals.mirrored,
            dropped: by_reason(&totals.dropped),
            acked: totals.acked,
            corrupt: totals.corrupt,
            faults: totals.faults,
            rings: status.rings.iter().map(RingOut::new).collect(),
            ringless: status.ringless,
            cap: CapOut {
                qps: cap.qps,
                burst: cap.burst,
                available: cap.available,
                rate: cap.rate,
                paused_s,
                paused_reason,
            },
            lease: status.lease.map(|lease| LeaseOut {
                off: lease.off,
                rate: lease.rate,
                burst: lease.burst,
                left_s: lease.left_ns as f64 / 1e9,
                wanted: lease.wanted,
            }),
            sampler: SamplerOut {
                choice: sampler.choice.name(),
                ratio: sampler.ratio,
                eligible: sampler.eligible,
                taken: sampler.taken,
                revisions: sampler.revisions.iter().map(RevisionOut::new).collect(),
            },
            worker: WorkerOut {
                pid: worker.pid,
                alive: worker.alive,
                same_namespace: worker.same_namespace,
                heartbeat_age_s: worker.heartbeat_age_s,
            },
            lane_id: status.lane_id,
            refused: status.refused,
            older: status.older,
            unread: status.unread,
            ring_error: status.ring_error,
        }
    }
}

/// lane_status(directory): what a lane's files say about it, as a dict. Raises shadowlane.LaneError when there is no
/// such lane, or its directory is not safe to use.
#[pyfunction]
pub fn lane_status(py: Python<'_>, directory: PathBuf) -> PyResult<StatusOut> {
    let status = detached(py, || LaneStatus::read(&directory))?.map_err(|error| raise(py, &error))?;
    Ok(StatusOut::new(&directory, status))
}

/// lane_times(directory): how long the requests of a lane took, over all its processes: `(edges, routes)`.
///
/// `edges`: the buckets' lower edges in ns and the end of the last one, 1857 native-endian 64-bit unsigned integers in
/// bytes. `routes`: for each route that was seen its pattern (empty for all others) and two times 1856 counts in the
/// same form: of the requests that were taken, and of those that were not and that were timed. Raises
/// shadowlane.LaneError when there is no such lane, or its directory is not safe to use.
#[pyfunction]
pub fn lane_times(py: Python<'_>, directory: PathBuf) -> PyResult<LatencyOut<'_>> {
    let sums = detached(py, || read_latency(&directory))?.map_err(|error| raise(py, &error))?;
    let words = |words: &[u64]| words_of(py, words);
    let routes = sums.routes.iter().map(|route| {
        let [taken, not_taken] = &route.counts;
        (route.label.clone(), words(taken), words(not_taken))
    });
    Ok((words(&edges()), routes.collect()))
}

/// lane_direct(directory): how long the lane's own two calls took at the requests that were taken: `(edges, counts)`, in
/// the form of lane_times. Raises shadowlane.LaneError when there is no such lane, or its directory is not safe to use.
#[pyfunction]
pub fn lane_direct(py: Python<'_>, directory: PathBuf) -> PyResult<(Bound<'_, PyBytes>, Bound<'_, PyBytes>)> {
    let sums = detached(py, || read_latency(&directory))?.map_err(|error| raise(py, &error))?;
    Ok((words_of(py, &edges()), words_of(py, &sums.direct)))
}

fn words_of<'py>(py: Python<'py>, words: &[u64]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>())
}

/// The buckets' lower edges, and the end of the last one.
fn edges() -> Vec<u64> {
    (0..=BUCKETS).map(lower_edge).collect()
}

type LatencyOut<'py> = (Bound<'py, PyBytes>, Vec<(String, Bound<'py, PyBytes>, Bound<'py, PyBytes>)>);

/// set_enabled(directory, enabled): the kill switch, for all processes of a lane at once. Raises shadowlane.LaneError
/// when there is no such lane.
#[pyfunction]
pub fn set_enabled(py: Python<'_>, directory: PathBuf, enabled: bool) -> PyResult<()> {
    core_set_enabled(&directory, enabled).map_err(|error| raise(py, &error))
}

/// set_fleet_off(directory, off): what the fleet's switch says, for all processes of this host's lane, at once. Raises
/// shadowlane.LaneError as lane_status does.
#[pyfunction]
pub fn set_fleet_off(py: Python<'_>, directory: PathBuf, off: bool) -> PyResult<()> {
    detached(py, || core_set_fleet_off(&directory, off))?.map_err(|error| raise(py, &error))
}

/// locate_lane(directory): where this release's lane of that directory is: there, or in a directory below when files of
/// another release are there. Makes nothing.
#[pyfunction]
pub fn locate_lane(directory: PathBuf) -> PathBuf {
    older::locate(&directory)
}

/// check_directory(directory): raises shadowlane.LaneError when a lane must not use the directory, and says why.
#[pyfunction]
pub fn check_directory(py: Python<'_>, directory: PathBuf) -> PyResult<()> {
    lanedir::check(&directory).map_err(|error| raise(py, &error))
}
