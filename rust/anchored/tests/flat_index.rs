//! The flat index: what it finds is what a plain computation over all rows finds.

use proptest::prelude::*;
use shadowlane_anchored::flat_index::FlatIndex;

/// The first of the rows of a scope with the greatest cosine, computed row by row in double precision.
fn plain(rows: &[(u64, Vec<f32>)], row: &[f32], scope: u64, least: f64) -> Option<(usize, f64)> {
    let norm = |row: &[f32]| row.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    let mut found: Option<(usize, f64)> = None;
    for (slot, (of, other)) in rows.iter().enumerate() {
        let dot: f64 = other.iter().zip(row).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
        let cosine = dot / (norm(other) * norm(row));
        if *of == scope && cosine >= least && found.is_none_or(|(_, best)| cosine > best) {
            found = Some((slot, cosine));
        }
    }
    found
}

/// Rows of a few whole numbers have equal cosines often, rows near each other differ where a byte says nothing.
fn rows(dim: usize) -> impl Strategy<Value = Vec<f32>> {
    let number = prop_oneof![
        (-2_i8..=2).prop_map(f32::from),
        -1.0_f32..1.0,
        (0_u8..20).prop_map(|step| 0.5 + f32::from(step) * 1e-4),
        Just(1e-30_f32),
        Just(1e30_f32),
    ];
    prop::collection::vec(number, dim)
}

proptest! {
    #[test]
    fn finds_what_a_plain_computation_finds(
        (filled, asked) in (1_usize..70).prop_flat_map(|dim| (
            prop::collection::vec((0_u64..3, rows(dim)), 0..60),
            prop::collection::vec((0_u64..3, rows(dim), prop_oneof![Just(-1.0), -1.0..1.0]), 1..6),
        )),
    ) {
        let dim = asked[0].1.len();
        let mut index = FlatIndex::new(dim).unwrap();
        for (slot, (scope, row)) in filled.iter().enumerate() {
            index.set(slot, *scope, row).unwrap();
        }
        for (scope, row, least) in &asked {
            prop_assert_eq!(index.nearest(row, *scope, *least).unwrap(), plain(&filled, row, *scope, *least));
        }
    }
}

proptest! {
    #[test]
    fn a_search_finds_what_is_nearest_when_it_is_asked(
        (filled, asked, put) in (1_usize..70).prop_flat_map(|dim| (
            prop::collection::vec((0_u64..2, rows(dim)), 0..90),
            prop::collection::vec((0_u64..2, rows(dim)), 1..8),
            prop::collection::vec((any::<prop::sample::Index>(), 0_u64..2, rows(dim)), 8..9),
        )),
        least in prop_oneof![Just(-1.0), -1.0..1.0],
    ) {
        let mut index = FlatIndex::new(asked[0].1.len()).unwrap();
        let mut kept = filled;
        for (slot, (scope, row)) in kept.iter().enumerate() {
            index.set(slot, *scope, row).unwrap();
        }
        let rows: Vec<f32> = asked.iter().flat_map(|(_, row)| row.iter().copied()).collect();
        let scopes: Vec<u64> = asked.iter().map(|(scope, _)| *scope).collect();
        let search = index.search(&rows, &scopes, least).unwrap();
        for (place, ((scope, row), (slot, of, other))) in asked.iter().zip(put).enumerate() {
            prop_assert_eq!(index.found(&search, place), plain(&kept, row, *scope, least));
            let slot = slot.index(kept.len() + 1);
            index.set(slot, of, &other).unwrap();
            if slot == kept.len() {
                kept.push((of, other));
            } else {
                kept[slot] = (of, other);
            }
        }
        prop_assert_eq!(index.found(&search, asked.len()), None);
    }
}

#[test]
fn a_search_outlives_more_puts_than_are_known() {
    let mut index = FlatIndex::new(2).unwrap();
    index.set(0, 0, &[1.0, 0.0]).unwrap();
    let search = index.search(&[1.0, 0.0, 0.0, 1.0], &[0, 0], 0.9).unwrap();
    for _ in 0..2000 {
        index.set(0, 0, &[0.0, 1.0]).unwrap();
    }
    assert_eq!(index.found(&search, 0), None);
    assert_eq!(index.found(&search, 1), Some((0, 1.0)));
    assert!(index.search(&[1.0, 0.0, 0.0], &[0, 0], 0.9).is_err());
}

#[test]
fn a_slot_gets_another_row_and_scope() {
    let mut index = FlatIndex::new(3).unwrap();
    assert!(index.is_empty());
    index.set(0, 1, &[1.0, 0.0, 0.0]).unwrap();
    index.set(1, 1, &[0.0, 1.0, 0.0]).unwrap();
    index.set(0, 2, &[0.0, 0.0, 1.0]).unwrap();
    assert_eq!(index.len(), 2);
    assert_eq!(index.row(0), Some(&[0.0, 0.0, 1.0][..]));
    assert_eq!(index.row(2), None);
    assert_eq!(index.nearest(&[1.0, 0.0, 0.0], 1, 0.5).unwrap(), None);
    assert_eq!(index.nearest(&[0.0, 0.0, 2.0], 2, 0.5).unwrap(), Some((0, 1.0)));
}

#[test]
fn a_row_without_direction_is_near_to_nothing() {
    let mut index = FlatIndex::new(2).unwrap();
    index.set(0, 0, &[0.0, 0.0]).unwrap();
    assert_eq!(index.nearest(&[1.0, 0.0], 0, -1.0).unwrap(), None);
    assert_eq!(index.nearest(&[0.0, 0.0], 0, -1.0).unwrap(), None);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    for dim in [0, 65_537] {
        assert!(FlatIndex::new(dim).err().unwrap().to_string().starts_with("dim: "));
    }
    let mut index = FlatIndex::new(2).unwrap();
    for (slot, row, field) in [(1, &[1.0, 0.0][..], "slot"), (0, &[1.0][..], "row"), (0, &[f32::NAN, 0.0][..], "row")] {
        let error = index.set(slot, 0, row).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field}: ")), "{error}");
    }
    assert!(index.is_empty());
    assert!(index.nearest(&[f32::INFINITY, 0.0], 0, 0.0).is_err());
}
