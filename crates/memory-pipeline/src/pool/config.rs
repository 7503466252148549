//! What a pool is to hold: size classes, each with a fixed number of equal buffers.

use gpu_core::Pod;

use super::BUFFERS_MAX;
use crate::error::{Error, Result};

/// Most size classes of one pool.
pub const CLASSES_MAX: usize = 64;

/// Buffers of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SizeClass {
    /// Bytes of each buffer.
    pub buffer_bytes: usize,
    /// How many of them.
    pub buffers: usize,
}

/// The size classes of a pool.
///
/// ```
/// use memory_pipeline::{PoolConfig, SizeClass};
///
/// let frames = PoolConfig::uniform::<f32>(8, 1 << 20);
/// assert_eq!(frames.classes, [SizeClass { buffer_bytes: 4 << 20, buffers: 8 }]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolConfig {
    /// In any order; classes of one size are one class.
    pub classes: Vec<SizeClass>,
}

impl PoolConfig {
    /// One class: `buffers` buffers of `len` elements each.
    pub fn uniform<T: Pod>(buffers: usize, len: usize) -> Self {
        // A size that cannot be counted saturates, and its allocation fails.
        let buffer_bytes = len.saturating_mul(size_of::<T>());
        Self::new([SizeClass { buffer_bytes, buffers }])
    }

    /// A pool of these classes.
    pub fn new(classes: impl Into<Vec<SizeClass>>) -> Self {
        Self { classes: classes.into() }
    }

    /// The classes in range, smallest first, each size once.
    pub(super) fn sorted(mut self) -> Result<Vec<SizeClass>> {
        check("classes", self.classes.len(), CLASSES_MAX)?;
        self.classes.sort_unstable_by_key(|class| class.buffer_bytes);
        self.classes.dedup_by(|class, kept| {
            let is_same = class.buffer_bytes == kept.buffer_bytes;
            if is_same {
                kept.buffers = kept.buffers.saturating_add(class.buffers);
            }
            is_same
        });
        for class in &self.classes {
            check("buffer_bytes", class.buffer_bytes, usize::MAX)?;
            check("buffers", class.buffers, BUFFERS_MAX)?;
        }
        Ok(self.classes)
    }
}

/// Refuses a knob that is 0 or above `max`.
fn check(what: &'static str, actual: usize, max: usize) -> Result<()> {
    if (1..=max).contains(&actual) {
        Ok(())
    } else {
        Err(Error::Config { what, actual, min: 1, max })
    }
}
