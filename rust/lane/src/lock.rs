//! Locks that say whether a process lives, seen from any pid namespace.
//!
//! Invariants: a lock is held as long as its maker's memory lives, and the kernel releases it then, however the process
//! ends; no child that is forked meanwhile holds it; nobody who looks at it takes or changes it. The holder never takes
//! a lock again that it gave back: who finds one free knows that its holder is gone for ever.
//!
//! It is an open file description lock (fcntl(2), `F_OFD_SETLK`) on the first byte of a file. Such a lock belongs to the
//! open file and lives as long as something refers to that: a descriptor, or a mapping. Here it is a page of the file,
//! mapped without any right and left out of forks (`MADV_DONTFORK`); the descriptor is closed at once. So a program that
//! closes all its descriptors does not lose it, and a forked child does not inherit it. Where a mapping refers to
//! another file than the one opened (overlayfs) the descriptor stays, and [`crate::process`] closes it in forked children.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::process::{self, ForkGate};
use shadowlane_base::{Error, Result};

/// The byte that says who lives.
const LIFE: libc::off_t = 0;
/// The byte of the classic lock that tells the holder's process id, see [`Signed`].
const SIGNATURE: libc::off_t = 1;

/// A lock that is held while this value lives, by this process alone.
pub struct Held {
    /// A page that nobody may touch.
    page: *mut libc::c_void,
    /// Where mappings hold no open file: the descriptor that holds it.
    kept: Option<process::Kept>,
    pid: u32,
    forks: u64,
}

// SAFETY: the page is never read or written, and unmapped once, by whoever drops the value.
unsafe impl Send for Held {}
// SAFETY: a shared reference gives no access to anything.
unsafe impl Sync for Held {}

impl Held {
    /// Take the lock on a file, which is made (0600) when it is not there; `None` when somebody holds it.
    pub fn take(path: &Path) -> Result<Option<Self>> {
        process::watch_forks();
        // No fork falls between opening and closing: a child that got the descriptor would hold the lock.
        let gate = ForkGate::enter();
        let file = open(path)?;
        if !set(&file, LIFE, libc::F_OFD_SETLK).map_err(failed("cannot lock", path))? {
            return Ok(None);
        }
        let page = hold(&file).map_err(failed("cannot hold the lock of", path))?;
        let mut held = Self { page, kept: None, pid: std::process::id(), forks: process::fork_generation() };
        if is_overlay(&file) {
            held.kept = Some(process::Kept::new(file).map_err(failed("cannot hold the lock of", path))?);
            return Ok(Some(held));
        }
        drop(file);
        if !is_held(&open(path)?).map_err(failed("cannot read the lock of", path))? {
            let why = "its file system does not keep a lock as long as a mapping; set lane.directory to a directory in \
                       shared memory (tmpfs)";
            return Err(Error::Refused { path: path.to_path_buf(), why: why.to_owned() });
        }
        drop(gate);
        Ok(Some(held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // In a forked child this page is not mapped, and what lies at its address is somebody else's.
        if self.pid == std::process::id() && self.forks == process::fork_generation() {
            // SAFETY: the page was mapped by `hold` in this process, and nobody has a reference into it.
            unsafe { libc::munmap(self.page, 1) };
        }
    }
}

/// Whether mappings of this file refer to another one than the file that was opened.
fn is_overlay(file: &File) -> bool {
    // SAFETY: all zero is a valid statfs; the call writes to it only.
    unsafe {
        let mut found: libc::statfs = std::mem::zeroed();
        libc::fstatfs(file.as_raw_fd(), &raw mut found) == 0 && found.f_type == libc::OVERLAYFS_SUPER_MAGIC
    }
}

/// Map a page of an open file, so that the mapping refers to it.
fn hold(file: &File) -> io::Result<*mut libc::c_void> {
    // SAFETY: a new mapping at an address of the kernel's choice; it is never touched (`PROT_NONE`).
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 1, libc::PROT_NONE, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: exactly the mapping just made.
    if unsafe { libc::madvise(page, 1, libc::MADV_DONTFORK) } != 0 {
        let error = io::Error::last_os_error();
        // SAFETY: as above; nobody else knows it.
        unsafe { libc::munmap(page, 1) };
        return Err(error);
    }
    Ok(page)
}

/// Whether somebody holds the lock of an open file. `file`'s own lock does not count: open it anew to ask.
pub fn is_held(file: &File) -> io::Result<bool> {
    let mut asked = range(LIFE);
    // SAFETY: the descriptor is open, and `asked` is a whole flock that the call may write to.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut asked) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i32::from(asked.l_type) != libc::F_UNLCK)
}

/// Whether somebody holds the lock of the file at a path; not when there is no such file. One that cannot be asked (no
/// descriptor left, no right to it) counts as held: who finds a lock free may remove the file.
pub fn is_path_held(path: &Path) -> bool {
    match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path) {
        Ok(file) => is_held(&file).unwrap_or(true),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// A classic lock of a process: the kernel tells its holder's process id as the asker sees it, whatever is mounted at
/// /proc. It says who, not whether: such a lock is lost when the process closes any descriptor of the file. So the file is
/// one of its own, which that process opens here and nowhere else.
pub struct Signed {
    _file: File,
}

impl Signed {
    /// Sign a file, which is made (0600) when it is not there.
    pub fn sign(path: &Path) -> Result<Self> {
        let file = open(path)?;
        set(&file, SIGNATURE, libc::F_SETLK).map_err(failed("cannot lock", path))?;
        Ok(Self { _file: file })
    }
}

/// The process that signed a file, as seen from here; `None` when nobody did, or a process of a pid namespace that
/// cannot be seen from here.
pub fn signer(path: &Path) -> Option<libc::pid_t> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path).ok()?;
    let mut asked = range(SIGNATURE);
    // SAFETY: the descriptor is open, and `asked` is a whole flock that the call may write to.
    let answered = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut asked) } == 0;
    (answered && i32::from(asked.l_type) != libc::F_UNLCK && asked.l_pid > 0).then_some(asked.l_pid)
}

fn range(start: libc::off_t) -> libc::flock {
    // SAFETY: flock is plain integers, for which zero is valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = start;
    lock.l_len = 1;
    lock
}

/// Take a lock on a byte; `false` when somebody holds it.
fn set(file: &File, start: libc::off_t, command: libc::c_int) -> io::Result<bool> {
    let wanted = range(start);
    // SAFETY: the descriptor is open, and `wanted` is a whole flock.
    if unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const wanted) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}

fn open(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(failed("cannot open the lock", path))?;
    let meta = file.metadata().map_err(failed("cannot read", path))?;
    // SAFETY: geteuid has no preconditions.
    if meta.is_file() && meta.uid() == unsafe { libc::geteuid() } {
        return Ok(file);
    }
    Err(Error::Refused { path: path.to_path_buf(), why: "is not a file of this user; remove it".to_owned() })
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Io { what, path, source }
}
