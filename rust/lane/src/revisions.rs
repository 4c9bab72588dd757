//! The revisions of a lane's sampling: by what ratio and cap requests were chosen, and what was counted when that began.
//!
//! A ramp from 5 % to 50 % leaves counts of both behind; they say something only when each is held against its own ratio.
//! The counters themselves go on: a gateway that opens the lane with another setting writes down where they stood.
//!
//! Invariants: what is read of a revision was written by one process, whole (a seqlock on its number); equal settings
//! that follow each other are one revision, whoever opens the lane; the last [`KEPT`] revisions are kept.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::choice::Choice;
use crate::layout::REASON_SLOTS;

/// How many revisions are kept.
pub const KEPT: usize = 16;

/// How requests are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// By a coin or by a key.
    pub choice: Choice,
    /// The ratio.
    pub ratio: f64,
    /// The cap, units a second.
    pub qps: f64,
    /// Units that may come at once.
    pub burst: u32,
}

/// What was counted up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Requests that the sampler decided about.
    pub eligible: u64,
    /// Requests that it took.
    pub taken: u64,
    /// Requests not mirrored, by reason.
    pub dropped: [u64; REASON_SLOTS],
}

impl Counted {
    /// What was counted since another moment.
    #[must_use]
    pub fn since(mut self, earlier: &Self) -> Self {
        self.eligible = self.eligible.saturating_sub(earlier.eligible);
        self.taken = self.taken.saturating_sub(earlier.taken);
        for (count, before) in self.dropped.iter_mut().zip(&earlier.dropped) {
            *count = count.saturating_sub(*before);
        }
        self
    }
}

/// One revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Revision {
    /// From 1.
    pub number: u64,
    /// When it began, ns since the Unix epoch.
    pub since_ns: u64,
    /// How requests were chosen.
    pub setting: Setting,
    /// What was counted when it began; of [`Revisions::counted`]: in it.
    pub counted: Counted,
}

/// The table, part of the control file. All zero holds none.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub struct Revisions {
    /// The newest one's number.
    newest: AtomicU64,
    slots: [Slot; KEPT],
}

#[repr(C)]
#[derive(Debug, Default)]
struct Slot {
    /// Which revision stands here; 0 while it is written.
    number: AtomicU64,
    since_ns: AtomicU64,
    choice: AtomicU64,
    ratio: AtomicU64,
    qps: AtomicU64,
    burst: AtomicU64,
    eligible: AtomicU64,
    taken: AtomicU64,
    dropped: [AtomicU64; REASON_SLOTS],
}

impl Slot {
    fn write(&self, revision: &Revision) {
        self.number.store(0, Ordering::Relaxed);
        fence(Ordering::Release);
        let Revision { setting, counted, .. } = revision;
        self.since_ns.store(revision.since_ns, Ordering::Relaxed);
        self.choice.store(setting.choice as u64, Ordering::Relaxed);
        self.ratio.store(setting.ratio.to_bits(), Ordering::Relaxed);
        self.qps.store(setting.qps.to_bits(), Ordering::Relaxed);
        self.burst.store(u64::from(setting.burst), Ordering::Relaxed);
        self.eligible.store(counted.eligible, Ordering::Relaxed);
        self.taken.store(counted.taken, Ordering::Relaxed);
        for (word, count) in self.dropped.iter().zip(&counted.dropped) {
            word.store(*count, Ordering::Relaxed);
        }
        self.number.store(revision.number, Ordering::Release);
    }

    fn read(&self, number: u64) -> Option<Revision> {
        if self.number.load(Ordering::Acquire) != number {
            return None;
        }
        let word = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let mut dropped = [0; REASON_SLOTS];
        for (count, one) in dropped.iter_mut().zip(&self.dropped) {
            *count = word(one);
        }
        let revision = Revision {
            number,
            since_ns: word(&self.since_ns),
            setting: Setting {
                choice: Choice::of(word(&self.choice)),
                ratio: f64::from_bits(word(&self.ratio)),
                qps: f64::from_bits(word(&self.qps)),
                burst: u32::try_from(word(&self.burst)).unwrap_or(u32::MAX),
            },
            counted: Counted { eligible: word(&self.eligible), taken: word(&self.taken), dropped },
        };
        fence(Ordering::Acquire);
        (self.number.load(Ordering::Relaxed) == number).then_some(revision)
    }
}

impl Revisions {
    fn slot(&self, number: u64) -> Option<&Slot> {
        self.slots.get(number as usize % KEPT)
    }

    /// The newest one; `None` before the first, and while it is written.
    pub fn newest(&self) -> Option<Revision> {
        let number = self.newest.load(Ordering::Acquire);
        if number == 0 { None } else { self.slot(number)?.read(number) }
    }

    /// A setting is in force from now on: a new revision, unless it is the newest one's. `counted` reads the counters.
    ///
    /// Of several that begin the same setting at once one writes; the others wait for it, though not for ever.
    pub fn begin(&self, setting: Setting, now_ns: u64, counted: impl Fn() -> Counted) {
        const MOST_LOOKS: u32 = 1000;
        let mut looks = 0;
        loop {
            let number = self.newest.load(Ordering::Acquire);
            let newest = self.slot(number).filter(|_| number > 0).and_then(|slot| slot.read(number));
            if newest.is_some_and(|newest| newest.setting == setting) {
                return;
            }
            if number > 0 && newest.is_none() && looks < MOST_LOOKS {
                looks += 1;
                std::thread::yield_now();
                continue;
            }
            let next = number.wrapping_add(1).max(1);
            if self.newest.compare_exchange(number, next, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                // Before the first there is nothing to count.
                let counted = if number == 0 { Counted::default() } else { counted() };
                if let Some(slot) = self.slot(next) {
                    slot.write(&Revision { number: next, since_ns: now_ns, setting, counted });
                }
                return;
            }
        }
    }

    /// What was counted in each of the revisions that are kept, the oldest first; `now` is what is counted by now.
    pub fn counted(&self, now: Counted) -> Vec<Revision> {
        let newest = self.newest.load(Ordering::Acquire);
        let oldest = newest.saturating_sub(KEPT as u64 - 1).max(1);
        let mut kept: Vec<Revision> = (oldest..=newest).filter_map(|number| self.slot(number)?.read(number)).collect();
        let ends: Vec<Counted> = kept.iter().skip(1).map(|next| next.counted).chain([now]).collect();
        for (revision, end) in kept.iter_mut().zip(ends) {
            revision.counted = end.since(&revision.counted);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, KEPT, Revisions, Setting};
    use crate::choice::Choice;

    fn setting(ratio: f64, qps: f64) -> Setting {
        Setting { choice: Choice::Ratio, ratio, qps, burst: 20 }
    }

    fn counted(eligible: u64, taken: u64) -> Counted {
        Counted { eligible, taken, ..Counted::default() }
    }

    #[test]
    fn each_setting_has_its_own_counts() {
        let table = Revisions::default();
        assert!(table.newest().is_none() && table.counted(counted(5, 5)).is_empty());
        table.begin(setting(0.05, 20.0), 1, || counted(9, 9));
        table.begin(setting(0.05, 20.0), 2, || panic!("the same setting"));
        table.begin(setting(0.5, 20.0), 3, || counted(1000, 50));
        table.begin(setting(0.5, 200.0), 4, || counted(1400, 250));
        let kept = table.counted(counted(2400, 750));
        let seen: Vec<(u64, u64, f64, f64, u64, u64)> = kept
            .iter()
            .map(|one| {
                (one.number, one.since_ns, one.setting.ratio, one.setting.qps, one.counted.eligible, one.counted.taken)
            })
            .collect();
        assert_eq!(seen, [(1, 1, 0.05, 20.0, 1000, 50), (2, 3, 0.5, 20.0, 400, 200), (3, 4, 0.5, 200.0, 1000, 500)]);
    }

    #[test]
    fn the_last_ones_are_kept() {
        let table = Revisions::default();
        let all = 3 * KEPT as u64;
        for number in 1..=all {
            table.begin(setting(1.0 / number as f64, 20.0), number, || counted(10 * (number - 1), 0));
        }
        let kept = table.counted(counted(10 * all, 0));
        assert_eq!(kept.len(), KEPT);
        assert!(kept.iter().all(|one| one.counted.eligible == 10));
        assert_eq!(kept.last().map(|one| one.number), Some(all));
    }

    #[test]
    fn one_that_was_killed_while_it_wrote_stops_nobody() {
        let table = Revisions::default();
        table.begin(setting(0.1, 20.0), 1, || counted(0, 0));
        table.newest.store(2, std::sync::atomic::Ordering::SeqCst);
        table.begin(setting(0.2, 20.0), 3, || counted(100, 10));
        let kept = table.counted(counted(200, 30));
        let seen: Vec<(u64, u64)> = kept.iter().map(|one| (one.number, one.counted.eligible)).collect();
        assert_eq!(seen, [(1, 100), (3, 100)]);
    }

    #[test]
    fn those_that_begin_one_setting_at_once_begin_one_revision() {
        for _ in 0..50 {
            let table = Revisions::default();
            table.begin(setting(0.1, 20.0), 1, || counted(0, 0));
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| table.begin(setting(0.2, 20.0), 2, || counted(10, 1)));
                }
            });
            assert_eq!(table.counted(counted(20, 3)).len(), 2);
        }
    }
}
