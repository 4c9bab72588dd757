//! Laws of the samplers: the exact share, the same chance at every position, the trial's other group, sticky samples.
#![cfg(not(loom))]

use proptest::prelude::*;
use shadowlane_lane::sampler::{Draw, RatioCell, sticky_take};

fn sampler(ratio: f64, seed: u64) -> RatioCell {
    let cell = RatioCell::new();
    cell.configure(ratio, seed).unwrap();
    cell
}

/// Any ratio in (0, 1]: even, tiny, and the plain fractions that people configure.
fn ratios() -> impl Strategy<Value = f64> {
    prop_oneof![
        1e-9_f64..=1.0,
        (-30.0_f64..0.0).prop_map(f64::exp2),
        (1_u32..=64, 1_u32..=64).prop_map(|(a, b)| f64::from(a.min(b)) / f64::from(a.max(b))),
    ]
}

/// How many standard deviations a count is from its expectation.
fn sigmas(count: u64, n: u64, chance: f64) -> f64 {
    let (n, count) = (n as f64, count as f64);
    (count - n * chance) / (n * chance * (1.0 - chance)).sqrt().max(1e-9)
}

proptest! {
    #[test]
    fn every_prefix_is_within_one_through_changes_of_the_ratio(
        steps in prop::collection::vec((ratios(), 1_usize..400), 1..8), seed in any::<u64>(),
    ) {
        let cell = sampler(1.0, seed);
        let (mut taken, mut wanted) = (0_u64, 0.0);
        for (ratio, count) in steps {
            cell.set_ratio(ratio).unwrap();
            for _ in 0..count {
                taken += u64::from(cell.take());
                wanted += ratio;
                prop_assert!((taken as f64 - wanted).abs() <= 1.0 + 1e-6, "{taken} against {wanted}");
            }
        }
        prop_assert_eq!(cell.taken(), taken);
    }

    #[test]
    fn one_takes_all_and_zero_none(seed in any::<u64>(), n in 1_u64..500) {
        prop_assert_eq!((0..n).filter(|_| sampler(1.0, seed).take()).count() as u64, n);
        let (all, none) = (sampler(1.0, seed), sampler(0.0, seed));
        prop_assert!((0..n).all(|_| all.draw() == Draw::Taken));
        prop_assert!((0..n).all(|_| none.draw() == Draw::Out));
    }

    #[test]
    fn a_larger_sticky_sample_holds_the_smaller_one(
        key in prop::collection::vec(any::<u8>(), 0..20), salt in prop::collection::vec(any::<u8>(), 0..9),
        low in 0.0_f64..1.0, more in 0.0_f64..1.0,
    ) {
        let high = low + (1.0 - low) * more;
        prop_assert!(!sticky_take(low, &salt, &key) || sticky_take(high, &salt, &key));
    }
}

#[test]
fn no_period_up_to_64_meets_a_pattern() {
    // The requests at one position of a period are taken with the ratio as their share, whatever period and position.
    // 6 sigma: once in 5e8, and there are 6240 counts. With equal chances inside a stratum, which sounds right and is
    // not, the positions of period 4 get 1/2, 1/2, 1 and 1 at a ratio of 3/4.
    for period in 1..=64_u64 {
        let rounds = (24_000 / period).max(1_500);
        for ratio in [1.0 / period as f64, (0.75 * period as f64).ceil() / period as f64, 0.3] {
            let cell = sampler(ratio, 31 * period);
            let mut counts = vec![0_u64; period as usize];
            for number in 0..rounds * period {
                counts[(number % period) as usize] += u64::from(cell.take());
            }
            for (position, count) in counts.iter().enumerate() {
                let off = sigmas(*count, rounds, ratio.min(1.0));
                assert!(off.abs() < 6.0, "period {period}, ratio {ratio}, position {position}: {count}, {off} sigma");
            }
        }
    }
}

#[test]
fn each_place_of_a_round_of_strata_is_equally_likely() {
    // Ten requests a round at 3/10. The sampler spreads its choices, so counts vary less than independent ones would,
    // and their chi-square stays under the independent bound: 27.9 with 9 degrees of freedom, once in a thousand.
    let (mut counts, mut timed) = ([0_u64; 10], [0_u64; 10]);
    let cell = sampler(0.3, 5);
    for _ in 0..40_000 {
        for position in 0..10 {
            match cell.draw() {
                Draw::Taken => counts[position] += 1,
                Draw::Timed => timed[position] += 1,
                Draw::Out => {}
            }
        }
    }
    for counts in [counts, timed] {
        let chi: f64 = counts.iter().map(|count| (*count as f64 - 12_000.0).powi(2) / 12_000.0).sum();
        assert!(chi < 27.9, "{chi} {counts:?}");
    }
}

#[test]
fn the_timed_group_is_as_large_as_the_taken_one_while_there_are_enough() {
    for (ratio, share) in [(0.01, 0.01), (0.05, 0.05), (0.3, 0.3), (0.5, 0.5), (0.8, 0.2)] {
        let cell = sampler(ratio, 77);
        let n = 200_000;
        let timed = (0..n).filter(|_| cell.draw() == Draw::Timed).count() as u64;
        assert!(sigmas(timed, n, share).abs() < 6.0, "{ratio}: {timed} of {n}");
        // By key: the same rule, over the requests that the key left out.
        let keyed = sampler(ratio, 78);
        let timed = (0..n).filter(|number| keyed.note(number % 10 == 0) == Draw::Timed).count() as u64;
        let chance = (ratio / (1.0 - ratio)).min(1.0);
        let off = if chance < 1.0 { sigmas(timed, n / 10 * 9, chance) } else { timed as f64 - n as f64 * 0.9 };
        assert!(off.abs() < 6.0, "{ratio}: {timed}");
        assert_eq!((keyed.eligible(), keyed.taken()), (n, n / 10));
    }
}

#[test]
fn sticky_is_uniform_over_keys_and_salts_draw_for_themselves() {
    // Plain numbers, names with one changing letter, long common prefixes: what keys look like.
    let keys: Vec<Vec<u8>> = (0..20_000_u32)
        .flat_map(|n| [n.to_string().into_bytes(), format!("user-{n:08}").into_bytes(), n.to_le_bytes().to_vec()])
        .collect();
    let n = keys.len() as u64;
    let taken = |ratio, salt: &[u8]| -> Vec<bool> { keys.iter().map(|key| sticky_take(ratio, salt, key)).collect() };
    for ratio in [0.001, 0.05, 0.25, 0.5, 0.9] {
        let a = taken(ratio, b"a");
        let count = a.iter().filter(|in_it| **in_it).count() as u64;
        assert!(sigmas(count, n, ratio).abs() < 5.0, "{ratio}: {count}");
        let both = a.iter().zip(taken(ratio, b"b")).filter(|(a, b)| **a && *b).count() as u64;
        assert!(sigmas(both, n, ratio * ratio).abs() < 5.0, "{ratio}: {both} in both samples");
        assert_eq!(a, taken(ratio, b"a"));
    }
    // The hash's 16 sixteenths are equally full. 15 degrees of freedom: above 37.7 once in a thousand.
    let mut before = 0;
    let mut chi = 0.0;
    for sixteenth in 1..=16 {
        let count = taken(f64::from(sixteenth) / 16.0, b"a").iter().filter(|in_it| **in_it).count();
        let expected = n as f64 / 16.0;
        chi += ((count - before) as f64 - expected).powi(2) / expected;
        before = count;
    }
    assert!(chi < 37.7, "{chi}");
}
