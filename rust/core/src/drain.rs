//! The worker's side of a lane: drain all rings, sanitize, acknowledge, retire the rings of processes that are gone.
//!
//! Invariants: one drainer a lane (the lock file says so); a frame leaves here sanitized or not at all; a ring is
//! removed only when its process is proven dead or has closed it, and everything in it is acknowledged; its counts are
//! folded into the control file in a way that a killed worker's successor completes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{Error, Result};
use crate::files::{ControlFile, RingFile};
use crate::frame::Frame;
use crate::gcra::monotonic_ns;
use crate::hash::{hex32, request_hash};
use crate::keys::StickyKey;
use crate::lanedir::{self, FileLock};
use crate::layout::Totals;
use crate::policy::{Hints, Policy, Request};
use crate::process::Identity;
use crate::reason::Reason;
use crate::ring::{Consumer, Memory, Step};
use crate::sanitize::{Body, Findings, Sanitizer};
use crate::status::ring_ids;
use crate::times::TimesSums;

/// How often a ring's process is looked up, in ns: a look costs a few system calls.
const LIVENESS_EVERY_NS: u64 = 200_000_000;

/// A header, owned.
pub type OwnedHeader = (Vec<u8>, Vec<u8>);

/// A sanitized exchange.
#[derive(Clone, Debug)]
pub struct DrainedCopy {
    /// UUIDv7 in its text form.
    pub shadow_id: String,
    /// 32 hex digits over the sanitized request.
    pub req_hash: String,
    /// Arrival of the request, ns since the Unix epoch.
    pub started_ns: u64,
    /// Request method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Request headers.
    pub headers: Vec<OwnedHeader>,
    /// Request body.
    pub body: Vec<u8>,
    /// Prod's status code.
    pub status: u16,
    /// Prod's response headers.
    pub response_headers: Vec<OwnedHeader>,
    /// Prod's response body.
    pub response_body: Vec<u8>,
    /// Time to prod's response head, ns.
    pub ttfb_ns: u64,
    /// Time to the end of prod's response, ns.
    pub duration_ns: u64,
    /// `frame::FLAG_*`.
    pub flags: u32,
    /// Why the copy must not be sent.
    pub blocked: Option<Reason>,
    /// Redacted values by kind, and `unreadable:<why>` for a body that is left out.
    pub findings: Vec<(String, u64)>,
    /// What the policy says of it, read or write, in words.
    pub why: String,
    /// The preset that its route was found in; empty for GET, HEAD and what the user only declared.
    pub preset: String,
    /// What was changed in the body for the shadow, one line each.
    pub normalised: Vec<String>,
    /// What to acknowledge.
    pub ring: u64,
    /// What to acknowledge.
    pub seq: u64,
    /// Whose request it is: 16 hex digits, a hash of the tenant key's value that means nothing outside this lane's
    /// life; empty without a key.
    pub tenant: String,
}

struct Reader {
    id: u64,
    consumer: Consumer<RingFile>,
    producer: Identity,
    dead: bool,
    looked_ns: u64,
}

impl Reader {
    /// Whether the ring's process is proven dead. Looked up now and then; once dead, dead for ever.
    fn is_dead(&mut self, now_ns: u64) -> bool {
        if !self.dead && now_ns.saturating_sub(self.looked_ns) >= LIVENESS_EVERY_NS {
            self.looked_ns = now_ns;
            self.dead = self.producer.is_dead();
        }
        self.dead
    }

    /// Whether no new record will come. A process that has closed its ring and lives may still be finishing a record
    /// that another of its threads had claimed: such a ring is gone when it is empty, and its claims are waited for.
    fn is_gone(&mut self, now_ns: u64) -> bool {
        self.closed() || self.is_dead(now_ns)
    }

    fn closed(&self) -> bool {
        self.consumer.memory().header().closed.load(Ordering::Acquire) != 0
    }
}

/// How tenants are told apart.
struct Tenants {
    key: Option<StickyKey>,
    salt: u64,
}

impl Tenants {
    /// The key is a credential or names a person: only its hash leaves here, salted, so that no list of names undoes it.
    fn of(&self, headers: &[(&[u8], &[u8])]) -> String {
        let value = self.key.as_ref().and_then(|key| headers.iter().find_map(|(name, value)| key.find(name, value)));
        value.map_or_else(String::new, |value| format!("{:016x}", xxh3_64_with_seed(value, self.salt)))
    }
}

/// Empties a lane's rings.
pub struct Drainer {
    directory: PathBuf,
    control: Arc<ControlFile>,
    sanitizer: Sanitizer,
    policy: Policy,
    hints: Hints,
    ignore: Vec<String>,
    tenants: Tenants,
    readers: Vec<Reader>,
    refused: HashSet<u64>,
    rings_seen: u64,
    listed_ns: u64,
    next: usize,
    acks: Mutex<Vec<(u64, u64)>>,
    _lock: FileLock,
}

impl Drainer {
    /// Become the lane's worker. [`Error::Refused`] when another process is.
    ///
    /// Only GET and HEAD pass, until [`Self::with_policy`] says what else is a read.
    pub fn open(directory: &Path, sanitizer: Sanitizer, ignore: Vec<String>) -> Result<Self> {
        lanedir::ensure(directory)?;
        let lock_path = directory.join("worker.lock");
        let Some(lock) = FileLock::try_lock(&lock_path)? else {
            return Err(Error::Refused {
                path: lock_path,
                why: "another worker has this lane; stop it first, or let it do its work".to_owned(),
            });
        };
        let control = Arc::new(ControlFile::open_or_create(directory)?);
        let salt = control.get().lane_id[1].load(Ordering::Relaxed);
        let me = Identity::current();
        let line = &control.get().worker;
        line.start.store(me.start, Ordering::Relaxed);
        line.namespace.store(me.namespace, Ordering::Relaxed);
        line.heartbeat.store(monotonic_ns(), Ordering::Relaxed);
        line.pid.store(me.pid, Ordering::Release);
        remove_leftovers(directory);
        let mut drainer = Self {
            directory: directory.to_path_buf(),
            control,
            sanitizer,
            policy: Policy::default(),
            hints: Hints::default(),
            ignore,
            tenants: Tenants { key: None, salt },
            readers: Vec::new(),
            refused: HashSet::new(),
            rings_seen: u64::MAX,
            listed_ns: 0,
            next: 0,
            acks: Mutex::new(Vec::new()),
            _lock: lock,
        };
        drainer.finish_retirement();
        drainer.find_rings();
        Ok(drainer)
    }

    /// The same, with the policy that judges every copy before it is handed on.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same, telling the tenants of requests apart by a key.
    #[must_use]
    pub fn with_tenants(mut self, key: Option<StickyKey>) -> Self {
        self.tenants.key = key;
        self
    }

    /// The lane's control file: the cap and what the worker says to admission.
    pub fn control(&self) -> Arc<ControlFile> {
        Arc::clone(&self.control)
    }

    /// Acknowledge a copy: its frame may be forgotten. Takes effect with the next drain. Any thread may call it.
    pub fn ack(&self, ring: u64, seq: u64) {
        let mut acks = self.acks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        acks.push((ring, seq));
    }

    /// Acknowledge many.
    pub fn ack_all(&self, acks: Vec<(u64, u64)>) {
        self.acks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(acks);
    }

    /// Take up to `max_frames` frames, or until `max_bytes` of them are taken, in turn from all rings.
    pub fn drain(&mut self, max_frames: usize, max_bytes: usize) -> Vec<DrainedCopy> {
        self.apply_acks();
        self.find_rings();
        let now = monotonic_ns();
        let mut copies = Vec::new();
        let mut bytes = 0;
        let mut idle = 0;
        while !self.readers.is_empty() && idle < self.readers.len() && copies.len() < max_frames && bytes < max_bytes {
            let index = self.next % self.readers.len();
            self.next = (index + 1) % self.readers.len();
            match self.drain_one(index, now) {
                Some(copy) => {
                    bytes += copy.body.len() + copy.response_body.len();
                    copies.push(copy);
                    idle = 0;
                }
                None => idle += 1,
            }
        }
        self.retire_rings(now);
        copies
    }

    fn drain_one(&mut self, index: usize, now: u64) -> Option<DrainedCopy> {
        let reader = self.readers.get_mut(index)?;
        let dead = reader.is_dead(now);
        let id = reader.id;
        let desk = Desk {
            sanitizer: &self.sanitizer,
            policy: &self.policy,
            hints: &self.hints,
            ignore: &self.ignore,
            tenants: &self.tenants,
        };
        let read = |bytes: &[u8]| Frame::decode(bytes).ok().map(|frame| desk.copy(&frame));
        match reader.consumer.next(dead, read) {
            Step::Record(drained) => {
                let mut copy = drained.value;
                copy.ring = id;
                copy.seq = drained.seq;
                if self.policy.uses_hints()
                    && copy.blocked.is_none()
                    && copy.flags & crate::frame::FLAG_RESPONSE_CUT == 0
                {
                    let path = copy.target.split('?').next().unwrap_or_default();
                    self.hints.learn(path, &copy.body, &copy.response_body);
                }
                Some(copy)
            }
            Step::Empty | Step::Blocked | Step::Broken => None,
        }
    }

    fn apply_acks(&mut self) {
        let acks = std::mem::take(&mut *self.acks.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for (ring, seq) in acks {
            if let Some(reader) = self.readers.iter_mut().find(|reader| reader.id == ring) {
                reader.consumer.ack(seq);
            }
        }
        for reader in &mut self.readers {
            reader.consumer.release();
            let mirrored = reader.consumer.memory().header().counters.mirrored.load(Ordering::Acquire);
            reader.consumer.settle(mirrored);
        }
    }

    /// Look for rings that are new: when the control file says so, and once a second in any case, since a process may
    /// be killed between naming its file and saying so.
    fn find_rings(&mut self) {
        let rings = self.control.get().rings.load(Ordering::Acquire);
        let now = monotonic_ns();
        if rings == self.rings_seen && now.saturating_sub(self.listed_ns) < 1_000_000_000 {
            return;
        }
        self.rings_seen = rings;
        self.listed_ns = now;
        for id in ring_ids(&self.directory) {
            if self.refused.contains(&id) || self.readers.iter().any(|reader| reader.id == id) {
                continue;
            }
            match RingFile::open(&RingFile::path_of(&self.directory, id)) {
                Ok(ring) => self.readers.push(Reader {
                    id,
                    producer: ring.producer(),
                    consumer: Consumer::new(ring),
                    dead: false,
                    looked_ns: 0,
                }),
                Err(_) => {
                    self.refused.insert(id);
                }
            }
        }
    }

    fn retire_rings(&mut self, now: u64) {
        let mut index = 0;
        while let Some(reader) = self.readers.get_mut(index) {
            if reader.is_gone(now) && reader.consumer.is_empty() {
                let reader = self.readers.swap_remove(index);
                self.retire(&reader);
            } else {
                index += 1;
            }
        }
    }

    /// Fold the counts of a ring that is done into the control file, and remove its file.
    ///
    /// The journal holds the new totals whole before it is in force, so that each step may be repeated by a successor.
    fn retire(&self, reader: &Reader) {
        let header = self.control.get();
        let journal = &reader.consumer.memory().cursors().journal;
        let mut totals = reader.consumer.memory().header().counters.read();
        let acked = journal.acked.load(Ordering::Acquire);
        // What was really committed is what was really read. The rest of what was started and not dropped was in the
        // hands of a process that died.
        totals.mirrored = acked;
        let lost = totals.started.saturating_sub(totals.settled());
        totals.acked = acked;
        totals.corrupt = journal.corrupt.load(Ordering::Acquire).min(lost);
        totals.dropped[Reason::ProducerDied as usize] += lost;
        let mut sum = header.retired.read();
        sum.add(&totals);
        let mut times = TimesSums::default();
        header.retired_times.add_to(&mut times);
        reader.consumer.memory().header().times.add_to(&mut times);
        header.retire_generation.fetch_or(1, Ordering::AcqRel);
        header.retiring.write(&sum);
        header.retiring_times.write(&times);
        header.retire_ring.store(reader.id, Ordering::Release);
        self.finish_retirement();
    }

    fn finish_retirement(&self) {
        let header = self.control.get();
        let ring = header.retire_ring.load(Ordering::Acquire);
        if ring != 0 {
            let sum: Totals = header.retiring.read();
            header.retired.write(&sum);
            let mut times = TimesSums::default();
            header.retiring_times.add_to(&mut times);
            header.retired_times.write(&times);
            // Gone already when a predecessor was killed after this.
            let _ = fs::remove_file(RingFile::path_of(&self.directory, ring));
            header.retire_ring.store(0, Ordering::Release);
        }
        if header.retire_generation.load(Ordering::Acquire) % 2 == 1 {
            header.retire_generation.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Rings whose process lives and has not closed them.
    pub fn live_producers(&self) -> usize {
        self.readers.iter().filter(|reader| !reader.closed() && !reader.producer.is_dead()).count()
    }

    /// Rings that hold something that is not acknowledged.
    pub fn pending(&self) -> usize {
        self.readers.iter().filter(|reader| !reader.consumer.is_empty()).count()
    }

    /// Frames acknowledged by all workers of this lane, with what was acknowledged and not applied yet.
    pub fn acked(&mut self) -> u64 {
        self.apply_acks();
        let live: u64 = self
            .readers
            .iter()
            .map(|reader| reader.consumer.memory().cursors().journal.acked.load(Ordering::Relaxed))
            .sum();
        self.control.get().retired.acked.load(Ordering::Relaxed) + live
    }

    /// The lane's identity.
    pub fn lane_id(&self) -> String {
        self.control.lane_id()
    }

    /// Apply what is acknowledged, retire what is done, and say that there is no worker any more.
    pub fn close(&mut self) {
        self.apply_acks();
        self.retire_rings(u64::MAX);
        let line = &self.control.get().worker;
        if line.pid.load(Ordering::Relaxed) == u64::from(std::process::id()) {
            line.pid.store(0, Ordering::Release);
        }
    }
}

impl Drop for Drainer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Temporary files of processes that were killed while they made one.
fn remove_leftovers(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| {
            let (_, rest) = name.strip_suffix(".tmp")?.rsplit_once('.')?;
            rest.split_once('-')?.0.parse::<u64>().ok()
        });
        if let Some(pid) = pid
            && !Path::new(&format!("/proc/{pid}")).exists()
        {
            // Another worker's successor may have removed it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What a frame needs to become a copy.
struct Desk<'a> {
    sanitizer: &'a Sanitizer,
    policy: &'a Policy,
    hints: &'a Hints,
    ignore: &'a [String],
    tenants: &'a Tenants,
}

impl Desk<'_> {
    fn copy(&self, frame: &Frame<'_>) -> DrainedCopy {
        let mut findings = Findings::default();
        let mut unreadable = Vec::new();
        let headers = self.sanitizer.headers(&frame.headers, false, &mut findings);
        let target = self.sanitizer.target(frame.target, &mut findings);
        let body = self.body(frame, &mut findings);
        let mut judged = match &body {
            Ok(body) => self.judge(frame, &target, body),
            Err(why) => {
                // What cannot be read cannot be known to be a read, nor to be free of secrets.
                unreadable.push((format!("unreadable:{why}"), 1));
                Judgement::blocked(format!("the body cannot be read: {why}"))
            }
        };
        judged.why = self.sanitizer.text(&judged.why).0;
        let body = body.unwrap_or_default();
        let cut = frame.flags & crate::frame::FLAG_RESPONSE_CUT != 0;
        let response =
            sanitize_response(self.sanitizer, &frame.response_headers, frame.response_body, cut, &mut findings);
        unreadable.extend(response.unreadable);
        let method = String::from_utf8_lossy(frame.method).into_owned();
        let borrowed: Vec<(&[u8], &[u8])> =
            headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let ignored: Vec<&str> = self.ignore.iter().map(String::as_str).collect();
        // Of the request as it came: two configurations of the policy give one request the same hash.
        let hash = request_hash(method.as_bytes(), target.as_bytes(), &borrowed, &body, &ignored);
        DrainedCopy {
            shadow_id: uuid_text(frame.shadow_id),
            req_hash: hex32(hash),
            started_ns: frame.started_ns,
            method,
            target,
            headers,
            body: judged.body.unwrap_or(body),
            status: frame.status,
            response_headers: response.headers,
            response_body: response.body,
            ttfb_ns: frame.ttfb_ns,
            duration_ns: frame.duration_ns,
            flags: frame.flags,
            blocked: judged.blocked.then_some(Reason::WriteIntent),
            findings: findings.iter().map(|(kind, count)| (kind.to_owned(), count)).chain(unreadable).collect(),
            why: judged.why,
            preset: judged.preset,
            normalised: judged.changes,
            ring: 0,
            seq: 0,
            tenant: self.tenants.of(&frame.headers),
        }
    }

    fn body(&self, frame: &Frame<'_>, findings: &mut Findings) -> std::result::Result<Vec<u8>, &'static str> {
        if frame.body.is_empty() {
            return Ok(Vec::new());
        }
        let (content_type, encoding) =
            (find(&frame.headers, b"content-type"), find(&frame.headers, b"content-encoding"));
        match self.sanitizer.body(content_type, encoding, frame.body, false, findings) {
            Body::Clean { body, .. } => Ok(body),
            Body::Unreadable(why) => Err(why),
        }
    }

    /// Both the request as it came and the one that would leave must be reads: redaction changes bytes, and what it
    /// changed must not have been what made it a read, nor make it a write.
    fn judge(&self, frame: &Frame<'_>, target: &str, body: &[u8]) -> Judgement {
        let length = find(&frame.headers, b"content-length");
        if length.is_some_and(|length| length.trim_ascii() != frame.body.len().to_string().as_bytes()) {
            return Judgement::blocked("the body is not as long as its content-length".to_owned());
        }
        let encoded = find(&frame.headers, b"content-encoding").is_some_and(|coding| coding != b"identity");
        let came = if encoded { body } else { frame.body };
        let ask = |target: &[u8], body: &[u8]| {
            let request = Request { method: frame.method, target, headers: &frame.headers, body };
            self.policy.judge(&request, self.hints)
        };
        let mut verdict = ask(frame.target, came);
        if verdict.effect.is_read() && (came != body || frame.target != target.as_bytes()) {
            verdict = ask(target.as_bytes(), body);
        }
        let mut judged = Judgement {
            blocked: !verdict.effect.is_read(),
            why: verdict.effect.reason.into_owned(),
            preset: verdict.preset,
            ..Judgement::default()
        };
        if !judged.blocked && verdict.inference {
            match self.policy.normalise(&judged.preset, target.as_bytes(), body) {
                Ok(copy) => (judged.body, judged.changes) = (Some(copy.body), copy.changes),
                Err(why) => (judged.blocked, judged.why) = (true, why),
            }
        }
        judged
    }
}

/// What the policy makes of a frame.
#[derive(Default)]
struct Judgement {
    blocked: bool,
    why: String,
    preset: String,
    body: Option<Vec<u8>>,
    changes: Vec<String>,
}

impl Judgement {
    fn blocked(why: String) -> Self {
        Self { blocked: true, why, ..Self::default() }
    }
}

/// A sanitized response.
pub struct CleanResponse {
    /// Headers that may be kept.
    pub headers: Vec<OwnedHeader>,
    /// The body, decoded; empty when it could not be read.
    pub body: Vec<u8>,
    /// `unreadable:<why>` when the body could not be read.
    pub unreadable: Option<(String, u64)>,
}

/// Sanitize a response, prod's or a shadow's.
pub fn sanitize_response(
    sanitizer: &Sanitizer,
    headers: &[(&[u8], &[u8])],
    body: &[u8],
    cut: bool,
    findings: &mut Findings,
) -> CleanResponse {
    let kept = sanitizer.headers(headers, true, findings);
    let (content_type, encoding) = (find(headers, b"content-type"), find(headers, b"content-encoding"));
    let (body, unreadable) = if body.is_empty() {
        (Vec::new(), None)
    } else {
        match sanitizer.body(content_type, encoding, body, cut, findings) {
            Body::Clean { body, .. } => (body, None),
            Body::Unreadable(why) => (Vec::new(), Some((format!("unreadable:{why}"), 1))),
        }
    };
    CleanResponse { headers: kept, body, unreadable }
}

fn find<'a>(headers: &[(&'a [u8], &'a [u8])], wanted: &[u8]) -> Option<&'a [u8]> {
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
}

fn uuid_text(id: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
