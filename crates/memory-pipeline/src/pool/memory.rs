//! Page-locked memory of a slab: of the process's own and registered, or the driver's.
//!
//! Memory of one's own starts sooner, lies on a chosen node, and is still there when the device is lost.

use gpu_core::{
    Device, Error as DeviceError, HostRegion, Pages, PinnedBuffer, RegionConfig, Unregistered,
};

use super::config::{Backing, SizeClass};
use super::stats::MemoryStats;
use crate::error::{Error, Result};

/// Most bytes of a size class on one node: a device takes registered memory in parts of this size, and no copy may reach
/// from one into the next.
const BYTES_MAX: usize = 64 << 30;
/// Less than this is not worth a huge page.
const HUGE_BYTES: usize = 2 << 20;
/// Bytes that keep one thread busy touching them.
const BYTES_PER_THREAD: usize = 64 << 20;
/// More threads touch memory no faster.
const TOUCH_THREADS_MAX: usize = 4;

/// The buffers of one size class on one node.
pub(super) struct Memory {
    /// The first byte of `pages`.
    base: *mut u8,
    /// Kept for its pages; reached through `base` only.
    _pages: PinnedBuffer<u8>,
    stats: MemoryStats,
}

// SAFETY: `base` is the address of `pages`, which is `Send` and moves along.
unsafe impl Send for Memory {}
// SAFETY: memory behind `base` is reached only by the owner of an index, in the part of that index, and the free list hands
// an index from one thread to the next with release and acquire.
unsafe impl Sync for Memory {}

impl Memory {
    /// Zeroed memory for `class`, once for each node that `backing` names. A size that cannot be counted is `None`.
    pub(super) fn for_class(
        device: &Device,
        class: SizeClass,
        bytes: Option<usize>,
        backing: &Backing,
    ) -> Result<Box<[Self]>> {
        // What cannot be counted cannot be allocated either, and the device says so.
        let wanted = Wanted { device, class, bytes: bytes.unwrap_or(usize::MAX) };
        match backing {
            Backing::Driver => Ok(Box::new([wanted.of_driver(None)?])),
            Backing::Registered { pages, nodes } => {
                wanted.check()?;
                if nodes.is_empty() {
                    return Ok(Box::new([wanted.near_device(*pages)?]));
                }
                nodes.iter().map(|&node| wanted.registered(*pages, Some(node))).collect()
            }
        }
    }

    /// Byte `offset` of it.
    pub(super) fn address(&self, offset: usize) -> *mut u8 {
        self.base.wrapping_add(offset)
    }

    pub(super) fn stats(&self) -> MemoryStats {
        self.stats
    }
}

/// Memory to be had.
struct Wanted<'a> {
    device: &'a Device,
    class: SizeClass,
    bytes: usize,
}

impl Wanted<'_> {
    fn check(&self) -> Result<()> {
        let (what, actual) = ("the bytes of a class on a node", self.bytes);
        let fits = actual <= BYTES_MAX;
        if fits { Ok(()) } else { Err(Error::Config { what, actual, min: 1, max: BYTES_MAX }) }
    }

    /// On the node of the device; anywhere if it has none, or the process may not use its processors.
    fn near_device(&self, pages: Pages) -> Result<Memory> {
        let node = self.device.properties().numa_node;
        match self.registered(pages, node) {
            Err(Error::Device(DeviceError::NodeMissing { .. } | DeviceError::System { .. }))
                if node.is_some() =>
            {
                self.registered(pages, None)
            }
            made => made,
        }
    }

    fn registered(&self, pages: Pages, node: Option<u32>) -> Result<Memory> {
        let pages = if self.bytes < HUGE_BYTES { Pages::Base } else { pages };
        let touch_threads = self.bytes.div_ceil(BYTES_PER_THREAD).min(TOUCH_THREADS_MAX);
        let config = RegionConfig { pages, node, touch_threads, ..RegionConfig::new(self.bytes) };
        let region = HostRegion::new(&config)?;
        let pages = region.pages();
        let bytes_elsewhere = node.and_then(|node| {
            let mut nodes = region.node_of_pages().ok()?;
            nodes.remove(&node);
            Some(nodes.into_values().sum())
        });
        match self.device.register(region) {
            Ok(memory) => {
                let stats =
                    MemoryStats { registered: Some(pages), bytes_elsewhere, ..self.stats(node) };
                Ok(Self::own(memory, stats))
            }
            Err(Unregistered { error: DeviceError::RegisterForbidden, .. }) => self.of_driver(node),
            Err(Unregistered { error, .. }) => Err(error.into()),
        }
    }

    /// What the driver allocates, wherever that is.
    fn of_driver(&self, node: Option<u32>) -> Result<Memory> {
        Ok(Self::own(self.device.pinned(self.bytes)?, self.stats(node)))
    }

    fn own(mut pages: PinnedBuffer<u8>, stats: MemoryStats) -> Memory {
        Memory { base: pages.as_mut_ptr(), _pages: pages, stats }
    }

    fn stats(&self, node: Option<u32>) -> MemoryStats {
        let (buffer_bytes, bytes) = (self.class.buffer_bytes, self.bytes);
        MemoryStats { buffer_bytes, node, bytes, registered: None, bytes_elsewhere: None }
    }
}
