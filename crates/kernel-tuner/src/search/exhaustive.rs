//! The search that tries every point once, in order.

use super::{Score, SearchAlgorithm};

/// Tries every point of a space once, in its order.
#[derive(Clone, Debug)]
pub struct Exhaustive {
    next: usize,
    len: usize,
}

impl Exhaustive {
    /// A walk over a space of `len` points.
    pub fn new(len: usize) -> Self {
        Self { next: 0, len }
    }
}

impl SearchAlgorithm for Exhaustive {
    fn name(&self) -> &'static str {
        "exhaustive"
    }

    fn ask(&mut self) -> Option<usize> {
        let index = self.next;
        self.next = (index + 1).min(self.len);
        (index < self.len).then_some(index)
    }

    fn tell(&mut self, _index: usize, _score: Score) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_asked_for_once_and_then_none() {
        let mut search = Exhaustive::new(5);
        let asked: Vec<_> = std::iter::from_fn(|| search.ask()).collect();
        assert_eq!(asked, [0, 1, 2, 3, 4]);
        assert_eq!(search.ask(), None);
        assert_eq!(Exhaustive::new(0).ask(), None);
    }
}
