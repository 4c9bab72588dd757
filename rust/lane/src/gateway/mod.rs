//! The gateway's side of a lane: admit a request, offer the exchange, count everything. This is the user path.
//!
//! Invariants: no call here makes a system call (the clock is read through the vDSO), takes a lock, waits or allocates
//! memory that grows with a body (but for the cut of a response that is too large, and a sticky key in a body that came
//! in pieces); none panics. Every admitted request is counted once: mirrored, or dropped with its reason. A process that
//! was forked from this one counts nothing and writes nothing here until it has a lane of its own.
//!
//! [`options`] says how a lane admits; [`admit`] decides about a request, of which [`headers`] reads what is needed, when
//! there is [`room`]; [`ticket`] is what an admitted one holds; [`offer`] copies the exchange. [`moved`] takes a lane along
//! whose files were removed, beside the user path.

mod admit;
mod headers;
mod moved;
mod offer;
mod options;
mod room;
mod ticket;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use crate::caps::Caps;
use crate::choice::Choice;
use crate::files::{ControlFile, RingFile};
use crate::gcra::monotonic_ns;
pub use crate::keys::StickyKey;
use crate::lanedir;
use crate::layout::{ControlHeader, Counters, Totals};
use crate::process::{Identity, fork_generation, random_u64, unix_ns, watch_forks};
use crate::revisions::Setting;
use crate::status;
use shadowlane_base::{Error, Result};
use shadowlane_policy::eligible::{NamedRoutes, Routes};

pub use admit::Entry;
pub use headers::SHADOW_HEADER;
pub use options::Options;
pub use ticket::{Ticket, Timer};

/// Bound of the search for a ring number that is free.
const MOST_RINGS: u32 = 10_000;

/// A gateway process's part of a lane.
pub struct Lane {
    control: ControlFile,
    ring: Option<Arc<RingFile>>,
    ring_error: Option<String>,
    routes: Routes,
    named: NamedRoutes,
    caps: Caps,
    sticky: Option<(StickyKey, f64)>,
    salt: u64,
    max_body_bytes: u64,
    shed_bytes: u64,
    cap_at_admission: bool,
    closed: AtomicBool,
    forks: u64,
    id_seed: u64,
    ids: AtomicU64,
    /// What was counted when the lane was last seen in place.
    seen_in_place: Mutex<Totals>,
    /// How many tickets are open, and whether they were handed over to the successor: see [`ticket`].
    open: AtomicI64,
    /// The lane that was made in this one's place, and the worker that this one had then.
    successor: OnceLock<Arc<Lane>>,
    reader: OnceLock<Identity>,
}

impl Lane {
    /// Open a lane for this process, making directory, control file and ring.
    ///
    /// A ring that cannot be made is not an error here: the process then mirrors nothing, counts that, and
    /// [`Self::ring_error`] says why.
    pub fn open(directory: &Path, options: &Options) -> Result<Self> {
        watch_forks();
        if !(0.0..=1.0).contains(&options.shed_above) {
            return Err(Error::Invalid {
                field: "shed_above",
                why: format!("{} is not between 0 and 1", options.shed_above),
            });
        }
        let routes = Routes::new(&options.read_routes, &options.include, &options.exclude)?;
        let labels = options.named_routes();
        let named = NamedRoutes::new(&labels)?;
        lanedir::ensure(directory)?;
        let control = ControlFile::open_or_create(directory)?;
        let header = control.get();
        begin_revision(directory, header, options);
        configure_sampler(&control, options)?;
        header.lease.require(options.leased);
        header.cap.change(options.qps, options.burst, monotonic_ns)?;
        let salt = options.seed.unwrap_or_else(|| header.lane_id[0].load(Ordering::Relaxed));
        let caps = Caps::new(&options.caps, &header.caps, options.burst, header.lane_id[1].load(Ordering::Relaxed))?;
        let (ring, ring_error) = match make_ring(directory, &control, options.ring_bytes) {
            Ok(ring) => {
                ring.header().latency.name(&labels);
                // Tells the worker to look again, now that the file has its name.
                header.rings.fetch_add(1, Ordering::AcqRel);
                (Some(Arc::new(ring)), None)
            }
            Err(error @ Error::Invalid { .. }) => return Err(error),
            Err(error) => {
                let text = error.to_string();
                control.note_ring_error(&text);
                (None, Some(text))
            }
        };
        Ok(Self {
            shed_bytes: (options.shed_above * options.ring_bytes as f64) as u64,
            control,
            ring,
            ring_error,
            routes,
            named,
            caps,
            sticky: options.sticky.clone().map(|key| (key, options.ratio)),
            salt,
            max_body_bytes: options.max_body_bytes,
            cap_at_admission: options.cap_at_admission,
            closed: AtomicBool::new(false),
            forks: fork_generation(),
            id_seed: random_u64(),
            ids: AtomicU64::new(0),
            seen_in_place: Mutex::new(Totals::default()),
            open: AtomicI64::new(0),
            successor: OnceLock::new(),
            reader: OnceLock::new(),
        })
    }

    /// Why this process has no ring.
    pub fn ring_error(&self) -> Option<&str> {
        self.ring_error.as_deref()
    }

    /// Whether this is the process that opened the lane, and not one forked from it.
    pub fn is_ours(&self) -> bool {
        fork_generation() == self.forks
    }

    fn counters(&self) -> &Counters {
        self.ring.as_ref().map_or(&self.control.get().fallback, |ring| &ring.header().counters)
    }

    /// Seconds since the lane's worker last reported itself; `None` when there is none.
    pub fn worker_heartbeat_age_s(&self) -> Option<f64> {
        self.control.worker_age_s()
    }

    /// End the lane's worker when it hangs; its process id. See [`ControlFile::end_hung_worker`].
    pub fn end_hung_worker(&self) -> Option<u64> {
        self.control.end_hung_worker()
    }

    /// Count a failure of our own on the user path. A request that admission failed on is not seen, and counts only here.
    pub fn fault(&self) {
        if self.is_ours() {
            let gone = self.closed.load(Ordering::Acquire);
            let counters = if gone { &self.control.get().fallback } else { self.counters() };
            counters.faults.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Say that this process will not write to its ring any more. Requests that come after this are counted under
    /// `disabled`; those that are open are too, or under `producer_died` when the worker has removed the ring by then.
    pub fn close(&self) {
        if self.is_ours() {
            self.closed.store(true, Ordering::Release);
            if let Some(ring) = &self.ring {
                ring.header().closed.store(1, Ordering::Release);
            }
        }
    }
}

/// Make a ring under the lane's next number. Numbers start again when the control file was removed under living
/// processes: one that is taken is passed over.
fn make_ring(directory: &Path, control: &ControlFile, ring_bytes: u64) -> Result<RingFile> {
    let rings = &control.get().rings;
    for _ in 0..MOST_RINGS {
        let id = rings.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(ring) = RingFile::create(directory, id, ring_bytes)? {
            return Ok(ring);
        }
    }
    Err(Error::Refused {
        path: directory.to_path_buf(),
        why: format!("holds {MOST_RINGS} rings of an older control file; stop the lane's processes and remove it"),
    })
}

/// Write down where the counters stand, where the way of sampling changes. Before it does: requests that are decided in
/// between count for the new revision by the old ratio, and there are few.
fn begin_revision(directory: &Path, header: &ControlHeader, options: &Options) {
    let choice = Choice::by(options.sticky.as_ref());
    let setting = Setting { choice, ratio: options.ratio, qps: options.qps, burst: options.burst };
    header.revisions.begin(setting, unix_ns(), || status::counted(directory, header));
}

fn configure_sampler(control: &ControlFile, options: &Options) -> Result<()> {
    let sampler = &control.get().sampler;
    let choice = Choice::by(options.sticky.as_ref());
    control.get().choice.store(choice as u64, Ordering::Relaxed);
    if sampler.eligible() == 0 {
        return sampler.configure(options.ratio, options.seed.unwrap_or_else(random_u64));
    }
    // Other processes are counting already: the newest configuration's ratio holds from here on.
    sampler.set_ratio(options.ratio)
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.close();
    }
}
