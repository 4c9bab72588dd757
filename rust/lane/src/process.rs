//! Which process this is, forks of it, and the end of a process that hangs.
//!
//! Invariant: no process is taken for dead by anything that is said here; locks say that ([`crate::lock`]).

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use crate::lock;

/// A process as it is shown to people, and as it finds what is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Process id in its namespace.
    pub pid: u64,
    /// Start time in clock ticks since boot (proc(5), field 22 of `stat`); 0 when unknown.
    pub start: u64,
    /// Inode of the pid namespace; 0 when unknown.
    pub namespace: u64,
}

impl Identity {
    /// This process.
    pub fn current() -> Self {
        let start = fields(Path::new("/proc/self/stat")).map_or(0, |(_, start)| start);
        Self { pid: u64::from(std::process::id()), start, namespace: namespace() }
    }

    /// Whether its process id means something here: it is of this pid namespace.
    pub fn is_same_namespace(&self) -> bool {
        self.namespace == namespace()
    }

    /// Whether it has surely ended, a process that nobody has waited for yet too: only where it is of this pid namespace,
    /// and /proc is that namespace's own.
    pub fn is_gone(&self) -> bool {
        let own = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let own = own.split(' ').next().and_then(|text| text.parse().ok());
        own == Some(std::process::id()) && self.is_same_namespace() && !self.runs()
    }

    fn runs(&self) -> bool {
        let folder = Path::new("/proc").join(self.pid.to_string());
        match fields(&folder.join("stat")) {
            // One whose first thread has ended looks like one that nobody has waited for, and lives by its others. The start
            // time is not compared: readers of another time namespace see another one (time_namespaces(7)).
            Some(('Z' | 'X', _)) => fs::read_dir(folder.join("task")).is_ok_and(|threads| threads.count() > 1),
            Some(_) => true,
            // It may be hidden from other users (proc(5), hidepid), and is told from one that is no more by kill(2).
            None => i32::try_from(self.pid).is_ok_and(|pid| {
                // SAFETY: signal 0 is sent to nobody.
                let sent = unsafe { libc::kill(pid, 0) };
                sent == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
            }),
        }
    }
}

/// State and start time (proc(5), fields 3 and 22). The command name may hold anything, parentheses too: what counts is
/// the last one.
fn fields(path: &Path) -> Option<(char, u64)> {
    let stat = fs::read_to_string(path).ok()?;
    let mut after = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = after.next()?.chars().next()?;
    Some((state, after.nth(18)?.parse().ok()?))
}

fn namespace() -> u64 {
    fs::read_link("/proc/self/ns/pid")
        .ok()
        .and_then(|link| {
            let text = link.to_string_lossy().into_owned();
            text.trim_start_matches("pid:[").trim_end_matches(']').parse().ok()
        })
        .unwrap_or(0)
}

/// What is known of the process that signed a lock file.
pub struct Signer {
    path: std::path::PathBuf,
    pid: libc::pid_t,
    /// A descriptor of the process, where the kernel gives one: it never means another.
    handle: Option<OwnedFd>,
}

impl Signer {
    /// The process that signed a file; `None` when nobody did, or it cannot be seen from this pid namespace.
    pub fn of(path: &Path) -> Option<Self> {
        let pid = lock::signer(path)?;
        // SAFETY: a plain system call; it fails where it is not known or not allowed.
        let handle = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        // SAFETY: a new descriptor that nobody else owns.
        let handle = (handle >= 0).then(|| unsafe { OwnedFd::from_raw_fd(handle as libc::c_int) });
        // Asked again: the handle is of the process that holds the lock, and not of one that got its id since.
        (lock::signer(path) == Some(pid)).then(|| Self { path: path.to_path_buf(), pid, handle })
    }

    /// Its process id, as seen from here.
    pub fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Whether one of its threads runs or wants to, or waits for a disk, as far as can be seen: it may get no time, and is
    /// then not stuck.
    pub fn is_busy(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        let mut states = threads.filter_map(|thread| fields(&thread.path().join("stat")));
        states.any(|(state, _)| matches!(state, 'R' | 'D'))
    }

    /// End it at once (SIGKILL).
    pub fn kill(&self) -> io::Result<()> {
        let done = match &self.handle {
            // SAFETY: a plain system call on a descriptor that is open; no siginfo is given.
            Some(handle) => unsafe {
                let no_info = std::ptr::null::<libc::siginfo_t>();
                libc::syscall(libc::SYS_pidfd_send_signal, handle.as_raw_fd(), libc::SIGKILL, no_info, 0) == 0
            },
            // Without a handle the lock is asked once more, as late as can be.
            // SAFETY: a plain system call.
            None => lock::signer(&self.path) == Some(self.pid) && unsafe { libc::kill(self.pid, libc::SIGKILL) } == 0,
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

static FORKS: AtomicU64 = AtomicU64::new(0);
static REGISTER: Once = Once::new();
/// Whether a descriptor is open that no child may get, or a fork is under way.
static GATE: AtomicBool = AtomicBool::new(false);
/// Descriptors that children close: the descriptor plus one, and the file's inode, by which it is known again.
static KEPT: [(AtomicI32, AtomicU64); 16] = [const { (AtomicI32::new(0), AtomicU64::new(0)) }; 16];

/// While this lives, no thread forks. For a few system calls only.
pub struct ForkGate(());

impl ForkGate {
    /// Wait until no fork is under way, and keep others from beginning.
    pub fn enter() -> Self {
        while GATE.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        Self(())
    }
}

impl Drop for ForkGate {
    fn drop(&mut self) {
        GATE.store(false, Ordering::Release);
    }
}

/// A file that stays open in this process and in no child of it. Made with the gate closed.
pub struct Kept {
    file: Option<File>,
    slot: usize,
    forks: u64,
}

impl Kept {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let (descriptor, inode) = (file.as_raw_fd() + 1, file.metadata()?.ino());
        let free =
            |slot: &(AtomicI32, AtomicU64)| slot.0.compare_exchange(0, -1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let slot = KEPT.iter().position(free).ok_or_else(|| io::Error::from_raw_os_error(libc::EMFILE))?;
        if let Some(kept) = KEPT.get(slot) {
            kept.1.store(inode, Ordering::Relaxed);
            kept.0.store(descriptor, Ordering::Release);
        }
        Ok(Self { file: Some(file), slot, forks: fork_generation() })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mine = self.forks == fork_generation();
        if let Some(kept) = KEPT.get(self.slot).filter(|_| mine) {
            kept.0.store(0, Ordering::Release);
        }
        if let Some(file) = self.file.take()
            && !mine
        {
            // Closed at the fork already: the number may be another file's by now.
            let _ = file.into_raw_fd();
        }
    }
}

extern "C" fn before_fork() {
    std::mem::forget(ForkGate::enter());
}

extern "C" fn after_fork_here() {
    GATE.store(false, Ordering::Release);
}

/// In the child. Only what is safe between fork and exec: atomics, fstat, close.
extern "C" fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    for (descriptor, inode) in &KEPT {
        let number = descriptor.swap(0, Ordering::AcqRel) - 1;
        if number < 0 {
            continue;
        }
        // SAFETY: all zero is a valid stat; fstat writes to it only, and fails for a number that is not open.
        let same = unsafe {
            let mut found: libc::stat = std::mem::zeroed();
            libc::fstat(number, &raw mut found) == 0 && found.st_ino == inode.load(Ordering::Relaxed)
        };
        if same {
            // SAFETY: the descriptor is ours; the child's copy of the value that owns it forgets it.
            unsafe { libc::close(number) };
        }
    }
    GATE.store(false, Ordering::Release);
}

/// Number of forks that led to this process since the first call: changes in a child, never in a parent. One load.
pub fn fork_generation() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Have forks counted from now on (pthread_atfork(3)).
pub fn watch_forks() {
    REGISTER.call_once(|| {
        // SAFETY: the handlers touch atomics and make plain system calls only, which are async-signal-safe.
        unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_here), Some(after_fork_in_child)) };
    });
}

/// CLOCK_REALTIME in ns since the Unix epoch. Read through the vDSO: no system call.
pub fn unix_ns() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Random bytes for seeds, from the kernel; when it has none to give, from the clock and the process id.
pub fn random_u64() -> u64 {
    let mut bytes = [0_u8; 8];
    // SAFETY: writes at most 8 bytes into `bytes`.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    if got == 8 {
        u64::from_ne_bytes(bytes)
    } else {
        xxhash_rust::xxh3::xxh3_64_with_seed(&unix_ns().to_ne_bytes(), u64::from(std::process::id()))
    }
}
