//! After a worker that was killed: what it was at work on is tried one frame at a time.
//!
//! Invariants: while a frame of any ring is on trial, nothing else is handed out, and nothing that is new while frames are
//! suspected, so that a worker that dies then was at work on that one frame. A frame is met [`shadowlane_ring::MOST_TRIALS`]
//! times alone at most, and twice among others; then it becomes a copy without contents.
//!
//! Slow shadows answer slowly. So the first worker behind a kill waits [`HURRY_NS`] for all of them together and goes on
//! then; the second one, if that is killed as well, waits for each.

use super::Drainer;
use super::copy::DrainedCopy;
use super::rings::Reader;
use shadowlane_ring::frame::Frame;
use shadowlane_ring::{Consumer, Step};

/// How long a frame on trial is waited for: longer than a shadow may take to answer. Whoever holds it has not died of it.
const TRIAL_NS: u64 = 300_000_000_000;

/// How long the first worker behind a kill waits for the frames on trial, all of them together.
const HURRY_NS: u64 = 15_000_000_000;

impl Drainer {
    /// Hand out a suspected frame, and those that are lost. Returns whether none is left, and others may follow.
    pub(super) fn try_suspects(&mut self, now: u64, copies: &mut Vec<DrainedCopy>) -> bool {
        if !self.readers.iter().any(|reader| reader.consumer.has_suspects()) {
            return true;
        }
        let is_record = |bytes: &[u8]| Frame::decode(bytes).is_ok();
        for reader in &mut self.readers {
            let dead = reader.is_dead(now, self.liveness_every_ns);
            reader.consumer.look_for_suspects(dead, is_record);
        }
        let strict = self.readers.iter().any(|reader| reader.consumer.is_strict());
        let waits = |consumer: &Consumer<_>| consumer.is_trying() || (strict && consumer.is_hurried());
        if self.readers.iter().any(|reader| waits(&reader.consumer)) {
            let wait = if strict { TRIAL_NS } else { self.share_of_hurry() };
            if now.saturating_sub(self.trial_since) < wait {
                return false;
            }
            let go_on = if strict { Consumer::end_trial } else { Consumer::hurry };
            self.readers.iter_mut().for_each(|reader| go_on(&mut reader.consumer));
        }
        self.trial_since = now;
        let _ = self.hurry_until.get_or_insert(now.saturating_add(HURRY_NS));
        let cleaner = &mut self.cleaner;
        for reader in &mut self.readers {
            let dead = reader.is_dead(now, self.liveness_every_ns);
            let mut read = |bytes: &[u8], lost: bool| {
                let frame = Frame::decode(bytes).ok()?;
                Some(if lost { DrainedCopy::unreadable(&frame, LOST.to_owned()) } else { cleaner.copy(&frame) })
            };
            while let Step::Record(drained) = reader.consumer.next_suspect(dead, is_record, &mut read) {
                copies.push(drained.value.at(reader.id, drained.seq, reader.consumer.is_redelivered(drained.seq)));
                if reader.consumer.is_trying() {
                    return false;
                }
            }
        }
        true
    }

    /// How long the frame on trial is waited for, so that all that are suspected have as long together as there is.
    fn share_of_hurry(&self) -> u64 {
        let left = self.hurry_until.map_or(HURRY_NS, |until| until.saturating_sub(self.trial_since));
        left / (self.suspects().max(1) as u64)
    }

    /// How many frames of a worker that was killed are still to be tried, one at a time. At least one for a ring that holds
    /// such frames and was not looked through yet: that is for the next drain to do.
    pub fn suspects(&self) -> usize {
        let of = |reader: &Reader| reader.consumer.suspects().max(usize::from(reader.consumer.has_suspects()));
        self.readers.iter().map(of).sum()
    }
}

const LOST: &str = "the worker's process ended each time that it was at work on this frame";
