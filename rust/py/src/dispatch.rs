//! The thread that sends copies, for Python: conversions only. What is sent and how is in `shadowlane-dispatch`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyTuple};
use shadowlane_dispatch::{
    Address, Cleaner, Done, Engine, Outgoing as Core, Refusal, Request, Target, client_config, text,
};
use shadowlane_redact::{CleanResponse, Findings};

use crate::convert::{detached, invalid};
use crate::fields::Headers;
use crate::sanitize::{Sanitizer, clean_out};

/// A shadow's address and bounds. Made once; connects nowhere.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct DispatchTarget(Arc<Target>);

#[pymethods]
impl DispatchTarget {
    /// `host` without brackets; `authority` is what a request names. `tls`: with the system's authorities and those of
    /// `bundle` (PEM). `outgoing`: what its requests are made of. `sanitizer`: answers of up to `sanitized_bytes` are handed
    /// out sanitized as well. Raises ValueError when `bundle` holds no certificate.
    #[new]
    #[pyo3(signature = (
        host, port, authority, *, tls, bundle, concurrency, most_bytes, outgoing=None, sanitizer=None, sanitized_bytes=0
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
        outgoing: Option<&Bound<'_, Outgoing>>,
        sanitizer: Option<&Bound<'_, Sanitizer>>,
        sanitized_bytes: usize,
    ) -> PyResult<Self> {
        let mut config = None;
        if tls || bundle.is_some() {
            let made = detached(py, || client_config(bundle))?;
            config = Some(made.ok_or_else(|| invalid("bundle", "holds no PEM certificates"))?).filter(|_| tls);
        }
        let address = Address { host, port, tls: config };
        let outgoing = outgoing.map(|outgoing| Arc::clone(&outgoing.get().0));
        let cleaner =
            sanitizer.map(|sanitizer| Cleaner { sanitizer: Arc::clone(&sanitizer.get().core), most: sanitized_bytes });
        Ok(Self(Arc::new(Target { address, authority, concurrency, most_bytes, outgoing, cleaner })))
    }
}

/// What a shadow is asked, made of copies: `base` is its address with the path that stands before every target,
/// `credential` the header that authenticates there, `agent` who asks where the copy does not say.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Outgoing(Arc<Core>);

#[pymethods]
impl Outgoing {
    #[new]
    fn new(base: &str, credential: Option<(PyBackedBytes, PyBackedBytes)>, agent: &str) -> Self {
        let credential = credential.as_ref().map(|(name, value)| (&name[..], &value[..]));
        Self(Arc::new(Core::new(base, credential, agent)))
    }

    /// The headers of a copy's request, as pairs of text: those of its own that pass, the credential, and its tag.
    fn headers(&self, headers: &Bound<'_, PyAny>, shadow_id: &str, req_hash: &str) -> PyResult<Vec<(String, String)>> {
        Ok(self.0.headers(Headers::new(headers)?.iter(), (shadow_id, req_hash)))
    }
}

/// The address to ask: the shadow's with its path prefix, then the copy's path and query as they are. What cannot stand in
/// a request line (RFC 9112 section 3.2) is percent-encoded: no target ends the line or changes the authority.
#[pyfunction]
pub fn request_url(base: &str, target: &str) -> String {
    shadowlane_dispatch::request_url(base, target)
}

/// What of an address that `request_url` gave stands in the request line. A `?` with nothing behind it is dropped, as
/// clients do.
#[pyfunction]
pub fn path_and_query(url: &str) -> String {
    shadowlane_dispatch::path_and_query(url)
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
    /// whole call. `tag`, a copy's identity and hash: `target` and `headers` (pairs of `bytes`) are the copy's, and what is
    /// sent is made of them as `Outgoing` says; `more` headers (pairs of `str`) go as they are. Raises RuntimeError in
    /// another process, and when it was closed.
    #[pyo3(signature = (origin, method, target, headers, body, timeout_s, *, tag=None, more=Vec::new()))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python, and one record below")]
    fn submit(
        &self,
        origin: u64,
        method: String,
        target: &str,
        headers: &Bound<'_, PyAny>,
        body: &[u8],
        timeout_s: f64,
        tag: Option<(PyBackedStr, PyBackedStr)>,
        more: Vec<(String, String)>,
    ) -> PyResult<u64> {
        let time = Duration::try_from_secs_f64(timeout_s).map_err(|_| invalid("timeout_s", "use 0 or more seconds"))?;
        let copied = Headers::new(headers)?;
        let mut engine = self.engine();
        let known = engine.target(origin);
        let outgoing = known.as_ref().and_then(|known| known.outgoing.as_deref());
        let (target, mut headers) = match (&tag, outgoing) {
            (Some((id, hash)), Some(outgoing)) => {
                (outgoing.target(target), outgoing.headers(copied.iter(), (&**id, &**hash)))
            }
            (Some(_), None) => return Err(invalid("tag", "its shadow gets no copies: open it with an Outgoing")),
            (None, _) => (target.to_owned(), copied.iter().map(|(name, value)| (text(name), text(value))).collect()),
        };
        headers.extend(more);
        let request = Request { method, target, headers, body: body.to_vec() };
        engine.submit(origin, request, time).map_err(refused)
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
