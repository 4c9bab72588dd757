//! What the tests of a whole lane share: a directory for it, options that take everything, a sanitizer.
#![allow(dead_code, reason = "each test program uses its part")]

#[cfg(target_os = "linux")]
pub mod process;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shadowlane_lane::gateway::{Lane, Options};
use shadowlane_lane::process::random_u64;
use shadowlane_lane::status::LaneStatus;
use shadowlane_redact::{self as redact, Sanitizer};

/// A lane's directory, in shared memory where there is some; removed at the end.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new() -> Self {
        let base = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        Self(base.join(format!("shadowlane-lane-{:016x}", random_u64())))
    }

    /// A lane with a ring.
    pub fn open(&self, options: &Options) -> Arc<Lane> {
        let lane = Lane::open(&self.0, options).unwrap();
        assert_eq!(lane.ring_error(), None);
        Arc::new(lane)
    }

    pub fn status(&self) -> LaneStatus {
        LaneStatus::read(&self.0).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Left behind at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Every request is taken; the ring is the smallest.
pub fn options() -> Options {
    Options {
        ring_bytes: 64 * 1024,
        max_body_bytes: 16 * 1024,
        ratio: 1.0,
        seed: Some(1),
        qps: 1e6,
        burst: 1_000_000,
        ..Options::default()
    }
}

/// With the rules of a configuration that says nothing.
pub fn sanitizer() -> Sanitizer {
    Sanitizer::new(&redact::Options::default()).unwrap()
}
