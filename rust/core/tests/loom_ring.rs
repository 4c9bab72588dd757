//! Loom models of the ring: every ordering of claim, commit, wrap, full and acknowledge, for the smallest rings.
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p shadowlane-core --release --test loom_ring`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use shadowlane_core::ring::{Consumer, Cursors, HeapMemory, Memory, Step, claim};

struct Shared(Arc<HeapMemory>);

// SAFETY: hands every call on to the memory that the Arc keeps alive.
unsafe impl Memory for Shared {
    fn capacity(&self) -> u64 {
        self.0.capacity()
    }
    fn cursors(&self) -> &Cursors {
        self.0.cursors()
    }
    fn word(&self, at: u64) -> &loom::sync::atomic::AtomicU64 {
        self.0.word(at)
    }
    unsafe fn bytes<R>(&self, at: u64, len: u64, read: impl FnOnce(&[u8]) -> R) -> R {
        // SAFETY: the caller's promise is handed on.
        unsafe { self.0.bytes(at, len, read) }
    }
    unsafe fn bytes_mut<R>(&self, at: u64, len: u64, write: impl FnOnce(&mut [u8]) -> R) -> R {
        // SAFETY: the caller's promise is handed on.
        unsafe { self.0.bytes_mut(at, len, write) }
    }
    unsafe fn zero(&self, at: u64, len: u64) {
        // SAFETY: the caller's promise is handed on.
        unsafe { self.0.zero(at, len) }
    }
}

fn push(memory: &HeapMemory, value: u8, size: u64) -> bool {
    claim(memory, size).is_some_and(|mut claim| {
        claim.write(|out| out.fill(value));
        claim.commit();
        true
    })
}

fn pop(consumer: &mut Consumer<Shared>) -> Option<u8> {
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
    }
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
        let pushed = threads.into_iter().filter(|_| true).map(|thread| thread.join().unwrap()).collect::<Vec<_>>();
        assert_eq!(pushed, [true, true]);
        let mut consumer = Consumer::new(Shared(Arc::clone(&memory)));
        let mut values: Vec<u8> = std::iter::from_fn(|| pop(&mut consumer)).collect();
        values.sort_unstable();
        assert_eq!(values, [1, 2]);
    });
}

/// A producer fills a ring that has room for two records while the consumer drains, acknowledges and releases: the
/// third record reuses memory that the consumer has just zeroed, over the wrap.
#[test]
fn producer_against_consumer_over_the_wrap() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(4);
    model.check(|| {
        let memory = Arc::new(HeapMemory::new(64));
        let producer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || [push(&memory, 1, 16), push(&memory, 2, 16), push(&memory, 3, 16)])
        };
        let mut consumer = Consumer::new(Shared(Arc::clone(&memory)));
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
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let memory = Arc::new(HeapMemory::new(64));
        assert!(push(&memory, 9, 24));
        let mut consumer = Consumer::new(Shared(Arc::clone(&memory)));
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
