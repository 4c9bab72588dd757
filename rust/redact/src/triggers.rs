//! The prefilter: the positions in a text where a value may begin or join, 64 bytes at a time.
//!
//! Every form that is looked for holds one of a few bytes: a digit, or one of `@ : = - _ . + ( > A B J`. Where none
//! stands, nothing is looked at again. Of a run of digits only the first counts. On x86-64 with AVX2 the bytes are
//! classified by two table look-ups a vector (low and high half of the byte); elsewhere, and under Miri, by a table of
//! 256. Both give the same masks; a test compares them on every byte.

const MARKS: &[u8] = b"@:=-_.+(>ABJ";

/// Bits of the bytes that are marks, and of those that are digits; the first byte is the lowest bit.
type Masks = fn(&[u8; 64]) -> (u64, u64);

/// Iterates over the trigger positions of a text, in order.
pub(super) struct Triggers<'a> {
    bytes: &'a [u8],
    masks: Masks,
    next: usize,
    base: usize,
    pending: u64,
    digit_before: u64,
}

impl<'a> Triggers<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, masks: best(), next: 0, base: 0, pending: 0, digit_before: 0 }
    }
}

impl Triggers<'_> {
    /// Whether there is another.
    #[inline]
    pub(super) fn any(&mut self) -> bool {
        while self.pending == 0 {
            let rest = self.bytes.get(self.next..).unwrap_or_default();
            let (marks, digits) = match rest.first_chunk::<64>() {
                Some(block) => (self.masks)(block),
                None if rest.is_empty() => return false,
                None => {
                    let mut block = [0; 64];
                    block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                    (self.masks)(&block)
                }
            };
            self.pending = marks | (digits & !(digits << 1 | self.digit_before));
            self.digit_before = digits >> 63;
            self.base = self.next;
            self.next += 64;
        }
        true
    }
}

impl Iterator for Triggers<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if !self.any() {
            return None;
        }
        let at = self.base + self.pending.trailing_zeros() as usize;
        self.pending &= self.pending - 1;
        Some(at)
    }
}

const MARK: u8 = 1;
const DIGIT: u8 = 2;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a position outside would not compile")]
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut index = 0;
    while index < MARKS.len() {
        class[MARKS[index] as usize] = MARK;
        index += 1;
    }
    let mut digit = b'0';
    while digit <= b'9' {
        class[digit as usize] = DIGIT;
        digit += 1;
    }
    class
};

/// Whether the scan looks at a byte, be it the first digit of a run.
#[expect(clippy::indexing_slicing, reason = "a table of 256, by a byte")]
pub(super) const fn is_trigger(byte: u8) -> bool {
    CLASS[byte as usize] != 0
}

fn portable(block: &[u8; 64]) -> (u64, u64) {
    let (mut marks, mut digits) = (0, 0);
    for (index, byte) in block.iter().enumerate() {
        let class = u64::from(CLASS.get(usize::from(*byte)).copied().unwrap_or_default());
        marks |= (class & 1) << index;
        digits |= (class >> 1) << index;
    }
    (marks, digits)
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
fn best() -> Masks {
    if std::arch::is_x86_feature_detected!("avx2") { avx2::masks } else { portable }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn best() -> Masks {
    portable
}

/// The only unsafe code of the sanitizer: two loads, and the calls of a function that needs AVX2.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[allow(unsafe_code)]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
        _mm256_min_epu8, _mm256_movemask_epi8, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
        _mm256_srli_epi16, _mm256_sub_epi8,
    };

    use super::MARKS;

    /// By the low half of a byte: one bit for each high half with which it makes a mark. By the high half: its bit.
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler: a position outside would not compile")]
    const TABLES: ([u8; 16], [u8; 16]) = {
        let (mut low, mut high) = ([0_u8; 16], [0_u8; 16]);
        let mut index = 0;
        while index < MARKS.len() {
            let row = MARKS[index] >> 4;
            assert!(row < 8, "marks are ASCII, so that a row is a bit of a byte");
            low[(MARKS[index] & 15) as usize] |= 1 << row;
            high[row as usize] = 1 << row;
            index += 1;
        }
        (low, high)
    };

    pub(super) fn masks(block: &[u8; 64]) -> (u64, u64) {
        // SAFETY: `best` gives this function out only where the processor has AVX2.
        unsafe { both(block) }
    }

    #[target_feature(enable = "avx2")]
    #[allow(clippy::cast_ptr_alignment)] // the loads need no alignment
    fn both(block: &[u8; 64]) -> (u64, u64) {
        let (first, second) = block.split_at(32);
        // SAFETY: both halves are 32 bytes long; the loads need no alignment.
        let (first, second) = unsafe {
            (
                _mm256_loadu_si256(first.as_ptr().cast::<__m256i>()),
                _mm256_loadu_si256(second.as_ptr().cast::<__m256i>()),
            )
        };
        let (marks_0, digits_0) = half(first);
        let (marks_1, digits_1) = half(second);
        (u64::from(marks_0) | u64::from(marks_1) << 32, u64::from(digits_0) | u64::from(digits_1) << 32)
    }

    #[target_feature(enable = "avx2")]
    fn half(bytes: __m256i) -> (u32, u32) {
        // SAFETY: both tables are 16 bytes long; the loads need no alignment.
        let (low, high) =
            unsafe { (_mm_loadu_si128(TABLES.0.as_ptr().cast()), _mm_loadu_si128(TABLES.1.as_ptr().cast())) };
        let nibble = _mm256_set1_epi8(0x0f);
        let low = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(low), _mm256_and_si256(bytes, nibble));
        let row = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble);
        let high = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(high), row);
        let none = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
        let value = _mm256_sub_epi8(bytes, _mm256_set1_epi8(b'0' as i8));
        let digit = _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)), value);
        (!_mm256_movemask_epi8(none) as u32, _mm256_movemask_epi8(digit) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_masks_for_every_byte_at_every_place() {
        for byte in 0..=255_u8 {
            for index in 0..64 {
                let mut block = [b'x'; 64];
                block[index] = byte;
                assert_eq!(best()(&block), portable(&block), "byte {byte} at {index}");
            }
        }
    }

    #[test]
    fn a_run_of_digits_over_a_block_border_counts_once() {
        for shift in 0..70 {
            let text = format!("{}1234567890@{}", "x".repeat(shift), "y".repeat(80));
            assert_eq!(Triggers::new(text.as_bytes()).collect::<Vec<_>>(), [shift, shift + 10]);
        }
    }
}
