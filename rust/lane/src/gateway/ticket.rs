//! What an admitted request holds until its answer has ended, and the clocks of the trial.
//!
//! Invariants: an open ticket is counted exactly once, whoever ends it: the offer, the return, or its own end when it is
//! forgotten; and in the lane where its request counts as started, which is another one when its own was handed over
//! meanwhile. A clock counts when it is stopped, and only in the process that started it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Lane;
use crate::gcra::monotonic_ns;
use crate::latency::Group;
use crate::process::unix_ns;
use shadowlane_base::Reason;

/// An admitted request. Settle it with [`Lane::offer`] or [`Lane::drop_ticket`]; dropping it counts `prod_failed`.
pub struct Ticket {
    pub(super) lane: Arc<Lane>,
    pub(super) started_ns: u64,
    pub(super) started_mono: u64,
    pub(super) id: [u8; 16],
    pub(super) method: Method,
    /// Whether it is part of the trial, and its index among the named routes.
    pub(super) timed: Option<usize>,
    /// How long its admission took, in ns; 0 outside the trial.
    pub(super) admitted_in: u64,
    pub(super) open: bool,
}

/// A clock on a request of the trial. Stop it when the answer has ended; one that is forgotten counts nothing.
pub struct Timer {
    pub(super) lane: Arc<Lane>,
    pub(super) started_mono: u64,
    pub(super) route: usize,
    pub(super) group: Group,
}

impl Timer {
    /// Count the time since the request began.
    pub fn stop(self) {
        self.lane.record(self.route, self.group, self.started_mono);
    }
}

/// A method, inline: a request that is not a read is never admitted, and no read's name is longer.
#[derive(Clone, Copy)]
pub(super) struct Method {
    bytes: [u8; 15],
    length: u8,
}

impl Method {
    pub(super) fn new(method: &[u8]) -> Option<Self> {
        let mut bytes = [0; 15];
        bytes.get_mut(..method.len())?.copy_from_slice(method);
        Some(Self { bytes, length: method.len() as u8 })
    }

    pub(super) fn get(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Ticket {
    /// The lane where this is to be counted, its own or the one that it was handed over to. Asked once, by who closes it.
    fn settle(&self) -> &Lane {
        let mut lane = &self.lane;
        while lane.open.fetch_sub(OPEN, Ordering::AcqRel) & HANDED_OVER != 0 {
            let Some(next) = lane.successor.get() else { break };
            lane = next;
        }
        lane
    }
}

/// In a lane's count of open tickets: one of them, and whether they were handed over.
const OPEN: i64 = 2;
const HANDED_OVER: i64 = 1;

impl Lane {
    /// Close this lane, and hand what is open over to the one that was made in its place: it counts as started there, and
    /// settles there. Which tickets those are one word says, so that each is counted in one lane only, by whatever thread.
    pub fn hand_over(&self, to: &Arc<Self>) {
        if !self.is_ours() || self.successor.set(Arc::clone(to)).is_err() {
            return;
        }
        let open = self.open.fetch_or(HANDED_OVER, Ordering::AcqRel) / OPEN;
        // Below zero for a moment, when some of them settle before this.
        to.open.fetch_add(OPEN * open, Ordering::AcqRel);
        let open = u64::try_from(open).unwrap_or(0);
        self.counters().started.fetch_sub(open, Ordering::AcqRel);
        to.counters().started.fetch_add(open, Ordering::AcqRel);
        // Whoever empties this lane's ring, which may be out of its place: no worker that comes later finds it there.
        let _ = self.reader.set(self.control.get().worker.identity());
        self.close();
    }

    /// The ticket of a request that begins now; `None` when the lane was just handed over. `timed`: its index among the
    /// named routes when it is part of the trial, and when its admission began.
    pub(super) fn ticket(self: &Arc<Self>, method: Method, timed: Option<(usize, u64)>) -> Option<Ticket> {
        if self.open.fetch_add(OPEN, Ordering::AcqRel) & HANDED_OVER != 0 {
            self.open.fetch_sub(OPEN, Ordering::AcqRel);
            return None;
        }
        let (started_ns, started_mono) = (unix_ns(), monotonic_ns());
        Some(Ticket {
            lane: Arc::clone(self),
            started_ns,
            started_mono,
            id: self.next_id(started_ns),
            method,
            timed: timed.map(|(route, _)| route),
            admitted_in: timed.map_or(0, |(_, entered)| started_mono.saturating_sub(entered)),
            open: true,
        })
    }

    /// A UUIDv7 (RFC 9562 §5.7): milliseconds, then a keyed hash of a counter, which no two calls share.
    fn next_id(&self, now_ns: u64) -> [u8; 16] {
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        let low = xxh3_64_with_seed(&number.to_le_bytes(), self.id_seed);
        let high = xxh3_64_with_seed(&low.to_le_bytes(), !self.id_seed);
        let millis = (now_ns / 1_000_000) & 0xffff_ffff_ffff;
        let value = (u128::from(millis) << 80)
            | (0x7 << 76)
            | (u128::from(high & 0xfff) << 64)
            | (0b10 << 62)
            | u128::from(low & 0x3fff_ffff_ffff_ffff);
        value.to_be_bytes()
    }

    /// Give a ticket back with the reason. What comes back is the clock of a request of the trial: whatever became of
    /// its copy, its time counts when its answer ends.
    pub fn drop_ticket(&self, mut ticket: Ticket, reason: Reason) -> Option<Timer> {
        if !std::mem::take(&mut ticket.open) || !self.is_ours() {
            return None;
        }
        self.settle(&ticket).counters().drop_for(reason);
        let lane = Arc::clone(&ticket.lane);
        ticket.timed.map(|route| Timer { lane, started_mono: ticket.started_mono, route, group: Group::Taken })
    }

    /// The lane where a ticket that was just closed is to be counted. A request that began before this process was forked
    /// counts as begun here.
    pub(super) fn settle<'t>(&'t self, ticket: &'t Ticket) -> &'t Self {
        if ticket.lane.is_ours() {
            return ticket.settle();
        }
        self.counters().started.fetch_add(1, Ordering::Relaxed);
        self
    }

    /// Count a time in the trial.
    pub(super) fn record(&self, route: usize, group: Group, started_mono: u64) {
        if let Some(ring) = &self.ring
            && self.is_ours()
        {
            ring.header().latency.record(route, group, monotonic_ns().saturating_sub(started_mono));
        }
    }

    /// Count what the lane's own calls took for a request of the trial that was taken: its admission, and its offer since
    /// `offered`.
    pub(super) fn record_direct(&self, admitted_in: u64, offered: u64) {
        if let Some(ring) = &self.ring
            && self.is_ours()
        {
            ring.header().latency.record_direct(admitted_in + monotonic_ns().saturating_sub(offered));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open && self.lane.is_ours() {
            self.settle().counters().drop_for(Reason::ProdFailed);
        }
    }
}
