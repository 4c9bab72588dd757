//! The offer: one call after the answer's last byte, which copies the exchange into the ring as one frame.
//!
//! Invariants: the ticket is consumed and counted whatever happens, a panic included; an exchange is counted as mirrored
//! before its frame can be read; a body is copied once, into the ring.

use std::sync::atomic::Ordering;

use super::Lane;
use super::headers::path_of;
use super::ticket::Ticket;
use crate::caps::CapRequest;
use crate::files::RingFile;
use crate::gcra::monotonic_ns;
use crate::latency::Group;
use crate::sampler::{Draw, sticky_take};
use shadowlane_base::{Reason, guarded};
use shadowlane_ring::claim;
use shadowlane_ring::frame::{self, Exchange};

impl Lane {
    /// Copy an exchange into the ring; `false` when it was dropped (and counted). Consumes the ticket either way.
    ///
    /// `exchange.shadow_id`, `method`, `started_ns` and `duration_ns` are filled here; with [`frame::FLAG_TOLD`] or
    /// [`frame::FLAG_TIMED`] the duration is the one that was told. A response body over the bound is cut and flagged; a
    /// request body over it is not mirrored.
    pub fn offer(&self, mut ticket: Ticket, exchange: Exchange<'_>) -> bool {
        if !std::mem::take(&mut ticket.open) || !self.is_ours() {
            return false;
        }
        // It may have been handed over from the lane that admitted it.
        self.settle(&ticket).put_in(&ticket, exchange)
    }

    fn put_in(&self, ticket: &Ticket, exchange: Exchange<'_>) -> bool {
        let offered = if ticket.timed.is_some() { monotonic_ns() } else { 0 };
        let write = || self.choose(ticket, &exchange).and_then(|()| self.write(ticket, exchange));
        let written = guarded(write).unwrap_or_else(|_| {
            self.fault();
            Err(Reason::Unreadable)
        });
        // A copy that fails now was no less a burden: the trial counts it as taken.
        if let Some(route) = ticket.timed {
            let group = if written == Err(Reason::SampledOut) { Group::NotTaken } else { Group::Taken };
            self.record(route, group, ticket.started_mono);
            if group == Group::Taken {
                self.record_direct(ticket.admitted_in, offered);
            }
        }
        if let Err(reason) = written {
            self.counters().drop_for(reason);
        }
        written.is_ok()
    }

    /// The choice by a key of the body, before anything is copied.
    fn choose(&self, ticket: &Ticket, exchange: &Exchange<'_>) -> std::result::Result<(), Reason> {
        let Some((key, ratio)) = self.sticky.as_ref().filter(|(key, _)| key.needs_body()) else {
            return Ok(());
        };
        let found = match exchange.body {
            [] => None,
            [one] => key.find_in_body(one),
            // Only here is a body copied before it is chosen: at most `max_body_bytes` of it.
            many if total(many) <= self.max_body_bytes => key.find_in_body(&many.concat()),
            _ => return Err(Reason::RequestTooLarge),
        };
        let found = found.ok_or(Reason::SampledOut)?;
        let control = self.control.get();
        if control.sampler.note(sticky_take(*ratio, &self.salt.to_le_bytes(), &found)) != Draw::Taken {
            return Err(Reason::SampledOut);
        }
        let tenant = self.caps.tenant_key().and_then(|key| exchange.headers.iter().find_map(|(n, v)| key.find(n, v)));
        let (method, path) = (ticket.method.get(), path_of(exchange.target));
        let weight = self.caps.weight(method, path);
        let request = CapRequest { method, path, tenant, weight, now_ns: monotonic_ns() };
        if self.charge(&request) { Ok(()) } else { Err(Reason::Cap) }
    }

    fn write(&self, ticket: &Ticket, exchange: Exchange<'_>) -> std::result::Result<(), Reason> {
        let Some(ring) = self.ring.as_ref().filter(|_| !self.closed.load(Ordering::Acquire)) else {
            return Err(Reason::Disabled);
        };
        if total(exchange.body) > self.max_body_bytes {
            return Err(Reason::RequestTooLarge);
        }
        if total(exchange.response_body) > self.max_body_bytes {
            let (whole, piece) = cut(exchange.response_body, self.max_body_bytes);
            let mut pieces = Vec::with_capacity(whole.len() + 1);
            pieces.extend_from_slice(whole);
            pieces.push(piece);
            let flags = exchange.flags | frame::FLAG_RESPONSE_CUT;
            return self.put(ring, ticket, Exchange { response_body: &pieces, flags, ..exchange });
        }
        self.put(ring, ticket, exchange)
    }

    fn put<'a>(
        &self,
        ring: &RingFile,
        ticket: &'a Ticket,
        mut exchange: Exchange<'a>,
    ) -> std::result::Result<(), Reason> {
        exchange.shadow_id = ticket.id;
        exchange.method = ticket.method.get();
        exchange.started_ns = ticket.started_ns;
        if exchange.flags & (frame::FLAG_TOLD | frame::FLAG_TIMED) == 0 {
            exchange.duration_ns = monotonic_ns().saturating_sub(ticket.started_mono);
        }
        let size = exchange.size().ok_or(Reason::RingFull)?;
        let mut claim = claim(ring, size as u64).ok_or(Reason::RingFull)?;
        if !claim.write(|out| exchange.encode(out)) {
            return Err(Reason::RingFull);
        }
        // Before the commit: a worker must never read a frame that is not counted yet. Release: who reads this count
        // sees the claims of all that it counts, which `Consumer::settle` needs.
        self.counters().mirrored.fetch_add(1, Ordering::Release);
        claim.commit();
        Ok(())
    }
}

fn total(pieces: &[&[u8]]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

/// The pieces that fit whole into `limit` bytes, and the part of the next one that still fits.
fn cut<'a>(pieces: &'a [&'a [u8]], limit: u64) -> (&'a [&'a [u8]], &'a [u8]) {
    let mut room = limit as usize;
    for (index, piece) in pieces.iter().enumerate() {
        if piece.len() > room {
            return (&pieces[..index], &piece[..room]);
        }
        room -= piece.len();
    }
    (pieces, &[])
}
