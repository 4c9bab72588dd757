//! Inclusion probabilities of the reservoirs, by chi-square with fixed seeds.
#![cfg(not(loom))]

use shadowlane_lane::reservoir::{Reservoir, WeightedReservoir};

/// Counts of how often each of `n` items was kept over many runs.
fn chi_square(counts: &[u64], expected: &[f64]) -> f64 {
    counts.iter().zip(expected).map(|(count, want)| (*count as f64 - want).powi(2) / want).sum()
}

#[test]
fn each_item_is_kept_equally_often() {
    let mut counts = [0_u64; 30];
    for seed in 0..30_000 {
        let mut reservoir = Reservoir::new(5, seed).unwrap();
        for item in 0..30_usize {
            reservoir.offer(item);
        }
        assert_eq!((reservoir.items().len(), reservoir.seen()), (5, 30));
        for item in reservoir.items() {
            counts[*item] += 1;
        }
    }
    // 29 degrees of freedom: above 58.3 once in a thousand.
    let chi = chi_square(&counts, &[5_000.0; 30]);
    assert!(chi < 58.3, "{chi} {counts:?}");
}

#[test]
fn a_merged_reservoir_is_a_sample_of_both_streams_and_goes_on() {
    let mut counts = [0_u64; 30];
    for seed in 0..30_000 {
        let mut left = Reservoir::new(4, 2 * seed).unwrap();
        let mut right = Reservoir::new(4, 2 * seed + 1).unwrap();
        (0..6_usize).for_each(|item| {
            let _ = left.offer(item);
        });
        (6..20_usize).for_each(|item| {
            let _ = right.offer(item);
        });
        let mut merged = left.merge(right);
        (20..30_usize).for_each(|item| {
            let _ = merged.offer(item);
        });
        assert_eq!((merged.items().len(), merged.seen()), (4, 30));
        for item in merged.items() {
            counts[*item] += 1;
        }
    }
    let chi = chi_square(&counts, &[4_000.0; 30]);
    assert!(chi < 58.3, "{chi} {counts:?}");
}

#[test]
fn what_does_not_stay_comes_back() {
    let mut reservoir = Reservoir::new(3, 9).unwrap();
    let mut back: Vec<u32> = (0..100).filter_map(|item| reservoir.offer(item)).collect();
    back.extend(reservoir.items());
    back.sort_unstable();
    assert_eq!(back, (0..100).collect::<Vec<_>>());
    assert!(Reservoir::<u8>::new(0, 1).is_err());
}

#[test]
fn the_first_of_a_weighted_sample_follows_the_weights() {
    // With k = 1 an item is kept with probability weight / sum, exactly.
    let weights = [1.0, 2.0, 3.0, 4.0, 10.0];
    let mut counts = [0_u64; 5];
    for seed in 0..40_000 {
        let mut reservoir = WeightedReservoir::new(1, seed).unwrap();
        for (item, weight) in weights.iter().enumerate() {
            reservoir.offer(item, *weight).unwrap();
        }
        for item in reservoir.items() {
            counts[*item] += 1;
        }
    }
    let expected: Vec<f64> = weights.iter().map(|weight| 40_000.0 * weight / 20.0).collect();
    // 4 degrees of freedom: above 18.5 once in a thousand.
    let chi = chi_square(&counts, &expected);
    assert!(chi < 18.5, "{chi} {counts:?}");
}

#[test]
fn equal_weights_are_a_uniform_sample_merged_too() {
    let mut counts = [0_u64; 20];
    for seed in 0..20_000 {
        let mut left = WeightedReservoir::new(4, 2 * seed).unwrap();
        let mut right = WeightedReservoir::new(4, 2 * seed + 1).unwrap();
        for item in 0..20_usize {
            let part = if item < 5 { &mut left } else { &mut right };
            part.offer(item, 2.5).unwrap();
        }
        let merged = left.merge(right);
        assert_eq!(merged.seen(), 20);
        merged.items().for_each(|item| counts[*item] += 1);
    }
    // 19 degrees of freedom: above 43.8 once in a thousand.
    let chi = chi_square(&counts, &[4_000.0; 20]);
    assert!(chi < 43.8, "{chi} {counts:?}");
    let mut reservoir = WeightedReservoir::new(1, 1).unwrap();
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(reservoir.offer(1, weight).is_err());
    }
}

#[test]
fn a_shrunk_and_a_resumed_reservoir_are_still_uniform() {
    let mut counts = [0_u64; 30];
    for seed in 0..30_000 {
        let mut reservoir = Reservoir::new(8, seed).unwrap();
        for item in 0..12_usize {
            let _ = reservoir.offer(item);
        }
        let mut all = reservoir.shrink(5);
        assert_eq!(reservoir.items().len(), 5);
        let kept = reservoir.items().to_vec();
        all.extend(&kept);
        assert_eq!(all.len(), 8);
        for item in 12..20_usize {
            let _ = reservoir.offer(item);
        }
        let mut resumed = Reservoir::resume(5, seed ^ 0xfeed, reservoir.items().to_vec(), reservoir.seen()).unwrap();
        for item in 20..30_usize {
            let _ = resumed.offer(item);
        }
        assert_eq!((resumed.items().len(), resumed.seen()), (5, 30));
        for item in resumed.items() {
            counts[*item] += 1;
        }
    }
    let chi = chi_square(&counts, &[5_000.0; 30]);
    assert!(chi < 58.3, "{chi} {counts:?}");
}

#[test]
fn a_reservoir_that_is_not_full_shrinks_and_resumes_too() {
    let mut reservoir = Reservoir::new(8, 1).unwrap();
    (0..3_u32).for_each(|item| assert_eq!(reservoir.offer(item), None));
    assert_eq!(reservoir.shrink(8), Vec::<u32>::new());
    assert_eq!(reservoir.shrink(4), Vec::<u32>::new());
    assert_eq!(reservoir.offer(3), None);
    assert!(reservoir.offer(4).is_some());
    assert_eq!(reservoir.shrink(0).len(), 3);
    assert_eq!((reservoir.items().len(), reservoir.seen()), (1, 5));
    let mut resumed = Reservoir::resume(3, 2, vec![7_u32], 1).unwrap();
    assert_eq!((resumed.offer(8), resumed.offer(9)), (None, None));
    assert!(resumed.offer(10).is_some());
    assert!(Reservoir::resume(3, 2, vec![7_u32], 2).is_err());
    assert!(Reservoir::resume(1, 2, vec![7_u32, 8], 2).is_err());
}
