//! After a worker that was killed: what it was at work on is tried one frame at a time.
//!
//! Invariants: while a frame of any ring is on trial, nothing else is handed out, and nothing that is new while frames are
//! suspected, so that a worker that dies then was at work on that one frame. A frame is met three times at most: among
//! others, and [`shadowlane_ring::MOST_TRIALS`] times alone; then it becomes a copy without contents.

use super::Drainer;
use super::copy::DrainedCopy;
use shadowlane_ring::Step;
use shadowlane_ring::frame::Frame;

/// How long a frame on trial is waited for: longer than a shadow may take to answer. Whoever holds it has not died of it.
const TRIAL_NS: u64 = 300_000_000_000;

impl Drainer {
    /// Hand out a suspected frame, and those that are lost. Returns whether none is left, and others may follow.
    pub(super) fn try_suspects(&mut self, now: u64, copies: &mut Vec<DrainedCopy>) -> bool {
        if !self.readers.iter().any(|reader| reader.consumer.has_suspects()) {
            return true;
        }
        if self.readers.iter().any(|reader| reader.consumer.is_trying()) {
            if now.saturating_sub(self.trial_since) < TRIAL_NS {
                return false;
            }
            self.readers.iter_mut().for_each(|reader| reader.consumer.end_trial());
        }
        self.trial_since = now;
        let cleaner = &mut self.cleaner;
        for reader in &mut self.readers {
            let dead = reader.is_dead(now, self.liveness_every_ns);
            let mut read = |bytes: &[u8], lost: bool| {
                let frame = Frame::decode(bytes).ok()?;
                Some(if lost { DrainedCopy::unreadable(&frame, LOST.to_owned()) } else { cleaner.copy(&frame) })
            };
            let is_record = |bytes: &[u8]| Frame::decode(bytes).is_ok();
            while let Step::Record(drained) = reader.consumer.next_suspect(dead, is_record, &mut read) {
                copies.push(drained.value.at(reader.id, drained.seq, reader.consumer.is_redelivered(drained.seq)));
                if reader.consumer.is_trying() {
                    return false;
                }
            }
        }
        true
    }

    /// How many frames of a worker that was killed are still to be tried, one at a time.
    pub fn suspects(&self) -> usize {
        self.readers.iter().map(|reader| reader.consumer.suspects()).sum()
    }
}

const LOST: &str = "the worker's process ended each time that it was at work on this frame";
