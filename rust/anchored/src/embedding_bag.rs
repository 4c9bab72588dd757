//! Static embeddings: the row of a text is the mean of the vectors of its tokens (an embedding bag).
//!
//! A text is read word by word and the tokens of a word are kept, because most words were seen before and a tokenizer
//! costs more than all the rest. Invariants: the tokens of a text are those of its words, in order; what is kept is at
//! most [`WORDS`] words and those of one call.

use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem;

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
    marks: Option<Vec<String>>,
    /// Where a word's tokens are in `tokens`.
    words: HashMap<Box<str>, Range<usize>>,
    tokens: Vec<u32>,
}

/// A word of one call.
enum Word {
    /// Where its tokens are.
    Kept(Range<usize>),
    /// Its number among the words that must be tokenized.
    New(usize),
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
        Ok(Self { table: rows, dim, marks, words: HashMap::new(), tokens: Vec::new() })
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
        let (read, new) = self.read(texts);
        let tokens = if new.is_empty() { Vec::new() } else { tokenize(&new)? };
        let mut rows = vec![0.0; texts.len() * self.dim];
        let mut ids = Vec::new();
        for (words, row) in read.iter().zip(rows.chunks_exact_mut(self.dim)) {
            ids.clear();
            for word in words {
                ids.extend_from_slice(match word {
                    Word::Kept(position) => &self.tokens[position.clone()],
                    Word::New(number) => &tokens[*number],
                });
            }
            self.mean(&ids, row);
        }
        for (word, ids) in new.into_iter().zip(tokens) {
            if word.len() <= LONG_WORD {
                let start = self.tokens.len();
                self.tokens.extend(ids);
                self.words.insert(word.into(), start..self.tokens.len());
            }
        }
        Ok(rows)
    }

    /// The words of each text, and those that must be tokenized, each once.
    fn read<'a>(&self, texts: &[&'a str]) -> (Vec<Vec<Word>>, Vec<&'a str>) {
        let mut new = Vec::new();
        let mut numbers = HashMap::new();
        let read = texts.iter().map(|text| {
            let words = self.split(text).map(|word| match self.words.get(word) {
                Some(position) => Word::Kept(position.clone()),
                None => Word::New(*numbers.entry(word).or_insert_with(|| {
                    new.push(word);
                    new.len() - 1
                })),
            });
            words.collect()
        });
        (read.collect(), new)
    }

    fn split<'a>(&self, text: &'a str) -> Words<'a> {
        let whole = self
            .marks
            .as_ref()
            .is_none_or(|marks| marks.iter().any(|mark| memmem::find(text.as_bytes(), mark.as_bytes()).is_some()));
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
