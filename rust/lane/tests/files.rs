//! What is refused as a lane's file.
#![cfg(all(target_os = "linux", not(loom), not(miri)))]

mod common;

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use shadowlane_base::Reason;
use shadowlane_lane::drain::Drainer;
use shadowlane_lane::files::{ControlFile, RingFile};
use shadowlane_lane::gateway::{Lane, Options};
use shadowlane_lane::status::LaneStatus;
use shadowlane_ring::Memory;
use shadowlane_ring::frame::Exchange;

use common::{Directory, options, sanitizer};

fn open(directory: &Path, shed_above: f64) -> Arc<Lane> {
    Arc::new(Lane::open(directory, &Options { shed_above, ..options() }).unwrap())
}

fn drainer(directory: &Path) -> Drainer {
    Drainer::open(directory, sanitizer(), Vec::new()).unwrap()
}

fn mirror(lane: &Arc<Lane>, bytes: usize) -> bool {
    let Some(ticket) = lane.admit(b"GET", b"/", std::iter::empty()) else { return false };
    lane.offer(ticket, Exchange { target: b"/", response_body: &[&vec![b'a'; bytes]], ..Exchange::default() })
}

fn drain(drainer: &mut Drainer) -> usize {
    let copies = drainer.drain(1000, usize::MAX);
    for copy in &copies {
        drainer.ack(copy.ring, copy.seq);
    }
    copies.len()
}

#[test]
fn a_ring_of_another_version_or_size_is_refused() {
    let directory = Directory::new();
    let lane = open(&directory.0, 1.0);
    let path = RingFile::path_of(&directory.0, 1);
    let good = fs::read(&path).unwrap();
    assert!(RingFile::open(&path).is_ok());
    let with = |at: usize, value: u64| {
        let mut bytes = good.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let other_version = u64::from_le_bytes(good[..8].try_into().unwrap()) + (1 << 56);
    let mut longer = good.clone();
    longer.push(0);
    let bad = [
        with(0, other_version),
        with(0, 0),
        with(8, 128 * 1024),
        with(8, 65_537),
        with(8, 0),
        with(8, u64::MAX),
        good[..good.len() - 1].to_vec(),
        good[..100].to_vec(),
        Vec::new(),
        longer,
    ];
    for (number, bytes) in bad.iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let error = RingFile::open(&path).err().unwrap_or_else(|| panic!("number {number} was taken")).to_string();
        assert!(error.contains("ring-1.shm") && error.contains("remove it"), "{error}");
        let status = LaneStatus::read(&directory.0).unwrap();
        assert_eq!(status.refused.len(), 1, "{:?}", status.refused);
        assert!(drainer(&directory.0).drain(10, 10).is_empty());
        assert!(path.exists(), "what is not understood is not removed");
    }
    fs::write(&path, &good).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(RingFile::open(&path).is_err(), "open to others");
    drop(lane);
}

#[test]
fn a_control_file_of_another_version_or_size_is_refused() {
    let directory = Directory::new();
    drop(open(&directory.0, 1.0));
    let path = ControlFile::path(&directory.0);
    let good = fs::read(&path).unwrap();
    let mut other_version = good.clone();
    other_version[7] += 1;
    let mut longer = good.clone();
    longer.push(0);
    for bytes in [other_version, longer, good[..good.len() - 8].to_vec(), Vec::new()] {
        fs::write(&path, &bytes).unwrap();
        let error = Lane::open(&directory.0, &options()).err().expect("refused").to_string();
        assert!(error.contains("control.shm") && error.contains("remove"), "{error}");
    }
}

#[test]
fn the_cursors_lie_where_every_layout_has_them() {
    use shadowlane_ring::Cursors;
    use std::mem::offset_of;
    let offsets = [
        offset_of!(Cursors, tail),
        offset_of!(Cursors, head),
        offset_of!(Cursors, head_cache),
        offset_of!(Cursors, journal),
        offset_of!(Cursors, trial),
        size_of::<Cursors>(),
    ];
    assert_eq!(offsets, [0, 128, 256, 384, 512, 512 + 4096], "another layout needs another LAYOUT_VERSION");
}

#[test]
fn rings_of_an_older_control_file_are_passed_over_and_not_replaced() {
    let directory = Directory::new();
    let old = open(&directory.0, 1.0);
    assert!(mirror(&old, 100));
    fs::remove_file(ControlFile::path(&directory.0)).unwrap();
    let new = open(&directory.0, 1.0);
    assert!(mirror(&new, 100));
    let ids: Vec<u64> = LaneStatus::read(&directory.0).unwrap().rings.iter().map(|ring| ring.id).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    assert_eq!(drain(&mut drainer(&directory.0)), 2);
}

#[test]
fn damaged_cursors_are_reported_and_the_ring_is_removed_when_its_process_is_done() {
    let directory = Directory::new();
    let lane = open(&directory.0, 1.0);
    let mut worker = drainer(&directory.0);
    assert!(mirror(&lane, 100) && mirror(&lane, 100));
    assert_eq!(drain(&mut worker), 2);
    assert!(mirror(&lane, 100));
    let ring = RingFile::open(&RingFile::path_of(&directory.0, 1)).unwrap();
    ring.cursors().tail.0.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(drain(&mut worker), 0);
    assert!(!mirror(&lane, 100));
    let status = LaneStatus::read(&directory.0).unwrap();
    assert!(status.refused.iter().any(|text| text.contains("cursors")), "{:?}", status.refused);
    assert_eq!(worker.pending(), 0, "an idle worker may leave");
    lane.close();
    while !LaneStatus::read(&directory.0).unwrap().rings.is_empty() {
        drain(&mut worker);
    }
    let totals = LaneStatus::read(&directory.0).unwrap().totals;
    assert_eq!((totals.started, totals.mirrored), (4, 2));
    assert_eq!(totals.dropped[Reason::ProducerDied as usize], 1);
    assert_eq!(totals.dropped[Reason::RingFull as usize], 1);
}

#[test]
fn a_damaged_frame_in_a_live_ring_is_counted_and_the_equation_holds() {
    let directory = Directory::new();
    let lane = open(&directory.0, 1.0);
    let mut worker = drainer(&directory.0);
    for _ in 0..5 {
        assert!(mirror(&lane, 100));
    }
    // A byte of the second frame's body, by way of the file.
    let path = RingFile::path_of(&directory.0, 1);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let size = LaneStatus::read(&directory.0).unwrap().rings[0].used / 5;
    file.write_all_at(b"!", shadowlane_lane::layout::RING_DATA + 2 * size - 20).unwrap();
    assert_eq!(drain(&mut worker), 4);
    drain(&mut worker);
    let totals = LaneStatus::read(&directory.0).unwrap().totals;
    assert_eq!((totals.started, totals.settled(), totals.mirrored), (5, 5, 4));
    assert_eq!((totals.acked, totals.corrupt), (4, 1));
    assert_eq!(totals.dropped[Reason::ProducerDied as usize], 1);
}

#[test]
fn above_the_watermark_admission_says_no_and_below_it_again_yes() {
    let directory = Directory::new();
    let lane = open(&directory.0, 0.5);
    let mut worker = drainer(&directory.0);
    let mut copies = 0;
    while mirror(&lane, 1000) {
        copies += 1;
    }
    let status = LaneStatus::read(&directory.0).unwrap();
    let used = status.rings[0].used;
    assert!(used > 32 * 1024 && used < 34 * 1024, "{used}");
    assert_eq!(status.totals.dropped[Reason::RingFull as usize], 1);
    assert_eq!(status.totals.mirrored, copies);
    assert_eq!(drain(&mut worker) as u64, copies);
    drain(&mut worker);
    assert!(mirror(&lane, 1000));
}

#[test]
fn after_close_requests_are_counted_and_nothing_is_written() {
    let directory = Directory::new();
    let lane = open(&directory.0, 1.0);
    let ticket = lane.admit(b"GET", b"/", std::iter::empty()).unwrap();
    lane.close();
    assert!(!lane.offer(ticket, Exchange { target: b"/", ..Exchange::default() }));
    let mut worker = drainer(&directory.0);
    assert_eq!(drain(&mut worker), 0);
    assert!(LaneStatus::read(&directory.0).unwrap().rings.is_empty());
    assert!(!mirror(&lane, 10), "its ring is gone");
    let totals = LaneStatus::read(&directory.0).unwrap().totals;
    assert_eq!((totals.started, totals.settled()), (2, 2));
    assert_eq!(totals.dropped[Reason::Disabled as usize], 2);
}

/// What lies under a ring's name is there and cannot be opened; the others are read meanwhile.
#[test]
fn rings_that_the_worker_cannot_open_are_counted_with_the_reason_while_they_are_there() {
    type Make = fn(&Path);
    let forms: [(&str, Make); 3] = [
        ("Too many levels", |path| std::os::unix::fs::symlink("/dev/null", path).unwrap()),
        ("Too many levels", |path| std::os::unix::fs::symlink("gone", path).unwrap()),
        ("Is a directory", |path| fs::create_dir(path).unwrap()),
    ];
    for (why, make) in forms {
        let directory = Directory::new();
        let lane = open(&directory.0, 1.0);
        let mut worker = drainer(&directory.0);
        let said = || directory.status().refused.into_iter().find(|text| text.contains("by the worker"));
        let look = |worker: &mut Drainer| {
            ControlFile::open(&directory.0).unwrap().get().rings.fetch_add(1, Ordering::SeqCst);
            drain(worker)
        };
        assert_eq!(said(), None);
        for (id, count) in [(70, "1 ring cannot"), (71, "2 rings cannot")] {
            make(&RingFile::path_of(&directory.0, id));
            assert!(mirror(&lane, 10));
            assert_eq!(look(&mut worker), 1);
            let said = said().unwrap();
            assert!(said.starts_with(count) && said.contains(why), "{said}");
        }
        let path = RingFile::path_of(&directory.0, 70);
        fs::rename(&path, directory.0.join("away")).unwrap();
        look(&mut worker);
        assert!(said().unwrap().starts_with("1 ring cannot"));
        drop(worker);
        assert_eq!(said(), None, "nobody tries");
        let mut worker = drainer(&directory.0);
        assert!(said().unwrap().starts_with("1 ring cannot"), "its successor");
        fs::rename(RingFile::path_of(&directory.0, 71), directory.0.join("away too")).unwrap();
        look(&mut worker);
        assert_eq!(said(), None);
    }
}
