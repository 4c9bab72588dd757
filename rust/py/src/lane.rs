//! `Lane`: the gateway's side. Nothing that `admit`, `offer` and `drop` do raises what a user would see:
//! the middleware swallows their errors, and the core settles and counts a request on which it panics itself.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use shadowlane_base::Header;
use shadowlane_base::Reason;
use shadowlane_lane::caps::CapOptions;
use shadowlane_lane::gateway::{Entry, Lane as Core, Options, StickyKey};
use shadowlane_lane::older::{self, OlderLane};
use shadowlane_ring::frame::Exchange;

use crate::convert::{Body, Text, detached, invalid, raise};
use crate::fields::{Headers, WantedHeaders, folded, lend_all};
use crate::keywords::Keywords;
use crate::ticket::{State, Ticket, Timer};

/// A gateway process's part of a lane: admits requests and offers their exchanges to this process's ring.
///
/// `admit`, `offer` and `drop` make no system call, take no lock that another thread holds while it works, and never
/// wait. Opened by `shadowlane.Lane`, which knows configuration, forks and the worker.
///
/// Keywords, as the configuration says them; one that is not given has the configuration's default. `ring_bytes`,
/// `max_body_bytes`: bytes. `ratio`: share in [0, 1]; `seed`: 64 bits or `None`; `sticky_key`: sample by it, or `None`.
/// `qps`, `burst`: the lane's cap; `leased`: whether it is a fleet's, so that nothing is admitted without a lease;
/// `cap_at_admission`: whether admission takes its units; `shed_above`: fill of the ring in
/// [0, 1]. `read_routes`, `include`, `exclude`, `timed_routes`: lists of patterns. `route_caps`, `weights`: lists of
/// (pattern, requests a second) and (pattern, units); `tenant`: (key, requests a second) or `None`.
///
/// Raises `TypeError` for an unknown keyword, `shadowlane.LaneError` when the directory or the control file cannot be used, `shadowlane.ConfigError` for
/// a parameter out of range. A ring that cannot be made is no error: see `ring_error`.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Lane {
    directory: Mutex<PathBuf>,
    options: Options,
    /// What the last of `all` points to; none of them is dropped while `self` lives.
    current: AtomicPtr<Core>,
    all: Mutex<Vec<Arc<Core>>>,
    /// Those whose files were removed, until what is in them was taken along.
    leaving: Mutex<Vec<Arc<Core>>>,
}

/// The lane in use, lent without touching its count: this is read for every request, by all threads.
struct Current<'a>(ManuallyDrop<Arc<Core>>, PhantomData<&'a Lane>);

impl Deref for Current<'_> {
    type Target = Arc<Core>;

    fn deref(&self) -> &Arc<Core> {
        &self.0
    }
}

impl Lane {
    fn current(&self) -> Current<'_> {
        let at = self.current.load(Ordering::Acquire).cast_const();
        // SAFETY: `at` comes from `Arc::as_ptr` of an element of `all`. Elements are only added while `self` lives, and
        // what is returned lives no longer than `self`, so the count is at least one. It is never dropped here, so the
        // count that belongs to `all` stays. Moving an `Arc`, as the vector does when it grows, does not move what it
        // points to, nor end the right to read there.
        Current(ManuallyDrop::new(unsafe { Arc::from_raw(at) }), PhantomData)
    }

    fn directory(&self) -> PathBuf {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn install(&self, core: Core) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let made = Arc::new(core);
        let at = Arc::as_ptr(&made).cast_mut();
        all.push(made);
        self.current.store(at, Ordering::Release);
    }

    /// Ask the core about a request.
    fn enter(&self, method: &str, target: &str, headers: &Bound<'_, PyAny>, timed: bool) -> PyResult<Entry> {
        let core = self.current();
        let (method, target) = (method.as_bytes(), target.as_bytes());
        // SAFETY: up to the last use of what is lent, in the same statement, only the core runs, which knows no Python.
        if let Some(read) = unsafe { WantedHeaders::lend(headers, |name| core.reads_header(name)) } {
            return Ok(enter(&core, method, target, read.iter(), timed));
        }
        let headers = Headers::of_text(headers)?;
        Ok(enter(&core, method, target, headers.iter(), timed))
    }
}

fn enter<'a>(
    core: &Arc<Core>,
    method: &[u8],
    target: &[u8],
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    timed: bool,
) -> Entry {
    if timed {
        return core.begin(method, target, headers);
    }
    core.admit(method, target, headers).map_or(Entry::Out, Entry::Taken)
}

/// The options of a lane. What is not given is what a configuration file without a word means.
fn options_from(py: Python<'_>, given: Option<&Bound<'_, PyDict>>) -> PyResult<Options> {
    let default = Options::default();
    let key = |field, text: &str| StickyKey::parse(field, text).map_err(|error| raise(py, &error));
    let mut given = Keywords::new("Lane", given);
    let sticky = given.take::<Option<String>>("sticky_key")?.flatten();
    let tenant = given.take::<Option<(String, f64)>>("tenant")?.flatten();
    let caps = CapOptions {
        routes: given.take_or("route_caps", default.caps.routes)?,
        weights: given.take_or("weights", default.caps.weights)?,
        tenant: tenant.map(|(text, rate)| key("limits.tenant_key", &text).map(|key| (key, rate))).transpose()?,
    };
    let options = Options {
        ring_bytes: given.take_or("ring_bytes", default.ring_bytes)?,
        max_body_bytes: given.take_or("max_body_bytes", default.max_body_bytes)?,
        ratio: given.take_or("ratio", default.ratio)?,
        seed: given.take_or("seed", default.seed)?,
        qps: given.take_or("qps", default.qps)?,
        burst: given.take_or("burst", default.burst)?,
        cap_at_admission: given.take_or("cap_at_admission", default.cap_at_admission)?,
        leased: given.take_or("leased", default.leased)?,
        sticky: sticky.map(|text| key("sampling.key", &text)).transpose()?,
        read_routes: given.take_or("read_routes", default.read_routes)?,
        include: given.take_or("include", default.include)?,
        exclude: given.take_or("exclude", default.exclude)?,
        shed_above: given.take_or("shed_above", default.shed_above)?,
        caps,
        timed_routes: given.take_or("timed_routes", default.timed_routes)?,
    };
    given.finish()?;
    Ok(options)
}

#[pymethods]
impl Lane {
    #[new]
    #[pyo3(signature = (directory, **options))]
    fn new(py: Python<'_>, directory: PathBuf, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let options = options_from(py, options)?;
        let core = detached(py, || Core::open(&directory, &options))?.map_err(|error| raise(py, &error))?;
        let made = Arc::new(core);
        let current = AtomicPtr::new(Arc::as_ptr(&made).cast_mut());
        let (directory, all, leaving) = (Mutex::new(directory), Mutex::new(vec![made]), Mutex::default());
        Ok(Self { directory, options, current, all, leaving })
    }

    /// Why this process has no ring and mirrors nothing, or `None`.
    #[getter]
    fn ring_error(&self) -> Option<String> {
        self.current().ring_error().map(str::to_owned)
    }

    /// Decide about a request at its start: a ticket, or `None` when it is not mirrored (and counted).
    ///
    /// `method`: upper case. `target`: the path as sent; a query may follow. `headers`: `(name, value)` pairs of bytes, or
    /// of str in latin-1; names in any case.
    fn admit(&self, method: &str, target: &str, headers: &Bound<'_, PyAny>) -> PyResult<Option<Ticket>> {
        match self.enter(method, target, headers, false)? {
            Entry::Taken(ticket) => Ok(Some(Ticket::new(ticket))),
            Entry::Timed(_) | Entry::Out => Ok(None),
        }
    }

    /// `admit` for a caller that sees the end of every answer: a `Ticket`, or for some of the requests that are not
    /// mirrored a `Timer`, to be stopped when the answer has ended, or `None`.
    fn begin<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        target: &str,
        headers: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.enter(method, target, headers, true)? {
            Entry::Taken(ticket) => Ok(Some(Bound::new(py, Ticket::new(ticket))?.into_any())),
            Entry::Timed(timer) => Ok(Some(Bound::new(py, Timer::new(timer))?.into_any())),
            Entry::Out => Ok(None),
        }
    }

    /// Copy a finished exchange into the ring; `False` when it was dropped (and counted). Never waits.
    ///
    /// Header fields as for `admit`; names are kept in small letters. Bodies are `bytes`, or the list of `bytes` in which
    /// they passed. `ttfb_ns`: nanoseconds from the request's
    /// arrival to the response's head. `flags`: `shadowlane.types.FLAG_*`. `duration_ns`: with `FLAG_TOLD` or `FLAG_TIMED`
    /// alone, the time to the response's end, 0 when it is not known; else it is measured here.
    #[pyo3(signature = (ticket, target, headers, body, status, response_headers, response_body, ttfb_ns, flags, duration_ns=0))]
    #[expect(clippy::too_many_arguments, reason = "one call with the whole exchange")]
    fn offer(
        &self,
        ticket: &Ticket,
        target: Text<'_>,
        headers: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
        status: u16,
        response_headers: &Bound<'_, PyAny>,
        response_body: &Bound<'_, PyAny>,
        ttfb_ns: u64,
        flags: u32,
        duration_ns: u64,
    ) -> PyResult<bool> {
        let (body, response_body) = (Body::new(body)?, Body::new(response_body)?);
        let core = self.current();
        let put = |headers: Vec<Header<'_>>, response_headers: Vec<Header<'_>>| {
            let (mut room, mut response_room) = (Vec::new(), Vec::new());
            let (headers, response_headers) =
                (folded(headers, &mut room), folded(response_headers, &mut response_room));
            let Some(ticket) = ticket.take() else {
                return Ok(false);
            };
            target.with(|target| {
                body.with(|body| {
                    response_body.with(|response_body| {
                        let exchange = Exchange {
                            ttfb_ns,
                            duration_ns,
                            status,
                            flags,
                            target,
                            headers: &headers,
                            body,
                            response_headers: &response_headers,
                            response_body,
                            ..Exchange::default()
                        };
                        core.offer(ticket, exchange)
                    })
                })
            })
        };
        // SAFETY: `put` is the last use of what is lent. It takes the ticket and runs the core, which knows no Python; the
        // bodies are held by their own references, which end after it.
        let lent = unsafe { (lend_all(headers), lend_all(response_headers)) };
        if let (Some(headers), Some(response_headers)) = lent {
            return put(headers, response_headers);
        }
        let (headers, response_headers) = (Headers::of_text(headers)?, Headers::of_text(response_headers)?);
        put(headers.slices(), response_headers.slices())
    }

    /// Give a ticket back with one of `REASONS`. Raises `ValueError` for any other reason.
    #[pyo3(name = "drop")]
    fn drop_ticket(&self, ticket: &Ticket, reason: &str) -> PyResult<()> {
        let reason = Reason::from_name(reason)
            .ok_or_else(|| invalid("reason", &format!("{reason:?} is not one of shadowlane.types.REASONS")))?;
        if let Some(open) = ticket.take()
            && let Some(timer) = self.current().drop_ticket(open, reason)
        {
            ticket.replace(State::Dropped(timer));
        }
        Ok(())
    }

    /// Count a failure of our own on the user path, for `shadowlane status`.
    fn fault(&self) {
        self.current().fault();
    }

    /// Seconds since the lane's worker last reported itself; `None` when there is none: nobody holds its lock.
    fn worker_heartbeat_age_s(&self) -> Option<f64> {
        self.current().worker_heartbeat_age_s()
    }

    /// End the lane's worker (SIGKILL) when it hangs, so that another can be started: its process id, else `None`. One of
    /// a pid namespace that cannot be seen from here is left alone.
    fn end_hung_worker(&self) -> Option<u64> {
        self.current().end_hung_worker()
    }

    /// The lanes of other releases in the same directory, in words.
    fn older(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let directory = self.directory();
        detached(py, || older::others(&directory).iter().map(OlderLane::text).collect())
    }

    /// Whether this process opened the ring: `False` in a forked child until `reopen`.
    fn is_ours(&self) -> bool {
        self.current().is_ours()
    }

    /// Make a ring for this process, after a fork. The parent's is left alone. Raises as the constructor does.
    fn reopen(&self, py: Python<'_>) -> PyResult<()> {
        let directory = self.directory();
        let core = detached(py, || Core::open(&directory, &self.options))?.map_err(|error| raise(py, &error))?;
        self.install(core);
        Ok(())
    }

    /// Whether the files of this process's lane are where they were made. `False`: `remake` it.
    fn is_in_place(&self, py: Python<'_>) -> PyResult<bool> {
        detached(py, || self.current().is_in_place())
    }

    /// Open the lane anew, in `directory`, because its files were removed or replaced; requests that are open settle
    /// there. Raises as the constructor does, and nothing is changed then.
    fn remake(&self, py: Python<'_>, directory: PathBuf) -> PyResult<()> {
        let core = detached(py, || Core::open(&directory, &self.options))?.map_err(|error| raise(py, &error))?;
        let old = Arc::clone(&self.current());
        *self.directory.lock().unwrap_or_else(PoisonError::into_inner) = directory;
        self.install(core);
        old.hand_over(&self.current());
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner).push(old);
        Ok(())
    }

    /// Take along what is left in rings that were removed, as far as no worker reads them any more. Call it a second
    /// after `remake`, and again.
    fn take_along(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || {
            let core = Arc::clone(&self.current());
            self.leaving.lock().unwrap_or_else(PoisonError::into_inner).retain(|old| !core.take_along(old));
        })
    }

    /// Say that this process will not write to its ring any more, so that the worker may remove it.
    fn close(&self) {
        self.current().close();
    }
}
