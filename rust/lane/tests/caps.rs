//! The caps: never more than rate * t + burst in any window, through threads, weights, changes of the rate and clocks
//! that stand still, jump or go back.
#![cfg(not(loom))]

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use shadowlane_lane::caps::{CapOptions, CapRequest, CapTable, Caps};
use shadowlane_lane::gcra::GcraCell;
use shadowlane_lane::keys::StickyKey;

fn limiter(rate: f64, burst: u32) -> GcraCell {
    let cell = GcraCell::new();
    cell.configure(rate, burst).unwrap();
    cell
}

/// Units given out, and when. Whether any window holds more than what its rate allows, and the burst.
fn holds(given: &[(i64, u32)], allowed: impl Fn(i64, i64) -> f64, burst: u32) -> Result<(), String> {
    let mut sorted = given.to_vec();
    sorted.sort_unstable();
    for (first, (from, _)) in sorted.iter().enumerate() {
        let mut sum = 0;
        for (to, units) in sorted.iter().skip(first) {
            sum += units;
            let most = allowed(*from, *to) + f64::from(burst) + 1e-6;
            if f64::from(sum) > most {
                return Err(format!("{sum} units from {from} to {to}, at most {most}"));
            }
        }
    }
    Ok(())
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u32),
    Wait(i64),
    Rate(f64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u32..5).prop_map(Step::Ask),
        3 => (0_i64..80_000_000).prop_map(Step::Wait),
        1 => prop_oneof![0.5_f64..5.0, 5.0_f64..2000.0].prop_map(Step::Rate),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    #[test]
    fn no_window_holds_more(
        rate in 0.5_f64..500.0, burst in 1_u32..50, gaps in prop::collection::vec((-5_000_000_i64..60_000_000, 1_u32..6), 1..300),
    ) {
        let cell = limiter(rate, burst);
        let mut now = 1_000_000_000_i64;
        let mut given = Vec::new();
        for (gap, units) in gaps {
            now = (now + gap).max(0);
            if cell.try_acquire_n_at(units, now as u64) {
                given.push((now, units));
            }
        }
        holds(&given, |from, to| rate * (to - from) as f64 / 1e9, burst).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn no_window_holds_more_through_changes_of_the_rate(first in 0.5_f64..500.0, burst in 1_u32..50, steps in steps()) {
        let cell = limiter(first, burst);
        let mut now = 1_000_000_000_i64;
        let mut given = Vec::new();
        let mut rates = vec![(now, first)];
        for step in steps {
            match step {
                Step::Ask(units) => {
                    if cell.try_acquire_n_at(units, now as u64) {
                        given.push((now, units));
                    }
                }
                Step::Wait(gap) => now += gap,
                Step::Rate(rate) => {
                    cell.change(rate, burst, || now as u64).unwrap();
                    rates.push((now, rate));
                }
            }
        }
        let integral = |from: i64, to: i64| {
            let mut sum = 0.0;
            for (index, (start, rate)) in rates.iter().enumerate() {
                let end = rates.get(index + 1).map_or(i64::MAX, |(next, _)| *next);
                sum += rate * (to.min(end) - from.max(*start)).max(0) as f64 / 1e9;
            }
            sum
        };
        holds(&given, integral, burst).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn what_is_said_to_be_there_in_a_while_is_there_then(
        rate in 0.5_f64..500.0, burst in 1_u32..50, asks in prop::collection::vec(1_u32..60, 1..60),
    ) {
        let cell = limiter(rate, burst);
        let mut now = 7_000_000_000_u64;
        for units in asks {
            match cell.wait_ns_at(units, now) {
                None => {
                    prop_assert!(units > burst);
                    prop_assert!(!cell.try_acquire_n_at(units, now + (1 << 60)));
                }
                Some(wait) => {
                    prop_assert!(wait == 0 || !cell.try_acquire_n_at(units, now + wait - 1));
                    now += wait;
                    prop_assert!(cell.try_acquire_n_at(units, now));
                }
            }
        }
    }
}

#[test]
fn one_cap_for_all_threads_in_every_window() {
    // Threads walk through one fake second side by side; what each was given is checked together.
    let cell = limiter(1000.0, 10);
    let given: Vec<Vec<(i64, u32)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u32)
            .map(|thread| {
                let cell = &cell;
                scope.spawn(move || {
                    let weight = 1 + thread % 3;
                    let times = (0..4_000_i64).map(|step| 1_000_000_000 + step * 250_000);
                    times.filter(|now| cell.try_acquire_n_at(weight, *now as u64)).map(|now| (now, weight)).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let given: Vec<(i64, u32)> = given.into_iter().flatten().collect();
    holds(&given, |from, to| (to - from) as f64 / 1e6, 10).unwrap();
    let units: u32 = given.iter().map(|(_, units)| units).sum();
    assert!((900..=1010).contains(&units), "{units}");
}

#[test]
fn suspend_and_steps_of_the_clock_do_no_harm() {
    let cell = limiter(10.0, 5);
    let take_all = |now: u64| (0..100).filter(|_| cell.try_acquire_at(now)).count();
    let start = 3_600_000_000_000;
    assert_eq!(take_all(start), 5);
    // A clock that counts suspended time comes back a day later: one burst, not a day's worth.
    let day = start + 86_400_000_000_000;
    assert_eq!(take_all(day), 5);
    // One that went back gives nothing until it has caught up.
    assert_eq!(take_all(day - 1_000_000_000), 0);
    assert_eq!(take_all(day), 0);
    assert_eq!(take_all(day + 100_000_000), 1);
    // A control file on a disk outlives a boot, after which the clock starts at nothing: opening it again heals it.
    assert_eq!(take_all(1_000_000_000), 0);
    cell.change(10.0, 5, || 1_000_000_000).unwrap();
    assert_eq!(take_all(1_000_000_000), 0);
    assert_eq!(take_all(1_100_000_000), 1);
    assert_eq!(take_all(9_000_000_000), 5);
    // Nothing panics at the end of time, in debug builds either.
    take_all(u64::MAX);
}

#[test]
fn lowering_the_rate_gives_out_no_new_burst() {
    let cell = limiter(10.0, 10);
    let take_all = |now: u64| (0..100).filter(|_| cell.try_acquire_at(now)).count();
    assert_eq!(take_all(1_000_000_000), 10);
    cell.change(1.0, 10, || 1_000_000_000).unwrap();
    assert_eq!(take_all(1_000_000_000), 0);
    assert_eq!(take_all(2_000_000_000), 1);
    // And raising it keeps nobody waiting for longer than a burst of the new rate.
    cell.change(1000.0, 10, || 2_000_000_000).unwrap();
    assert_eq!(take_all(2_010_000_000), 10);
}

fn caps(options: &CapOptions, table: &CapTable) -> Caps {
    Caps::new(options, table, 100, 7).unwrap()
}

fn request<'a>(path: &'a str, tenant: Option<&'a str>, weight: u32, now_ns: u64) -> CapRequest<'a> {
    CapRequest { method: b"POST", path: path.as_bytes(), tenant: tenant.map(str::as_bytes), weight, now_ns }
}

#[test]
fn routes_have_budgets_of_their_own_that_all_processes_share() {
    let table = CapTable::default();
    let options = CapOptions {
        routes: vec![("POST /a".into(), 3.0), ("POST /*".into(), 2.0)],
        weights: vec![("POST /heavy".into(), 40)],
        tenant: None,
    };
    // Two processes' views of one table, configured in another order.
    let one = caps(&options, &table);
    let mut other_options = options.clone();
    other_options.routes = vec![("POST /a".into(), 3.0)];
    let other = caps(&other_options, &table);
    let now = 1_000_000_000;
    let mut given = 0;
    for _ in 0..5 {
        given += u32::from(one.take(&table, &request("/a", None, 1, now)));
        given += u32::from(other.take(&table, &request("/a", None, 1, now)));
    }
    // The burst is a second's worth, and at least the heaviest request.
    assert_eq!(given, 10);
    assert_eq!((one.weight(b"POST", b"/heavy"), one.weight(b"GET", b"/heavy")), (40, 1));
    assert!(one.take(&table, &request("/heavy", None, 40, now)));
    assert!(!one.have_room(&table, &request("/b", None, 1, now)));
    assert!(one.have_room(&table, &request("/b", None, 1, now + 500_000_000)));
    assert!(other.take(&table, &request("/b", None, 1, now)), "no cap of its own there");
}

#[test]
fn each_tenant_has_a_budget_and_memory_is_bounded() {
    let table = CapTable::default();
    let options = CapOptions { tenant: Some((StickyKey::ApiKey, 2.0)), ..CapOptions::default() };
    let caps = caps(&options, &table);
    let tenants: Vec<String> = (0..1000).map(|number| format!("tenant-{number}")).collect();
    for now in [1_000_000_000, 5_000_000_000] {
        let mut given: Vec<u32> = Vec::new();
        for tenant in &tenants {
            given.push((0..5).map(|_| u32::from(caps.take(&table, &request("/a", Some(tenant), 1, now)))).sum());
        }
        assert!(given.iter().all(|count| *count <= 2), "never more than a tenant's own");
        // Of 1000 tenants that are all active at once in 16384 words about 30 meet another one; the salt is fixed.
        let whole = given.iter().filter(|count| **count == 2).count();
        assert!(whole >= 940, "{whole}");
    }
    // Those without a key are one tenant together.
    assert!(caps.take(&table, &request("/a", None, 1, 1)));
    assert!(caps.take(&table, &request("/b", None, 1, 1)));
    assert!(!caps.take(&table, &request("/c", None, 1, 1)));
}

#[test]
fn more_patterns_than_words_share_and_exceed_nothing() {
    let table = CapTable::default();
    let now = 1_000_000_000;
    let total: u32 = (0..200)
        .map(|number| {
            let routes = vec![(format!("POST /{number}"), 1.0)];
            let caps = caps(&CapOptions { routes, ..CapOptions::default() }, &table);
            let path = format!("/{number}");
            let given = (0..3).map(|_| u32::from(caps.take(&table, &request(&path, None, 1, now)))).sum::<u32>();
            assert!(given <= 1);
            given
        })
        .sum();
    assert_eq!(total, 64);
}

/// One request of a route, at 0.1 a second: its debt is 10 s, which no burst of the shadows below explains.
fn take_slow(table: &CapTable, number: usize, now: u64) -> bool {
    let routes = vec![(format!("POST /{number}"), 0.1)];
    let caps = caps(&CapOptions { routes, ..CapOptions::default() }, table);
    caps.take(table, &request(&format!("/{number}"), None, 1, now))
}

#[test]
fn a_shadow_forgets_no_debt_of_a_pattern_that_shares_its_word() {
    let now = 1_000_000_000_000;
    // The shadows come to the routes' words, or routes to theirs, or all are there and then more of both.
    for (shadows_first, routes_first) in [(0, 64), (64, 0), (1, 63), (32, 32)] {
        let table = CapTable::default();
        let ask = |shadow: usize, now: u64| table.take_own(&format!("{shadow}"), 1000.0, 1, now).unwrap();
        assert!((0..shadows_first).all(|shadow| ask(shadow, now)));
        assert!((0..routes_first).all(|number| take_slow(&table, number, now)));
        let taken: Vec<usize> =
            (routes_first..200).filter(|number| take_slow(&table, *number, now + 1_000_000)).collect();
        for later in [2_000_000, 1_000_000_000, 9_000_000_000] {
            (0..200).for_each(|shadow| {
                ask(shadow, now + later);
            });
            for number in (0..routes_first).chain(taken.iter().copied()) {
                // When the burst that a shadow may have left of the debt has passed.
                assert!(
                    !take_slow(&table, number, now + later + 2_000_000),
                    "{shadows_first}, {routes_first}: {number}"
                );
            }
        }
    }
}

#[test]
fn a_shadow_forgets_a_debt_of_its_own_that_no_burst_explains() {
    let (table, day) = (CapTable::default(), 86_400_000_000_000);
    let ask = |rate: f64, now: u64| (0..9).filter(|_| table.take_own("shadow", rate, 2, now).unwrap()).count();
    assert_eq!(ask(0.001, day), 2);
    // At a faster rate, and by the clock of another boot, which begins anew.
    for (rate, now) in [(10.0, day), (10.0, 1_000_000_000)] {
        assert_eq!(ask(rate, now), 0, "and no burst is given out for it");
        assert_eq!(ask(rate, now + 100_000_000), 1);
    }
    assert!((0..63).all(|number| take_slow(&table, number, day)), "the other words");
}

#[test]
fn what_cannot_be_is_named() {
    let table = CapTable::default();
    let bad = |options: CapOptions| Caps::new(&options, &table, 10, 1).err().unwrap().to_string();
    let none = CapOptions::default;
    assert!(bad(CapOptions { weights: vec![("POST /a".into(), 11)], ..none() }).starts_with("limits.weights: "));
    assert!(bad(CapOptions { weights: vec![("POST /a".into(), 0)], ..none() }).starts_with("limits.weights: "));
    assert!(bad(CapOptions { routes: vec![("/a".into(), 1.0)], ..none() }).starts_with("limits.routes: "));
    assert!(bad(CapOptions { routes: vec![("POST /a".into(), 0.0)], ..none() }).starts_with("rate: "));
    let body = StickyKey::parse("k", "json:/user").unwrap();
    assert!(bad(CapOptions { tenant: Some((body, 1.0)), ..none() }).starts_with("limits.tenant_key: "));
}

#[test]
fn the_cap_is_exact_under_contention() {
    // One moment, eight threads, one burst.
    for round in 0..50 {
        let cell = limiter(1.0, 37);
        let given = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mine = (0..20).filter(|_| cell.try_acquire_at(1_000_000 + round)).count() as u64;
                    given.fetch_add(mine, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(given.load(Ordering::Relaxed), 37);
    }
}
