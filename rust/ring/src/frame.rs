//! One versioned record for a whole exchange: encoded once by the gateway, decoded once by the worker.
//!
//! Layout, little-endian, no padding between sections:
//!
//! ```text
//!  0  u64  checksum: XXH3-64 of everything after it
//!  8  u16  version (1)      10  u16  status        12  u32  flags
//! 16  [16] shadow id (UUIDv7)
//! 32  u64  started, ns since the Unix epoch
//! 40  u64  time to the response head, ns
//! 48  u64  duration, ns
//! 56  u32 x 6  lengths: method, target, headers, body, response headers, response body
//! 80  the six sections
//! ```
//! A header section is a run of `u32 name length, u32 value length, name, value`.
//!
//! Invariant: [`Frame::decode`] never panics and never reads outside its input, whatever the bytes are; what it
//! accepts has the right checksum and exactly the length that its fields add up to.

use xxhash_rust::xxh3::xxh3_64;

use shadowlane_base::{Error, Header, Result};

/// Version of the layout.
pub const VERSION: u16 = 1;
/// Size of the fixed part in bytes.
pub const FIXED: usize = 80;
const CHECKED_FROM: usize = 8;

/// Prod's response body is kept cut.
pub const FLAG_RESPONSE_CUT: u32 = 1;
/// The client left before prod's answer was complete.
pub const FLAG_CLIENT_DISCONNECTED: u32 = 2;
/// Prod answered in more than one chunk.
pub const FLAG_STREAMED: u32 = 4;
/// A worker that is gone had the frame in its hands, and may have sent it. Set by the drain alone.
pub const FLAG_REDELIVERED: u32 = 8;
// 16 and 32 are Python's (`shadowlane.types`), and pass through as all others do.
/// Telemetry told of the exchange when it was over: its times are those that were told, 0 where none was.
pub const FLAG_TOLD: u32 = 64;
/// Whoever offered the exchange heard of the answer's end later, and told how long it took.
pub const FLAG_TIMED: u32 = 128;

/// What is to be encoded. Bodies come in the pieces in which they passed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exchange<'a> {
    /// UUIDv7 of the copy.
    pub shadow_id: [u8; 16],
    /// Arrival of the request, ns since the Unix epoch.
    pub started_ns: u64,
    /// Time from the arrival to the response head, ns.
    pub ttfb_ns: u64,
    /// Time from the arrival to the end of the response, ns.
    pub duration_ns: u64,
    /// Prod's status code.
    pub status: u16,
    /// `FLAG_*`.
    pub flags: u32,
    /// Request method.
    pub method: &'a [u8],
    /// Path and query as sent.
    pub target: &'a [u8],
    /// Request headers.
    pub headers: &'a [Header<'a>],
    /// Request body.
    pub body: &'a [&'a [u8]],
    /// Response headers.
    pub response_headers: &'a [Header<'a>],
    /// Response body.
    pub response_body: &'a [&'a [u8]],
}

impl Exchange<'_> {
    /// Lengths of the six sections.
    fn sections(&self) -> [usize; 6] {
        let headers = |all: &[Header<'_>]| all.iter().map(|(name, value)| 8 + name.len() + value.len()).sum();
        let body = |all: &[&[u8]]| all.iter().map(|piece| piece.len()).sum();
        [
            self.method.len(),
            self.target.len(),
            headers(self.headers),
            body(self.body),
            headers(self.response_headers),
            body(self.response_body),
        ]
    }

    /// Size of the frame in bytes; `None` when a section is over 4 GiB.
    pub fn size(&self) -> Option<usize> {
        let mut size = FIXED;
        for section in self.sections() {
            u32::try_from(section).ok()?;
            size = size.checked_add(section)?;
        }
        Some(size)
    }

    /// Encode into `out`, which is exactly [`Self::size`] bytes long; `false` (and `out` in any state) when not.
    pub fn encode(&self, out: &mut [u8]) -> bool {
        let mut writer = Writer { out, at: CHECKED_FROM };
        let mut whole = writer.put(&VERSION.to_le_bytes())
            && writer.put(&self.status.to_le_bytes())
            && writer.put(&self.flags.to_le_bytes())
            && writer.put(&self.shadow_id)
            && writer.put(&self.started_ns.to_le_bytes())
            && writer.put(&self.ttfb_ns.to_le_bytes())
            && writer.put(&self.duration_ns.to_le_bytes());
        for section in self.sections() {
            whole = whole && writer.put_length(section);
        }
        whole = whole
            && writer.put(self.method)
            && writer.put(self.target)
            && writer.put_headers(self.headers)
            && self.body.iter().all(|piece| writer.put(piece))
            && writer.put_headers(self.response_headers)
            && self.response_body.iter().all(|piece| writer.put(piece));
        if !whole || writer.at != writer.out.len() {
            return false;
        }
        let checksum = xxh3_64(&out[CHECKED_FROM..]);
        out[..CHECKED_FROM].copy_from_slice(&checksum.to_le_bytes());
        true
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> bool {
        let end = self.at + bytes.len();
        match self.out.get_mut(self.at..end) {
            Some(target) => target.copy_from_slice(bytes),
            None => return false,
        }
        self.at = end;
        true
    }

    fn put_length(&mut self, length: usize) -> bool {
        u32::try_from(length).is_ok_and(|length| self.put(&length.to_le_bytes()))
    }

    fn put_headers(&mut self, headers: &[Header<'_>]) -> bool {
        headers.iter().all(|(name, value)| {
            self.put_length(name.len()) && self.put_length(value.len()) && self.put(name) && self.put(value)
        })
    }
}

/// A decoded frame, borrowed from the ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// UUIDv7 of the copy.
    pub shadow_id: [u8; 16],
    /// Arrival of the request, ns since the Unix epoch.
    pub started_ns: u64,
    /// Time from the arrival to the response head, ns.
    pub ttfb_ns: u64,
    /// Time from the arrival to the end of the response, ns.
    pub duration_ns: u64,
    /// Prod's status code.
    pub status: u16,
    /// `FLAG_*`.
    pub flags: u32,
    /// Request method.
    pub method: &'a [u8],
    /// Path and query as sent.
    pub target: &'a [u8],
    /// Request headers.
    pub headers: Vec<Header<'a>>,
    /// Request body.
    pub body: &'a [u8],
    /// Response headers.
    pub response_headers: Vec<Header<'a>>,
    /// Response body.
    pub response_body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Decode a frame. [`Error::BadFrame`] says what is wrong with it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader { rest: bytes };
        let checksum = reader.u64()?;
        if bytes.len() < FIXED {
            return Err(Error::BadFrame("shorter than its fixed part"));
        }
        if xxh3_64(&bytes[CHECKED_FROM..]) != checksum {
            return Err(Error::BadFrame("wrong checksum"));
        }
        if reader.u16()? != VERSION {
            return Err(Error::BadFrame("unknown version"));
        }
        let status = reader.u16()?;
        let flags = reader.u32()?;
        let shadow_id = reader.array::<16>()?;
        let (started_ns, ttfb_ns, duration_ns) = (reader.u64()?, reader.u64()?, reader.u64()?);
        let mut lengths = [0; 6];
        for length in &mut lengths {
            *length = reader.u32()? as usize;
        }
        let [method, target, headers, body, response_headers, response_body] = lengths;
        let frame = Self {
            shadow_id,
            started_ns,
            ttfb_ns,
            duration_ns,
            status,
            flags,
            method: reader.take(method)?,
            target: reader.take(target)?,
            headers: decode_headers(reader.take(headers)?)?,
            body: reader.take(body)?,
            response_headers: decode_headers(reader.take(response_headers)?)?,
            response_body: reader.take(response_body)?,
        };
        if reader.rest.is_empty() { Ok(frame) } else { Err(Error::BadFrame("longer than its fields")) }
    }
}

fn decode_headers(section: &[u8]) -> Result<Vec<Header<'_>>> {
    let mut reader = Reader { rest: section };
    let mut headers = Vec::new();
    while !reader.rest.is_empty() {
        let (name, value) = (reader.u32()? as usize, reader.u32()? as usize);
        headers.push((reader.take(name)?, reader.take(value)?));
    }
    Ok(headers)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Error::BadFrame("shorter than its fields")),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(Error::BadFrame("shorter than its fields")),
        }
    }

    fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }
}
