//! The lane's runtime directory and the mapped files in it.
//!
//! Invariants: the directory is ours, 0700, and not a symbolic link; files are 0600 and made under a temporary name,
//! so that a file with its final name is complete; every page is allocated when a file is made, so that a full file
//! system is an error here and never a SIGBUS in somebody's gateway.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};

use crate::lock;
use crate::process::random_u64;
use shadowlane_base::{Error, Result};

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Io { what, path, source }
}

fn refused(path: &Path, why: &str) -> Error {
    Error::Refused { path: path.to_path_buf(), why: why.to_owned() }
}

/// Make the directory if it is not there (0700), and check it.
pub fn ensure(directory: &Path) -> Result<()> {
    if let Err(error) = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
        && fs::symlink_metadata(directory).is_err()
    {
        return Err(io("cannot make the lane's directory", directory)(error));
    }
    check(directory)
}

/// Refuse a directory that is a symbolic link, another user's, or open to others.
pub fn check(directory: &Path) -> Result<()> {
    let meta = fs::symlink_metadata(directory).map_err(io("cannot read the lane's directory", directory))?;
    // SAFETY: geteuid has no preconditions.
    let me = unsafe { libc::geteuid() };
    if meta.file_type().is_symlink() {
        return Err(refused(directory, "is a symbolic link; set lane.directory to a real directory"));
    }
    if !meta.is_dir() {
        return Err(refused(directory, "is not a directory; remove it, or set lane.directory to another path"));
    }
    if meta.uid() != me {
        let why = format!(
            "belongs to user {} and this process runs as {me}; run all processes of a lane as one user (in containers: the same \
             runAsUser), or set lane.directory to a directory of its own",
            meta.uid()
        );
        return Err(refused(directory, &why));
    }
    if meta.mode() & 0o077 != 0 {
        let why = format!("is open to others (mode {:03o}); run chmod 700 on it", meta.mode() & 0o777);
        return Err(refused(directory, &why));
    }
    Ok(())
}

/// A shared mapping of a whole file. The file's descriptor is not kept.
pub struct Mapped {
    map: MmapRaw,
    /// Device and inode of the file.
    file: (u64, u64),
}

impl Mapped {
    /// Start of the mapping, aligned to a page.
    pub fn base(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether a path names the file that is mapped, and not another one or none.
    pub fn is_at(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.file)
    }

    /// Whether both map the same file.
    pub fn is_same(&self, other: &Self) -> bool {
        self.file == other.file
    }

    /// Whether the mapping is empty: never, since empty files are refused.
    pub fn is_empty(&self) -> bool {
        self.map.len() == 0
    }
}

/// Make a file of `size` zero bytes under a temporary name, let `fill` write its header and do what must be done before
/// others see the file (which has the name that it is given), and name it.
///
/// When the name is taken already, the file there wins and `None` is returned.
pub fn create<T>(
    path: &Path,
    size: u64,
    fill: impl FnOnce(&Mapped, &Path) -> Result<T>,
) -> Result<Option<(Mapped, T)>> {
    let temporary = temporary_name(path);
    let made = create_temporary(&temporary, size).and_then(|mapped| {
        let filled = fill(&mapped, &temporary)?;
        // A link and not a rename, which would replace the file of somebody who lives.
        match fs::hard_link(&temporary, path) {
            Ok(()) => Ok(Some((mapped, filled))),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(io("cannot name the file", path)(error)),
        }
    });
    // Not there when it could not be made.
    let _ = fs::remove_file(&temporary);
    made
}

/// Nobody else's: process ids would repeat over pid namespaces.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}{TEMPORARY}", random_u64()));
    PathBuf::from(name)
}

const TEMPORARY: &str = ".tmp";
/// Making a file takes milliseconds. One that is older was left behind.
const LEFT_BEHIND: Duration = Duration::from_secs(600);

/// Remove the temporary files of processes that were killed while they made one, whatever their pid namespace.
pub fn remove_leftovers(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let is_temporary = entry.file_name().to_str().is_some_and(|name| name.ends_with(TEMPORARY));
        let is_old = || {
            entry
                .metadata()
                .and_then(|meta| meta.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_BEHIND))
        };
        if is_temporary && is_old() && !lock::is_path_held(&entry.path()) {
            // Another worker's successor may have removed it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn create_temporary(path: &Path, size: u64) -> Result<Mapped> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(io("cannot make", path))?;
    let length = libc::off_t::try_from(size)
        .map_err(|_| Error::Invalid { field: "ring_bytes", why: format!("{size} is too large") })?;
    // SAFETY: the descriptor is open for writing; posix_fallocate touches no memory of ours.
    let code = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length) };
    if code != 0 {
        return Err(io("cannot allocate the memory of", path)(std::io::Error::from_raw_os_error(code)));
    }
    // Populated here, so that no page fault waits on the user path.
    map(&file, path, MmapOptions::new().populate())
}

fn map(file: &File, path: &Path, options: &MmapOptions) -> Result<Mapped> {
    let map = options.map_raw(file).map_err(io("cannot map", path))?;
    // A core dump must not hold bodies that nobody has sanitized.
    let _ = map.advise(memmap2::Advice::DontDump);
    let meta = file.metadata().map_err(io("cannot read", path))?;
    Ok(Mapped { map, file: (meta.dev(), meta.ino()) })
}

/// Map an existing file that is at least `least` bytes long, and give the descriptor too. It must be a regular file of
/// this user, 0600.
pub fn open(path: &Path, least: u64) -> Result<(Mapped, File)> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(io("cannot open", path))?;
    let meta = file.metadata().map_err(io("cannot read", path))?;
    // SAFETY: geteuid has no preconditions.
    if !meta.is_file() || meta.uid() != unsafe { libc::geteuid() } || meta.mode() & 0o077 != 0 {
        return Err(refused(path, "is not a private file of this user; remove it"));
    }
    if meta.len() < least {
        return Err(refused(path, "is shorter than its layout; it is not of this version, remove it"));
    }
    Ok((map(&file, path, &MmapOptions::new())?, file))
}

/// The lane's key for the tokens that stand for redacted values: random, made once, and the same for every process of
/// the lane until its directory goes.
pub fn key(directory: &Path) -> Result<[u8; 32]> {
    const SIZE: usize = 32;
    ensure(directory)?;
    let path = directory.join("redact.key");
    if fs::symlink_metadata(&path).is_err() {
        let mut fresh = [0; SIZE];
        getrandom::fill(&mut fresh)
            .map_err(|error| io("cannot get random bytes for", &path)(std::io::Error::other(error.to_string())))?;
        // Somebody else's may have won: then that one holds.
        create(&path, SIZE as u64, |mapped, _| {
            // SAFETY: the mapping is `SIZE` bytes long, nobody else sees it yet, and the two do not overlap.
            unsafe { std::ptr::copy_nonoverlapping(fresh.as_ptr(), mapped.base(), SIZE) };
            Ok(())
        })?;
    }
    open(&path, SIZE as u64)?;
    let bytes = fs::read(&path).map_err(io("cannot read", &path))?;
    bytes.try_into().map_err(|_| refused(&path, "is not a key of 32 bytes; remove it while no worker runs"))
}

/// Free and total bytes of the file system that holds `path`.
pub fn space(path: &Path) -> Result<(u64, u64)> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| refused(path, "has a NUL in its name"))?;
    // SAFETY: all zero is a valid statvfs; the call writes only to it.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `name` is NUL-terminated and `stat` is writable.
    if unsafe { libc::statvfs(name.as_ptr(), &raw mut stat) } != 0 {
        return Err(io("cannot read the file system of", path)(std::io::Error::last_os_error()));
    }
    Ok((stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize))
}
