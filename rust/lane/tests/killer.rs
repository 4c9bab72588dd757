//! A frame that ends the worker's process: real processes, real files. It is met three times at most, becomes a copy
//! without contents, and the frames beside it go on; a worker that is killed for another cause blames nobody.
#![cfg(all(target_os = "linux", not(miri)))]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shadowlane_base::Reason;
use shadowlane_lane::drain::{DrainedCopy, Drainer};
use shadowlane_lane::gateway::Lane;
use shadowlane_redact::probe::ABORT;
use shadowlane_ring::frame::Exchange;

use common::process::{Child, alone, shared};
use common::{Directory, options, sanitizer};

const FRAMES: usize = 40;
const BATCH: usize = 16;
const MOST_MEETINGS: u64 = 3;

/// What the workers tell the test.
#[repr(C)]
struct Ledger {
    met: [AtomicU64; FRAMES],
    stored: [AtomicU64; FRAMES],
    unreadable: AtomicU64,
}

/// How a frame ends the process that works on it.
#[derive(Clone, Copy, Debug)]
enum How {
    /// In the redaction, inside the drain.
    Abort,
    /// Behind the drain, as when the kernel ends it for its memory.
    Kill,
    /// By a signal that a defect of native code raises.
    Fault,
}

fn offer(lane: &Arc<Lane>, number: usize, body: &[u8]) {
    let target = format!("/n/{number}");
    let plain: &[(&[u8], &[u8])] = &[(b"content-type", b"text/plain")];
    let ticket = lane.admit(b"GET", target.as_bytes(), std::iter::empty()).expect("it is mirrored");
    let exchange = Exchange {
        target: target.as_bytes(),
        status: 200,
        response_headers: plain,
        response_body: &[body],
        ..Exchange::default()
    };
    assert!(lane.offer(ticket, exchange));
}

/// What the rest of a worker does with copies: it holds a batch, works on each, and acknowledges them.
fn work(ledger: &Ledger, copies: &[DrainedCopy], kills: impl Fn(usize) -> Option<libc::c_int>) {
    for copy in copies {
        if copy.blocked == Some(Reason::Unreadable) {
            ledger.unreadable.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        let number: usize = copy.target.trim_start_matches("/n/").parse().unwrap();
        ledger.met[number].fetch_add(1, Ordering::SeqCst);
        if let Some(signal) = kills(number) {
            // SAFETY: ends this process.
            unsafe { libc::raise(signal) };
        }
    }
    for copy in copies.iter().filter(|copy| copy.blocked.is_none()) {
        let number: usize = copy.target.trim_start_matches("/n/").parse().unwrap();
        ledger.stored[number].store(1, Ordering::SeqCst);
    }
}

/// A worker that ends when there is nothing left.
fn worker(directory: &Directory, ledger: &Ledger, kills: impl Fn(usize) -> Option<libc::c_int>) {
    let mut drainer = loop {
        match Drainer::open(&directory.0, sanitizer(), Vec::new()) {
            Ok(drainer) => break drainer,
            Err(_) => std::thread::yield_now(), // the kernel is still taking the killed one's lock away
        }
    };
    loop {
        let copies = drainer.drain(BATCH, usize::MAX);
        work(ledger, &copies, &kills);
        for copy in &copies {
            drainer.ack(copy.ring, copy.seq);
        }
        drainer.acked();
        if copies.is_empty() && drainer.pending() == 0 {
            return;
        }
    }
}

#[test]
fn a_frame_that_ends_the_process_is_met_three_times_and_the_others_go_on() {
    let _alone = alone();
    for how in [How::Abort, How::Kill, How::Fault] {
        // One; the first and the last; neighbours; more than there is room for counts in one ring.
        for killers in [vec![7], vec![0, FRAMES - 1], vec![4, 5, 6], (0..FRAMES).step_by(3).collect::<Vec<_>>()] {
            let directory = Directory::new();
            let ledger: &Ledger = shared();
            // Two processes' rings: what is on trial is alone in the lane, not only in its ring.
            let lanes = [directory.open(&options()), directory.open(&options())];
            for number in 0..FRAMES {
                let aborts = matches!(how, How::Abort) && killers.contains(&number);
                offer(&lanes[number % 2], number, if aborts { ABORT } else { b"yes" });
            }
            let kills = |number: usize| match how {
                How::Abort => None,
                How::Kill => killers.contains(&number).then_some(libc::SIGKILL),
                How::Fault => killers.contains(&number).then_some(libc::SIGILL),
            };
            let mut deaths = 0;
            while Child::fork(|| worker(&directory, ledger, kills)).wait() != 0 {
                deaths += 1;
                assert!(deaths <= MOST_MEETINGS * killers.len() as u64, "{how:?} {killers:?}: it does not end");
            }
            assert!(deaths > 0, "{how:?} {killers:?}");
            for number in 0..FRAMES {
                let (met, stored) = (&ledger.met[number], ledger.stored[number].load(Ordering::SeqCst));
                let killer = killers.contains(&number);
                assert_eq!(stored, u64::from(!killer), "{how:?} {killers:?}: {number}");
                assert!(!killer || met.load(Ordering::SeqCst) <= MOST_MEETINGS, "{how:?} {killers:?}: {number}");
            }
            assert!(ledger.unreadable.load(Ordering::SeqCst) >= killers.len() as u64);
            let totals = directory.status().totals;
            assert_eq!((totals.mirrored, totals.acked, totals.corrupt), (FRAMES as u64, FRAMES as u64, 0));
            drop(lanes);
        }
    }
}

#[test]
fn a_worker_that_is_killed_again_and_again_for_another_cause_blames_no_frame() {
    let _alone = alone();
    let directory = Directory::new();
    let ledger: &Ledger = shared();
    let lane = directory.open(&options());
    (0..FRAMES).for_each(|number| offer(&lane, number, b"yes"));
    // Killed as soon as it holds a frame: once with a batch, then once with each frame of it.
    for _ in 0..=BATCH {
        assert_ne!(Child::fork(|| worker(&directory, ledger, |_| Some(libc::SIGKILL))).wait(), 0);
    }
    assert_eq!(Child::fork(|| worker(&directory, ledger, |_| None)).wait(), 0);
    assert_eq!(ledger.unreadable.load(Ordering::SeqCst), 0);
    assert!(ledger.stored.iter().all(|stored| stored.load(Ordering::SeqCst) == 1));
    let totals = directory.status().totals;
    assert_eq!((totals.mirrored, totals.acked), (FRAMES as u64, FRAMES as u64));
}
