//! Page-locked memory of a slab: of the process's own and registered, or the driver's.
//!
//! Memory of one's own starts sooner, lies on a chosen node, can be shared, and is still there when the device is lost. Never
//! frees what a copy may still use.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use gpu_core::{
    Device, Error as DeviceError, HostRegion, Pages, PinnedBuffer, RegionConfig, Sharing,
    Unregistered,
};

use super::config::{Backing, PoolConfig, SizeClass};
use super::refused::RegionsRefused;
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
    /// Kept for its pages and reached through `base` only; there until the memory is taken apart.
    pages: Option<PinnedBuffer<u8>>,
    /// Of shared memory.
    file: Option<OwnedFd>,
    /// Buffers that a copy may use for ever.
    quarantined: AtomicUsize,
    stats: MemoryStats,
}

// SAFETY: `base` is the address of `pages`, which is `Send` and moves along.
unsafe impl Send for Memory {}
// SAFETY: memory behind `base` is reached only by the owner of an index, in the part of that index, and the free list hands
// an index from one thread to the next with release and acquire.
unsafe impl Sync for Memory {}

impl Memory {
    /// Zeroed memory for each class, and of each class once for each place.
    pub(super) fn allocate(device: &Device, config: &PoolConfig) -> Result<Vec<Self>> {
        let requests = MemoryRequest::all(device, config);
        match config.backing {
            Backing::Driver => requests.iter().map(MemoryRequest::of_driver).collect(),
            Backing::Registered { pages, sharing, .. } => {
                requests.into_iter().map(|request| request.of_own(pages, sharing)).collect()
            }
        }
    }

    /// The same memory in `regions`, with their content.
    pub(super) fn over(
        device: &Device,
        config: &PoolConfig,
        regions: Vec<HostRegion>,
    ) -> Result<Vec<Self>, RegionsRefused> {
        let requests = MemoryRequest::all(device, config);
        if let Err(error) = check_all(&requests, &regions) {
            return Err(RegionsRefused { error, regions });
        }
        let mut made = Vec::with_capacity(regions.len());
        let mut left = regions.into_iter();
        for request in &requests {
            let region = left.next().expect("they were counted");
            match request.register(region) {
                Ok(memory) => made.push(memory),
                Err(Unregistered { region, error }) => {
                    let before = made.into_iter().filter_map(|memory| memory.into_region().ok());
                    let regions = before.chain([region]).chain(left).collect();
                    return Err(RegionsRefused { error: error.into(), regions });
                }
            }
        }
        Ok(made)
    }

    fn own(mut pages: PinnedBuffer<u8>, file: Option<OwnedFd>, stats: MemoryStats) -> Self {
        let (base, quarantined) = (pages.as_mut_ptr(), AtomicUsize::new(0));
        Self { base, pages: Some(pages), file, quarantined, stats }
    }

    /// Byte `offset` of it.
    pub(super) fn address(&self, offset: usize) -> *mut u8 {
        self.base.wrapping_add(offset)
    }

    /// Counts a buffer that a copy may use for ever, so that none of the memory is ever freed.
    pub(super) fn quarantine(&self) {
        self.quarantined.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn quarantined(&self) -> usize {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// The region, no longer page-locked. Nobody owns a buffer in it any more.
    pub(super) fn into_region(mut self) -> Result<HostRegion> {
        let MemoryStats { buffer_bytes, .. } = self.stats;
        let quarantined = self.quarantined();
        if quarantined > 0 {
            return Err(Error::Quarantined { buffer_bytes, quarantined });
        }
        let region = self.pages.take().and_then(PinnedBuffer::into_region);
        region.ok_or(Error::NoRegion { buffer_bytes })
    }

    pub(super) fn file(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn stats(&self) -> MemoryStats {
        self.stats
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.quarantined() > 0 {
            std::mem::forget(self.pages.take());
        }
    }
}

/// Memory to be had.
#[derive(Clone, Copy)]
struct MemoryRequest<'a> {
    device: &'a Device,
    class: SizeClass,
    node: Option<u32>,
}

impl<'a> MemoryRequest<'a> {
    /// In the order of [`PoolStats::memory`](super::PoolStats::memory).
    fn all(device: &'a Device, config: &PoolConfig) -> Vec<Self> {
        let places = config.backing.places();
        let of = |&class: &SizeClass| {
            let on = move |&node: &Option<u32>| Self { device, class, node };
            places.iter().map(on).collect::<Vec<_>>()
        };
        config.classes.iter().flat_map(of).collect()
    }

    fn check(&self) -> Result<()> {
        let (what, actual) = ("the bytes of a class on a node", self.class.bytes());
        let fits = actual <= BYTES_MAX;
        if fits { Ok(()) } else { Err(Error::Config { what, actual, min: 1, max: BYTES_MAX }) }
    }

    /// On its node, or else on that of the device; anywhere if it has none, or the process may not use its processors.
    fn of_own(self, pages: Pages, sharing: Sharing) -> Result<Memory> {
        self.check()?;
        if self.node.is_some() {
            return self.placed(pages, sharing);
        }
        let near = Self { node: self.device.properties().numa_node, ..self };
        match near.placed(pages, sharing) {
            Err(Error::Device(DeviceError::NodeMissing { .. } | DeviceError::System { .. }))
                if near.node.is_some() =>
            {
                self.placed(pages, sharing)
            }
            made => made,
        }
    }

    fn placed(&self, pages: Pages, sharing: Sharing) -> Result<Memory> {
        let bytes = self.class.bytes();
        let pages = if bytes < HUGE_BYTES { Pages::Base } else { pages };
        let touch_threads = bytes.div_ceil(BYTES_PER_THREAD).min(TOUCH_THREADS_MAX);
        let node = self.node;
        let region = HostRegion::new(&RegionConfig { bytes, pages, sharing, node, touch_threads })?;
        match self.register(region) {
            Err(Unregistered { error: DeviceError::RegisterForbidden, .. })
                if sharing == Sharing::Private =>
            {
                self.of_driver()
            }
            registered => registered.map_err(|refused| refused.error.into()),
        }
    }

    fn register(&self, region: HostRegion) -> Result<Memory, Unregistered> {
        let pages = region.pages();
        let bytes_elsewhere = self.node.and_then(|node| {
            let mut nodes = region.node_of_pages().ok()?;
            nodes.remove(&node);
            Some(nodes.into_values().sum())
        });
        // SAFETY: nothing is written through the file here; whoever gets it from `files` promises what is written there.
        let file = unsafe { region.as_fd() };
        let file = match file.map(|file| file.try_clone_to_owned()).transpose() {
            Ok(file) => file,
            Err(error) => return Err(Unregistered { region, error: no_file(&error) }),
        };
        let stats = MemoryStats { registered: Some(pages), bytes_elsewhere, ..self.stats() };
        Ok(Memory::own(self.device.register(region)?, file, stats))
    }

    /// What the driver allocates, wherever that is.
    fn of_driver(&self) -> Result<Memory> {
        Ok(Memory::own(self.device.pinned(self.class.bytes())?, None, self.stats()))
    }

    fn stats(&self) -> MemoryStats {
        let SizeClass { buffer_bytes, .. } = self.class;
        let bytes = self.class.bytes();
        MemoryStats {
            buffer_bytes,
            node: self.node,
            bytes,
            registered: None,
            bytes_elsewhere: None,
        }
    }
}

/// Refuses regions that are too few, too many or too small.
fn check_all(requests: &[MemoryRequest<'_>], regions: &[HostRegion]) -> Result<()> {
    let (actual, count) = (regions.len(), requests.len());
    if actual != count {
        return Err(Error::Config {
            what: "the number of regions",
            actual,
            min: count,
            max: count,
        });
    }
    for (index, (request, region)) in requests.iter().zip(regions).enumerate() {
        request.check()?;
        let (actual, min) = (region.len(), request.class.bytes());
        if actual < min {
            let SizeClass { buffer_bytes, .. } = request.class;
            return Err(Error::RegionSize { index, actual, buffer_bytes, min });
        }
    }
    Ok(())
}

/// The error of having no second handle of a file.
fn no_file(error: &io::Error) -> DeviceError {
    DeviceError::System { call: "fcntl", code: error.raw_os_error().unwrap_or_default() }
}
