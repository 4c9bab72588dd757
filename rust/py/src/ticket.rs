//! `Ticket` and `Timer`: what the middleware holds until an answer has ended.
//!
//! Invariant: a ticket is settled once, and a time counted once, whichever threads try.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use shadowlane_lane::gateway::{Ticket as CoreTicket, Timer as CoreTimer};

/// A request that is mirrored. Give it to `Lane.offer` or `Lane.drop`; one that is forgotten counts as `prod_failed`.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Ticket {
    state: Mutex<State>,
}

pub(crate) enum State {
    Open(CoreTicket),
    Dropped(CoreTimer),
    Done,
}

impl Ticket {
    pub(crate) fn new(ticket: CoreTicket) -> Self {
        Self { state: Mutex::new(State::Open(ticket)) }
    }

    /// Put another state instead of this one, which is returned.
    pub(crate) fn replace(&self, state: State) -> State {
        std::mem::replace(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    /// The ticket, once; nothing when it was settled before.
    pub(crate) fn take(&self) -> Option<CoreTicket> {
        match self.replace(State::Done) {
            State::Open(ticket) => Some(ticket),
            other => {
                self.replace(other);
                None
            }
        }
    }
}

#[pymethods]
impl Ticket {
    /// Say that the answer has ended, when the ticket was given back before that: the request's time still counts.
    /// `Lane.offer` says so itself.
    fn stop(&self) {
        match self.replace(State::Done) {
            State::Dropped(timer) => timer.stop(),
            other => {
                self.replace(other);
            }
        }
    }
}

/// A request that is not mirrored and whose time is compared with those that are. Stop it when the answer has ended;
/// one that is forgotten counts nothing.
#[pyclass(frozen, module = "shadowlane._core")]
pub struct Timer {
    inner: Mutex<Option<CoreTimer>>,
}

impl Timer {
    pub(crate) fn new(timer: CoreTimer) -> Self {
        Self { inner: Mutex::new(Some(timer)) }
    }
}

#[pymethods]
impl Timer {
    /// Count the time since the request began. The first call does; others do nothing.
    fn stop(&self) {
        let timer = self.inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(timer) = timer {
            timer.stop();
        }
    }
}
