//! The consumer and a producer over a ring whose memory holds anything, cursors included.
#![no_main]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use libfuzzer_sys::fuzz_target;
use shadowlane_ring::{Consumer, HeapMemory, Memory, Step, claim};

const CAPACITY: u64 = 256;

fuzz_target!(|data: &[u8]| {
    let mut words = data.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
    let mut next = || words.next().unwrap_or_default();
    let memory = Arc::new(HeapMemory::new(CAPACITY));
    let cursors = memory.cursors();
    for word in [&cursors.head.0, &cursors.tail.0, &cursors.head_cache.0, &cursors.journal.clear_to] {
        // Near each other and small as often as not, or no state would make sense.
        let value = next();
        word.store(if value & 1 == 0 { (value >> 1) % 1024 * 8 } else { value }, Ordering::SeqCst);
    }
    let dead = next() & 1 == 1;
    for index in 0..CAPACITY / 8 {
        memory.word(index * 8).store(next(), Ordering::SeqCst);
    }
    let mut consumer = Consumer::new(Arc::clone(&memory));
    for round in 0..64 {
        if let Some(mut claim) = claim(&*memory, round * 3 % 70) {
            claim.write(|out| out.fill(1));
            claim.commit();
        }
        match consumer.next(dead, |bytes| (bytes.first() != Some(&0)).then_some(())) {
            Step::Record(drained) => assert!(consumer.ack(drained.seq)),
            Step::Broken => assert!(consumer.is_broken()),
            Step::Empty | Step::Blocked => {}
        }
        consumer.release();
        consumer.settle(round, |_| true);
    }
});
