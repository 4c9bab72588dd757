//! What the command line asks of a lane, with or without a worker: its counts, its times, its switch.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use shadowlane_base::Reason;
use shadowlane_lane::gateway::Choice;
use shadowlane_lane::histogram::{BUCKETS, lower_edge};
use shadowlane_lane::lanedir;
use shadowlane_lane::status::{LaneStatus, read_times, set_enabled as core_set_enabled};

use crate::convert::{detached, raise};

/// lane_status(directory): what a lane's files say about it, as a dict. Raises shadowlane.LaneError when there is no
/// such lane, or its directory is not safe to use.
#[pyfunction]
pub fn lane_status(py: Python<'_>, directory: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let status = detached(py, || LaneStatus::read(&directory))?.map_err(|error| raise(py, &error))?;
    let out = PyDict::new(py);
    out.set_item("directory", directory.to_string_lossy())?;
    out.set_item("lane_id", &status.lane_id)?;
    out.set_item("enabled", status.enabled)?;
    let settled = status.totals.settled();
    out.set_item("seen", settled)?;
    out.set_item("open", status.totals.started.saturating_sub(settled))?;
    out.set_item("mirrored", status.totals.mirrored)?;
    let dropped = PyDict::new(py);
    for reason in Reason::ALL {
        let count = status.totals.dropped.get(*reason as usize).copied().unwrap_or_default();
        if count > 0 {
            dropped.set_item(reason.name(), count)?;
        }
    }
    out.set_item("dropped", dropped)?;
    out.set_item("acked", status.totals.acked)?;
    out.set_item("corrupt", status.totals.corrupt)?;
    out.set_item("faults", status.totals.faults)?;
    let rings = PyList::empty(py);
    for ring in &status.rings {
        let item = PyDict::new(py);
        item.set_item("ring", ring.id)?;
        item.set_item("pid", ring.pid)?;
        item.set_item("alive", ring.alive)?;
        item.set_item("bytes", ring.bytes)?;
        item.set_item("used", ring.used)?;
        item.set_item("started", ring.totals.started)?;
        item.set_item("mirrored", ring.totals.mirrored)?;
        item.set_item("open", ring.totals.started.saturating_sub(ring.totals.settled()))?;
        item.set_item("acked", ring.totals.acked)?;
        rings.append(item)?;
    }
    out.set_item("rings", rings)?;
    out.set_item("refused", &status.refused)?;
    out.set_item("ringless", status.ringless)?;
    out.set_item("ring_error", &status.ring_error)?;
    let cap = PyDict::new(py);
    cap.set_item("qps", status.cap.0)?;
    cap.set_item("burst", status.cap.1)?;
    cap.set_item("available", status.cap.2)?;
    cap.set_item("rate", status.rate)?;
    cap.set_item("paused_s", status.paused.map_or(0.0, |(_, left)| left))?;
    cap.set_item("paused_reason", status.paused.map_or("", |(reason, _)| reason.name()))?;
    out.set_item("cap", cap)?;
    let sampler = PyDict::new(py);
    sampler.set_item(
        "choice",
        match status.choice {
            Choice::Ratio => "ratio",
            Choice::Sticky => "sticky",
            Choice::StickyBody => "sticky by body",
        },
    )?;
    sampler.set_item("ratio", status.sampler.0)?;
    sampler.set_item("eligible", status.sampler.1)?;
    sampler.set_item("taken", status.sampler.2)?;
    out.set_item("sampler", sampler)?;
    let worker = PyDict::new(py);
    worker.set_item("pid", status.worker_pid)?;
    worker.set_item("alive", status.worker_alive)?;
    worker.set_item("heartbeat_age_s", status.worker_age_s)?;
    out.set_item("worker", worker)?;
    Ok(out)
}

/// lane_times(directory): how long the requests of a lane took, over all its processes: `(edges, routes)`.
///
/// `edges`: the buckets' lower edges in ns and the end of the last one, 1857 native-endian 64-bit unsigned integers in
/// bytes. `routes`: for each route that was seen its pattern (empty for all others) and two times 1856 counts in the
/// same form: of the requests that were taken, and of those that were not and that were timed. Raises
/// shadowlane.LaneError when there is no such lane, or its directory is not safe to use.
#[pyfunction]
pub fn lane_times(py: Python<'_>, directory: PathBuf) -> PyResult<TimesOut<'_>> {
    let sums = detached(py, || read_times(&directory))?.map_err(|error| raise(py, &error))?;
    let words =
        |words: &[u64]| PyBytes::new(py, &words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>());
    let edges: Vec<u64> = (0..=BUCKETS).map(lower_edge).collect();
    let routes = sums.routes.iter().map(|route| {
        let [taken, not_taken] = &route.counts;
        (route.label.clone(), words(taken), words(not_taken))
    });
    Ok((words(&edges), routes.collect()))
}

type TimesOut<'py> = (Bound<'py, PyBytes>, Vec<(String, Bound<'py, PyBytes>, Bound<'py, PyBytes>)>);

/// set_enabled(directory, enabled): the kill switch, for all processes of a lane at once. Raises shadowlane.LaneError
/// when there is no such lane.
#[pyfunction]
pub fn set_enabled(py: Python<'_>, directory: PathBuf, enabled: bool) -> PyResult<()> {
    core_set_enabled(&directory, enabled).map_err(|error| raise(py, &error))
}

/// check_directory(directory): raises shadowlane.LaneError when a lane must not use the directory, and says why.
#[pyfunction]
pub fn check_directory(py: Python<'_>, directory: PathBuf) -> PyResult<()> {
    lanedir::check(&directory).map_err(|error| raise(py, &error))
}
