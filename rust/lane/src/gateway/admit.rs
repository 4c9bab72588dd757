//! Admission: one call at the start of a request, which decides whether it is mirrored.
//!
//! Invariant: in the process that opened the lane every request is counted as started, and either holds a ticket or is
//! counted under the reason why it does not. A request that is not taken costs this one call.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Lane;
use super::headers::path_of;
use super::ticket::{Method, Ticket, Timer};
use crate::caps::CapRequest;
use crate::gcra::monotonic_ns;
use crate::latency::Group;
use crate::sampler::{Draw, sticky_take};
use shadowlane_base::Header;
use shadowlane_base::{Reason, guarded};

/// What [`Lane::begin`] says.
pub enum Entry {
    /// The request is mirrored.
    Taken(Ticket),
    /// It is not, and its time is to be compared with the others'.
    Timed(Timer),
    /// It is not.
    Out,
}

impl Lane {
    /// Decide about a request at its start. `None`: it is not mirrored, and counted. `target` is the path as sent; a
    /// query may follow. The request is not part of the trial: see [`Self::begin`].
    pub fn admit<'a>(
        self: &Arc<Self>,
        method: &[u8],
        target: &[u8],
        headers: impl Iterator<Item = Header<'a>>,
    ) -> Option<Ticket> {
        match self.enter(method, target, headers, false) {
            Entry::Taken(ticket) => Some(ticket),
            Entry::Timed(_) | Entry::Out => None,
        }
    }

    /// [`Self::admit`] for a caller that sees the end of every answer: some of the requests that are not mirrored get a
    /// clock, so that the time of those that are can be compared with theirs.
    pub fn begin<'a>(
        self: &Arc<Self>,
        method: &[u8],
        target: &[u8],
        headers: impl Iterator<Item = Header<'a>>,
    ) -> Entry {
        self.enter(method, target, headers, true)
    }

    fn enter<'a>(
        self: &Arc<Self>,
        method: &[u8],
        target: &[u8],
        headers: impl Iterator<Item = Header<'a>>,
        timed: bool,
    ) -> Entry {
        if !self.is_ours() {
            return Entry::Out;
        }
        let entered = if timed { monotonic_ns() } else { 0 };
        // A ring that is closed may be gone at any moment, and with it what is counted there.
        let closed = self.closed.load(Ordering::Acquire);
        let counters = if closed { &self.control.get().fallback } else { self.counters() };
        counters.started.fetch_add(1, Ordering::Relaxed);
        if closed {
            counters.drop_for(Reason::Disabled);
            return Entry::Out;
        }
        let path = path_of(target);
        let decided = guarded(|| self.decide(method, path, headers)).unwrap_or_else(|_| {
            self.fault();
            Err(Reason::Unreadable)
        });
        match decided.and_then(|draw| Method::new(method).map(|method| (draw, method)).ok_or(Reason::Method)) {
            Ok((Draw::Taken, short)) => {
                let ticket = self.ticket(short, timed.then(|| (self.named.index(method, path), entered)));
                ticket.map_or_else(
                    || {
                        counters.drop_for(Reason::Disabled);
                        Entry::Out
                    },
                    Entry::Taken,
                )
            }
            Ok((draw, _)) => {
                counters.drop_for(Reason::SampledOut);
                if draw == Draw::Timed && timed {
                    let route = self.named.index(method, path);
                    let lane = Arc::clone(self);
                    return Entry::Timed(Timer { lane, started_mono: monotonic_ns(), route, group: Group::NotTaken });
                }
                Entry::Out
            }
            Err(reason) => {
                counters.drop_for(reason);
                Entry::Out
            }
        }
    }

    /// The coin's word on an eligible request, when there is room for it; else why it is not mirrored.
    ///
    /// The trial compares requests that were taken with requests that could have been. So everything that decides
    /// eligibility comes before the coin; and what depends on the moment (the caps, the ring's fill), and is checked only
    /// for requests that the coin chose, is checked for those that are to be timed as well.
    fn decide<'a>(
        &self,
        method: &[u8],
        path: &[u8],
        headers: impl Iterator<Item = Header<'a>>,
    ) -> std::result::Result<Draw, Reason> {
        let control = self.control.get();
        let Some(ring) = &self.ring else {
            return Err(Reason::Disabled);
        };
        if !control.is_on() {
            return Err(Reason::Disabled);
        }
        let facts = self.facts(headers);
        if facts.is_copy {
            return Err(Reason::Loop);
        }
        if facts.overrides_method {
            return Err(Reason::Method);
        }
        if let Some(reason) = self.routes.check(method, path) {
            return Err(reason);
        }
        if facts.content_length > self.max_body_bytes {
            return Err(Reason::RequestTooLarge);
        }
        let draw = match &self.sticky {
            None => control.sampler.draw(),
            // Decided when the body is known; whether there is room, too.
            Some((key, _)) if key.needs_body() => {
                return self.refuses(ring, monotonic_ns()).map_or(Ok(Draw::Taken), Err);
            }
            // Without a key there is nothing to be sticky about: one group for all who have none would be in or out
            // as a whole. Such a request is not one of those that the sample is taken from.
            Some((_, ratio)) => match facts.key {
                Some(key) => control.sampler.note(sticky_take(*ratio, &self.salt.to_le_bytes(), key)),
                None => Draw::Out,
            },
        };
        if draw == Draw::Out {
            return Ok(draw);
        }
        let mut request = CapRequest { method, path, tenant: facts.tenant, weight: 1, now_ns: monotonic_ns() };
        request.weight = self.caps.weight(method, path);
        match draw {
            Draw::Taken => {
                if let Some(reason) = self.refuses(ring, request.now_ns) {
                    return Err(reason);
                }
                if !self.charge(&request) {
                    return Err(Reason::Cap);
                }
                Ok(Draw::Taken)
            }
            _ if self.refuses(ring, request.now_ns).is_none() && self.has_room(&request) => Ok(Draw::Timed),
            _ => Ok(Draw::Out),
        }
    }
}
