//! How much of the order of words two texts share.
//!
//! Invariant: in [0, 1]; 0 where the words stand in one order, or differ in it by what means nothing.

use super::exchange::as_good_as_equal;
use super::facts::Facts;

/// How far two texts made of the same words have them in another order, in [0, 1].
///
/// Twice the square root of (1 − Kendall's τ) / 2, the share of pairs of words that are inverted, over the words that
/// stand once in each text; at most 1. The root, since two words that change places invert few of all the pairs, and the
/// bound, since a clause that moves as a whole inverts many. Times the fourth power of the share of words that both
/// have: where most words differ, another order is only another way to say it. 0 between active and passive.
pub(crate) fn disorder(a: &Facts<'_>, b: &Facts<'_>) -> f64 {
    let (first, second) = (&a.places, &b.places);
    if first.has("by") != second.has("by") {
        return 0.0; // active against passive
    }
    let mut order = first.shared(second);
    order.sort_unstable();
    let order: Vec<usize> = order.into_iter().map(|(_, there)| there).collect();
    let count = order.len();
    if count < 2 {
        return 0.0;
    }
    if let ([left], [right]) = (a.sentences.as_slice(), b.sentences.as_slice())
        && as_good_as_equal(left, right)
    {
        return 0.0;
    }
    let coverage = 2.0 * count as f64 / (first.singles() + second.singles()) as f64;
    let inverted = inversions(order) as f64 / (count * (count - 1) / 2) as f64;
    (2.0 * coverage.powi(4) * inverted.sqrt()).min(1.0)
}

/// Pairs that stand in descending order, counted while merging: O(n log n).
fn inversions(mut order: Vec<usize>) -> usize {
    let mut count = 0;
    let mut width = 1;
    let mut merged = Vec::with_capacity(order.len());
    while width < order.len() {
        merged.clear();
        for pair in order.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([one, rest @ ..], [other, others @ ..]) = (left, right) {
                if other < one {
                    count += left.len();
                    merged.push(*other);
                    right = others;
                } else {
                    merged.push(*one);
                    left = rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut order, &mut merged);
        width *= 2;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn inversions_are_the_pairs_out_of_order(order in proptest::collection::vec(0_usize..50, 0..40)) {
            let mut naive = 0;
            for (position, one) in order.iter().enumerate() {
                naive += order[position..].iter().filter(|other| *other < one).count();
            }
            prop_assert_eq!(inversions(order), naive);
        }
    }
}
