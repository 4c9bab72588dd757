//! Exact search for the nearest row by cosine, among the rows of one scope (a flat index).
//!
//! Every row is kept twice: as given, and as bytes. A scan reads the bytes only, a quarter of the memory, and from the
//! size of each rounding error knows the most that a row's cosine can be; the few rows that could still be the nearest are
//! then computed from the numbers as given, in double precision. Invariants: the row found is the one that a computation
//! over all rows in double precision finds, the first of equal ones; a row's bytes never say less than its cosine.

use std::collections::VecDeque;
use std::ops::Range;

use shadowlane_base::{Error, Result};

/// Codes that are multiplied at a time: rows are filled up with zeros to a multiple of it.
const BLOCK: usize = 64;
/// The largest code on either side. So many that the products of a block's halves, added pair by pair and then to each
/// other, fit into 16 bits: 4 · 63 · (63 + 64).
const STEPS: f64 = 63.0;
/// What a query's codes are raised by, so that none is negative.
const RAISED: i32 = 64;
/// Rows that all queries of a search look at before the next ones: their codes stay in the processor's first cache.
const AT_ONCE: usize = 64;
/// Rows that were put last, and are known by their slots: more than any search sees come.
const KNOWN: usize = 1024;
/// A product of two codes is at most 63 · 127, so that so many of them never leave 32 bits.
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
    /// How often a row was put, and the slots of the last [`KNOWN`] times.
    puts: u64,
    last_put: VecDeque<usize>,
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
    /// The sum of its codes.
    sum: i32,
}

/// A row that is looked for, and the nearest that was found.
struct Query {
    row: Vec<f32>,
    /// Its codes, each raised by [`RAISED`].
    codes: Vec<u8>,
    about: About,
    best: Best,
}

/// The nearest row so far, and its cosine: before there is one, the least that is asked for.
#[derive(Clone, Copy)]
struct Best {
    slot: Option<usize>,
    cosine: f64,
}

/// Rows that are looked for together. What is put into the index meanwhile is seen by [`FlatIndex::found`].
pub struct Search {
    queries: Vec<Query>,
    least: f64,
    /// The puts that it has seen.
    puts: u64,
}

impl FlatIndex {
    /// An index without rows. `dim` is between 1 and 65 536.
    pub fn new(dim: usize) -> Result<Self> {
        if !(1..=MOST_DIMENSIONS).contains(&dim) {
            return Err(Error::Invalid { field: "dim", why: format!("{dim} is not between 1 and {MOST_DIMENSIONS}") });
        }
        let width = dim.next_multiple_of(BLOCK);
        let (rows, codes, about) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { dim, width, rows, codes, about, puts: 0, last_put: VecDeque::with_capacity(KNOWN) })
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
        self.puts += 1;
        if self.last_put.len() == KNOWN {
            self.last_put.pop_front();
        }
        self.last_put.push_back(slot);
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
        Ok(self.found(&self.search(row, &[scope], least)?, 0))
    }

    /// Looks for many rows at once: (scopes, dim), row by row, each in its scope. [`Self::found`] gives what was found.
    ///
    /// Fails for another number of rows, and one that is not finite.
    pub fn search(&self, rows: &[f32], scopes: &[u64], least: f64) -> Result<Search> {
        if rows.len() != scopes.len() * self.dim {
            let why = format!("{} numbers, where {} rows have {}", rows.len(), scopes.len(), scopes.len() * self.dim);
            return Err(Error::Invalid { field: "row", why });
        }
        rows.chunks_exact(self.dim).try_for_each(|row| self.check(row))?;
        let queries = rows.chunks_exact(self.dim).zip(scopes).map(|(row, scope)| self.query(row, *scope, least));
        let mut queries: Vec<Query> = queries.collect();
        for first in (0..self.len()).step_by(AT_ONCE) {
            let slots = first..(first + AT_ONCE).min(self.len());
            for query in &mut queries {
                self.look(query, slots.clone());
            }
        }
        Ok(Search { queries, least, puts: self.puts })
    }

    /// What [`Self::nearest`] gives now for the row of this place in a search; `None` beyond the last.
    pub fn found(&self, search: &Search, place: usize) -> Option<(usize, f64)> {
        let query = search.queries.get(place)?;
        let since = (self.puts - search.puts) as usize;
        let mut best = query.best;
        let known = since <= self.last_put.len();
        let put: Vec<usize> = self.last_put.iter().rev().take(since).copied().collect();
        if !known || best.slot.is_some_and(|slot| put.contains(&slot)) {
            // The nearest one is gone, or nobody knows: which one is next was not kept.
            let mut query = self.query(&query.row, query.about.scope, search.least);
            self.look(&mut query, 0..self.len());
            return query.best.found();
        }
        for slot in put {
            let about = &self.about[slot];
            if about.scope == query.about.scope && about.norm != 0.0 && query.about.norm != 0.0 {
                best.meet(slot, self.cosine(slot, query));
            }
        }
        best.found()
    }

    fn query(&self, row: &[f32], scope: u64, least: f64) -> Query {
        let mut codes = vec![0; self.width];
        let about = About { scope, ..encode(row, |place, code| codes[place] = (i32::from(code) + RAISED) as u8) };
        Query { row: row.to_vec(), codes, about, best: Best { slot: None, cosine: least } }
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

    /// Looks at some slots, those after the ones that the query has seen.
    fn look(&self, query: &mut Query, slots: Range<usize>) {
        if query.about.norm == 0.0 {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the only thing that the call asks for is a processor with AVX2, which has just been seen.
            unsafe { self.look_avx2(query, slots) };
            return;
        }
        self.look_by(query, slots, product);
    }

    /// [`Self::look_by`], compiled for processors that multiply 32 codes at once.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn look_avx2(&self, query: &mut Query, slots: Range<usize>) {
        self.look_by(query, slots, |codes, raised| product_avx2(codes, raised));
    }

    #[expect(clippy::inline_always, reason = "compiled once for each set of instructions, by who calls it")]
    #[inline(always)]
    fn look_by(&self, query: &mut Query, slots: Range<usize>, product: impl Fn(&[i8], &[u8]) -> i32) {
        let codes = self.codes[slots.start * self.width..].chunks_exact(self.width);
        for ((slot, about), codes) in slots.clone().zip(&self.about[slots]).zip(codes) {
            if about.scope != query.about.scope || about.norm == 0.0 {
                continue;
            }
            // x·y = x̂·ŷ + x̂·f + e·y, where e and f are what the codes leave out: at most |x̂||f| + |e||y|, with |y| = 1.
            let plain = product(codes, &query.codes) - RAISED * about.sum;
            let near = f64::from(plain) * about.step * query.about.step;
            let most = near + (1.0 + about.error) * query.about.error + about.error + ROUNDING;
            if most >= query.best.cosine {
                query.best.meet(slot, self.cosine(slot, query));
            }
        }
    }

    fn cosine(&self, slot: usize, query: &Query) -> f64 {
        let row = &self.rows[slot * self.dim..][..self.dim];
        let dot: f64 = row.iter().zip(&query.row).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum();
        dot / (self.about[slot].norm * query.about.norm)
    }
}

impl Best {
    /// The greater cosine, the first slot of equal ones.
    fn meet(&mut self, slot: usize, cosine: f64) {
        if cosine > self.cosine || (cosine >= self.cosine && self.slot.is_none_or(|known| slot < known)) {
            *self = Self { slot: Some(slot), cosine };
        }
    }

    fn found(self) -> Option<(usize, f64)> {
        self.slot.map(|slot| (slot, self.cosine))
    }
}

impl Search {
    /// How many rows are looked for.
    pub fn len(&self) -> usize {
        self.queries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.queries.is_empty()
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
    let (mut error, mut sum) = (0.0, 0);
    for (place, number) in row.iter().enumerate() {
        let unit = f64::from(*number) / norm;
        let code = (unit / step).round();
        put(place, code as i8);
        sum += code as i32;
        error += (unit - code * step).powi(2);
    }
    About { scope: 0, norm, step, error: error.sqrt(), sum }
}

/// The sum of the products of codes and raised codes.
#[expect(clippy::inline_always, reason = "part of the loop that is compiled for each set of instructions")]
#[inline(always)]
fn product(codes: &[i8], raised: &[u8]) -> i32 {
    let mut sum = 0;
    for (codes, raised) in codes.as_chunks::<BLOCK>().0.iter().zip(raised.as_chunks::<BLOCK>().0) {
        // A sum of its own, so that its length is known where it is compiled.
        let mut part = 0;
        for (one, other) in codes.iter().zip(raised) {
            part += i32::from(*one) * i32::from(*other);
        }
        sum += part;
    }
    sum
}

/// [`product`] by the instruction that multiplies bytes, of which one side has no sign, and adds two neighbours.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
#[expect(clippy::cast_ptr_alignment, reason = "both instructions take any address")]
fn product_avx2(codes: &[i8], raised: &[u8]) -> i32 {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
        _mm256_set1_epi16, _mm256_setzero_si256, _mm256_storeu_si256,
    };
    const HALF: usize = BLOCK / 2;
    let mut sums = _mm256_setzero_si256();
    for (codes, raised) in codes.as_chunks::<HALF>().0.chunks_exact(2).zip(raised.as_chunks::<HALF>().0.chunks_exact(2))
    {
        let half = |place: usize| {
            // SAFETY: both are arrays of 32 bytes, all of which are read; the instruction asks for no alignment.
            let (codes, raised) = unsafe {
                (
                    _mm256_loadu_si256(codes[place].as_ptr().cast::<__m256i>()),
                    _mm256_loadu_si256(raised[place].as_ptr().cast::<__m256i>()),
                )
            };
            _mm256_maddubs_epi16(raised, codes)
        };
        let both = _mm256_add_epi16(half(0), half(1));
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(both, _mm256_set1_epi16(1)));
    }
    let mut parts = [0_i32; 8];
    // SAFETY: an array of 32 bytes, all of which are written.
    unsafe { _mm256_storeu_si256(parts.as_mut_ptr().cast::<__m256i>(), sums) };
    parts.iter().sum()
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
            let here = index.nearest(&row, 0, -1.0).unwrap();
            let mut query = index.query(&row, 0, -1.0);
            index.look_by(&mut query, 0..index.len(), product);
            assert_eq!(here, query.best.found());
            assert!(here.is_some());
        }
    }

    /// The largest codes on both sides fit where they are added.
    #[test]
    fn the_largest_codes_have_their_product() {
        for sign in [1.0, -1.0] {
            let mut index = FlatIndex::new(256).unwrap();
            index.set(0, 0, &[sign; 256]).unwrap();
            let query = index.query(&[1.0; 256], 0, -1.0);
            let (plain, wanted) = (product(&index.codes, &query.codes), sign as i32 * 256 * 63 * 127);
            assert_eq!(plain, wanted);
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: as in `look`.
                assert_eq!(unsafe { product_avx2(&index.codes, &query.codes) }, wanted);
            }
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
