//! `Lane` and `Ticket`: the gateway's side. Nothing that `admit`, `offer` and `drop` do raises what a user would see:
//! the middleware swallows their errors, and a panic is turned into a count.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyList;
use shadowlane_core::frame::Exchange;
use shadowlane_core::lane::{Lane as Core, Options, StickyKey, Ticket as CoreTicket};
use shadowlane_core::reason::Reason;

use crate::convert::{Body, Headers, Text, invalid, pair, raise};

/// An admitted request. Give it to `Lane.offer` or `Lane.drop`; one that is forgotten counts as `prod_failed`.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Ticket {
    inner: Mutex<Option<CoreTicket>>,
}

impl Ticket {
    fn take(&self) -> Option<CoreTicket> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A gateway process's part of a lane: admits requests and offers their exchanges to this process's ring.
///
/// `admit`, `offer` and `drop` make no system call, take no lock that another thread holds while it works, and never
/// wait. Opened by `shadowlane.Lane`, which knows configuration, forks and the worker.
///
/// Raises `shadowlane.LaneError` when the directory or the control file cannot be used, `shadowlane.ConfigError` for
/// a parameter out of range. A ring that cannot be made is no error: see `ring_error`.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Lane {
    directory: PathBuf,
    options: Options,
    /// Points into the last element of `all`; elements are never removed while `self` lives.
    current: AtomicPtr<Arc<Core>>,
    #[expect(clippy::vec_box, reason = "addresses must stay when the vector grows")]
    all: Mutex<Vec<Box<Arc<Core>>>>,
}

impl Lane {
    fn current(&self) -> &Arc<Core> {
        // SAFETY: set before `self` exists, and always to a box in `all` that lives as long as `self`.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    fn install(&self, core: Core) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut made = Box::new(Arc::new(core));
        self.current.store(&raw mut *made, Ordering::Release);
        all.push(made);
    }
}

#[pymethods]
impl Lane {
    #[new]
    #[pyo3(signature = (directory, *, ring_bytes, max_body_bytes, ratio, seed, qps, burst, sticky_key, read_routes, include, exclude, presets=Vec::new(), shed_above=1.0))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python constructor")]
    fn new(
        py: Python<'_>,
        directory: PathBuf,
        ring_bytes: u64,
        max_body_bytes: u64,
        ratio: f64,
        seed: Option<u64>,
        qps: f64,
        burst: u32,
        sticky_key: Option<&str>,
        read_routes: Vec<String>,
        include: Vec<String>,
        exclude: Vec<String>,
        presets: Vec<String>,
        shed_above: f64,
    ) -> PyResult<Self> {
        let sticky = sticky_key.map(parse_sticky).transpose()?;
        let options = Options {
            ring_bytes,
            max_body_bytes,
            ratio,
            seed,
            qps,
            burst,
            sticky,
            presets,
            read_routes,
            include,
            exclude,
            shed_above,
        };
        let core = py.detach(|| Core::open(&directory, &options)).map_err(|error| raise(py, &error))?;
        let mut made = Box::new(Arc::new(core));
        let current = AtomicPtr::new(&raw mut *made);
        Ok(Self { directory, options, current, all: Mutex::new(vec![made]) })
    }

    /// Why this process has no ring and mirrors nothing, or `None`.
    #[getter]
    fn ring_error(&self) -> Option<String> {
        self.current().ring_error().map(str::to_owned)
    }

    /// Decide about a request at its start: a ticket, or `None` when it is not mirrored (and counted).
    ///
    /// `method`: upper case. `target`: the path as sent; a query may follow. `headers`: `(name, value)` pairs of bytes.
    fn admit(&self, method: &str, target: &str, headers: &Bound<'_, PyAny>) -> PyResult<Option<Ticket>> {
        let core = self.current();
        let admitted = if let Ok(list) = headers.cast::<PyList>() {
            // One pass over the list without a copy of it: this runs for every request.
            let mut held = Vec::new();
            let mut failed = None;
            for item in list.iter() {
                match pair(&item) {
                    Ok(found) => held.push(found),
                    Err(error) => failed = Some(error),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            let pairs = held.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            catch_unwind(AssertUnwindSafe(|| core.admit(method.as_bytes(), target.as_bytes(), pairs)))
        } else {
            let headers = Headers::new(headers)?;
            catch_unwind(AssertUnwindSafe(|| core.admit(method.as_bytes(), target.as_bytes(), headers.iter())))
        };
        Ok(admitted.ok().flatten().map(|ticket| Ticket { inner: Mutex::new(Some(ticket)) }))
    }

    /// Copy a finished exchange into the ring; `False` when it was dropped (and counted). Never waits.
    ///
    /// Bodies are `bytes`, or the list of `bytes` in which they passed. `ttfb_ns`: nanoseconds from the request's
    /// arrival to the response's head. `flags`: `shadowlane.types.FLAG_*`.
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
    ) -> PyResult<bool> {
        let (headers, response_headers) = (Headers::new(headers)?, Headers::new(response_headers)?);
        let (body, response_body) = (Body::new(body)?, Body::new(response_body)?);
        let Some(ticket) = ticket.take() else {
            return Ok(false);
        };
        let core = self.current();
        target.with(|target| {
            body.with(|body| {
                response_body.with(|response_body| {
                    let exchange = Exchange {
                        ttfb_ns,
                        status,
                        flags,
                        target,
                        headers: &headers.slices(),
                        body,
                        response_headers: &response_headers.slices(),
                        response_body,
                        ..Exchange::default()
                    };
                    catch_unwind(AssertUnwindSafe(|| core.offer(ticket, exchange))).unwrap_or(false)
                })
            })
        })
    }

    /// Give a ticket back with one of `REASONS`. Raises `ValueError` for any other reason.
    #[pyo3(name = "drop")]
    fn drop_ticket(&self, ticket: &Ticket, reason: &str) -> PyResult<()> {
        let reason = Reason::from_name(reason)
            .ok_or_else(|| invalid("reason", &format!("{reason:?} is not one of shadowlane.types.REASONS")))?;
        if let Some(ticket) = ticket.take() {
            self.current().drop_ticket(ticket, reason);
        }
        Ok(())
    }

    /// Seconds since the lane's worker last reported itself; `None` when there is none, or it is dead.
    fn worker_heartbeat_age_s(&self) -> Option<f64> {
        self.current().worker_heartbeat_age_s()
    }

    /// Whether this process opened the ring: `False` in a forked child until `reopen`.
    fn is_ours(&self) -> bool {
        self.current().is_ours()
    }

    /// Make a ring for this process, after a fork. The parent's is left alone. Raises as the constructor does.
    fn reopen(&self, py: Python<'_>) -> PyResult<()> {
        let core = py.detach(|| Core::open(&self.directory, &self.options)).map_err(|error| raise(py, &error))?;
        self.install(core);
        Ok(())
    }

    /// Say that this process will not write to its ring any more, so that the worker may remove it.
    fn close(&self) {
        self.current().close();
    }
}

fn parse_sticky(key: &str) -> PyResult<StickyKey> {
    let bad = || invalid("sticky_key", &format!("{key:?} is none of header:NAME, cookie:NAME, api_key"));
    if key == "api_key" {
        return Ok(StickyKey::ApiKey);
    }
    let (kind, name) = key.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or_else(bad)?;
    match kind {
        "header" => Ok(StickyKey::Header(name.as_bytes().to_vec())),
        "cookie" => Ok(StickyKey::Cookie(name.as_bytes().to_vec())),
        _ => Err(bad()),
    }
}
