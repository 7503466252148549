//! The steps and orders that the free list's proof rests on.
//!
//! They are one type, so that the model checker can run the very same code with one of them missing and find the fault.

use crate::sync::Ordering;

/// What makes the free list right.
pub(crate) trait Protocol {
    /// Added to a head's tag by every pop.
    const TAG_STEP: u64 = 1;
    /// A push publishes what the last owner wrote to the buffer, and the index's node.
    const PUSH: Ordering = Ordering::Release;
    /// How a head is read: what its last push published is visible afterwards.
    const READ: Ordering = Ordering::Acquire;
    /// A pop publishes what its thread did before: whoever sees a stack emptied sees what was pushed elsewhere first.
    const POP: Ordering = Ordering::AcqRel;
    /// Whether empty stacks are looked at twice before the list is said to be out.
    const COLLECTS_TWICE: bool = true;
}

/// What production runs: all of it.
#[derive(Debug)]
pub(crate) struct Proven;

impl Protocol for Proven {}
