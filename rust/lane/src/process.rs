//! Which process this is, and whether another one is still alive: by process id, start time and pid namespace.

use std::fs;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// A process as another process on the host can recognise it. A reused process id has another start time.
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
        let pid = u64::from(std::process::id());
        Self { pid, start: start_time(pid).unwrap_or(0), namespace: namespace() }
    }

    /// Proven dead: seen from its own namespace, no process has its id, or the one that has it started at another
    /// time, or it is a zombie without threads (one whose main thread alone has ended looks like a zombie and lives).
    /// Anything else counts as alive, because a ring must not be taken from a live process.
    pub fn is_dead(&self) -> bool {
        if self.pid == 0 || self.namespace != namespace() {
            return false;
        }
        match fs::read_to_string(format!("/proc/{}/stat", self.pid)) {
            Ok(stat) => match fields(&stat) {
                Some((state, threads, began)) => {
                    (self.start != 0 && began != self.start) || (matches!(state, 'Z' | 'X') && threads <= 1)
                }
                None => false,
            },
            Err(error) => error.kind() == std::io::ErrorKind::NotFound && fs::metadata("/proc/self/stat").is_ok(),
        }
    }
}

fn start_time(pid: u64) -> Option<u64> {
    fields(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?).map(|(_, _, start)| start)
}

/// State, number of threads and start time (proc(5), fields 3, 20 and 22). The command name may hold anything,
/// parentheses too: what counts is the last one.
fn fields(stat: &str) -> Option<(char, u64, u64)> {
    let mut after = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = after.next()?.chars().next()?;
    Some((state, after.nth(16)?.parse().ok()?, after.nth(1)?.parse().ok()?))
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

static FORKS: AtomicU64 = AtomicU64::new(0);
static REGISTER: Once = Once::new();

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// Number of forks that led to this process since the first call: changes in a child, never in a parent. One load.
pub fn fork_generation() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Have forks counted from now on (pthread_atfork(3)).
pub fn watch_forks() {
    REGISTER.call_once(|| {
        // SAFETY: the handler only adds to an atomic, which is async-signal-safe.
        unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
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
