//! Device memory, page-locked memory and registered memory, by range.

use std::collections::BTreeMap;

use crate::code::{ALREADY_REGISTERED, INVALID_VALUE, NOT_REGISTERED, OUT_OF_MEMORY, Outcome};
use crate::driver::Driver;
use crate::span::{Block, Home, Span};

/// What each device and the host have for the fake.
pub(crate) const CAPACITY_BYTES: usize = 1 << 30;

/// Set in every device address, so that the host cannot take one for its own.
const DEVICE: u64 = 1 << 60;
const DEVICE_ALIGNMENT: usize = 256;
const PAGE: usize = 4096;

/// `CU_MEMHOSTALLOC_PORTABLE` and `CU_MEMHOSTREGISTER_PORTABLE`.
const PORTABLE: u32 = 1;

#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By device address.
    pub(crate) device: BTreeMap<u64, Block>,
    /// By address.
    locked: BTreeMap<usize, Locked>,
}

/// Host memory that copies can reach without the driver's help.
#[derive(Debug)]
struct Locked {
    bytes: usize,
    /// Absent for memory of the program's own that it registered.
    block: Option<Block>,
}

impl Memory {
    pub(crate) fn allocated_count(&self) -> usize {
        self.locked.values().filter(|locked| locked.block.is_some()).count()
    }

    pub(crate) fn registered_count(&self) -> usize {
        self.locked.len() - self.allocated_count()
    }

    pub(crate) fn device_bytes(&self) -> usize {
        self.device.values().map(|block| block.bytes).sum()
    }

    pub(crate) fn broken_guards(&self) -> Vec<String> {
        let device = self.device.values().map(|block| ("device", block));
        let locked = self.locked.values().filter_map(|locked| locked.block.as_ref());
        let broken = device.chain(locked.map(|block| ("page-locked", block)));
        let broken = broken.filter(|(_, block)| !block.is_intact());
        let text =
            |kind, bytes| format!("{kind} memory was written outside a block of {bytes} bytes");
        broken.map(|(kind, block)| text(kind, block.bytes)).collect()
    }

    /// Whether the span still is of memory that is there.
    pub(crate) fn is_live(&self, span: &Span) -> bool {
        match span.home {
            Home::Pageable => true,
            Home::Device => self.find_device(DEVICE | span.address as u64, span.bytes).is_some(),
            Home::Locked => {
                let found = self.find_locked(span.address);
                found.is_some_and(|(start, bytes)| span.address + span.bytes <= start + bytes)
            }
        }
    }

    fn find_device(&self, address: u64, bytes: usize) -> Option<Span> {
        let (&start, block) = self.device.range(..=address).next_back()?;
        let offset = usize::try_from(address - start).ok()?;
        let inside = offset.checked_add(bytes)? <= block.bytes;
        let whole = block.span(Home::Device);
        inside.then(|| Span { address: whole.address + offset, bytes, ..whole })
    }

    /// Start and length of the page-locked range that holds `address`.
    fn find_locked(&self, address: usize) -> Option<(usize, usize)> {
        let (&start, locked) = self.locked.range(..=address).next_back()?;
        (address < start + locked.bytes).then_some((start, locked.bytes))
    }
}

impl Driver {
    pub(crate) fn allocate(&mut self, bytes: usize) -> Outcome<u64> {
        self.current()?;
        self.refuse_in_capture()?;
        if bytes == 0 {
            return Err(INVALID_VALUE);
        }
        if self.memory.device_bytes().saturating_add(bytes) > CAPACITY_BYTES {
            return Err(OUT_OF_MEMORY);
        }
        let block = Block::new(bytes, DEVICE_ALIGNMENT).ok_or(OUT_OF_MEMORY)?;
        let address = DEVICE | block.span(Home::Device).address as u64;
        self.memory.device.insert(address, block);
        Ok(address)
    }

    pub(crate) fn free(&mut self, address: u64) -> Outcome {
        self.current()?;
        self.refuse_in_capture()?;
        let Some(block) = self.memory.device.remove(&address) else {
            self.journal.violation("device memory was freed that is not there");
            return Err(INVALID_VALUE);
        };
        self.let_go(&block.span(Home::Device), "device memory was freed");
        self.check_guards(&block);
        Ok(())
    }

    pub(crate) fn allocate_locked(&mut self, bytes: usize, flags: u32) -> Outcome<usize> {
        self.current()?;
        self.refuse_in_capture()?;
        if bytes == 0 || flags != PORTABLE {
            return Err(INVALID_VALUE);
        }
        if bytes > CAPACITY_BYTES {
            return Err(OUT_OF_MEMORY);
        }
        let block = Block::new(bytes, PAGE).ok_or(OUT_OF_MEMORY)?;
        let address = block.span(Home::Locked).address;
        self.memory.locked.insert(address, Locked { bytes, block: Some(block) });
        Ok(address)
    }

    pub(crate) fn free_locked(&mut self, address: usize) -> Outcome {
        self.current()?;
        self.refuse_in_capture()?;
        let is_allocated =
            self.memory.locked.get(&address).is_some_and(|locked| locked.block.is_some());
        let block = if is_allocated { self.memory.locked.remove(&address) } else { None };
        let Some(block) = block.and_then(|locked| locked.block) else {
            self.journal.violation("page-locked memory was freed that is not there");
            return Err(INVALID_VALUE);
        };
        self.let_go(&block.span(Home::Locked), "page-locked memory was freed");
        self.check_guards(&block);
        Ok(())
    }

    pub(crate) fn register(&mut self, address: usize, bytes: usize, flags: u32) -> Outcome {
        self.current()?;
        self.refuse_in_capture()?;
        if address == 0 || bytes == 0 || flags & !PORTABLE != 0 {
            return Err(INVALID_VALUE);
        }
        let last = self.memory.locked.range(..address + bytes).next_back();
        if last.is_some_and(|(start, locked)| start + locked.bytes > address) {
            return Err(ALREADY_REGISTERED);
        }
        self.memory.locked.insert(address, Locked { bytes, block: None });
        Ok(())
    }

    pub(crate) fn unregister(&mut self, address: usize) -> Outcome {
        self.current()?;
        self.refuse_in_capture()?;
        match self.memory.locked.get(&address) {
            Some(&Locked { bytes, block: None }) => {
                self.memory.locked.remove(&address);
                // SAFETY: the program vouched for the range when it registered it, and it is only compared here.
                let span = unsafe { Span::new(address, bytes, Home::Locked) };
                self.let_go(&span, "registered memory was unregistered");
                Ok(())
            }
            _ => {
                self.journal.violation("memory was unregistered that is not registered");
                Err(NOT_REGISTERED)
            }
        }
    }

    /// The bytes behind a device address: of device memory, or of page-locked memory, which has the same address for both.
    pub(crate) fn device_span(&mut self, address: u64, bytes: usize) -> Outcome<Span> {
        if address & DEVICE != 0 {
            if let Some(span) = self.memory.find_device(address, bytes) {
                return Ok(span);
            }
        } else if let Ok(address) = usize::try_from(address)
            && self.memory.find_locked(address).is_some()
        {
            return self.host_span(address, bytes);
        }
        self.journal.violation(format!("{bytes} bytes of the device were named that nobody owns"));
        Err(INVALID_VALUE)
    }

    /// The bytes behind a host address, for whose being there the program vouches.
    pub(crate) fn host_span(&mut self, address: usize, bytes: usize) -> Outcome<Span> {
        let found = self.memory.find_locked(address);
        let home = if found.is_some() { Home::Locked } else { Home::Pageable };
        // SAFETY: the driver's documentation asks the program to keep the memory until the copy has run.
        let span = unsafe { Span::new(address, bytes, home) };
        if found.is_some() && !self.memory.is_live(&span) {
            self.journal
                .violation(format!("{bytes} bytes reach past the end of page-locked memory"));
            return Err(INVALID_VALUE);
        }
        Ok(span)
    }

    fn check_guards(&mut self, block: &Block) {
        if !block.is_intact() {
            let bytes = block.bytes;
            self.journal.violation(format!("a block of {bytes} bytes was written outside"));
        }
    }

    /// Memory goes: nothing that is queued may still use it.
    fn let_go(&mut self, span: &Span, what: &str) {
        if self.queues.values().any(|queue| queue.uses(span)) {
            self.journal.violation(format!("{what} while queued work uses it"));
        }
    }
}
