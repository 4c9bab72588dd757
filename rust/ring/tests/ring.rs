//! The ring against a queue, under threads, and after deaths at every point of a producer and of the consumer.
#![cfg(not(loom))]

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use shadowlane_ring::{Consumer, HeapMemory, Memory, PATIENCE, Step, claim, record_size};

fn pair(capacity: u64) -> (Arc<HeapMemory>, Consumer<Arc<HeapMemory>>) {
    let memory = Arc::new(HeapMemory::new(capacity));
    (Arc::clone(&memory), Consumer::new(memory))
}

fn push(memory: &HeapMemory, value: &[u8]) -> bool {
    claim(memory, value.len() as u64).is_some_and(|mut claim| {
        claim.write(|out| out.copy_from_slice(value));
        claim.commit();
        true
    })
}

fn pop(consumer: &mut Consumer<Arc<HeapMemory>>) -> Option<(u64, Vec<u8>)> {
    match consumer.next(false, |bytes| Some(bytes.to_vec())) {
        Step::Record(drained) => Some((drained.seq, drained.value)),
        Step::Empty | Step::Blocked => None,
        Step::Broken => panic!("the cursors make no sense"),
    }
}

/// How much is tried: less under Miri, and under valgrind (which sets `SHADOWLANE_SMALL`).
fn scaled<T>(full: T, small: T) -> T {
    if cfg!(miri) || std::env::var_os("SHADOWLANE_SMALL").is_some() { small } else { full }
}

#[derive(Clone, Debug)]
enum Action {
    Push(Vec<u8>),
    Abandon(u64),
    Pop,
    Ack(prop::sample::Index),
    Release,
    Restart,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..70).prop_map(Action::Push),
        1 => (0_u64..60).prop_map(Action::Abandon),
        3 => Just(Action::Pop),
        3 => any::<prop::sample::Index>().prop_map(Action::Ack),
        2 => Just(Action::Release),
        1 => Just(Action::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: scaled(400, 4), ..ProptestConfig::default() })]

    /// A queue of values, each waiting, drained or acknowledged, tells what the ring must do.
    #[test]
    fn behaves_like_a_queue(actions in prop::collection::vec(action(), 1..200)) {
        let (memory, mut consumer) = pair(256);
        let mut waiting: VecDeque<Vec<u8>> = VecDeque::new();
        let mut drained: Vec<(u64, Vec<u8>, bool)> = Vec::new();
        for action in actions {
            match action {
                Action::Push(value) => {
                    if push(&memory, &value) {
                        waiting.push_back(value);
                    } else {
                        // Full says so only when the bytes, with the padding of a wrap, could not fit.
                        let held: u64 = waiting.iter().chain(drained.iter().map(|(_, value, _)| value))
                            .map(|value| record_size(value.len() as u64)).sum();
                        let used = memory.cursors().tail.0.load(Ordering::Relaxed)
                            - memory.cursors().head.0.load(Ordering::Relaxed);
                        prop_assert!(used >= held);
                        prop_assert!(used + 2 * record_size(value.len() as u64) > 256);
                    }
                }
                Action::Abandon(size) => drop(claim(&*memory, size)),
                Action::Pop => match (pop(&mut consumer), waiting.pop_front()) {
                    (Some((seq, got)), Some(value)) => {
                        prop_assert_eq!(&got, &value);
                        drained.push((seq, value, false));
                    }
                    (None, None) => {}
                    (got, wanted) => prop_assert!(false, "got {:?}, wanted {:?}", got, wanted),
                },
                Action::Ack(index) => if !drained.is_empty() {
                    let index = index.index(drained.len());
                    let (seq, _, acked) = &mut drained[index];
                    prop_assert_eq!(consumer.ack(*seq), !*acked);
                    *acked = true;
                },
                Action::Release => {
                    consumer.release();
                    let keep = drained.iter().position(|(_, _, acked)| !acked).unwrap_or(drained.len());
                    drained.drain(..keep);
                }
                Action::Restart => {
                    // A new consumer sees again what was drained and whose acknowledgement had not taken effect.
                    consumer = Consumer::new(Arc::clone(&memory));
                    for (_, value, _) in drained.drain(..).rev() {
                        waiting.push_front(value);
                    }
                }
            }
        }
    }
}

#[test]
fn full_is_an_answer_and_space_comes_back() {
    let (memory, mut consumer) = pair(64);
    assert!(push(&memory, &[1; 24]));
    assert!(push(&memory, &[2; 24]));
    assert!(!push(&memory, &[3; 1]));
    let (seq, value) = pop(&mut consumer).unwrap();
    assert_eq!(value, [1; 24]);
    assert!(!push(&memory, &[3; 1]), "drained is not acknowledged");
    assert!(consumer.ack(seq));
    assert!(consumer.release());
    assert!(push(&memory, &[3; 24]));
}

#[test]
fn a_record_larger_than_half_the_ring_is_refused() {
    let (memory, _) = pair(256);
    assert!(push(&memory, &[0; 120]));
    assert!(!push(&memory, &[0; 121]));
}

#[test]
fn a_claim_that_is_not_committed_blocks_until_its_producer_is_dead() {
    let (memory, mut consumer) = pair(256);
    assert!(push(&memory, b"before"));
    let torn = claim(&*memory, 40).unwrap();
    assert!(push(&memory, b"after"));
    assert_eq!(pop(&mut consumer).unwrap().1, b"before");
    assert_eq!(consumer.next(false, |bytes| Some(bytes.to_vec())), Step::Blocked);
    std::mem::forget(torn);
    let Step::Record(next) = consumer.next(true, |bytes| Some(bytes.to_vec())) else {
        panic!("the record after the torn one was not found");
    };
    assert_eq!(next.value, b"after");
}

#[test]
fn a_producer_killed_before_marking_its_claim_leaves_zeros_that_are_passed_over() {
    for padding_written in [false, true] {
        let (memory, mut consumer) = pair(128);
        assert!(push(&memory, &[7; 56]));
        let (seq, _) = pop(&mut consumer).unwrap();
        assert!(push(&memory, &[8; 24]));
        let second = pop(&mut consumer).unwrap().0;
        assert!(consumer.ack(seq) && consumer.ack(second) && consumer.release());
        // The tail moves over 32 bytes of padding and a record of 48 that begins at 0, and the process is killed.
        memory.cursors().tail.0.fetch_add(32 + 48, Ordering::SeqCst);
        if padding_written {
            memory.word(96).store((3 << 32) | 32, Ordering::SeqCst);
        }
        assert!(push(&memory, b"next"));
        let Step::Record(next) = consumer.next(true, |bytes| Some(bytes.to_vec())) else {
            panic!("the record after the zeros was not found");
        };
        assert_eq!(next.value, b"next");
        assert!(consumer.ack(next.seq) && consumer.release());
        assert!(consumer.is_empty());
    }
}

#[test]
fn a_consumer_killed_while_it_releases_is_completed_by_its_successor() {
    // After each store of the release: nothing, the journal, half of the zeroing, all of it, the counts.
    for stage in 0..5 {
        let (memory, mut consumer) = pair(256);
        for value in 0..3_u8 {
            assert!(push(&memory, &[value; 20]));
        }
        let first = pop(&mut consumer).unwrap().0;
        let second = pop(&mut consumer).unwrap().0;
        assert_eq!((first, second), (0, 32));
        let cursors = memory.cursors();
        cursors.journal.acked_to.store(2, Ordering::SeqCst);
        if stage >= 1 {
            cursors.journal.clear_to.store(64, Ordering::SeqCst);
        }
        // SAFETY: no other thread touches the memory.
        unsafe {
            if stage >= 2 {
                memory.zero(0, 16);
            }
            if stage >= 3 {
                memory.zero(0, 64);
            }
        }
        if stage >= 4 {
            cursors.journal.acked.store(2, Ordering::SeqCst);
        }
        let mut successor = Consumer::new(Arc::clone(&memory));
        let mut values = Vec::new();
        while let Some((seq, value)) = pop(&mut successor) {
            values.push(value[0]);
            assert!(successor.ack(seq));
        }
        assert_eq!(values, if stage == 0 { vec![0, 1, 2] } else { vec![2] });
        successor.release();
        assert_eq!(cursors.journal.acked.load(Ordering::SeqCst), 3);
        assert!(successor.is_empty());
    }
}

#[test]
fn damage_is_counted_and_the_reader_finds_the_next_record() {
    let check = |bytes: &[u8]| (bytes.first() == Some(&0xaa)).then(|| bytes.to_vec());
    // A damaged payload, then a damaged word, each followed by a good record.
    for damaged_word in [None, Some(u64::MAX), Some((2 << 32) | 3), Some((2 << 32) | 4096), Some((3 << 32) | 5)] {
        let (memory, mut consumer) = pair(256);
        assert!(push(&memory, &[0xbb; 20]));
        assert!(push(&memory, &[0xaa; 20]));
        if let Some(word) = damaged_word {
            memory.word(0).store(word, Ordering::SeqCst);
        }
        // A word that makes no sense is looked at again for a while: claims behind it may be in the writing.
        let looks = (0..=PATIENCE).find_map(|look| match consumer.next(false, check) {
            Step::Record(found) => Some((look, found)),
            Step::Blocked => None,
            other => panic!("{other:?} after {damaged_word:?}"),
        });
        let (looks, found) = looks.expect("the record behind the damage");
        assert_eq!(looks, if damaged_word.is_some() { PATIENCE } else { 0 });
        assert_eq!((found.seq, found.value), (32, vec![0xaa; 20]));
        assert!(consumer.ack(32) && consumer.release());
        let journal = &memory.cursors().journal;
        assert_eq!(journal.corrupt.load(Ordering::SeqCst), 1);
        assert_eq!(journal.acked.load(Ordering::SeqCst), 1);
        assert!(consumer.is_empty());
    }
}

#[test]
fn threads_lose_nothing_and_keep_each_producers_order() {
    const PRODUCERS: u64 = 4;
    let each: u64 = scaled(20_000, 30);
    let (memory, mut consumer) = pair(4096);
    let mut next: HashMap<u64, u64> = HashMap::new();
    std::thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let memory = Arc::clone(&memory);
            scope.spawn(move || {
                for number in 0..each {
                    let mut value = vec![producer as u8; 16 + (number % 90) as usize];
                    value[..8].copy_from_slice(&producer.to_le_bytes());
                    value[8..16].copy_from_slice(&number.to_le_bytes());
                    while !push(&memory, &value) {
                        std::thread::yield_now();
                    }
                }
            });
        }
        let mut left = PRODUCERS * each;
        while left > 0 {
            let Some((seq, value)) = pop(&mut consumer) else {
                consumer.release();
                std::thread::yield_now();
                continue;
            };
            let producer = u64::from_le_bytes(value[..8].try_into().unwrap());
            let number = u64::from_le_bytes(value[8..16].try_into().unwrap());
            assert_eq!(value.len() as u64, 16 + number % 90);
            assert!(value[16..].iter().all(|byte| u64::from(*byte) == producer));
            let expected = next.entry(producer).or_default();
            assert_eq!(number, *expected);
            *expected += 1;
            assert!(consumer.ack(seq));
            left -= 1;
        }
    });
    consumer.release();
    assert!(consumer.is_empty());
    assert_eq!(memory.cursors().journal.acked.load(Ordering::SeqCst), PRODUCERS * each);
}

#[test]
fn damage_in_a_dead_process_ring_is_passed_over_at_once() {
    let (memory, mut consumer) = pair(256);
    assert!(push(&memory, &[0xbb; 20]));
    assert!(push(&memory, &[0xaa; 20]));
    memory.word(0).store(u64::MAX, Ordering::SeqCst);
    let step = consumer.next(true, |bytes| (bytes == [0xaa; 20]).then_some(()));
    assert_eq!(step, Step::Record(shadowlane_ring::Drained { seq: 32, value: () }));
}

#[test]
fn one_piece_of_damage_over_several_frames_counts_each_of_them_when_the_ring_is_empty() {
    let (memory, mut consumer) = pair(1024);
    for value in 0..5_u8 {
        assert!(push(&memory, &[value; 20]));
    }
    // Two frames in a row lose their words; the reader cannot know that there were two.
    memory.word(32).store(u64::MAX, Ordering::SeqCst);
    memory.word(64).store(u64::MAX, Ordering::SeqCst);
    let mut read = Vec::new();
    loop {
        let whole = |bytes: &[u8]| bytes.iter().all(|byte| *byte == bytes[0]).then(|| bytes.to_vec());
        match consumer.next(true, whole) {
            Step::Record(drained) => {
                read.push(drained.value[0]);
                assert!(consumer.ack(drained.seq));
            }
            Step::Empty => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read, [0, 3, 4]);
    let corrupt = &memory.cursors().journal.corrupt;
    consumer.settle(5, |_| true);
    assert_eq!(corrupt.load(Ordering::SeqCst), 0, "not before the ring is empty");
    assert!(consumer.release());
    assert_eq!(corrupt.load(Ordering::SeqCst), 1);
    consumer.settle(5, |_| false);
    assert_eq!(corrupt.load(Ordering::SeqCst), 1, "of one that was killed, what it counted may never have been there");
    consumer.settle(5, |_| true);
    assert_eq!(corrupt.load(Ordering::SeqCst), 2);
}

/// Whatever stands in the shared words, no side leaves the region, panics or runs for ever.
#[test]
fn cursors_that_make_no_sense_end_the_reading_and_make_the_ring_full() {
    let words = [1, 8, 12, 248, 255, 256, 264, 1 << 40, u64::MAX - 7, u64::MAX];
    let zero = [0_u64];
    for head in zero.iter().chain(&words) {
        for tail in zero.iter().chain(&words) {
            for clear_to in zero.iter().chain(&words) {
                let memory = Arc::new(HeapMemory::new(256));
                let cursors = memory.cursors();
                cursors.head.0.store(*head, Ordering::SeqCst);
                cursors.tail.0.store(*tail, Ordering::SeqCst);
                cursors.journal.clear_to.store(*clear_to, Ordering::SeqCst);
                let possible =
                    |head: u64, tail: u64| head <= tail && tail - head <= 256 && (head | tail).is_multiple_of(8);
                let sound = possible(*head, *tail) && (clear_to <= head || possible(*clear_to, *tail));
                let mut consumer = Consumer::new(Arc::clone(&memory));
                assert_eq!(consumer.is_broken(), !sound, "{head} {tail} {clear_to}");
                assert_eq!(consumer.next(true, |_| Some(())) == Step::Broken, !sound, "{head} {tail} {clear_to}");
                assert!(!consumer.release() || sound);
                // It may succeed, when the cached head fits the tail; it must come back.
                push(&memory, &[5; 40]);
            }
        }
    }
}

#[test]
fn cursors_that_are_written_over_while_the_ring_is_read_end_the_reading_and_keep_what_was_drained() {
    let (memory, mut consumer) = pair(256);
    assert!(push(&memory, b"one"));
    assert!(push(&memory, b"two"));
    let (seq, _) = pop(&mut consumer).unwrap();
    memory.cursors().tail.0.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(consumer.next(false, |_| Some(())), Step::Broken);
    assert!(!consumer.is_empty(), "the drained record is not acknowledged yet");
    assert!(!push(&memory, b"three"));
    assert!(consumer.ack(seq) && consumer.release());
    assert!(consumer.is_empty());
    assert_eq!(memory.cursors().journal.acked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_claim_that_no_ring_could_hold_is_refused() {
    let (memory, _) = pair(256);
    for payload in [249, u64::from(u32::MAX), u64::MAX - 14, u64::MAX] {
        assert!(claim(&*memory, payload).is_none(), "{payload}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: scaled(300, 4), ..ProptestConfig::default() })]

    /// Stray writes into the data: every record that comes out is one that went in, each at most once, and when the
    /// process is dead the ring always becomes empty.
    #[test]
    fn stray_writes_never_make_a_record_up(
        sizes in prop::collection::vec(1_usize..60, 1..12),
        strays in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 0..6),
        torn in any::<bool>(),
    ) {
        let (memory, mut consumer) = pair(512);
        let mut pushed = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let mut value = vec![number as u8; *size + 8];
            let sum = xxhash_rust::xxh3::xxh3_64(&value[8..]);
            value[..8].copy_from_slice(&sum.to_le_bytes());
            if push(&memory, &value) {
                pushed.push(value);
            }
        }
        if torn && let Some(claim) = claim(&*memory, 16) {
            std::mem::forget(claim);
        }
        for (index, value) in &strays {
            memory.word(index.index(64) as u64 * 8).store(*value, Ordering::SeqCst);
        }
        let check = |bytes: &[u8]| {
            let (sum, rest) = bytes.split_first_chunk::<8>()?;
            (xxhash_rust::xxh3::xxh3_64(rest) == u64::from_le_bytes(*sum)).then(|| bytes.to_vec())
        };
        let mut last = None;
        loop {
            match consumer.next(true, check) {
                Step::Record(drained) => {
                    let index = pushed.iter().position(|value| *value == drained.value);
                    prop_assert!(index.is_some() && index > last, "made up, twice, or out of order");
                    last = index;
                    prop_assert!(consumer.ack(drained.seq));
                }
                Step::Empty => break,
                step => prop_assert!(false, "{:?}", step),
            }
        }
        if strays.is_empty() {
            prop_assert_eq!(last, Some(pushed.len() - 1));
        }
        consumer.release();
        prop_assert!(consumer.is_empty());
    }
}
