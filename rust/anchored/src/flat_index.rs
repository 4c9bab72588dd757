//! Exact search for the nearest row by cosine, among the rows of one scope (a flat index).
//!
//! Every row is kept twice: as given, and as bytes. A scan reads the bytes only, a quarter of the memory, and from the
//! size of each rounding error knows the most that a row's cosine can be; the few rows that could still be the nearest are
//! then computed from the numbers as given, in double precision. Invariants: the row found is the one that a computation
//! over all rows in double precision finds, the first of equal ones; a row's bytes never say less than its cosine.

use shadowlane_base::{Error, Result};

/// Bytes that are multiplied at a time: rows are filled up with zeros to a multiple of it.
const BLOCK: usize = 32;
/// What a byte's sign leaves of it, on both sides alike.
const STEPS: f64 = 127.0;
/// A product of two codes is at most 127², so that so many of them never leave 32 bits.
const MOST_DIMENSIONS: usize = 65_536;
/// Above what rounding can do to a bound that is computed in double precision.
const ROUNDING: f64 = 1e-9;

/// Rows in numbered slots, each of a scope.
pub struct FlatIndex {
    dim: usize,
    /// Codes of a row: `dim`, filled up to whole blocks.
    width: usize,
    /// (slots, `dim`), as given.
    rows: Vec<f32>,
    /// (slots, `width`).
    codes: Vec<i8>,
    about: Vec<About>,
}

/// What is known of a row beside its numbers.
#[derive(Clone, Copy, Default)]
struct About {
    scope: u64,
    /// The row's norm; 0 for a row without direction, which is near to nothing.
    norm: f64,
    /// What one step of its codes is worth, for the unit row.
    step: f64,
    /// The norm of what the codes leave out of the unit row.
    error: f64,
}

/// A row that is looked for.
struct Query<'a> {
    row: &'a [f32],
    /// Its codes, wide enough for products.
    codes: Vec<i16>,
    about: About,
}

impl FlatIndex {
    /// An index without rows. `dim` is between 1 and 65 536.
    pub fn new(dim: usize) -> Result<Self> {
        if !(1..=MOST_DIMENSIONS).contains(&dim) {
            return Err(Error::Invalid { field: "dim", why: format!("{dim} is not between 1 and {MOST_DIMENSIONS}") });
        }
        let width = dim.next_multiple_of(BLOCK);
        Ok(Self { dim, width, rows: Vec::new(), codes: Vec::new(), about: Vec::new() })
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.about.len()
    }

    /// Whether there is no slot yet.
    pub fn is_empty(&self) -> bool {
        self.about.is_empty()
    }

    /// Puts a row into a slot, instead of the one there. `slot` is one that there is, or the next one.
    ///
    /// Fails for a slot further on, a row of another length, and one that is not finite.
    pub fn set(&mut self, slot: usize, scope: u64, row: &[f32]) -> Result<()> {
        if slot > self.len() {
            let why = format!("{slot} leaves a gap: the next one is {}", self.len());
            return Err(Error::Invalid { field: "slot", why });
        }
        self.check(row)?;
        if slot == self.len() {
            self.rows.resize((slot + 1) * self.dim, 0.0);
            self.codes.resize((slot + 1) * self.width, 0);
            self.about.push(About::default());
        }
        self.rows[slot * self.dim..][..self.dim].copy_from_slice(row);
        let codes = &mut self.codes[slot * self.width..][..self.width];
        self.about[slot] = About { scope, ..encode(row, |place, code| codes[place] = code) };
        Ok(())
    }

    /// A slot's row, as it was given.
    pub fn row(&self, slot: usize) -> Option<&[f32]> {
        self.rows.get(slot * self.dim..)?.get(..self.dim)
    }

    /// The slot of `scope` whose row has the greatest cosine to `row`, at least `least`, and that cosine.
    ///
    /// Fails for a row of another length, and one that is not finite.
    pub fn nearest(&self, row: &[f32], scope: u64, least: f64) -> Result<Option<(usize, f64)>> {
        self.check(row)?;
        let mut codes = vec![0; self.width];
        let about = About { scope, ..encode(row, |place, code| codes[place] = i16::from(code)) };
        if about.norm == 0.0 {
            return Ok(None);
        }
        let query = Query { row, codes, about };
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the only thing that the call asks for is a processor with AVX2, which has just been seen.
            return Ok(unsafe { self.scan_avx2(&query, least) });
        }
        Ok(self.scan(&query, least))
    }

    fn check(&self, row: &[f32]) -> Result<()> {
        if row.len() != self.dim {
            let why = format!("{} numbers, where a row has {}", row.len(), self.dim);
            return Err(Error::Invalid { field: "row", why });
        }
        if row.iter().any(|number| !number.is_finite()) {
            return Err(Error::Invalid { field: "row", why: "a number is not finite".into() });
        }
        Ok(())
    }

    /// [`Self::scan`], compiled for processors that multiply sixteen codes at once.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn scan_avx2(&self, query: &Query<'_>, least: f64) -> Option<(usize, f64)> {
        self.scan(query, least)
    }

    #[expect(clippy::inline_always, reason = "compiled once for each set of instructions, by who calls it")]
    #[inline(always)]
    fn scan(&self, query: &Query<'_>, least: f64) -> Option<(usize, f64)> {
        let (mut found, mut best) = (None, least);
        for (slot, (about, codes)) in self.about.iter().zip(self.codes.chunks_exact(self.width)).enumerate() {
            if about.scope != query.about.scope || about.norm == 0.0 {
                continue;
            }
            // x·y = x̂·ŷ + x̂·f + e·y, where e and f are what the codes leave out: at most |x̂||f| + |e||y|, with |y| = 1.
            let coded = f64::from(product(codes, &query.codes)) * about.step * query.about.step;
            let most = coded + (1.0 + about.error) * query.about.error + about.error + ROUNDING;
            if most < best {
                continue;
            }
            let cosine = self.cosine(slot, query);
            if cosine > best || (found.is_none() && cosine >= best) {
                (found, best) = (Some(slot), cosine);
            }
        }
        found.map(|slot| (slot, best))
    }

    fn cosine(&self, slot: usize, query: &Query<'_>) -> f64 {
        let row = &self.rows[slot * self.dim..][..self.dim];
        let dot: f64 = row.iter().zip(query.row).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
        dot / (self.about[slot].norm * query.about.norm)
    }
}

/// The codes of a row's direction, given to `put` by place, and what they are worth.
fn encode(row: &[f32], mut put: impl FnMut(usize, i8)) -> About {
    let norm = row.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
    if norm == 0.0 {
        (0..row.len()).for_each(|place| put(place, 0));
        return About::default();
    }
    let largest = row.iter().fold(0.0, |most: f64, number| most.max(f64::from(number.abs())));
    let step = largest / norm / STEPS;
    let mut error = 0.0;
    for (place, number) in row.iter().enumerate() {
        let unit = f64::from(*number) / norm;
        let code = (unit / step).round();
        put(place, code as i8);
        error += (unit - code * step).powi(2);
    }
    About { scope: 0, norm, step, error: error.sqrt() }
}

#[expect(clippy::inline_always, reason = "part of the loop that is compiled for each set of instructions")]
#[inline(always)]
fn product(codes: &[i8], wide: &[i16]) -> i32 {
    let mut sum = 0;
    for (one, other) in codes.as_chunks::<BLOCK>().0.iter().zip(wide.as_chunks::<BLOCK>().0) {
        // A sum of its own, so that its length is known where it is compiled.
        let mut part = 0;
        for (one, other) in one.iter().zip(other) {
            part += i32::from(*one) * i32::from(*other);
        }
        sum += part;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways to compile the scan give the same, bit by bit.
    #[test]
    fn every_set_of_instructions_finds_the_same() {
        let mut index = FlatIndex::new(40).unwrap();
        let number = |seed: usize| ((seed * 7919 + 13) % 257) as f32 / 128.0 - 1.0;
        let row = |slot: usize| (0..40).map(|place| number(slot * 40 + place)).collect::<Vec<_>>();
        for slot in 0..300 {
            index.set(slot, slot as u64 % 3, &row(slot)).unwrap();
        }
        for slot in 300..400 {
            let row = row(slot);
            let mut codes = vec![0; index.width];
            let about = encode(&row, |place, code| codes[place] = i16::from(code));
            let query = Query { row: &row, codes, about };
            let here = index.nearest(&row, 0, -1.0).unwrap();
            assert_eq!(here, index.scan(&query, -1.0));
            assert!(here.is_some());
        }
    }

    /// Squares in double precision of any float32 have no overflow and leave no norm of zero.
    #[test]
    fn the_largest_and_smallest_numbers_have_a_direction() {
        for size in [f32::MAX, f32::MIN_POSITIVE, 1e-45] {
            let mut index = FlatIndex::new(2).unwrap();
            index.set(0, 0, &[size, 0.0]).unwrap();
            index.set(1, 0, &[0.0, -size]).unwrap();
            assert_eq!(index.nearest(&[0.0, -size], 0, 0.5).unwrap(), Some((1, 1.0)));
        }
    }
}
