//! Loom models of the ring: every ordering of claim, commit, wrap, full and acknowledge, for the smallest rings.
//! Run with `make test-loom`: overflow checks are on, so that no cursor is compared with one that is newer.
#![cfg(loom)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use shadowlane_ring::{Consumer, HeapMemory, Memory, Step, claim};

fn push(memory: &HeapMemory, value: u8, size: u64) -> bool {
    claim(memory, size).is_some_and(|mut claim| {
        claim.write(|out| out.fill(value));
        claim.commit();
        true
    })
}

fn pop(consumer: &mut Consumer<Arc<HeapMemory>>) -> Option<u8> {
    let read = |bytes: &[u8]| {
        assert!(bytes.iter().all(|byte| *byte == bytes[0]), "a torn record was read");
        Some(bytes[0])
    };
    match consumer.next(false, read) {
        Step::Record(drained) => {
            assert!(consumer.ack(drained.seq));
            Some(drained.value)
        }
        Step::Empty | Step::Blocked => None,
        Step::Broken => panic!("the cursors make no sense"),
    }
}

fn model(preemptions: usize, check: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(check);
}

fn consumer(memory: &Arc<HeapMemory>) -> Consumer<Arc<HeapMemory>> {
    Consumer::new(Arc::clone(memory))
}

/// Two producers claim at once; whatever is committed is read whole, once, and in each producer's order.
#[test]
fn producers_against_each_other() {
    loom::model(|| {
        let memory = Arc::new(HeapMemory::new(64));
        let threads: Vec<_> = [1_u8, 2]
            .into_iter()
            .map(|value| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || push(&memory, value, 8))
            })
            .collect();
        let pushed = threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>();
        assert_eq!(pushed, [true, true]);
        let mut consumer = consumer(&memory);
        let mut values: Vec<u8> = std::iter::from_fn(|| pop(&mut consumer)).collect();
        values.sort_unstable();
        assert_eq!(values, [1, 2]);
    });
}

/// A producer fills a ring that has room for two records while the consumer drains, acknowledges and releases: the
/// third record reuses memory that the consumer has just zeroed, over the wrap.
#[test]
fn producer_against_consumer_over_the_wrap() {
    model(4, || {
        let memory = Arc::new(HeapMemory::new(64));
        let producer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || [push(&memory, 1, 16), push(&memory, 2, 16), push(&memory, 3, 16)])
        };
        let mut consumer = consumer(&memory);
        let mut values = Vec::new();
        for _ in 0..2 {
            values.extend(pop(&mut consumer));
            consumer.release();
        }
        let pushed = producer.join().unwrap();
        while let Some(value) = pop(&mut consumer) {
            values.push(value);
        }
        consumer.release();
        let expected: Vec<u8> = (1..=3).zip(pushed).filter(|(_, pushed)| *pushed).map(|(value, _)| value).collect();
        assert_eq!(values, expected);
        assert!(consumer.is_empty());
    });
}

/// Two producers and the consumer at once: a release by the consumer that one producer has seen is seen by the other
/// through the cached head.
#[test]
fn two_producers_against_the_consumer() {
    model(3, || {
        let memory = Arc::new(HeapMemory::new(64));
        assert!(push(&memory, 9, 24));
        let mut consumer = consumer(&memory);
        let threads: Vec<_> = [1_u8, 2]
            .into_iter()
            .map(|value| {
                let memory = Arc::clone(&memory);
                thread::spawn(move || (value, push(&memory, value, 24)))
            })
            .collect();
        let mut values = Vec::new();
        values.extend(pop(&mut consumer));
        consumer.release();
        let mut expected = vec![9];
        for thread in threads {
            let (value, pushed) = thread.join().unwrap();
            if pushed {
                expected.push(value);
            }
        }
        while let Some(value) = pop(&mut consumer) {
            values.push(value);
        }
        values.sort_unstable();
        expected.sort_unstable();
        assert_eq!(values, expected);
    });
}

/// A claim that is given up becomes padding: it is passed over, and what comes after it is read.
#[test]
fn an_abandoned_claim_against_the_consumer() {
    model(4, || {
        let memory = Arc::new(HeapMemory::new(64));
        let producer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                let mut claimed = claim(&*memory, 8).expect("the ring is empty");
                claimed.write(|out| out.fill(7));
                drop(claimed);
                push(&memory, 1, 8)
            })
        };
        let mut consumer = consumer(&memory);
        let mut values: Vec<u8> = pop(&mut consumer).into_iter().collect();
        consumer.release();
        assert!(producer.join().unwrap());
        values.extend(std::iter::from_fn(|| pop(&mut consumer)));
        assert_eq!(values, [1]);
        consumer.release();
        assert!(consumer.is_empty());
    });
}

/// Records are acknowledged the wrong way round while a producer waits for their room: nothing is given back before
/// the first is acknowledged, and what is given back is clean.
#[test]
fn acknowledged_out_of_order_against_a_producer_that_finds_the_ring_full() {
    model(4, || {
        let memory = Arc::new(HeapMemory::new(64));
        assert!(push(&memory, 1, 24) && push(&memory, 2, 24));
        let mut consumer = consumer(&memory);
        let Step::Record(first) = consumer.next(false, |bytes| Some(bytes[0])) else { panic!("no first record") };
        let Step::Record(second) = consumer.next(false, |bytes| Some(bytes[0])) else { panic!("no second record") };
        let producer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || [push(&memory, 3, 24), push(&memory, 4, 24)])
        };
        assert!(consumer.ack(second.seq));
        assert!(!consumer.release());
        assert!(consumer.ack(first.seq));
        assert!(consumer.release());
        let pushed = producer.join().unwrap();
        let values: Vec<u8> = std::iter::from_fn(|| pop(&mut consumer)).collect();
        let expected: Vec<u8> = (3..=4).zip(pushed).filter(|(_, pushed)| *pushed).map(|(value, _)| value).collect();
        assert_eq!(values, expected);
    });
}

/// A consumer is replaced between drain and acknowledge: its successor gets the same records again, in order, while
/// the producer goes on.
#[test]
fn a_successor_of_the_consumer_against_a_producer() {
    model(3, || {
        let memory = Arc::new(HeapMemory::new(64));
        let producer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || [push(&memory, 1, 8), push(&memory, 2, 40)])
        };
        let mut killed = consumer(&memory);
        let seen = match killed.next(false, |bytes| Some(bytes[0])) {
            Step::Record(drained) => Some(drained.value),
            _ => None,
        };
        drop(killed);
        let mut successor = consumer(&memory);
        let mut values: Vec<u8> = pop(&mut successor).into_iter().collect();
        successor.release();
        let pushed = producer.join().unwrap();
        values.extend(std::iter::from_fn(|| pop(&mut successor)));
        let expected: Vec<u8> = (1..=2).zip(pushed).filter(|(_, pushed)| *pushed).map(|(value, _)| value).collect();
        assert_eq!(values, expected);
        assert!(seen.is_none() || seen == values.first().copied());
    });
}

/// A producer stops for ever between claim and commit. The consumer waits for it at first; when it is known to be
/// dead, its record is passed over and the other producer's is found, wherever it lies.
#[test]
fn a_producer_that_dies_in_its_claim_beside_one_that_lives() {
    model(3, || {
        let memory = Arc::new(HeapMemory::new(64));
        let dies = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || {
                if let Some(mut torn) = claim(&*memory, 16) {
                    torn.write(|out| out.fill(7));
                    std::mem::forget(torn);
                }
            })
        };
        let lives = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || assert!(push(&memory, 1, 16)))
        };
        let mut consumer = consumer(&memory);
        let mut values: Vec<u8> = pop(&mut consumer).into_iter().collect();
        consumer.release();
        dies.join().unwrap();
        lives.join().unwrap();
        while let Step::Record(drained) = consumer.next(true, |bytes| Some(bytes[0])) {
            assert!(consumer.ack(drained.seq));
            values.push(drained.value);
        }
        assert_eq!(values, [1]);
        consumer.release();
        assert!(consumer.is_empty());
    });
}

/// The count of committed frames is never ahead of what the consumer can see: no frame that is still to come is taken
/// for one that was lost to damage.
#[test]
fn the_count_of_frames_against_the_consumer_that_settles_it() {
    model(4, || {
        let memory = Arc::new(HeapMemory::new(64));
        let mirrored = Arc::new(AtomicU64::new(0));
        let producer = {
            let (memory, mirrored) = (Arc::clone(&memory), Arc::clone(&mirrored));
            thread::spawn(move || {
                for value in [1, 2] {
                    let mut claimed = claim(&*memory, 8).expect("there is room for both");
                    claimed.write(|out| out.fill(value));
                    mirrored.fetch_add(1, Ordering::Release);
                    claimed.commit();
                }
            })
        };
        let mut consumer = consumer(&memory);
        for _ in 0..2 {
            pop(&mut consumer);
            consumer.release();
            consumer.settle(mirrored.load(Ordering::Acquire), |_| true);
        }
        producer.join().unwrap();
        while pop(&mut consumer).is_some() {}
        consumer.release();
        consumer.settle(mirrored.load(Ordering::Acquire), |_| true);
        let journal = &memory.cursors().journal;
        assert_eq!(journal.acked.load(Ordering::Relaxed), 2);
        assert_eq!(journal.corrupt.load(Ordering::Relaxed), 0);
    });
}

/// A producer that has read the tail is overtaken, until the head lies behind what it read: it must neither compute
/// with the difference nor take the ring for full.
#[test]
fn a_tail_that_is_older_than_the_head() {
    model(3, || {
        let memory = Arc::new(HeapMemory::new(64));
        assert!(push(&memory, 9, 24));
        let mut consumer = consumer(&memory);
        assert_eq!(pop(&mut consumer), Some(9));
        consumer.release();
        let overtaken = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || push(&memory, 4, 24))
        };
        let (mut pushed, mut values) = (Vec::new(), Vec::new());
        for value in 1..=3 {
            pushed.extend(push(&memory, value, 24).then_some(value));
            values.extend(pop(&mut consumer));
            consumer.release();
        }
        pushed.extend(overtaken.join().unwrap().then_some(4));
        values.extend(std::iter::from_fn(|| pop(&mut consumer)));
        values.sort_unstable();
        pushed.sort_unstable();
        assert_eq!(values, pushed);
    });
}
