//! The lane's share of a cap that several hosts share: a lease, see `python/shadowlane/fleet`.
//!
//! Invariants: where a lease is required nothing is given out without one, nor after its end; in any window of t seconds at
//! most `rate * t + burst` units are given out, and a change of the lease gives no unit out that was not there before it:
//! what a larger share may hold at once comes by its rate. A taker that overlaps a change takes nothing. A worker that dies
//! in the middle of a change leaves a lease that gives nothing out.
//!
//! The end is a time of CLOCK_BOOTTIME, which goes on while the machine is suspended: others may have the share by then.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::gcra::Quota;
use shadowlane_base::Result;

/// How long who waits for a unit should wait before it looks again, while there is no lease or the share is too small, ns.
pub const LOOK_AGAIN_NS: u64 = 250_000_000;

/// The words, part of the control file. All zero requires no lease.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub struct LeaseLine {
    /// 1: nothing is given out without a lease.
    required: AtomicU64,
    /// 1: mirroring is off on all hosts.
    off: AtomicU64,
    /// Odd while the words below change.
    generation: AtomicU64,
    /// Theoretical arrival time of the next unit, CLOCK_MONOTONIC in ns; `u64::MAX` gives nothing out.
    tat: AtomicU64,
    /// Units a second, as the bits of an `f64`.
    rate: AtomicU64,
    /// Units that may come at once.
    burst: AtomicU64,
    /// CLOCK_BOOTTIME in ns.
    until: AtomicU64,
    /// Which lease it is, for whoever goes on with it.
    number: AtomicU64,
    /// Of which life of the fleet's record it is.
    epoch: AtomicU64,
    /// Of which boot its times are.
    boot: AtomicU64,
    /// Units that were asked for, given out or not.
    wanted: AtomicU64,
}

/// A share, as the fleet granted it.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Units a second.
    pub rate: f64,
    /// Units that may come at once.
    pub burst: u32,
    /// CLOCK_BOOTTIME in ns until which it holds.
    pub until_ns: u64,
    /// Number and epoch of the lease.
    pub number: u64,
    /// See `number`.
    pub epoch: u64,
    /// Whether the one before it has never ended for the fleet: then what was saved up stays.
    pub goes_on: bool,
}

/// What a lease says now.
#[derive(Clone, Copy, Debug)]
pub struct LeaseState {
    /// Whether nothing is given out without one.
    pub required: bool,
    /// Whether mirroring is off on all hosts.
    pub off: bool,
    /// Number and epoch; 0 when there was none in this boot.
    pub number: u64,
    /// See `number`.
    pub epoch: u64,
    /// Units a second.
    pub rate: f64,
    /// Units that may come at once.
    pub burst: u32,
    /// How long it holds yet, ns; 0: it has ended.
    pub left_ns: u64,
    /// Units that were asked for.
    pub wanted: u64,
}

impl LeaseLine {
    /// Say whether a lease is required. One of another boot is none.
    pub fn require(&self, required: bool) {
        let boot = boot();
        if self.boot.swap(boot, Ordering::AcqRel) != boot {
            self.until.store(0, Ordering::Release);
            self.number.store(0, Ordering::Relaxed);
        }
        self.required.store(u64::from(required), Ordering::Release);
    }

    /// Whether nothing is given out without a lease.
    pub fn is_required(&self) -> bool {
        self.required.load(Ordering::Relaxed) != 0
    }

    /// Switch mirroring off, or on again, because the fleet says so.
    pub fn set_off(&self, off: bool) {
        self.off.store(u64::from(off), Ordering::Relaxed);
    }

    /// Whether the fleet has switched mirroring off.
    pub fn is_off(&self) -> bool {
        self.off.load(Ordering::Relaxed) != 0
    }

    /// Begin a share, or go on with one. Only the lane's worker calls it. `now_ns` reads CLOCK_MONOTONIC.
    ///
    /// A burst of 0 is a share of nothing, for a host whose turn it is not. [`shadowlane_base::Error::Invalid`] for a rate
    /// that is none.
    pub fn begin(&self, share: &Share, now_ns: impl Fn() -> u64) -> Result<()> {
        let new = if share.burst == 0 { None } else { Some(Quota::new(share.rate, share.burst)?) };
        let (rate, burst) = (share.rate.to_bits(), u64::from(share.burst));
        let whole = self.generation.load(Ordering::Acquire).is_multiple_of(2);
        let same = rate == self.rate.load(Ordering::Relaxed) && burst == self.burst.load(Ordering::Relaxed);
        if whole && same && share.goes_on {
            self.name(share);
            self.until.store(share.until_ns, Ordering::Release);
            return Ok(());
        }
        // From here on whoever takes sees another generation than before, or no unit.
        self.generation.fetch_or(1, Ordering::AcqRel);
        let tat = self.tat.swap(u64::MAX, Ordering::AcqRel);
        let now = now_ns();
        let saved = match self.quota() {
            Some(old) if share.goes_on && whole => old.saved(tat, now),
            _ => 0.0,
        };
        self.rate.store(rate, Ordering::Relaxed);
        self.burst.store(burst, Ordering::Relaxed);
        self.name(share);
        self.until.store(share.until_ns, Ordering::Release);
        self.tat.store(new.map_or(u64::MAX, |new| new.arrival_with(saved, now)), Ordering::Release);
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn name(&self, share: &Share) {
        self.number.store(share.number, Ordering::Relaxed);
        self.epoch.store(share.epoch, Ordering::Relaxed);
    }

    /// End the share now: it gives nothing out any more, so that others may have it.
    pub fn end(&self) {
        self.until.store(0, Ordering::Release);
        self.generation.fetch_add(2, Ordering::AcqRel);
    }

    fn quota(&self) -> Option<Quota> {
        let burst = u32::try_from(self.burst.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        Quota::new(f64::from_bits(self.rate.load(Ordering::Relaxed)), burst).ok()
    }

    /// The rate of the share, units a second; 0 without a lease.
    pub fn rate_at(&self, boot_ns: u64) -> f64 {
        if self.until.load(Ordering::Acquire) > boot_ns {
            f64::from_bits(self.rate.load(Ordering::Relaxed))
        } else {
            0.0
        }
    }

    /// Count units that a request would take, whether there are any or not: by this the fleet is divided.
    pub fn want(&self, n: u32) {
        self.wanted.fetch_add(u64::from(n), Ordering::Relaxed);
    }

    /// Take `n` units, or none, at a rate that is the lease's or, where that is given, lower. `boot_ns` reads CLOCK_BOOTTIME.
    pub fn take(&self, n: u32, now_ns: u64, slowed: Option<f64>, boot_ns: impl Fn() -> u64) -> bool {
        let generation = self.generation.load(Ordering::Acquire);
        let Some(quota) = self.quota_for(n, slowed) else { return false };
        if !generation.is_multiple_of(2) || !quota.try_take(&self.tat, n, now_ns) {
            return false;
        }
        // Who has read the word that a change wrote last sees that there was one.
        fence(Ordering::Acquire);
        // Asked after the unit was taken: a taker that was stopped in between may have taken one of a share that is not
        // this lane's any more, or at another share's price. The unit is lost then, which can only let fewer through.
        self.until.load(Ordering::Acquire) > boot_ns() && self.generation.load(Ordering::Acquire) == generation
    }

    fn quota_for(&self, n: u32, slowed: Option<f64>) -> Option<Quota> {
        let quota = self.quota()?;
        slowed.map_or(Some(quota), |rate| quota.slowed(n, rate))
    }

    /// How long until `n` units could be taken, in ns; [`LOOK_AGAIN_NS`] while only another lease could give them.
    pub fn wait_ns(&self, n: u32, now_ns: u64, slowed: Option<f64>, boot_ns: u64) -> u64 {
        let held = self.until.load(Ordering::Acquire) > boot_ns && self.tat.load(Ordering::Relaxed) != u64::MAX;
        let quota = self.quota_for(n, slowed).filter(|_| held);
        quota.and_then(|quota| quota.wait_ns(&self.tat, n, now_ns)).unwrap_or(LOOK_AGAIN_NS)
    }

    /// Units that could be taken at once at a moment.
    pub fn available_at(&self, at_ns: u64, slowed: Option<f64>, boot_ns: u64) -> f64 {
        let held = self.until.load(Ordering::Acquire) > boot_ns;
        let quota = self.quota_for(1, slowed).filter(|_| held);
        quota.map_or(0.0, |quota| quota.saved(self.tat.load(Ordering::Relaxed), at_ns).max(0.0))
    }

    /// All of it.
    pub fn state(&self, boot_ns: u64) -> LeaseState {
        LeaseState {
            required: self.is_required(),
            off: self.is_off(),
            number: self.number.load(Ordering::Relaxed),
            epoch: self.epoch.load(Ordering::Relaxed),
            rate: f64::from_bits(self.rate.load(Ordering::Relaxed)),
            burst: u32::try_from(self.burst.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
            left_ns: self.until.load(Ordering::Acquire).saturating_sub(boot_ns),
            wanted: self.wanted.load(Ordering::Relaxed),
        }
    }
}

/// CLOCK_BOOTTIME in ns: as CLOCK_MONOTONIC, and goes on during suspend. No system call where the vDSO has it.
pub fn boottime_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time` only.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// A number for this boot of the machine, never 0. Where the kernel does not say, every lane that is opened is of a boot of
/// its own: then a lease does not outlive the worker that has it.
fn boot() -> u64 {
    std::fs::read("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| crate::process::random_u64(), |id| xxhash_rust::xxh3::xxh3_64_with_seed(&id, 0))
        .max(1)
}
