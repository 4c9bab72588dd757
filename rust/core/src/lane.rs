//! The gateway's side of a lane: admit a request, offer the exchange, count everything. This is the user path.
//!
//! Invariants: no call here makes a system call (the clock is read through the vDSO), takes a lock, waits or allocates
//! memory that grows with a body; none panics. Every admitted request is counted once: mirrored, or dropped with its
//! reason. A process that was forked from this one counts nothing and writes nothing here until it has a lane of its
//! own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{Error, Result};
use crate::files::{ControlFile, RingFile};
use crate::frame::{self, Exchange, Header};
use crate::gcra::monotonic_ns;
use crate::lanedir;
use crate::layout::Counters;
use crate::process::{fork_generation, random_u64, unix_ns, watch_forks};
use crate::reason::Reason;
use crate::ring::{Memory, claim};
use crate::routes::Routes;
use crate::sampler::sticky_take;

/// The tag that every copy carries.
pub const SHADOW_HEADER: &[u8] = b"x-shadow";

/// Where the key of a sticky sample comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StickyKey {
    /// A header's value.
    Header(Vec<u8>),
    /// A cookie's value (RFC 6265 §4.2.1).
    Cookie(Vec<u8>),
    /// The credential: `authorization`, `x-api-key` or `api-key`. Only its hash decides; it is kept nowhere.
    ApiKey,
}

/// How a lane samples, caps and admits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of the ring's data region: a power of two between 64 KiB and 1 GiB.
    pub ring_bytes: u64,
    /// Bound of a request body; a response body is cut there.
    pub max_body_bytes: u64,
    /// Share of the eligible requests that is taken.
    pub ratio: f64,
    /// Seed of the sampler; `None` is random for each lane.
    pub seed: Option<u64>,
    /// Hard cap over all processes of the lane, requests a second.
    pub qps: f64,
    /// Requests that may come at once under the cap.
    pub burst: u32,
    /// Sample by key instead of by count.
    pub sticky: Option<StickyKey>,
    /// Presets of POST routes that only read: `openai`, `sql:postgres`, ...
    pub presets: Vec<String>,
    /// `METHOD /path [PRESET]` patterns that are reads beyond GET, HEAD and the presets.
    pub read_routes: Vec<String>,
    /// Path patterns; when given, only these are mirrored.
    pub include: Vec<String>,
    /// Path patterns that are never mirrored.
    pub exclude: Vec<String>,
    /// Fill of the ring, in [0, 1], above which admission itself refuses; 1 never does.
    pub shed_above: f64,
}

/// A gateway process's part of a lane.
pub struct Lane {
    control: ControlFile,
    ring: Option<RingFile>,
    ring_error: Option<String>,
    routes: Routes,
    sticky: Option<(StickyKey, f64)>,
    salt: u64,
    max_body_bytes: u64,
    shed_bytes: u64,
    forks: u64,
    id_seed: u64,
    ids: AtomicU64,
}

/// An admitted request. Settle it with [`Lane::offer`] or [`Lane::drop_ticket`]; dropping it counts `prod_failed`.
pub struct Ticket {
    lane: Arc<Lane>,
    started_ns: u64,
    started_mono: u64,
    id: [u8; 16],
    method: Method,
    open: bool,
}

/// A method, inline: a request that is not a read is never admitted, and no read's name is longer.
#[derive(Clone, Copy)]
struct Method {
    bytes: [u8; 15],
    length: u8,
}

impl Method {
    fn new(method: &[u8]) -> Option<Self> {
        let mut bytes = [0; 15];
        bytes.get_mut(..method.len())?.copy_from_slice(method);
        Some(Self { bytes, length: method.len() as u8 })
    }

    fn get(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Lane {
    /// Open a lane for this process, making directory, control file and ring.
    ///
    /// A ring that cannot be made is not an error here: the process then mirrors nothing, counts that, and
    /// [`Self::ring_error`] says why.
    pub fn open(directory: &Path, options: &Options) -> Result<Self> {
        watch_forks();
        if !(0.0..=1.0).contains(&options.shed_above) {
            return Err(Error::Invalid {
                field: "shed_above",
                why: format!("{} is not between 0 and 1", options.shed_above),
            });
        }
        let routes =
            Routes::new(&options.read_routes, &options.include, &options.exclude)?.with_presets(&options.presets)?;
        lanedir::ensure(directory)?;
        let control = ControlFile::open_or_create(directory)?;
        let header = control.get();
        if options.sticky.is_none() {
            configure_sampler(&control, options)?;
        } else if !(0.0..=1.0).contains(&options.ratio) {
            return Err(Error::Invalid { field: "ratio", why: format!("{} is not between 0 and 1", options.ratio) });
        }
        header.cap.configure(options.qps, options.burst)?;
        let id = header.rings.fetch_add(1, Ordering::AcqRel) + 1;
        let (ring, ring_error) = match RingFile::create(directory, id, options.ring_bytes) {
            Ok(ring) => {
                // Tells the worker to look again, now that the file has its name.
                header.rings.fetch_add(1, Ordering::AcqRel);
                (Some(ring), None)
            }
            Err(error @ Error::Invalid { .. }) => return Err(error),
            Err(error) => {
                let text = error.to_string();
                control.note_ring_error(&text);
                (None, Some(text))
            }
        };
        let salt = options.seed.unwrap_or_else(|| header.lane_id[0].load(Ordering::Relaxed));
        Ok(Self {
            shed_bytes: (options.shed_above * options.ring_bytes as f64) as u64,
            control,
            ring,
            ring_error,
            routes,
            sticky: options.sticky.clone().map(|key| (key, options.ratio)),
            salt,
            max_body_bytes: options.max_body_bytes,
            forks: fork_generation(),
            id_seed: random_u64(),
            ids: AtomicU64::new(0),
        })
    }

    /// Why this process has no ring.
    pub fn ring_error(&self) -> Option<&str> {
        self.ring_error.as_deref()
    }

    /// Whether this is the process that opened the lane, and not one forked from it.
    pub fn is_ours(&self) -> bool {
        fork_generation() == self.forks
    }

    fn counters(&self) -> &Counters {
        self.ring.as_ref().map_or(&self.control.get().fallback, |ring| &ring.header().counters)
    }

    /// Decide about a request at its start. `None`: it is not mirrored, and counted. `target` is the path as sent; a
    /// query may follow.
    pub fn admit<'a>(
        self: &Arc<Self>,
        method: &[u8],
        target: &[u8],
        headers: impl Iterator<Item = Header<'a>>,
    ) -> Option<Ticket> {
        if !self.is_ours() {
            return None;
        }
        let counters = self.counters();
        counters.started.fetch_add(1, Ordering::Relaxed);
        let path = memchr::memchr(b'?', target).map_or(target, |at| &target[..at]);
        let decided = self.decide(method, path, headers);
        match decided.and_then(|()| Method::new(method).ok_or(Reason::Method)) {
            Ok(method) => Some(self.ticket(method)),
            Err(reason) => {
                counters.drop_for(reason);
                None
            }
        }
    }

    fn decide<'a>(
        &self,
        method: &[u8],
        path: &[u8],
        headers: impl Iterator<Item = Header<'a>>,
    ) -> std::result::Result<(), Reason> {
        let control = self.control.get();
        let Some(ring) = &self.ring else {
            return Err(Reason::Disabled);
        };
        if control.enabled.load(Ordering::Relaxed) == 0 {
            return Err(Reason::Disabled);
        }
        let facts = self.facts(headers);
        if facts.is_copy {
            return Err(Reason::Loop);
        }
        // Everything that decides eligibility comes before the coin, so that taken and not taken are a fair trial.
        if facts.overrides_method {
            return Err(Reason::Method);
        }
        if let Some(reason) = self.routes.check(method, path) {
            return Err(reason);
        }
        if facts.content_length > self.max_body_bytes {
            return Err(Reason::RequestTooLarge);
        }
        let taken = match &self.sticky {
            None => control.sampler.take(),
            // Without a key there is nothing to be sticky about: one group for all who have none would be in or out
            // as a whole.
            Some((_, ratio)) => facts.key.is_some_and(|key| sticky_take(*ratio, &self.salt.to_le_bytes(), key)),
        };
        if !taken {
            return Err(Reason::SampledOut);
        }
        let cursors = ring.cursors();
        if self.shed_bytes < ring.capacity() {
            let used = cursors.tail.0.load(Ordering::Relaxed) - cursors.head.0.load(Ordering::Relaxed);
            if used > self.shed_bytes {
                return Err(Reason::RingFull);
            }
        }
        if !control.cap.try_acquire_at(monotonic_ns()) {
            return Err(Reason::Cap);
        }
        Ok(())
    }

    fn facts<'a>(&self, headers: impl Iterator<Item = Header<'a>>) -> Facts<'a> {
        let mut facts = Facts::default();
        for (name, value) in headers {
            match name.len() {
                8 if name.eq_ignore_ascii_case(SHADOW_HEADER) => facts.is_copy = true,
                14 if name.eq_ignore_ascii_case(b"content-length") => {
                    facts.content_length = parse_length(value);
                }
                7 if name.eq_ignore_ascii_case(b"upgrade") => facts.overrides_method = true,
                13 | 17 | 22 => facts.overrides_method |= overrides_method(name),
                _ => {}
            }
            if let Some((key, _)) = &self.sticky
                && facts.key.is_none()
            {
                facts.key = key.find(name, value);
            }
        }
        facts
    }

    fn ticket(self: &Arc<Self>, method: Method) -> Ticket {
        let started_ns = unix_ns();
        Ticket {
            lane: Arc::clone(self),
            started_ns,
            started_mono: monotonic_ns(),
            id: self.next_id(started_ns),
            method,
            open: true,
        }
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

    /// Copy an exchange into the ring; `false` when it was dropped (and counted). Consumes the ticket either way.
    ///
    /// `exchange.shadow_id`, `method`, `started_ns` and `duration_ns` are filled here. A response body over the bound is cut and
    /// flagged; a request body over it is not mirrored.
    pub fn offer(&self, mut ticket: Ticket, exchange: Exchange<'_>) -> bool {
        if !ticket.open || !self.is_ours() {
            ticket.open = false;
            return false;
        }
        ticket.open = false;
        match self.write(&ticket, exchange) {
            Ok(()) => true,
            Err(reason) => {
                self.counters().drop_for(reason);
                false
            }
        }
    }

    fn write(&self, ticket: &Ticket, exchange: Exchange<'_>) -> std::result::Result<(), Reason> {
        let Some(ring) = &self.ring else {
            return Err(Reason::Disabled);
        };
        let length = |pieces: &[&[u8]]| pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        if length(exchange.body) > self.max_body_bytes {
            return Err(Reason::RequestTooLarge);
        }
        if length(exchange.response_body) > self.max_body_bytes {
            let (whole, piece) = cut(exchange.response_body, self.max_body_bytes);
            let mut kept = Vec::with_capacity(whole.len() + 1);
            kept.extend_from_slice(whole);
            kept.push(piece);
            let flags = exchange.flags | frame::FLAG_RESPONSE_CUT;
            return self.put(ring, ticket, Exchange { response_body: &kept, flags, ..exchange });
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
        exchange.duration_ns = monotonic_ns().saturating_sub(ticket.started_mono);
        let size = exchange.size().ok_or(Reason::RingFull)?;
        let mut claim = claim(ring, size as u64).ok_or(Reason::RingFull)?;
        if !claim.write(|out| exchange.encode(out)) {
            return Err(Reason::RingFull);
        }
        // Before the commit: a worker must never read a frame that is not counted yet.
        self.counters().mirrored.fetch_add(1, Ordering::Relaxed);
        claim.commit();
        Ok(())
    }

    /// Give a ticket back with the reason.
    pub fn drop_ticket(&self, mut ticket: Ticket, reason: Reason) {
        if std::mem::take(&mut ticket.open) && self.is_ours() {
            self.counters().drop_for(reason);
        }
    }

    /// Seconds since the lane's worker last reported itself; `None` when there is none, or it is dead.
    pub fn worker_heartbeat_age_s(&self) -> Option<f64> {
        crate::status::worker_age_s(self.control.get())
    }

    /// Say that this process will not write to its ring any more.
    pub fn close(&self) {
        if let Some(ring) = &self.ring
            && self.is_ours()
        {
            ring.header().closed.store(1, Ordering::Release);
        }
    }
}

fn configure_sampler(control: &ControlFile, options: &Options) -> Result<()> {
    let sampler = &control.get().sampler;
    if sampler.eligible() == 0 {
        return sampler.configure(options.ratio, options.seed.unwrap_or_else(random_u64));
    }
    // Other processes are counting already: the newest configuration's ratio holds from here on.
    sampler.set_ratio(options.ratio)
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

#[derive(Default)]
struct Facts<'a> {
    is_copy: bool,
    overrides_method: bool,
    content_length: u64,
    key: Option<&'a [u8]>,
}

/// Whether frameworks take the method from this header. WSGI folds `_` into `-`, so both are the same there.
fn overrides_method(name: &[u8]) -> bool {
    [&b"x-http-method"[..], b"x-method-override", b"x-original-method", b"x-http-method-override"].iter().any(|known| {
        name.len() == known.len()
            && name
                .iter()
                .zip(*known)
                .all(|(have, want)| have.eq_ignore_ascii_case(want) || (*have == b'_' && *want == b'-'))
    })
}

/// What is not a number is judged by what really comes.
fn parse_length(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

impl StickyKey {
    fn find<'a>(&self, name: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Self::Header(header) => name.eq_ignore_ascii_case(header).then_some(value),
            Self::ApiKey => {
                let known: [&[u8]; 3] = [b"authorization", b"x-api-key", b"api-key"];
                known.iter().any(|known| name.eq_ignore_ascii_case(known)).then_some(value)
            }
            Self::Cookie(cookie) if name.eq_ignore_ascii_case(b"cookie") => value
                .split(|byte| *byte == b';')
                .find_map(|pair| pair.trim_ascii().strip_prefix(cookie.as_slice())?.strip_prefix(b"=")),
            Self::Cookie(_) => None,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.open && self.lane.is_ours() {
            self.lane.counters().drop_for(Reason::ProdFailed);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.close();
    }
}
