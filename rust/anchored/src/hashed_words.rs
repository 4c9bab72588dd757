//! A text's row without a model: its words, pairs of words and trigrams of letters, hashed (feature hashing with signs,
//! Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning").
//!
//! Invariants: a feature is known by its XXH3 alone, its dimension by the hash's remainder and its sign by the hash's highest
//! bit; one that stands `n` times weighs 1 + ln n. Features are added in the order in which they first stand in the text,
//! words first, then pairs, then trigrams, so that a text has the same row everywhere.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// Makes rows of one size, and keeps its memory from text to text.
pub struct HashedWords {
    /// Where a feature's count is, by its hash.
    known: HashMap<u64, usize, BuildHasherDefault<Itself>>,
    /// Each feature's hash and how often it stands in the text.
    counts: Vec<(u64, u32)>,
    /// The text's words, each in angle brackets.
    spelled: String,
    pair: String,
}

impl HashedWords {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { known: HashMap::default(), counts: Vec::new(), spelled: String::new(), pair: String::new() }
    }

    /// Add the text made of `words` to `row`, which has at least one dimension.
    pub fn add<'a>(&mut self, words: impl Iterator<Item = &'a str> + Clone, row: &mut [f32]) {
        self.known.clear();
        self.counts.clear();
        self.spelled.clear();
        for word in words.clone() {
            self.count(xxh3_64(word.as_bytes()));
            self.spelled.push('<');
            self.spelled.push_str(word);
            self.spelled.push('>');
        }
        for (left, right) in words.clone().zip(words.skip(1)) {
            self.pair.clear();
            self.pair.push_str(left);
            self.pair.push(' ');
            self.pair.push_str(right);
            let hash = xxh3_64(self.pair.as_bytes());
            self.count(hash);
        }
        self.count_trigrams();
        for (hash, count) in &self.counts {
            let weight = 1.0 + (*count as f32).ln();
            row[(hash % row.len() as u64) as usize] += if hash >> 63 == 1 { weight } else { -weight };
        }
    }

    /// Of three characters each, or of the two of one empty word.
    fn count_trigrams(&mut self) {
        let spelled = std::mem::take(&mut self.spelled);
        let starts = || spelled.char_indices().map(|(start, _)| start);
        let ends = starts().skip(3).chain([spelled.len()]);
        for (start, end) in starts().zip(ends) {
            self.count(xxh3_64(&spelled.as_bytes()[start..end]));
        }
        self.spelled = spelled;
    }

    fn count(&mut self, hash: u64) {
        let next = self.counts.len();
        let at = *self.known.entry(hash).or_insert(next);
        match self.counts.get_mut(at) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.counts.push((hash, 1)),
        }
    }
}

impl Default for HashedWords {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash of a number that is a hash.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(words: &[&str]) -> Vec<f32> {
        let mut row = vec![0.0; 512];
        HashedWords::new().add(words.iter().copied(), &mut row);
        row
    }

    #[test]
    fn each_feature_is_where_its_hash_says() {
        let mut expected = vec![0.0_f32; 512];
        for (feature, count) in
            [("ab", 2.0_f32), ("ab ab", 1.0), ("<ab", 2.0), ("ab>", 2.0), ("b><", 1.0), ("><a", 1.0)]
        {
            let hash = xxh3_64(feature.as_bytes());
            let sign = if hash >> 63 == 1 { 1.0 } else { -1.0 };
            expected[(hash % 512) as usize] += sign * (1.0 + count.ln());
        }
        assert_eq!(row(&["ab", "ab"]), expected);
    }

    #[test]
    fn a_text_has_the_same_row_after_any_other() {
        let mut maker = HashedWords::new();
        let mut before = vec![0.0; 512];
        maker.add(["was", "für", "ein", "日本語"].into_iter(), &mut before);
        let mut after = vec![0.0; 512];
        maker.add(["ab", "ab"].into_iter(), &mut after);
        assert_eq!(after, row(&["ab", "ab"]));
    }

    #[test]
    fn a_text_without_words_is_nothing_and_one_of_two_letters_less_than_a_trigram() {
        assert!(row(&[]).iter().all(|number| *number == 0.0));
        assert!(row(&[""]).iter().any(|number| *number != 0.0));
    }
}
