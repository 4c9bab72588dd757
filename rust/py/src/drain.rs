//! `Drainer`: the worker's side.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use shadowlane_base::Reason;
use shadowlane_lane::drain::{DrainedCopy, Drainer as Core};
use shadowlane_lane::files::ControlFile;
use shadowlane_lane::gcra::monotonic_ns;
use shadowlane_lane::keys::StickyKey;
use shadowlane_lane::lease::{Share, boottime_ns};

use crate::convert::{detached, invalid, raise};
use crate::policy::Policy;
use crate::sanitize::{headers_out, lane_sanitizer};

/// Empties the lane's rings: the worker's side. Only one process has it; it is released by `close`, or by the kernel
/// when the process ends.
///
/// `rules`: as for Redactor; `allow_headers`: more of them. `ignore`: JSON fields that `req_hash` leaves out.
/// `policy` classifies every copy; without one only GET and HEAD pass. `tenant_key`: "header:NAME", "cookie:NAME" or
/// "api_key", where the hash comes from that tells tenants apart.
/// Raises shadowlane.ConfigError for another tenant_key or bad rules, shadowlane.LaneError when another worker has the
/// lane, or its directory cannot be used.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Drainer {
    core: Mutex<Option<Core>>,
    /// Beside the lock: what the event loop asks must not wait for a drain.
    control: Arc<ControlFile>,
    acks: Mutex<Vec<(u64, u64)>>,
}

impl Drainer {
    fn with<R>(&self, py: Python<'_>, none: R, use_it: impl FnOnce(&mut Core) -> R + Send) -> PyResult<R>
    where
        R: Send,
    {
        detached(py, || match self.core.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(core) => use_it(core),
            None => none,
        })
    }

    fn take_acks(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut *self.acks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[pymethods]
impl Drainer {
    #[new]
    #[pyo3(signature = (directory, *, rules=None, allow_headers=Vec::new(), ignore=Vec::new(), policy=None, tenant_key=None))]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        rules: Option<&Bound<'_, PyDict>>,
        allow_headers: Vec<String>,
        ignore: Vec<String>,
        policy: Option<&Policy>,
        tenant_key: Option<&str>,
    ) -> PyResult<Self> {
        let policy = policy.map(|policy| policy.core.clone()).unwrap_or_default();
        let tenants = tenant_key
            .map(|text| StickyKey::parse("limits.tenant_key", text))
            .transpose()
            .map_err(|error| raise(py, &error))?;
        let sanitizer = lane_sanitizer(rules, Some(&directory), allow_headers)?;
        let open =
            || Core::open(&directory, sanitizer, ignore).map(|core| core.with_policy(policy).with_tenants(tenants));
        let core = detached(py, open)?.map_err(|error| raise(py, &error))?;
        Ok(Self { control: core.control(), core: Mutex::new(Some(core)), acks: Mutex::new(Vec::new()) })
    }

    /// Up to `max_frames` sanitized copies, or `max_bytes` of bodies, as tuples in the order of shadowlane.types.Copy.
    /// Runs without the GIL; never waits for a producer. Empty when there is nothing to read now.
    fn drain<'py>(&self, py: Python<'py>, max_frames: usize, max_bytes: usize) -> PyResult<Bound<'py, PyList>> {
        let acks = self.take_acks();
        let copies = self.with(py, Vec::new(), |core| {
            core.ack_all(acks);
            core.drain(max_frames, max_bytes)
        })?;
        let list = PyList::empty(py);
        for copy in &copies {
            list.append(row(py, copy)?)?;
        }
        Ok(list)
    }

    /// Acknowledge a copy: its frame is given back to the gateway with the next drain.
    fn ack(&self, ring: u64, seq: u64) {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner).push((ring, seq));
    }

    /// Whether the lane's control file is where it was: neither removed nor replaced, nor the directory.
    fn is_in_place(&self) -> bool {
        self.control.is_in_place()
    }

    /// Report that the worker lives.
    fn beat(&self) {
        self.control.beat();
    }

    /// Slow admission down to `qps` requests a second, which never raises it above the configured cap. Holds for ten
    /// seconds unless it is set again; 0 removes it.
    fn set_rate(&self, qps: f64) {
        self.control.get().throttle.set_rate(qps, monotonic_ns());
    }

    /// Admit nothing for `seconds`, at most an hour; 0 ends a pause. `reason` is what refused requests are counted
    /// under. Raises ValueError unless it is one of shadowlane.types.REASONS.
    fn pause(&self, seconds: f64, reason: &str) -> PyResult<()> {
        let reason = Reason::from_name(reason)
            .ok_or_else(|| invalid("reason", &format!("{reason:?} is not one of shadowlane.types.REASONS")))?;
        self.control.get().throttle.set_pause((seconds.max(0.0) * 1e9) as u64, reason, monotonic_ns());
        Ok(())
    }

    /// What is in force: (copies a second, seconds of pause left, why it pauses or "").
    fn throttle(&self) -> (f64, f64, &'static str) {
        let (control, now) = (self.control.get(), monotonic_ns());
        let (reason, left) = control.throttle.paused_at(now).map_or(("", 0), |(reason, left)| (reason.name(), left));
        (control.rate_at(now), left as f64 / 1e9, reason)
    }

    /// Say whether the lane's cap is a fleet's: then nothing is given out without a lease.
    fn require_lease(&self, required: bool) {
        self.control.get().lease.require(required);
    }

    /// Begin a share of the fleet's cap, or go on with one: `rate` units a second and `burst` at once, until `until_ns` of
    /// CLOCK_BOOTTIME. `goes_on`: the last one has not ended for the fleet, so what was saved up stays.
    /// Raises shadowlane.ConfigError for a rate or burst that is none.
    #[expect(clippy::too_many_arguments, reason = "one call with the whole share")]
    #[pyo3(signature = (rate, burst, until_ns, *, number, epoch, goes_on))]
    fn lease(
        &self,
        py: Python<'_>,
        rate: f64,
        burst: u32,
        until_ns: u64,
        number: u64,
        epoch: u64,
        goes_on: bool,
    ) -> PyResult<()> {
        let share = Share { rate, burst, until_ns, number, epoch, goes_on };
        self.control.get().lease.begin(&share, monotonic_ns).map_err(|error| raise(py, &error))
    }

    /// End the share now, so that it can be given back.
    fn end_lease(&self) {
        self.control.get().lease.end();
    }

    /// What this host's share is: (number, epoch, units a second, burst, seconds that it holds yet, units asked for).
    fn leased(&self) -> (u64, u64, f64, u32, f64, u64) {
        let state = self.control.get().lease.state(boottime_ns());
        (state.number, state.epoch, state.rate, state.burst, state.left_ns as f64 / 1e9, state.wanted)
    }

    /// Switch mirroring off, or on again, for the fleet: the host's own switch stays as it is.
    fn set_fleet_off(&self, off: bool) {
        self.control.get().lease.set_off(off);
    }

    /// Whether the fleet has switched mirroring off.
    fn fleet_off(&self) -> bool {
        self.control.get().lease.is_off()
    }

    /// Take `n` units of the lane's cap at the rate in force, or none; never waits.
    #[pyo3(signature = (n=1))]
    fn try_acquire(&self, n: u32) -> bool {
        self.control.get().take(n, monotonic_ns())
    }

    /// Seconds until `n` units of the lane's cap can be taken, when nobody takes any until then and the rate in force stays;
    /// infinite when they never can.
    #[pyo3(signature = (n=1))]
    fn wait_s(&self, n: u32) -> f64 {
        self.control.get().wait_ns(n, monotonic_ns()).map_or(f64::INFINITY, |wait| wait as f64 / 1e9)
    }

    /// Take a unit of the own cap of the shadow called `name`, `qps` units a second with bursts of `burst`; never waits.
    /// What was taken outlives this worker. Raises shadowlane.ConfigError for a rate or burst that is none.
    fn take_own(&self, py: Python<'_>, name: &str, qps: f64, burst: u32) -> PyResult<bool> {
        self.control.get().caps.take_own(name, qps, burst, monotonic_ns()).map_err(|error| raise(py, &error))
    }

    /// Units of the lane's cap that could be taken at once in `after_s` seconds, when none is taken until then.
    #[pyo3(signature = (after_s=0.0))]
    fn available(&self, after_s: f64) -> f64 {
        let now = monotonic_ns();
        self.control.get().available_at(now.saturating_add((after_s.max(0.0) * 1e9) as u64), now)
    }

    /// How many gateway processes have an open ring.
    fn live_producers(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, 0, |core| core.live_producers())
    }

    /// How many rings hold something that is not acknowledged.
    fn pending(&self, py: Python<'_>) -> PyResult<usize> {
        let acks = self.take_acks();
        self.with(py, 0, |core| {
            core.ack_all(acks);
            core.acked();
            core.pending()
        })
    }

    /// How many bytes lie in the rings and are not drained yet: what the next `drain` has to do. Waits for a drain that
    /// another thread is at.
    fn undrained(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, 0, Core::undrained)
    }

    /// How many frames that a killed worker had in its hands are still to be tried: `drain` gives them one at a time, the
    /// next one when the last is acknowledged. At least one where such frames are and no drain has looked for them yet.
    fn suspects(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, 0, |core| core.suspects())
    }

    /// How many frames were acknowledged in the lane's life, by all its workers.
    fn acked(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, 0, Core::acked)
    }

    /// The lane's identity, 32 hex digits: another one after the lane's directory was made anew.
    fn lane_id(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, String::new(), |core| core.lane_id())
    }

    /// Apply what is acknowledged and release the lane. Frames that were drained and not acknowledged stay.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let acks = self.take_acks();
        detached(py, || {
            if let Some(mut core) = self.core.lock().unwrap_or_else(PoisonError::into_inner).take() {
                core.ack_all(acks);
                core.close();
            }
        })
    }
}

fn row<'py>(py: Python<'py>, copy: &DrainedCopy) -> PyResult<Bound<'py, PyTuple>> {
    let findings = PyDict::new(py);
    for (kind, count) in &copy.findings {
        findings.set_item(kind, count)?;
    }
    let headers = PyTuple::new(py, headers_out(py, &copy.headers))?;
    let response_headers = PyTuple::new(py, headers_out(py, &copy.response_headers))?;
    let normalised = PyTuple::new(py, &copy.normalised)?;
    let items: [Bound<'py, PyAny>; 22] = [
        copy.shadow_id.as_str().into_pyobject(py)?.into_any(),
        copy.req_hash.as_str().into_pyobject(py)?.into_any(),
        copy.started_ns.into_pyobject(py)?.into_any(),
        copy.method.as_str().into_pyobject(py)?.into_any(),
        copy.target.as_str().into_pyobject(py)?.into_any(),
        headers.into_any(),
        PyBytes::new(py, &copy.body).into_any(),
        copy.status.into_pyobject(py)?.into_any(),
        response_headers.into_any(),
        PyBytes::new(py, &copy.response_body).into_any(),
        copy.ttfb_ns.into_pyobject(py)?.into_any(),
        copy.duration_ns.into_pyobject(py)?.into_any(),
        copy.flags.into_pyobject(py)?.into_any(),
        copy.blocked.map_or("", Reason::name).into_pyobject(py)?.into_any(),
        findings.into_any(),
        copy.ring.into_pyobject(py)?.into_any(),
        copy.seq.into_pyobject(py)?.into_any(),
        copy.why.as_str().into_pyobject(py)?.into_any(),
        copy.preset.as_str().into_pyobject(py)?.into_any(),
        normalised.into_any(),
        copy.tenant.as_str().into_pyobject(py)?.into_any(),
        copy.traceparent.as_str().into_pyobject(py)?.into_any(),
    ];
    PyTuple::new(py, items)
}
