//! Phrases of several tokens, found where they begin.

use super::tokens::Token;
use crate::lexicon::WordMap;
use crate::marks::Marks;

/// Sequences of tokens and what each stands for, by the first one's mark.
#[derive(Debug)]
pub(super) struct Sequences<T> {
    /// The longest first.
    known: Marks<Vec<(Vec<u64>, T)>>,
}

impl<T> Default for Sequences<T> {
    fn default() -> Self {
        Self { known: Marks::default() }
    }
}

impl<T: Copy> FromIterator<(Vec<u64>, T)> for Sequences<T> {
    fn from_iter<I: IntoIterator<Item = (Vec<u64>, T)>>(phrases: I) -> Self {
        let mut known: WordMap<u64, Vec<(Vec<u64>, T)>> = WordMap::default();
        for (marks, value) in phrases {
            let Some((first, rest)) = marks.split_first() else { continue };
            let list = known.entry(*first).or_default();
            // The first line that has a phrase has it.
            if !list.iter().any(|(known, _)| known == rest) {
                list.push((rest.to_vec(), value));
            }
        }
        for list in known.values_mut() {
            list.sort_by_key(|(rest, _)| std::cmp::Reverse(rest.len()));
        }
        Self { known: known.into() }
    }
}

impl<T: Copy> Sequences<T> {
    /// What the longest known sequence at the start of these tokens stands for, and its length.
    pub fn longest(&self, tokens: &[Token]) -> Option<(T, usize)> {
        let (first, behind) = tokens.split_first()?;
        let list = self.known.get(first.mark)?;
        let (rest, value) = list.iter().find(|(rest, _)| {
            behind.len() >= rest.len() && rest.iter().zip(behind).all(|(mark, token)| *mark == token.mark)
        })?;
        Some((*value, rest.len() + 1))
    }
}
