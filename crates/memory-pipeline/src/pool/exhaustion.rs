//! What to do when every buffer of a size class is out.

use std::time::Instant;

/// The caller's answer to a pool that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhaustion {
    /// An error at once.
    Fail,
    /// Wait for the next buffer that comes back; who waits longest gets it.
    Wait {
        /// When to give up, on the clock of the pool.
        deadline: Instant,
    },
    /// Take pageable memory, which is allocated, zeroed, and freed with the lease.
    Degrade,
}
