//! Requests and answers over HTTP/2 connections, many at once over each.
//!
//! Invariant: a request is written once. One that the shadow did not take (GOAWAY, `REFUSED_STREAM`) is said to be so and
//! not sent again. A body is taken from the connection no faster than it is read, and no further than its bound.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Ping, PingPong, Reason, RecvStream, SendStream};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until, timeout};

use crate::answer::{MOST_HEAD_BYTES, Sink};
use crate::collect::Collected;
use crate::connect::Stream;
use crate::fault::{BROKE, ENDED_EARLY, Fault};
use crate::head::Head;
use crate::request::Request;

/// How long a connection without a call is kept. The shadow says it (GOAWAY) when it closes one earlier.
const KEEP: Duration = Duration::from_secs(30);
/// Calls over one connection, whatever more the shadow allows: a lost packet holds up all of them.
const MOST_CALLS: usize = 100;
/// How long the shadow may take to say that it is there.
const PONG: Duration = Duration::from_secs(5);
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

const NOT_TAKEN: Fault = Fault::Transport("the shadow did not take the request (HTTP/2 GOAWAY or REFUSED_STREAM)");
const RESET: Fault = Fault::Transport("the shadow ended the stream (HTTP/2 RST_STREAM)");
const ODD: Fault = Fault::Transport("not an HTTP/2 answer, or its head is too long");

/// A connection, as its calls share it.
pub struct Connection {
    send: SendRequest<Bytes>,
    calls: Cell<usize>,
    idle_since: Cell<Instant>,
    over: Cell<bool>,
    /// A call was left without an answer, or the connection is over.
    doubted: Notify,
}

/// A call's share of a connection.
pub struct Lease {
    connection: Rc<Connection>,
    answered: Cell<bool>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let connection = &self.connection;
        connection.calls.set(connection.calls.get() - 1);
        connection.idle_since.set(Instant::now());
        if !self.answered.get() {
            connection.doubted.notify_one();
        }
    }
}

/// Begin to speak HTTP/2 over a new stream, up to the shadow's settings.
pub async fn open(stream: Stream) -> Result<Rc<Connection>, Fault> {
    let (send, mut connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MOST_HEAD_BYTES as u32)
        .handshake::<_, Bytes>(stream)
        .await
        .map_err(|_| BROKE)?;
    let ping = connection.ping_pong();
    let shared = Rc::new(Connection {
        send,
        calls: Cell::new(0),
        idle_since: Cell::new(Instant::now()),
        over: Cell::new(false),
        doubted: Notify::new(),
    });
    let held = Rc::clone(&shared);
    spawn_local(async move {
        let mut connection = pin!(connection);
        let mut pause = pin!(sleep_until(Instant::now() + KEEP));
        poll_fn(|cx| {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            while pause.as_mut().poll(cx).is_ready() {
                let idle = held.calls.get() == 0;
                if idle && held.idle_since.get().elapsed() >= KEEP {
                    return Poll::Ready(());
                }
                let since = if idle { held.idle_since.get() } else { Instant::now() };
                pause.as_mut().reset(since + KEEP);
            }
            Poll::Pending
        })
        .await;
        held.over.set(true);
        held.doubted.notify_one();
    });
    // The answer comes behind the shadow's settings, which say how many calls it takes at a time.
    if let Some(mut ping) = ping {
        ping.ping(Ping::opaque()).await.map_err(|_| BROKE)?;
        spawn_local(watch(Rc::clone(&shared), ping));
    }
    Ok(shared)
}

/// Behind a call without an answer, ask whether anybody is there. A connection that a router has forgotten says nothing, and
/// would take calls until the system gives it up, a quarter of an hour later.
async fn watch(connection: Rc<Connection>, mut ping: PingPong) {
    loop {
        connection.doubted.notified().await;
        if connection.over.get() {
            return;
        }
        if !matches!(timeout(PONG, ping.ping(Ping::opaque())).await, Ok(Ok(_))) {
            connection.over.set(true);
            return;
        }
    }
}

/// A share of the first connection that has room for another call. Those that are over are left out from then on.
pub fn lease(connections: &RefCell<Vec<Rc<Connection>>>) -> Option<Lease> {
    let mut connections = connections.borrow_mut();
    connections.retain(|one| !one.over.get());
    let found = connections.iter().find(|one| one.calls.get() < MOST_CALLS.min(one.send.current_max_send_streams()))?;
    found.calls.set(found.calls.get() + 1);
    Some(Lease { connection: Rc::clone(found), answered: Cell::new(false) })
}

impl Lease {
    /// Send the request and read the answer. `None`: the connection takes no more, and nothing was sent.
    pub async fn exchange(&self, request: &Request, authority: &str, got: &mut Collected) -> Option<Result<(), Fault>> {
        let head = match request.http2(authority) {
            Ok(head) => head,
            Err(fault) => return Some(Err(fault)),
        };
        let Ok(mut handle) = self.connection.send.clone().ready().await else {
            self.connection.over.set(true);
            return None;
        };
        let (response, stream) = match handle.send_request(head, request.body.is_empty()) {
            Ok(begun) => begun,
            Err(error) => return Some(Err(fault_of(&error))),
        };
        drop(handle);
        let mut sending = pin!(send_body(stream, Bytes::copy_from_slice(&request.body)));
        let mut sent = request.body.is_empty();
        // An answer may come before the request's last byte. Whatever ends the request early, the answer tells.
        let mut send_on = move |cx: &mut Context<'_>| sent = sent || sending.as_mut().poll(cx).is_ready();
        let mut response = pin!(response);
        let answered = poll_fn(|cx| {
            send_on(cx);
            response.as_mut().poll(cx)
        });
        let response = match answered.await {
            Ok(response) => response,
            Err(error) => return Some(Err(fault_of(&error))),
        };
        self.answered.set(true);
        let (parts, mut body) = response.into_parts();
        Some(match got.head(head_of(&parts)) {
            Ok(()) => read(&mut body, &mut send_on, got).await,
            Err(fault) => Err(fault),
        })
    }
}

async fn read(
    body: &mut RecvStream,
    send_on: &mut impl FnMut(&mut Context<'_>),
    got: &mut Collected,
) -> Result<(), Fault> {
    loop {
        let piece = poll_fn(|cx| {
            send_on(cx);
            body.poll_data(cx)
        });
        match piece.await {
            None => return Ok(()),
            Some(Ok(piece)) => {
                let _ = body.flow_control().release_capacity(piece.len());
                if !got.body(&piece)? {
                    return Ok(());
                }
            }
            Some(Err(error)) if error.is_reset() && error.reason() == Some(Reason::NO_ERROR) => return Ok(()),
            Some(Err(_)) => return Err(ENDED_EARLY),
        }
    }
}

async fn send_body(mut stream: SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let Some(capacity) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return Ok(()) };
        let piece = body.split_to(capacity?.min(body.len()));
        if !piece.is_empty() {
            stream.send_data(piece, body.is_empty())?;
        }
    }
    Ok(())
}

fn head_of(parts: &http::response::Parts) -> Head {
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    let coded = parts.headers.get_all(http::header::CONTENT_ENCODING).iter();
    let words: Vec<_> = coded.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    Head { status: parts.status.as_u16(), headers, encoding: words.join(", ") }
}

fn fault_of(error: &h2::Error) -> Fault {
    if error.reason() == Some(Reason::REFUSED_STREAM) || (error.is_go_away() && error.is_remote()) {
        NOT_TAKEN
    } else if error.is_reset() && error.is_remote() {
        RESET
    } else if error.is_io() {
        BROKE
    } else {
        ODD
    }
}
