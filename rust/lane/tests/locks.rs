//! Who is dead: the kernel says it, by a lock, whatever pid namespace, fork or closed descriptor lies between.
#![cfg(all(target_os = "linux", not(loom), not(miri)))]

mod common;

use std::ffi::CString;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shadowlane_base::Reason;
use shadowlane_lane::drain::Drainer;
use shadowlane_lane::files::{ControlFile, RingFile};
use shadowlane_lane::gateway::Lane;
use shadowlane_lane::gcra::monotonic_ns;
use shadowlane_lane::lanedir::remove_leftovers;
use shadowlane_lane::lock::{Held, is_path_held};
use shadowlane_lane::status::LaneStatus;
use shadowlane_ring::frame::Exchange;

use common::process::{Child, alone, shared};
use common::{Directory, options, sanitizer};

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

#[repr(C)]
struct Ledger {
    /// How far a child has come.
    step: AtomicU64,
    /// A child of a child, which outlives that.
    orphan: AtomicU64,
}

impl Ledger {
    fn orphan(&self) -> libc::pid_t {
        self.orphan.load(Ordering::SeqCst) as libc::pid_t
    }

    fn end_orphan(&self) {
        // SAFETY: a process of this test, which nobody has waited for: its parent is gone.
        unsafe { libc::kill(self.orphan(), libc::SIGKILL) };
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

fn mirror(lane: &Arc<Lane>) -> bool {
    let Some(ticket) = lane.admit(b"GET", b"/", std::iter::empty()) else { return false };
    lane.offer(ticket, Exchange { target: b"/", ..Exchange::default() })
}

fn drain(drainer: &mut Drainer) -> usize {
    let copies = drainer.drain(1000, usize::MAX);
    for copy in &copies {
        drainer.ack(copy.ring, copy.seq);
    }
    copies.len()
}

/// How often the lock of a ring is asked for before it is taken for one that lives.
const LOOKS: usize = 100;

/// A worker that asks for the locks of rings whenever it drains.
fn looking(directory: &Directory) -> Drainer {
    Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap().with_looks_every(Duration::ZERO)
}

fn open(directory: &Directory) -> Arc<Lane> {
    directory.open(&options())
}

fn park() -> ! {
    loop {
        std::thread::park();
    }
}

/// The lane of a process that was killed is drained and retired, while `around` holds.
fn retired(directory: &Directory, copies: usize, mut around: impl FnMut()) {
    let mut drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
    let mut got = drainer.acked() as usize;
    until("the ring is retired", || {
        got += drain(&mut drainer);
        around();
        directory.status().rings.is_empty()
    });
    assert_eq!(got, copies);
    let totals = directory.status().totals;
    assert_eq!(totals.settled(), totals.started);
    assert_eq!(totals.mirrored, copies as u64);
}

#[test]
fn a_forked_child_does_not_keep_its_dead_parent_alive() {
    let _alone = alone();
    let directory = Directory::new();
    let ledger: &Ledger = shared();
    let parent = Child::fork(|| {
        let lane = open(&directory);
        assert!(mirror(&lane));
        // SAFETY: the child only waits for its end.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // It gives its parent's lane back, as an interpreter that ends does, and stays.
            drop(lane);
            ledger.orphan.store(u64::from(std::process::id()), Ordering::SeqCst);
            park();
        }
        park();
    });
    until("the child runs", || ledger.orphan() != 0);
    let ring = RingFile::open(&RingFile::path_of(&directory.0, 1)).unwrap();
    assert!(ring.has_producer(), "what the child gives back is not the parent's");
    parent.kill();
    retired(&directory, 1, || {
        // SAFETY: signal 0 only asks whether the process is there.
        assert_eq!(unsafe { libc::kill(ledger.orphan(), 0) }, 0, "the child lives all the while");
    });
    ledger.end_orphan();
}

#[test]
fn a_process_that_closes_every_descriptor_lives() {
    let _alone = alone();
    let directory = Directory::new();
    let ledger: &Ledger = shared();
    let child = Child::fork(|| {
        let lane = open(&directory);
        assert!(mirror(&lane));
        // SAFETY: nothing in this child uses a descriptor afterwards.
        unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
        assert!(mirror(&lane));
        ledger.step.store(1, Ordering::SeqCst);
        until("it may go on", || ledger.step.load(Ordering::SeqCst) == 2);
        assert!(mirror(&lane));
        ledger.step.store(3, Ordering::SeqCst);
        park();
    });
    until("the child has closed them", || ledger.step.load(Ordering::SeqCst) == 1);
    let mut drainer = looking(&directory);
    let mut got = (0..LOOKS).map(|_| drain(&mut drainer)).sum::<usize>();
    assert!(directory.status().rings[0].alive);
    ledger.step.store(2, Ordering::SeqCst);
    until("the child goes on", || ledger.step.load(Ordering::SeqCst) == 3);
    until("all is drained", || {
        got += drain(&mut drainer);
        got == 3
    });
    drop(drainer);
    child.kill();
    retired(&directory, 3, || {});
}

#[test]
fn a_process_that_replaces_its_image_gives_its_ring_back() {
    let _alone = alone();
    let directory = Directory::new();
    let program = CString::new("/bin/sleep").unwrap();
    let argument = CString::new("60").unwrap();
    let child = Child::fork(|| {
        let lane = open(&directory);
        assert!(mirror(&lane));
        let arguments = [program.as_ptr(), argument.as_ptr(), std::ptr::null()];
        // SAFETY: both strings are NUL-terminated and the list ends with null.
        unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) };
    });
    until("its ring is there", || fs::exists(RingFile::path_of(&directory.0, 1)).unwrap());
    retired(&directory, 1, || {});
    child.kill();
}

#[test]
fn forks_while_a_lock_is_taken_do_not_inherit_it() {
    let _alone = alone();
    let directory = Directory::new();
    fs::create_dir(&directory.0).unwrap();
    let path = directory.0.join("lock");
    let mut children = Vec::new();
    std::thread::scope(|scope| {
        let taking = scope.spawn(|| {
            for _ in 0..2000 {
                drop(Held::take(&path).unwrap().expect("nobody else takes it"));
            }
        });
        while !taking.is_finished() && children.len() < 60 {
            children.push(Child::fork(|| park()));
        }
    });
    assert!(!children.is_empty());
    assert!(!is_path_held(&path), "a child holds it");
    for child in children {
        child.kill();
    }
}

#[test]
fn a_lock_is_one_processes_at_a_time() {
    let _alone = alone();
    let directory = Directory::new();
    fs::create_dir(&directory.0).unwrap();
    let path = directory.0.join("lock");
    let held = Held::take(&path).unwrap().unwrap();
    assert!(Held::take(&path).unwrap().is_none());
    // Looking, opening and closing takes nothing from its holder, as it would from a classic lock's.
    drop(File::open(&path).unwrap());
    assert!(is_path_held(&path) && is_path_held(&path));
    drop(held);
    assert!(!is_path_held(&path));
    assert!(Held::take(&path).unwrap().is_some());
}

/// On overlayfs a mapping refers to the file below, and the lock needs its descriptor.
#[test]
fn a_lock_on_an_overlay_is_held_and_not_inherited() {
    let _alone = alone();
    let base = Directory::new();
    let [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(|name| base.0.join(name));
    for folder in [&lower, &upper, &work, &merged] {
        fs::create_dir_all(folder).unwrap();
    }
    let ledger: &Ledger = shared();
    let parent = Child::fork(|| {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let data = format!("lowerdir={},upperdir={},workdir={}", text(&lower), text(&upper), text(&work));
        let (data, target) = (CString::new(data).unwrap(), CString::new(text(&merged)).unwrap());
        // SAFETY: in a mount namespace of this child alone; all strings are NUL-terminated.
        let mounted = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(
                    c"none".as_ptr(),
                    c"/".as_ptr(),
                    std::ptr::null(),
                    libc::MS_REC | libc::MS_PRIVATE,
                    std::ptr::null(),
                ) == 0
                && libc::mount(c"overlay".as_ptr(), target.as_ptr(), c"overlay".as_ptr(), 0, data.as_ptr().cast()) == 0
        };
        if !mounted {
            ledger.step.store(9, Ordering::SeqCst);
            park();
        }
        let path = merged.join("lock");
        let holder = Child::fork(|| {
            let held = Held::take(&path).unwrap().unwrap();
            // SAFETY: the child only waits for its end.
            if unsafe { libc::fork() } == 0 {
                drop(held);
                ledger.orphan.store(u64::from(std::process::id()), Ordering::SeqCst);
                park();
            }
            park();
        });
        until("the holder's child runs", || ledger.orphan() != 0);
        let held = is_path_held(&path);
        holder.kill();
        let free = !is_path_held(&path);
        ledger.end_orphan();
        ledger.step.store(if held && free { 2 } else { 3 }, Ordering::SeqCst);
        park();
    });
    until("the overlay is tried", || ledger.step.load(Ordering::SeqCst) > 1);
    let step = ledger.step.load(Ordering::SeqCst);
    parent.kill();
    match step {
        9 => println!("skipped: this user may not mount an overlay"),
        step => assert_eq!(step, 2, "held while its process lives, free when that is killed"),
    }
}

#[test]
fn a_producer_of_another_pid_namespace_lives_until_it_is_killed() {
    let _alone = alone();
    let directory = Directory::new();
    let ledger: &Ledger = shared();
    let outer = Child::fork(|| {
        // SAFETY: a plain system call; the next child is the first process of a pid namespace.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            ledger.step.store(9, Ordering::SeqCst);
            park();
        }
        let inner = Child::fork(|| {
            assert_eq!(std::process::id(), 1);
            let lane = open(&directory);
            assert!(mirror(&lane));
            ledger.step.store(1, Ordering::SeqCst);
            until("it may go on", || ledger.step.load(Ordering::SeqCst) == 2);
            assert!(mirror(&lane));
            ledger.step.store(3, Ordering::SeqCst);
            park();
        });
        until("the test ends it", || ledger.step.load(Ordering::SeqCst) == 4);
        inner.kill();
        ledger.step.store(5, Ordering::SeqCst);
        park();
    });
    until("the producer is there", || ledger.step.load(Ordering::SeqCst) != 0);
    if ledger.step.load(Ordering::SeqCst) == 9 {
        println!("skipped: this user may not make a pid namespace");
        outer.kill();
        return;
    }
    let mut drainer = looking(&directory);
    let mut got = (0..LOOKS).map(|_| drain(&mut drainer)).sum::<usize>();
    let ring = directory.status().rings.remove(0);
    assert!(ring.alive && ring.pid == 1, "process 1 lives here too, and is another: {ring:?}");
    ledger.step.store(2, Ordering::SeqCst);
    until("the producer goes on", || ledger.step.load(Ordering::SeqCst) == 3);
    until("all is drained", || {
        got += drain(&mut drainer);
        got == 2
    });
    assert_eq!(drainer.live_producers(), 1);
    ledger.step.store(4, Ordering::SeqCst);
    until("the producer is killed", || ledger.step.load(Ordering::SeqCst) == 5);
    until("its ring is retired", || {
        drain(&mut drainer);
        directory.status().rings.is_empty()
    });
    let totals = directory.status().totals;
    assert_eq!((totals.started, totals.mirrored, totals.dropped[Reason::ProducerDied as usize]), (2, 2, 0));
    outer.kill();
}

#[test]
fn a_stopped_worker_is_ended_and_a_living_one_is_not() {
    let _alone = alone();
    let directory = Directory::new();
    let lane = open(&directory);
    let ledger: &Ledger = shared();
    let worker = Child::fork(|| {
        let drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
        // As a worker does now and then: each opens and closes files of the lane.
        assert!(LaneStatus::read(&directory.0).unwrap().worker.alive);
        let control = ControlFile::open(&directory.0).unwrap();
        let beat = control.get().worker.heartbeat.swap(0, Ordering::SeqCst);
        assert_eq!(control.end_hung_worker(), None, "who asks does not hang");
        control.get().worker.heartbeat.store(beat, Ordering::SeqCst);
        assert!(Drainer::open(&directory.0, sanitizer(), Vec::new()).is_err());
        ledger.step.store(1, Ordering::SeqCst);
        until("it is stopped", || ledger.step.load(Ordering::SeqCst) == 2);
        drop(drainer);
    });
    until("the worker has the lane", || ledger.step.load(Ordering::SeqCst) == 1);
    assert!(lane.worker_heartbeat_age_s().is_some_and(|age| age < 10.0));
    assert_eq!(lane.end_hung_worker(), None);
    worker.signal(libc::SIGSTOP);
    report_before(&directory, 60);
    let ended = loop {
        // Until the signal has arrived it may look as if it ran.
        if let Some(pid) = lane.end_hung_worker() {
            break pid;
        }
        std::thread::yield_now();
    };
    assert_eq!(ended, worker.pid() as u64);
    let status = worker.wait();
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL);
    assert_eq!(lane.worker_heartbeat_age_s(), None);
    assert_eq!(lane.end_hung_worker(), None, "there is none");
    assert!(Drainer::open(&directory.0, sanitizer(), Vec::new()).is_ok());
}

#[test]
fn a_dead_worker_is_not_shown_alive_while_its_successor_has_not_said_who_it_is() {
    let _alone = alone();
    let directory = Directory::new();
    let _lane = open(&directory);
    let ledger: &Ledger = shared();
    let worker = Child::fork(|| {
        let _drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
        ledger.step.store(1, Ordering::SeqCst);
        park();
    });
    until("the worker has the lane", || ledger.step.load(Ordering::SeqCst) == 1);
    let pid = worker.pid() as u64;
    let seen = directory.status().worker;
    assert!(seen.alive && seen.pid == pid);
    worker.signal(libc::SIGKILL);
    let mut lock = None;
    until("its lock is free", || {
        lock = Held::take(&ControlFile::worker_lock(&directory.0)).unwrap();
        lock.is_some()
    });
    // Nobody has waited for it yet: the process id is still taken, and nothing runs under it.
    let seen = directory.status().worker;
    assert!(!seen.alive && seen.pid == pid, "{seen:?}");
    worker.wait();
    let seen = directory.status().worker;
    assert!(!seen.alive && seen.pid == pid, "{seen:?}");
    drop(lock);
    let drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
    let seen = directory.status().worker;
    assert!(seen.alive && seen.pid == u64::from(std::process::id()));
    drop(drainer);
}

#[test]
fn a_worker_whose_first_thread_has_ended_is_alive_while_another_runs() {
    let _alone = alone();
    let directory = Directory::new();
    let _lane = open(&directory);
    let worker = Child::fork(|| {
        let _drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
        std::thread::spawn(|| park());
        // SAFETY: ends this thread alone; what it holds stays, since nothing is unwound.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    });
    let stat = format!("/proc/{}/stat", worker.pid());
    until("its first thread has ended", || fs::read_to_string(&stat).unwrap().contains(") Z "));
    let seen = directory.status().worker;
    assert!(seen.alive && seen.pid == worker.pid() as u64, "{seen:?}");
    worker.kill();
    assert!(!directory.status().worker.alive);
}

/// As if the worker had reported itself so many seconds ago at last: the clock is the machine's.
fn report_before(directory: &Directory, seconds: u64) {
    let beat = &ControlFile::open(&directory.0).unwrap();
    beat.get().worker.heartbeat.store(monotonic_ns().saturating_sub(seconds * 1_000_000_000), Ordering::SeqCst);
}

/// What a worker does that does not come to report itself, beside a main thread that sleeps.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Busy {
    ThreadRuns,
    MainWaits,
    ThreadWaits,
}

/// Wait as for a disk (state D): for a child that was made as vfork makes it, which stays until this process is gone.
fn wait_uninterruptibly() {
    // SAFETY: the child shares no memory with this process, and makes plain system calls only.
    unsafe {
        if libc::syscall(libc::SYS_clone, libc::CLONE_VFORK | libc::SIGCHLD, 0, 0, 0, 0) == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
    }
}

#[test]
fn a_worker_of_which_any_thread_is_busy_is_left_alone_for_longer() {
    let _alone = alone();
    for busy in [Busy::ThreadRuns, Busy::MainWaits, Busy::ThreadWaits] {
        let directory = Directory::new();
        let lane = open(&directory);
        let ledger: &Ledger = shared();
        let worker = Child::fork(|| {
            let _drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
            ledger.step.store(1, Ordering::SeqCst);
            let rest = move || match busy {
                Busy::ThreadRuns => loop {
                    std::hint::spin_loop();
                },
                Busy::MainWaits | Busy::ThreadWaits => wait_uninterruptibly(),
            };
            if busy == Busy::MainWaits {
                rest();
            }
            std::thread::spawn(rest);
            park();
        });
        let seen_states = || {
            let threads = fs::read_dir(format!("/proc/{}/task", worker.pid())).unwrap().map(Result::unwrap);
            let stat = threads.map(|thread| fs::read_to_string(thread.path().join("stat")).unwrap());
            stat.map(|stat| stat[stat.rfind(')').unwrap() + 2..].chars().next().unwrap()).collect::<String>()
        };
        let wanted = match busy {
            Busy::ThreadRuns => ["SR", "RS"],
            Busy::MainWaits => ["D", "D"],
            Busy::ThreadWaits => ["SD", "DS"],
        };
        until("it is busy", || ledger.step.load(Ordering::SeqCst) == 1 && wanted.contains(&seen_states().as_str()));
        report_before(&directory, 60);
        for _ in 0..100 {
            assert_eq!(lane.end_hung_worker(), None, "{busy:?}");
        }
        report_before(&directory, 130);
        assert_eq!(lane.end_hung_worker(), Some(worker.pid() as u64), "{busy:?}");
        let status = worker.wait();
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL);
    }
}

/// The control file alone goes, and a gateway makes another one, which says of no worker that it reported itself. The worker
/// has the lane until it has finished what it holds.
#[test]
fn a_worker_whose_control_file_was_removed_does_not_hang() {
    let _alone = alone();
    let directory = Directory::new();
    let _lane = open(&directory);
    let ledger: &Ledger = shared();
    let worker = Child::fork(|| {
        let drainer = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
        ledger.step.store(1, Ordering::SeqCst);
        until("it is told to report itself", || ledger.step.load(Ordering::SeqCst) == 2);
        drainer.control().beat();
        ledger.step.store(3, Ordering::SeqCst);
        park();
    });
    until("it has the lane", || ledger.step.load(Ordering::SeqCst) == 1);
    fs::remove_file(ControlFile::path(&directory.0)).unwrap();
    let made_anew = open(&directory);
    assert!(made_anew.worker_heartbeat_age_s().unwrap() < 60.0, "since the file was made");
    assert_eq!(made_anew.end_hung_worker(), None);
    // It takes longer than a worker may be silent, and says that it lives.
    report_before(&directory, 3600);
    ledger.step.store(2, Ordering::SeqCst);
    until("it reports itself", || ledger.step.load(Ordering::SeqCst) == 3);
    assert!(made_anew.worker_heartbeat_age_s().unwrap() < 60.0);
    assert_eq!(made_anew.end_hung_worker(), None);
    // And when it does not, it is ended.
    report_before(&directory, 3600);
    assert_eq!(made_anew.end_hung_worker(), Some(worker.pid() as u64));
    worker.wait();
}

#[test]
fn what_killed_makers_left_behind_goes_and_what_is_being_made_stays() {
    let _alone = alone();
    let directory = Directory::new();
    fs::create_dir(&directory.0).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    let file = |name: &str, aged: bool| {
        let path = directory.0.join(name);
        let file = File::create(&path).unwrap();
        if aged {
            file.set_modified(old).unwrap();
        }
        path
    };
    let left = file("ring-3.shm.0123456789abcdef.tmp", true);
    let young = file("ring-4.shm.1-0.tmp", false);
    let making = file("ring-5.shm.fedcba9876543210.tmp", true);
    let other = file("notes.txt", true);
    let held = Held::take(&making).unwrap().unwrap();
    remove_leftovers(&directory.0);
    assert!(!left.exists());
    assert!(young.exists() && making.exists() && other.exists());
    drop(held);
}

/// It cannot even list the directory; that is said while it lives.
#[test]
fn a_worker_without_descriptors_says_that_it_finds_no_rings() {
    let _alone = alone();
    let directory = Directory::new();
    let step: &AtomicU64 = shared();
    let lane = directory.open(&options());
    let worker = Child::fork(|| {
        let mut worker = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a plain system call on a structure that lives; what this child has open stays open.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const none) }, 0);
        step.store(1, Ordering::SeqCst);
        until("there is another ring", || step.load(Ordering::SeqCst) == 2);
        drain(&mut worker);
        step.store(3, Ordering::SeqCst);
        loop {
            std::thread::park();
        }
    });
    until("it has no descriptors", || step.load(Ordering::SeqCst) == 1);
    assert!(directory.status().refused.is_empty());
    let other = directory.open(&options());
    step.store(2, Ordering::SeqCst);
    until("it has looked", || step.load(Ordering::SeqCst) == 3);
    let refused = directory.status().refused;
    assert_eq!(refused.len(), 1);
    assert!(refused[0].starts_with("new rings cannot be looked for by the worker"), "{refused:?}");
    assert!(refused[0].contains("Too many open files"), "{refused:?}");
    worker.kill();
    assert!(directory.status().refused.is_empty(), "nobody tries");
    drop((lane, other));
}
