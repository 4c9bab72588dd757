//! Tables by the marks of words ([`crate::lexicon::mark`]): most words of a text are in none of them, and are told so
//! without a look-up.
//!
//! Invariant: built once and then only read; a mark that is in the table is always found.

use crate::lexicon::WordMap;

/// Bits that tell marks which are in no table: many more than a table has marks.
const BITS: usize = 1 << 14;
const WORDS: usize = BITS / 64;

/// What is known by mark.
#[derive(Debug)]
pub(crate) struct Marks<V> {
    /// A bit for each mark of the table, by the mark's low bits.
    sieve: Box<[u64; WORDS]>,
    known: WordMap<u64, V>,
}

impl<V> Default for Marks<V> {
    fn default() -> Self {
        WordMap::default().into()
    }
}

impl<V> From<WordMap<u64, V>> for Marks<V> {
    fn from(known: WordMap<u64, V>) -> Self {
        let mut sieve = Box::new([0_u64; WORDS]);
        for mark in known.keys() {
            let (word, bit) = place(*mark);
            if let Some(word) = sieve.get_mut(word) {
                *word |= bit;
            }
        }
        Self { sieve, known }
    }
}

impl<V> FromIterator<(u64, V)> for Marks<V> {
    fn from_iter<I: IntoIterator<Item = (u64, V)>>(known: I) -> Self {
        known.into_iter().collect::<WordMap<u64, V>>().into()
    }
}

impl<V> Marks<V> {
    #[inline]
    pub fn get(&self, mark: u64) -> Option<&V> {
        let (word, bit) = place(mark);
        if self.sieve.get(word).is_some_and(|known| known & bit != 0) { self.known.get(&mark) } else { None }
    }

    #[inline]
    pub fn has(&self, mark: u64) -> bool {
        self.get(mark).is_some()
    }
}

/// The word of a mark's bit, and the bit.
#[inline]
fn place(mark: u64) -> (usize, u64) {
    ((mark >> 6) as usize % WORDS, 1 << (mark % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_table_says_what_a_map_does(known in proptest::collection::hash_map(0_u64..5000, 0_u8.., 0..200), asked in 0_u64..5000) {
            let table: Marks<u8> = known.iter().map(|(mark, value)| (*mark, *value)).collect();
            prop_assert_eq!(table.get(asked), known.get(&asked));
            for mark in known.keys() {
                prop_assert!(table.has(*mark));
            }
        }
    }
}
