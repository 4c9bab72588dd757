//! Phrases of several tokens, found where they begin.

use super::tokens::Token;
use crate::lexicon::WordMap;

/// Sequences of tokens and what each stands for, by the first one's mark.
#[derive(Debug)]
pub(super) struct Sequences<T> {
    /// The longest first.
    known: WordMap<u64, Vec<(Vec<u64>, T)>>,
}

impl<T> Default for Sequences<T> {
    fn default() -> Self {
        Self { known: WordMap::default() }
    }
}

impl<T: Copy> Sequences<T> {
    pub fn add(&mut self, marks: &[u64], value: T) {
        let Some((first, rest)) = marks.split_first() else { return };
        let list = self.known.entry(*first).or_default();
        // The first line that has a phrase has it.
        if list.iter().any(|(known, _)| known == rest) {
            return;
        }
        list.push((rest.to_vec(), value));
        list.sort_by_key(|(rest, _)| std::cmp::Reverse(rest.len()));
    }

    /// What the longest known sequence at the start of these tokens stands for, and its length.
    pub fn longest(&self, tokens: &[Token]) -> Option<(T, usize)> {
        let (first, behind) = tokens.split_first()?;
        let list = self.known.get(&first.mark)?;
        let (rest, value) = list.iter().find(|(rest, _)| {
            behind.len() >= rest.len() && rest.iter().zip(behind).all(|(mark, token)| *mark == token.mark)
        })?;
        Some((*value, rest.len() + 1))
    }
}
