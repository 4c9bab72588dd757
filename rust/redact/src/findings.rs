//! Counts of what was found, by kind.

use std::collections::BTreeMap;

/// How many values of each kind were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(BTreeMap<String, u64>);

impl Findings {
    /// Count one value.
    pub fn add(&mut self, kind: &str) {
        self.add_many(kind, 1);
    }

    fn add_many(&mut self, kind: &str, count: u64) {
        match self.0.get_mut(kind) {
            Some(sum) => *sum += count,
            None => {
                self.0.insert(kind.to_owned(), count);
            }
        }
    }

    /// Add the counts of others.
    pub fn merge(&mut self, others: &Self) {
        for (kind, count) in &others.0 {
            self.add_many(kind, *count);
        }
    }

    /// Kinds and counts.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> + '_ {
        self.0.iter().map(|(kind, count)| (kind.as_str(), *count))
    }

    /// How many values there are of all kinds.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
