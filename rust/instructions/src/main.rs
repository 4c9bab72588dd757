//! What `make instructions` counts, under callgrind: every call of [`counted_call`] is one part of its dump. Prints the
//! features of the processor that this process sees, then one line a call with the name of its case, in the parts' order.
//!
//! Invariants: inputs are fixed; what a case needs is made outside [`counted_call`]; each case runs [`CALLS`] times, so that
//! a call in which the drain looks at its directory (once a second) can be told from the others.

mod exchanges;

use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exchanges::{Bodies, HEADERS, TARGET};
use shadowlane_lane::drain::Drainer;
use shadowlane_lane::gateway::{Entry, Lane, Options, Ticket};
use shadowlane_lane::process::random_u64;
use shadowlane_policy::{Policy, PolicyOptions};
use shadowlane_redact::Sanitizer;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Calls of each case: odd, so that there is one in the middle.
const CALLS: usize = 11;
/// Name, bytes of the request and of the answer, whether the answer is a stream of events.
const EXCHANGES: [(&str, usize, bool); 4] = [
    ("1 KiB", 1 << 10, false),
    ("16 KiB", 16 << 10, false),
    ("128 KiB", 128 << 10, false),
    ("16 KiB, streamed", 16 << 10, true),
];

/// Callgrind counts from the entry to the return of this function, and nowhere else.
#[inline(never)]
fn counted_call<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

/// A directory that is removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let shared = Path::new("/dev/shm");
        let base = if shared.is_dir() { shared.to_path_buf() } else { std::env::temp_dir() };
        Self(base.join(format!("shadowlane-instructions-{:016x}", random_u64())))
    }

    fn open(&self, ratio: f64) -> Outcome<Arc<Lane>> {
        let options = Options {
            ring_bytes: 16 << 20,
            ratio,
            seed: Some(1),
            qps: 1e6,
            burst: 1_000_000,
            read_routes: vec!["openai".to_owned()],
            ..Options::default()
        };
        let lane = Lane::open(&self.0, &options)?;
        lane.ring_error().map_or(Ok(()), |why| Err(why.to_owned()))?;
        Ok(Arc::new(lane))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Left behind at worst.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn begin(lane: &Arc<Lane>, method: &[u8]) -> Entry {
    lane.begin(method, TARGET, HEADERS.iter().copied())
}

fn taken(entry: Entry) -> Outcome<Ticket> {
    match entry {
        Entry::Taken(ticket) => Ok(ticket),
        Entry::Timed(_) | Entry::Out => Err("a request was not taken although every one is to be".into()),
    }
}

/// The one call at the start of a request.
fn admissions() -> Outcome<()> {
    let cases: [(&str, &[u8], f64); 3] =
        [("admit, a write", b"DELETE", 1.0), ("admit, not taken", b"POST", 0.0), ("admit, taken", b"POST", 1.0)];
    for (case, method, ratio) in cases {
        let directory = Directory::new();
        let lane = directory.open(ratio)?;
        for _ in 0..CALLS {
            let entry = counted_call(|| begin(&lane, method));
            println!("{case}");
            if matches!(entry, Entry::Taken(_)) != (case == "admit, taken") {
                return Err(format!("{case}: the other happened").into());
            }
        }
    }
    Ok(())
}

/// The call at the end of an answer, and what becomes of the frame in the worker.
fn exchanges() -> Outcome<()> {
    let directory = Directory::new();
    let lane = directory.open(1.0)?;
    let rules = format!(r#"{{"hash_key": "{}"}}"#, "5a".repeat(32));
    let sanitizer = Sanitizer::new(&shadowlane_redact::Options::from_json(&rules)?)?;
    let policy = Policy::new(PolicyOptions { read: vec!["openai".to_owned()], ..PolicyOptions::default() })?;
    let mut drainer = Drainer::open(&directory.0, sanitizer, Vec::new())?.with_policy(policy);
    for (name, bytes, streamed) in EXCHANGES {
        let bodies = Bodies::new(bytes, streamed);
        for _ in 0..CALLS {
            let ticket = taken(begin(&lane, b"POST"))?;
            let offered = bodies.with(|exchange| counted_call(|| lane.offer(ticket, exchange)));
            println!("offer, {name}");
            let copies = counted_call(|| drainer.drain(1, usize::MAX));
            println!("drain, {name}");
            let [copy] = copies.as_slice() else {
                return Err(format!("{name}: offered {offered}, drained {} copies", copies.len()).into());
            };
            if copy.blocked.is_some() || copy.findings.is_empty() || copy.req_hash.is_empty() {
                return Err(format!("{name}: {:?}, {}, {:?}", copy.blocked, copy.why, copy.findings).into());
            }
            drainer.ack(copy.ring, copy.seq);
        }
    }
    Ok(())
}

/// What the libraries that choose their code by the processor (memchr, the C library) find here.
fn features() -> Vec<&'static str> {
    let mut found = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! look {
            ($($name:tt),*) => {$(if std::arch::is_x86_feature_detected!($name) { found.push($name); })*};
        }
        look!(
            "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma", "bmi1", "bmi2", "lzcnt", "popcnt", "avx512f", "avx512bw"
        );
    }
    found
}

fn main() -> Outcome<()> {
    println!("cpu {}", features().join(" "));
    admissions()?;
    exchanges()
}
