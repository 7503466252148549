//! Host memory of one's own: mapped, placed and touched before a device page-locks it, and there when the device is not.
//!
//! Needs Linux. Never talks to a device: [`Device::register`](crate::Device::register) does.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};
use rustix::thread::CpuSet;

use crate::error::{Error, Result};
use crate::numa;

/// What a region's memory is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pages {
    /// Pages of 2 MiB that the system has set aside (hugetlb).
    Huge,
    /// Ordinary pages that the system may join to huge ones as it likes.
    Transparent,
    /// Ordinary pages.
    Base,
}

impl Pages {
    /// This kind and those to make do with.
    fn or_less(self) -> &'static [Self] {
        let all = &[Self::Huge, Self::Transparent, Self::Base];
        match self {
            Self::Huge => all,
            Self::Transparent => &all[1..],
            Self::Base => &all[2..],
        }
    }
}

/// Who can map a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// This process only.
    Private,
    /// Every process that is handed its file (a memfd), also when this one is gone.
    Shared,
}

/// How a region is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionConfig {
    /// Its size; rounded up to whole pages.
    pub bytes: usize,
    /// The pages to be had; where there are none, the next smaller kind.
    pub pages: Pages,
    /// Who can map it.
    pub sharing: Sharing,
    /// The NUMA node to lie on: threads on its processors touch the pages first.
    pub node: Option<u32>,
    /// Threads that touch the pages. More than four gain nothing.
    pub touch_threads: usize,
}

impl RegionConfig {
    /// A private region of at least `bytes`, in huge pages if there are any, on any node, touched by four threads.
    pub fn new(bytes: usize) -> Self {
        let (pages, sharing) = (Pages::Huge, Sharing::Private);
        Self { bytes, pages, sharing, node: None, touch_threads: 4 }
    }
}

/// Bytes of host memory, page-aligned, at a fixed address, zero at first, all of them present.
#[derive(Debug)]
pub struct HostRegion {
    start: NonNull<u8>,
    bytes: usize,
    /// What to give back to the system: the bytes, and guard pages around private ones.
    mapping: Mapping,
    pages: Pages,
    file: Option<OwnedFd>,
}

#[derive(Clone, Copy, Debug)]
struct Mapping {
    start: *mut c_void,
    bytes: usize,
}

// SAFETY: the mapping belongs to this value alone, which is used as borrows allow.
unsafe impl Send for HostRegion {}
// SAFETY: as above.
unsafe impl Sync for HostRegion {}

/// The kind of file system that huge pages come from, as `statfs` tells it.
const HUGETLB_MAGIC: u32 = 0x9584_58f6;

/// Bytes of a huge page.
const HUGE_BYTES: usize = 2 << 20;

impl HostRegion {
    /// Maps and touches a region.
    ///
    /// # Errors
    /// [`Error::RegionEmpty`]; [`Error::OutOfMemory`]; [`Error::NodeMissing`]; [`Error::System`] where the system refuses,
    /// such as to bind a thread to the processors of the node.
    pub fn new(config: &RegionConfig) -> Result<Self> {
        if config.bytes == 0 {
            return Err(Error::RegionEmpty);
        }
        let processors = config.node.map(numa::processors).transpose()?;
        first_that_works(config.pages, |pages| {
            let mut region = match config.sharing {
                Sharing::Private => Self::map_private(config.bytes, pages),
                Sharing::Shared => Self::map_shared(config.bytes, pages),
            }?;
            region.touch(config.touch_threads, processors.as_ref())?;
            Ok(region)
        })
    }

    /// Maps the memory behind the file of a shared region, with its content: in another process, or a second time.
    ///
    /// # Safety
    /// The memory now has several owners. Nobody may write to a part of it by one mapping while it is read or written
    /// by another: the owners agree by other means on who has which part when.
    ///
    /// # Errors
    /// [`Error::RegionForeign`] if the file is of nothing that [`as_fd`](Self::as_fd) gave out; [`Error::System`].
    pub unsafe fn from_fd(file: OwnedFd) -> Result<Self> {
        let seals = rustix::fs::fcntl_get_seals(&file).unwrap_or(SealFlags::empty());
        let stat = rustix::fs::fstat(&file).map_err(system("fstat"))?;
        let bytes = usize::try_from(stat.st_size).unwrap_or(0);
        // A file that can shrink would take pages away under its mappings.
        if bytes == 0 || !seals.contains(SealFlags::SHRINK) {
            return Err(Error::RegionForeign);
        }
        let system = rustix::fs::fstatfs(&file).map_err(system("fstatfs"))?;
        let is_huge = u32::try_from(system.f_type).is_ok_and(|magic| magic == HUGETLB_MAGIC);
        Self::map_file(file, bytes, if is_huge { Pages::Huge } else { Pages::Base })
    }

    /// The file to hand to another process, of a shared region.
    ///
    /// # Safety
    /// The file's content is this memory, which whoever has the file then owns too, as with [`from_fd`](Self::from_fd).
    /// Nobody may write to a part of it, by the file or by a mapping of it, while it is read or written otherwise, such as
    /// by a slice of this region.
    pub unsafe fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// The pages that it got.
    pub fn pages(&self) -> Pages {
        self.pages
    }

    /// Bytes of the region that are present, by the NUMA node that they lie on, as the system tells now.
    ///
    /// # Errors
    /// [`Error::System`] where the system does not tell.
    pub fn node_of_pages(&self) -> Result<BTreeMap<u32, u64>> {
        let start = self.start.as_ptr().addr();
        numa::bytes_on_nodes(&(start..start + self.bytes))
    }

    pub(crate) fn pointer(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    fn map_private(bytes: usize, pages: Pages) -> Result<Self> {
        let flags = MapFlags::PRIVATE;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        if pages == Pages::Huge {
            let bytes = round_up(bytes, HUGE_BYTES)?;
            let flags = flags | MapFlags::HUGETLB | MapFlags::HUGE_2MB;
            // SAFETY: a new mapping wherever there is room.
            let start =
                unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), bytes, protection, flags) };
            let start = start.map_err(unmapped(bytes))?;
            return Ok(Self::own(Mapping { start, bytes }, 0, pages, None));
        }
        let page = rustix::param::page_size();
        let bytes = round_up(bytes, page)?;
        let whole = bytes.checked_add(2 * page).ok_or(Error::OutOfMemory { bytes })?;
        // A page before and after that nothing may touch: the system would join neighbours to one mapping, and
        // count the pages of both.
        // SAFETY: a new mapping wherever there is room.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), whole, ProtFlags::empty(), flags)
        };
        let start = start.map_err(unmapped(whole))?;
        // Owned from here on, so that a failure below gives it back.
        let region = Self::own(Mapping { start, bytes: whole }, page, pages, None);
        // SAFETY: these pages are of the mapping that was just made, and nothing knows of them.
        let opened = unsafe {
            rustix::mm::mprotect(
                region.start.as_ptr().cast(),
                region.bytes,
                rustix::mm::MprotectFlags::READ | rustix::mm::MprotectFlags::WRITE,
            )
        };
        opened.map_err(system("mprotect"))?;
        region.advise("enabled")?;
        Ok(region)
    }

    fn map_shared(bytes: usize, pages: Pages) -> Result<Self> {
        let (page, size) = match pages {
            Pages::Huge => (HUGE_BYTES, MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB),
            Pages::Transparent | Pages::Base => (rustix::param::page_size(), MemfdFlags::empty()),
        };
        let bytes = round_up(bytes, page)?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING | size;
        let file = rustix::fs::memfd_create("region", flags).map_err(system("memfd_create"))?;
        rustix::fs::ftruncate(&file, bytes as u64).map_err(system("ftruncate"))?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals).map_err(system("fcntl"))?;
        let region = Self::map_file(file, bytes, pages)?;
        region.advise("shmem_enabled")?;
        Ok(region)
    }

    fn map_file(file: OwnedFd, bytes: usize, pages: Pages) -> Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping wherever there is room, of a file that is as long and cannot shrink.
        let start = unsafe {
            rustix::mm::mmap(ptr::null_mut(), bytes, protection, MapFlags::SHARED, &file, 0)
        };
        let start = start.map_err(unmapped(bytes))?;
        Ok(Self::own(Mapping { start, bytes }, 0, pages, Some(file)))
    }

    /// Takes a mapping over, of which `guard` bytes at either end are not for use.
    fn own(mapping: Mapping, guard: usize, pages: Pages, file: Option<OwnedFd>) -> Self {
        let start = NonNull::new(mapping.start.cast::<u8>().wrapping_add(guard))
            .expect("the system maps nothing at address zero");
        Self { start, bytes: mapping.bytes - 2 * guard, mapping, pages, file }
    }

    /// Asks for transparent huge pages where they are wanted; `setting` is the system's own switch for them.
    fn advise(&self, setting: &str) -> Result<()> {
        if self.pages != Pages::Transparent {
            return Ok(());
        }
        let file = format!("/sys/kernel/mm/transparent_hugepage/{setting}");
        let allowed = std::fs::read_to_string(file).unwrap_or_default();
        if !is_transparent_allowed(&allowed) {
            return Err(system("madvise")(Errno::OPNOTSUPP));
        }
        let (start, advice) = (self.start.as_ptr().cast(), Advice::LinuxHugepage);
        // SAFETY: the pages are this region's own, and the advice changes no content.
        unsafe { rustix::mm::madvise(start, self.bytes, advice) }.map_err(system("madvise"))
    }

    /// Makes every page present: by threads on `processors`, where it matters, each a part.
    fn touch(&mut self, threads: usize, processors: Option<&CpuSet>) -> Result<()> {
        let part = self.bytes.div_ceil(threads.max(1)).next_multiple_of(HUGE_BYTES);
        std::thread::scope(|scope| {
            // All are begun before the first is waited for.
            let threads: Vec<_> = self
                .chunks_mut(part)
                .map(|part| {
                    let touch = move || touch_from(part, processors);
                    std::thread::Builder::new().spawn_scoped(scope, touch)
                })
                .collect();
            threads.into_iter().try_for_each(|thread| {
                let thread = thread.map_err(|_| system("clone")(Errno::AGAIN))?;
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }
}

impl Deref for HostRegion {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping holds as many bytes, zeroed or written, and who else maps them keeps
        // the promise of `from_fd`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }
}

impl DerefMut for HostRegion {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`, and `&mut self` makes the borrow the only one here.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }
}

impl Drop for HostRegion {
    fn drop(&mut self) {
        let Mapping { start, bytes } = self.mapping;
        // Fails only for what is no mapping.
        // SAFETY: `own` took this mapping over, and no borrow of it is left.
        let _ = unsafe { rustix::mm::munmap(start, bytes) };
    }
}

/// A region that could not be page-locked, and why.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unregistered {
    /// The region as it was.
    pub region: HostRegion,
    /// Why; of kind [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where this device never will.
    #[source]
    pub error: Error,
}

/// The first kind of pages, from `wanted` down, of which a region can be made; the last error if there is none.
fn first_that_works(
    wanted: Pages,
    make: impl Fn(Pages) -> Result<HostRegion>,
) -> Result<HostRegion> {
    let mut made = Err(Error::RegionEmpty);
    for &pages in wanted.or_less() {
        made = make(pages);
        if made.is_ok() {
            break;
        }
    }
    made
}

/// Makes the pages of `part` present, from the given processors.
fn touch_from(part: &mut [u8], processors: Option<&CpuSet>) -> Result<()> {
    if let Some(processors) = processors {
        // Of the thread that touches, which ends with it.
        rustix::thread::sched_setaffinity(None, processors).map_err(system("sched_setaffinity"))?;
    }
    let (start, advice) = (part.as_mut_ptr().cast(), Advice::LinuxPopulateWrite);
    // In place of a signal, this says when there are no pages.
    // SAFETY: the pages are `part`'s own, and the advice changes no content.
    match unsafe { rustix::mm::madvise(start, part.len(), advice) } {
        Ok(()) => Ok(()),
        // Older than Linux 5.14.
        Err(Errno::INVAL) => {
            for byte in part.iter_mut().step_by(rustix::param::page_size()) {
                // SAFETY: a reference can be written through; volatile, so that it is really done.
                unsafe { ptr::from_mut(byte).write_volatile(0) };
            }
            Ok(())
        }
        Err(Errno::NOMEM | Errno::FAULT) => Err(Error::OutOfMemory { bytes: part.len() }),
        Err(error) => Err(system("madvise")(error)),
    }
}

/// Whether the system's switch, such as `always [madvise] never`, lets transparent huge pages be had.
fn is_transparent_allowed(switch: &str) -> bool {
    let chosen = switch.split_whitespace().find(|word| word.starts_with('['));
    chosen.is_some_and(|chosen| !matches!(chosen, "[never]" | "[deny]"))
}

fn round_up(bytes: usize, page: usize) -> Result<usize> {
    let rounded = bytes.checked_next_multiple_of(page);
    let possible = rounded.filter(|&bytes| isize::try_from(bytes).is_ok());
    possible.ok_or(Error::OutOfMemory { bytes })
}

/// The error of a system call.
fn system(call: &'static str) -> impl FnOnce(Errno) -> Error {
    move |error| Error::System { call, code: error.raw_os_error() }
}

/// The error of mapping `bytes`.
fn unmapped(bytes: usize) -> impl FnOnce(Errno) -> Error {
    move |error| match error {
        Errno::NOMEM => Error::OutOfMemory { bytes },
        error => system("mmap")(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_are_not_there_are_replaced_by_the_next_smaller_kind() {
        let config = RegionConfig { pages: Pages::Base, ..RegionConfig::new(1) };
        let tried = std::cell::RefCell::new(Vec::new());
        let made = first_that_works(Pages::Huge, |pages| {
            tried.borrow_mut().push(pages);
            if pages == Pages::Base { HostRegion::new(&config) } else { Err(Error::RegionEmpty) }
        });
        assert_eq!(made.unwrap().pages(), Pages::Base);
        assert_eq!(*tried.borrow(), [Pages::Huge, Pages::Transparent, Pages::Base]);
        let none = first_that_works(Pages::Transparent, |_| Err(Error::OutOfMemory { bytes: 3 }));
        assert_eq!(none.map(|_| ()).unwrap_err(), Error::OutOfMemory { bytes: 3 });
    }

    #[test]
    fn the_systems_switch_is_read_by_its_brackets() {
        for (switch, is_allowed) in [
            ("always [madvise] never\n", true),
            ("[always] madvise never\n", true),
            ("always madvise [never]\n", false),
            ("always within_size advise never [deny] force\n", false),
            ("always within_size [advise] never deny force\n", true),
            ("", false),
        ] {
            assert_eq!(is_transparent_allowed(switch), is_allowed, "{switch}");
        }
    }

    #[test]
    fn a_size_that_no_machine_has_is_refused_before_it_is_asked_for() {
        for bytes in [usize::MAX, usize::MAX - 100, isize::MAX.unsigned_abs()] {
            assert_eq!(round_up(bytes, 4096), Err(Error::OutOfMemory { bytes }), "{bytes}");
        }
        assert_eq!(round_up(1, 4096), Ok(4096));
        assert_eq!(round_up(4096, 4096), Ok(4096));
    }
}
