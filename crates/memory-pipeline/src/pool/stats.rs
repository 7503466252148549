//! What a pool has done, as numbers.

use gpu_core::Pages;

/// Every class of a pool, at some moments between the call and its return.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolStats {
    /// Smallest buffers first.
    pub classes: Vec<ClassStats>,
    /// What it has allocated: for each class, each node.
    pub memory: Vec<MemoryStats>,
}

/// Memory of one size class on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MemoryStats {
    /// Bytes of each buffer.
    pub buffer_bytes: usize,
    /// The node that it was to lie on, if any.
    pub node: Option<u32>,
    /// All of it.
    pub bytes: usize,
    /// The pages that were registered; `None` if the driver allocated them, as it was told or because registering is forbidden.
    pub registered: Option<Pages>,
    /// How much of it lay on other nodes at the start; `None` if there was no node or the system does not tell.
    pub bytes_elsewhere: Option<u64>,
}

/// One size class of a pool.
///
/// Acquiring and releasing count nothing, for a counter that all threads write would cost more than they do: what is out
/// follows from what is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ClassStats {
    /// Bytes of each buffer.
    pub buffer_bytes: usize,
    /// Buffers of the class, on all nodes.
    pub capacity: usize,
    /// Buffers that are out. Exact while none is acquired or released; otherwise one that moves may be counted wrong.
    pub leased: usize,
    /// Buffers that were ever handed out. One that came back goes out before one that was never out, so this is the most that
    /// were out at once, or more by as many as came back just while another was acquired.
    pub leased_max: usize,
    /// Buffers given up for ever, because the device could not say whether it still uses them.
    pub quarantined: usize,
    /// Times that no buffer was left, whatever the caller did then.
    pub exhausted: usize,
    /// Times that a caller then waited.
    pub waited: usize,
    /// Times that a caller then took pageable memory.
    pub degraded: usize,
    /// Times that the first node had no buffer left and another one had.
    pub from_other_node: usize,
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
