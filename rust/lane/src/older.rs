//! Lanes of other layouts, which another release left beside this one or still runs, and rings of other layouts.
//!
//! Invariants: what another layout's process may still use is neither written nor removed, and what cannot be asked for
//! counts as in use; who looks takes no lock; what nobody holds any more is removed and then counted, each ring once; of a
//! file of another layout only words are read whose offsets are the same in all layouts that [`knows`] names, by plain
//! reads and never by a mapping.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::files::{ControlFile, RingFile};
use crate::layout::{
    CONTROL_MAGIC, ControlHeader, Counters, LAYOUT_VERSION, REASON_SLOTS, RING_MAGIC, RingHeader, Totals,
};
use crate::lock;
use crate::process::Identity;
use crate::status::{list_rings, ring_ids};
use shadowlane_ring::{Cursors, Journal};

/// The first layout whose producers hold a lock.
const FIRST_LOCKED: u8 = 6;
/// The first layout whose counters lie where they do now.
const FIRST_COUNTED: u8 = 5;
/// The first layout whose control file has its switch where it is now.
const FIRST_SWITCH: u8 = 4;
/// How many directories of one layout there may be, each for a control file that was damaged.
const MOST: u32 = 9;

const CURSORS: usize = offset_of!(RingHeader, cursors);
const JOURNAL: usize = CURSORS + offset_of!(Cursors, journal);
const COUNTERS: usize = offset_of!(RingHeader, counters);
/// A release that moves one of these must say here from which layout on it lies elsewhere.
const _: () = assert!(
    offset_of!(RingHeader, pid) == 24
        && offset_of!(RingHeader, closed) == 48
        && CURSORS == 128
        && JOURNAL == 512
        && COUNTERS == 4736
        && REASON_SLOTS == 32
        && offset_of!(ControlHeader, enabled) == 32
);

/// Whether the counters of a layout's rings lie where this release looks for them.
fn knows(layout: u8) -> bool {
    layout >= FIRST_COUNTED
}

/// The directory of this release's lane: the lane's own, or one below it when that holds another layout's.
///
/// All processes of one layout find the same. Makes nothing.
pub fn locate(root: &Path) -> PathBuf {
    let all = || (0..=MOST).map(|number| candidate(root, number));
    let ours = all().rfind(|directory| is_ours(&ControlFile::path(directory)));
    let free = || all().find(|directory| fs::symlink_metadata(ControlFile::path(directory)).is_err());
    ours.or_else(free).unwrap_or_else(|| root.to_path_buf())
}

fn candidate(root: &Path, number: u32) -> PathBuf {
    match number {
        0 => root.to_path_buf(),
        1 => root.join(format!("{BELOW}{LAYOUT_VERSION}")),
        _ => root.join(format!("{BELOW}{LAYOUT_VERSION}.{number}")),
    }
}

const BELOW: &str = "layout-";

/// Whether [`locate`] of some release gives a directory this name: `layout-N` or `layout-N.M`, and nothing else.
fn is_below(name: &OsStr) -> bool {
    let is_number = |text: &str| text.parse::<u8>().is_ok_and(|number| number.to_string() == text);
    let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(BELOW)) else { return false };
    match rest.split_once('.') {
        None => is_number(rest),
        Some((layout, number)) => is_number(layout) && is_number(number),
    }
}

/// Whether a directory is a lane's, and not one that holds lanes of any name.
fn is_lane(directory: &Path) -> bool {
    let files = [ControlFile::path(directory), ControlFile::worker_lock(directory)];
    files.iter().any(|file| fs::symlink_metadata(file).is_ok()) || !ring_ids(directory).is_empty()
}

/// The lane's own directory of one that [`locate`] gave. A lane may have a name like those that are given below another
/// one: it is its own where no lane is around it.
pub fn root_of(directory: &Path) -> PathBuf {
    let below = directory.file_name().is_some_and(is_below);
    directory.parent().filter(|parent| below && is_lane(parent)).unwrap_or(directory).to_path_buf()
}

/// Whether the lane of another layout beside which this directory's begins was switched off: so is this one.
pub fn is_switched_off(directory: &Path) -> bool {
    let root = root_of(directory);
    let Some(control) = (root != directory).then(|| readable(&ControlFile::path(&root))).flatten() else {
        return false;
    };
    let layout = word(&control, 0).filter(|magic| is_control(*magic)).map_or(0, version);
    layout >= FIRST_SWITCH && word(&control, offset_of!(ControlHeader, enabled)) == Some(0)
}

/// A lane of another layout, or one whose control file was damaged.
#[derive(Clone, Debug)]
pub struct OlderLane {
    /// Its directory.
    pub directory: PathBuf,
    /// Its layout; 0 when its control file does not say one.
    pub layout: u8,
    /// Whether a process of it lives: a gateway with a ring, or a worker.
    pub held: bool,
    /// Its rings.
    pub rings: usize,
    /// Copies in them that this release cannot read.
    pub copies: u64,
    /// Rings with something in them, of which it cannot be said how many copies that is.
    pub uncounted: usize,
}

/// The other lanes of a lane's directory. One of this release's own layout is somebody's who knows it.
pub fn others(directory: &Path) -> Vec<OlderLane> {
    let root = root_of(directory);
    let below = fs::read_dir(&root).into_iter().flatten().flatten();
    let below = below.filter(|entry| is_below(&entry.file_name()));
    let all = std::iter::once(root.clone()).chain(below.map(|entry| entry.path()));
    let mut found: Vec<OlderLane> = all.filter(|other| other != directory).filter_map(|other| look(&other)).collect();
    found.sort_by(|a, b| a.directory.cmp(&b.directory));
    found
}

fn look(directory: &Path) -> Option<OlderLane> {
    let ids = list_rings(directory);
    let unlisted = ids.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound);
    let ids = ids.unwrap_or_default();
    let control = ControlFile::path(directory);
    let there = fs::symlink_metadata(&control).map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |_| true);
    if (ids.is_empty() && !there && !unlisted) || is_ours(&control) {
        return None;
    }
    let worker = ControlFile::worker_lock(directory);
    let layout = magic(&control).filter(|magic| is_control(*magic)).map_or(0, version);
    let mut lane = OlderLane {
        directory: directory.to_path_buf(),
        layout,
        // A worker of today holds the control file, too.
        held: unlisted || lock::is_path_held(&control) || lock::is_path_held(&worker) || is_flocked(&worker),
        rings: ids.len(),
        copies: 0,
        uncounted: 0,
    };
    for id in ids {
        let path = RingFile::path_of(directory, id);
        let ring = OtherRing::open(&path, true);
        lane.held |= ring.as_ref().map_or_else(|| lock::is_path_held(&path), OtherRing::has_producer);
        let (copies, uncounted) = unread(ring.as_ref());
        lane.copies += copies;
        lane.uncounted += uncounted;
    }
    Some(lane)
}

/// Copies in a ring that this release cannot read, and 1 when it cannot be said how many they are.
fn unread(ring: Option<&OtherRing>) -> (u64, usize) {
    match ring.map(|ring| (ring.totals(), ring.is_empty())) {
        Some((Some(totals), _)) => (totals.mirrored.saturating_sub(totals.acked), 0),
        Some((None, true)) => (0, 0),
        Some((None, false)) | None => (0, 1),
    }
}

impl OlderLane {
    /// In words, for people.
    pub fn text(&self) -> String {
        let layout = if self.layout == 0 { "no known layout".to_owned() } else { format!("layout {}", self.layout) };
        let next = if self.held {
            "processes of the release that made them have them still, and its worker empties them"
        } else {
            "nobody holds them, and a worker of this release removes them"
        };
        let copies = copies_text(self.copies, self.uncounted as u64);
        format!("{}: {} rings of {layout} with {copies}; {next}", self.directory.display(), self.rings)
    }

    /// Remove its control file and its rings, which nobody holds, and count what went in this lane's control file. Its life
    /// ends, and a release of its layout begins another one. Its log and its configuration stay.
    ///
    /// What cannot be removed is not counted, and looked at again; a worker killed in between has counted one ring less.
    pub fn retire(&self, control: &ControlHeader) {
        let worker = ControlFile::worker_lock(&self.directory);
        // So that no worker of a layout without locks of our kind starts meanwhile; one that has just started has it.
        let Ok(_taken) = take_flock(&worker) else { return };
        // The control file first: rings without one belong to no life, and are looked for again.
        if !is_gone_now(&ControlFile::path(&self.directory)) {
            return;
        }
        for path in ring_ids(&self.directory).into_iter().map(|id| RingFile::path_of(&self.directory, id)) {
            let (copies, uncounted) = unread(OtherRing::open(&path, true).as_ref());
            if !is_gone_now(&path) {
                continue;
            }
            let unread = &control.unread;
            unread.last.write(&self.directory.to_string_lossy());
            unread.copies.fetch_add(copies, Ordering::AcqRel);
            unread.uncounted.fetch_add(uncounted as u64, Ordering::AcqRel);
            unread.rings.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// Remove a file; whether it is gone.
fn is_gone_now(path: &Path) -> bool {
    fs::remove_file(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true)
}

/// How many copies that are, in words.
pub fn copies_text(copies: u64, uncounted: u64) -> String {
    let rings =
        if uncounted == 0 { String::new() } else { format!(" and those of {uncounted} rings that cannot be counted") };
    format!("{copies} copies{rings}")
}

/// A ring, of which only what all layouts share is read.
pub struct OtherRing {
    file: File,
    /// Its layout.
    pub layout: u8,
}

impl OtherRing {
    /// Open a ring of another layout; of this one too with `any`. `None` when it is none.
    pub fn open(path: &Path, any: bool) -> Option<Self> {
        let file = readable(path)?;
        let magic = word(&file, 0).filter(|magic| *magic << 8 == RING_MAGIC << 8 && (any || *magic != RING_MAGIC))?;
        Some(Self { file, layout: version(magic) })
    }

    /// Whether a path names this ring's file, and not another one or none.
    pub fn is_at(&self, path: &Path) -> bool {
        let same = |meta: fs::Metadata| {
            self.file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (meta.dev(), meta.ino()))
        };
        fs::symlink_metadata(path).is_ok_and(same)
    }

    fn word(&self, at: usize) -> u64 {
        word(&self.file, at).unwrap_or(0)
    }

    /// Whether a process may still write to it.
    pub fn has_producer(&self) -> bool {
        if self.layout >= FIRST_LOCKED {
            return lock::is_held(&self.file).unwrap_or(true);
        }
        let (pid, namespace) = (self.word(offset_of!(RingHeader, pid)), self.word(offset_of!(RingHeader, namespace)));
        self.word(offset_of!(RingHeader, closed)) == 0 && !Identity { pid, start: 0, namespace }.is_gone()
    }

    fn is_empty(&self) -> bool {
        let tail = self.word(CURSORS + offset_of!(Cursors, tail));
        tail == self.word(CURSORS + offset_of!(Cursors, head))
    }

    /// What its process and its workers counted; `None` when they do so elsewhere.
    pub fn totals(&self) -> Option<Totals> {
        if !knows(self.layout) {
            return None;
        }
        let journal = |at| self.word(JOURNAL + at);
        let head = self.word(CURSORS + offset_of!(Cursors, head));
        // A worker was killed between its word and the deed: the word counts.
        let moved = journal(offset_of!(Journal, clear_to)) > head;
        let acked = if moved { offset_of!(Journal, acked_to) } else { offset_of!(Journal, acked) };
        let corrupt = if moved { offset_of!(Journal, corrupt_to) } else { offset_of!(Journal, corrupt) };
        let count = |at| self.word(COUNTERS + at);
        let mut totals = Totals { acked: journal(acked), corrupt: journal(corrupt), ..Totals::default() };
        totals.mirrored = count(offset_of!(Counters, mirrored));
        for (index, dropped) in totals.dropped.iter_mut().enumerate() {
            *dropped = count(offset_of!(Counters, dropped) + 8 * index);
        }
        totals.faults = count(offset_of!(Counters, faults));
        totals.started = count(offset_of!(Counters, started));
        Some(totals)
    }
}

/// Of layouts without locks of our kind: whether a worker is seen to have the lane. Nothing is taken, so the kernel's list
/// is read (proc(5), `locks`). It leaves out processes of other pid namespaces, and some file systems give their files
/// another device's number there; who removes asks by [`take_flock`], which leaves out nobody.
fn is_flocked(path: &Path) -> bool {
    let Ok(meta) = fs::symlink_metadata(path) else { return false };
    let (device, inode) = (meta.dev(), meta.ino());
    let file = format!("{:02x}:{:02x}:{inode}", libc::major(device), libc::minor(device));
    let list = fs::read_to_string("/proc/locks").unwrap_or_default();
    list.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        words.any(|word| word == "FLOCK") && words.any(|word| word == file)
    })
}

/// Take the lock that elects the worker of such a layout, as long as what is returned lives; an error when somebody has
/// it or it cannot be asked for. Without its file there is no such worker, and nothing to take.
fn take_flock(path: &Path) -> io::Result<Option<File>> {
    let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // SAFETY: the descriptor is open.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
        Ok(Some(file))
    } else {
        Err(io::Error::last_os_error())
    }
}

fn readable(path: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path).ok()?;
    let meta = file.metadata().ok()?;
    // SAFETY: geteuid has no preconditions.
    (meta.is_file() && meta.uid() == unsafe { libc::geteuid() }).then_some(file)
}

fn word(file: &File, at: usize) -> Option<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, at as u64).ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn magic(path: &Path) -> Option<u64> {
    word(&readable(path)?, 0)
}

/// Whether a control file can be opened by this release: the checks of [`ControlFile::open`], without a mapping.
fn is_ours(path: &Path) -> bool {
    let size = size_of::<ControlHeader>() as u64;
    let right = |file: &File| word(file, 0) == Some(CONTROL_MAGIC) && word(file, 8) == Some(size);
    readable(path).is_some_and(|file| right(&file) && file.metadata().is_ok_and(|meta| meta.len() == size))
}

fn version(magic: u64) -> u8 {
    (magic >> 56) as u8
}

fn is_control(magic: u64) -> bool {
    magic << 8 == CONTROL_MAGIC << 8
}
