//! What a killed consumer was at work on: its successors find the record that kills, and blame no other.
//!
//! A consumer that is dropped without `leave` has died: it has no destructor, and the ring is all that is left of it.
#![cfg(not(loom))]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use shadowlane_ring::{Consumer, HeapMemory, MOST_TRIALS, Memory, Step, claim};

type Ring = Arc<HeapMemory>;

/// What became of the records: how often each was met, and which came out as lost or were acknowledged.
#[derive(Default)]
struct Log {
    met: BTreeMap<u8, u64>,
    lost: Vec<u8>,
    done: Vec<u8>,
    deaths: u64,
}

fn push(ring: &Ring, value: u8) {
    let mut claim = claim(ring, 24).expect("there is room");
    claim.write(|out| out.fill(value));
    claim.commit();
}

fn value(bytes: &[u8]) -> Option<u8> {
    let first = *bytes.first()?;
    bytes.iter().all(|byte| *byte == first).then_some(first)
}

/// One consumer's life: suspects one at a time, then batches of that many. Ends with `false` on a record that kills.
fn live(ring: &Ring, batch: usize, kills: impl Fn(u8) -> bool, log: &mut Log) -> bool {
    let mut consumer = Consumer::new(Arc::clone(ring));
    loop {
        let mut held = Vec::new();
        let read = |bytes: &[u8], lost: bool| value(bytes).map(|value| (value, lost));
        while let Step::Record(drained) = consumer.next_suspect(true, |bytes| value(bytes).is_some(), read) {
            held.push((drained.seq, drained.value));
        }
        assert!(held.iter().filter(|(_, (_, lost))| !lost).count() <= 1, "suspects come one at a time");
        while !consumer.has_suspects() && held.len() < batch {
            let Step::Record(drained) = consumer.next(true, value) else { break };
            held.push((drained.seq, (drained.value, false)));
        }
        if held.is_empty() {
            consumer.release();
            consumer.leave();
            return true;
        }
        for (_, (value, lost)) in &held {
            if *lost {
                log.lost.push(*value);
                continue;
            }
            *log.met.entry(*value).or_default() += 1;
            if kills(*value) {
                log.deaths += 1;
                return false;
            }
        }
        for (seq, (value, _)) in held {
            assert!(consumer.ack(seq));
            log.done.push(value);
        }
        consumer.release();
    }
}

/// As [`live`], in a hurry where that is allowed: nobody is waited for, and what kills does when all are out.
fn live_in_a_hurry(ring: &Ring, batch: usize, kills: impl Fn(u8) -> bool, log: &mut Log) -> bool {
    let mut consumer = Consumer::new(Arc::clone(ring));
    let mut held: Vec<(u64, (u8, bool))> = Vec::new();
    loop {
        consumer.look_for_suspects(true, |bytes| value(bytes).is_some());
        let read = |bytes: &[u8], lost: bool| value(bytes).map(|value| (value, lost));
        let mut more = false;
        while let Step::Record(drained) = consumer.next_suspect(true, |bytes| value(bytes).is_some(), read) {
            held.push((drained.seq, drained.value));
            more = true;
            if !consumer.is_strict() {
                consumer.hurry();
            }
        }
        assert!(!consumer.is_strict() || !consumer.is_hurried(), "who is strict has nothing else out");
        while !consumer.has_suspects() && held.len() < batch {
            let Step::Record(drained) = consumer.next(true, value) else { break };
            held.push((drained.seq, (drained.value, false)));
            more = true;
        }
        for (_, (value, lost)) in &held {
            match (*lost, kills(*value)) {
                (true, _) => log.lost.push(*value),
                (false, true) => {
                    *log.met.entry(*value).or_default() += 1;
                    log.deaths += 1;
                    return false;
                }
                (false, false) => {}
            }
        }
        for (seq, (value, _)) in held.drain(..) {
            assert!(consumer.ack(seq));
            log.done.push(value);
        }
        consumer.release();
        if !more {
            consumer.leave();
            return true;
        }
    }
}

fn until_empty(ring: &Ring, batch: usize, killers: &[u8]) -> Log {
    let mut log = Log::default();
    while !live(ring, batch, |value| killers.contains(&value), &mut log) {
        assert!(log.deaths <= killers.len() as u64 * (MOST_TRIALS + 1), "it does not end");
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 256 }))]

    #[test]
    fn each_killer_is_met_three_times_at_most_and_nobody_else_is_blamed(
        count in 1_u8..40,
        batch in 1_usize..12,
        killers in proptest::collection::btree_set(0_u8..40, 0..12),
    ) {
        let ring: Ring = Arc::new(HeapMemory::new(4096));
        (0..count).for_each(|value| push(&ring, value));
        let killers: Vec<u8> = killers.into_iter().filter(|value| *value < count).collect();
        let mut log = until_empty(&ring, batch, &killers);
        log.lost.sort_unstable();
        log.lost.dedup();
        log.done.sort_unstable();
        // What is acknowledged behind one that kills is read again; the ring counts it once.
        log.done.dedup();
        prop_assert_eq!(&log.lost, &killers);
        prop_assert_eq!(log.done, (0..count).collect::<Vec<_>>());
        for killer in &killers {
            let met = log.met.get(killer).copied().unwrap_or_default();
            prop_assert!(met <= MOST_TRIALS + 1, "{} was met {} times", killer, met);
        }
        let cursors = ring.cursors();
        prop_assert_eq!(cursors.head.0.load(Ordering::SeqCst), cursors.tail.0.load(Ordering::SeqCst));
        prop_assert_eq!(cursors.journal.acked.load(Ordering::SeqCst), u64::from(count));
        prop_assert_eq!(cursors.trial.looked_to.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn who_was_in_a_hurry_is_followed_by_one_that_finds_the_killers_and_blames_nobody(
        count in 1_u8..40,
        batch in 1_usize..12,
        killers in proptest::collection::btree_set(0_u8..40, 0..6),
    ) {
        let ring: Ring = Arc::new(HeapMemory::new(4096));
        (0..count).for_each(|value| push(&ring, value));
        let killers: Vec<u8> = killers.into_iter().filter(|value| *value < count).collect();
        let mut log = Log::default();
        while !live_in_a_hurry(&ring, batch, |value| killers.contains(&value), &mut log) {
            prop_assert!(log.deaths <= killers.len() as u64 * (MOST_TRIALS + 2), "it does not end");
        }
        log.lost.sort_unstable();
        log.lost.dedup();
        log.done.sort_unstable();
        log.done.dedup();
        prop_assert_eq!(&log.lost, &killers);
        prop_assert_eq!(log.done, (0..count).collect::<Vec<_>>());
        let cursors = ring.cursors();
        prop_assert_eq!(cursors.journal.acked.load(Ordering::SeqCst), u64::from(count));
        prop_assert_eq!(cursors.trial.looked_to.load(Ordering::SeqCst), 0);
    }

    /// A word that a broken process wrote makes suspects of records at worst, and nothing is lost or read twice.
    #[test]
    fn a_stray_looked_to_costs_nothing(word in any::<u64>(), count in 0_u8..20) {
        let ring: Ring = Arc::new(HeapMemory::new(4096));
        (0..count).for_each(|value| push(&ring, value));
        ring.cursors().trial.looked_to.store(word, Ordering::SeqCst);
        let log = until_empty(&ring, 4, &[]);
        prop_assert_eq!(log.done.len(), usize::from(count));
        prop_assert!(log.lost.is_empty());
    }
}

#[test]
fn a_kill_from_outside_falls_on_another_record_each_time() {
    let ring: Ring = Arc::new(HeapMemory::new(4096));
    (0..6).for_each(|value| push(&ring, value));
    let mut log = Log::default();
    // Whoever comes first in a life ends it: the kill has nothing to do with the record.
    for _ in 0..6 {
        assert!(!live(&ring, 6, |_| true, &mut log));
    }
    assert!(live(&ring, 6, |_| false, &mut log));
    assert!(log.lost.is_empty(), "{:?}", log.lost);
    assert_eq!(log.done.len(), 6);
}

#[test]
fn who_leaves_in_good_order_leaves_no_suspects_and_takes_back_what_was_on_trial() {
    let ring: Ring = Arc::new(HeapMemory::new(4096));
    (0..3).for_each(|value| push(&ring, value));
    let mut consumer = Consumer::new(Arc::clone(&ring));
    assert!(matches!(consumer.next(false, value), Step::Record(_)));
    consumer.leave();
    assert!(!Consumer::new(Arc::clone(&ring)).has_suspects(), "what was held is given back");
    // One that was killed, then many that end well while the record is on trial: it is never used up.
    let mut killed = Consumer::new(Arc::clone(&ring));
    assert!(matches!(killed.next(false, value), Step::Record(_)));
    drop(killed);
    for _ in 0..10 {
        let mut consumer = Consumer::new(Arc::clone(&ring));
        assert!(consumer.has_suspects());
        let step = consumer.next_suspect(false, |_| true, |bytes, lost| value(bytes).map(|value| (value, lost)));
        let Step::Record(drained) = step else { panic!("a suspect is there") };
        assert_eq!(drained.value, (0, false));
        consumer.leave();
    }
}

/// Take `n` suspects without waiting for any, in a consumer of their own; their numbers.
fn hurried(ring: &Ring, n: usize) -> (Consumer<Ring>, Vec<u64>) {
    let mut consumer = Consumer::new(Arc::clone(ring));
    let seqs = (0..n)
        .map(|_| {
            let Step::Record(drained) = consumer.next_suspect(true, |_| true, |bytes, _| value(bytes)) else {
                panic!("a suspect is there")
            };
            assert!(!consumer.is_strict());
            consumer.hurry();
            drained.seq
        })
        .collect();
    (consumer, seqs)
}

fn killed_with(ring: &Ring, count: u8) {
    (0..count).for_each(|value| push(ring, value));
    let mut killed = Consumer::new(Arc::clone(ring));
    while let Step::Record(_) = killed.next(true, value) {}
}

fn is_strict(ring: &Ring) -> bool {
    let mut consumer = Consumer::new(Arc::clone(ring));
    consumer.look_for_suspects(true, |_| true);
    consumer.is_strict()
}

#[test]
fn suspects_that_were_out_together_come_alone_when_that_ended_in_a_death() {
    // Whichever of them was acknowledged before: as long as one is out, a successor knows.
    for (acked, left) in [(vec![], 3), (vec![0], 2), (vec![2], 3), (vec![0, 1], 1), (vec![1, 0], 1), (vec![2, 0], 2)] {
        let ring: Ring = Arc::new(HeapMemory::new(4096));
        killed_with(&ring, 3);
        assert!(!is_strict(&ring), "nobody was tried yet");
        let (mut consumer, seqs) = hurried(&ring, 3);
        for index in &acked {
            assert!(consumer.ack(seqs[*index]));
        }
        consumer.release();
        drop(consumer);
        let mut next = Consumer::new(Arc::clone(&ring));
        let mut met = 0;
        while let Step::Record(drained) =
            next.next_suspect(true, |_| true, |bytes, lost| value(bytes).filter(|_| !lost))
        {
            assert!(next.is_strict());
            assert!(matches!(next.next_suspect(true, |_| true, |bytes, _| value(bytes)), Step::Blocked));
            assert!(next.ack(drained.seq));
            met += 1;
        }
        assert_eq!(met, left, "{acked:?}");
    }
}

#[test]
fn who_was_in_a_hurry_and_ends_well_leaves_no_count() {
    let ring: Ring = Arc::new(HeapMemory::new(4096));
    killed_with(&ring, 3);
    let (mut consumer, seqs) = hurried(&ring, 2);
    consumer.leave(); // with two out and one that was not handed out
    assert!(!is_strict(&ring));
    let (mut consumer, _) = hurried(&ring, 3);
    for seq in seqs {
        assert!(consumer.ack(seq));
    }
    consumer.leave();
    assert!(!Consumer::new(Arc::clone(&ring)).has_suspects());
}

#[test]
fn a_suspect_that_is_damaged_is_counted_and_passed_over() {
    let ring: Ring = Arc::new(HeapMemory::new(4096));
    (0..3).for_each(|value| push(&ring, value));
    let mut killed = Consumer::new(Arc::clone(&ring));
    while let Step::Record(_) = killed.next(true, value) {}
    drop(killed);
    // The second record's payload, then the third one's word.
    ring.word(40).store(0x77, Ordering::SeqCst);
    ring.word(64).store(u64::MAX, Ordering::SeqCst);
    let log = until_empty(&ring, 1, &[]);
    assert_eq!(log.done, [0]);
    assert!(ring.cursors().journal.corrupt.load(Ordering::SeqCst) >= 1);
}

#[test]
fn what_a_predecessor_held_is_known_however_it_left() {
    for leaves in [true, false] {
        let ring: Ring = Arc::new(HeapMemory::new(4096));
        (0..6).for_each(|value| push(&ring, value));
        let mut first = Consumer::new(Arc::clone(&ring));
        let seqs: Vec<u64> = (0..4)
            .map(|_| match first.next(true, value) {
                Step::Record(drained) => drained.seq,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(seqs.iter().all(|seq| !first.is_redelivered(*seq)), "nobody was here before");
        assert!(first.ack(seqs[0]));
        first.release();
        if leaves {
            first.leave();
        }
        drop(first);
        let mut next = Consumer::new(Arc::clone(&ring));
        push(&ring, 7);
        let mut met = Vec::new();
        let read = |bytes: &[u8], _| value(bytes);
        while let Step::Record(drained) = next.next_suspect(true, |bytes| value(bytes).is_some(), read) {
            met.push((drained.value, next.is_redelivered(drained.seq)));
            next.end_trial();
        }
        while let Step::Record(drained) = next.next(true, value) {
            met.push((drained.value, next.is_redelivered(drained.seq)));
        }
        met.sort_unstable();
        let held = [(1, true), (2, true), (3, true)];
        assert_eq!(met, [&held[..], &[(4, false), (5, false), (7, false)]].concat(), "leaves: {leaves}");
    }
}

#[test]
fn a_stray_mark_of_what_was_held_says_no_more_than_there_is() {
    let ring: Ring = Arc::new(HeapMemory::new(4096));
    push(&ring, 1);
    ring.cursors().trial.handed_to.store(u64::MAX, Ordering::SeqCst);
    let mut next = Consumer::new(Arc::clone(&ring));
    push(&ring, 2);
    let found: Vec<bool> = std::iter::from_fn(|| match next.next(true, value) {
        Step::Record(drained) => Some(next.is_redelivered(drained.seq)),
        _ => None,
    })
    .collect();
    assert_eq!(found, [true, false]);
}
