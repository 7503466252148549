//! What a pool has done, as numbers.

/// Every class of a pool, at some moments between the call and its return.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolStats {
    /// Smallest buffers first.
    pub classes: Vec<ClassStats>,
}

/// One size class of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ClassStats {
    /// Bytes of each buffer.
    pub buffer_bytes: usize,
    /// Buffers of the class.
    pub capacity: usize,
    /// Buffers that are out.
    pub leased: usize,
    /// Most buffers that were out at once.
    pub leased_max: usize,
    /// Buffers given up for ever, because the device could not say whether it still uses them.
    pub quarantined: usize,
    /// Times that no buffer was left.
    pub exhausted: usize,
}

impl PoolStats {
    /// Buffers of all classes.
    pub fn capacity(&self) -> usize {
        self.sum(|class| class.capacity)
    }

    /// Buffers of all classes that are out.
    pub fn leased(&self) -> usize {
        self.sum(|class| class.leased)
    }

    /// Buffers of all classes that were given up for ever.
    pub fn quarantined(&self) -> usize {
        self.sum(|class| class.quarantined)
    }

    fn sum(&self, of: impl Fn(&ClassStats) -> usize) -> usize {
        self.classes.iter().map(of).sum()
    }
}
