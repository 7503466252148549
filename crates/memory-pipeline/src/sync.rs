//! The atomics of the free list, in one place, so that a model checker can stand in for them.

pub(crate) use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
