//! Whether each of a run of samples was over a limit, one bit a sample.

/// Bits in the order in which samples came. Allocates when it is made and not when it records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Indicator {
    words: Vec<u64>,
    len: u64,
    len_max: u64,
    count: u64,
}

impl Indicator {
    /// Room for `len_max` samples; later ones leave no bit.
    pub fn with_capacity(len_max: u64) -> Self {
        let words = usize::try_from(len_max.div_ceil(64)).unwrap_or(usize::MAX);
        Self { words: Vec::with_capacity(words), len: 0, len_max, count: 0 }
    }

    /// One bit for each of `samples`: whether it is over.
    pub fn of(samples: &[u64], is_over: impl Fn(u64) -> bool) -> Self {
        let mut indicator = Self::with_capacity(samples.len() as u64);
        samples.iter().for_each(|&sample| indicator.push(is_over(sample)));
        indicator
    }

    /// Takes the next sample.
    pub fn push(&mut self, is_over: bool) {
        if self.len == self.len_max {
            return;
        }
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        if is_over {
            let last = self.words.last_mut().expect("a word was begun for this bit");
            *last |= 1 << (self.len % 64);
            self.count += 1;
        }
        self.len += 1;
    }

    /// Samples that left a bit.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Samples that are over.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Pairs of samples `lag` apart that are both over.
    pub(super) fn pairs(&self, lag: usize) -> u64 {
        let (whole, bits) = (lag / 64, lag % 64);
        let Some(shifted) = self.words.get(whole..) else {
            return 0;
        };
        let next = shifted.iter().skip(1).copied().chain([0]);
        let both = shifted.iter().zip(next).zip(&self.words).map(|((&low, high), &word)| {
            let later = if bits == 0 { low } else { low >> bits | high << (64 - bits) };
            u64::from((word & later).count_ones())
        });
        both.sum()
    }

    /// How many are over in each whole block of `words` words.
    pub(super) fn block_counts(&self, words: usize) -> impl Iterator<Item = u64> + '_ {
        let whole = usize::try_from(self.len / 64).unwrap_or(usize::MAX).min(self.words.len());
        let count = |block: &[u64]| block.iter().map(|word| u64::from(word.count_ones())).sum();
        self.words[..whole].chunks_exact(words).map(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over at the multiples of 3 and of 70.
    fn is_over(i: u64) -> bool {
        i.is_multiple_of(3) || i.is_multiple_of(70)
    }

    #[test]
    fn pairs_are_those_found_one_by_one() {
        let samples: Vec<u64> = (0..1000).collect();
        let indicator = Indicator::of(&samples, is_over);
        assert_eq!(indicator.count(), samples.iter().filter(|&&i| is_over(i)).count() as u64);
        for lag in [0, 1, 3, 63, 64, 65, 128, 999, 1000, 5000] {
            let pairs = (0..1000u64).filter(|&i| {
                let later = i + lag as u64;
                later < 1000 && is_over(i) && is_over(later)
            });
            assert_eq!(indicator.pairs(lag), pairs.count() as u64, "lag {lag}");
        }
    }

    #[test]
    fn blocks_are_whole_and_counted_apart() {
        let samples: Vec<u64> = (0..64 * 4 + 63).collect();
        let indicator = Indicator::of(&samples, |i| (64..130).contains(&i) || i >= 256);
        assert_eq!(indicator.block_counts(1).collect::<Vec<_>>(), [0, 64, 2, 0]);
        assert_eq!(indicator.block_counts(2).collect::<Vec<_>>(), [64, 2]);
    }

    #[test]
    fn what_exceeds_the_capacity_leaves_no_bit_and_takes_no_memory() {
        let mut indicator = Indicator::with_capacity(66);
        let room = indicator.words.capacity();
        (0..1000).for_each(|i| indicator.push(i % 2 == 0));
        assert_eq!((indicator.len(), indicator.count()), (66, 33));
        assert_eq!(indicator.words.capacity(), room);
    }
}
