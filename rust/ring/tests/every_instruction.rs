//! A kill at every single instruction of a producer and of the consumer.
//!
//! A child runs the code under ptrace(2), one instruction at a time. What the ring's memory holds between two
//! instructions is what a SIGKILL there would leave behind; every such state is taken over by a new consumer, and by
//! a producer that goes on beside it.
#![cfg(all(target_os = "linux", not(loom), not(miri)))]

use std::mem::size_of;
use std::sync::atomic::{AtomicU64, Ordering};

use shadowlane_ring::{Consumer, Cursors, Memory, Step, claim};

const WORDS: usize = 16;

/// A whole ring, as it lies in shared memory.
#[repr(C)]
struct Image {
    cursors: Cursors,
    words: [AtomicU64; WORDS],
}

const IMAGE_WORDS: usize = size_of::<Image>() / 8;

impl Image {
    fn new() -> Box<Self> {
        Box::new(Self { cursors: Cursors::default(), words: [const { AtomicU64::new(0) }; WORDS] })
    }

    /// In memory that a child shares with us. Never unmapped: the process ends soon.
    fn shared() -> &'static Self {
        // SAFETY: a fresh anonymous mapping; all zero is a valid image, and a page satisfies its alignment.
        unsafe {
            let at = libc::mmap(
                std::ptr::null_mut(),
                size_of::<Self>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(at, libc::MAP_FAILED);
            &*at.cast::<Self>()
        }
    }

    fn all(&self) -> &[AtomicU64] {
        // SAFETY: the image is that many words long; its padding, too, is initialised memory in a mapping, and for a
        // boxed image is only stored to.
        unsafe { std::slice::from_raw_parts(std::ptr::from_ref(self).cast(), IMAGE_WORDS) }
    }

    fn state(&self) -> State {
        self.all().iter().map(|word| word.load(Ordering::SeqCst)).collect()
    }

    fn set(&self, state: &[u64]) {
        for (word, value) in self.all().iter().zip(state) {
            word.store(*value, Ordering::SeqCst);
        }
    }
}

type State = Vec<u64>;

struct Ring<'a>(&'a Image);

// SAFETY: `words` is one allocation of 8 * WORDS bytes, aligned to 8, zero when made, that outlives the value.
unsafe impl Memory for Ring<'_> {
    fn capacity(&self) -> u64 {
        8 * WORDS as u64
    }
    fn cursors(&self) -> &Cursors {
        &self.0.cursors
    }
    fn word(&self, at: u64) -> &AtomicU64 {
        &self.0.words[(at / 8) as usize]
    }
    unsafe fn bytes_mut<R>(&self, at: u64, len: u64, write: impl FnOnce(&mut [u8]) -> R) -> R {
        assert!(at + len <= self.capacity());
        let start = self.0.words.as_ptr().cast::<u8>().cast_mut();
        // SAFETY: in bounds; exclusive by this function's contract; atomics may be changed through a shared reference.
        write(unsafe { std::slice::from_raw_parts_mut(start.add(at as usize), len as usize) })
    }
    unsafe fn zero(&self, at: u64, len: u64) {
        // SAFETY: the caller's promise is handed on.
        unsafe { self.bytes_mut(at, len, |part| part.fill(0)) }
    }
}

fn push(image: &Image, value: u8, size: u64) -> bool {
    claim(&Ring(image), size).is_some_and(|mut claim| {
        claim.write(|out| out.fill(value));
        claim.commit();
        true
    })
}

/// The first byte of a whole record; a torn one is no record.
fn whole(bytes: &[u8]) -> Option<u8> {
    let first = *bytes.first()?;
    bytes.iter().all(|byte| *byte == first).then_some(first)
}

/// Take everything out and acknowledge it.
fn drain(image: &Image, producer_is_dead: bool) -> (Vec<u8>, bool) {
    let mut consumer = Consumer::new(Ring(image));
    let mut values = Vec::new();
    let blocked = loop {
        match consumer.next(producer_is_dead, whole) {
            Step::Record(drained) => {
                values.push(drained.value);
                assert!(consumer.ack(drained.seq));
            }
            Step::Empty => break false,
            Step::Blocked => break true,
            Step::Broken => panic!("the cursors make no sense"),
        }
    };
    consumer.release();
    if producer_is_dead {
        assert!(consumer.is_empty());
        assert!(image.words.iter().all(|word| word.load(Ordering::SeqCst) == 0), "what is free is zero");
    }
    (values, blocked)
}

/// Every state of the image while a child runs the code, the first and the last included. `None`: no ptrace here.
fn every_state(image: &Image, run: impl FnOnce()) -> Option<Vec<State>> {
    // SAFETY: the child runs only `run`, which takes no lock that another thread may hold but the allocator's, and
    // glibc makes that one usable after a fork.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: plain system calls; `_exit` runs no destructor.
        unsafe {
            if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0 {
                libc::_exit(77);
            }
            libc::raise(libc::SIGSTOP);
            run();
            libc::_exit(0);
        }
    }
    assert!(child > 0);
    let mut ended = 0;
    // SAFETY: waits for our own child.
    unsafe { libc::waitpid(child, &raw mut ended, 0) };
    if libc::WIFEXITED(ended) {
        eprintln!("skipped: this system lets no process trace its child");
        return None;
    }
    let mut states = vec![image.state()];
    loop {
        // SAFETY: the child is ours and stopped.
        unsafe {
            assert_eq!(libc::ptrace(libc::PTRACE_SINGLESTEP, child, 0, 0), 0);
            libc::waitpid(child, &raw mut ended, 0);
        }
        if libc::WIFEXITED(ended) {
            assert_eq!(libc::WEXITSTATUS(ended), 0);
            return Some(states);
        }
        assert!(libc::WIFSTOPPED(ended) && libc::WSTOPSIG(ended) == libc::SIGTRAP, "the child failed: {ended:#x}");
        let now = image.state();
        if states.last() != Some(&now) {
            states.push(now);
        }
    }
}

/// Move the ring's positions on by that many bytes, in records of 32.
fn advance(image: &Image, bytes: u64) {
    for _ in 0..bytes / 32 {
        assert!(push(image, 0xee, 24));
        assert_eq!(drain(image, false).0, [0xee]);
    }
}

#[test]
fn a_producer_killed_at_any_instruction() {
    // In the middle of the region; up to its very end; over the end, with padding.
    for (start, size) in [(0, 24), (32, 56), (32, 24), (64, 40)] {
        let image = Image::shared();
        advance(image, start);
        assert!(push(image, 1, 24));
        let Some(states) = every_state(image, || assert!(push(image, 2, size))) else { return };
        assert!(states.len() >= 5, "{} states", states.len());
        let mut torn = 0;
        for (number, state) in states.iter().enumerate() {
            let last = number + 1 == states.len();
            for beside in [false, true] {
                let copy = Image::new();
                copy.set(state);
                // Another thread of the process comes after it, before all of them die.
                let beside = beside && push(&copy, 3, 8);
                let left = copy.state();
                let (values, blocked) = drain(&copy, false);
                torn += usize::from(blocked);
                assert!(matches!(values.as_slice(), [1] | [1, 2 | 3] | [1, 2, 3]), "{values:?}");
                assert!(!(last && blocked));
                copy.set(&left);
                let (values, blocked) = drain(&copy, true);
                let mut expected = vec![1];
                expected.extend(values.contains(&2).then_some(2));
                expected.extend(beside.then_some(3));
                assert_eq!(values, expected, "state {number} of {}", states.len());
                assert_eq!(values.contains(&2), last, "whole from the commit on, and only then");
                assert!(!blocked);
                let journal = &copy.cursors.journal;
                assert_eq!(journal.acked.load(Ordering::SeqCst), start / 32 + values.len() as u64);
                assert_eq!(journal.corrupt.load(Ordering::SeqCst), 0);
            }
        }
        assert!(torn > 0);
    }
}

/// What a successor makes of a state: everything is acknowledged once, whoever read it.
fn check_taken_over(state: &[u64], before: u64, beside: bool) {
    let copy = Image::new();
    copy.set(state);
    let beside = beside && push(&copy, 4, 8);
    let (values, _) = drain(&copy, true);
    let (mut read, mut left) = (vec![1, 2, 3], vec![3]);
    if beside {
        read.push(4);
        left.push(4);
    }
    assert!(values == read || values == left, "{values:?}");
    let journal = &copy.cursors.journal;
    assert_eq!(journal.acked.load(Ordering::SeqCst), before + read.len() as u64);
    assert_eq!(journal.corrupt.load(Ordering::SeqCst), 0);
}

#[test]
fn a_consumer_killed_at_any_instruction_and_its_successor_too() {
    // Released memory in one piece, and over the end of the region.
    for start in [0, 96] {
        let image = Image::shared();
        advance(image, start);
        for value in 1..=3 {
            assert!(push(image, value, 24));
        }
        let first = || {
            let mut consumer = Consumer::new(Ring(image));
            for _ in 0..2 {
                let Step::Record(drained) = consumer.next(false, whole) else { panic!("a record is there") };
                assert!(consumer.ack(drained.seq));
            }
            assert!(consumer.release());
        };
        let Some(states) = every_state(image, first) else { return };
        assert!(states.len() >= 6, "{} states", states.len());
        for state in &states {
            for beside in [false, true] {
                check_taken_over(state, start / 32, beside);
            }
            image.set(state);
            let again = every_state(image, || drop(Consumer::new(Ring(image)))).expect("it could be traced before");
            for state in &again {
                check_taken_over(state, start / 32, false);
            }
        }
    }
}

/// One suspect after the other, each acknowledged.
fn try_all(image: &Image) -> Vec<u8> {
    let mut consumer = Consumer::new(Ring(image));
    let mut values = Vec::new();
    let read = |bytes: &[u8], lost: bool| {
        assert!(!lost, "nobody was killed twice over it");
        whole(bytes)
    };
    while let Step::Record(drained) = consumer.next_suspect(true, |bytes| whole(bytes).is_some(), read) {
        assert!(consumer.is_trying());
        values.push(drained.value);
        assert!(consumer.ack(drained.seq));
        consumer.release();
    }
    consumer.leave();
    values
}

#[test]
fn a_consumer_killed_at_any_instruction_of_a_trial() {
    let image = Image::shared();
    for value in 1..=3 {
        assert!(push(image, value, 24));
    }
    let mut killed = Consumer::new(Ring(image));
    while let Step::Record(_) = killed.next(false, whole) {}
    let trial = || {
        let mut consumer = Consumer::new(Ring(image));
        for _ in 0..2 {
            let read = |bytes: &[u8], _: bool| whole(bytes);
            let Step::Record(drained) = consumer.next_suspect(false, |bytes| whole(bytes).is_some(), read) else {
                panic!("a suspect is there")
            };
            if drained.value == 1 {
                assert!(consumer.ack(drained.seq) && consumer.release());
            }
        }
        consumer.leave();
    };
    let Some(states) = every_state(image, trial) else { return };
    assert!(states.len() >= 12, "{} states", states.len());
    for state in &states {
        let copy = Image::new();
        copy.set(state);
        let tried = try_all(&copy);
        let mut sorted = tried.clone();
        sorted.sort_unstable();
        assert!(sorted == [1, 2, 3] || sorted == [2, 3], "{tried:?}");
        assert!(drain(&copy, true).0.is_empty());
        assert_eq!(copy.cursors.journal.acked.load(Ordering::SeqCst), 3);
        assert_eq!(copy.cursors.trial.looked_to.load(Ordering::SeqCst), 0);
    }
}

/// While any of those that are out together is not acknowledged, a successor sees that somebody was tried.
#[test]
fn a_consumer_in_a_hurry_killed_at_any_instruction() {
    let image = Image::shared();
    for value in 1..=3 {
        assert!(push(image, value, 24));
    }
    let mut killed = Consumer::new(Ring(image));
    while let Step::Record(_) = killed.next(false, whole) {}
    // The first two are not waited for, the last one is; they are acknowledged in each order.
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let before = image.state();
        let hurry = || {
            let mut consumer = Consumer::new(Ring(image));
            let mut seqs = [0; 3];
            for seq in &mut seqs {
                consumer.hurry();
                let read = |bytes: &[u8], _: bool| whole(bytes);
                let Step::Record(drained) = consumer.next_suspect(false, |bytes| whole(bytes).is_some(), read) else {
                    panic!("a suspect is there")
                };
                *seq = drained.seq;
            }
            for index in order {
                assert!(consumer.ack(seqs[index]));
            }
        };
        let Some(states) = every_state(image, hurry) else { return };
        assert!(states.len() >= 10, "{} states", states.len());
        let mut changes = vec![false];
        for state in &states {
            let copy = Image::new();
            copy.set(state);
            let mut next = Consumer::new(Ring(&copy));
            next.look_for_suspects(true, |bytes| whole(bytes).is_some());
            if changes.last() != Some(&next.is_strict()) {
                changes.push(next.is_strict());
            }
            let mut tried = try_all(&copy);
            tried.sort_unstable();
            assert_eq!(tried, [1, 2, 3], "none is acknowledged before it is released");
        }
        assert_eq!(changes, [false, true, false], "{order:?}");
        image.set(&before);
    }
}
