//! The thread that sends copies, for Python: conversions only. What is sent and how is in `shadowlane-dispatch`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use shadowlane_dispatch::{Address, Cleaner, Done, Engine, Refusal, Request, Target, client_config};
use shadowlane_redact::{CleanResponse, Findings};

use crate::convert::{detached, invalid};
use crate::sanitize::{Sanitizer, clean_out};

/// A shadow's address and bounds. Made once; connects nowhere.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct DispatchTarget(Arc<Target>);

#[pymethods]
impl DispatchTarget {
    /// `host` without brackets; `authority` is what a request names. `tls`: with the system's authorities and those of
    /// `bundle` (PEM). `sanitizer`: answers of up to `sanitized_bytes` are handed out sanitized as well. Raises ValueError
    /// when `bundle` holds no certificate.
    #[new]
    #[pyo3(signature = (
        host, port, authority, *, tls, bundle, concurrency, most_bytes, sanitizer=None, sanitized_bytes=0
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python, and one record below")]
    fn new(
        py: Python<'_>,
        host: String,
        port: u16,
        authority: String,
        tls: bool,
        bundle: Option<&[u8]>,
        concurrency: usize,
        most_bytes: usize,
        sanitizer: Option<&Bound<'_, Sanitizer>>,
        sanitized_bytes: usize,
    ) -> PyResult<Self> {
        let mut config = None;
        if tls || bundle.is_some() {
            let made = detached(py, || client_config(bundle))?;
            config = Some(made.ok_or_else(|| invalid("bundle", "holds no PEM certificates"))?).filter(|_| tls);
        }
        let address = Address { host, port, tls: config };
        let cleaner =
            sanitizer.map(|sanitizer| Cleaner { sanitizer: Arc::clone(&sanitizer.get().core), most: sanitized_bytes });
        Ok(Self(Arc::new(Target { address, authority, concurrency, most_bytes, cleaner })))
    }
}

/// A thread that sends requests and reads answers, outside of the interpreter. For the process that made it alone.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Dispatcher(Mutex<Engine>);

#[pymethods]
impl Dispatcher {
    /// Starts the thread. Raises OSError when there are no more threads or descriptors.
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let engine = detached(py, Engine::start)?.map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(Self(Mutex::new(engine)))
    }

    /// A descriptor that is readable when finished calls are to be taken: at once where a shadow's `concurrency` is used
    /// up or nothing is out any more, else within 50 ms, so that a handful is taken together. It is the dispatcher's own:
    /// do not read from it.
    fn fileno(&self) -> PyResult<i32> {
        self.engine().descriptor().map_err(refused)
    }

    /// Know a shadow, by the number that is returned, until it is `shut`.
    fn open(&self, target: &Bound<'_, DispatchTarget>) -> PyResult<u64> {
        self.engine().open(Arc::clone(&target.get().0)).map_err(refused)
    }

    /// Begin a call, which goes out with the next `flush`; its number. `target` is path and query, `timeout_s` bounds the
    /// whole call. Raises RuntimeError in another process, and when it was closed.
    fn submit(
        &self,
        origin: u64,
        method: String,
        target: String,
        headers: &Bound<'_, PyList>,
        body: &[u8],
        timeout_s: f64,
    ) -> PyResult<u64> {
        let mut pairs = Vec::with_capacity(headers.len());
        for pair in headers {
            pairs.push(pair.extract::<(String, String)>()?);
        }
        let time = Duration::try_from_secs_f64(timeout_s).map_err(|_| invalid("timeout_s", "use 0 or more seconds"))?;
        let request = Request { method, target, headers: pairs, body: body.to_vec() };
        self.engine().submit(origin, request, time).map_err(refused)
    }

    /// Let the calls go out that were submitted. Raises RuntimeError as `submit` does; they come out of `take` then.
    fn flush(&self) -> PyResult<()> {
        self.engine().flush().map_err(refused)
    }

    /// End a call and the connection that it was on. It does not come out of `take`.
    fn cancel(&self, call: u64) -> PyResult<()> {
        self.engine().cancel(call).map_err(refused)
    }

    /// Close a shadow's connections. Its calls that are out come out of `take` as failed.
    fn shut(&self, origin: u64) -> PyResult<()> {
        self.engine().shut(origin).map_err(refused)
    }

    /// The calls that are over: number, reason (empty: there is an answer), detail, status, headers, body, nanoseconds to
    /// the head, and to the end, and the answer sanitized as `Sanitizer.response` gives it. None in its stead: the target
    /// has no sanitizer, the answer is too large, or the redaction failed. Sanitizes without the GIL.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let done = self.engine().take().map_err(refused)?;
        let clean: Vec<_> = detached(py, || {
            done.iter().map(|(done, target)| target.as_ref()?.cleaner.as_ref()?.clean(done)).collect()
        })?;
        done.into_iter().zip(clean).map(|((done, _), clean)| row(py, &done, clean)).collect()
    }

    /// End the thread and wait for that. Without effect in another process.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.engine().close())
    }
}

impl Dispatcher {
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row<'py>(py: Python<'py>, done: &Done, clean: Option<(CleanResponse, Findings)>) -> PyResult<Bound<'py, PyTuple>> {
    let mut headers = Vec::with_capacity(done.headers.len());
    for (name, value) in &done.headers {
        headers.push((PyBytes::new(py, name), PyBytes::new(py, value)));
    }
    let (reason, detail) = done.fault.as_ref().map_or(("", ""), |fault| (fault.reason(), fault.detail()));
    let body = PyBytes::new(py, &done.body);
    let clean = clean.map(|clean| clean_out(py, clean, &body));
    (done.call, reason, detail, done.status, PyTuple::new(py, headers)?, body, done.head_ns, done.total_ns, clean)
        .into_pyobject(py)
}

fn refused(refusal: Refusal) -> PyErr {
    PyRuntimeError::new_err(match refusal {
        Refusal::Forked(process) => format!("the dispatcher belongs to process {process}; open one in this process"),
        Refusal::Closed => "the dispatcher was closed".to_owned(),
    })
}
