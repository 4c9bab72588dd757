//! The hard cap: GCRA (ITU-T I.371, annex A) on one atomic word that all processes of a lane share.
//!
//! Invariant: in any window of t seconds at most `rate * t + burst` units are given out, whatever the number of
//! threads and processes, through clock readings that go backwards or jump.

use std::sync::atomic::{AtomicU64, Ordering};

use shadowlane_base::{Error, Result};

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

    /// Set rate (units a second, above 0) and burst (at least 1) where nothing was given out yet. [`Error::Invalid`]
    /// otherwise.
    pub fn configure(&self, rate_per_s: f64, burst: u32) -> Result<()> {
        Quota::new(rate_per_s, burst)?;
        self.rate.store(rate_per_s.to_bits(), Ordering::Relaxed);
        self.burst.store(u64::from(burst), Ordering::Relaxed);
        Ok(())
    }

    /// Change rate and burst; what was given out stays given out, unit by unit. `now_ns` reads the clock.
    ///
    /// The cell keeps its debt as a time, and the same units are another time at another rate: without this, lowering
    /// the rate would give out a new burst. A thread that takes units at this very moment may still pay the old price.
    /// A debt that no burst explains is of another boot's clock, and becomes that of a whole burst.
    pub fn change(&self, rate_per_s: f64, burst: u32, now_ns: impl Fn() -> u64) -> Result<()> {
        let new = Quota::new(rate_per_s, burst)?;
        if let Some(old) = self.quota().filter(|old| old.interval_ns < new.interval_ns) {
            self.settle(&now_ns, |debt| {
                let scaled = u128::from(debt) * u128::from(new.interval_ns) / u128::from(old.interval_ns.max(1));
                u64::try_from(scaled).unwrap_or(u64::MAX)
            });
        }
        self.configure(rate_per_s, burst)?;
        self.settle(&now_ns, |debt| debt.min(new.tolerance_ns));
        Ok(())
    }

    /// Change the debt. The clock is read after the word, and the word written only if nothing was taken since.
    fn settle(&self, now_ns: impl Fn() -> u64, becomes: impl Fn(u64) -> u64) {
        let mut tat = self.tat.load(Ordering::Acquire);
        loop {
            let now = now_ns();
            let debt = tat.saturating_sub(now);
            let settled = becomes(debt);
            if debt == settled {
                return;
            }
            match self.tat.compare_exchange_weak(tat, now.saturating_add(settled), Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(newer) => tat = newer,
            }
        }
    }

    fn quota(&self) -> Option<Quota> {
        Quota::new(self.rate(), self.burst()).ok()
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
        self.quota().is_some_and(|quota| quota.try_take(&self.tat, n, now_ns))
    }

    /// Take `n` units at once, or none, at a rate that is lower than the configured one for now, see [`Quota::slowed`].
    pub fn try_acquire_slowed_at(&self, n: u32, now_ns: u64, rate_per_s: f64) -> bool {
        self.slowed(n, rate_per_s).is_some_and(|quota| quota.try_take(&self.tat, n, now_ns))
    }

    /// As [`Self::wait_ns_at`], at a lower rate.
    pub fn wait_ns_slowed_at(&self, n: u32, now_ns: u64, rate_per_s: f64) -> Option<u64> {
        self.slowed(n, rate_per_s)?.wait_ns(&self.tat, n, now_ns)
    }

    fn slowed(&self, n: u32, rate_per_s: f64) -> Option<Quota> {
        self.quota()?.slowed(n, rate_per_s)
    }

    /// How long until `n` units could be taken, in ns; `None` when they never can, being more than the burst.
    pub fn wait_ns_at(&self, n: u32, now_ns: u64) -> Option<u64> {
        self.quota()?.wait_ns(&self.tat, n, now_ns)
    }

    /// Units that could be taken at once now.
    pub fn available_at(&self, now_ns: u64) -> f64 {
        self.available_slowed_at(now_ns, self.rate())
    }

    /// Units that could be taken at once at a moment, at a lower rate than the configured one.
    pub fn available_slowed_at(&self, at_ns: u64, rate_per_s: f64) -> f64 {
        let Some(quota) = self.slowed(1, rate_per_s) else {
            return 0.0;
        };
        let ahead = self.tat.load(Ordering::Relaxed).saturating_sub(at_ns);
        quota.tolerance_ns.saturating_sub(ahead) as f64 / quota.interval_ns as f64
    }
}

/// A rate and a burst, as the times that GCRA adds up.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    interval_ns: u64,
    tolerance_ns: u64,
}

impl Quota {
    /// From a rate (units a second, above 0, at most 1e9) and a burst (at least 1). [`Error::Invalid`] otherwise.
    pub fn new(rate_per_s: f64, burst: u32) -> Result<Self> {
        if burst == 0 {
            return Err(Error::Invalid { field: "burst", why: "0 lets nothing through; give at least 1".to_owned() });
        }
        if !(rate_per_s > 0.0 && rate_per_s <= 1e9) {
            return Err(Error::Invalid {
                field: "rate",
                why: format!("{rate_per_s} is not above 0 and at most 1e9 units a second"),
            });
        }
        // Rounded up, so that rounding can only lower the rate.
        let interval_ns = (1e9 / rate_per_s).ceil() as u64;
        Ok(Self { interval_ns, tolerance_ns: interval_ns.saturating_mul(u64::from(burst)) })
    }

    /// The same at a rate that is lower for now; a higher one counts as the configured one. `None` when it is not above 0.
    ///
    /// The burst shrinks with the rate: what may be taken ahead stays the same in time, so that lowering the rate gives
    /// nothing out at once that the configured rate would not have given. `n` units that the burst allows at once still
    /// pass, alone, when their turn has come.
    pub(crate) fn slowed(self, n: u32, rate_per_s: f64) -> Option<Self> {
        if rate_per_s.is_nan() || rate_per_s <= 0.0 {
            return None;
        }
        let units = u64::from(n);
        let interval_ns = ((1e9 / rate_per_s).ceil() as u64).max(self.interval_ns);
        let allowed = self.interval_ns.saturating_mul(units) <= self.tolerance_ns;
        let alone = if allowed { interval_ns.saturating_mul(units) } else { 0 };
        Some(Self { interval_ns, tolerance_ns: self.tolerance_ns.max(alone) })
    }

    /// Units that could be taken at once at a moment, from a theoretical arrival time (ns); below 0 when more was taken ahead
    /// than the burst.
    pub(crate) fn saved(self, tat: u64, now_ns: u64) -> f64 {
        let ahead = tat.saturating_sub(now_ns) as f64;
        (self.tolerance_ns as f64 - ahead) / self.interval_ns as f64
    }

    /// The theoretical arrival time at which `saved` units, and no more than the burst, could be taken at once.
    pub(crate) fn arrival_with(self, saved: f64, now_ns: u64) -> u64 {
        let debt = self.tolerance_ns as f64 - saved * self.interval_ns as f64;
        now_ns.saturating_add(debt.max(0.0).ceil() as u64)
    }

    /// Take `n` units at once, or none, from a theoretical arrival time (ns).
    pub fn try_take(self, tat: &AtomicU64, n: u32, now_ns: u64) -> bool {
        let cost = self.interval_ns.saturating_mul(u64::from(n));
        let latest = now_ns.saturating_add(self.tolerance_ns);
        let mut seen = tat.load(Ordering::Relaxed);
        loop {
            let next = seen.max(now_ns).saturating_add(cost);
            if next > latest {
                return false;
            }
            // What this thread did before, such as coming to share the word, is seen by whoever sees the charge.
            match tat.compare_exchange_weak(seen, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(newer) => seen = newer,
            }
        }
    }

    /// A debt above one burst is that of a slower rate, or of another boot's clock: it becomes that of one burst. Unless it
    /// may be somebody else's, which `is_shared` says after the debt was read.
    pub fn forget_what_no_burst_explains(self, tat: &AtomicU64, now_ns: u64, is_shared: impl Fn() -> bool) {
        let most = now_ns.saturating_add(self.tolerance_ns);
        let seen = tat.load(Ordering::Acquire);
        if seen > most && !is_shared() {
            // What was taken since stays.
            let _ = tat.compare_exchange(seen, most, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// How long until `n` units could be taken, in ns; `None` when they are more than the burst.
    pub fn wait_ns(self, tat: &AtomicU64, n: u32, now_ns: u64) -> Option<u64> {
        let cost = self.interval_ns.saturating_mul(u64::from(n));
        let ahead = tat.load(Ordering::Relaxed).saturating_sub(now_ns);
        (cost <= self.tolerance_ns).then(|| ahead.saturating_add(cost).saturating_sub(self.tolerance_ns))
    }
}

/// CLOCK_MONOTONIC in ns: the same in all processes of a host, never set back, still during suspend. No system call.
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time` only.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
