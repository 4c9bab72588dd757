//! A lane whose files were removed while it runs: what becomes of requests that are open, and of what its worker has not
//! read.
#![cfg(all(target_os = "linux", not(loom), not(miri)))]

mod common;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shadowlane_base::Reason;
use shadowlane_lane::drain::Drainer;
use shadowlane_lane::files::{ControlFile, RingFile};
use shadowlane_lane::gateway::{Lane, Ticket};
use shadowlane_lane::status::ring_ids;
use shadowlane_ring::frame::Exchange;

use common::process::{Child, alone, shared};
use common::{Directory, options, sanitizer};

fn open(directory: &Directory) -> Arc<Lane> {
    directory.open(&options())
}

fn drainer(directory: &Directory) -> Drainer {
    Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap()
}

fn admit(lane: &Arc<Lane>) -> Ticket {
    lane.admit(b"GET", b"/", std::iter::empty()).unwrap()
}

fn offer(lane: &Arc<Lane>, ticket: Ticket) -> bool {
    lane.offer(ticket, Exchange { target: b"/", ..Exchange::default() })
}

fn drain(drainer: &mut Drainer) -> usize {
    let copies = drainer.drain(1000, usize::MAX);
    for copy in &copies {
        drainer.ack(copy.ring, copy.seq);
    }
    copies.len()
}

fn remove_rings(directory: &Directory) {
    for id in ring_ids(&directory.0) {
        fs::remove_file(RingFile::path_of(&directory.0, id)).unwrap();
    }
}

/// The lane that is made in another's place.
fn remake(directory: &Directory, old: &Arc<Lane>) -> Arc<Lane> {
    let new = open(directory);
    old.hand_over(&new);
    new
}

type Remove = fn(&Directory);

/// Of requests that are open over the change: what settles each, before and after the worker has seen it.
#[test]
fn a_request_that_is_open_over_the_change_is_counted_once() {
    let _alone = alone();
    let forms: [(&str, Remove); 3] = [
        ("rings removed", remove_rings),
        ("control removed", |directory| fs::remove_file(ControlFile::path(&directory.0)).unwrap()),
        ("all removed", |directory| {
            remove_rings(directory);
            fs::remove_file(ControlFile::path(&directory.0)).unwrap();
        }),
    ];
    for (form, remove) in forms {
        for late in [false, true] {
            let directory = Directory::new();
            let old = open(&directory);
            let same_life = form == "rings removed";
            let mut worker = drainer(&directory);
            let tickets: Vec<Ticket> = (0..5).map(|_| admit(&old)).collect();
            remove(&directory);
            let new = remake(&directory, &old);
            if !same_life {
                drop(worker);
                worker = drainer(&directory);
            }
            if late {
                assert_eq!(drain(&mut worker), 0);
            }
            let mut tickets = tickets.into_iter();
            assert!(offer(&new, tickets.next().unwrap()));
            assert!(offer(&old, tickets.next().unwrap()), "by a thread that has the old one in its hands");
            new.drop_ticket(tickets.next().unwrap(), Reason::ClientDisconnected);
            drop(tickets.next().unwrap());
            // And over one more change, when what was copied is read.
            assert_eq!(drain(&mut worker), 2);
            remove(&directory);
            let third = remake(&directory, &new);
            if !same_life {
                drop(worker);
                worker = drainer(&directory);
            }
            assert!(offer(&third, tickets.next().unwrap()));
            assert!(offer(&third, admit(&third)));
            third.close();
            assert!(third.admit(b"GET", b"/", std::iter::empty()).is_none());
            assert!(old.admit(b"GET", b"/", std::iter::empty()).is_none());
            while !directory.status().rings.is_empty() {
                drain(&mut worker);
            }
            drain(&mut worker);
            let totals = directory.status().totals;
            let dropped = |reason: Reason| totals.dropped[reason as usize];
            let seen = (totals.mirrored, dropped(Reason::ClientDisconnected), dropped(Reason::ProdFailed));
            let what = format!("{form}, late: {late}: {totals:?}");
            assert_eq!(totals.started, totals.settled(), "{what}");
            assert_eq!(dropped(Reason::ProducerDied), 0, "{what}");
            if form == "all removed" {
                // What settled in the second life went with it; what is open settles in the third.
                assert_eq!(seen, (2, 0, 0), "{what}");
            } else {
                assert_eq!(seen, (4, 1, 1), "{what}");
            }
        }
    }
}

/// Threads settle their requests while the lane is handed over: each counts in one of the two, and all of them.
#[test]
fn each_ticket_settles_in_one_lane_whenever_it_is_handed_over() {
    let _alone = alone();
    for round in 0..50 {
        let directory = Directory::new();
        let old = open(&directory);
        let tickets: Vec<Ticket> = (0..64).map(|_| admit(&old)).collect();
        let ring = RingFile::open(&RingFile::path_of(&directory.0, 1)).unwrap();
        remove_rings(&directory);
        let new = open(&directory);
        std::thread::scope(|scope| {
            let mut tickets = tickets.into_iter();
            for _ in 0..2 {
                let some: Vec<Ticket> = tickets.by_ref().take(32).collect();
                let new = &new;
                scope.spawn(move || {
                    for ticket in some {
                        new.drop_ticket(ticket, Reason::ClientDisconnected);
                    }
                });
            }
            for _ in 0..round {
                std::thread::yield_now();
            }
            old.hand_over(&new);
        });
        let (there, here) = (ring.header().counters.read(), directory.status().totals);
        assert_eq!((there.started, here.started), (there.settled(), here.settled()));
        assert_eq!(there.started + here.started, 64);
    }
}

/// How many copies a worker takes and acknowledges before it stands still.
#[derive(Clone, Copy, Debug)]
struct Work {
    taken: usize,
    acked: usize,
}

#[repr(C)]
struct Ledger {
    step: AtomicU64,
}

/// A worker that has done so much when its lane's rings go, and is killed then.
#[test]
fn what_a_worker_that_is_killed_had_not_read_of_a_ring_that_was_removed_is_taken_along() {
    let _alone = alone();
    for work in [(0, 0), (3, 0), (5, 2), (10, 10)].map(|(taken, acked)| Work { taken, acked }) {
        for next_comes_first in [true, false] {
            let directory = Directory::new();
            let ledger: &Ledger = shared();
            let old = open(&directory);
            (0..10).for_each(|_| assert!(offer(&old, admit(&old))));
            drop(admit(&old));
            let worker = Child::fork(|| {
                let mut drainer = drainer(&directory);
                let copies = if work.taken > 0 { drainer.drain(work.taken, usize::MAX) } else { Vec::new() };
                copies.iter().take(work.acked).for_each(|copy| drainer.ack(copy.ring, copy.seq));
                drainer.acked();
                ledger.step.store(1, Ordering::SeqCst);
                loop {
                    std::thread::park();
                }
            });
            while ledger.step.load(Ordering::SeqCst) != 1 {
                std::thread::yield_now();
            }
            remove_rings(&directory);
            let new = remake(&directory, &old);
            assert!(!new.take_along(&old), "its worker may still empty it");
            worker.kill();
            let mut next = next_comes_first.then(|| drainer(&directory));
            assert!(new.take_along(&old));
            let next = next.get_or_insert_with(|| drainer(&directory));
            assert_eq!(drain(next), 10 - work.acked, "{work:?}");
            assert_eq!(next.acked(), 10);
            new.close();
            while !directory.status().rings.is_empty() {
                drain(next);
            }
            let totals = directory.status().totals;
            assert_eq!((totals.started, totals.mirrored, totals.acked), (11, 10, 10), "{work:?}");
            assert_eq!((totals.settled(), totals.dropped[Reason::ProdFailed as usize]), (11, 1), "{work:?}");
        }
    }
}

#[test]
fn a_ring_that_its_worker_retires_after_it_was_removed_is_not_taken_along() {
    let _alone = alone();
    let directory = Directory::new();
    let old = open(&directory);
    (0..4).for_each(|_| assert!(offer(&old, admit(&old))));
    let mut worker = drainer(&directory);
    remove_rings(&directory);
    let new = remake(&directory, &old);
    assert!(!new.take_along(&old));
    assert_eq!(drain(&mut worker), 4);
    assert!(!new.take_along(&old), "it is not acknowledged yet");
    drain(&mut worker);
    drop(worker);
    assert!(new.take_along(&old));
    let totals = directory.status().totals;
    assert_eq!((totals.started, totals.mirrored, totals.acked), (4, 4, 4));
}

/// A child of a gateway that still looks after a ring which was removed: that ring is its parent's.
#[test]
fn a_forked_child_takes_nothing_of_its_parents_along() {
    let _alone = alone();
    for same_life in [true, false] {
        let directory = Directory::new();
        let old = open(&directory);
        (0..4).for_each(|_| assert!(offer(&old, admit(&old))));
        remove_rings(&directory);
        if !same_life {
            fs::remove_file(ControlFile::path(&directory.0)).unwrap();
        }
        let new = remake(&directory, &old);
        let ledger: &Ledger = shared();
        let child = Child::fork(|| {
            let own = open(&directory);
            ledger.step.store(1 + u64::from(own.take_along(&old)), Ordering::SeqCst);
        });
        assert_eq!((child.wait(), ledger.step.load(Ordering::SeqCst)), (0, 2), "it has nothing to look after");
        assert!(new.take_along(&old));
        let mut worker = drainer(&directory);
        assert_eq!(drain(&mut worker), 4);
        new.close();
        while !directory.status().rings.is_empty() {
            drain(&mut worker);
        }
        let totals = directory.status().totals;
        assert_eq!((totals.started, totals.mirrored, totals.acked), (4, 4, 4));
    }
}
