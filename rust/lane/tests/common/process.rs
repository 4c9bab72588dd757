//! Child processes of a test, and memory that they share.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: each forks, and a fork copies whatever lock another thread holds at that moment.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Zeroed memory that children share. Never unmapped: the process ends soon.
pub fn shared<T>() -> &'static T {
    // SAFETY: a fresh anonymous mapping; T is atomics only, for which zero is valid, and a page satisfies its alignment.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        let at = libc::mmap(std::ptr::null_mut(), size_of::<T>(), protection, flags, -1, 0);
        assert_ne!(at, libc::MAP_FAILED);
        &*at.cast::<T>()
    }
}

/// A child process. `run` never returns to the test.
pub struct Child(libc::pid_t);

impl Child {
    pub fn fork(run: impl FnOnce()) -> Self {
        // SAFETY: the test is the only thread that does anything; the child leaves by `_exit`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            // SAFETY: plain system calls.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                run();
                libc::_exit(0);
            }
        }
        Self(pid)
    }

    pub fn pid(&self) -> libc::pid_t {
        self.0
    }

    pub fn signal(&self, number: libc::c_int) {
        // SAFETY: the child is ours and not waited for yet.
        assert_eq!(unsafe { libc::kill(self.0, number) }, 0);
    }

    pub fn wait(self) -> libc::c_int {
        let mut status = 0;
        // SAFETY: waits for our own child.
        unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        status
    }

    pub fn kill(self) {
        self.signal(libc::SIGKILL);
        let status = self.wait();
        assert!(
            libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL,
            "it ended by itself: {status:#x}"
        );
    }
}
