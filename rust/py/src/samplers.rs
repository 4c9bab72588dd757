//! Samplers, the rate limiter and the request hash.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyType;
use shadowlane_lane::gcra::{GcraCell, monotonic_ns};
use shadowlane_lane::hash::{hex32, request_hash as core_hash};
use shadowlane_lane::process::random_u64;
use shadowlane_lane::reservoir::{Reservoir as CoreReservoir, WeightedReservoir as CoreWeighted};
use shadowlane_lane::sampler::{RatioCell, sticky_take};

use crate::convert::{Text, invalid};
use crate::fields::Headers;

fn value_error(error: &shadowlane_base::Error) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(error.to_string())
}

/// RatioSampler(ratio, seed=None): takes exactly a share of the calls, at unpredictable positions.
///
/// For every prefix of n calls the number taken and ratio * n differ by less than 2, and each call is taken with
/// probability ratio, whatever its position (Deville's systematic sampling; see Chauvet, "On a characterization of ordered
/// pivotal sampling", Bernoulli 18(4), 2012). `ratio`: a float in [0, 1]. `seed`: 64 bits; None is random. Safe to share
/// between threads.
///
/// Raises ValueError for another ratio, and for one between 0 and 2**-33.
#[pyclass(frozen, module = "shadowlane.core")]
pub struct RatioSampler {
    /// Boxed: a cell asks for a cache line of its own, and Python's allocator gives 16 bytes.
    cell: Box<RatioCell>,
}

#[pymethods]
impl RatioSampler {
    #[new]
    #[pyo3(signature = (ratio, seed=None))]
    fn new(ratio: f64, seed: Option<u64>) -> PyResult<Self> {
        let cell = Box::new(RatioCell::new());
        cell.configure(ratio, seed.unwrap_or_else(random_u64)).map_err(|error| value_error(&error))?;
        Ok(Self { cell })
    }

    /// Decide about the next one: True when it is taken. Never waits; O(1), one compare-and-swap.
    fn take(&self) -> bool {
        self.cell.take()
    }

    /// Change the ratio from the next call on; what was taken stays counted. Raises ValueError outside [0, 1].
    fn set_ratio(&self, ratio: f64) -> PyResult<()> {
        self.cell.set_ratio(ratio).map_err(|error| value_error(&error))
    }

    /// The ratio in force, a float in [0, 1], exact to 2**-33.
    #[getter]
    fn ratio(&self) -> f64 {
        self.cell.ratio()
    }

    /// How many calls of take() there were.
    #[getter]
    fn eligible(&self) -> u64 {
        self.cell.eligible()
    }

    /// How many of them returned True.
    #[getter]
    fn taken(&self) -> u64 {
        self.cell.taken()
    }
}

/// StickySampler(ratio, salt=b""): one key stays in or out, and raising the ratio keeps those already in.
///
/// A key is in when XXH3-64 of salt and key is below ratio * 2**64. `ratio`: a float in [0, 1]. `salt`: bytes or str;
/// equal salts give identical samples, different salts independent ones. Stateless, so the same in every process.
///
/// Raises ValueError for another ratio.
#[pyclass(frozen, module = "shadowlane.core")]
pub struct StickySampler {
    ratio: f64,
    salt: Vec<u8>,
}

#[pymethods]
impl StickySampler {
    #[new]
    #[pyo3(signature = (ratio, salt=None))]
    fn new(ratio: f64, salt: Option<Text<'_>>) -> PyResult<Self> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(invalid("ratio", &format!("{ratio} is not between 0 and 1")));
        }
        let salt = salt.map(|salt| salt.with(<[u8]>::to_vec)).transpose()?.unwrap_or_default();
        Ok(Self { ratio, salt })
    }

    /// Whether the key (bytes, any length) is in the sample. The same key always gets the same answer.
    fn take(&self, key: &[u8]) -> bool {
        sticky_take(self.ratio, &self.salt, key)
    }

    /// The ratio.
    #[getter]
    fn ratio(&self) -> f64 {
        self.ratio
    }
}

/// `k`, the items, `seen`: what `resume` takes.
type Pickled = (usize, Vec<Py<PyAny>>, u64);

/// Reservoir(k, seed=None): a uniform sample of k items from a stream of unknown length.
///
/// After n items each is kept with probability min(1, k/n), whatever its position. `k`: how many to keep, at least 1.
/// `seed`: 64 bits; None is random. Items are any objects; the reservoir holds references to those it keeps. Safe to
/// share between threads. Algorithm L (Li, ACM Transactions on Mathematical Software 20(4), 1994).
///
/// Raises ValueError for k = 0.
#[pyclass(frozen, module = "shadowlane.core")]
pub struct Reservoir {
    inner: Mutex<CoreReservoir<Py<PyAny>>>,
}

#[pymethods]
impl Reservoir {
    #[new]
    #[pyo3(signature = (k, seed=None))]
    fn new(k: usize, seed: Option<u64>) -> PyResult<Self> {
        let inner = CoreReservoir::new(k, seed.unwrap_or_else(random_u64)).map_err(|error| value_error(&error))?;
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Show the next item. Returns what does not stay: this item, the one that it replaced, or None.
    fn offer(&self, item: Py<PyAny>) -> Option<Py<PyAny>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).offer(item)
    }

    /// Go on with a sample that was kept elsewhere: `items` must be a uniform sample of the `shown` items, all of them when
    /// there were fewer than `k`. Raises ValueError when their number cannot be right.
    #[classmethod]
    #[pyo3(signature = (k, items, shown, seed=None))]
    fn resume(
        _class: &Bound<'_, PyType>,
        k: usize,
        items: Vec<Py<PyAny>>,
        shown: u64,
        seed: Option<u64>,
    ) -> PyResult<Self> {
        let inner = CoreReservoir::resume(k, seed.unwrap_or_else(random_u64), items, shown)
            .map_err(|error| value_error(&error))?;
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Keep at most `k` items from now on, at least 1. Returns those that have to go, chosen uniformly; a larger `k`
    /// than before changes nothing.
    fn shrink(&self, k: usize) -> Vec<Py<PyAny>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).shrink(k)
    }

    /// A new reservoir of both: a uniform sample of what the two were shown, of the smaller k. Both stay as they are.
    ///
    /// They must have been shown different items. Raises ValueError for a reservoir that is merged with itself.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<Self> {
        let py = slf.py();
        let [mine, theirs] = both(slf, other)?.map(|one| {
            let inner = one.get().inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.map(|item| item.clone_ref(py))
        });
        Ok(Self { inner: Mutex::new(mine.merge(theirs)) })
    }

    /// What is kept, as a list in no particular order.
    fn items(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.items().iter().map(|item| item.clone_ref(py)).collect()
    }

    /// How many items offer() was shown.
    #[getter]
    fn seen(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).seen()
    }

    /// Pickles as what `resume` takes, so that it can be merged in another process.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Pickled)> {
        let (k, seen) = {
            let inner = slf.get().inner.lock().unwrap_or_else(PoisonError::into_inner);
            (inner.k(), inner.seen())
        };
        Ok((slf.get_type().getattr("resume")?, (k, slf.get().items(slf.py()), seen)))
    }
}

/// WeightedReservoir(k, seed=None): a weighted sample of k items without replacement.
///
/// The sample is what k draws without replacement would give, each in proportion to the weights of those left. `k`: how
/// many to keep, at least 1. `seed`: 64 bits; None is random. Safe to share between threads. Algorithm A-ExpJ
/// (Efraimidis and Spirakis, Information Processing Letters 97(5), 2006).
///
/// Raises ValueError for k = 0; offer() does for a weight that is not finite and above 0.
#[pyclass(frozen, module = "shadowlane.core")]
pub struct WeightedReservoir {
    inner: Mutex<CoreWeighted<Py<PyAny>>>,
}

#[pymethods]
impl WeightedReservoir {
    #[new]
    #[pyo3(signature = (k, seed=None))]
    fn new(k: usize, seed: Option<u64>) -> PyResult<Self> {
        let inner = CoreWeighted::new(k, seed.unwrap_or_else(random_u64)).map_err(|error| value_error(&error))?;
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Show the next item with its weight, a float. Returns what does not stay: this item, another one, or None.
    /// Raises ValueError for a weight that is not finite and above 0.
    #[pyo3(signature = (item, weight=1.0))]
    fn offer(&self, item: Py<PyAny>, weight: f64) -> PyResult<Option<Py<PyAny>>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.offer(item, weight).map_err(|error| value_error(&error))
    }

    /// A new reservoir of both: a weighted sample of what the two were shown, of the smaller k. Both stay as they are.
    ///
    /// They must have been shown different items. Raises ValueError for a reservoir that is merged with itself.
    fn merge(slf: &Bound<'_, Self>, other: &Bound<'_, Self>) -> PyResult<Self> {
        let py = slf.py();
        let [mine, theirs] = both(slf, other)?.map(|one| {
            let inner = one.get().inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.map(|item| item.clone_ref(py))
        });
        Ok(Self { inner: Mutex::new(mine.merge(theirs)) })
    }

    /// What is kept, as a list in no particular order.
    fn items(&self, py: Python<'_>) -> Vec<Py<PyAny>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.items().map(|item| item.clone_ref(py)).collect()
    }

    /// How many items were shown.
    #[getter]
    fn seen(&self) -> u64 {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).seen()
    }

    /// What is kept with its keys, for `resume`: (key, item) pairs. A key is the logarithm of u ** (1 / weight).
    fn keyed(&self, py: Python<'_>) -> Keyed {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.keyed().map(|(key, item)| (key, item.clone_ref(py))).collect()
    }

    /// Go on with a sample that was kept elsewhere: `keyed` is what `keyed()` gave, of `seen` items. Raises ValueError
    /// when their number or a key cannot be right.
    #[classmethod]
    #[pyo3(signature = (k, keyed, seen, seed=None))]
    #[expect(clippy::similar_names, reason = "seen and seed are the Python names")]
    fn resume(
        _class: &Bound<'_, PyType>,
        k: usize,
        keyed: Vec<(f64, Py<PyAny>)>,
        seen: u64,
        seed: Option<u64>,
    ) -> PyResult<Self> {
        let inner = CoreWeighted::resume(k, seed.unwrap_or_else(random_u64), keyed, seen)
            .map_err(|error| value_error(&error))?;
        Ok(Self { inner: Mutex::new(inner) })
    }

    /// Pickles as what `resume` takes, so that it can be merged in another process.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (usize, Keyed, u64))> {
        let (k, seen) = {
            let inner = slf.get().inner.lock().unwrap_or_else(PoisonError::into_inner);
            (inner.k(), inner.seen())
        };
        Ok((slf.get_type().getattr("resume")?, (k, slf.get().keyed(slf.py()), seen)))
    }
}

/// Keys and items of a weighted sample.
type Keyed = Vec<(f64, Py<PyAny>)>;

fn both<'a, 'py, T>(one: &'a Bound<'py, T>, other: &'a Bound<'py, T>) -> PyResult<[&'a Bound<'py, T>; 2]> {
    if one.as_any().is(other) {
        return Err(invalid("other", "is the same reservoir: its items would count twice"));
    }
    Ok([one, other])
}

/// RateLimiter(rate, burst): at most rate * t + burst units in any window of t seconds.
///
/// GCRA (ITU-T I.371, annex A), one atomic word, no lock. `rate`: units a second, above 0 and at most 1e9. `burst`: units
/// that may come at once, at least 1. Every method takes `now`: seconds, 0 or more, of any clock that does not go back;
/// None is CLOCK_MONOTONIC, which stands still during suspend. One limiter must be used with one clock. Safe to share
/// between threads. Raises ValueError for other values.
#[pyclass(frozen, module = "shadowlane.core")]
pub struct RateLimiter {
    /// Boxed: see [`RatioSampler`].
    cell: Box<GcraCell>,
}

/// Seconds to ns; the monotonic clock when there are none.
fn clock(now: Option<f64>) -> PyResult<u64> {
    match now {
        None => Ok(monotonic_ns()),
        // Below 2^63 ns, so that sums stay far from overflow.
        Some(seconds) if (0.0..9.2e9).contains(&seconds) => Ok((seconds * 1e9) as u64),
        Some(seconds) => Err(invalid("now", &format!("{seconds} is not from 0 to 9.2e9 seconds"))),
    }
}

#[pymethods]
impl RateLimiter {
    #[new]
    fn new(rate: f64, burst: u32) -> PyResult<Self> {
        let cell = Box::new(GcraCell::new());
        cell.configure(rate, burst).map_err(|error| value_error(&error))?;
        Ok(Self { cell })
    }

    /// Take `weight` units now, or none; never waits. Raises ValueError for a weight of 0 or above the burst, which
    /// could never pass.
    #[pyo3(signature = (weight=1, now=None))]
    fn try_acquire(&self, weight: u32, now: Option<f64>) -> PyResult<bool> {
        self.checked(weight)?;
        Ok(self.cell.try_acquire_n_at(weight, clock(now)?))
    }

    /// Seconds until `weight` units could be taken, 0.0 when they could be now. Raises ValueError as `try_acquire`.
    #[pyo3(signature = (weight=1, now=None))]
    fn wait_s(&self, weight: u32, now: Option<f64>) -> PyResult<f64> {
        self.checked(weight)?;
        Ok(self.cell.wait_ns_at(weight, clock(now)?).map_or(f64::INFINITY, |wait| wait as f64 / 1e9))
    }

    /// Change the rate; what was given out stays given out, unit by unit. Raises ValueError unless above 0.
    #[pyo3(signature = (rate, now=None))]
    fn set_rate(&self, rate: f64, now: Option<f64>) -> PyResult<()> {
        let fixed = now.map(|now| clock(Some(now))).transpose()?;
        let read = || fixed.unwrap_or_else(monotonic_ns);
        self.cell.change(rate, self.cell.burst(), read).map_err(|error| value_error(&error))
    }

    /// Units that could be taken at once.
    #[pyo3(signature = (now=None))]
    fn available_at(&self, now: Option<f64>) -> PyResult<f64> {
        Ok(self.cell.available_at(clock(now)?))
    }

    /// Units that could be taken at once now, a float between 0 and burst.
    #[getter]
    fn available(&self) -> f64 {
        self.cell.available_at(monotonic_ns())
    }

    /// Units a second.
    #[getter]
    fn rate(&self) -> f64 {
        self.cell.rate()
    }

    /// Units that may come at once.
    #[getter]
    fn burst(&self) -> u32 {
        self.cell.burst()
    }
}

impl RateLimiter {
    fn checked(&self, weight: u32) -> PyResult<()> {
        if weight == 0 || weight > self.cell.burst() {
            let why = format!("{weight} is not from 1 to the burst, {}", self.cell.burst());
            return Err(invalid("weight", &why));
        }
        Ok(())
    }
}

/// request_hash(method, target, headers, body, ignore=()): 32 hex digits, the same for the same request in every
/// process and release.
///
/// XXH3-128 over a canonical form: upper-case method, path normalised as in RFC 3986 section 6.2.2, sorted query, content
/// type without parameters, accept, accept-language, and the body: JSON in its RFC 8785 form, anything else as it is.
/// `method`: str. `target`: path and query, str or bytes. `headers`: (name, value) pairs of bytes. `body`: bytes.
/// `ignore`: JSON pointers (RFC 6901), or names of fields at the top, to leave out.
///
/// Raises TypeError for arguments of other types; every value of these types has a hash.
#[pyfunction]
#[pyo3(signature = (method, target, headers, body, ignore=Vec::new()))]
pub fn request_hash(
    method: &str,
    target: Text<'_>,
    headers: &Bound<'_, PyAny>,
    body: &[u8],
    ignore: Vec<String>,
) -> PyResult<String> {
    let headers = Headers::new(headers)?;
    let ignore: Vec<&str> = ignore.iter().map(String::as_str).collect();
    target.with(|target| hex32(core_hash(method.as_bytes(), target, &headers.slices(), body, &ignore)))
}
