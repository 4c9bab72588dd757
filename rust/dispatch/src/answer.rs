//! Reads a shadow's HTTP/1 answer as prod's own clients would.
//!
//! Clients differ in what they put up with: long and many headers, folded lines, line ends without CR, two equal lengths,
//! extensions behind a chunk's size. What one of the usual ones takes is an answer here.
//!
//! Invariants: the same answer however the bytes are cut; `reusable` is false from the first thing that was repaired; no
//! more than one line, and the head's lines up to [`MOST_HEAD_BYTES`], is held; nothing panics on any bytes.

use crate::fault::{ENDED_EARLY, Fault};
use crate::head::{Head, Length, Lines, is_blank, trim};

/// A head with all its lines, and a trailer section: more than httpx takes (100 KiB).
pub const MOST_HEAD_BYTES: usize = 256 * 1024;
/// Of a chunk's size, leading zeros apart: an exabyte.
const MOST_DIGITS: usize = 15;

/// Takes what is read.
pub trait Sink {
    /// The head of the awaited answer, once, before any byte of its body.
    fn head(&mut self, head: Head) -> Result<(), Fault>;
    /// A piece of the body. `false`: no more of it is wanted.
    fn body(&mut self, piece: &[u8]) -> Result<bool, Fault>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Status,
    Header,
    Sized,
    UntilEof,
    ChunkSize,
    ChunkData,
    ChunkEnd {
        after_cr: bool,
    },
    Trailer,
    Complete,
    /// No more is wanted: the bound was met.
    Enough,
}

/// One answer.
pub struct AnswerReader {
    head_only: bool,
    step: Step,
    lines: Lines,
    /// The part of a line that has come.
    line: Vec<u8>,
    head_bytes: usize,
    /// Bytes to come of the body, or of the chunk.
    left: u64,
    any: bool,
    reusable: bool,
}

impl AnswerReader {
    /// `head_only`: it answers a HEAD, so no body follows whatever the head says (RFC 9112 §6.3). Interim answers (1xx) are
    /// read and left out.
    pub fn new(head_only: bool) -> Self {
        Self {
            head_only,
            step: Step::Status,
            lines: Lines::default(),
            line: Vec::new(),
            head_bytes: 0,
            left: 0,
            any: false,
            reusable: true,
        }
    }

    /// Whether the answer's last byte has been read.
    pub fn complete(&self) -> bool {
        self.step == Step::Complete
    }

    /// Whether all that is wanted has been read.
    pub fn done(&self) -> bool {
        matches!(self.step, Step::Complete | Step::Enough)
    }

    /// Whether another request may follow on the connection.
    pub fn reusable(&self) -> bool {
        self.reusable && self.complete()
    }

    /// Whether any byte has come.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Take bytes as received; what comes behind the answer is dropped.
    pub fn feed(&mut self, mut data: &[u8], sink: &mut dyn Sink) -> Result<(), Fault> {
        self.any |= !data.is_empty();
        while !data.is_empty() && !self.done() {
            let used = match self.step {
                Step::Sized | Step::ChunkData => self.sized(data, sink)?,
                Step::UntilEof => {
                    self.pass(data, sink)?;
                    data.len()
                }
                Step::ChunkEnd { after_cr } => self.chunk_end(data[0], after_cr)?,
                _ => self.take_line(data, sink)?,
            };
            data = &data[used..];
        }
        if self.complete() && !data.is_empty() {
            self.reusable = false;
        }
        Ok(())
    }

    /// The connection has ended.
    pub fn eof(&mut self) -> Result<(), Fault> {
        self.reusable = false;
        match self.step {
            Step::Status | Step::Header if self.any => {
                Err(Fault::Transport("the connection was closed within the answer's head"))
            }
            // In the trailers the last chunk has been read: only the empty line is missing.
            Step::Trailer | Step::UntilEof => {
                self.step = Step::Complete;
                Ok(())
            }
            Step::Complete | Step::Enough => Ok(()),
            _ => Err(ENDED_EARLY),
        }
    }

    fn pass(&mut self, piece: &[u8], sink: &mut dyn Sink) -> Result<(), Fault> {
        if !sink.body(piece)? {
            self.step = Step::Enough;
        }
        Ok(())
    }

    fn sized(&mut self, data: &[u8], sink: &mut dyn Sink) -> Result<usize, Fault> {
        let used = usize::try_from(self.left).map_or(data.len(), |left| left.min(data.len()));
        self.left -= used as u64;
        let chunked = self.step == Step::ChunkData;
        self.pass(&data[..used], sink)?;
        if self.left == 0 && self.step != Step::Enough {
            self.step = if chunked { Step::ChunkEnd { after_cr: false } } else { Step::Complete };
        }
        Ok(used)
    }

    fn chunk_end(&mut self, byte: u8, after_cr: bool) -> Result<usize, Fault> {
        self.step = match byte {
            b'\n' => {
                self.reusable &= after_cr;
                self.head_bytes = 0;
                Step::ChunkSize
            }
            b'\r' if !after_cr => Step::ChunkEnd { after_cr: true },
            _ => return Err(Fault::Transport("a chunk is longer than its size")),
        };
        Ok(1)
    }

    /// Up to the next line's end, which is LF or CRLF, and the line when it came whole.
    fn take_line(&mut self, data: &[u8], sink: &mut dyn Sink) -> Result<usize, Fault> {
        const TOO_LONG: Fault = Fault::Transport("its head, a line of it or its trailers are longer than 262144 bytes");
        let end = memchr::memchr(b'\n', data);
        let used = end.map_or(data.len(), |at| at + 1);
        if self.head_bytes + self.line.len() + used > MOST_HEAD_BYTES {
            return Err(TOO_LONG);
        }
        self.line.extend_from_slice(&data[..end.unwrap_or(used)]);
        if self.step == Step::Status {
            let begin = trim(&self.line, |byte| byte == b'\r');
            if !b"HTTP/".starts_with(&begin[..begin.len().min(5)]) {
                return Err(Fault::Transport("not an HTTP answer: it does not begin with HTTP/"));
            }
        }
        if end.is_some() {
            let mut line = std::mem::take(&mut self.line);
            self.head_bytes += line.len() + 1;
            if line.last() == Some(&b'\r') {
                line.pop();
            } else {
                self.reusable = false;
            }
            self.whole_line(&line, sink)?;
            line.clear();
            self.line = line;
        }
        Ok(used)
    }

    fn whole_line(&mut self, line: &[u8], sink: &mut dyn Sink) -> Result<(), Fault> {
        match self.step {
            Step::Status if line.is_empty() => self.reusable = false,
            Step::Status => {
                self.lines.first(line)?;
                self.step = Step::Header;
            }
            Step::Header if line.is_empty() => self.framed(sink)?,
            Step::Header => self.reusable &= self.lines.header(line),
            Step::ChunkSize => {
                self.left = self.chunk_size(line)?;
                self.step = if self.left > 0 { Step::ChunkData } else { Step::Trailer };
            }
            _ if line.is_empty() => self.step = Step::Complete,
            _ => {}
        }
        Ok(())
    }

    fn framed(&mut self, sink: &mut dyn Sink) -> Result<(), Fault> {
        let lines = std::mem::take(&mut self.lines);
        self.head_bytes = 0;
        if lines.is_interim() {
            self.step = Step::Status;
            return Ok(());
        }
        let (head, framing) = lines.framed(self.head_only)?;
        self.reusable &= framing.plain;
        self.step = match framing.length {
            Length::None | Length::Sized(0) => Step::Complete,
            Length::Sized(bytes) => {
                self.left = bytes;
                Step::Sized
            }
            Length::Chunked => Step::ChunkSize,
            Length::UntilEof => Step::UntilEof,
        };
        sink.head(head)
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<u64, Fault> {
        const ODD: Fault = Fault::Transport("a chunk's size is not a hexadecimal number");
        let end = memchr::memchr(b';', line).unwrap_or(line.len());
        let text = trim(&line[..end], is_blank);
        let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) || digits.len() - zeros > MOST_DIGITS {
            return Err(ODD);
        }
        let plain =
            digits.len() == end && line[end..].iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
        self.reusable &= plain;
        Ok(digits.iter().fold(0, |size, digit| size << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0))))
    }
}
