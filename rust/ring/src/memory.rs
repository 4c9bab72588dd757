//! Storage for a ring: its cursors, and a data region whose record words are atomics.

use crate::record::WORD;
use crate::sync::{Arc, AtomicU64, Ordering};
use crate::trial::Trial;
#[cfg(loom)]
use loom::cell::UnsafeCell;

/// The shared cursors of a ring. All are byte positions that only grow; a position's offset in the region is `position % capacity`.
///
/// `repr(C)` and spaced by cache lines, because it is part of the ring file's layout. All zero is an empty ring.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Cursors {
    /// End of the last claimed record. Moved by producers.
    pub tail: Line,
    /// Start of the first record that is not acknowledged. Moved by the consumer.
    pub head: Line,
    /// A value that `head` once had, so that producers need not read the consumer's cache line at each claim.
    pub head_cache: Line,
    /// The consumer's journal for moving `head`.
    pub journal: Journal,
    /// What a consumer is at work on, and what was tried after one died.
    pub trial: Trial,
}

/// A word with a cache line of its own (two, for the adjacent-line prefetcher of x86).
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub struct Line(pub AtomicU64);

/// What the consumer is about to acknowledge. In force while `clear_to > head`.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub struct Journal {
    /// Where `head` will be when the memory before it is zeroed.
    pub clear_to: AtomicU64,
    /// What `acked` will be then.
    pub acked_to: AtomicU64,
    /// What `corrupt` will be then.
    pub corrupt_to: AtomicU64,
    /// Records acknowledged since the ring was made.
    pub acked: AtomicU64,
    /// Records skipped since the ring was made because they were damaged.
    pub corrupt: AtomicU64,
}

impl Cursors {
    /// Whether the cursors can be those of a ring of that capacity. They lie in memory that a broken process may have
    /// written over, and nobody may compute an offset from them before this holds.
    pub fn make_sense(&self, capacity: u64) -> bool {
        // `head` first: it never passes a `tail` that is read after it.
        let head = self.head.0.load(Ordering::Acquire);
        let tail = self.tail.0.load(Ordering::Acquire);
        possible(head, tail, capacity)
    }
}

/// `head <= tail <= head + capacity`, both multiples of 8.
pub(super) fn possible(head: u64, tail: u64, capacity: u64) -> bool {
    head <= tail && tail - head <= capacity && (head | tail).is_multiple_of(WORD)
}

/// Storage of a ring.
///
/// # Safety
/// `capacity` never changes, is a power of two and at least 64. `word(at)` is the eight bytes at `at` for every
/// multiple of 8 below `capacity`. `bytes_mut` gives exactly `[at, at + len)` of the same memory, and `copy_out` copies
/// from it; the memory outlives the value and is zero when the ring is made.
pub unsafe trait Memory {
    /// Size of the data region in bytes.
    fn capacity(&self) -> u64;
    /// The shared cursors.
    fn cursors(&self) -> &Cursors;
    /// The record word at the offset.
    fn word(&self, at: u64) -> &AtomicU64;
    /// Copy `[at, at + len)` out; `at` is a multiple of 8 and `at + len <= capacity`.
    ///
    /// The reader gets a copy and never the ring's own memory: a process that writes there against the protocol
    /// changes neither what was checked nor what is then used. It is read by atomic words for the same reason.
    fn copy_out(&self, at: u64, len: u64, out: &mut Vec<u8>) {
        out.resize(len.next_multiple_of(WORD) as usize, 0);
        for (chunk, index) in out.chunks_exact_mut(WORD as usize).zip(0_u64..) {
            chunk.copy_from_slice(&self.word(at + index * WORD).load(Ordering::Relaxed).to_ne_bytes());
        }
        out.truncate(len as usize);
    }
    /// Lend a part of the region for writing.
    ///
    /// # Safety
    /// `at + len <= capacity`, and nobody else reads or writes the part meanwhile.
    unsafe fn bytes_mut<R>(&self, at: u64, len: u64, write: impl FnOnce(&mut [u8]) -> R) -> R;
    /// Zero a part of the region, its words included.
    ///
    /// # Safety
    /// As for `bytes_mut`.
    unsafe fn zero(&self, at: u64, len: u64);
}

// SAFETY: hands every call on to the memory that the `Arc` keeps alive.
unsafe impl<M: Memory> Memory for Arc<M> {
    fn capacity(&self) -> u64 {
        (**self).capacity()
    }

    fn cursors(&self) -> &Cursors {
        (**self).cursors()
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        (**self).word(at)
    }

    fn copy_out(&self, at: u64, len: u64, out: &mut Vec<u8>) {
        (**self).copy_out(at, len, out);
    }

    unsafe fn bytes_mut<R>(&self, at: u64, len: u64, write: impl FnOnce(&mut [u8]) -> R) -> R {
        // SAFETY: the caller's promise is handed on.
        unsafe { (**self).bytes_mut(at, len, write) }
    }

    unsafe fn zero(&self, at: u64, len: u64) {
        // SAFETY: the caller's promise is handed on.
        unsafe { (**self).zero(at, len) }
    }
}

/// A ring's storage on the heap: for tests, Miri and loom.
#[cfg(not(loom))]
pub struct HeapMemory {
    cursors: Cursors,
    words: Box<[std::cell::UnsafeCell<u64>]>,
}

// SAFETY: the ring's protocol gives each part of `words` to one thread at a time; record words are used as atomics.
#[cfg(not(loom))]
unsafe impl Sync for HeapMemory {}

#[cfg(not(loom))]
impl HeapMemory {
    /// Zeroed storage of `capacity` bytes, a power of two of at least 64 (rounded up to one).
    pub fn new(capacity: u64) -> Self {
        let words = capacity.max(64).next_power_of_two() / WORD;
        Self { cursors: Cursors::default(), words: (0..words).map(|_| std::cell::UnsafeCell::new(0)).collect() }
    }

    fn base(&self) -> *mut u8 {
        std::cell::UnsafeCell::raw_get(self.words.as_ptr()).cast()
    }
}

#[cfg(not(loom))]
// SAFETY: `words` is one zeroed allocation of `capacity` bytes, aligned to 8, that lives as long as `self`.
unsafe impl Memory for HeapMemory {
    fn capacity(&self) -> u64 {
        self.words.len() as u64 * WORD
    }

    fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        // SAFETY: in bounds and aligned by the trait's contract; the cell may be changed through a shared reference.
        unsafe { AtomicU64::from_ptr(self.base().add(at as usize).cast()) }
    }

    unsafe fn bytes_mut<R>(&self, at: u64, len: u64, write: impl FnOnce(&mut [u8]) -> R) -> R {
        // SAFETY: in bounds and exclusive, by this function's contract.
        write(unsafe { std::slice::from_raw_parts_mut(self.base().add(at as usize), len as usize) })
    }

    unsafe fn zero(&self, at: u64, len: u64) {
        // SAFETY: in bounds and exclusive, by this function's contract.
        unsafe { self.base().add(at as usize).write_bytes(0, len as usize) }
    }
}

/// Storage whose every access loom watches. Payload bytes and record words are separate here: one cell a word
/// reports any two accesses to the same eight bytes that no ordering separates.
#[cfg(loom)]
pub struct HeapMemory {
    cursors: Cursors,
    words: Vec<AtomicU64>,
    cells: Vec<UnsafeCell<[u8; 8]>>,
}

#[cfg(loom)]
impl HeapMemory {
    /// Zeroed storage of `capacity` bytes, a power of two of at least 64.
    pub fn new(capacity: u64) -> Self {
        let words = (capacity.max(64).next_power_of_two() / WORD) as usize;
        Self {
            cursors: Cursors::default(),
            words: (0..words).map(|_| AtomicU64::new(0)).collect(),
            cells: (0..words).map(|_| UnsafeCell::new([0; 8])).collect(),
        }
    }

    fn range(at: u64, len: u64) -> std::ops::Range<usize> {
        (at / WORD) as usize..(at + len).div_ceil(WORD) as usize
    }
}

#[cfg(loom)]
// SAFETY: loom runs one thread at a time and checks each access to the cells.
unsafe impl Sync for HeapMemory {}

#[cfg(loom)]
// SAFETY: as the trait asks, with words and payload in two arrays of the same geometry.
unsafe impl Memory for HeapMemory {
    fn capacity(&self) -> u64 {
        self.words.len() as u64 * WORD
    }

    fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        &self.words[(at / WORD) as usize]
    }

    fn copy_out(&self, at: u64, len: u64, out: &mut Vec<u8>) {
        out.clear();
        for cell in &self.cells[Self::range(at, len)] {
            // SAFETY: loom reports a conflicting access.
            cell.with(|cell| out.extend_from_slice(unsafe { &*cell }));
        }
        out.truncate(len as usize);
    }

    unsafe fn bytes_mut<R>(&self, at: u64, len: u64, write: impl FnOnce(&mut [u8]) -> R) -> R {
        let range = Self::range(at, len);
        let mut bytes = vec![0; range.len() * WORD as usize];
        let skip = (at % WORD) as usize;
        let result = write(&mut bytes[skip..skip + len as usize]);
        for (cell, chunk) in self.cells[range].iter().zip(bytes.chunks_exact(8)) {
            // SAFETY: loom reports a conflicting access.
            cell.with_mut(|cell| unsafe { (*cell).copy_from_slice(chunk) });
        }
        result
    }

    unsafe fn zero(&self, at: u64, len: u64) {
        for index in Self::range(at, len) {
            self.words[index].store(0, Ordering::Relaxed);
            // SAFETY: loom reports a conflicting access.
            self.cells[index].with_mut(|cell| unsafe { *cell = [0; 8] });
        }
    }
}
