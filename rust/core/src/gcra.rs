//! The hard cap: GCRA (ITU-T I.371, annex A) on one atomic word that all processes of a lane share.
//!
//! Invariant: in any window of t seconds at most `rate * t + burst` units are given out, whatever the number of
//! threads and processes, through clock readings that go backwards or jump.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// A rate limiter in shared memory. All zero refuses everything.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct GcraCell {
    /// Theoretical arrival time of the next unit, ns.
    tat: AtomicU64,
    /// Units a second, as the bits of an `f64`.
    rate: AtomicU64,
    /// Units that may come at once.
    burst: AtomicU64,
}

impl GcraCell {
    /// A limiter that refuses everything until it is configured.
    pub fn new() -> Self {
        Self::default()
    }

    /// Set rate (units a second, above 0) and burst (at least 1). [`Error::Invalid`] otherwise.
    pub fn configure(&self, rate_per_s: f64, burst: u32) -> Result<()> {
        if burst == 0 {
            return Err(Error::Invalid { field: "burst", why: "0 lets nothing through; give at least 1".to_owned() });
        }
        self.set_rate(rate_per_s)?;
        self.burst.store(u64::from(burst), Ordering::Relaxed);
        Ok(())
    }

    /// Change the rate; what was given out stays given out.
    pub fn set_rate(&self, rate_per_s: f64) -> Result<()> {
        if !(rate_per_s > 0.0 && rate_per_s <= 1e9) {
            return Err(Error::Invalid {
                field: "rate",
                why: format!("{rate_per_s} is not above 0 and at most 1e9 units a second"),
            });
        }
        self.rate.store(rate_per_s.to_bits(), Ordering::Relaxed);
        Ok(())
    }

    /// Units a second; 0 when not configured.
    pub fn rate(&self) -> f64 {
        f64::from_bits(self.rate.load(Ordering::Relaxed))
    }

    /// Units that may come at once.
    pub fn burst(&self) -> u32 {
        u32::try_from(self.burst.load(Ordering::Relaxed)).unwrap_or(u32::MAX)
    }

    /// Take one unit at the given CLOCK_MONOTONIC time.
    pub fn try_acquire_at(&self, now_ns: u64) -> bool {
        self.try_acquire_n_at(1, now_ns)
    }

    /// Take `n` units at once, or none.
    pub fn try_acquire_n_at(&self, n: u32, now_ns: u64) -> bool {
        self.try_acquire_slowed_at(n, now_ns, self.rate())
    }

    /// Take `n` units at once, or none, at a rate that is lower than the configured one for now (a higher one counts
    /// as the configured one).
    ///
    /// The burst shrinks with the rate: what may be taken ahead stays the same in time, so that lowering the rate gives
    /// nothing out at once that the configured rate would not have given. What the whole burst allows at once passes
    /// all the same, alone, when its turn has come.
    pub fn try_acquire_slowed_at(&self, n: u32, now_ns: u64, rate: f64) -> bool {
        let Some(pace) = self.pace(rate) else {
            return false;
        };
        let cost = pace.interval.saturating_mul(u64::from(n));
        let alone = pace.interval.saturating_mul(u64::from(n.min(self.burst())));
        let tolerance = pace.depth.max(alone);
        let mut tat = self.tat.load(Ordering::Relaxed);
        loop {
            let next = tat.max(now_ns).saturating_add(cost);
            if next > now_ns.saturating_add(tolerance) {
                return false;
            }
            match self.tat.compare_exchange_weak(tat, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => tat = now,
            }
        }
    }

    /// Units that could be taken at once now.
    pub fn available_at(&self, now_ns: u64) -> f64 {
        self.available_slowed_at(now_ns, self.rate())
    }

    /// Units that could be taken at once at a moment, at a lower rate than the configured one.
    pub fn available_slowed_at(&self, at_ns: u64, rate: f64) -> f64 {
        let Some(pace) = self.pace(rate) else {
            return 0.0;
        };
        let ahead = self.tat.load(Ordering::Relaxed).saturating_sub(at_ns);
        pace.depth.max(pace.interval).saturating_sub(ahead) as f64 / pace.interval as f64
    }

    /// `None` when nothing may pass.
    fn pace(&self, rate: f64) -> Option<Pace> {
        let ceiling = self.rate();
        if ceiling <= 0.0 || rate.is_nan() || rate <= 0.0 {
            return None;
        }
        // Rounded up, so that rounding can only lower the rate.
        let interval = |rate: f64| (1e9 / rate).ceil() as u64;
        let depth = interval(ceiling).saturating_mul(self.burst.load(Ordering::Relaxed));
        Some(Pace { interval: interval(rate.min(ceiling)), depth })
    }
}

/// Time that a unit costs, and how far ahead of now units may be taken, in ns.
struct Pace {
    interval: u64,
    depth: u64,
}

/// CLOCK_MONOTONIC in ns: the same in all processes of a host, never set back, still during suspend. No system call.
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time` only.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
