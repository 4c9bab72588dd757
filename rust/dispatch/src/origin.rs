//! One shadow: its connections, and the way of a call over one of them.
//!
//! Invariants: no more calls are out than the shadow's concurrency allows. An idle HTTP/1.1 connection is watched, and
//! closed when the other side closes it, says something that nobody asked for, or after [`KEEP_ALIVE`]. Nothing is sent
//! twice, with one exception, as in other clients (RFC 9110 §9.2.2): a request of an idempotent method, over a connection
//! that had been idle and turns out to be closed, without a byte of an answer.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, oneshot};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::clean::Cleaner;
use crate::collect::Collected;
use crate::connect::{Address, Stream};
use crate::fault::{CLOSED, Fault, STOPPED};
use crate::http1::Connection;
use crate::http2;
use crate::outgoing::Outgoing;
use crate::request::Request;

/// Shorter than the idle time of common servers (5 s), so that they do not close a connection while it is taken anew.
const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// How often a call looks for another HTTP/2 connection when one takes no more calls.
const MOST_MOVES: u32 = 8;

/// A shadow as the caller describes it.
pub struct Target {
    /// Where it is.
    pub address: Address,
    /// Host and port as a request names them.
    pub authority: String,
    /// What its copies' requests are made by, if it gets copies.
    pub outgoing: Option<Arc<Outgoing>>,
    /// Calls that are out at a time.
    pub concurrency: usize,
    /// Of an answer's decoded body, in bytes.
    pub most_bytes: usize,
    /// What sanitizes its answers before they are handed out, if anything does.
    pub cleaner: Option<Cleaner>,
}

/// A shadow and its connections.
pub struct Origin {
    target: Arc<Target>,
    slots: Semaphore,
    idle: RefCell<Vec<Idle>>,
    shared: RefCell<Vec<Rc<http2::Connection>>>,
    /// Which of the two the shadow spoke last; unknown before the first connection over TLS.
    speaks_h2: Cell<Option<bool>>,
    /// Held by the one that connects while that is unknown, or while HTTP/2 connections are shared.
    connecting: Mutex<()>,
}

/// An idle connection: who wants it leaves a way to hand it over.
struct Idle(oneshot::Sender<oneshot::Sender<Connection>>);

/// What a call goes over.
enum Way {
    Own(Connection),
    Shared(http2::Lease),
}

impl Origin {
    /// Without a connection yet.
    pub fn new(target: std::sync::Arc<Target>) -> Self {
        let plain = target.address.tls.is_none();
        Self {
            slots: Semaphore::new(target.concurrency),
            target,
            idle: RefCell::default(),
            shared: RefCell::default(),
            speaks_h2: Cell::new(plain.then_some(false)),
            connecting: Mutex::new(()),
        }
    }

    /// Calls that are out at a time.
    pub fn concurrency(&self) -> usize {
        self.target.concurrency
    }

    /// Of an answer's decoded body, in bytes.
    pub fn most_bytes(&self) -> usize {
        self.target.most_bytes
    }

    /// Send a request and read the answer into `got`. Nothing bounds the time here; who drops this ends the call, and the
    /// connection that it was on.
    pub async fn call(&self, request: &Request, got: &mut Collected) -> Result<(), Fault> {
        let _slot = self.slots.acquire().await.map_err(|_| STOPPED)?;
        let mut wire = None;
        if let Some(connection) = self.idle_one().await {
            let found = self.own(connection, request, &mut wire, got).await;
            if !(found == Err(CLOSED) && request.is_idempotent()) {
                return found;
            }
        }
        for _ in 0..MOST_MOVES {
            match self.way().await? {
                Way::Own(connection) => return self.own(connection, request, &mut wire, got).await,
                Way::Shared(lease) => {
                    if let Some(found) = lease.exchange(request, &self.target.authority, got).await {
                        return found;
                    }
                }
            }
        }
        Err(CLOSED)
    }

    async fn own(
        &self,
        mut connection: Connection,
        request: &Request,
        wire: &mut Option<Vec<u8>>,
        got: &mut Collected,
    ) -> Result<(), Fault> {
        if wire.is_none() {
            *wire = Some(request.http1(&self.target.authority)?);
        }
        let bytes = wire.as_deref().unwrap_or_default();
        if connection.exchange(bytes, request.is_head(), got).await? {
            self.keep(connection);
        }
        Ok(())
    }

    /// A new connection, or a share of an HTTP/2 one.
    async fn way(&self) -> Result<Way, Fault> {
        if self.speaks_h2.get() == Some(false) {
            let stream = self.target.address.connect().await?;
            // There may be several servers behind a name: what was agreed on holds for its connection alone.
            return if stream.is_h2() { self.share(stream).await } else { Ok(Way::Own(Connection::new(stream))) };
        }
        if let Some(lease) = http2::lease(&self.shared) {
            return Ok(Way::Shared(lease));
        }
        let _alone = self.connecting.lock().await;
        if let Some(lease) = http2::lease(&self.shared) {
            return Ok(Way::Shared(lease));
        }
        let stream = self.target.address.connect().await?;
        if !stream.is_h2() {
            self.speaks_h2.set(Some(false));
            return Ok(Way::Own(Connection::new(stream)));
        }
        self.share(stream).await
    }

    /// A new HTTP/2 connection, and a share of it.
    async fn share(&self, stream: Stream) -> Result<Way, Fault> {
        self.speaks_h2.set(Some(true));
        let connection = http2::open(stream).await?;
        self.shared.borrow_mut().push(connection);
        http2::lease(&self.shared).map(Way::Shared).ok_or(CLOSED)
    }

    /// The connection that was used last, if one is still open.
    async fn idle_one(&self) -> Option<Connection> {
        loop {
            let Idle(ask) = self.idle.borrow_mut().pop()?;
            let (give, given) = oneshot::channel();
            if ask.send(give).is_ok()
                && let Ok(connection) = given.await
            {
                return Some(connection);
            }
        }
    }

    fn keep(&self, mut connection: Connection) {
        let (ask, mut asked) = oneshot::channel::<oneshot::Sender<Connection>>();
        let mut idle = self.idle.borrow_mut();
        idle.retain(|one| !one.0.is_closed());
        idle.push(Idle(ask));
        spawn_local(async move {
            let mut pause = pin!(sleep(KEEP_ALIVE));
            let wanted = poll_fn(|cx| {
                // Before all else: a connection that is over is given to nobody.
                if connection.poll_over(cx).is_ready() || pause.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                std::pin::Pin::new(&mut asked).poll(cx).map(Result::ok)
            })
            .await;
            if let Some(give) = wanted {
                let _ = give.send(connection);
            }
        });
    }
}
