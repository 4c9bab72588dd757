//! A fault of ours on one frame costs that frame's contents, and never the lane: through real files, from admission to
//! acknowledgement. The redaction is built with its probe, a text on which it panics.
#![cfg(not(miri))]

mod common;

use shadowlane_base::Reason;
use shadowlane_lane::drain::{DrainedCopy, Drainer};
use shadowlane_lane::gateway::Lane;
use shadowlane_redact::probe::PANIC;
use shadowlane_ring::frame::Exchange;
use std::sync::Arc;

use common::{Directory, options, sanitizer};

type Parts<'a> = (&'a str, &'a [u8], &'a [u8]);

fn offer(lane: &Arc<Lane>, (target, header, answer): Parts<'_>) {
    let headers: &[(&[u8], &[u8])] = &[(b"accept", header)];
    let plain: &[(&[u8], &[u8])] = &[(b"content-type", b"text/plain")];
    let ticket = lane.admit(b"GET", target.as_bytes(), headers.iter().copied()).expect("it is mirrored");
    let exchange = Exchange {
        target: target.as_bytes(),
        headers,
        status: 200,
        response_headers: plain,
        response_body: &[answer],
        ..Exchange::default()
    };
    assert!(lane.offer(ticket, exchange));
}

fn drain(drainer: &mut Drainer) -> Vec<DrainedCopy> {
    let copies = drainer.drain(64, usize::MAX);
    for copy in &copies {
        drainer.ack(copy.ring, copy.seq);
    }
    copies
}

#[test]
fn a_panic_on_a_frame_is_a_copy_without_contents_and_the_lane_goes_on() {
    let probe = String::from_utf8_lossy(PANIC);
    let target = format!("/a?q={}", probe.replace(' ', "+"));
    // In the answer, in a header that passes, in the target.
    let kinds: [Parts<'_>; 3] = [("/a", b"*/*", PANIC), ("/a", PANIC, b"yes"), (&target, b"*/*", b"yes")];
    for bad in kinds {
        let directory = Directory::new();
        let lane = directory.open(&options());
        let mut drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
        for parts in [("/first", &b"*/*"[..], &b"one"[..]), bad, ("/last", b"*/*", b"two")] {
            offer(&lane, parts);
        }
        let copies = drain(&mut drainer);
        assert_eq!(copies.len(), 3);
        assert_eq!((copies[0].target.as_str(), copies[0].blocked), ("/first", None));
        assert_eq!((copies[2].target.as_str(), copies[2].blocked), ("/last", None));
        let lost = &copies[1];
        assert_eq!(lost.blocked, Some(Reason::Unreadable));
        assert_eq!((lost.status, lost.shadow_id.len()), (200, 36));
        assert!(lost.target.is_empty() && lost.headers.is_empty() && lost.response_body.is_empty());
        assert!(lost.why.contains("probe.rs:") && !lost.why.contains(&*probe), "{}", lost.why);
        // Acknowledged like any other: no successor meets it again.
        assert_eq!(drainer.acked(), 3);
        drop(drainer);
        let mut successor = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
        assert!(drain(&mut successor).is_empty());
        let totals = directory.status().totals;
        assert_eq!((totals.started, totals.mirrored, totals.acked, totals.corrupt), (3, 3, 3, 0));
    }
}

#[test]
fn a_panic_at_admission_settles_the_request() {
    let directory = Directory::new();
    let lane = directory.open(&options());
    let headers = (0..3).map(|number| {
        assert!(number < 2, "planted");
        (&b"accept"[..], &b"*/*"[..])
    });
    assert!(lane.admit(b"GET", b"/x", headers).is_none());
    let totals = directory.status().totals;
    assert_eq!((totals.started, totals.settled(), totals.faults), (1, 1, 1));
    assert_eq!(totals.dropped[Reason::Unreadable as usize], 1);
}
