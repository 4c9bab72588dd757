//! What the worker says to admission: never faster than configured, never for longer than it holds.
#![cfg(not(loom))]

use proptest::prelude::*;
use shadowlane_base::Reason;
use shadowlane_lane::gcra::GcraCell;
use shadowlane_lane::throttle::{PAUSE_MAX_NS, RATE_LEASE_NS, ThrottleLine};

const S: u64 = 1_000_000_000;

#[test]
fn a_rate_holds_for_its_lease_and_can_be_taken_back() {
    let line = ThrottleLine::default();
    assert_eq!(line.rate_at(S), None);
    line.set_rate(2.5, 100 * S);
    assert_eq!(line.rate_at(100 * S), Some(2.5));
    assert_eq!(line.rate_at(100 * S + RATE_LEASE_NS - 1), Some(2.5));
    assert_eq!(line.rate_at(100 * S + RATE_LEASE_NS), None);
    line.set_rate(2.5, 200 * S);
    line.set_rate(0.0, 200 * S);
    assert_eq!(line.rate_at(200 * S), None);
    line.set_rate(f64::NAN, 200 * S);
    assert_eq!(line.rate_at(200 * S), None);
}

#[test]
fn a_pause_ends_at_its_moment_at_the_latest_after_an_hour() {
    let line = ThrottleLine::default();
    assert_eq!(line.paused_at(5 * S), None);
    line.set_pause(3 * S, Reason::Budget, 5 * S);
    assert_eq!(line.paused_at(6 * S), Some((Reason::Budget, 2 * S)));
    assert_eq!(line.paused_at(8 * S), None);
    line.set_pause(u64::MAX, Reason::ProviderLimit, 5 * S);
    assert_eq!(line.paused_at(5 * S), Some((Reason::ProviderLimit, PAUSE_MAX_NS)));
    // Another boot's clock, that was further on: no pause lasts that long.
    assert_eq!(line.paused_at(4 * S), None);
    line.set_pause(0, Reason::ProviderLimit, 6 * S);
    assert_eq!(line.paused_at(6 * S), None);
}

#[test]
fn lowering_the_rate_gives_nothing_out_at_once() {
    let cell = GcraCell::new();
    cell.configure(50.0, 50).unwrap();
    let now = 1000 * S;
    assert_eq!((0..100).filter(|_| cell.try_acquire_at(now)).count(), 50);
    assert_eq!((0..100).filter(|_| cell.try_acquire_slowed_at(1, now, 5.0)).count(), 0);
    // A second later: what the lowered rate gives in a second.
    assert_eq!((0..100).filter(|_| cell.try_acquire_slowed_at(1, now + S, 5.0)).count(), 5);
    // What the whole burst allows at once still passes, alone.
    assert!(cell.try_acquire_slowed_at(50, now + 100 * S, 5.0));
    assert!(!cell.try_acquire_slowed_at(51, now + 1000 * S, 5.0));
    assert!(!cell.try_acquire_slowed_at(1, now + 1000 * S, f64::NAN));
}

proptest! {
    #[test]
    fn no_throttle_ever_lets_more_through_than_the_cap(
        rate in 0.5_f64..500.0, burst in 1_u32..50,
        steps in prop::collection::vec((0_u64..60_000_000, 0.01_f64..1000.0), 1..300),
    ) {
        let cell = GcraCell::new();
        cell.configure(rate, burst).unwrap();
        let mut now = S;
        let mut granted: Vec<u64> = Vec::new();
        for (gap, slowed) in steps {
            now += gap;
            prop_assert!(cell.available_slowed_at(now, slowed) <= f64::from(burst) + 1e-6);
            if cell.try_acquire_slowed_at(1, now, slowed) {
                granted.push(now);
            }
        }
        for (first, from) in granted.iter().enumerate() {
            for (last, to) in granted.iter().enumerate().skip(first) {
                let most = rate * (to - from) as f64 / 1e9 + f64::from(burst);
                prop_assert!((last - first + 1) as f64 <= most + 1e-6, "{} in {} ns", last - first + 1, to - from);
            }
        }
    }
}
