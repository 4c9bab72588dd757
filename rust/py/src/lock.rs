//! `WorkerLock`: the right to be a lane's worker, for a command that wants none to start.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use shadowlane_lane::files::ControlFile;
use shadowlane_lane::lock::Held;

use crate::convert::{detached, raise};

/// The lock that elects a lane's worker, held until `release`, or until this object or its process ends.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct WorkerLock {
    held: Mutex<Option<Held>>,
}

#[pymethods]
impl WorkerLock {
    /// Give it back. Once is enough.
    fn release(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// take_worker_lock(directory): the lock that elects the worker of the lane in that directory, or None while a worker,
/// or another command, has it. Raises shadowlane.LaneError when its file cannot be made or locked.
#[pyfunction]
pub fn take_worker_lock(py: Python<'_>, directory: PathBuf) -> PyResult<Option<WorkerLock>> {
    let path = ControlFile::worker_lock(&directory);
    let held = detached(py, || Held::take(&path))?.map_err(|error| raise(py, &error))?;
    Ok(held.map(|held| WorkerLock { held: Mutex::new(Some(held)) }))
}
