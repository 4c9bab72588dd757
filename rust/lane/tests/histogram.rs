//! The histogram's buckets, and its counts under many threads.
#![cfg(not(loom))]

use proptest::prelude::*;
use shadowlane_lane::histogram::{BUCKETS, Histogram, bucket, lower_edge};
use shadowlane_lane::latency::{Group, Latency, LatencySums, ROUTES};

proptest! {
    #[test]
    fn a_value_is_in_its_bucket_and_known_to_the_error_bound(exponent in 0_u32..41, low in any::<u64>()) {
        let ns = (1 << exponent) | (low & ((1 << exponent) - 1));
        let at = bucket(ns);
        prop_assert!(at < BUCKETS);
        if ns < 1 << 40 {
            let (from, to) = (lower_edge(at), lower_edge(at + 1));
            prop_assert!(from <= ns && ns < to, "{} not in {}..{}", ns, from, to);
            prop_assert!(to - from <= (from / 64).max(64));
        } else {
            prop_assert_eq!(at, BUCKETS - 1);
        }
    }
}

#[test]
fn buckets_cover_everything_without_a_gap() {
    assert_eq!((lower_edge(0), lower_edge(BUCKETS), lower_edge(usize::MAX)), (0, 1 << 40, 1 << 40));
    for index in 0..BUCKETS {
        assert_eq!(bucket(lower_edge(index)), index);
        assert!(lower_edge(index) < lower_edge(index + 1));
    }
    assert_eq!(bucket(u64::MAX), BUCKETS - 1);
}

#[test]
fn threads_count_everything_and_sums_are_what_was_recorded() {
    let histogram = Histogram::default();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let histogram = &histogram;
            scope.spawn(move || (0..25_000).for_each(|value| histogram.record(thread + value * 1000)));
        }
    });
    let mut sum = vec![0; BUCKETS];
    histogram.add_to(&mut sum);
    assert_eq!(sum.iter().sum::<u64>(), 100_000);
    let mut alone = vec![0; BUCKETS];
    for thread in 0..4_u64 {
        (0..25_000).for_each(|value| alone[bucket(thread + value * 1000)] += 1);
    }
    assert_eq!(sum, alone);
}

/// On the heap from the start: half a megabyte, more than once, is more than a test's stack has in some builds.
#[expect(clippy::cast_ptr_alignment, reason = "the allocation has the alignment of its layout")]
fn empty() -> Box<Latency> {
    let layout = std::alloc::Layout::new::<Latency>();
    // SAFETY: the layout is not empty; Latency is made of atomics, for which zero is valid; the box frees it by that layout.
    unsafe {
        let at = std::alloc::alloc_zeroed(layout).cast::<Latency>();
        assert!(!at.is_null());
        Box::from_raw(at)
    }
}

fn latency(labels: &[&str], records: &[(usize, Group, u64)]) -> Box<Latency> {
    let times = empty();
    times.name(&labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>());
    for (route, group, ns) in records {
        times.record(*route, *group, *ns);
    }
    times
}

fn total(sums: &LatencySums, label: &str) -> [u64; 2] {
    let route = sums.routes.iter().find(|route| route.label == label);
    route.map_or([0, 0], |route| [route.counts[0].iter().sum(), route.counts[1].iter().sum()])
}

#[test]
fn processes_are_merged_route_by_route_whatever_their_order() {
    let one = latency(&["POST /a", "/b*"], &[(1, Group::Taken, 5), (2, Group::NotTaken, 5), (0, Group::Taken, 5)]);
    let two = latency(&["/b*"], &[(1, Group::Taken, 5), (1, Group::NotTaken, 5), (99, Group::NotTaken, 5)]);
    let mut sums = LatencySums::default();
    one.add_to(&mut sums);
    two.add_to(&mut sums);
    assert_eq!([total(&sums, "POST /a"), total(&sums, "/b*"), total(&sums, "")], [[1, 0], [1, 2], [1, 1]]);
    // Written and read again it is the same: what a worker does with a ring that is gone.
    let kept = empty();
    kept.write(&sums);
    let mut again = LatencySums::default();
    kept.add_to(&mut again);
    assert_eq!(again, sums);
}

#[test]
fn more_routes_than_there_are_places_for_are_one() {
    let mut sums = LatencySums::default();
    for process in 0..3 {
        let labels: Vec<String> = (0..20).map(|number| format!("POST /{process}/{number}")).collect();
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let records: Vec<_> = (0..21).map(|route| (route, Group::Taken, 1_000)).collect();
        latency(&labels, &records).add_to(&mut sums);
    }
    assert_eq!(sums.routes.len(), ROUTES);
    let all: u64 = sums.routes.iter().map(|route| route.counts[0].iter().sum::<u64>()).sum();
    assert_eq!((all, total(&sums, "POST /0/0"), total(&sums, "POST /2/0")), (63, [1, 0], [0, 0]));
}
