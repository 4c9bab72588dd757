//! Which requests are taken: exactly a share of them, at places nobody can predict.
//!
//! Each request adds the ratio, in fixed point, to a shared phase; the requests that start while the phase has one
//! integer part are a stratum, and exactly one of them is taken. Which one is Knuth's selection sampling (TAOCP 2,
//! 3.4.2, algorithm S): with m requests of the stratum still to come and none taken yet, this one is taken with
//! probability 1/m, by a hash of (seed, phase) as the coin; the last one always is. So for every prefix of n requests
//! taken and the sum of their ratios differ by 1 at most, through changes of the ratio too and in all processes
//! together; each place of a stratum is equally likely, and periodic traffic does not alias.

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{Error, Result};

/// Fractional bits of the phase: the ratio is exact to 2^-33. The integer part wraps after 2^31 strata, which only
/// makes coins repeat.
const FRACTION: u32 = 32;
const ONE: u64 = 1 << FRACTION;

/// An exact sampler in shared memory. All zero takes nothing.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct RatioCell {
    /// From the top: 31 bits of stratum, 32 bits of fraction, one bit that says that the stratum has its taken one.
    state: AtomicU64,
    /// The ratio times 2^32.
    step: AtomicU64,
    seed: AtomicU64,
    eligible: AtomicU64,
    taken: AtomicU64,
}

impl RatioCell {
    /// A sampler that takes nothing until it is configured.
    pub fn new() -> Self {
        Self::default()
    }

    /// Set ratio, in [0, 1], and seed. [`Error::Invalid`] for another ratio.
    pub fn configure(&self, ratio: f64, seed: u64) -> Result<()> {
        self.set_ratio(ratio)?;
        self.seed.store(seed, Ordering::Relaxed);
        Ok(())
    }

    /// Change the ratio from the next request on.
    pub fn set_ratio(&self, ratio: f64) -> Result<()> {
        self.step.store(fixed(ratio)?, Ordering::Relaxed);
        Ok(())
    }

    /// The ratio.
    pub fn ratio(&self) -> f64 {
        self.step.load(Ordering::Relaxed) as f64 / ONE as f64
    }

    /// Requests that were asked about.
    pub fn eligible(&self) -> u64 {
        self.eligible.load(Ordering::Relaxed)
    }

    /// Requests that were taken.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Decide about the next request.
    pub fn take(&self) -> bool {
        self.eligible.fetch_add(1, Ordering::Relaxed);
        let step = self.step.load(Ordering::Relaxed);
        if step == 0 {
            return false;
        }
        let seed = self.seed.load(Ordering::Relaxed);
        let mut state = self.state.load(Ordering::Relaxed);
        let taken = loop {
            let offset = (state >> 1) & (ONE - 1);
            let taken = state & 1 == 0 && {
                let to_come = (ONE - offset).div_ceil(step);
                to_come == 1 || coin(seed, state >> 1) < u64::MAX / to_come
            };
            // Carries into the stratum's number; a new stratum has none taken.
            let mut next = (state & !1).wrapping_add(step << 1);
            if offset + step < ONE {
                next |= (state & 1) | u64::from(taken);
            }
            match self.state.compare_exchange_weak(state, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break taken,
                Err(now) => state = now,
            }
        };
        if taken {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }
}

fn coin(seed: u64, phase: u64) -> u64 {
    xxh3_64_with_seed(&phase.to_le_bytes(), seed)
}

fn fixed(ratio: f64) -> Result<u64> {
    if !(0.0..=1.0).contains(&ratio) {
        return Err(Error::Invalid { field: "ratio", why: format!("{ratio} is not between 0 and 1") });
    }
    let step = (ratio * ONE as f64).round() as u64;
    if step == 0 && ratio > 0.0 {
        return Err(Error::Invalid {
            field: "ratio",
            why: format!("{ratio} is below 2^-33, the least that can be kept"),
        });
    }
    Ok(step)
}

/// Whether a key is in the sample: XXH3-64 of salt and key below `ratio` of its range. Monotone in the ratio.
pub fn sticky_take(ratio: f64, salt: &[u8], key: &[u8]) -> bool {
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    hasher.update(&(salt.len() as u64).to_le_bytes());
    hasher.update(salt);
    hasher.update(key);
    // 2^64 is exact in f64, and a ratio of 1 takes every key.
    (hasher.digest() as f64) < ratio * 18_446_744_073_709_551_616.0 || ratio >= 1.0
}
