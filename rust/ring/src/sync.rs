//! The one module that switches between the standard library's primitives and loom's.

#[cfg(loom)]
pub(crate) use loom::sync::Arc;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::Arc;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

/// A load of a word that the same thread stores to afterwards.
///
/// Loom remembers one last access of each word, so a thread's own load hides another thread's earlier one from the
/// store that follows, and orderings go unexplored. A read-modify-write instead of the load keeps them.
#[inline]
pub(crate) fn load_to_store(word: &AtomicU64, order: Ordering) -> u64 {
    #[cfg(loom)]
    return word.fetch_add(0, order);
    #[cfg(not(loom))]
    word.load(order)
}
