//! What a pool is to hold, size classes with a fixed number of equal buffers each, and in what memory.

use gpu_core::{Pages, Pod, Sharing};

use super::{ALIGNMENT, BUFFERS_MAX};
use crate::error::{Error, Result};

/// Most size classes of one pool.
pub const CLASSES_MAX: usize = 64;
/// Most nodes of one pool.
const NODES_MAX: usize = 64;

/// Buffers of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SizeClass {
    /// Bytes of each buffer.
    pub buffer_bytes: usize,
    /// How many of them, on each node.
    pub buffers: usize,
}

impl SizeClass {
    /// Bytes from one buffer to the next, if they can be counted.
    pub(super) fn stride(&self) -> Option<usize> {
        self.buffer_bytes.checked_next_multiple_of(ALIGNMENT)
    }

    /// Bytes of all buffers on one node. What cannot be counted cannot be allocated either, and the device says so.
    pub(super) fn bytes(&self) -> usize {
        let bytes = self.stride().and_then(|stride| stride.checked_mul(self.buffers));
        bytes.unwrap_or(usize::MAX)
    }
}

/// What the memory of a pool is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Backing {
    /// The process's own, registered with the device: faster to start, on a node of choice, and still there when the device is
    /// lost. Where registering is forbidden, the driver allocates private memory after all, and the statistics say so.
    Registered {
        /// The pages to be had; where there are none, the next smaller kind.
        pages: Pages,
        /// The NUMA nodes to lie on, each with all classes; the buffers of the first go out first. Without any, the node of the
        /// device, if it is known and the process may use it.
        nodes: Vec<u32>,
        /// Who can map it. What is shared is there when the process is not; without registering it cannot be had.
        sharing: Sharing,
    },
    /// What the driver allocates, wherever that is.
    Driver,
}

impl Default for Backing {
    /// Private huge pages if there are any, on the device's node.
    fn default() -> Self {
        Self::Registered { pages: Pages::Huge, nodes: Vec::new(), sharing: Sharing::Private }
    }
}

impl Backing {
    /// Where each class lies, once for each: on the nodes that are named, or else in one place.
    pub(super) fn places(&self) -> Vec<Option<u32>> {
        match self {
            Self::Registered { nodes, .. } if !nodes.is_empty() => {
                nodes.iter().copied().map(Some).collect()
            }
            Self::Registered { .. } | Self::Driver => vec![None],
        }
    }
}

/// The size classes of a pool and what they are made of.
///
/// ```
/// use memory_pipeline::{Backing, PoolConfig, SizeClass};
///
/// let frames = PoolConfig::uniform::<f32>(8, 1 << 20);
/// assert_eq!(frames.classes, [SizeClass { buffer_bytes: 4 << 20, buffers: 8 }]);
/// let of_driver = PoolConfig { backing: Backing::Driver, ..frames };
/// # assert_eq!(of_driver.classes.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PoolConfig {
    /// In any order; classes of one size are one class.
    pub classes: Vec<SizeClass>,
    /// What the memory is.
    pub backing: Backing,
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
        Self { classes: classes.into(), backing: Backing::default() }
    }

    /// The same with the classes smallest first, each size once, and everything in range.
    pub(super) fn checked(mut self) -> Result<Self> {
        check("classes", self.classes.len(), CLASSES_MAX)?;
        self.classes.sort_unstable_by_key(|class| class.buffer_bytes);
        self.classes.dedup_by(|class, kept| {
            let is_same = class.buffer_bytes == kept.buffer_bytes;
            if is_same {
                kept.buffers = kept.buffers.saturating_add(class.buffers);
            }
            is_same
        });
        let nodes = self.backing.places().len();
        check("nodes", nodes, NODES_MAX)?;
        for class in &self.classes {
            check("buffer_bytes", class.buffer_bytes, usize::MAX)?;
            check("buffers", class.buffers, BUFFERS_MAX / nodes)?;
        }
        Ok(self)
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
