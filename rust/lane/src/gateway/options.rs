//! How a lane samples, caps and admits, as its user says it.
//!
//! Invariant: [`Options::default`] is what a configuration file without a word means.

use crate::caps::CapOptions;
use crate::keys::StickyKey;
use crate::latency::ROUTES;
use shadowlane_policy::route_globs;

/// How a lane samples, caps and admits.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of the ring's data region: a power of two between 64 KiB and 1 GiB.
    pub ring_bytes: u64,
    /// Bound of a request body; a response body is cut there.
    pub max_body_bytes: u64,
    /// Share of the eligible requests that is taken.
    pub ratio: f64,
    /// Seed of the sampler; `None` is random for each lane.
    pub seed: Option<u64>,
    /// Hard cap over all processes of the lane, requests a second.
    pub qps: f64,
    /// Requests that may come at once under the cap.
    pub burst: u32,
    /// Whether admission takes the cap's units: first come, first served. Otherwise the worker takes them, for those
    /// that its reservoirs keep.
    pub cap_at_admission: bool,
    /// Whether the cap is a fleet's: nothing is admitted without a lease, which the worker gets.
    pub leased: bool,
    /// Sample by key instead of by count.
    pub sticky: Option<StickyKey>,
    /// What is a read beyond GET and HEAD: presets and `METHOD /path [PRESET]` patterns, see [`Routes::new`].
    pub read_routes: Vec<String>,
    /// Path patterns; when given, only these are mirrored.
    pub include: Vec<String>,
    /// Path patterns that are never mirrored.
    pub exclude: Vec<String>,
    /// Fill of the ring, in [0, 1], above which admission itself refuses; 1 never does.
    pub shed_above: f64,
    /// Caps of routes and tenants, and what requests cost.
    pub caps: CapOptions,
    /// Patterns, `METHOD /path` or `/path`, whose own cost is measured apart, before those of the other fields.
    pub timed_routes: Vec<String>,
}

impl Default for Options {
    /// The values of a configuration that says nothing.
    fn default() -> Self {
        Self {
            ring_bytes: 16 << 20,
            max_body_bytes: 1 << 20,
            ratio: 0.05,
            seed: None,
            qps: 50.0,
            burst: 50,
            cap_at_admission: true,
            leased: false,
            sticky: None,
            read_routes: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
            shed_above: 1.0,
            caps: CapOptions::default(),
            timed_routes: Vec::new(),
        }
    }
}

impl Options {
    /// The routes that are measured apart.
    pub(super) fn named_routes(&self) -> Vec<String> {
        let capped = self.caps.routes.iter().map(|(pattern, _)| pattern);
        let mut named: Vec<String> = Vec::new();
        // A preset's commonest routes; a pattern without the preset that its third word names.
        let read = self.read_routes.iter().flat_map(|text| match text.splitn(3, ' ').collect::<Vec<_>>().as_slice() {
            [method, path, ..] => vec![format!("{method} {path}")],
            _ => route_globs(text),
        });
        let chosen = self.timed_routes.iter().chain(capped).cloned();
        for pattern in chosen.chain(read).chain(self.include.iter().cloned()) {
            if named.len() < ROUTES - 1 && !named.contains(&pattern) {
                named.push(pattern);
            }
        }
        named
    }
}
