//! Theoretical occupancy: how many blocks of a kernel a multiprocessor holds, and what stops it from holding more.
//!
//! Pure arithmetic over [`HardwareLimits`], by the rules of NVIDIA's occupancy calculator.
//! Says nothing about speed: the fastest configuration often has a low occupancy.

use gpu_core::KernelAttributes;
use serde::ser::SerializeSeq;

use crate::limits::HardwareLimits;

/// What one block of a kernel asks of a multiprocessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockUse {
    /// Threads of the block.
    pub threads: u32,
    /// Registers of each thread.
    pub registers: u32,
    /// Shared memory that the compiler laid out, in bytes.
    pub shared_static: u32,
    /// Shared memory that the launch adds, in bytes.
    pub shared_dynamic: u32,
    /// How much the launch may add, where the kernel has opted in to more than 48 KiB in all.
    pub shared_dynamic_max: Option<u32>,
    /// Barriers of the block.
    pub barriers: u32,
    /// Share of the combined cache that shared memory should get, in percent; `None` leaves it to the driver.
    pub carveout_percent: Option<u32>,
}

impl BlockUse {
    /// A block of `threads` threads with `shared_dynamic` bytes of dynamic shared memory, as CUDA launches it by
    /// default: one barrier, and the carve-out left to the driver.
    pub fn new(attributes: &KernelAttributes, threads: u32, shared_dynamic: u32) -> Self {
        Self {
            threads,
            registers: attributes.registers,
            shared_static: attributes.shared_bytes,
            shared_dynamic,
            shared_dynamic_max: Some(attributes.dynamic_shared_bytes_max),
            barriers: 1,
            carveout_percent: None,
        }
    }
}

/// What can limit the number of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limiter {
    /// Warps resident on a multiprocessor.
    Warps,
    /// Registers.
    Registers,
    /// Shared memory.
    SharedMemory,
    /// Blocks resident on a multiprocessor.
    Blocks,
    /// Block barriers.
    Barriers,
}

impl Limiter {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Warps, Self::Registers, Self::SharedMemory, Self::Blocks, Self::Barriers];
}

impl std::fmt::Display for Limiter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Warps => "warps",
            Self::Registers => "registers",
            Self::SharedMemory => "shared memory",
            Self::Blocks => "blocks",
            Self::Barriers => "barriers",
        })
    }
}

/// Everything that limits equally, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limiters(u8);

impl Limiters {
    /// Whether `limiter` is among them.
    pub fn contains(self, limiter: Limiter) -> bool {
        self.0 & (1 << limiter as u8) != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Limiter> {
        Limiter::ALL.into_iter().filter(move |&limiter| self.contains(limiter))
    }
}

impl FromIterator<Limiter> for Limiters {
    fn from_iter<I: IntoIterator<Item = Limiter>>(limiters: I) -> Self {
        Self(limiters.into_iter().fold(0, |bits, limiter| bits | 1 << limiter as u8))
    }
}

impl std::fmt::Debug for Limiters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl std::fmt::Display for Limiters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, limiter) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " and " };
            write!(formatter, "{separator}{limiter}")?;
        }
        Ok(())
    }
}

impl serde::Serialize for Limiters {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        for limiter in self.iter() {
            sequence.serialize_element(&limiter)?;
        }
        sequence.end()
    }
}

/// Blocks that each resource alone would allow; `None` where the kernel does not use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct BlockLimits {
    /// By resident warps.
    pub warps: u32,
    /// By resident blocks.
    pub blocks: u32,
    /// By registers.
    pub registers: Option<u32>,
    /// By shared memory.
    pub shared_memory: Option<u32>,
    /// By barriers.
    pub barriers: Option<u32>,
}

impl BlockLimits {
    /// Blocks that `limiter` alone would allow.
    pub fn of(&self, limiter: Limiter) -> Option<u32> {
        match limiter {
            Limiter::Warps => Some(self.warps),
            Limiter::Blocks => Some(self.blocks),
            Limiter::Registers => self.registers,
            Limiter::SharedMemory => self.shared_memory,
            Limiter::Barriers => self.barriers,
        }
    }
}

/// How full a multiprocessor gets. Theoretical: from limits, not from a run.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Occupancy {
    /// Blocks resident on a multiprocessor; 0 if the block cannot run.
    pub blocks: u32,
    /// Resident warps over the most that can be resident, 0 to 1.
    pub occupancy: f64,
    /// What allows no more blocks; all of them where several tie.
    pub limiters: Limiters,
    /// What each resource alone would allow.
    pub limits: BlockLimits,
    /// Registers that a block takes, rounded as they are given out.
    pub registers_per_block: u32,
    /// Shared memory that a block takes, rounded as it is given out, in bytes.
    pub shared_bytes_per_block: u32,
}

impl Occupancy {
    /// The occupancy of a multiprocessor with `limits` by blocks that ask for `block`.
    pub fn of(limits: &HardwareLimits, block: &BlockUse) -> Self {
        let warps = block.threads.div_ceil(limits.warp_size);
        let (registers, registers_per_block) = registers(limits, block.registers, warps);
        let (shared_memory, shared_bytes_per_block) = shared_memory(limits, block);
        let fits = (1..=limits.threads_per_block).contains(&block.threads);
        let by = BlockLimits {
            warps: if fits { limits.warps() / warps } else { 0 },
            blocks: limits.blocks,
            registers,
            shared_memory,
            barriers: limits.barriers.and_then(|count| count.checked_div(block.barriers)),
        };
        let blocks =
            Limiter::ALL.into_iter().filter_map(|limiter| by.of(limiter)).min().unwrap_or(0);
        Self {
            blocks,
            occupancy: f64::from(blocks * warps) / f64::from(limits.warps().max(1)),
            limiters: Limiter::ALL
                .into_iter()
                .filter(|&limiter| by.of(limiter) == Some(blocks))
                .collect(),
            limits: by,
            registers_per_block,
            shared_bytes_per_block,
        }
    }
}

/// Blocks by registers, and the registers of one block.
///
/// A warp's registers come from the part of the multiprocessor it runs on, so the warps that fit
/// are counted for each part before they are added up.
fn registers(limits: &HardwareLimits, per_thread: u32, warps: u32) -> (Option<u32>, u32) {
    // Figures that no kernel has only need to come out as too many.
    let per_warp = per_thread.min(1 << 16) * limits.warp_size;
    let per_warp = per_warp.next_multiple_of(limits.register_unit);
    let per_block = per_warp.saturating_mul(warps);
    let widest = per_warp.saturating_mul(warps.next_multiple_of(limits.partitions));
    if per_thread > limits.registers_per_thread || widest > limits.registers_per_block {
        return (Some(0), per_block);
    }
    let per_partition = limits.registers / limits.partitions;
    let resident_warps = per_partition.checked_div(per_warp).map(|count| count * limits.partitions);
    (resident_warps.map(|count| count / warps.max(1)), per_block)
}

/// Blocks by shared memory, and the shared memory of one block.
fn shared_memory(limits: &HardwareLimits, block: &BlockUse) -> (Option<u32>, u32) {
    let own = block.shared_static.saturating_add(limits.shared_bytes_reserved);
    let Some(used) = own
        .checked_add(block.shared_dynamic)
        .and_then(|sum| sum.checked_next_multiple_of(limits.shared_unit))
    else {
        return (Some(0), u32::MAX);
    };
    let dynamic_max = block.shared_dynamic_max;
    let has_opted_in =
        dynamic_max.is_some_and(|max| own.saturating_add(max) > limits.shared_bytes_per_block);
    let per_block_max = limits.shared_bytes_reserved
        + if has_opted_in {
            limits.shared_bytes_per_block_optin
        } else {
            limits.shared_bytes_per_block
        };
    if dynamic_max.is_some_and(|max| block.shared_dynamic > max) || used > per_block_max {
        return (Some(0), used);
    }
    (carveout(limits, block.carveout_percent, used).checked_div(used), used)
}

/// Shared memory of the multiprocessor: the smallest size that is at least what was asked for and holds one block.
fn carveout(limits: &HardwareLimits, percent: Option<u32>, used: u32) -> u32 {
    let Some(percent) = percent else { return limits.shared_bytes };
    let wanted = (u64::from(limits.shared_bytes) * u64::from(percent) / 100).max(u64::from(used));
    let mut sizes = limits.carveouts_kib.iter().map(|kib| kib << 10);
    sizes.find(|&size| u64::from(size) >= wanted).unwrap_or(limits.shared_bytes)
}
