//! Admission on a real lane: the trial's groups, keys, caps, and the times of processes that are gone.
#![cfg(not(loom))]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use shadowlane_base::Reason;
use shadowlane_lane::caps::CapOptions;
use shadowlane_lane::drain::Drainer;
use shadowlane_lane::files::ControlFile;
use shadowlane_lane::gateway::{Entry, Lane, Options};
use shadowlane_lane::histogram::lower_edge;
use shadowlane_lane::keys::StickyKey;
use shadowlane_lane::latency::LatencySums;
use shadowlane_lane::status::{LaneStatus, read_latency};
use shadowlane_ring::frame::{Exchange, FLAG_TIMED, FLAG_TOLD};

use common::{Directory, sanitizer};

fn options(ratio: f64) -> Options {
    Options {
        ring_bytes: 1 << 20,
        max_body_bytes: 1 << 16,
        ratio,
        seed: Some(11),
        read_routes: vec!["POST /ask".into()],
        ..common::options()
    }
}

type Pairs = Vec<(&'static [u8], &'static [u8])>;

/// What became of `n` equal requests: taken, timed, out. Answers end at once.
fn run(lane: &Arc<Lane>, n: usize, method: &[u8], path: &[u8], headers: &Pairs) -> [usize; 3] {
    let mut counts = [0; 3];
    for _ in 0..n {
        match lane.begin(method, path, headers.iter().copied()) {
            Entry::Taken(ticket) => {
                counts[0] += 1;
                lane.offer(ticket, Exchange { target: path, status: 200, ..Exchange::default() });
            }
            Entry::Timed(timer) => {
                counts[1] += 1;
                timer.stop();
            }
            Entry::Out => counts[2] += 1,
        }
    }
    counts
}

fn dropped(status: &LaneStatus, reason: Reason) -> u64 {
    status.totals.dropped[reason as usize]
}

/// Taken and not taken, over all routes or one.
fn timed(directory: &Path, label: Option<&str>) -> [u64; 2] {
    let sums: LatencySums = read_latency(directory).unwrap();
    let mut total = [0, 0];
    for route in sums.routes.iter().filter(|route| label.is_none_or(|label| label == route.label)) {
        for (sum, counts) in total.iter_mut().zip(&route.counts) {
            *sum += counts.iter().sum::<u64>();
        }
    }
    total
}

#[test]
fn both_groups_are_timed_by_route_and_every_request_is_counted() {
    let directory = Directory::new();
    let lane = directory.open(&options(0.2));
    let [taken, timers, out] = run(&lane, 5000, b"POST", b"/ask", &Vec::new());
    assert_eq!((taken, taken + timers + out), (1000, 5000));
    // Binomial(4000, 1/4): 27.4 is one standard deviation.
    assert!(timers.abs_diff(1000) < 170, "{timers}");
    let more = run(&lane, 5000, b"GET", b"/x", &Vec::new());
    assert_eq!(timed(&directory.0, Some("POST /ask")), [taken as u64, timers as u64]);
    assert_eq!(timed(&directory.0, Some("")), [more[0] as u64, more[1] as u64]);
    let status = directory.status();
    assert_eq!(status.totals.started, 10_000);
    assert_eq!(status.totals.settled(), 10_000);
    assert_eq!(dropped(&status, Reason::SampledOut), 8_000);
}

#[test]
fn what_is_not_eligible_is_in_neither_group() {
    let directory = Directory::new();
    let lane = directory.open(&options(0.5));
    for (method, path, headers) in [
        (&b"DELETE"[..], &b"/ask"[..], Vec::new()),
        (b"POST", b"/other", Vec::new()),
        (b"POST", b"/ask", vec![(&b"x-shadow"[..], &b"1"[..])]),
        (b"POST", b"/ask", vec![(&b"content-length"[..], &b"65537"[..])]),
    ] {
        assert_eq!(run(&lane, 50, method, path, &headers), [0, 0, 50]);
    }
    assert_eq!(directory.status().sampler.eligible, 0, "the coin was not asked");
    // Requests of a caller that does not see the ends of answers are not part of the trial.
    for _ in 0..50 {
        if let Some(ticket) = lane.admit(b"GET", b"/x", std::iter::empty()) {
            assert!(lane.offer(ticket, Exchange { target: b"/x", ..Exchange::default() }));
        }
    }
    assert_eq!(timed(&directory.0, None), [0, 0]);
}

#[test]
fn when_there_is_no_room_neither_group_grows() {
    let directory = Directory::new();
    let mut capped = options(0.5);
    (capped.qps, capped.burst) = (1e-3, 10);
    let lane = directory.open(&capped);
    let [taken, timers, _] = run(&lane, 1000, b"GET", b"/x", &Vec::new());
    // Of 500 chosen ten pass. The timed ones are those that came while there was room, not all 500 others.
    assert_eq!(taken, 10);
    assert!(timers <= 21, "{timers}");
    assert_eq!(dropped(&directory.status(), Reason::Cap), 490);
}

#[test]
fn a_ticket_that_is_given_back_is_timed_as_taken_when_the_answer_ends() {
    let directory = Directory::new();
    let lane = directory.open(&options(1.0));
    let begin = || match lane.begin(b"GET", b"/x", std::iter::empty()) {
        Entry::Taken(ticket) => ticket,
        _ => panic!("everything is taken"),
    };
    lane.drop_ticket(begin(), Reason::RequestTooLarge).unwrap().stop();
    assert_eq!(timed(&directory.0, None), [1, 0]);
    drop(lane.drop_ticket(begin(), Reason::ClientDisconnected));
    drop(begin());
    assert_eq!(timed(&directory.0, None), [1, 0], "an answer that never ended has no time");
    // A copy that does not fit into the ring was a burden all the same.
    let large = vec![0_u8; 60_000];
    while lane.offer(begin(), Exchange { target: b"/x", response_body: &[&large], ..Exchange::default() }) {}
    assert_eq!(timed(&directory.0, None)[0], 2 + directory.status().totals.mirrored);
}

#[test]
fn caps_by_route_and_tenant_stand_under_the_lanes() {
    let directory = Directory::new();
    let mut capped = options(1.0);
    (capped.qps, capped.burst) = (1e-3, 10_000);
    capped.caps = CapOptions {
        routes: vec![("POST /ask".into(), 20.0)],
        weights: vec![("GET /heavy".into(), 10)],
        tenant: Some((StickyKey::Header(b"x-tenant".to_vec()), 15.0)),
    };
    let lane = directory.open(&capped);
    let of = |tenant: &'static [u8]| vec![(&b"X-Tenant"[..], tenant)];
    // The clock is real, so each bound is the cap's own law for the time that has gone, however long these loops take.
    let opened = Instant::now();
    let most = |burst: usize| burst + 1 + (burst as f64 * opened.elapsed().as_secs_f64()) as usize;
    let first = run(&lane, 200, b"POST", b"/ask", &of(b"a"))[0];
    assert!((15..=most(15)).contains(&first), "{first}");
    let second = run(&lane, 200, b"POST", b"/ask", &of(b"b"))[0];
    assert!(second >= 20_usize.saturating_sub(first).min(15), "the route's rest: {second}");
    assert!(first + second <= most(20) && second <= most(15), "{first} and {second}");
    let third = run(&lane, 200, b"GET", b"/heavy", &of(b"c"))[0];
    assert!(third >= 1 && 10 * third <= most(15), "ten of fifteen units: {third}");
    let rest = run(&lane, 400, b"GET", b"/x", &Vec::new())[0];
    assert!((15..=most(15)).contains(&rest), "{rest}");
    let status = directory.status();
    assert_eq!(status.totals.mirrored + dropped(&status, Reason::Cap), 1000);
    // What was refused by a small cap did not eat of the lane's.
    let spent = (first + second + rest + 10 * third) as f64;
    assert!((status.cap.available - (10_000.0 - spent)).abs() < 0.5, "{} after {spent}", status.cap.available);
}

#[test]
fn a_sticky_sample_goes_by_header_cookie_or_credential() {
    for (key, name, value) in [
        ("header:x-user", &b"X-User"[..], &b"u-1"[..]),
        ("cookie:sid", b"Cookie", b"a=1; sid=u-1; b=2"),
        ("api_key", b"Authorization", b"u-1"),
    ] {
        let directory = Directory::new();
        let mut sticky = options(0.5);
        sticky.sticky = Some(StickyKey::parse("sampling.key", key).unwrap());
        let lane = directory.open(&sticky);
        let with = vec![(name, value)];
        let [taken, timers, _] = run(&lane, 200, b"GET", b"/x", &with);
        assert!(taken == 200 || taken == 0, "{key}: {taken}");
        assert!(taken == 200 || timers == 200);
        assert_eq!(run(&lane, 50, b"GET", b"/x", &Vec::new()), [0, 0, 50], "{key}: without a key");
        let sampler = directory.status().sampler;
        assert_eq!((sampler.ratio, sampler.eligible, sampler.taken), (0.5, 200, taken as u64));
    }
}

#[test]
fn a_sticky_sample_by_a_body_is_drawn_at_the_offer() {
    let directory = Directory::new();
    let mut sticky = options(0.3);
    sticky.sticky = Some(StickyKey::parse("sampling.key", "json:/user/id").unwrap());
    (sticky.qps, sticky.burst) = (1e-3, 60);
    let lane = directory.open(&sticky);
    let offer = |body: &[&[u8]]| match lane.begin(b"POST", b"/ask", std::iter::empty()) {
        Entry::Taken(ticket) => lane.offer(ticket, Exchange { target: b"/ask?q", body, ..Exchange::default() }),
        _ => panic!("decided too early"),
    };
    let body = |user: u32| format!(r#"{{"messages": [{{"id": 3}}], "user": {{"name": "x", "id": {user}}}, "x": tru"#);
    let users: Vec<u32> = (0..100).filter(|user| offer(&[body(*user).as_bytes()])).collect();
    assert!((12..=50).contains(&users.len()), "{users:?}");
    // The same users again, their bodies in two pieces; text and number are the same key.
    for user in 0..100 {
        let text = body(user).replace(&format!("\"id\": {user}"), &format!("\"id\": \"{user}\""));
        let (one, two) = text.as_bytes().split_at(40);
        let again = offer(&[one, two]);
        assert!(users.contains(&user) || !again);
    }
    assert!(!offer(&[]) && !offer(&[b"not json"]) && !offer(&[br#"{"user": {"id": null}}"#]));
    let status = directory.status();
    assert_eq!(status.totals.mirrored, 60.min(2 * users.len() as u64), "the cap is asked after the key");
    assert_eq!(status.totals.settled(), 203);
    assert_eq!(dropped(&status, Reason::SampledOut), 203 - 2 * users.len() as u64);
}

#[test]
fn pointers_find_what_rfc_6901_says() {
    let find = |pointer: &str, body: &str| {
        let key = StickyKey::parse("k", &format!("json:{pointer}")).unwrap();
        key.find_in_body(body.as_bytes()).map(|found| String::from_utf8(found).unwrap())
    };
    let body =
        r#"{"a/b": 1, "m~n": "\u00e9", "list": [true, {"": -2.50}], "deep": {"a": {"b": "c"}}, "n": null, "o": {}}"#;
    for (pointer, wanted) in [
        ("/a~1b", Some("1")),
        ("/m~0n", Some("é")),
        ("/list/0", Some("true")),
        ("/list/1/", Some("-2.50")),
        ("/deep/a/b", Some("c")),
        ("/list/01", None),
        ("/list/-", None),
        ("/list/9", None),
        ("/n", None),
        ("/o", None),
        ("/deep", None),
        ("/absent", None),
        ("/a~1b/x", None),
    ] {
        assert_eq!(find(pointer, body).as_deref(), wanted, "{pointer}");
    }
    assert_eq!(find("/x", "[1"), None);
    assert_eq!(find("/x", &"[".repeat(100_000)), None);
    assert_eq!(find("/x", &format!("{}1", r#"{"x":"#.repeat(100_000))), None);
    for bad in ["header:", "cookie:", "json:", "json:user", "x-user", ""] {
        assert!(StickyKey::parse("sampling.key", bad).unwrap_err().to_string().starts_with("sampling.key: "), "{bad}");
    }
}

#[test]
fn the_times_of_a_process_that_is_gone_are_kept() {
    let directory = Directory::new();
    let lane = directory.open(&options(0.5));
    let other = directory.open(&options(0.5));
    let [taken, timers, _] = run(&lane, 400, b"POST", b"/ask", &Vec::new());
    let more = run(&other, 400, b"GET", b"/x", &Vec::new());
    let before = read_latency(&directory.0).unwrap();
    let mut drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
    lane.close();
    for copy in drainer.drain(10_000, 1 << 30) {
        drainer.ack(copy.ring, copy.seq);
    }
    drainer.close();
    assert_eq!(directory.status().rings.len(), 1, "one ring is retired");
    let after = read_latency(&directory.0).unwrap();
    for route in &before.routes {
        assert!(after.routes.contains(route), "{} changed", route.label);
    }
    assert_eq!(timed(&directory.0, Some("POST /ask")), [taken as u64, timers as u64]);
    assert_eq!(timed(&directory.0, Some("")), [more[0] as u64, more[1] as u64]);
    assert_eq!(after.direct, before.direct);
}

#[test]
fn the_lanes_own_calls_are_timed_at_every_request_that_is_taken_and_at_no_other() {
    let directory = Directory::new();
    let lane = directory.open(&options(0.5));
    let began = std::time::Instant::now();
    let [taken, ..] = run(&lane, 400, b"POST", b"/ask", &Vec::new());
    let whole = began.elapsed().as_nanos() as u64;
    let direct = read_latency(&directory.0).unwrap().direct;
    assert_eq!(direct.iter().sum::<u64>(), taken as u64);
    let least: u64 = direct.iter().enumerate().map(|(bucket, count)| count * lower_edge(bucket)).sum();
    assert!(0 < least && least <= whole, "{least} ns of {whole}");
}

#[test]
fn a_worker_killed_while_it_retires_a_ring_counts_no_time_twice() {
    let directory = Directory::new();
    let lane = directory.open(&options(0.5));
    run(&lane, 400, b"POST", b"/ask", &Vec::new());
    let (before, totals) = (timed(&directory.0, None), directory.status().totals);
    let direct = read_latency(&directory.0).unwrap().direct;
    // What the dead worker left: the journal is whole and in force, the file is still there.
    let control = ControlFile::open(&directory.0).unwrap();
    let header = control.get();
    header.retire_generation.fetch_or(1, Ordering::AcqRel);
    header.retiring.write(&totals);
    header.retiring_latency.write(&read_latency(&directory.0).unwrap());
    header.retire_ring.store(1, Ordering::Release);
    assert_eq!((timed(&directory.0, None), directory.status().totals), (before, totals));
    drop(Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap());
    assert_eq!((timed(&directory.0, None), directory.status().totals), (before, totals));
    assert_eq!(read_latency(&directory.0).unwrap().direct, direct);
    assert!(directory.status().rings.is_empty());
}

#[test]
fn what_was_told_has_the_times_that_were_told() {
    let directory = Directory::new();
    let lane = Arc::new(Lane::open(&directory.0, &options(1.0)).unwrap());
    let mut drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
    for (flags, duration_ns) in [(FLAG_TOLD, 7), (FLAG_TOLD, 0), (0, u64::MAX), (FLAG_TIMED, 9)] {
        let ticket = lane.admit(b"GET", b"/", std::iter::empty()).unwrap();
        assert!(lane.offer(ticket, Exchange { target: b"/", flags, duration_ns, ..Exchange::default() }));
    }
    let copies = drainer.drain(10, usize::MAX);
    assert_eq!((copies[0].duration_ns, copies[0].flags), (7, FLAG_TOLD));
    assert_eq!(copies[1].duration_ns, 0);
    // The gateway's own clock, whatever was passed.
    assert!(copies[2].duration_ns < u64::MAX);
    assert_eq!((copies[3].duration_ns, copies[3].flags), (9, FLAG_TIMED));
}
