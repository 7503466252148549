//! The steps and orders that the free list's proof rests on.
//!
//! They are one type, so that the model checker can run the very same code with one of them missing and find the fault.

use crate::sync::Ordering;

/// What makes the free list right.
pub(crate) trait Protocol {
    /// Added to a head's tag by every pop.
    const TAG_STEP: u64;
    /// A push publishes what the last owner wrote to the buffer, and the index's node.
    const PUSH: Ordering;
    /// How a head is read: what its last push published is visible afterwards.
    const READ: Ordering;
    /// A pop publishes what its thread did before: whoever sees a stack emptied sees what was pushed elsewhere first.
    const POP: Ordering;
    /// Whether empty stacks are looked at twice before the list is said to be out.
    const COLLECTS_TWICE: bool;
}

/// What production runs.
#[derive(Debug)]
pub(crate) struct Proven;

impl Protocol for Proven {
    const TAG_STEP: u64 = 1;
    const PUSH: Ordering = Ordering::Release;
    const READ: Ordering = Ordering::Acquire;
    const POP: Ordering = Ordering::AcqRel;
    const COLLECTS_TWICE: bool = true;
}
