//! A fleet's share: nothing without it, and over any changes of it never more than its law.
#![cfg(not(loom))]

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use shadowlane_lane::gcra::monotonic_ns;
use shadowlane_lane::lease::{LOOK_AGAIN_NS, LeaseLine, Share, boottime_ns};

const S: u64 = 1_000_000_000;

fn share(rate: f64, burst: u32, until_ns: u64, number: u64, goes_on: bool) -> Share {
    Share { rate, burst, until_ns, number, epoch: 1, goes_on }
}

/// What can be taken at once at a moment of both clocks.
fn all(line: &LeaseLine, now: u64) -> u32 {
    (0..100_000).take_while(|_| line.take(1, now, None, || now)).count() as u32
}

#[test]
fn without_a_lease_nothing_is_given_out_and_after_its_end_neither() {
    let line = LeaseLine::default();
    assert!(!line.is_required());
    line.require(true);
    assert_eq!(all(&line, 50 * S), 0);
    assert_eq!(line.wait_ns(1, 50 * S, None, 50 * S), LOOK_AGAIN_NS);
    line.begin(&share(10.0, 5, 60 * S, 1, false), || 50 * S).unwrap();
    assert_eq!(all(&line, 50 * S), 0, "a new share begins empty");
    assert_eq!(line.wait_ns(1, 50 * S, None, 50 * S), S / 10);
    assert_eq!(all(&line, 50 * S + S / 2), 5);
    assert_eq!(all(&line, 60 * S - 1), 5);
    line.begin(&share(10.0, 5, 70 * S, 2, true), || 60 * S).unwrap();
    assert!(line.take(1, 65 * S, None, || 65 * S));
    assert!(!line.take(1, 65 * S, None, || 70 * S), "it ended while the unit was taken");
    assert!(!line.take(1, 70 * S, None, || 70 * S));
    assert_eq!((line.rate_at(70 * S), line.available_at(70 * S, None, 70 * S)), (0.0, 0.0));
    line.begin(&share(10.0, 5, 90 * S, 3, true), || 75 * S).unwrap();
    line.end();
    assert_eq!(all(&line, 80 * S), 0, "given back");
    line.begin(&share(0.0, 0, 190 * S, 4, true), || 80 * S).unwrap();
    assert_eq!(all(&line, 85 * S), 0, "a share of nothing");
    line.begin(&share(10.0, 5, 190 * S, 5, true), || 90 * S).unwrap();
    assert_eq!(all(&line, 90 * S), 0, "which had saved nothing up");
    assert!(line.begin(&share(0.0, 1, 190 * S, 6, true), || 90 * S).is_err());
}

#[test]
fn what_a_larger_share_holds_comes_by_its_rate() {
    let line = LeaseLine::default();
    line.require(true);
    line.begin(&share(1.0, 10, 1000 * S, 1, false), || 0).unwrap();
    assert_eq!(all(&line, 4 * S), 4);
    line.begin(&share(100.0, 1000, 1000 * S, 2, true), || 4 * S).unwrap();
    assert_eq!(all(&line, 4 * S), 0);
    assert_eq!(all(&line, 5 * S), 100);
    assert!((line.available_at(6 * S, None, 6 * S) - 100.0).abs() < 1e-6);
    line.begin(&share(1.0, 10, 1000 * S, 3, true), || 6 * S).unwrap();
    assert_eq!(all(&line, 6 * S), 10, "what is over the smaller burst is lost");
    line.begin(&share(1.0, 10, 1000 * S, 4, false), || 100 * S).unwrap();
    assert_eq!(all(&line, 100 * S), 0, "the fleet had ended it: others may have had it");
}

#[test]
fn a_provider_that_asks_for_less_gets_less_of_the_share() {
    let line = LeaseLine::default();
    line.require(true);
    line.begin(&share(10.0, 10, 1000 * S, 1, false), || 0).unwrap();
    let given = (0..100).filter(|step| line.take(1, S + step * S / 10, Some(1.0), || S)).count();
    assert!((10..=12).contains(&given), "{given}");
}

#[test]
fn a_worker_that_comes_after_one_goes_on_with_its_lease() {
    let line = LeaseLine::default();
    line.require(true);
    line.begin(&share(10.0, 5, 60 * S, 7, false), || 0).unwrap();
    line.require(true);
    assert_eq!((line.state(10 * S).number, line.state(10 * S).left_ns), (7, 50 * S), "of this one it goes on");
}

proptest! {
    /// At any sequence of changes, takes and moments: in every window the units given out are at most the largest burst of
    /// the shares in it, and each share's rate for its time.
    #[test]
    fn no_change_gives_out_what_was_not_there(
        steps in prop::collection::vec((0_u64..3 * S, prop::option::of((1_u32..50, 1_u32..20, any::<bool>())), 0_u32..20), 1..80)
    ) {
        let line = LeaseLine::default();
        line.require(true);
        let mut now = 1000 * S;
        // A bound that a leaky bucket keeps: what could be there now. It fills by the rate up to the burst, and is cut by a
        // smaller burst.
        let (mut level, mut rate, mut burst) = (0.0_f64, 0.0_f64, 0.0_f64);
        for (number, (passed, change, wanted)) in steps.into_iter().enumerate() {
            now += passed;
            level = (level + rate * passed as f64 / 1e9).min(burst);
            if let Some((new_rate, new_burst, goes_on)) = change {
                line.begin(&share(f64::from(new_rate), new_burst, u64::MAX, number as u64, goes_on), || now).unwrap();
                (rate, burst) = (f64::from(new_rate), f64::from(new_burst));
                level = if goes_on { level.min(burst) } else { 0.0 };
            }
            for _ in 0..wanted {
                if line.take(1, now, None, || now) {
                    level -= 1.0;
                }
            }
            prop_assert!(level > -1e-6, "{level} at {now}");
        }
    }
}

#[test]
fn takers_that_overlap_changes_take_no_more_than_the_shares_gave() {
    let line = Arc::new(LeaseLine::default());
    line.require(true);
    let (began, stop) = (monotonic_ns(), Arc::new(AtomicBool::new(false)));
    line.begin(&share(2000.0, 50, u64::MAX, 1, false), monotonic_ns).unwrap();
    let takers: Vec<_> = (0..3)
        .map(|_| {
            let (line, stop) = (Arc::clone(&line), Arc::clone(&stop));
            std::thread::spawn(move || {
                let taken = Cell::new(0_u64);
                while !stop.load(Ordering::Relaxed) {
                    if line.take(1, monotonic_ns(), None, boottime_ns) {
                        taken.set(taken.get() + 1);
                    }
                }
                taken.get()
            })
        })
        .collect();
    // None of the shares is of more than 2000 a second.
    for number in 2..4000_u64 {
        let rate = if number.is_multiple_of(3) { 1000.0 } else { 2000.0 };
        line.begin(&share(rate, 50, u64::MAX, number, !number.is_multiple_of(7)), monotonic_ns).unwrap();
        std::thread::yield_now();
    }
    stop.store(true, Ordering::Relaxed);
    let taken: u64 = takers.into_iter().map(|taker| taker.join().unwrap()).sum();
    let most = 2000.0 * (monotonic_ns() - began) as f64 / 1e9 + 50.0;
    assert!(taken as f64 <= most, "{taken} of {most}");
}
