//! What is known of the names of members in which nothing is found: bodies have few names, and those many times.
//!
//! Invariant: kept are only names without escapes that hold no value and no label, each with the options that it was
//! looked at with, so that what is kept is what a look at it would say.

use std::cell::RefCell;

use super::names::Name;
use super::path_hash::hash;

/// What a name says of its value.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub says: Name,
    /// The options list it as a secret's.
    pub listed: bool,
    /// A member beside it may say what its value is.
    pub of_pair: bool,
}

struct Kept {
    options: u64,
    name: [u8; LONGEST],
    length: usize,
    known: Known,
}

const LONGEST: usize = 40;
const KEPT: usize = 256;

thread_local! {
    static NAMES: RefCell<Vec<Option<Kept>>> = RefCell::new((0..KEPT).map(|_| None).collect());
}

fn slot(options: u64, name: &[u8]) -> usize {
    hash(options, name) as usize % KEPT
}

/// What is known of a name under some options.
pub(super) fn get(options: u64, name: &[u8]) -> Option<Known> {
    NAMES.with_borrow(|names| {
        let kept = names.get(slot(options, name))?.as_ref()?;
        (kept.options == options && kept.name.get(..kept.length) == Some(name)).then_some(kept.known)
    })
}

/// Keep what a look at a name said: nothing was found in it, and it holds no label.
pub(super) fn keep(options: u64, name: &[u8], known: Known) {
    let mut kept = Kept { options, name: [0; LONGEST], length: name.len(), known };
    let Some(bytes) = kept.name.get_mut(..name.len()) else { return };
    bytes.copy_from_slice(name);
    NAMES.with_borrow_mut(|names| {
        if let Some(slot) = names.get_mut(slot(options, name)) {
            *slot = Some(kept);
        }
    });
}
