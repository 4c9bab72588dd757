//! How long requests take, those that are mirrored and those that are not: the lane's own overhead, measured in
//! production.
//!
//! The sampler is a coin, so the requests that it takes and those that it does not are the two groups of a randomized
//! trial. A process keeps one histogram for each group and route in its ring file; those of processes that are gone
//! are added up in the control file. Invariants: at most [`ROUTES`] routes are distinguished, index 0 holds all others;
//! labels are written before the first duration and never change while the file lives.

use crate::histogram::{BUCKETS, Histogram};
use crate::text::Text;

/// Routes that are distinguished, with the one for all others.
pub const ROUTES: usize = 16;

/// Which group of the trial a request is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The coin took it.
    Taken = 0,
    /// The coin did not, and a second coin had it timed.
    NotTaken = 1,
}

/// The histograms of a process, or of all that are gone: of its requests, and of what the lane's own calls took at those
/// that it took. All zero is empty.
#[repr(C, align(128))]
#[derive(Default)]
pub struct Latency {
    labels: [Text; ROUTES],
    groups: [[Histogram; 2]; ROUTES],
    direct: Histogram,
}

impl Latency {
    /// Give the routes their names: the first has index 1. What does not fit counts under index 0.
    pub fn name(&self, labels: &[String]) {
        for (text, label) in self.labels.iter().skip(1).zip(labels) {
            text.write(label);
        }
    }

    /// Count a duration in ns. An index that does not exist counts as index 0.
    pub fn record(&self, route: usize, group: Group, ns: u64) {
        let [others, ..] = &self.groups;
        let [taken, not_taken] = self.groups.get(route).unwrap_or(others);
        match group {
            Group::Taken => taken.record(ns),
            Group::NotTaken => not_taken.record(ns),
        }
    }

    /// Count how long the lane's own calls took for a request that was taken, in ns.
    pub fn record_direct(&self, ns: u64) {
        self.direct.record(ns);
    }

    /// Add all counts to `sums`, route by route under its name.
    pub fn add_to(&self, sums: &mut LatencySums) {
        self.direct.add_to(&mut sums.direct);
        for (text, groups) in self.labels.iter().zip(&self.groups) {
            let index = sums.index(&text.read());
            if let Some(route) = sums.routes.get_mut(index) {
                for (histogram, counts) in groups.iter().zip(&mut route.counts) {
                    histogram.add_to(counts);
                }
            }
        }
    }

    /// Overwrite everything.
    pub fn write(&self, sums: &LatencySums) {
        self.direct.write(&sums.direct);
        let nothing = vec![0; BUCKETS];
        for (index, (text, groups)) in self.labels.iter().zip(&self.groups).enumerate() {
            let route = sums.routes.get(index);
            text.write(route.map_or("", |route| &route.label));
            for (group, histogram) in groups.iter().enumerate() {
                histogram.write(route.and_then(|route| route.counts.get(group)).unwrap_or(&nothing));
            }
        }
    }
}

/// One route's counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteLatency {
    /// The pattern; empty for all other routes.
    pub label: String,
    /// Counts by bucket: taken, not taken.
    pub counts: [Vec<u64>; 2],
}

impl RouteLatency {
    fn new(label: &str) -> Self {
        Self { label: label.to_owned(), counts: [vec![0; BUCKETS], vec![0; BUCKETS]] }
    }
}

/// Plain counts of many processes. The first route is "all others".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencySums {
    /// At most [`ROUTES`].
    pub routes: Vec<RouteLatency>,
    /// Counts by bucket of how long the lane's own calls took for the requests that were taken.
    pub direct: Vec<u64>,
}

impl Default for LatencySums {
    fn default() -> Self {
        Self { routes: vec![RouteLatency::new("")], direct: vec![0; BUCKETS] }
    }
}

impl LatencySums {
    /// Where a route's counts are; a new one gets an index while there is one, else it is one of the others.
    fn index(&mut self, label: &str) -> usize {
        if let Some(index) = self.routes.iter().position(|route| route.label == label) {
            return index;
        }
        if self.routes.len() >= ROUTES {
            return 0;
        }
        self.routes.push(RouteLatency::new(label));
        self.routes.len() - 1
    }
}
