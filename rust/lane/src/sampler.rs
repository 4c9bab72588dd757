//! Which requests are taken: exactly a share of them, at positions nobody can predict.
//!
//! Each request adds the ratio, in fixed point, to a shared phase; a stratum is a stretch of length 1 of that phase, and
//! exactly one request is taken for it. This is Deville's systematic sampling, which is ordered pivotal sampling
//! (Chauvet, "On a characterization of ordered pivotal sampling", Bernoulli 18(4), 2012), one request at a time:
//! - a request inside a stratum that has none taken yet is taken with probability ratio / (what is left of the stratum);
//! - one that reaches over the border is taken for sure when the old stratum has none, else for the new one with
//!   probability (its part in the new stratum) / (1 - its part in the old one).
//!
//! Invariants: for every prefix of n requests, taken and the sum of their ratios differ by 1 at most, through changes of
//! the ratio too and in all processes together; each request is taken with exactly its ratio as probability, whatever
//! its position, so that no period of the traffic can meet a pattern of the sampler. (To give every request of a stratum
//! the same chance would not do: with a ratio of 3/4 strata hold 2, 1 and 1 requests in turn.)

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use shadowlane_base::{Error, Result};

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

    /// Requests that it decided about.
    pub fn eligible(&self) -> u64 {
        self.eligible.load(Ordering::Relaxed)
    }

    /// Requests that were taken.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Decide about the next request.
    pub fn take(&self) -> bool {
        self.draw() == Draw::Taken
    }

    /// Decide about the next request, and draw the trial's other group from those that are not taken.
    pub fn draw(&self) -> Draw {
        self.eligible.fetch_add(1, Ordering::Relaxed);
        let step = self.step.load(Ordering::Relaxed);
        if step == 0 {
            return Draw::Out;
        }
        let seed = self.seed.load(Ordering::Relaxed);
        let mut state = self.state.load(Ordering::Relaxed);
        let (taken, coin) = loop {
            let coin = coin(seed, state >> 1);
            let offset = (state >> 1) & (ONE - 1);
            let satisfied = state & 1 != 0;
            let end = offset + step;
            let (taken, satisfied) = if end <= ONE {
                let taken = !satisfied && chance(coin, step, ONE - offset);
                // At the border itself a new stratum begins.
                (taken, (satisfied || taken) && end < ONE)
            } else {
                let taken = satisfied && chance(coin, end - ONE, offset);
                (taken || !satisfied, taken)
            };
            // Carries into the stratum's number.
            let next = (state & !1).wrapping_add(step << 1) | u64::from(satisfied);
            match self.state.compare_exchange_weak(state, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break (taken, coin),
                Err(now) => state = now,
            }
        };
        if taken {
            self.taken.fetch_add(1, Ordering::Relaxed);
            return Draw::Taken;
        }
        not_taken(coin, step)
    }

    /// Count a request that was decided by its key, and draw the other group from those that are not taken.
    pub fn note(&self, taken: bool) -> Draw {
        let number = self.eligible.fetch_add(1, Ordering::Relaxed);
        if taken {
            self.taken.fetch_add(1, Ordering::Relaxed);
            return Draw::Taken;
        }
        not_taken(coin(self.seed.load(Ordering::Relaxed), number), self.step.load(Ordering::Relaxed))
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// It is mirrored.
    Taken,
    /// It is not, and its time is compared with the taken ones'.
    Timed,
    /// Neither.
    Out,
}

/// Time as many of those that are not taken as are taken: each with probability ratio / (1 - ratio), or all.
///
/// Uses the low half of a coin whose high half decided: the two are independent but for 2^-32.
fn not_taken(coin: u64, step: u64) -> Draw {
    let low = coin & u64::from(u32::MAX);
    if (low * (ONE - step.min(ONE))) >> FRACTION < step { Draw::Timed } else { Draw::Out }
}

/// True with probability part / whole.
fn chance(coin: u64, part: u64, whole: u64) -> bool {
    ((u128::from(coin) * u128::from(whole)) >> u64::BITS) < u128::from(part)
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
