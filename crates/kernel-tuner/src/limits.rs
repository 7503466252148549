//! What a multiprocessor can hold, by compute capability.
//!
//! Figures from the CUDA C++ Programming Guide, "Compute Capabilities", tables "Technical Specifications" and
//! "Shared Memory"; allocation granularities and barriers as NVIDIA's occupancy calculator applies them.
//! Never guesses: a capability that is not in the table is an error.

use gpu_core::{Capability, DeviceProperties};

use crate::error::{Error, Result};

/// The limits that decide how many blocks a multiprocessor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct HardwareLimits {
    /// Which capability they are of.
    pub capability: Capability,
    /// Threads that execute together.
    pub warp_size: u32,
    /// Most threads in a block.
    pub threads_per_block: u32,
    /// Most threads resident on a multiprocessor.
    pub threads: u32,
    /// Most blocks resident on a multiprocessor.
    pub blocks: u32,
    /// 32-bit registers of a multiprocessor.
    pub registers: u32,
    /// 32-bit registers a block may use.
    pub registers_per_block: u32,
    /// Most registers of a thread that the hardware addresses.
    pub registers_per_thread: u32,
    /// Registers are given to a warp in multiples of this.
    pub register_unit: u32,
    /// Parts of a multiprocessor, each with its own share of registers and warps.
    pub partitions: u32,
    /// Shared memory of a multiprocessor, in bytes.
    pub shared_bytes: u32,
    /// Shared memory of a block without opting in, in bytes.
    pub shared_bytes_per_block: u32,
    /// Shared memory of a block that opts in, in bytes.
    pub shared_bytes_per_block_optin: u32,
    /// Shared memory that the system keeps of each block, in bytes.
    pub shared_bytes_reserved: u32,
    /// Shared memory is given to a block in multiples of this, in bytes.
    pub shared_unit: u32,
    /// The sizes that the share of shared memory in the combined cache can take, in KiB, ascending.
    pub carveouts_kib: &'static [u32],
    /// Block barriers of a multiprocessor, where they are counted.
    pub barriers: Option<u32>,
}

/// What differs from one capability to the next.
struct Row {
    capability: Capability,
    threads: u32,
    blocks: u32,
    /// Of a multiprocessor, with what the system reserves.
    shared_kib: u32,
    barriers: Option<u32>,
}

const fn row(major: u32, minor: u32, threads: u32, blocks: u32, shared_kib: u32) -> Row {
    Row { capability: Capability::new(major, minor), threads, blocks, shared_kib, barriers: None }
}

impl Row {
    const fn barriers(mut self, count: u32) -> Self {
        self.barriers = Some(count);
        self
    }
}

const TABLE: [Row; 11] = [
    row(7, 5, 1024, 16, 64),
    row(8, 0, 2048, 32, 164),
    row(8, 6, 1536, 16, 100),
    row(8, 7, 1536, 16, 164),
    row(8, 9, 1536, 24, 100),
    row(9, 0, 2048, 32, 228).barriers(64),
    row(10, 0, 2048, 32, 228).barriers(64),
    row(10, 3, 2048, 32, 228).barriers(32),
    row(11, 0, 1536, 24, 228).barriers(24),
    row(12, 0, 1536, 24, 100).barriers(24),
    row(12, 1, 1536, 24, 100).barriers(24),
];

/// From 8.0 on the system keeps 1 KiB of each block, and memory is given out more finely.
const AMPERE: Capability = Capability::new(8, 0);

impl HardwareLimits {
    /// The limits of `capability`.
    ///
    /// # Errors
    /// [`Error::UnknownCapability`].
    pub fn of(capability: Capability) -> Result<Self> {
        let row = TABLE.iter().find(|row| row.capability == capability);
        let row = row.ok_or(Error::UnknownCapability { capability })?;
        let is_ampere_or_newer = capability >= AMPERE;
        let reserved = if is_ampere_or_newer { 1 << 10 } else { 0 };
        let shared_bytes = row.shared_kib << 10;
        Ok(Self {
            capability,
            warp_size: 32,
            threads_per_block: 1024,
            threads: row.threads,
            blocks: row.blocks,
            registers: 65_536,
            registers_per_block: 65_536,
            registers_per_thread: 256,
            register_unit: 256,
            partitions: 4,
            shared_bytes,
            shared_bytes_per_block: 48 << 10,
            shared_bytes_per_block_optin: shared_bytes - reserved,
            shared_bytes_reserved: reserved,
            shared_unit: if is_ampere_or_newer { 128 } else { 256 },
            carveouts_kib: carveouts_kib(row.shared_kib),
            barriers: row.barriers,
        })
    }

    /// The limits of a device: what its driver tells, and the table for what no driver tells.
    ///
    /// # Errors
    /// [`Error::NoMultiprocessors`] for the host, [`Error::UnknownCapability`].
    pub fn for_device(device: &DeviceProperties) -> Result<Self> {
        let capability = device
            .capability
            .ok_or_else(|| Error::NoMultiprocessors { device: device.name.clone() })?;
        Ok(Self {
            warp_size: device.warp_size,
            threads_per_block: device.threads_per_block_max,
            threads: device.threads_per_multiprocessor_max,
            blocks: device.blocks_per_multiprocessor_max,
            registers: device.registers_per_multiprocessor,
            registers_per_block: device.registers_per_block,
            shared_bytes: device.shared_bytes_per_multiprocessor,
            shared_bytes_per_block: device.shared_bytes_per_block,
            shared_bytes_per_block_optin: device.shared_bytes_per_block_optin,
            shared_bytes_reserved: device.shared_bytes_reserved_per_block,
            ..Self::of(capability)?
        })
    }

    /// Every capability in the table, oldest first.
    pub fn capabilities() -> impl Iterator<Item = Capability> {
        TABLE.iter().map(|row| row.capability)
    }

    /// Most warps resident on a multiprocessor.
    pub fn warps(&self) -> u32 {
        self.threads / self.warp_size.max(1)
    }
}

fn carveouts_kib(shared_kib: u32) -> &'static [u32] {
    match shared_kib {
        64 => &[32, 64],
        100 => &[0, 8, 16, 32, 64, 100],
        164 => &[0, 8, 16, 32, 64, 100, 132, 164],
        _ => &[0, 8, 16, 32, 64, 100, 132, 164, 196, 228],
    }
}

#[cfg(test)]
mod tests {
    use gpu_core::Device;

    use super::*;

    #[test]
    fn the_largest_carveout_is_all_of_the_shared_memory() {
        for capability in HardwareLimits::capabilities() {
            let limits = HardwareLimits::of(capability).unwrap();
            let largest = limits.carveouts_kib.last().unwrap() << 10;
            assert_eq!(largest, limits.shared_bytes, "{capability}");
        }
    }

    #[test]
    fn an_unknown_capability_is_an_error_and_never_a_guess() {
        let error = HardwareLimits::of(Capability::new(9, 9)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "compute capability 9.9 is not in the table of hardware limits"
        );
    }

    #[test]
    fn a_devices_own_figures_come_before_the_tables() {
        let mut device = Device::host().properties().clone();
        let error = HardwareLimits::for_device(&device).unwrap_err();
        assert!(error.to_string().contains("has no multiprocessors"), "{error}");
        device.capability = Some(Capability::new(9, 0));
        device.blocks_per_multiprocessor_max = 7;
        let limits = HardwareLimits::for_device(&device).unwrap();
        assert_eq!((limits.blocks, limits.register_unit), (7, 256));
    }
}
