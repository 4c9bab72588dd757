//! One request and its answer over an HTTP/1.1 connection.
//!
//! Invariant: a connection is kept only when the whole request was written, and the answer read to its last byte with
//! nothing to repair and nothing behind it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::answer::AnswerReader;
use crate::collect::Collected;
use crate::connect::Stream;
use crate::fault::{BROKE, CLOSED, ENDED_EARLY, Fault};

const READ_BYTES: usize = 16 * 1024;

/// A connection that speaks HTTP/1.1.
pub struct Connection {
    stream: Stream,
    buffer: Box<[u8]>,
}

/// How far the request is.
enum Sending {
    /// So many bytes of it are written; all of them: they are flushed.
    Writing(usize),
    Sent,
    /// The other side takes no more of it. It may have answered.
    Failed,
}

impl Connection {
    /// Over a new stream.
    pub fn new(stream: Stream) -> Self {
        Self { stream, buffer: vec![0; READ_BYTES].into_boxed_slice() }
    }

    /// Send `request` and read the answer, both at once: an answer may come before the request's last byte. Whether the
    /// connection may be used again.
    pub async fn exchange(&mut self, request: &[u8], head_only: bool, got: &mut Collected) -> Result<bool, Fault> {
        let mut reader = AnswerReader::new(head_only);
        let mut sending = Sending::Writing(0);
        while !reader.done() {
            let read = poll_fn(|cx| {
                send(&mut self.stream, cx, request, &mut sending);
                let mut buffer = ReadBuf::new(&mut self.buffer);
                Pin::new(&mut self.stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
            })
            .await;
            // A server that ends TLS without saying so (RFC 8446 §6.1) ends the connection all the same, as clients see it.
            let read = match read {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            };
            match read {
                Ok(0) | Err(_) if !reader.any() => return Err(CLOSED),
                Ok(0) => {
                    reader.eof()?;
                    break;
                }
                Ok(size) => reader.feed(&self.buffer[..size], got)?,
                Err(_) if got.status > 0 => return Err(ENDED_EARLY),
                Err(_) => return Err(BROKE),
            }
        }
        Ok(reader.reusable() && matches!(sending, Sending::Sent))
    }

    /// Ready when the other side has closed the connection, or says something that nobody asked for.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut one = [0; 1];
        Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut one)).map(|_| ())
    }
}

/// Write as much as goes now.
fn send(stream: &mut Stream, cx: &mut Context<'_>, request: &[u8], sending: &mut Sending) {
    loop {
        let done = match *sending {
            Sending::Writing(from) if from < request.len() => {
                Pin::new(&mut *stream).poll_write(cx, &request[from..]).map_ok(|size| match size {
                    0 => Sending::Failed,
                    size => Sending::Writing(from + size),
                })
            }
            Sending::Writing(_) => Pin::new(&mut *stream).poll_flush(cx).map_ok(|()| Sending::Sent),
            Sending::Sent | Sending::Failed => return,
        };
        *sending = match done {
            Poll::Pending => return,
            Poll::Ready(Ok(next)) => next,
            Poll::Ready(Err(_)) => Sending::Failed,
        };
    }
}
