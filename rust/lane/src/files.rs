//! The lane's two kinds of mapped file, as typed references over their layout.
//!
//! Invariant: a value of these types holds a mapping whose magic and sizes were checked against its layout.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::gcra::monotonic_ns;
use crate::lanedir::{self, Mapped};
use crate::layout::{CONTROL_MAGIC, ControlHeader, RING_DATA, RING_MAGIC, RingHeader, Shared};
use crate::lock::{self, Held};
use crate::older;
use crate::process::{Identity, Signer, random_u64};
use shadowlane_base::{Error, Result};
use shadowlane_ring::{Cursors, Memory};

/// Smallest and largest ring, in bytes.
pub const RING_BYTES: std::ops::RangeInclusive<u64> = 64 * 1024..=1 << 30;

/// After how many seconds without a report a worker hangs, when it does not run.
pub const HUNG_S: f64 = 10.0;
/// And when it runs, or would if it got time.
pub const BUSY_S: f64 = 120.0;

/// The mapped control file.
pub struct ControlFile {
    map: Mapped,
    directory: PathBuf,
}

// SAFETY: the mapping is shared memory that is only read and written through atomics.
unsafe impl Send for ControlFile {}
// SAFETY: as above.
unsafe impl Sync for ControlFile {}

impl ControlFile {
    /// Path of the control file of a lane.
    pub fn path(directory: &Path) -> PathBuf {
        directory.join("control.shm")
    }

    /// Open the lane's control file; make it when it is not there.
    pub fn open_or_create(directory: &Path) -> Result<Self> {
        let path = Self::path(directory);
        if !path.exists() {
            let size = size_of::<ControlHeader>() as u64;
            let made = lanedir::create(&path, size, |map, _| {
                let control = header::<ControlHeader>(map);
                control.size.store(size, Ordering::Relaxed);
                control.lane_id[0].store(random_u64(), Ordering::Relaxed);
                control.lane_id[1].store(random_u64(), Ordering::Relaxed);
                let enabled = !older::is_switched_off(directory);
                control.enabled.store(u64::from(enabled), Ordering::Relaxed);
                // A worker that has the lane already, where this file was removed under it, has the time of any other.
                control.worker.heartbeat.store(monotonic_ns(), Ordering::Relaxed);
                control.magic.store(CONTROL_MAGIC, Ordering::Release);
                Ok(())
            })?;
            if let Some((map, ())) = made {
                return Ok(Self { map, directory: directory.to_path_buf() });
            }
        }
        Self::open(directory)
    }

    /// Open the lane's control file.
    pub fn open(directory: &Path) -> Result<Self> {
        let path = Self::path(directory);
        let size = size_of::<ControlHeader>() as u64;
        let (map, _) = lanedir::open(&path, size)?;
        let control = header::<ControlHeader>(&map);
        let right = map.len() as u64 == size && control.size.load(Ordering::Relaxed) == size;
        if control.magic.load(Ordering::Acquire) != CONTROL_MAGIC || !right {
            return Err(Error::Refused {
                path,
                why: "was made by another version of shadowlane; stop the lane's processes and remove its directory"
                    .to_owned(),
            });
        }
        Ok(Self { map, directory: directory.to_path_buf() })
    }

    /// Whether the lane's control file is the one that is mapped here: it was neither removed nor replaced.
    pub fn is_in_place(&self) -> bool {
        self.map.is_at(&Self::path(&self.directory))
    }

    /// Whether both are the same file.
    pub fn is_same(&self, other: &Self) -> bool {
        self.map.is_same(&other.map)
    }

    /// Whether a worker that has this file mapped may still read rings: it has not left, and reports itself.
    pub fn is_being_read(&self) -> bool {
        let worker = &self.get().worker;
        let age = monotonic_ns().saturating_sub(worker.heartbeat.load(Ordering::Relaxed)) as f64 / 1e9;
        worker.pid.load(Ordering::Acquire) != 0 && age < HUNG_S
    }

    /// Whether the worker that had this lane then, as it reported itself, has it still. The control file is in place.
    pub fn has_still(&self, worker: &Identity) -> bool {
        let same = worker.pid != 0 && self.get().worker.identity() == *worker;
        same && lock::is_path_held(&Self::path(&self.directory))
    }

    /// The file whose lock says that the lane has a worker.
    pub fn worker_lock(directory: &Path) -> PathBuf {
        directory.join("worker.lock")
    }

    /// The file that the lane's worker signs, so that one that hangs can be ended: see [`lock::Signed`]. In the worker's
    /// process nothing else may open it.
    pub fn worker_signature(directory: &Path) -> PathBuf {
        directory.join("worker.signature")
    }

    /// Whether the lane has a worker, hung or not.
    pub fn has_worker(&self) -> bool {
        lock::is_path_held(&Self::worker_lock(&self.directory))
    }

    /// The worker reports that it lives. Also in the file that was made in place of this one, while it finishes what it has:
    /// it holds the lane until it has left.
    pub fn beat(&self) {
        let report = |control: &Self| control.get().worker.heartbeat.store(monotonic_ns(), Ordering::Relaxed);
        report(self);
        if !self.is_in_place()
            && let Ok(now) = Self::open(&self.directory)
        {
            report(&now);
        }
    }

    /// Seconds since the lane's worker last reported itself, or since this file was made if it has not; `None` when
    /// there is none.
    pub fn worker_age_s(&self) -> Option<f64> {
        let beat = self.get().worker.heartbeat.load(Ordering::Relaxed);
        self.has_worker().then(|| monotonic_ns().saturating_sub(beat) as f64 / 1e9)
    }

    /// End the lane's worker when it hangs; its process id as seen from here.
    ///
    /// It hangs when it has not reported itself for [`HUNG_S`], or for [`BUSY_S`] when one of its threads runs or would
    /// like to: at idle priority it may get no time for long. One of a pid namespace that cannot be seen from here is left
    /// alone.
    pub fn end_hung_worker(&self) -> Option<u64> {
        let age = self.worker_age_s().filter(|age| *age > HUNG_S)?;
        if self.get().worker.identity() == Identity::current() {
            // To ask for the signature is to lose it here, and who asks does not hang.
            return None;
        }
        let signer = Signer::of(&Self::worker_signature(&self.directory))?;
        if age < BUSY_S && signer.is_busy() {
            return None;
        }
        // It may have reported itself while it was looked up.
        self.worker_age_s().filter(|age| *age > HUNG_S)?;
        signer.kill().ok().and_then(|()| u64::try_from(signer.pid()).ok())
    }

    /// The typed contents.
    pub fn get(&self) -> &ControlHeader {
        header(&self.map)
    }

    /// Say why a process has no ring.
    pub fn note_ring_error(&self, text: &str) {
        let control = self.get();
        control.ringless.fetch_add(1, Ordering::Relaxed);
        control.ring_error.write(text);
    }

    /// Why the last process without a ring has none; empty when all have one.
    pub fn ring_error(&self) -> String {
        self.get().ring_error.read()
    }

    /// The lane's identity as 32 hex digits.
    pub fn lane_id(&self) -> String {
        let [high, low] = &self.get().lane_id;
        format!("{:016x}{:016x}", high.load(Ordering::Relaxed), low.load(Ordering::Relaxed))
    }
}

/// A mapped ring file.
pub struct RingFile {
    map: Mapped,
    path: PathBuf,
    capacity: u64,
    /// Who writes to it has its lock;
    _held: Option<Held>,
    /// who reads it has a descriptor, by which to ask for the lock.
    file: Option<File>,
}

// SAFETY: header words are atomics; the data region is only touched through the ring's protocol.
unsafe impl Send for RingFile {}
// SAFETY: as above.
unsafe impl Sync for RingFile {}

impl RingFile {
    /// Path of a ring's file.
    pub fn path_of(directory: &Path, id: u64) -> PathBuf {
        directory.join(format!("ring-{id}.shm"))
    }

    /// The number of the ring that a file name stands for.
    pub fn id_of(name: &str) -> Option<u64> {
        name.strip_prefix("ring-")?.strip_suffix(".shm")?.parse().ok()
    }

    /// Make a ring for this process; `None` when there is one of that number already.
    pub fn create(directory: &Path, id: u64, ring_bytes: u64) -> Result<Option<Self>> {
        if !RING_BYTES.contains(&ring_bytes) || !ring_bytes.is_power_of_two() {
            return Err(Error::Invalid {
                field: "ring_bytes",
                why: format!("{ring_bytes} is not a power of two between 64 KiB and 1 GiB"),
            });
        }
        let path = Self::path_of(directory, id);
        let made = lanedir::create(&path, RING_DATA + ring_bytes, |map, temporary| {
            let header = header::<RingHeader>(map);
            let me = Identity::current();
            header.capacity.store(ring_bytes, Ordering::Relaxed);
            header.id.store(id, Ordering::Relaxed);
            header.pid.store(me.pid, Ordering::Relaxed);
            header.start.store(me.start, Ordering::Relaxed);
            header.namespace.store(me.namespace, Ordering::Relaxed);
            header.magic.store(RING_MAGIC, Ordering::Release);
            // Before it has a name: whoever sees the ring sees the lock.
            Held::take(temporary)
        })?;
        Ok(made.map(|(map, held)| Self { map, path, capacity: ring_bytes, _held: held, file: None }))
    }

    /// Map an existing ring.
    pub fn open(path: &Path) -> Result<Self> {
        let (map, file) = lanedir::open(path, RING_DATA)?;
        let header = header::<RingHeader>(&map);
        let capacity = header.capacity.load(Ordering::Relaxed);
        let right = header.magic.load(Ordering::Acquire) == RING_MAGIC
            && capacity.is_power_of_two()
            && RING_BYTES.contains(&capacity)
            && map.len() as u64 == RING_DATA + capacity;
        if !right {
            return Err(Error::Refused {
                path: path.to_path_buf(),
                why: "is not a ring of this version of shadowlane, or not of the size that it says; remove it"
                    .to_owned(),
            });
        }
        Ok(Self { map, path: path.to_path_buf(), capacity, _held: None, file: Some(file) })
    }

    /// The typed header.
    pub fn header(&self) -> &RingHeader {
        header(&self.map)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the ring's file is the one that is mapped here.
    pub fn is_in_place(&self) -> bool {
        self.map.is_at(&self.path)
    }

    /// Whether the process that writes to it lives, whatever its pid namespace. One that cannot be asked for lives.
    pub fn has_producer(&self) -> bool {
        self.file.as_ref().is_none_or(|file| lock::is_held(file).unwrap_or(true))
    }

    /// The process that writes to it, to be shown.
    pub fn producer(&self) -> Identity {
        let header = self.header();
        Identity {
            pid: header.pid.load(Ordering::Relaxed),
            start: header.start.load(Ordering::Relaxed),
            namespace: header.namespace.load(Ordering::Relaxed),
        }
    }

    fn data(&self) -> *mut u8 {
        // SAFETY: the mapping is at least RING_DATA + capacity bytes long (checked when it was opened or made).
        unsafe { self.map.base().add(RING_DATA as usize) }
    }
}

/// The header at the start of a mapping. A mapping is at least as long: files that are shorter are refused.
fn header<T: Shared>(map: &Mapped) -> &T {
    const { assert!(align_of::<T>() <= 4096, "mappings start on a page") };
    assert!(map.len() >= size_of::<T>(), "a file shorter than its header was mapped");
    // SAFETY: aligned and long enough, as just seen; of the contents `T: Shared` says that any will do, and that they may
    // change under a shared reference. The mapping lives as long as `map`, by which the reference is bound.
    unsafe { &*map.base().cast::<T>() }
}

// SAFETY: the data region is `capacity` bytes, a power of two, aligned to a page, mapped as long as `self` lives,
// and zero when the file is made.
unsafe impl Memory for RingFile {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn cursors(&self) -> &Cursors {
        &self.header().cursors
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        debug_assert!(at.is_multiple_of(8) && at + 8 <= self.capacity);
        // SAFETY: in bounds and aligned by the trait's contract.
        unsafe { AtomicU64::from_ptr(self.data().add(at as usize).cast()) }
    }

    unsafe fn bytes_mut<R>(&self, at: u64, len: u64, write: impl FnOnce(&mut [u8]) -> R) -> R {
        debug_assert!(at + len <= self.capacity);
        // SAFETY: in bounds and exclusive, by this function's contract.
        write(unsafe { std::slice::from_raw_parts_mut(self.data().add(at as usize), len as usize) })
    }

    unsafe fn zero(&self, at: u64, len: u64) {
        debug_assert!(at + len <= self.capacity);
        // SAFETY: in bounds and exclusive, by this function's contract.
        unsafe { self.data().add(at as usize).write_bytes(0, len as usize) }
    }
}
