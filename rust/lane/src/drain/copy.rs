//! What becomes of a frame: sanitized, classified by the policy, hashed.
//!
//! Invariants: every field of a [`DrainedCopy`] that holds what a user or prod sent is sanitized; a request that cannot be
//! read is blocked, and so is one that is not a read both as it came and as it would leave.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::trace;
use crate::hash::{hex32, request_hash};
use crate::keys::StickyKey;
use shadowlane_base::Reason;
use shadowlane_base::{guarded, header};
use shadowlane_policy::{Hints, Policy, Request};
use shadowlane_redact::{Body, Findings, OwnedHeader, Sanitizer, sanitize_response};
use shadowlane_ring::frame::{FLAG_REDELIVERED, FLAG_RESPONSE_CUT, Frame};

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
    /// Prod's trace context, see [`super::trace::context`].
    pub traceparent: String,
}

impl DrainedCopy {
    /// The same, with the ring that it was read from and its number there.
    pub(super) fn at(mut self, ring: u64, seq: u64, redelivered: bool) -> Self {
        (self.ring, self.seq) = (ring, seq);
        // No producer says this, whatever stands in the frame.
        self.flags = (self.flags & !FLAG_REDELIVERED) | if redelivered { FLAG_REDELIVERED } else { 0 };
        self
    }

    /// Of a frame that nobody can read: what its fixed part says, and nothing that a user or prod sent.
    pub(super) fn unreadable(frame: &Frame<'_>, why: String) -> Self {
        Self {
            shadow_id: uuid_text(frame.shadow_id),
            req_hash: String::new(),
            started_ns: frame.started_ns,
            method: String::new(),
            target: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            status: frame.status,
            response_headers: Vec::new(),
            response_body: Vec::new(),
            ttfb_ns: frame.ttfb_ns,
            duration_ns: frame.duration_ns,
            flags: frame.flags,
            blocked: Some(Reason::Unreadable),
            findings: Vec::new(),
            why,
            preset: String::new(),
            normalised: Vec::new(),
            ring: 0,
            seq: 0,
            tenant: String::new(),
            traceparent: String::new(),
        }
    }
}

/// How tenants are distinguished.
pub(super) struct Tenants {
    pub(super) key: Option<StickyKey>,
    pub(super) salt: u64,
}

impl Tenants {
    /// The key is a credential or names a person: only its hash leaves here, salted, so that no list of names undoes it.
    fn of(&self, headers: &[(&[u8], &[u8])]) -> String {
        let value = self.key.as_ref().and_then(|key| headers.iter().find_map(|(name, value)| key.find(name, value)));
        value.map_or_else(String::new, |value| format!("{:016x}", xxh3_64_with_seed(value, self.salt)))
    }
}

/// What a frame needs to become a copy.
pub(super) struct Cleaner {
    pub(super) sanitizer: Sanitizer,
    pub(super) policy: Policy,
    pub(super) hints: Hints,
    /// JSON fields that the request hash leaves out.
    pub(super) ignore: Vec<String>,
    pub(super) tenants: Tenants,
}

impl Cleaner {
    /// What a frame becomes; where it was read is for the caller to fill in. A panic of ours is a copy without contents.
    pub(super) fn copy(&mut self, frame: &Frame<'_>) -> DrainedCopy {
        guarded(|| {
            let copy = self.clean(frame);
            self.learn(&copy);
            copy
        })
        .unwrap_or_else(|fault| DrainedCopy::unreadable(frame, fault.to_string()))
    }

    /// The sanitized and classified exchange.
    fn clean(&self, frame: &Frame<'_>) -> DrainedCopy {
        let mut findings = Findings::default();
        let mut unreadable = Vec::new();
        let headers = self.sanitizer.headers(&trace::without(&frame.headers), false, &mut findings);
        let target = self.sanitizer.target(frame.target, &mut findings);
        let body = self.body(frame, &mut findings);
        let mut class = match &body {
            Ok(body) => self.classify(frame, &target, body),
            Err(why) => {
                // What cannot be read cannot be known to be a read, nor to be free of secrets.
                unreadable.push((format!("unreadable:{why}"), 1));
                Classified::blocked(format!("the body cannot be read: {why}"))
            }
        };
        // Both repeat names of the request, which may hold anything.
        class.why = self.sanitizer.text(&class.why).0;
        for change in &mut class.changes {
            *change = self.sanitizer.text(change).0;
        }
        let body = body.unwrap_or_default();
        let cut = frame.flags & FLAG_RESPONSE_CUT != 0;
        let response =
            sanitize_response(&self.sanitizer, &frame.response_headers, frame.response_body, cut, &mut findings);
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
            body: class.body.unwrap_or(body),
            status: frame.status,
            response_headers: response.headers,
            response_body: response.body,
            ttfb_ns: frame.ttfb_ns,
            duration_ns: frame.duration_ns,
            flags: frame.flags,
            blocked: class.blocked.then_some(Reason::WriteIntent),
            findings: findings.iter().map(|(kind, count)| (kind.to_owned(), count)).chain(unreadable).collect(),
            why: class.why,
            preset: class.preset,
            normalised: class.changes,
            ring: 0,
            seq: 0,
            tenant: self.tenants.of(&frame.headers),
            traceparent: trace::context(&frame.headers),
        }
    }

    fn body(&self, frame: &Frame<'_>, findings: &mut Findings) -> std::result::Result<Vec<u8>, &'static str> {
        if frame.body.is_empty() {
            return Ok(Vec::new());
        }
        let (content_type, encoding) =
            (header(&frame.headers, b"content-type"), header(&frame.headers, b"content-encoding"));
        match self.sanitizer.body(content_type, encoding, frame.body, false, findings) {
            Body::Clean { body, .. } => Ok(body),
            Body::Unreadable(why) => Err(why),
        }
    }

    /// Both the request as it came and the one that would leave must be reads: redaction changes bytes, and what it
    /// changed must not have been what made it a read, nor make it a write.
    fn classify(&self, frame: &Frame<'_>, target: &str, body: &[u8]) -> Classified {
        let length = header(&frame.headers, b"content-length");
        if length.is_some_and(|length| length.trim_ascii() != frame.body.len().to_string().as_bytes()) {
            return Classified::blocked("the body is not as long as its content-length".to_owned());
        }
        let encoded = header(&frame.headers, b"content-encoding").is_some_and(|coding| coding != b"identity");
        let came = if encoded { body } else { frame.body };
        let ask = |target: &[u8], body: &[u8]| {
            let request = Request { method: frame.method, target, headers: &frame.headers, body };
            self.policy.classify(&request, &self.hints)
        };
        let mut verdict = ask(frame.target, came);
        if verdict.effect.is_read() && (came != body || frame.target != target.as_bytes()) {
            verdict = ask(target.as_bytes(), body);
        }
        let mut class = Classified {
            blocked: !verdict.effect.is_read(),
            why: verdict.effect.reason.clone().into_owned(),
            preset: verdict.preset.clone(),
            ..Classified::default()
        };
        if !class.blocked && verdict.inference {
            match self.policy.normalise(verdict, target.as_bytes(), body) {
                Ok(copy) => (class.body, class.changes) = (Some(copy.body), copy.changes),
                Err(why) => (class.blocked, class.why) = (true, why),
            }
        }
        class
    }

    /// Learn from what prod answered which tools only read.
    fn learn(&mut self, copy: &DrainedCopy) {
        if self.policy.uses_hints() && copy.blocked.is_none() && copy.flags & FLAG_RESPONSE_CUT == 0 {
            let path = copy.target.split('?').next().unwrap_or_default();
            self.hints.learn(path, &copy.body, &copy.response_body);
        }
    }
}

/// What the policy makes of a frame.
#[derive(Default)]
struct Classified {
    blocked: bool,
    why: String,
    preset: String,
    body: Option<Vec<u8>>,
    changes: Vec<String>,
}

impl Classified {
    fn blocked(why: String) -> Self {
        Self { blocked: true, why, ..Self::default() }
    }
}

fn uuid_text(id: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(id));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
