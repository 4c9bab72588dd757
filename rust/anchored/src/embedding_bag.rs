//! Static embeddings: the row of a text is the mean of the vectors of its tokens (an embedding bag).
//!
//! A text is read word by word and the tokens of a word are kept, because most words were seen before and a tokenizer
//! costs more than all the rest. A kept word is known by 128 bits of its hash, with a seed that no text can know.
//! Invariants: the tokens of a text are those of its words, in order; what is kept is at most [`WORDS`] words and those of
//! one call.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::ops::Range;

use memchr::memmem::Finder;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use shadowlane_base::{Error, Result};

/// Words whose tokens are kept.
const WORDS: usize = 100_000;
/// Longer words, in bytes, are not kept: hashes, base64, whole texts. They are large and not seen again.
const LONG_WORD: usize = 64;

/// Numbers that are summed at a time: what fits into the registers of any processor.
const BLOCK: usize = 32;

/// A table of token vectors, and the tokens of the words seen so far.
pub struct EmbeddingBag {
    /// Row by row, each in `dim.div_ceil(BLOCK)` blocks, the last one filled up with zeros.
    table: Vec<[f32; BLOCK]>,
    dim: usize,
    /// What keeps a text in one piece; `None`: every text is one piece.
    marks: Option<Vec<Finder<'static>>>,
    seed: u64,
    /// Where a word's tokens are in `tokens`: the place of the first, and how many.
    words: HashMap<u128, (u32, u32), BuildHasherDefault<Hashed>>,
    tokens: Vec<u32>,
}

/// The hash of a word is its hash in the map too.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {}

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The texts of one call, read.
#[derive(Default)]
struct Read<'a> {
    /// The tokens of all texts, with one of any number in the place of a new word's.
    ids: Vec<u32>,
    /// Where each text's tokens are in `ids`.
    texts: Vec<Range<usize>>,
    /// Where new words stand in `ids`, in order, and the number of each.
    gaps: Vec<(usize, usize)>,
    /// The words that must be tokenized, each once, and their hashes.
    new: Vec<(&'a str, u128)>,
}

impl EmbeddingBag {
    /// `table` is (tokens, `dim`), row by row. Texts are read word by word where `marks` is given and the text holds none
    /// of them; only give it when the tokenizer has no token across the space before a word, and no other marks.
    ///
    /// Fails when the table has no row, or no whole rows.
    pub fn new(table: impl ExactSizeIterator<Item = f32>, dim: usize, marks: Option<Vec<String>>) -> Result<Self> {
        if dim == 0 || table.len() == 0 || !table.len().is_multiple_of(dim) {
            let why = format!("{} numbers are no rows of {dim}", table.len());
            return Err(Error::Invalid { field: "table", why });
        }
        let blocks = dim.div_ceil(BLOCK);
        let mut rows = vec![[0.0; BLOCK]; table.len() / dim * blocks];
        let mut numbers = table;
        for row in rows.chunks_exact_mut(blocks) {
            for (place, number) in row.as_flattened_mut().iter_mut().take(dim).zip(&mut numbers) {
                *place = number;
            }
        }
        let marks = marks.map(|marks| marks.iter().map(|mark| Finder::new(mark.as_bytes()).into_owned()).collect());
        let seed = RandomState::new().hash_one(dim);
        Ok(Self { table: rows, dim, marks, seed, words: HashMap::default(), tokens: Vec::new() })
    }

    /// (texts, dim), row by row: the mean of the vectors of each text's tokens, zeros where it has none. A token that the
    /// table lacks counts as its last one.
    ///
    /// `tokenize` is called at most once, with the words that are not known yet, and gives the tokens of each, in order;
    /// its error is returned.
    pub fn means<E>(
        &mut self,
        texts: &[&str],
        tokenize: impl FnOnce(&[&str]) -> std::result::Result<Vec<Vec<u32>>, E>,
    ) -> std::result::Result<Vec<f32>, E> {
        if self.words.len() >= WORDS {
            self.words.clear();
            self.tokens.clear();
        }
        let read = self.read(texts);
        let new: Vec<&str> = read.new.iter().map(|(word, _)| *word).collect();
        let tokens = if new.is_empty() { Vec::new() } else { tokenize(&new)? };
        let mut rows = vec![0.0; texts.len() * self.dim];
        let mut gaps = read.gaps.as_slice();
        let mut whole = Vec::new();
        for (known, row) in read.texts.iter().zip(rows.chunks_exact_mut(self.dim)) {
            let (here, later) = gaps.split_at(gaps.partition_point(|(at, _)| *at < known.end));
            gaps = later;
            if here.is_empty() {
                self.mean(&read.ids[known.clone()], row);
                continue;
            }
            whole.clear();
            let mut start = known.start;
            for (at, number) in here {
                whole.extend_from_slice(&read.ids[start..*at]);
                whole.extend_from_slice(&tokens[*number]);
                start = at + 1;
            }
            whole.extend_from_slice(&read.ids[start..known.end]);
            self.mean(&whole, row);
        }
        for ((word, hash), ids) in read.new.into_iter().zip(tokens) {
            if word.len() <= LONG_WORD {
                let place = (self.tokens.len() as u32, ids.len() as u32);
                self.tokens.extend(ids);
                self.words.insert(hash, place);
            }
        }
        Ok(rows)
    }

    fn read<'a>(&self, texts: &[&'a str]) -> Read<'a> {
        let mut read = Read::default();
        let mut numbers: HashMap<u128, usize, BuildHasherDefault<Hashed>> = HashMap::default();
        for text in texts {
            let start = read.ids.len();
            for word in self.split(text) {
                let hash = xxh3_128_with_seed(word.as_bytes(), self.seed);
                if let Some((first, count)) = self.words.get(&hash) {
                    let first = *first as usize;
                    read.ids.extend_from_slice(&self.tokens[first..first + *count as usize]);
                    continue;
                }
                let number = *numbers.entry(hash).or_insert_with(|| {
                    read.new.push((word, hash));
                    read.new.len() - 1
                });
                read.gaps.push((read.ids.len(), number));
                read.ids.push(0);
            }
            read.texts.push(start..read.ids.len());
        }
        read
    }

    fn split<'a>(&self, text: &'a str) -> Words<'a> {
        let marks = self.marks.as_ref();
        let whole = marks.is_none_or(|marks| marks.iter().any(|mark| mark.find(text.as_bytes()).is_some()));
        Words { rest: Some(text), whole }
    }

    /// Puts the mean of the tokens' vectors into `row`, column block by column block: the sums stay in registers.
    fn mean(&self, ids: &[u32], row: &mut [f32]) {
        let blocks = self.dim.div_ceil(BLOCK);
        let last = self.table.len() / blocks - 1;
        let count = ids.len().max(1) as f32;
        for (number, means) in row.chunks_mut(BLOCK).enumerate() {
            let mut sums = [0.0; BLOCK];
            for id in ids {
                let block = &self.table[last.min(*id as usize) * blocks + number];
                for (sum, value) in sums.iter_mut().zip(block) {
                    *sum += value;
                }
            }
            for (mean, sum) in means.iter_mut().zip(sums) {
                *mean = sum / count;
            }
        }
    }
}

/// A text cut at each space that follows something else, without that space: further spaces belong to the next word.
struct Words<'a> {
    rest: Option<&'a str>,
    whole: bool,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest.take()?;
        if self.whole {
            return Some(text);
        }
        let bytes = text.as_bytes();
        let spaces = bytes.iter().take_while(|byte| **byte == b' ').count();
        match memchr::memchr(b' ', &bytes[spaces..]) {
            Some(at) => {
                self.rest = Some(&text[spaces + at + 1..]);
                Some(&text[..spaces + at])
            }
            None => Some(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        Words { rest: Some(text), whole: false }.collect()
    }

    #[test]
    fn a_word_keeps_the_spaces_before_it_but_one() {
        assert_eq!(words("one two"), ["one", "two"]);
        assert_eq!(words(" one   two "), [" one", "  two", ""]);
        assert_eq!(words("  "), ["  "]);
        assert_eq!(words("ä\nö ü"), ["ä\nö", "ü"]);
    }
}
