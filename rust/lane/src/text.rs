//! A short text in shared memory.
//!
//! Invariant: made of atomics; a reader may see parts of two texts, and never anything but UTF-8.

use std::sync::atomic::{AtomicU64, Ordering};

/// Words of eight bytes in a text.
pub const TEXT_WORDS: usize = 32;

/// A short text: UTF-8, zero-padded, cut at the last whole byte that fits.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Text([AtomicU64; TEXT_WORDS]);

impl Text {
    /// Overwrite it.
    pub fn write(&self, text: &str) {
        let mut bytes = text.as_bytes().iter().copied();
        for (index, word) in self.0.iter().enumerate() {
            let last = index + 1 == self.0.len();
            let mut chunk = [0_u8; 8];
            for byte in chunk.iter_mut().take(if last { 7 } else { 8 }) {
                *byte = bytes.next().unwrap_or(0);
            }
            word.store(u64::from_le_bytes(chunk), Ordering::Relaxed);
        }
    }

    /// What was written; empty when nothing was.
    pub fn read(&self) -> String {
        let bytes: Vec<u8> = self
            .0
            .iter()
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .take_while(|byte| *byte != 0)
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
