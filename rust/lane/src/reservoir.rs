//! Reservoirs: a uniform, or weighted, sample of fixed size from a stream of unknown length.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use shadowlane_base::{Error, Result};

/// Uniform numbers in (0, 1) from a keyed hash of a counter.
#[derive(Clone, Debug)]
struct Uniform {
    seed: u64,
    drawn: u64,
}

impl Uniform {
    fn next(&mut self) -> f64 {
        self.drawn += 1;
        let bits = xxh3_64_with_seed(&self.drawn.to_le_bytes(), self.seed) >> 11;
        (bits as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Numbers that this stream and its further draws do not give.
    fn fork(&self) -> Self {
        Self { seed: xxh3_64_with_seed(&self.drawn.to_le_bytes(), !self.seed), drawn: 0 }
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((self.next() * bound as f64) as u64).min(bound.saturating_sub(1))
    }
}

fn positive(k: usize) -> Result<usize> {
    if k == 0 {
        return Err(Error::Invalid { field: "k", why: "0 keeps nothing; give at least 1".to_owned() });
    }
    Ok(k)
}

/// A uniform sample of `k` items: Algorithm L (Li, "Reservoir-sampling algorithms of time complexity
/// O(n(1 + log(N/n)))", ACM TOMS 20(4), 1994). Each item of the stream is in it with probability k/n.
#[derive(Clone, Debug)]
pub struct Reservoir<T> {
    k: usize,
    items: Vec<T>,
    seen: u64,
    w: f64,
    next: u64,
    uniform: Uniform,
}

impl<T> Reservoir<T> {
    /// A reservoir of `k` items, at least 1.
    pub fn new(k: usize, seed: u64) -> Result<Self> {
        let k = positive(k)?;
        Ok(Self { k, items: Vec::new(), seen: 0, w: 1.0, next: 0, uniform: Uniform { seed, drawn: 0 } })
    }

    /// Show the next item of the stream; what does not stay (this item, or the one that it replaced) comes back.
    pub fn offer(&mut self, item: T) -> Option<T> {
        self.seen += 1;
        if self.items.len() < self.k {
            self.items.push(item);
            if self.items.len() == self.k {
                self.skip();
            }
            return None;
        }
        if self.seen < self.next {
            return Some(item);
        }
        let index = self.uniform.below(self.k as u64) as usize;
        let out = match self.items.get_mut(index) {
            Some(old) => std::mem::replace(old, item),
            None => item,
        };
        self.skip();
        Some(out)
    }

    fn skip(&mut self) {
        self.w *= (self.uniform.next().ln() / self.k as f64).exp();
        self.skip_from_here();
    }

    fn skip_from_here(&mut self) {
        let skipped = (self.uniform.next().ln() / (-self.w).ln_1p()).floor();
        // Infinite when w has become 0: nothing is taken any more, as its probability is below 2^-53.
        self.next = self.seen.saturating_add(skipped as u64).saturating_add(1);
    }

    /// Go on with a sample that was kept elsewhere: `items` are a uniform sample of the `shown` items, all of them when
    /// there were fewer than `k`. [`Error::Invalid`] when that cannot be.
    pub fn resume(k: usize, seed: u64, items: Vec<T>, shown: u64) -> Result<Self> {
        let mut made = Self::new(k, seed)?;
        let whole = usize::try_from(shown).map_or(k, |shown| shown.min(k));
        if items.len() != whole {
            let why = format!("{} items are no sample of {k} from {shown}", items.len());
            return Err(Error::Invalid { field: "items", why });
        }
        made.items = items;
        made.seen = shown;
        made.redraw();
        Ok(made)
    }

    /// Keep fewer, from now on at most `k` (at least 1); what has to go, chosen uniformly, comes back. A `k` that is no
    /// smaller changes nothing.
    pub fn shrink(&mut self, k: usize) -> Vec<T> {
        let k = k.max(1);
        if k >= self.k {
            return Vec::new();
        }
        self.k = k;
        let mut out = Vec::new();
        while self.items.len() > k {
            let index = self.uniform.below(self.items.len() as u64) as usize;
            out.push(self.items.swap_remove(index));
        }
        self.redraw();
        out
    }

    /// Draw W anew when the reservoir is full. W after n items is distributed as the k-th smallest of n uniform numbers,
    /// and independent of which items are kept, so a fresh draw is as good as the one that was followed.
    fn redraw(&mut self) {
        let k = self.k as u64;
        if self.seen >= k {
            self.w = self.beta(k, self.seen);
            self.skip_from_here();
        }
    }

    /// The same sample of other items, going on with random numbers of its own.
    pub fn map<U>(&self, item: impl Fn(&T) -> U) -> Reservoir<U> {
        Reservoir {
            k: self.k,
            items: self.items.iter().map(item).collect(),
            seen: self.seen,
            w: self.w,
            next: self.next,
            uniform: self.uniform.fork(),
        }
    }

    /// What is kept, in no particular order.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// How many are kept at most.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How many items were shown.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Join with a reservoir of another part of the stream: each element comes from one of the two, chosen by how
    /// many items each has still to stand for, so that the result is a uniform sample of both parts.
    #[must_use]
    pub fn merge(mut self, mut other: Self) -> Self {
        let total = self.seen + other.seen;
        let k = self.k.min(other.k);
        let (mut left, mut right) = (self.seen, other.seen);
        let mut items = Vec::with_capacity(k);
        while items.len() < k && left + right > 0 {
            let from_left = self.uniform.below(left + right) < left;
            let (from, count) = if from_left { (&mut self.items, &mut left) } else { (&mut other.items, &mut right) };
            if from.is_empty() {
                break;
            }
            let index = self.uniform.below(from.len() as u64) as usize;
            items.push(from.swap_remove(index));
            *count -= 1;
        }
        let mut merged = Self { k, items, seen: total, w: 1.0, next: 0, uniform: self.uniform };
        merged.redraw();
        merged
    }

    /// A Beta(k, n - k + 1) number: the k-th smallest of n uniform ones, by summing exponential spacings (Rényi).
    fn beta(&mut self, k: u64, n: u64) -> f64 {
        // -ln of the k-th largest of n is a sum of independent exponentials with rates n, n-1, ..., so the k-th smallest
        // is 1 - exp(-sum) with the first k spacings.
        let sum: f64 = (0..k).map(|index| -self.uniform.next().ln() / (n - index) as f64).sum();
        -(-sum).exp_m1()
    }
}

/// A weighted sample without replacement of `k` items: A-ExpJ (Efraimidis and Spirakis, "Weighted random sampling with
/// a reservoir", Information Processing Letters 97(5), 2006). An item's key is u^(1/weight); the k largest keys stay.
#[derive(Clone, Debug)]
pub struct WeightedReservoir<T> {
    k: usize,
    /// Log keys (all below 0) and items; the smallest key is first.
    items: Vec<(f64, T)>,
    seen: u64,
    /// Weight that still passes before the next item is taken.
    jump: f64,
    uniform: Uniform,
}

impl<T> WeightedReservoir<T> {
    /// A reservoir of `k` items, at least 1.
    pub fn new(k: usize, seed: u64) -> Result<Self> {
        let k = positive(k)?;
        Ok(Self { k, items: Vec::new(), seen: 0, jump: 0.0, uniform: Uniform { seed, drawn: 0 } })
    }

    /// Show the next item with its weight (finite, above 0); what does not stay comes back. [`Error::Invalid`] for
    /// another weight.
    pub fn offer(&mut self, item: T, weight: f64) -> Result<Option<T>> {
        if !(weight > 0.0 && weight.is_finite()) {
            return Err(Error::Invalid { field: "weight", why: format!("{weight} is not finite and above 0") });
        }
        self.seen += 1;
        if self.items.len() < self.k {
            let key = self.uniform.next().ln() / weight;
            self.put(key, item);
            if self.items.len() == self.k {
                self.draw_jump();
            }
            return Ok(None);
        }
        self.jump -= weight;
        if self.jump > 0.0 {
            return Ok(Some(item));
        }
        // The key is drawn from what is above the threshold: u in (T^weight, 1).
        // Written so that nothing is lost when T^weight is near 1, as it is for small weights.
        let room = -(self.threshold() * weight).exp_m1();
        let key = (-room * self.uniform.next()).ln_1p() / weight;
        let out = self.items.remove(0).1;
        self.put(key, item);
        self.draw_jump();
        Ok(Some(out))
    }

    fn threshold(&self) -> f64 {
        self.items.first().map_or(f64::NEG_INFINITY, |(key, _)| *key)
    }

    fn draw_jump(&mut self) {
        self.jump = self.uniform.next().ln() / self.threshold();
    }

    fn put(&mut self, key: f64, item: T) {
        let index = self.items.partition_point(|(other, _)| *other < key);
        self.items.insert(index, (key, item));
    }

    /// The same sample of other items, going on with random numbers of its own.
    pub fn map<U>(&self, item: impl Fn(&T) -> U) -> WeightedReservoir<U> {
        WeightedReservoir {
            k: self.k,
            items: self.items.iter().map(|(key, held)| (*key, item(held))).collect(),
            seen: self.seen,
            jump: self.jump,
            uniform: self.uniform.fork(),
        }
    }

    /// What is kept.
    pub fn items(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|(_, item)| item)
    }

    /// What is kept, with its keys: logarithms, the smallest first. With [`Self::resume`] they carry a reservoir to
    /// another process.
    pub fn keyed(&self) -> impl Iterator<Item = (f64, &T)> {
        self.items.iter().map(|(key, item)| (*key, item))
    }

    /// Go on with a sample that was kept elsewhere, by its keys. [`Error::Invalid`] when their number or one of them
    /// cannot be right.
    pub fn resume(k: usize, seed: u64, mut keyed: Vec<(f64, T)>, shown: u64) -> Result<Self> {
        let mut made = Self::new(k, seed)?;
        let whole = usize::try_from(shown).map_or(k, |shown| shown.min(k));
        if keyed.len() != whole {
            let why = format!("{} items are no sample of {k} from {shown}", keyed.len());
            return Err(Error::Invalid { field: "keyed", why });
        }
        if let Some((key, _)) = keyed.iter().find(|(key, _)| key.is_nan() || *key > 0.0) {
            let why = format!("{key} is not the logarithm of a number from 0 to 1");
            return Err(Error::Invalid { field: "keyed", why });
        }
        keyed.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        made.items = keyed;
        made.seen = shown;
        if made.items.len() == k {
            made.draw_jump();
        }
        Ok(made)
    }

    /// How many are kept at most.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How many items were shown.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Join with a reservoir of another part of the stream: the largest keys of both stay.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.k = self.k.min(other.k);
        self.seen += other.seen;
        for (key, item) in other.items {
            self.put(key, item);
        }
        let surplus = self.items.len().saturating_sub(self.k);
        self.items.drain(..surplus);
        if self.items.len() == self.k {
            self.draw_jump();
        }
        self
    }
}
