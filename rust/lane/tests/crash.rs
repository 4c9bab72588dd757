//! Producers and a consumer are real processes over the real files, and are killed with SIGKILL at random.
//!
//! `SHADOWLANE_KILLS` says how many kills there are (500 when it is unset). After each kill the counters are looked
//! at; after each round, when nobody is left, they must be exact, and what was committed must have been delivered whole.
#![cfg(all(target_os = "linux", not(loom), not(miri)))]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use shadowlane_base::Reason;
use shadowlane_lane::drain::{DrainedCopy, Drainer};
use shadowlane_lane::files::{ControlFile, RingFile};
use shadowlane_lane::gateway::Lane;
use shadowlane_lane::process::{Identity, random_u64};
use shadowlane_lane::status::{LaneStatus, ring_ids};
use shadowlane_ring::claim;
use shadowlane_ring::frame::Exchange;

use common::process::{Child, alone, shared};
use common::{Directory, options, sanitizer};

const PROCESSES: usize = 3;
const THREADS: usize = 2;
/// Requests of one thread, at most.
const REQUESTS: usize = 4096;
const BATCH: usize = 64;
const ROUND_KILLS: usize = PROCESSES + 3;

/// What the processes tell each other outside the lane: the proof compares it with what the lane says.
struct Ledger {
    slots: Vec<&'static Slot>,
    shared: &'static Shared,
}

#[repr(C)]
struct Shared {
    /// Attempts and deliveries, so that the killer can wait for something to happen.
    events: AtomicU64,
    /// Deliveries whose content is not what was offered.
    bad: AtomicU64,
    /// Deliveries of what had been delivered before.
    again: AtomicU64,
    /// Threads that wait for their death in the middle of a record.
    torn: AtomicU64,
    /// Consumers that wait for their death with a copy in their hands.
    holding: AtomicU64,
    /// Frames at which three consumers died, which come without contents.
    aside: AtomicU64,
}

/// One producing thread.
#[repr(C)]
struct Slot {
    begun: AtomicU64,
    full: AtomicU64,
    offered: [AtomicU8; REQUESTS],
    delivered: [AtomicU8; REQUESTS],
}

fn content(slot: usize, number: usize) -> Vec<u8> {
    let mixed = (slot * 7919 + number) * 2_654_435_761;
    vec![b'a' + (mixed >> 8) as u8 % 26; (mixed >> 3) % 6000]
}

fn offer(lane: &Arc<Lane>, slot: usize, number: usize) -> bool {
    let target = format!("/s/{slot}/{number}");
    let Some(ticket) = lane.admit(b"GET", target.as_bytes(), std::iter::empty()) else { return false };
    let body = content(slot, number);
    let plain: &[(&[u8], &[u8])] = &[(b"content-type", b"text/plain")];
    lane.offer(
        ticket,
        Exchange {
            target: target.as_bytes(),
            status: 200,
            response_headers: plain,
            response_body: &[&body[..body.len() / 2], &body[body.len() / 2..]],
            ..Exchange::default()
        },
    )
}

/// Claim room for a record, write half of it, and wait for death.
fn tear(directory: &Path, lane: &Arc<Lane>, ledger: &Ledger, slot: &Slot) {
    slot.begun.fetch_add(1, Ordering::SeqCst);
    let ticket = lane.admit(b"GET", b"/torn", std::iter::empty());
    assert!(ticket.is_some());
    let mine = ring_ids(directory)
        .into_iter()
        .filter_map(|id| RingFile::open(&RingFile::path_of(directory, id)).ok())
        .find(|ring| ring.producer() == Identity::current())
        .unwrap();
    let mut claimed = loop {
        if let Some(claimed) = claim(&mine, 1000) {
            break claimed;
        }
        std::thread::yield_now();
    };
    claimed.write(|out| out[..500].fill(1));
    // The last moment before a commit: the frame counts already. Every other time, death comes here.
    if ledger.shared.torn.load(Ordering::SeqCst).is_multiple_of(2) {
        mine.header().counters.mirrored.fetch_add(1, Ordering::Release);
    }
    ledger.shared.torn.fetch_add(1, Ordering::SeqCst);
    loop {
        std::thread::park();
    }
}

fn produce(directory: &Path, ledger: &Ledger, slots: std::ops::Range<usize>, torn: bool) {
    let first = slots.start;
    let lane = Arc::new(Lane::open(directory, &options()).unwrap());
    assert!(lane.ring_error().is_none());
    std::thread::scope(|scope| {
        for index in slots {
            let (lane, slot, shared) = (&lane, ledger.slots[index], ledger.shared);
            scope.spawn(move || {
                for number in 0..REQUESTS {
                    if torn && index == first && number == 3 {
                        tear(directory, lane, ledger, slot);
                    }
                    loop {
                        slot.begun.fetch_add(1, Ordering::SeqCst);
                        shared.events.fetch_add(1, Ordering::SeqCst);
                        if offer(lane, index, number) {
                            slot.offered[number].store(1, Ordering::SeqCst);
                            break;
                        }
                        slot.full.fetch_add(1, Ordering::SeqCst);
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    loop {
        std::thread::park(); // until it is killed
    }
}

fn note(ledger: &Ledger, copy: &DrainedCopy) {
    ledger.shared.events.fetch_add(1, Ordering::SeqCst);
    let mut parts = copy.target.trim_start_matches("/s/").split('/').map(str::parse::<usize>);
    let (Some(Ok(index)), Some(Ok(number))) = (parts.next(), parts.next()) else {
        ledger.shared.bad.fetch_add(1, Ordering::SeqCst);
        return;
    };
    if copy.response_body != content(index, number) || copy.method != "GET" || copy.status != 200 {
        ledger.shared.bad.fetch_add(1, Ordering::SeqCst);
    }
    if ledger.slots[index].delivered[number].fetch_add(1, Ordering::SeqCst) > 0 {
        ledger.shared.again.fetch_add(1, Ordering::SeqCst);
    }
}

/// `holds`: take one copy, and wait for death with it.
fn consume(directory: &Path, ledger: &Ledger, holds: bool) {
    let mut drainer = loop {
        match Drainer::open(directory, sanitizer(), Vec::new()) {
            Ok(drainer) => break drainer,
            Err(_) => std::thread::yield_now(), // the kernel is still taking the killed one's lock away
        }
    };
    loop {
        let copies = drainer.drain(if holds { 1 } else { BATCH }, usize::MAX);
        while holds && !copies.is_empty() {
            if copies.len() == 1 {
                ledger.shared.holding.fetch_add(1, Ordering::SeqCst);
            }
            std::thread::park();
        }
        for copy in &copies {
            note(ledger, copy);
        }
        for copy in &copies {
            drainer.ack(copy.ring, copy.seq);
        }
        if copies.is_empty() {
            std::thread::yield_now();
        }
    }
}

/// Wait until that many consumers have held a copy.
fn wait_for_holding(ledger: &Ledger, holding: u64) {
    while ledger.shared.holding.load(Ordering::SeqCst) < holding {
        std::thread::yield_now();
    }
}

/// Wait until that many more things have happened.
fn wait_for(ledger: &Ledger, events: u64) {
    let start = ledger.shared.events.load(Ordering::SeqCst);
    while ledger.shared.events.load(Ordering::SeqCst) < start + events {
        std::thread::yield_now();
    }
}

/// Three consumers of a round are killed: this one is the first that may be given a frame at which three died.
fn drain_all(directory: &Path, ledger: &Ledger) {
    let mut drainer = Drainer::open(directory, sanitizer(), Vec::new()).unwrap();
    while !LaneStatus::read(directory).unwrap().rings.is_empty() {
        for copy in drainer.drain(BATCH, usize::MAX) {
            if copy.blocked == Some(Reason::Unreadable) && copy.target.is_empty() && copy.response_body.is_empty() {
                ledger.shared.aside.fetch_add(1, Ordering::SeqCst);
            } else {
                note(ledger, &copy);
            }
            drainer.ack(copy.ring, copy.seq);
        }
    }
}

/// What must hold at any moment, whoever is alive.
fn check_running(directory: &Path, ledger: &Ledger) {
    let status = LaneStatus::read(directory).unwrap();
    assert!(status.totals.settled() <= status.totals.started, "{:?}", status.totals);
    assert!(status.totals.acked <= status.totals.mirrored, "{:?}", status.totals);
    assert!(status.refused.is_empty(), "{:?}", status.refused);
    assert_eq!(ledger.shared.bad.load(Ordering::SeqCst), 0);
}

/// What must hold when nobody is left and all is drained.
fn check_settled(directory: &Path, ledger: &Ledger, used: usize, consumers: u64) {
    let totals = LaneStatus::read(directory).unwrap().totals;
    let aside = ledger.shared.aside.load(Ordering::SeqCst);
    let (mut begun, mut full, mut distinct, mut missing) = (0, 0, 0, 0);
    for slot in &ledger.slots[..used] {
        begun += slot.begun.load(Ordering::SeqCst);
        full += slot.full.load(Ordering::SeqCst);
        let mut unsaid = 0;
        for (offered, delivered) in slot.offered.iter().zip(&slot.delivered) {
            let (offered, delivered) = (offered.load(Ordering::SeqCst), delivered.load(Ordering::SeqCst));
            missing += u64::from(delivered == 0 && offered > 0);
            distinct += u64::from(delivered > 0);
            unsaid += u64::from(delivered > 0 && offered == 0);
        }
        assert!(unsaid <= 1, "a thread is killed once between its commit and its word about it");
    }
    assert!(missing <= aside, "a committed frame is lost");
    let (threads, reasons) = (used as u64, &totals.dropped);
    let died = reasons[Reason::ProducerDied as usize];
    assert_eq!(totals.settled(), totals.started, "seen = mirrored + dropped, and nothing is open");
    let delivered = distinct + missing..=distinct + aside;
    assert!(
        delivered.contains(&totals.mirrored),
        "what counts as mirrored was delivered, and nothing else: {totals:?}"
    );
    assert_eq!(totals.acked, totals.mirrored, "each was acknowledged once");
    assert_eq!(totals.corrupt, 0);
    assert!(totals.started <= begun && begun <= totals.started + threads);
    assert!(full <= reasons[Reason::RingFull as usize] && reasons[Reason::RingFull as usize] <= full + threads);
    assert_eq!(totals.started, totals.mirrored + reasons[Reason::RingFull as usize] + died);
    assert!(died <= threads, "each thread dies in one request at most");
    assert_eq!(ledger.shared.bad.load(Ordering::SeqCst), 0, "content differs from what was offered");
    // Drained and not acknowledged, or acknowledged and not applied: two batches at most.
    assert!(ledger.shared.again.load(Ordering::SeqCst) <= consumers * 2 * BATCH as u64);
}

#[test]
fn nothing_is_lost_made_up_or_miscounted_whoever_is_killed() {
    let _alone = alone();
    let kills: usize = std::env::var("SHADOWLANE_KILLS").map_or(500, |text| text.parse().expect("a number"));
    let rounds = kills.div_ceil(ROUND_KILLS);
    let directory = Directory::new();
    let slots = (0..rounds * PROCESSES * THREADS).map(|_| shared()).collect();
    let ledger = Ledger { slots, shared: shared() };
    let mut consumers = 0;
    for round in 0..rounds {
        // Where a kill at random falls depends on the machine; in some rounds three consumers die of the same copy.
        let holds = round % 4 == 1;
        let holding = 3 * (round as u64 / 4);
        let aside = ledger.shared.aside.load(Ordering::SeqCst);
        let spawn_consumer = || Child::fork(|| consume(&directory.0, &ledger, holds));
        let first = round * PROCESSES * THREADS;
        // Where a kill at random falls depends on the machine's load; every other round one is sure to tear a record.
        let tears = round.is_multiple_of(2);
        let mut children: Vec<Child> = (0..PROCESSES)
            .map(|process| {
                let start = first + process * THREADS;
                Child::fork(|| produce(&directory.0, &ledger, start..start + THREADS, tears && process == 0))
            })
            .collect();
        let mut consumer = spawn_consumer();
        for number in 1..3 {
            wait_for(&ledger, 1 + random_u64() % 200);
            wait_for_holding(&ledger, if holds { holding + number } else { 0 });
            consumer.kill();
            check_running(&directory.0, &ledger);
            consumer = spawn_consumer();
        }
        wait_for(&ledger, 1 + random_u64() % 200);
        wait_for_holding(&ledger, if holds { holding + 3 } else { 0 });
        while tears && ledger.shared.torn.load(Ordering::SeqCst) <= round as u64 / 2 {
            std::thread::yield_now();
        }
        consumers += 3;
        children.push(consumer);
        if random_u64().is_multiple_of(4) {
            // All at the same moment.
            for child in &children {
                child.signal(libc::SIGSTOP);
            }
        }
        while !children.is_empty() {
            let victim = (random_u64() % children.len() as u64) as usize;
            children.swap_remove(victim).kill();
            check_running(&directory.0, &ledger);
        }
        drain_all(&directory.0, &ledger);
        check_settled(&directory.0, &ledger, first + PROCESSES * THREADS, consumers);
        let aside = ledger.shared.aside.load(Ordering::SeqCst) - aside;
        assert!(if holds { aside == 1 } else { aside <= 1 }, "{aside} frames came without contents");
    }
    let totals = LaneStatus::read(&directory.0).unwrap().totals;
    let died = totals.dropped[Reason::ProducerDied as usize];
    println!(
        "{} kills: {} requests, {} mirrored, {} producer_died, {} delivered again",
        rounds * ROUND_KILLS,
        totals.started,
        totals.mirrored,
        died,
        ledger.shared.again.load(Ordering::SeqCst),
    );
    assert!(died >= rounds.div_ceil(2) as u64, "a torn record is a request whose producer died");
}

#[test]
fn a_stopped_producer_blocks_only_its_own_ring() {
    let _alone = alone();
    let directory = Directory::new();
    let ledger = Ledger { slots: (0..2).map(|_| shared()).collect(), shared: shared() };
    let mut drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
    let step = |drainer: &mut Drainer| {
        for copy in drainer.drain(BATCH, usize::MAX) {
            note(&ledger, &copy);
            drainer.ack(copy.ring, copy.seq);
        }
    };
    let delivered =
        |slot: usize| ledger.slots[slot].delivered.iter().filter(|count| count.load(Ordering::SeqCst) > 0).count();
    // It stops in the middle of a record: claimed, half written.
    let stopped = Child::fork(|| {
        let lane = Arc::new(Lane::open(&directory.0, &options()).unwrap());
        assert!(offer(&lane, 0, 0));
        let path = RingFile::path_of(&directory.0, 1);
        let ring = RingFile::open(&path).unwrap();
        let mut torn = claim(&ring, 100).unwrap();
        torn.write(|out| out[..50].fill(1));
        // SAFETY: a plain system call.
        unsafe { libc::raise(libc::SIGSTOP) };
        drop(torn);
        assert!(offer(&lane, 0, 1));
    });
    while delivered(0) < 1 {
        step(&mut drainer);
    }
    let mut status = 0;
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(stopped.pid(), &raw mut status, libc::WUNTRACED) };
    assert!(libc::WIFSTOPPED(status));
    let other = Child::fork(|| produce(&directory.0, &ledger, 1..2, false));
    while delivered(1) < REQUESTS {
        step(&mut drainer);
    }
    assert_eq!(delivered(0), 1, "what is behind the stopped record waits");
    let status = LaneStatus::read(&directory.0).unwrap();
    assert!(status.rings.iter().any(|ring| ring.id == 1 && ring.alive), "a stopped process is not dead");
    stopped.signal(libc::SIGCONT);
    while delivered(0) < 2 {
        step(&mut drainer);
    }
    assert_eq!(stopped.wait(), 0);
    other.kill();
}

#[test]
fn a_worker_killed_while_it_retires_a_ring_is_completed_by_its_successor() {
    let _alone = alone();
    // After each store of the retirement: the generation, the new totals, the ring's number, the totals copied in part,
    // the file removed, the number cleared.
    for stage in 0..6 {
        let directory = Directory::new();
        let ledger = Ledger { slots: vec![shared()], shared: shared() };
        let child = Child::fork(|| {
            let lane = Arc::new(Lane::open(&directory.0, &options()).unwrap());
            assert!(offer(&lane, 0, 0) && offer(&lane, 0, 1));
            std::mem::forget(lane.admit(b"GET", b"/open", std::iter::empty()));
            std::mem::forget(lane); // it dies: nothing is closed
        });
        assert_eq!(child.wait(), 0);
        let control = ControlFile::open(&directory.0).unwrap();
        let header = control.get();
        let path = RingFile::path_of(&directory.0, 1);
        if stage >= 3 {
            // From here on the ring was drained and acknowledged.
            let mut drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
            for copy in drainer.drain(BATCH, usize::MAX) {
                note(&ledger, &copy);
                drainer.ack(copy.ring, copy.seq);
            }
            // The retirement itself is undone, and cut off where the stage says.
            let kept = std::fs::read(&path).unwrap();
            drop(drainer);
            assert!(!path.exists());
            let whole = header.retired.read();
            header.retired.write(&shadowlane_lane::layout::Totals::default());
            header.retire_generation.fetch_add(1, Ordering::SeqCst);
            header.retiring.write(&whole);
            header.retire_ring.store(1, Ordering::SeqCst);
            if stage == 4 {
                header.retired.started.store(whole.started, Ordering::SeqCst);
            }
            if stage == 5 {
                header.retired.write(&whole);
            } else {
                std::fs::write(&path, kept).unwrap();
            }
        } else {
            header.retire_generation.fetch_add(u64::from(stage >= 1), Ordering::SeqCst);
            header.retiring.started.store(if stage >= 2 { 77 } else { 0 }, Ordering::SeqCst);
        }
        let before = LaneStatus::read(&directory.0).unwrap().totals;
        assert_eq!(before.started, 3, "stage {stage}");
        drain_all(&directory.0, &ledger);
        let after = LaneStatus::read(&directory.0).unwrap().totals;
        assert_eq!((after.started, after.mirrored, after.acked), (3, 2, 2), "stage {stage}");
        assert_eq!(after.dropped[Reason::ProducerDied as usize], 1, "stage {stage}");
        assert_eq!(header.retire_generation.load(Ordering::SeqCst) % 2, 0);
        assert!(!path.exists());
    }
}
