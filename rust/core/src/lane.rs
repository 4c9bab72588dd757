//! The gateway's side of a lane: admit a request, offer the exchange, count everything. This is the user path.
//!
//! Invariants: no call here makes a system call (the clock is read through the vDSO), takes a lock, waits or allocates
//! memory that grows with a body (but for the cut of a response that is too large, and a sticky key in a body that came
//! in pieces); none panics. Every admitted request is counted once: mirrored, or dropped with its
//! reason. A process that was forked from this one counts nothing and writes nothing here until it has a lane of its
//! own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::caps::{Asked, CapOptions, Caps};
use crate::error::{Error, Result};
use crate::files::{ControlFile, RingFile};
use crate::frame::{self, Exchange, Header};
use crate::gcra::monotonic_ns;
pub use crate::keys::StickyKey;
use crate::lanedir;
use crate::layout::Counters;
use crate::policy::route_globs;
use crate::process::{fork_generation, random_u64, unix_ns, watch_forks};
use crate::reason::Reason;
use crate::ring::{Memory, claim};
use crate::routes::{NamedRoutes, Routes};
use crate::sampler::{Draw, sticky_take};
use crate::times::{Group, ROUTES};

/// Bound of the search for a ring number that is free.
const MOST_RINGS: u32 = 10_000;

/// The tag that every copy carries.
pub const SHADOW_HEADER: &[u8] = b"x-shadow";

/// How requests are chosen, as the control file says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Choice {
    /// By count: an exact share, at unpredictable places.
    Ratio = 0,
    /// By a key of the request's head.
    Sticky = 1,
    /// By a key of the request's body: known only when prod has answered.
    StickyBody = 2,
}

impl Choice {
    /// From the control file's word.
    pub fn of(word: u64) -> Self {
        match word {
            1 => Self::Sticky,
            2 => Self::StickyBody,
            _ => Self::Ratio,
        }
    }

    fn by(key: Option<&StickyKey>) -> Self {
        match key {
            None => Self::Ratio,
            Some(key) if key.needs_body() => Self::StickyBody,
            Some(_) => Self::Sticky,
        }
    }
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
    /// Whether admission takes the cap's units: first come, first served. Otherwise the worker takes them, for those
    /// that its reservoirs keep.
    pub cap_at_admission: bool,
    /// Sample by key instead of by count.
    pub sticky: Option<StickyKey>,
    /// What is a read beyond GET and HEAD: presets and `METHOD /path [PRESET]` patterns, see [`Routes::new`].
    pub read_routes: Vec<String>,
    /// Path patterns; when given, only these are mirrored.
    pub include: Vec<String>,
    /// Path patterns that are never mirrored.
    pub exclude: Vec<String>,
    /// Fill of the ring, in [0, 1], above which admission itself refuses; 1 never does.
    pub shed_above: f64,
    /// Caps of routes and tenants, and what requests cost.
    pub caps: CapOptions,
    /// Patterns, `METHOD /path` or `/path`, whose own cost is measured apart, before those of the other fields.
    pub timed_routes: Vec<String>,
}

impl Default for Options {
    /// The values of a configuration that says nothing.
    fn default() -> Self {
        Self {
            ring_bytes: 16 << 20,
            max_body_bytes: 1 << 20,
            ratio: 0.05,
            seed: None,
            qps: 50.0,
            burst: 50,
            cap_at_admission: true,
            sticky: None,
            read_routes: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
            shed_above: 1.0,
            caps: CapOptions::default(),
            timed_routes: Vec::new(),
        }
    }
}

impl Options {
    /// The routes that are told apart in what is measured.
    fn named_routes(&self) -> Vec<String> {
        let capped = self.caps.routes.iter().map(|(pattern, _)| pattern);
        let mut named: Vec<String> = Vec::new();
        // A preset's commonest routes; a pattern without the preset that its third word names.
        let read = self.read_routes.iter().flat_map(|text| match text.splitn(3, ' ').collect::<Vec<_>>().as_slice() {
            [method, path, ..] => vec![format!("{method} {path}")],
            _ => route_globs(text),
        });
        let chosen = self.timed_routes.iter().chain(capped).cloned();
        for pattern in chosen.chain(read).chain(self.include.iter().cloned()) {
            if named.len() < ROUTES - 1 && !named.contains(&pattern) {
                named.push(pattern);
            }
        }
        named
    }
}

/// A gateway process's part of a lane.
pub struct Lane {
    control: ControlFile,
    ring: Option<RingFile>,
    ring_error: Option<String>,
    routes: Routes,
    named: NamedRoutes,
    caps: Caps,
    sticky: Option<(StickyKey, f64)>,
    salt: u64,
    max_body_bytes: u64,
    shed_bytes: u64,
    cap_at_admission: bool,
    closed: AtomicBool,
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
    /// Whether it is part of the trial, and its place among the named routes.
    timed: Option<usize>,
    open: bool,
}

/// A clock on a request of the trial. Stop it when the answer has ended; one that is forgotten counts nothing.
pub struct Timer {
    lane: Arc<Lane>,
    started_mono: u64,
    route: usize,
    group: Group,
}

impl Timer {
    /// Count the time since the request began.
    pub fn stop(self) {
        self.lane.record(self.route, self.group, self.started_mono);
    }
}

/// What [`Lane::begin`] says.
pub enum Entry {
    /// The request is mirrored.
    Taken(Ticket),
    /// It is not, and its time is to be compared with the others'.
    Timed(Timer),
    /// It is not.
    Out,
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
        let routes = Routes::new(&options.read_routes, &options.include, &options.exclude)?;
        let labels = options.named_routes();
        let named = NamedRoutes::new(&labels)?;
        lanedir::ensure(directory)?;
        let control = ControlFile::open_or_create(directory)?;
        let header = control.get();
        configure_sampler(&control, options)?;
        header.cap.change(options.qps, options.burst, monotonic_ns)?;
        let salt = options.seed.unwrap_or_else(|| header.lane_id[0].load(Ordering::Relaxed));
        let caps = Caps::new(&options.caps, &header.caps, options.burst, header.lane_id[1].load(Ordering::Relaxed))?;
        let (ring, ring_error) = match make_ring(directory, &control, options.ring_bytes) {
            Ok(ring) => {
                ring.header().times.name(&labels);
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
        Ok(Self {
            shed_bytes: (options.shed_above * options.ring_bytes as f64) as u64,
            control,
            ring,
            ring_error,
            routes,
            named,
            caps,
            sticky: options.sticky.clone().map(|key| (key, options.ratio)),
            salt,
            max_body_bytes: options.max_body_bytes,
            cap_at_admission: options.cap_at_admission,
            closed: AtomicBool::new(false),
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
        // A ring that is closed may be gone at any moment, and with it what is counted there.
        let closed = self.closed.load(Ordering::Acquire);
        let counters = if closed { &self.control.get().fallback } else { self.counters() };
        counters.started.fetch_add(1, Ordering::Relaxed);
        if closed {
            counters.drop_for(Reason::Disabled);
            return Entry::Out;
        }
        let path = path_of(target);
        let decided = self.decide(method, path, headers);
        match decided.and_then(|draw| Method::new(method).map(|method| (draw, method)).ok_or(Reason::Method)) {
            Ok((Draw::Taken, short)) => Entry::Taken(self.ticket(short, timed.then(|| self.named.place(method, path)))),
            Ok((draw, _)) => {
                counters.drop_for(Reason::SampledOut);
                if draw == Draw::Timed && timed {
                    let route = self.named.place(method, path);
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
    /// eligibility comes before the coin; and what depends on the moment (the caps, the ring's fill) and is asked only
    /// of requests that the coin chose, is asked of those that are to be timed as well.
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
        if control.enabled.load(Ordering::Relaxed) == 0 {
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
        let mut asked = Asked { method, path, tenant: facts.tenant, weight: 1, now_ns: monotonic_ns() };
        asked.weight = self.caps.weight(method, path);
        match draw {
            Draw::Taken => {
                if let Some(reason) = self.refuses(ring, asked.now_ns) {
                    return Err(reason);
                }
                if !self.charge(&asked) {
                    return Err(Reason::Cap);
                }
                Ok(Draw::Taken)
            }
            _ if self.refuses(ring, asked.now_ns).is_none() && self.has_room(&asked) => Ok(Draw::Timed),
            _ => Ok(Draw::Out),
        }
    }

    /// Why nothing is taken at this moment, whatever the request.
    fn refuses(&self, ring: &RingFile, now_ns: u64) -> Option<Reason> {
        if let Some((reason, _)) = self.control.get().throttle.paused_at(now_ns) {
            return Some(reason);
        }
        if self.shed_bytes < ring.capacity() {
            let cursors = ring.cursors();
            // The head first: it may pass a tail that was read before it, and the difference would wrap.
            let head = cursors.head.0.load(Ordering::Acquire);
            let used = cursors.tail.0.load(Ordering::Relaxed).wrapping_sub(head);
            if used > self.shed_bytes {
                return Some(Reason::RingFull);
            }
        }
        None
    }

    /// Whether all caps have room for a request.
    fn has_room(&self, asked: &Asked<'_>) -> bool {
        let control = self.control.get();
        self.caps.have_room(&control.caps, asked)
            && (!self.cap_at_admission || control.has_room(asked.weight, asked.now_ns))
    }

    /// Take a request's units from all caps, or from none but in a race for the last one.
    fn charge(&self, asked: &Asked<'_>) -> bool {
        let control = self.control.get();
        // Looked at first, so that a cap that is used up does not eat the others' units.
        if self.caps.any() && !(self.has_room(asked) && self.caps.take(&control.caps, asked)) {
            return false;
        }
        !self.cap_at_admission || control.take(asked.weight, asked.now_ns)
    }

    fn record(&self, route: usize, group: Group, started_mono: u64) {
        if let Some(ring) = &self.ring
            && self.is_ours()
        {
            ring.header().times.record(route, group, monotonic_ns().saturating_sub(started_mono));
        }
    }

    /// Whether [`Self::admit`] looks at headers of this name; the caller may leave out the others.
    pub fn reads_header(&self, name: &[u8]) -> bool {
        let key = self.sticky.as_ref().map(|(key, _)| key);
        Known::of(name).is_some() || key.into_iter().chain(self.caps.tenant_key()).any(|key| key.reads(name))
    }

    fn facts<'a>(&self, headers: impl Iterator<Item = Header<'a>>) -> Facts<'a> {
        let mut facts = Facts::default();
        for (name, value) in headers {
            match Known::of(name) {
                Some(Known::Tag) => facts.is_copy = true,
                Some(Known::Length) => facts.content_length = parse_length(value),
                Some(Known::Override) => facts.overrides_method = true,
                None => {}
            }
            if let Some((key, _)) = &self.sticky
                && facts.key.is_none()
            {
                facts.key = key.find(name, value);
            }
            if let Some(key) = self.caps.tenant_key()
                && facts.tenant.is_none()
            {
                facts.tenant = key.find(name, value);
            }
        }
        facts
    }

    fn ticket(self: &Arc<Self>, method: Method, timed: Option<usize>) -> Ticket {
        let started_ns = unix_ns();
        Ticket {
            lane: Arc::clone(self),
            started_ns,
            started_mono: monotonic_ns(),
            id: self.next_id(started_ns),
            method,
            timed,
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
        // Open until it is settled, so that a panic in between is counted by the ticket's end.
        let written = self.choose(&ticket, &exchange).and_then(|()| self.write(&ticket, exchange));
        ticket.open = false;
        // A copy that fails now was no less a burden: the trial counts it as taken.
        if let Some(route) = ticket.timed {
            let group = if written == Err(Reason::SampledOut) { Group::NotTaken } else { Group::Taken };
            self.record(route, group, ticket.started_mono);
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
            // The one place where a body is copied before it is chosen: at most `max_body_bytes` of it.
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
        let asked = Asked { method, path, tenant, weight, now_ns: monotonic_ns() };
        if self.charge(&asked) { Ok(()) } else { Err(Reason::Cap) }
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
        // Before the commit: a worker must never read a frame that is not counted yet. Release: who reads this count
        // sees the claims of all that it counts, which `Consumer::settle` needs.
        self.counters().mirrored.fetch_add(1, Ordering::Release);
        claim.commit();
        Ok(())
    }

    /// Give a ticket back with the reason. What comes back is the clock of a request of the trial: whatever became of
    /// its copy, its time counts when its answer ends.
    pub fn drop_ticket(&self, mut ticket: Ticket, reason: Reason) -> Option<Timer> {
        if !std::mem::take(&mut ticket.open) || !self.is_ours() {
            return None;
        }
        self.counters().drop_for(reason);
        let lane = Arc::clone(&ticket.lane);
        ticket.timed.map(|route| Timer { lane, started_mono: ticket.started_mono, route, group: Group::Taken })
    }

    /// Seconds since the lane's worker last reported itself; `None` when there is none, or it is dead.
    pub fn worker_heartbeat_age_s(&self) -> Option<f64> {
        crate::status::worker_age_s(self.control.get())
    }

    /// Count a failure of our own on the user path. A request that admission failed on is not seen, and counts only here.
    pub fn fault(&self) {
        if self.is_ours() {
            let gone = self.closed.load(Ordering::Acquire);
            let counters = if gone { &self.control.get().fallback } else { self.counters() };
            counters.faults.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Say that this process will not write to its ring any more. Requests that come after this are counted under
    /// `disabled`; those that are open are too, or under `producer_died` when the worker has removed the ring by then.
    pub fn close(&self) {
        if self.is_ours() {
            self.closed.store(true, Ordering::Release);
            if let Some(ring) = &self.ring {
                ring.header().closed.store(1, Ordering::Release);
            }
        }
    }
}

/// Make a ring under the lane's next number. Numbers start again when the control file was removed under living
/// processes: one that is taken is passed over.
fn make_ring(directory: &Path, control: &ControlFile, ring_bytes: u64) -> Result<RingFile> {
    let rings = &control.get().rings;
    for _ in 0..MOST_RINGS {
        let id = rings.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(ring) = RingFile::create(directory, id, ring_bytes)? {
            return Ok(ring);
        }
    }
    Err(Error::Refused {
        path: directory.to_path_buf(),
        why: format!("holds {MOST_RINGS} rings of an older control file; stop the lane's processes and remove it"),
    })
}

fn configure_sampler(control: &ControlFile, options: &Options) -> Result<()> {
    let sampler = &control.get().sampler;
    let choice = Choice::by(options.sticky.as_ref());
    control.get().choice.store(choice as u64, Ordering::Relaxed);
    if sampler.eligible() == 0 {
        return sampler.configure(options.ratio, options.seed.unwrap_or_else(random_u64));
    }
    // Other processes are counting already: the newest configuration's ratio holds from here on.
    sampler.set_ratio(options.ratio)
}

/// The target without its query.
fn path_of(target: &[u8]) -> &[u8] {
    memchr::memchr(b'?', target).and_then(|at| target.get(..at)).unwrap_or(target)
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

/// A header that admission acts on.
enum Known {
    /// The request is a copy.
    Tag,
    Length,
    /// The request may be something else than its method says.
    Override,
}

impl Known {
    fn of(name: &[u8]) -> Option<Self> {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            7 if is(b"upgrade") => Some(Self::Override),
            8 if is(SHADOW_HEADER) => Some(Self::Tag),
            14 if is(b"content-length") => Some(Self::Length),
            13 | 17 | 22 if overrides_method(name) => Some(Self::Override),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Facts<'a> {
    is_copy: bool,
    overrides_method: bool,
    content_length: u64,
    key: Option<&'a [u8]>,
    tenant: Option<&'a [u8]>,
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
