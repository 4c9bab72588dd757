//! One gzip (RFC 1952), zlib (RFC 1950) or raw DEFLATE (RFC 1951) coding, undone piece by piece.
//!
//! Invariant: no more than [`STEP`] bytes come out of a step, and `over` says when more than the bound and a step would,
//! however the bytes are cut. Nothing panics on any bytes.

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// What is decoded at a time.
pub const STEP: usize = 64 * 1024;
const MARK: &[u8] = b"\x1f\x8b\x08";
/// A gzip member's head is of any length; its name and comment are not kept, so only the fixed part is.
const FIXED_HEAD: usize = 10;

/// The compressed bytes are not what they should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// Where in a gzip member the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Between members, or before the first.
    Between,
    /// In the fixed head.
    Head,
    /// In the extra field's length, in the field, in a text that a zero ends, in the head's checksum.
    ExtraLength(u8, u16),
    Extra(u16),
    Text,
    HeadSum(u8),
    /// In the deflated bytes.
    Data,
    /// In the checksum and length behind them.
    Foot,
    /// Behind the last member: nothing more is meant.
    Ended,
}

/// A coding on its way.
pub struct Inflate {
    gzip: bool,
    part: Part,
    flags: u8,
    held: Vec<u8>,
    stream: Option<Decompress>,
    sum: Crc,
    members: u64,
    left: i64,
    /// More came out than the bound and a step.
    pub over: bool,
}

impl Inflate {
    /// `gzip`, else the word `deflate`; `limit` bytes and a step may come out.
    pub fn new(gzip: bool, limit: usize) -> Self {
        Self {
            gzip,
            part: Part::Between,
            flags: 0,
            held: Vec::new(),
            stream: None,
            sum: Crc::new(),
            members: 0,
            left: (limit + STEP) as i64,
            over: false,
        }
    }

    /// Whether the compressed bytes ended early. No byte at all is an empty body.
    pub fn is_cut(&self) -> bool {
        !matches!(self.part, Part::Between | Part::Ended)
    }

    /// Undo `chunk` and give what comes out to `sink`, which says whether to go on.
    pub fn feed(
        &mut self,
        mut chunk: &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<bool, Damaged>,
    ) -> Result<bool, Damaged> {
        while !chunk.is_empty() && !self.over {
            let used = match self.part {
                Part::Ended => return Ok(true),
                Part::Data => {
                    let (used, go_on) = self.data(chunk, sink)?;
                    if !go_on {
                        return Ok(false);
                    }
                    used
                }
                Part::Between => self.between(chunk),
                _ => self.frame(chunk)?,
            };
            chunk = &chunk[used..];
        }
        Ok(!self.over)
    }

    /// Begin a stream, or see that no other one comes. How many bytes it took.
    fn between(&mut self, chunk: &[u8]) -> usize {
        if !self.gzip {
            // Servers disagree on "deflate": most mean zlib, some raw DEFLATE. The low four bits of a zlib stream's first
            // byte are its method, always 8. Bytes after its end mean nothing.
            if self.members > 0 {
                self.part = Part::Ended;
            } else {
                self.stream = Some(Decompress::new(chunk[0] & 0x0f == 8));
                self.part = Part::Data;
            }
            return 0;
        }
        if self.members == 0 {
            self.part = Part::Head;
            return 0;
        }
        // §2.2: members may follow. Anything else behind one is left, as clients and gzip itself do.
        let wanted = MARK[self.held.len()];
        if chunk[0] != wanted {
            self.held.clear();
            self.part = Part::Ended;
            return 1;
        }
        self.held.push(wanted);
        if self.held.len() == MARK.len() {
            self.part = Part::Head;
        }
        1
    }

    /// A step in a gzip member's head or foot.
    fn frame(&mut self, chunk: &[u8]) -> Result<usize, Damaged> {
        let byte = chunk[0];
        match self.part {
            Part::Head => {
                self.held.push(byte);
                let at = self.held.len();
                if at <= MARK.len() && self.held[at - 1] != MARK[at - 1] {
                    return Err(Damaged);
                }
                if at == FIXED_HEAD {
                    self.flags = self.held[3];
                    self.held.clear();
                    if self.flags & 0xe0 != 0 {
                        return Err(Damaged); // reserved
                    }
                    self.next_of_head();
                }
            }
            Part::ExtraLength(0, _) => self.part = Part::ExtraLength(1, u16::from(byte)),
            Part::ExtraLength(_, low) => {
                let length = low | u16::from(byte) << 8;
                self.part = Part::Extra(length);
                if length == 0 {
                    self.next_of_head();
                }
            }
            Part::Extra(left) => {
                let used = chunk.len().min(usize::from(left));
                self.part = Part::Extra(left - used as u16);
                if self.part == Part::Extra(0) {
                    self.next_of_head();
                }
                return Ok(used);
            }
            Part::Text => {
                let end = memchr::memchr(0, chunk);
                if end.is_some() {
                    self.next_of_head();
                }
                return Ok(end.map_or(chunk.len(), |at| at + 1));
            }
            Part::HeadSum(0) => self.part = Part::HeadSum(1),
            Part::HeadSum(_) => self.next_of_head(),
            _ => self.foot(byte)?,
        }
        Ok(1)
    }

    /// The head's next part, by the flags that are left.
    fn next_of_head(&mut self) {
        for (flag, part) in [(4, Part::ExtraLength(0, 0)), (8, Part::Text), (16, Part::Text), (2, Part::HeadSum(0))] {
            if self.flags & flag != 0 {
                self.flags &= !flag;
                self.part = part;
                return;
            }
        }
        self.stream = Some(Decompress::new(false));
        self.sum.reset();
        self.part = Part::Data;
    }

    /// A byte of checksum and length: the member's end.
    fn foot(&mut self, byte: u8) -> Result<(), Damaged> {
        self.held.push(byte);
        if self.held.len() == 8 {
            let right = [self.sum.sum().to_le_bytes(), self.sum.amount().to_le_bytes()].concat();
            if self.held != right {
                return Err(Damaged);
            }
            self.held.clear();
            self.members += 1;
            self.part = Part::Between;
        }
        Ok(())
    }

    /// A step of deflated bytes: how many it took, and whether to go on.
    fn data(
        &mut self,
        chunk: &[u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<bool, Damaged>,
    ) -> Result<(usize, bool), Damaged> {
        let Some(stream) = self.stream.as_mut() else { return Err(Damaged) };
        let mut used = 0;
        loop {
            let mut step = Vec::with_capacity(STEP.min(chunk.len().saturating_mul(4).max(512)));
            let before = stream.total_in();
            let status =
                stream.decompress_vec(&chunk[used..], &mut step, FlushDecompress::None).map_err(|_| Damaged)?;
            used += (stream.total_in() - before) as usize;
            // A full step may have more behind it, though all bytes are taken; an empty one has not.
            let full = !step.is_empty() && step.len() == step.capacity();
            if self.gzip {
                self.sum.update(&step);
            }
            self.left -= step.len() as i64;
            self.over = self.left < 0;
            let go_on = step.is_empty() || sink(&step)?;
            if status == Status::StreamEnd {
                self.stream = None;
                self.part = if self.gzip { Part::Foot } else { Part::Between };
                self.members += u64::from(!self.gzip);
                return Ok((used, go_on));
            }
            if !go_on || self.over || (used == chunk.len() && !full) {
                return Ok((used, go_on));
            }
            if step.is_empty() && stream.total_in() == before {
                return Err(Damaged); // neither taken nor given, and so it would stay
            }
        }
    }
}
