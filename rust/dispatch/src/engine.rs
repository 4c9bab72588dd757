//! The thread that sends: takes calls in, and hands finished ones out in batches.
//!
//! Invariants: every call that was taken in comes out once, whatever happens to it, a panic included, unless it was
//! cancelled; those that are out when the engine is closed come out as stopped. What is submitted goes out with the next
//! flush, and before any other command, so that a handful wakes the thread once. The thread knows nothing of Python. A
//! process that was forked off finds its engine refusing: the thread exists in the parent alone, and nothing of it is
//! touched, not even when the engine is dropped.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use shadowlane_base::guarded;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use crate::collect::{Collected, elapsed_ns};
use crate::fault::{Fault, STOPPED};
use crate::finished::{Finished, GATHER};
use crate::head::Header;
use crate::origin::{Origin, Target};
use crate::request::Request;

/// Threads that look up names, and how long one stays without a name to look up.
const MOST_LOOKUPS: usize = 8;
const LOOKUP_STAYS: Duration = Duration::from_secs(1);

/// A call that is over.
#[derive(Debug)]
pub struct Done {
    /// Its number.
    pub call: u64,
    /// Its shadow's.
    pub origin: u64,
    /// Why there is no answer, if there is none.
    pub fault: Option<Fault>,
    /// 0: no head came.
    pub status: u16,
    /// Those that describe the decoded body.
    pub headers: Vec<Header>,
    /// Decoded; cut at the bound beside [`Fault::TooLarge`].
    pub body: Vec<u8>,
    /// From the call's beginning to the head; 0: none came.
    pub head_ns: u64,
    /// From its beginning to its end.
    pub total_ns: u64,
}

/// A call that is over, and its shadow where that was not shut.
pub type Ended = (Done, Option<Arc<Target>>);

/// Why nothing can be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// In a process that was forked off the engine's own, which is this one.
    Forked(u32),
    /// It was closed.
    Closed,
}

enum Command {
    Open(u64, Arc<Target>),
    Calls(Vec<Call>),
    Cancel(u64),
    Shut(u64),
    Close,
}

/// A call that was submitted.
struct Call {
    number: u64,
    origin: u64,
    request: Request,
    time: Duration,
    began: Instant,
}

/// What lives in the engine's own process.
struct Inner {
    commands: UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

/// The thread that sends, and the way to it.
pub struct Engine {
    inner: ManuallyDrop<Option<Inner>>,
    finished: Arc<Finished>,
    process: u32,
    calls: u64,
    origins: u64,
    targets: HashMap<u64, Arc<Target>>,
    submitted: Vec<Call>,
}

impl Engine {
    /// Start the thread.
    pub fn start() -> io::Result<Self> {
        let finished = Arc::new(Finished::new()?);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(MOST_LOOKUPS)
            .thread_keep_alive(LOOKUP_STAYS)
            .thread_name("shadowlane-name")
            .build()?;
        let (commands, taken) = unbounded_channel();
        let out = Arc::clone(&finished);
        let thread = Builder::new().name("shadowlane-send".into()).spawn(move || {
            // A panic here would be one of this file's own loop: those of calls are caught nearer.
            let _ = guarded(|| runtime.block_on(LocalSet::new().run_until(serve(taken, out))));
            // A look-up that hangs is left behind: it ends with the system's patience.
            runtime.shutdown_background();
        })?;
        let inner = Some(Inner { commands, thread });
        let process = std::process::id();
        Ok(Self {
            inner: ManuallyDrop::new(inner),
            finished,
            process,
            calls: 0,
            origins: 0,
            targets: HashMap::new(),
            submitted: Vec::new(),
        })
    }

    /// Readable when finished calls are to be taken.
    pub fn descriptor(&self) -> Result<RawFd, Refusal> {
        self.own()?;
        Ok(self.finished.descriptor())
    }

    /// Know a shadow from now on, by the number that is returned.
    pub fn open(&mut self, target: Arc<Target>) -> Result<u64, Refusal> {
        self.origins += 1;
        self.say(Command::Open(self.origins, Arc::clone(&target)))?;
        self.targets.insert(self.origins, target);
        Ok(self.origins)
    }

    /// A shadow that is known.
    pub fn target(&self, origin: u64) -> Option<Arc<Target>> {
        self.targets.get(&origin).cloned()
    }

    /// Begin a call, which takes no longer than `time`; its number. It goes out with the next [`Self::flush`].
    pub fn submit(&mut self, origin: u64, request: Request, time: Duration) -> Result<u64, Refusal> {
        if self.commands()?.is_closed() {
            return Err(Refusal::Closed);
        }
        self.calls += 1;
        self.submitted.push(Call { number: self.calls, origin, request, time, began: Instant::now() });
        Ok(self.calls)
    }

    /// Let the calls go out that were submitted.
    pub fn flush(&mut self) -> Result<(), Refusal> {
        self.commands()?;
        if self.submitted.is_empty() {
            return Ok(());
        }
        let calls = std::mem::take(&mut self.submitted);
        let Err(unsent) = self.commands()?.send(Command::Calls(calls)) else {
            return Ok(());
        };
        // The thread has ended since: whoever waits for them is told.
        if let Command::Calls(calls) = unsent.0 {
            for call in calls {
                stop(&self.finished, call.origin, call.number, call.began);
            }
            self.finished.tell();
        }
        Err(Refusal::Closed)
    }

    /// End a call, and its connection. It does not come out.
    pub fn cancel(&mut self, call: u64) -> Result<(), Refusal> {
        self.say(Command::Cancel(call))
    }

    /// Close a shadow's connections. Calls to it that are out come out as stopped.
    pub fn shut(&mut self, origin: u64) -> Result<(), Refusal> {
        self.targets.remove(&origin);
        self.say(Command::Shut(origin))
    }

    /// The calls that are over, those left behind by `close` among them, each with its shadow where that was not shut.
    /// Waits for nothing.
    pub fn take(&self) -> Result<Vec<Ended>, Refusal> {
        self.own()?;
        let with_target = |done: Done| {
            let target = self.targets.get(&done.origin).cloned();
            (done, target)
        };
        Ok(self.finished.take().into_iter().map(with_target).collect())
    }

    /// End the thread and wait for its end. In a forked process: nothing.
    pub fn close(&mut self) {
        if self.process == std::process::id()
            && let Some(inner) = self.inner.take()
        {
            let _ = inner.commands.send(Command::Calls(std::mem::take(&mut self.submitted)));
            let _ = inner.commands.send(Command::Close);
            let _ = inner.thread.join();
        }
    }

    fn say(&mut self, command: Command) -> Result<(), Refusal> {
        self.flush()?;
        self.commands()?.send(command).map_err(|_| Refusal::Closed)
    }

    fn commands(&self) -> Result<&UnboundedSender<Command>, Refusal> {
        self.own()?;
        Ok(&self.inner.as_ref().ok_or(Refusal::Closed)?.commands)
    }

    fn own(&self) -> Result<(), Refusal> {
        if self.process == std::process::id() { Ok(()) } else { Err(Refusal::Forked(self.process)) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close(); // in a forked process what is inside stays: its locks may be held by a thread that is not there
    }
}

/// A call on its way.
struct Out {
    origin: u64,
    began: Instant,
    task: AbortHandle,
}

type Running = Rc<RefCell<HashMap<u64, Out>>>;

/// What the thread knows of its calls. However it ends, those that are left come out as stopped: somebody waits for them.
struct Calls {
    commands: UnboundedReceiver<Command>,
    running: Running,
    finished: Arc<Finished>,
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Calls(calls) = command {
                for call in calls {
                    stop(&self.finished, call.origin, call.number, call.began);
                }
            }
        }
        if let Ok(mut running) = self.running.try_borrow_mut() {
            running.drain().for_each(|(call, out)| stop(&self.finished, out.origin, call, out.began));
        }
        self.finished.tell();
    }
}

async fn serve(commands: UnboundedReceiver<Command>, finished: Arc<Finished>) {
    let mut origins: HashMap<u64, Rc<Origin>> = HashMap::new();
    let running: Running = Rc::default();
    let mut calls = Calls { commands, running: Rc::clone(&running), finished: Arc::clone(&finished) };
    while let Some(command) = calls.commands.recv().await {
        match command {
            Command::Open(number, target) => {
                origins.insert(number, Rc::new(Origin::new(target)));
            }
            Command::Calls(submitted) => {
                for call in submitted {
                    let number = call.origin;
                    let Some(origin) = origins.get(&number).cloned() else {
                        stop(&finished, number, call.number, call.began);
                        finished.tell();
                        continue;
                    };
                    let most = origin.concurrency();
                    begin(call, origin, &running, &finished);
                    if is_full(number, most, &running, &finished) {
                        finished.tell();
                    }
                }
            }
            Command::Cancel(call) => {
                if let Some(out) = running.borrow_mut().remove(&call) {
                    out.task.abort();
                }
            }
            Command::Shut(number) => {
                origins.remove(&number);
                running.borrow_mut().retain(|call, out| {
                    if out.origin == number {
                        out.task.abort();
                        stop(&finished, number, *call, out.began);
                    }
                    out.origin != number
                });
                finished.tell();
            }
            Command::Close => return,
        }
    }
}

fn stop(finished: &Finished, origin: u64, call: u64, began: Instant) {
    let (headers, body, total_ns) = (Vec::new(), Vec::new(), elapsed_ns(began));
    finished.put(Done { call, origin, fault: Some(STOPPED), status: 0, headers, body, head_ns: 0, total_ns });
}

fn begin(submitted: Call, origin: Rc<Origin>, running: &Running, finished: &Arc<Finished>) {
    let Call { number: call, origin: number, request, time, began } = submitted;
    let (out, calls) = (Arc::clone(finished), Rc::clone(running));
    let task = spawn_local(async move {
        let done = finish((call, number), &origin, &request, time, began).await;
        calls.borrow_mut().remove(&call);
        let (many, first) = out.put(done);
        if many || calls.borrow().is_empty() || is_full(number, origin.concurrency(), &calls, &out) {
            out.tell();
        } else if first {
            spawn_local(async move {
                sleep(GATHER).await;
                out.tell();
            });
        }
    });
    running.borrow_mut().insert(call, Out { origin: number, began, task: task.abort_handle() });
}

/// Whether a shadow's calls that are out or wait to be taken are all that it may have: then others may wait for these.
fn is_full(number: u64, most: usize, running: &Running, finished: &Finished) -> bool {
    let out = running.borrow().values().filter(|out| out.origin == number).count();
    out + finished.waiting_of(number) >= most
}

/// One call to its end, whatever that is.
async fn finish(
    (call, number): (u64, u64),
    origin: &Origin,
    request: &Request,
    time: Duration,
    began: Instant,
) -> Done {
    let mut got = Collected::new(origin.most_bytes(), began);
    let left = time.saturating_sub(began.elapsed());
    let ended = {
        let mut work = pin!(timeout(left, origin.call(request, &mut got)));
        // What a panic has left is thrown away with the future.
        poll_fn(|cx| match guarded(|| work.as_mut().poll(cx)) {
            Ok(poll) => poll.map(|ended| ended.unwrap_or(Err(Fault::Deadline))),
            Err(fault) => Poll::Ready(Err(Fault::Own(fault.to_string()))),
        })
        .await
    };
    let (body, fault) = match ended {
        Ok(()) => guarded(|| got.finish()).unwrap_or_else(|fault| (Vec::new(), Some(Fault::Own(fault.to_string())))),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    let headers = std::mem::take(&mut got.headers);
    let (head_ns, total_ns) = (got.head_ns, elapsed_ns(began));
    Done { call, origin: number, fault, status: got.status, headers, body, head_ns, total_ns }
}
