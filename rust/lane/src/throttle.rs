//! What the worker asks of admission: a lower rate for a while, or a pause until a moment.
//!
//! Invariants: a throttle only ever lowers the configured rate; everything set here expires by itself, so that a worker
//! that died cannot leave a lane slow or silent for ever: a rate holds for [`RATE_LEASE_NS`] after it was last set, a
//! pause for at most [`PAUSE_MAX_NS`]. A moment further away than that is of another boot's clock, and means nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use shadowlane_base::Reason;

/// How long a rate holds. A worker that lives sets it again several times within this.
pub const RATE_LEASE_NS: u64 = 10_000_000_000;
/// The longest pause: longer ones are set again.
pub const PAUSE_MAX_NS: u64 = 3_600_000_000_000;

/// The words, part of the control file. All zero sets nothing.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub struct ThrottleLine {
    /// Units a second, as the bits of an `f64`.
    rate: AtomicU64,
    /// CLOCK_MONOTONIC in ns until which `rate` holds.
    rate_until: AtomicU64,
    /// CLOCK_MONOTONIC in ns until which nothing is admitted.
    paused_until: AtomicU64,
    /// Why, as the number of a [`Reason`].
    pause_reason: AtomicU64,
}

impl ThrottleLine {
    /// Set a rate, in units a second. One that is not above 0 removes it.
    pub fn set_rate(&self, rate: f64, now_ns: u64) {
        if rate > 0.0 {
            self.rate.store(rate.to_bits(), Ordering::Relaxed);
            self.rate_until.store(now_ns.saturating_add(RATE_LEASE_NS), Ordering::Relaxed);
        } else {
            self.rate_until.store(0, Ordering::Relaxed);
        }
    }

    /// The rate that was set, while it holds.
    pub fn rate_at(&self, now_ns: u64) -> Option<f64> {
        holds(self.rate_until.load(Ordering::Relaxed), now_ns, RATE_LEASE_NS)?;
        Some(f64::from_bits(self.rate.load(Ordering::Relaxed)))
    }

    /// Admit nothing for so long, at most [`PAUSE_MAX_NS`]; 0 ends a pause.
    pub fn set_pause(&self, for_ns: u64, reason: Reason, now_ns: u64) {
        self.pause_reason.store(reason as u64, Ordering::Relaxed);
        let until = if for_ns == 0 { 0 } else { now_ns.saturating_add(for_ns.min(PAUSE_MAX_NS)) };
        self.paused_until.store(until, Ordering::Relaxed);
    }

    /// Why nothing is admitted now, and for how many ns yet.
    pub fn paused_at(&self, now_ns: u64) -> Option<(Reason, u64)> {
        let left = holds(self.paused_until.load(Ordering::Relaxed), now_ns, PAUSE_MAX_NS)?;
        let reason = self.pause_reason.load(Ordering::Relaxed) as usize;
        Some((Reason::ALL.get(reason).copied().unwrap_or(Reason::ProviderLimit), left))
    }
}

fn holds(until: u64, now_ns: u64, longest: u64) -> Option<u64> {
    let left = until.saturating_sub(now_ns);
    (left > 0 && left <= longest).then_some(left)
}
