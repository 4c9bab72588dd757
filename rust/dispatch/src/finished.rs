//! Finished calls on their way out, told of in handfuls: each time that the taker wakes costs it more than one call does.
//!
//! Invariants: every call that is put comes out once; the taker is told of it at once where somebody may wait for it, and
//! within [`GATHER`] in any case; the pipe holds one byte while there is something to tell, and none otherwise: both change
//! under the lock alone, so neither side ever waits for the pipe.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::Done;

/// How long a finished call waits for others. Its times are taken when it ends.
pub const GATHER: Duration = Duration::from_millis(50);
/// So many are told of at once.
const HANDFUL: usize = 32;

#[derive(Default)]
struct Waiting {
    calls: Vec<Done>,
    told: bool,
}

/// What has ended and was not taken.
pub struct Finished {
    waiting: Mutex<Waiting>,
    wake: PipeWriter,
    woken: PipeReader,
}

impl Finished {
    /// Nothing yet.
    pub fn new() -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        Ok(Self { waiting: Mutex::default(), wake, woken })
    }

    /// Readable while the taker is told.
    pub fn descriptor(&self) -> RawFd {
        self.woken.as_raw_fd()
    }

    /// One more, to be told of later. Returns whether a handful waits, and whether it is the first that does.
    pub fn put(&self, done: Done) -> (bool, bool) {
        let mut waiting = self.lock();
        waiting.calls.push(done);
        (waiting.calls.len() >= HANDFUL, waiting.calls.len() == 1)
    }

    /// How many of a shadow's wait.
    pub fn waiting_of(&self, origin: u64) -> usize {
        self.lock().calls.iter().filter(|done| done.origin == origin).count()
    }

    /// Tell the taker, if there is anything.
    pub fn tell(&self) {
        let mut waiting = self.lock();
        if !waiting.calls.is_empty() && !waiting.told {
            waiting.told = true;
            // It cannot be full, and its other end is held here.
            let _ = (&self.wake).write_all(&[1]);
        }
    }

    /// All of them.
    pub fn take(&self) -> Vec<Done> {
        let mut waiting = self.lock();
        if std::mem::take(&mut waiting.told) {
            let _ = (&self.woken).read_exact(&mut [0]);
        }
        std::mem::take(&mut waiting.calls)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
