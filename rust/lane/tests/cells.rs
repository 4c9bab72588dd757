//! Laws of the routes and the request hash; one sampler for all threads; bad parameters.
#![cfg(not(loom))]

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use shadowlane_base::Reason;
use shadowlane_lane::gcra::GcraCell;
use shadowlane_lane::hash::{hex32, request_hash};
use shadowlane_lane::jcs::canonicalize;
use shadowlane_lane::sampler::RatioCell;
use shadowlane_policy::eligible::Routes;

fn sampler(ratio: f64, seed: u64) -> RatioCell {
    let cell = RatioCell::new();
    cell.configure(ratio, seed).unwrap();
    cell
}

proptest! {
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
fn integers_beyond_a_double_keep_their_digits() {
    let form = |text: &str| String::from_utf8(canonicalize(text.as_bytes()).unwrap()).unwrap();
    for (text, expected) in [
        ("9007199254740992", "9007199254740992"),
        ("9007199254740993", "9007199254740993"),
        ("-9007199254740993", "-9007199254740993"),
        ("1234567890123456789", "1234567890123456789"),
        ("1234567890123456788", "1234567890123456788"),
        ("9007199254740994", "9007199254740994"),
        ("1000000000000000000000", "1e+21"),
        ("1000000000000000000001", "1000000000000000000001"),
        ("9007199254740993.0", "9007199254740992"),
        ("-0", "0"),
    ] {
        assert_eq!(form(text), expected);
        assert_eq!(form(&form(text)), expected);
    }
    let huge = format!("1{}", "0".repeat(400));
    assert_eq!(form(&huge), huge);
    assert!(canonicalize(b"1e400").is_none());
    let hash = |id: &str| {
        let body = format!("{{\"thread\": {{\"id\": {id}}}}}");
        shadowlane_lane::hash::request_hash(b"POST", b"/a", &[], body.as_bytes(), &[])
    };
    assert_ne!(hash("9007199254740992"), hash("9007199254740993"));
    assert_ne!(hash("[1780000000000000001]"), hash("[1780000000000000002]"));
    assert_eq!(hash("9007199254740993"), hash(" 9007199254740993 "));
}

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
