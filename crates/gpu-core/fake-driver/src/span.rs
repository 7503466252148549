//! Bytes of this process, by address: every access of the fake to memory goes through here.
//!
//! Never decides whether an access is allowed: whoever makes a span vouches for it.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::{self, NonNull};

/// Bytes before and behind a block that nobody may write.
const GUARD_BYTES: usize = 256;
const GUARD: u8 = 0xfd;
/// What fresh memory holds, since the driver promises nothing.
const FRESH: u8 = 0xab;
/// What the target of a download holds until the download has run.
const CANARY: u8 = 0xc5;

/// What kind of memory a span is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    Device,
    /// Host memory that the driver allocated or registered.
    Locked,
    /// Any other memory of the host.
    Pageable,
}

/// Bytes that can be read and written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) address: usize,
    pub(crate) bytes: usize,
    pub(crate) home: Home,
}

impl Span {
    /// # Safety
    /// The bytes must stay readable and writable until the last use of the span or of a copy of it.
    pub(crate) unsafe fn new(address: usize, bytes: usize, home: Home) -> Self {
        Self { address, bytes, home }
    }

    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.address < other.address + other.bytes && other.address < self.address + self.bytes
    }

    /// Element `index` of a span of `T`s.
    pub(crate) fn read<T: Copy>(&self, index: usize) -> T {
        let end = (index + 1) * size_of::<T>();
        assert!(end <= self.bytes, "a kernel of the fake stays in its spans");
        let from = ptr::with_exposed_provenance::<T>(self.address + index * size_of::<T>());
        // SAFETY: in bounds, as asserted; whoever made the span vouched for its bytes, and `T` is a number.
        unsafe { from.read_unaligned() }
    }

    /// Sets element `index` of a span of `T`s.
    pub(crate) fn write<T: Copy>(&self, index: usize, value: T) {
        let end = (index + 1) * size_of::<T>();
        assert!(end <= self.bytes, "a kernel of the fake stays in its spans");
        let to = ptr::with_exposed_provenance_mut::<T>(self.address + index * size_of::<T>());
        // SAFETY: in bounds, as asserted; whoever made the span vouched for its bytes.
        unsafe { to.write_unaligned(value) };
    }

    pub(crate) fn copy_to(&self, to: &Self) {
        let bytes = self.bytes.min(to.bytes);
        let from = ptr::with_exposed_provenance::<u8>(self.address);
        let to = ptr::with_exposed_provenance_mut::<u8>(to.address);
        // SAFETY: whoever made the spans vouched for their bytes; they may overlap.
        unsafe { ptr::copy(from, to, bytes) };
    }

    pub(crate) fn fill(&self, value: u8) {
        let to = ptr::with_exposed_provenance_mut::<u8>(self.address);
        // SAFETY: whoever made the span vouched for its bytes.
        unsafe { to.write_bytes(value, self.bytes) };
    }

    pub(crate) fn fill_with_canary(&self) {
        self.fill(CANARY);
    }

    /// A number that changes when the bytes do: FNV-1a over words of eight bytes, then over the rest.
    pub(crate) fn digest(&self) -> u64 {
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        let mut mix = |word: u64| digest = (digest ^ word).wrapping_mul(0x0100_0000_01b3);
        let words = self.bytes / size_of::<u64>();
        (0..words).for_each(|index| mix(self.read(index)));
        (words * size_of::<u64>()..self.bytes).for_each(|at| mix(u64::from(self.read::<u8>(at))));
        digest
    }

    fn holds_only(&self, value: u8) -> bool {
        (0..self.bytes).all(|index| self.read::<u8>(index) == value)
    }
}

/// An allocation between two guards.
#[derive(Debug)]
pub(crate) struct Block {
    base: NonNull<u8>,
    layout: Layout,
    /// From `base` to the first byte that the program may use.
    before: usize,
    pub(crate) bytes: usize,
}

// SAFETY: a block owns its memory, and the driver's lock decides who uses it.
unsafe impl Send for Block {}

impl Block {
    /// `bytes` bytes at a multiple of `alignment`, at least that of the guards; `None` if they cannot be had.
    pub(crate) fn new(bytes: usize, alignment: usize) -> Option<Self> {
        let before = alignment.max(GUARD_BYTES);
        let whole = before.checked_add(bytes)?.checked_add(GUARD_BYTES)?;
        let layout = Layout::from_size_align(whole, before).ok()?;
        // SAFETY: the layout has the guards, so it is not empty.
        let base = NonNull::new(unsafe { alloc(layout) })?;
        let block = Self { base, layout, before, bytes };
        block.guards().iter().for_each(|guard| guard.fill(GUARD));
        block.span(Home::Pageable).fill(FRESH);
        Some(block)
    }

    /// The bytes that the program may use. Not to be used once the block is gone.
    pub(crate) fn span(&self, home: Home) -> Span {
        // SAFETY: the block holds these bytes; ranges are looked up again before each use.
        unsafe { Span::new(self.address(self.before), self.bytes, home) }
    }

    pub(crate) fn is_intact(&self) -> bool {
        self.guards().iter().all(|guard| guard.holds_only(GUARD))
    }

    fn guards(&self) -> [Span; 2] {
        let (front, back) = (self.before - GUARD_BYTES, self.before + self.bytes);
        [front, back].map(|offset| {
            // SAFETY: both lie within the allocation.
            unsafe { Span::new(self.address(offset), GUARD_BYTES, Home::Pageable) }
        })
    }

    fn address(&self, offset: usize) -> usize {
        self.base.as_ptr().expose_provenance() + offset
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `new` allocated it with this layout, and only this frees it.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}
