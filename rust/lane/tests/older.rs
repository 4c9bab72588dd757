//! Files of other layouts: the lane beside them, what is counted of them, and when they go.
#![cfg(all(target_os = "linux", not(loom), not(miri)))]

mod common;

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shadowlane_base::Reason;
use shadowlane_lane::drain::Drainer;
use shadowlane_lane::files::{ControlFile, RingFile};
use shadowlane_lane::gateway::Lane;
use shadowlane_lane::layout::LAYOUT_VERSION;
use shadowlane_lane::lock::Held;
use shadowlane_lane::older::{locate, others, root_of};
use shadowlane_lane::status::{LaneStatus, set_enabled};
use shadowlane_ring::frame::Exchange;

use common::process::{Child, alone, shared};
use common::{Directory, options, sanitizer};

const PATIENCE: Duration = Duration::from_secs(30);

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

fn open(directory: &Path) -> Arc<Lane> {
    Arc::new(Lane::open(directory, &options()).unwrap())
}

fn mirror(lane: &Arc<Lane>) -> bool {
    let Some(ticket) = lane.admit(b"GET", b"/", std::iter::empty()) else { return false };
    lane.offer(ticket, Exchange { target: b"/", ..Exchange::default() })
}

fn drainer(directory: &Path) -> Drainer {
    Drainer::open(directory, sanitizer(), Vec::new()).unwrap().with_looks_every(Duration::ZERO)
}

/// The worker looks at what is of other layouts more often than it needs to before it removes something.
fn look(worker: &mut Drainer) {
    for _ in 0..4 {
        drain(worker, 10);
    }
}

fn drain(drainer: &mut Drainer, most: usize) -> usize {
    let copies = drainer.drain(most, usize::MAX);
    for copy in &copies {
        drainer.ack(copy.ring, copy.seq);
    }
    copies.len()
}

/// As if another release had made the file.
fn set_layout(path: &Path, layout: u8) {
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(&[layout], 7).unwrap();
}

/// A lane with a process that is gone: `mirrored` copies, of which `acked` were acknowledged.
fn leave(directory: &Path, mirrored: usize, acked: usize) {
    Child::fork(|| {
        let lane = open(directory);
        for _ in 0..mirrored {
            assert!(mirror(&lane));
        }
        let mut worker = drainer(directory);
        assert_eq!(drain(&mut worker, acked.max(1)), acked.max(1));
        drop(worker);
        // SAFETY: ends this child as a kill does.
        unsafe { libc::raise(libc::SIGKILL) };
    })
    .wait();
}

fn set_all(directory: &Path, layout: u8) {
    set_layout(&ControlFile::path(directory), layout);
    for id in shadowlane_lane::status::ring_ids(directory) {
        set_layout(&RingFile::path_of(directory, id), layout);
    }
}

#[test]
fn a_lane_is_beside_another_layouts_and_stays_there() {
    let _alone = alone();
    let directory = Directory::new();
    let root = &directory.0;
    assert_eq!(locate(root), *root, "nothing is there");
    drop(open(root));
    assert_eq!(locate(root), *root, "it is ours");
    for layout in [LAYOUT_VERSION - 1, LAYOUT_VERSION + 1, 0] {
        set_layout(&ControlFile::path(root), layout);
        let beside = locate(root);
        assert_eq!(beside, root.join(format!("layout-{LAYOUT_VERSION}")));
        assert_eq!((locate(&beside), root_of(&beside)), (beside.clone(), root.clone()), "as its worker is told");
    }
    set_layout(&ControlFile::path(root), LAYOUT_VERSION);
    assert_eq!(locate(root), *root);
    OpenOptions::new().write(true).open(ControlFile::path(root)).unwrap().set_len(100).unwrap();
    let beside = locate(root);
    assert_eq!(beside, root.join(format!("layout-{LAYOUT_VERSION}")), "it was cut");
    assert!(mirror(&open(&beside)));
    // A process that comes later finds the same lane, whatever became of the other one meanwhile.
    fs::remove_file(ControlFile::path(root)).unwrap();
    assert_eq!(locate(root), beside);
    // And where that was damaged too, a third.
    fs::write(ControlFile::path(&beside), b"torn").unwrap();
    fs::write(ControlFile::path(root), b"torn").unwrap();
    let third = locate(root);
    assert_eq!(third, root.join(format!("layout-{LAYOUT_VERSION}.2")));
    assert!(mirror(&open(&third)));
    assert_eq!(locate(root), third);
}

#[test]
fn a_switch_that_is_off_stays_off_beside() {
    let _alone = alone();
    for (enabled, layout) in [(false, 4), (false, LAYOUT_VERSION + 1), (true, 4)] {
        let directory = Directory::new();
        drop(open(&directory.0));
        set_enabled(&directory.0, enabled).unwrap();
        set_layout(&ControlFile::path(&directory.0), layout);
        let beside = locate(&directory.0);
        assert_eq!(mirror(&open(&beside)), enabled);
    }
}

#[test]
fn a_ring_of_another_layout_in_a_lane_is_counted_and_retired() {
    let _alone = alone();
    for layout in [5, LAYOUT_VERSION - 1, LAYOUT_VERSION + 1] {
        let directory = Directory::new();
        leave(&directory.0, 10, 6);
        set_layout(&RingFile::path_of(&directory.0, 1), layout);
        let status = directory.status();
        assert_eq!((status.totals.mirrored, status.totals.acked), (10, 6), "what was stored is not more than was seen");
        assert_eq!(status.refused.len(), 1);
        let lane = open(&directory.0);
        let mut worker = drainer(&directory.0);
        assert_eq!(worker.acked(), 6);
        until("the other layout's ring is retired", || {
            drain(&mut worker, 10);
            directory.status().refused.is_empty()
        });
        let totals = directory.status().totals;
        assert_eq!((totals.started, totals.mirrored, totals.acked), (10, 6, 6));
        assert_eq!(totals.dropped[Reason::Unreadable as usize], 4, "each under its reason");
        assert_eq!(totals.settled(), totals.started);
        drop(lane);
    }
}

/// Whether it was retired, or somebody removed it as its refusal says.
#[test]
fn a_new_ring_has_the_number_of_one_that_was_refused() {
    let _alone = alone();
    for retired in [true, false] {
        let directory = Directory::new();
        let path = RingFile::path_of(&directory.0, 1);
        leave(&directory.0, 3, 1);
        if retired {
            set_layout(&path, LAYOUT_VERSION - 1);
        } else {
            fs::write(&path, b"no ring").unwrap();
        }
        let mut worker = drainer(&directory.0);
        let control = ControlFile::open(&directory.0).unwrap();
        if !retired {
            assert_eq!(drain(&mut worker, 10), 0);
            fs::remove_file(&path).unwrap();
            control.get().rings.store(7, Ordering::SeqCst);
        }
        until("it is gone", || {
            drain(&mut worker, 10);
            !path.exists()
        });
        // As where the numbers begin anew.
        control.get().rings.store(0, Ordering::SeqCst);
        let lane = open(&directory.0);
        assert!(path.exists() && mirror(&lane));
        until("the new ring is read", || drain(&mut worker, 10) == 1);
        assert_eq!(directory.status().totals.mirrored, if retired { 2 } else { 1 });
    }
}

/// Its own release's worker removed it, or somebody did by hand, and its name was given again.
#[test]
fn a_ring_that_has_the_name_of_one_that_is_retired_stays() {
    let _alone = alone();
    for other in [true, false] {
        let directory = Directory::new();
        let path = RingFile::path_of(&directory.0, 1);
        leave(&directory.0, 3, 1);
        if other {
            set_layout(&path, LAYOUT_VERSION - 1);
        }
        let mut worker = Drainer::open(&directory.0, sanitizer(), Vec::new()).unwrap();
        fs::remove_file(&path).unwrap();
        ControlFile::open(&directory.0).unwrap().get().rings.store(0, Ordering::SeqCst);
        let lane = open(&directory.0);
        assert!(path.exists() && mirror(&lane));
        worker = worker.with_looks_every(Duration::ZERO);
        let mut read = 0;
        // What the one before held is read where it can be: two that were not acknowledged.
        until("the new ring is read", || {
            read += drain(&mut worker, 10);
            read == if other { 1 } else { 3 }
        });
        look(&mut worker);
        assert!(path.exists());
        let totals = directory.status().totals;
        assert_eq!((totals.started, totals.started - totals.settled()), (4, 0));
        assert_eq!(totals.mirrored, if other { 2 } else { 4 });
    }
}

#[test]
fn a_ring_of_another_layout_whose_process_lives_stays() {
    let _alone = alone();
    let directory = Directory::new();
    let lane = open(&directory.0);
    assert!(mirror(&lane) && mirror(&lane));
    let path = RingFile::path_of(&directory.0, 1);
    set_layout(&path, LAYOUT_VERSION + 1);
    let mut worker = drainer(&directory.0);
    look(&mut worker);
    assert!(path.exists());
    assert!(mirror(&lane));
    assert_eq!(directory.status().totals.mirrored, 3);
}

#[test]
fn a_lane_that_nobody_holds_is_counted_and_removed() {
    let _alone = alone();
    for (layout, words) in [(LAYOUT_VERSION - 1, "7 copies"), (5, "7 copies"), (4, "those of 1 rings")] {
        let directory = Directory::new();
        leave(&directory.0, 9, 2);
        set_all(&directory.0, layout);
        let beside = locate(&directory.0);
        let lane = open(&beside);
        assert!(mirror(&lane));
        let before = LaneStatus::read(&beside).unwrap();
        assert_eq!(before.older.len(), 1);
        assert!(
            before.older[0].contains(words) && before.older[0].contains(&format!("layout {layout}")),
            "{:?}",
            before.older
        );
        let mut worker = drainer(&beside);
        until("the other lane is removed", || {
            drain(&mut worker, 10);
            others(&beside).is_empty()
        });
        assert!(!RingFile::path_of(&directory.0, 1).exists() && !ControlFile::path(&directory.0).exists());
        let after = LaneStatus::read(&beside).unwrap();
        assert!(after.unread.contains(words), "{}", after.unread);
        assert_eq!(
            (after.totals.started, after.totals.mirrored, after.totals.acked),
            (1, 1, 1),
            "its own life is whole"
        );
    }
}

/// Lanes whose names are like those of directories below a lane: each is its own.
#[test]
fn a_strangers_lane_is_never_taken_for_one_of_another_layout() {
    let _alone = alone();
    let (older, newer) = (LAYOUT_VERSION - 1, LAYOUT_VERSION + 1);
    for (mine, other, layout) in [
        ("layout-a".to_owned(), "layout-b".to_owned(), older),
        ("layout-a".to_owned(), format!("layout-{older}"), older),
        (format!("layout-{LAYOUT_VERSION}"), format!("layout-{newer}.2"), newer),
        (format!("layout-{older}"), "layout-".to_owned(), LAYOUT_VERSION),
    ] {
        let directory = Directory::new();
        let (mine, other) = (directory.0.join(mine), directory.0.join(other));
        // Around them are other lanes, and files that are no lane's.
        fs::create_dir(&directory.0).unwrap();
        fs::write(directory.0.join("config.json"), b"{}").unwrap();
        leave(&other, 5, 1);
        set_all(&other, layout);
        let lane = open(&mine);
        assert_eq!((locate(&mine), root_of(&mine), others(&mine).len()), (mine.clone(), mine.clone(), 0));
        stays(&mine, &other);
        drop(lane);
    }
    // A lane that somebody put into another one's directory.
    for (name, layout) in
        [("layout-a", older), ("layout-8.x", older), ("layout-08", newer), ("layout-1", LAYOUT_VERSION)]
    {
        let directory = Directory::new();
        let inner = directory.0.join(name);
        let lane = open(&directory.0);
        leave(&inner, 5, 1);
        set_all(&inner, layout);
        stays(&directory.0, &inner);
        drop(lane);
    }
}

/// The worker of one lane leaves another as it is.
fn stays(mine: &Path, other: &Path) {
    look(&mut drainer(mine));
    assert!(RingFile::path_of(other, 1).exists() && ControlFile::path(other).exists(), "{}", other.display());
    assert_eq!(LaneStatus::read(mine).unwrap().unread, "");
}

#[repr(C)]
struct Ledger {
    step: AtomicU64,
}

/// What holds a lane, as long as it lives.
type Hold = fn(&Path) -> Box<dyn std::any::Any>;

/// By its lock, by its worker's lock of today's kind or of the older one.
#[test]
fn a_lane_that_somebody_holds_stays() {
    let _alone = alone();
    let holds: [Hold; 3] = [
        |root| {
            let lane = open(root);
            assert!(mirror(&lane));
            Box::new(lane)
        },
        |root| Box::new(Held::take(&ControlFile::worker_lock(root)).unwrap().unwrap()),
        |root| {
            let file = fs::File::create(ControlFile::worker_lock(root)).unwrap();
            // SAFETY: a descriptor that is open.
            assert_eq!(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) }, 0);
            Box::new(file)
        },
    ];
    for hold in holds {
        let directory = Directory::new();
        let ledger: &Ledger = shared();
        leave(&directory.0, 3, 1);
        let holder = Child::fork(|| {
            let _held = hold(&directory.0);
            ledger.step.store(1, Ordering::SeqCst);
            loop {
                std::thread::park();
            }
        });
        until("it is held", || ledger.step.load(Ordering::SeqCst) == 1);
        set_all(&directory.0, LAYOUT_VERSION - 1);
        let beside = locate(&directory.0);
        let mut worker = drainer(&beside);
        look(&mut worker);
        assert!(RingFile::path_of(&directory.0, 1).exists() && ControlFile::path(&directory.0).exists());
        assert!(others(&beside)[0].held);
        holder.kill();
        until("it is removed when it is free", || {
            drain(&mut worker, 10);
            others(&beside).is_empty()
        });
    }
}

/// A lane of another layout with `mirrored` copies of which one is acknowledged, and this release's beside it.
fn left_beside(directory: &Directory, mirrored: usize) -> PathBuf {
    leave(&directory.0, mirrored, 1);
    set_all(&directory.0, LAYOUT_VERSION - 1);
    let beside = locate(&directory.0);
    assert!(mirror(&open(&beside)));
    beside
}

/// A worker without a descriptor left, and locks that it has no right to ask for.
#[test]
fn what_cannot_be_asked_counts_as_held() {
    let _alone = alone();
    let directory = Directory::new();
    let beside = left_beside(&directory, 5);
    let ledger: &Ledger = shared();
    let files = [ControlFile::path(&directory.0), RingFile::path_of(&directory.0, 1)];
    let worker = Child::fork(|| {
        let mut worker = drainer(&beside);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a plain system call, in a child that opens nothing but what this is about.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const none) }, 0);
        look(&mut worker);
        ledger.step.store(1 + u64::from(files.iter().all(|file| file.exists())), Ordering::SeqCst);
    });
    assert_eq!((worker.wait(), ledger.step.load(Ordering::SeqCst)), (0, 2));
    // What is no plain file is opened by nobody here, whoever the user is.
    let lock = ControlFile::worker_lock(&directory.0);
    for unasked in [lock.clone(), RingFile::path_of(&directory.0, 2)] {
        let _ = fs::remove_file(&lock);
        std::os::unix::fs::symlink("nowhere", &unasked).unwrap();
        let mut worker = drainer(&beside);
        look(&mut worker);
        assert!(files.iter().all(|file| file.exists()), "{}", unasked.display());
        assert!(others(&beside)[0].held);
        assert_eq!(LaneStatus::read(&beside).unwrap().unread, "");
        fs::remove_file(&unasked).unwrap();
    }
    look(&mut drainer(&beside));
    assert!(others(&beside).is_empty());
    assert!(LaneStatus::read(&beside).unwrap().unread.starts_with("4 copies in 1 rings"));
}

#[test]
fn what_cannot_be_removed_is_not_counted_and_the_rest_is_counted_once() {
    let _alone = alone();
    // A directory in a file's name is removed by nobody.
    for stuck in ["ring-7.shm", "control.shm"] {
        let directory = Directory::new();
        let beside = left_beside(&directory, 5);
        let path = directory.0.join(stuck);
        if stuck == "control.shm" {
            fs::remove_file(&path).unwrap();
        }
        fs::create_dir(&path).unwrap();
        let mut worker = drainer(&beside);
        for _ in 0..5 {
            look(&mut worker);
        }
        let unread = LaneStatus::read(&beside).unwrap().unread;
        if stuck == "control.shm" {
            assert_eq!(unread, "", "what belongs to a life that is there yet is there too");
            assert!(RingFile::path_of(&directory.0, 1).exists());
        } else {
            assert!(unread.starts_with("4 copies in 1 rings"), "{unread}");
        }
        fs::remove_dir(&path).unwrap();
        look(&mut worker);
        let unread = LaneStatus::read(&beside).unwrap().unread;
        assert!(unread.starts_with("4 copies in 1 rings") && others(&beside).is_empty(), "{unread}");
    }
}

/// Another release's worker that starts while somebody asks for this lane's status.
#[test]
fn who_looks_takes_no_lock() {
    let _alone = alone();
    let directory = Directory::new();
    let beside = left_beside(&directory, 2);
    let lock = ControlFile::worker_lock(&directory.0);
    let ledger: &Ledger = shared();
    let starting = Child::fork(|| {
        let (mut started, mut refused) = (0_u64, 0_u64);
        while ledger.step.load(Ordering::SeqCst) != 1 || started == 0 {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock).unwrap();
            // SAFETY: a descriptor that is open; what is taken is given back when it is closed.
            let taken = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 };
            (started, refused) = (started + 1, refused + u64::from(!taken));
        }
        ledger.step.store(2 + refused, Ordering::SeqCst);
    });
    for _ in 0..3000 {
        assert_eq!(LaneStatus::read(&beside).unwrap().older.len(), 1);
    }
    ledger.step.store(1, Ordering::SeqCst);
    assert_eq!((starting.wait(), ledger.step.load(Ordering::SeqCst)), (0, 2));
}
