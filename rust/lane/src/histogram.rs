//! A lock-free log-linear histogram of durations, in shared memory.
//!
//! Buckets are laid out as in HdrHistogram (G. Tene, hdrhistogram.org): linear at first, then each power of two is cut
//! into 64 equal buckets. Invariants: below 8.192 µs a bucket is 64 ns wide; above, at most 1/64 of its lower edge, so
//! that a value is known to 1.6 %; what is above 2^40 ns (18 minutes) counts in the last bucket. Recording is one
//! relaxed addition: no lock, no system call, no allocation. Histograms of the same layout are merged by adding their
//! counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A power of two is cut into `2^SUB_BITS` buckets.
const SUB_BITS: u32 = 6;
/// The finest difference is `2^UNIT_BITS` ns.
const UNIT_BITS: u32 = 6;
/// Values from `2^TOP_BITS` ns on are not distinguished.
const TOP_BITS: u32 = 40;
/// How many buckets there are.
pub const BUCKETS: usize = (((TOP_BITS - UNIT_BITS - SUB_BITS - 1) << SUB_BITS) + (2 << SUB_BITS)) as usize;

/// The bucket of a duration in ns.
pub fn bucket(ns: u64) -> usize {
    let units = ns >> UNIT_BITS;
    let shift = (u64::BITS - units.leading_zeros()).saturating_sub(SUB_BITS + 1);
    let index = (u64::from(shift) << SUB_BITS) + (units >> shift);
    (index as usize).min(BUCKETS - 1)
}

/// The least duration, in ns, that counts in a bucket. For `BUCKETS` and above: `2^40`.
pub fn lower_edge(bucket: usize) -> u64 {
    let bucket = bucket.min(BUCKETS) as u64;
    let shift = (bucket >> SUB_BITS).saturating_sub(1);
    (bucket - (shift << SUB_BITS)) << shift << UNIT_BITS
}

/// Counts of durations. All zero is empty.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

impl Histogram {
    /// Count a duration in ns.
    pub fn record(&self, ns: u64) {
        if let Some(count) = self.counts.get(bucket(ns)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Add the counts to `sum`, which has [`BUCKETS`] elements. Durations recorded meanwhile may be missed.
    pub fn add_to(&self, sum: &mut [u64]) {
        for (total, count) in sum.iter_mut().zip(&self.counts) {
            *total += count.load(Ordering::Relaxed);
        }
    }

    /// Overwrite the counts.
    pub fn write(&self, counts: &[u64]) {
        for (count, value) in self.counts.iter().zip(counts) {
            count.store(*value, Ordering::Relaxed);
        }
    }
}
