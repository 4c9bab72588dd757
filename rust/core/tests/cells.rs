//! Laws of the sampler, the cap, the routes and the request hash.
#![cfg(not(loom))]

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use shadowlane_core::Reason;
use shadowlane_core::gcra::GcraCell;
use shadowlane_core::hash::{hex32, request_hash};
use shadowlane_core::jcs::canonicalize;
use shadowlane_core::routes::Routes;
use shadowlane_core::sampler::{RatioCell, sticky_take};

fn sampler(ratio: f64, seed: u64) -> RatioCell {
    let cell = RatioCell::new();
    cell.configure(ratio, seed).unwrap();
    cell
}

proptest! {
    #[test]
    fn every_prefix_is_within_two(
        steps in prop::collection::vec((0.0_f64..=1.0, 1_usize..400), 1..8), seed in any::<u64>(),
    ) {
        let cell = RatioCell::new();
        cell.configure(0.5, seed).unwrap();
        let (mut taken, mut wanted) = (0_u64, 0.0);
        for (ratio, count) in steps {
            prop_assume!(ratio == 0.0 || ratio > 1e-9);
            cell.set_ratio(ratio).unwrap();
            for _ in 0..count {
                taken += u64::from(cell.take());
                wanted += ratio;
                prop_assert!((taken as f64 - wanted).abs() <= 2.0, "{} against {}", taken, wanted);
            }
        }
        prop_assert_eq!(cell.taken(), taken);
    }

    #[test]
    fn no_period_aliases(period in 1_usize..=64, ratio in 0.02_f64..0.98, seed in any::<u64>()) {
        // One request in `period` is special: its share of the taken ones stays its share of all, within six sigma.
        let cell = sampler(ratio, seed);
        let rounds = 64_000 / period;
        let mut special = 0_u32;
        for _ in 0..rounds {
            for place in 0..period {
                let taken = cell.take();
                special += u32::from(taken && place == 0);
            }
        }
        let expected = rounds as f64 * ratio;
        let sigma = (rounds as f64 * ratio * (1.0 - ratio)).sqrt();
        prop_assert!((f64::from(special) - expected).abs() <= 6.0 * sigma + 2.0, "{} against {}", special, expected);
    }

    #[test]
    fn sticky_is_monotone(key in prop::collection::vec(any::<u8>(), 0..20), low in 0.0_f64..1.0, more in 0.0_f64..1.0) {
        let high = low + (1.0 - low) * more;
        prop_assert!(!sticky_take(low, b"s", &key) || sticky_take(high, b"s", &key));
        prop_assert!(sticky_take(1.0, b"s", &key));
        prop_assert!(!sticky_take(0.0, b"s", &key));
    }

    #[test]
    fn cap_holds_in_every_window(
        rate in 0.5_f64..500.0, burst in 1_u32..50, gaps in prop::collection::vec(-5_000_000_i64..60_000_000, 1..300),
    ) {
        let cell = GcraCell::new();
        cell.configure(rate, burst).unwrap();
        let mut now = 1_000_000_000_i64;
        let mut granted: Vec<i64> = Vec::new();
        for gap in gaps {
            now = (now + gap).max(0);
            if cell.try_acquire_at(now as u64) {
                granted.push(now);
            }
        }
        granted.sort_unstable();
        for (first, from) in granted.iter().enumerate() {
            for (last, to) in granted.iter().enumerate().skip(first) {
                let most = rate * (to - from) as f64 / 1e9 + f64::from(burst) + 1e-6;
                prop_assert!((last - first + 1) as f64 <= most);
            }
        }
    }

    #[test]
    fn globs_match_as_a_naive_matcher_does(pattern in "[ab*/]{0,8}", text in "[ab/]{0,12}") {
        fn naive(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|at| naive(rest, &text[at..])),
                Some((byte, rest)) => text.first() == Some(byte) && naive(rest, &text[1..]),
            }
        }
        let (pattern, text) = (format!("/{pattern}"), format!("/{text}"));
        let plain = !text.contains("//");
        let routes = Routes::new(&[format!("POST {pattern}")], &[], &[]).unwrap();
        let read = routes.check(b"POST", text.as_bytes()).is_none();
        prop_assert_eq!(read, plain && naive(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn canonical_json_is_a_fixed_point_and_the_same_value(value in json(4)) {
        let text = serde_json::to_vec_pretty(&value).unwrap();
        let once = canonicalize(&text).unwrap();
        prop_assert_eq!(canonicalize(&once).unwrap(), once.clone());
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&once).unwrap(), value);
    }

    #[test]
    fn nothing_panics_on_garbage(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = canonicalize(&bytes);
        let _ = request_hash(&bytes, &bytes, &[(&bytes, &bytes)], &bytes, &["/a"]);
        let _ = Routes::new(&["POST /a*".into()], &["/*".into()], &["/x".into()]).unwrap().check(b"POST", &bytes);
    }
}

fn json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(|number| f64::from(number).into()),
        "\\PC{0,8}".prop_map(Into::into),
    ];
    // Whole numbers come back from canonical text without a fraction.
    let leaf = leaf.prop_map(|value: serde_json::Value| match value.as_f64() {
        Some(number) => serde_json::Value::from(number as i64),
        None => value,
    });
    leaf.prop_recursive(depth, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map("\\PC{0,5}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn every_place_of_a_stratum_is_equally_likely() {
    // 40 places; chi-square with 39 degrees of freedom is above 73.4 once in a thousand.
    let cell = sampler(1.0 / 40.0, 7);
    let mut counts = [0_u64; 40];
    for number in 0..40 * 40_000 {
        if cell.take() {
            counts[number % 40] += 1;
        }
    }
    let expected = counts.iter().sum::<u64>() as f64 / 40.0;
    let chi: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    assert!(chi < 73.4, "{chi}");
}

#[test]
fn threads_share_one_exact_count() {
    let cell = sampler(0.3, 11);
    let taken = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mine = (0..25_000).filter(|_| cell.take()).count() as u64;
                taken.fetch_add(mine, Ordering::Relaxed);
            });
        }
    });
    assert!(taken.load(Ordering::Relaxed).abs_diff(30_000) <= 1);
    assert_eq!((cell.eligible(), cell.taken()), (100_000, taken.load(Ordering::Relaxed)));
}

#[test]
fn the_cap_is_one_for_all_threads() {
    let cell = GcraCell::new();
    cell.configure(100.0, 10).unwrap();
    let granted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // One fake second in steps of a tenth of a millisecond, by every thread.
                for step in 0..10_000 {
                    granted
                        .fetch_add(u64::from(cell.try_acquire_at(1_000_000_000 + step * 100_000)), Ordering::Relaxed);
                }
            });
        }
    });
    let granted = granted.load(Ordering::Relaxed);
    assert!((100..=110).contains(&granted), "{granted}");
}

#[test]
fn bad_parameters_are_named() {
    for ratio in [-0.1, 1.1, f64::NAN] {
        assert!(RatioCell::new().configure(ratio, 1).unwrap_err().to_string().starts_with("ratio: "));
    }
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(GcraCell::new().configure(rate, 1).unwrap_err().to_string().starts_with("rate: "));
    }
    assert!(GcraCell::new().configure(1.0, 0).unwrap_err().to_string().starts_with("burst: "));
    for pattern in ["/search", "POST", "post /x", "POST search"] {
        assert!(Routes::new(&[pattern.into()], &[], &[]).is_err(), "{pattern}");
    }
}

#[test]
fn what_is_not_plainly_a_read_is_a_write() {
    let routes = Routes::new(&["POST */chat/completions".into()], &[], &["/admin*".into()]).unwrap();
    for (method, path, reason) in [
        ("GET", "/anything/at//all", None),
        ("HEAD", "/x", None),
        ("POST", "/v1/chat/completions", None),
        ("POST", "/v1/chat/completions/", Some(Reason::Route)),
        ("POST", "/v1/files/..%2Fchat/completions", Some(Reason::Route)),
        ("POST", "/v1/files/../chat/completions", Some(Reason::Route)),
        ("POST", "/v1/files;/chat/completions", Some(Reason::Route)),
        ("POST", "/v1//chat/completions", Some(Reason::Route)),
        ("POST", "/v1\\files/chat/completions", Some(Reason::Route)),
        ("POST", "/v1/%2e%2e/chat/completions", Some(Reason::Route)),
        ("POST", "/v1/files", Some(Reason::Route)),
        ("DELETE", "/v1/chat/completions", Some(Reason::Method)),
        ("get", "/x", Some(Reason::Method)),
        ("GET", "/admin/x", Some(Reason::Route)),
        ("GET", "/%61dmin/x", Some(Reason::Route)),
        ("GET", "/%2561dmin/x", Some(Reason::Route)),
        ("GET", "/x/../admin", Some(Reason::Route)),
        ("GET", "//admin", Some(Reason::Route)),
        ("GET", "/.;a/admin", Some(Reason::Route)),
    ] {
        assert_eq!(routes.check(method.as_bytes(), path.as_bytes()), reason, "{method} {path}");
    }
}

#[test]
fn equal_requests_hash_alike_and_others_do_not() {
    let json: &[(&[u8], &[u8])] = &[(b"Content-Type", b"application/json; charset=utf-8"), (b"x-request-id", b"1")];
    let hash = |method: &[u8], target: &[u8], body: &[u8]| request_hash(method, target, json, body, &["trace"]);
    let one = hash(b"POST", b"/a/./b?x=1&y=%7e", br#"{"b": 1.0, "a": "\u00e9", "trace": 7}"#);
    assert_eq!(one, hash(b"post", b"/a/b?y=~&x=1", "{\"a\":\"é\",\"b\":1}".as_bytes()));
    assert_ne!(one, hash(b"POST", b"/a/b?y=~&x=2", "{\"a\":\"é\",\"b\":1}".as_bytes()));
    assert_ne!(one, hash(b"POST", b"/a/b?y=~&x=1", "{\"a\":\"é\",\"b\":2}".as_bytes()));
    assert_ne!(hash(b"GET", b"/ab", b""), hash(b"GET", b"/a", b"b"));
    // Pinned: a release that changes this breaks every stored hash.
    assert_eq!(hex32(request_hash(b"GET", b"/", &[], b"", &[])), GOLDEN_EMPTY);
    assert_eq!(hex32(one), GOLDEN_JSON);
}

const GOLDEN_EMPTY: &str = "5ec833ee7f14b4bc1828d3c1410dfbb6";
const GOLDEN_JSON: &str = "b63b27a7b686c70094ec191fa68f1810";

#[test]
fn rfc_8785_vectors() {
    let Some(data) = std::env::var_os("SHADOWLANE_DATA") else {
        eprintln!("skipped: SHADOWLANE_DATA does not name a folder with the vectors");
        return;
    };
    let folder = std::path::Path::new(&data).join("jcs");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder.join("input")).unwrap() {
        let name = entry.unwrap().file_name();
        let input = std::fs::read(folder.join("input").join(&name)).unwrap();
        let output = std::fs::read(folder.join("output").join(&name)).unwrap();
        assert_eq!(canonicalize(&input).unwrap(), output.trim_ascii_end(), "{name:?}");
        checked += 1;
    }
    assert!(checked > 0);
}
