//! Launch shapes: asked for, promised by a kernel, and checked once.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::backend::RawFunction;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::fault::Operation;
use crate::kernel::{Kernel, Loaded, Module};
use crate::properties::{Capability, DeviceProperties};

/// The shape of a launch: blocks, threads and dynamic shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Launch {
    /// Blocks along each side.
    pub grid: [u32; 3],
    /// Threads along each side of a block.
    pub block: [u32; 3],
    /// Dynamic shared memory of a block, in bytes.
    pub shared_bytes: u32,
}

impl Launch {
    /// `blocks` blocks of `threads` threads in a row.
    pub const fn linear(blocks: u32, threads: u32) -> Self {
        Self { grid: [blocks, 1, 1], block: [threads, 1, 1], shared_bytes: 0 }
    }

    /// The same shape with `bytes` of dynamic shared memory a block.
    pub const fn with_shared_bytes(mut self, bytes: u32) -> Self {
        self.shared_bytes = bytes;
        self
    }

    /// Threads in a block.
    pub fn threads(&self) -> u64 {
        self.block.iter().map(|&side| u64::from(side)).product()
    }

    /// Blocks in the grid.
    pub fn blocks(&self) -> u64 {
        self.grid.iter().map(|&side| u64::from(side)).product()
    }
}

/// How the blocks of a grid depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cooperation {
    /// Not at all: blocks may run in any order, one after the other.
    Independent,
    /// All blocks synchronise, so all must be resident at once.
    Grid,
}

/// The launches that a kernel accepts: its side of the bargain, as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchContract {
    /// Name of the entry point in the image.
    pub entry: &'static str,
    /// Fewest threads per block.
    pub threads_min: u32,
    /// Most threads per block.
    pub threads_max: u32,
    /// Threads per block must be a multiple of this.
    pub threads_multiple: u32,
    /// How the blocks depend on each other.
    pub cooperation: Cooperation,
    /// The oldest device that will do.
    pub capability_min: Capability,
}

impl LaunchContract {
    /// A contract for `entry`: whole warps up to 1024 threads, independent blocks, any device from 7.5 on.
    pub const fn new(entry: &'static str) -> Self {
        Self {
            entry,
            threads_min: 32,
            threads_max: 1024,
            threads_multiple: 32,
            cooperation: Cooperation::Independent,
            capability_min: Capability::new(7, 5),
        }
    }

    /// The same contract for between `min` and `max` threads per block.
    pub const fn threads(mut self, min: u32, max: u32) -> Self {
        self.threads_min = min;
        self.threads_max = max;
        self
    }

    /// The same contract for a kernel whose blocks synchronise.
    pub const fn cooperative(mut self) -> Self {
        self.cooperation = Cooperation::Grid;
        self
    }

    /// Refuses a launch that this contract or the device does not accept.
    ///
    /// # Errors
    /// [`Error::Threads`], [`Error::Grid`], [`Error::Shared`] or [`Error::Capability`].
    pub fn check(&self, launch: &Launch, device: &DeviceProperties) -> Result<()> {
        let kernel = self.entry;
        let (min, multiple) = (self.threads_min, self.threads_multiple.max(1));
        let max = self.threads_max.min(device.threads_per_block_max);
        let threads = launch.threads();
        let fits_sides = launch.block.iter().zip(&device.block_max).all(|(side, max)| side <= max);
        let in_range = threads >= u64::from(min) && threads <= u64::from(max);
        if !in_range || !threads.is_multiple_of(u64::from(multiple)) || !fits_sides {
            return Err(Error::Threads { kernel, threads, min, max, multiple });
        }
        let grid_fits =
            launch.grid.iter().zip(&device.grid_max).all(|(side, max)| (1..=*max).contains(side));
        if !grid_fits {
            return Err(Error::Grid { kernel, grid: launch.grid, max: device.grid_max });
        }
        let (bytes, max) = (launch.shared_bytes, device.shared_bytes_per_block_optin);
        if bytes > max {
            return Err(Error::Shared { kernel, bytes, max });
        }
        match device.capability {
            Some(found) if found < self.capability_min => {
                Err(Error::Capability { kernel, needed: self.capability_min, found })
            }
            _ => Ok(()),
        }
    }
}

/// What the compiler made of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct KernelAttributes {
    /// 32-bit registers per thread.
    pub registers: u32,
    /// Static shared memory per block, in bytes.
    pub shared_bytes: u32,
    /// Local memory per thread (spills and arrays), in bytes.
    pub local_bytes: u32,
    /// Most threads per block for these registers.
    pub threads_max: u32,
    /// Most dynamic shared memory per block that the kernel has opted in to, in bytes.
    pub dynamic_shared_bytes_max: u32,
}

/// A launch that fits its kernel and device, checked once; launching it is cheap.
pub struct Prepared<K> {
    pub(crate) function: RawFunction,
    pub(crate) launch: Launch,
    /// Kept loaded, and let go after the function.
    pub(crate) module: Arc<Loaded>,
    kernel: PhantomData<fn() -> K>,
}

impl<K: Kernel> Prepared<K> {
    /// Finds the entry point of `K` in `module` and checks `launch` against contract and device.
    ///
    /// # Errors
    /// What [`LaunchContract::check`] refuses; [`Error::SymbolMissing`]; [`Error::Cooperative`] if the
    /// blocks of a cooperative kernel cannot all be resident; [`Error::OtherDevice`].
    pub fn new(device: &Device, module: &Module, launch: Launch) -> Result<Self> {
        let module = Arc::clone(&module.loaded);
        if module.device.id != device.id() {
            return Err(Error::OtherDevice { what: "the module" });
        }
        K::CONTRACT.check(&launch, device.properties())?;
        let function =
            device.inner.run(Operation::Load, |_| module.raw.function(&K::CONTRACT, &launch))?;
        let prepared = Self { function, launch, module, kernel: PhantomData };
        prepared.check_resident(device)?;
        Ok(prepared)
    }

    /// The shape it launches.
    pub fn launch(&self) -> &Launch {
        &self.launch
    }

    /// What the compiler made of the kernel; `None` on the host.
    ///
    /// # Errors
    /// What the driver says.
    pub fn attributes(&self) -> Result<Option<KernelAttributes>> {
        self.function.attributes()
    }

    /// Blocks of this launch that fit on one multiprocessor, as the driver counts; `None` on the host.
    ///
    /// # Errors
    /// What the driver says.
    pub fn blocks_per_multiprocessor(&self) -> Result<Option<u32>> {
        self.function.blocks_per_multiprocessor(&self.launch)
    }

    fn check_resident(&self, device: &Device) -> Result<()> {
        if K::CONTRACT.cooperation == Cooperation::Independent {
            return Ok(());
        }
        let Some(blocks) = self.blocks_per_multiprocessor()? else { return Ok(()) };
        let resident = u64::from(blocks) * u64::from(device.properties().multiprocessors);
        let blocks = self.launch.blocks();
        if blocks > resident {
            return Err(Error::Cooperative { kernel: K::CONTRACT.entry, blocks, resident });
        }
        Ok(())
    }
}

impl<K: Kernel> std::fmt::Debug for Prepared<K> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Prepared")
            .field("kernel", &K::CONTRACT.entry)
            .field("launch", &self.launch)
            .finish_non_exhaustive()
    }
}
