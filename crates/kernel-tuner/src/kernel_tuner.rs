//! Recommendations: which block sizes fill a multiprocessor, what limits them, and what would lift that.
//!
//! Calculates only. Whether a full multiprocessor is a fast one, a measurement must say.

use gpu_core::{Capability, DeviceProperties, KernelAttributes};

use crate::error::Result;
use crate::limits::HardwareLimits;
use crate::occupancy::{BlockUse, Limiter, Occupancy};

/// Block sizes whose occupancy is above this are recommended.
pub const OCCUPANCY_GOAL: f64 = 0.5;

/// One kernel on one kind of multiprocessor.
#[derive(Clone, Debug)]
pub struct KernelTuner {
    limits: HardwareLimits,
    multiprocessors: Option<u32>,
    attributes: KernelAttributes,
}

/// A block size and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Recommendation {
    /// Threads per block.
    pub threads: u32,
    /// How full a multiprocessor gets.
    pub occupancy: Occupancy,
    /// The smallest saving that makes room for another block; `None` if only another block size can.
    pub lift: Option<Lift>,
}

/// A saving, and the occupancy that the calculation gives with it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Lift {
    /// Registers per thread to come down to, if registers limit.
    pub registers: Option<u32>,
    /// Static and dynamic shared memory per block to come down to, in bytes, if shared memory limits.
    pub shared_bytes: Option<u32>,
    /// Blocks resident then.
    pub blocks: u32,
    /// Occupancy then, 0 to 1.
    pub occupancy: f64,
}

/// The block size with the most resident threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Suggestion {
    /// Threads per block; the largest of those that tie.
    pub threads: u32,
    /// Blocks resident on a multiprocessor.
    pub blocks_per_multiprocessor: u32,
    /// The smallest grid that fills the device, where the device is known.
    pub grid_min: Option<u32>,
}

impl KernelTuner {
    /// A kernel on a device.
    ///
    /// # Errors
    /// [`Error::NoMultiprocessors`](crate::Error::NoMultiprocessors) for the host,
    /// [`Error::UnknownCapability`](crate::Error::UnknownCapability).
    pub fn for_device(device: &DeviceProperties, attributes: KernelAttributes) -> Result<Self> {
        let limits = HardwareLimits::for_device(device)?;
        Ok(Self { limits, multiprocessors: Some(device.multiprocessors), attributes })
    }

    /// A kernel on any device of `capability`, from the table of limits.
    ///
    /// # Errors
    /// [`Error::UnknownCapability`](crate::Error::UnknownCapability).
    pub fn for_capability(capability: Capability, attributes: KernelAttributes) -> Result<Self> {
        let limits = HardwareLimits::of(capability)?;
        Ok(Self { limits, multiprocessors: None, attributes })
    }

    /// The multiprocessor's limits.
    pub fn limits(&self) -> &HardwareLimits {
        &self.limits
    }

    /// Occupancy by blocks of `threads` threads with `shared_dynamic` bytes of dynamic shared memory.
    pub fn occupancy(&self, threads: u32, shared_dynamic: u32) -> Occupancy {
        Occupancy::of(&self.limits, &BlockUse::new(&self.attributes, threads, shared_dynamic))
    }

    /// The same, with what would lift it.
    pub fn recommendation(&self, threads: u32, shared_dynamic: u32) -> Recommendation {
        let block = BlockUse::new(&self.attributes, threads, shared_dynamic);
        let occupancy = Occupancy::of(&self.limits, &block);
        Recommendation { threads, occupancy, lift: self.lift(block, &occupancy) }
    }

    /// Every block size in whole warps that the kernel can be launched with, ascending.
    ///
    /// `shared_dynamic` tells the dynamic shared memory of a block from its threads.
    pub fn block_sizes(&self, shared_dynamic: impl Fn(u32) -> u32) -> Vec<Recommendation> {
        let warp = self.limits.warp_size.max(1);
        let sizes = (warp..=self.threads_max()).step_by(warp as usize);
        sizes.map(|threads| self.recommendation(threads, shared_dynamic(threads))).collect()
    }

    /// The block sizes above [`OCCUPANCY_GOAL`], fullest first and larger blocks first among equals.
    pub fn recommend(&self, shared_dynamic: impl Fn(u32) -> u32) -> Vec<Recommendation> {
        let mut sizes = self.block_sizes(shared_dynamic);
        sizes.retain(|size| size.occupancy.occupancy > OCCUPANCY_GOAL);
        sizes.sort_by(|a, b| {
            let by_occupancy = b.occupancy.occupancy.total_cmp(&a.occupancy.occupancy);
            by_occupancy.then(b.threads.cmp(&a.threads))
        });
        sizes
    }

    /// The block size with the most resident threads, as CUDA's launch configurator finds it; `None` if none can run.
    pub fn suggest(&self, shared_dynamic: impl Fn(u32) -> u32) -> Option<Suggestion> {
        let warp = self.limits.warp_size.max(1);
        let largest = self.threads_max();
        let sizes = (1..=largest.div_ceil(warp)).rev().map(|warps| (warps * warp).min(largest));
        let mut best: Option<(u32, u32)> = None;
        for threads in sizes {
            let blocks = self.occupancy(threads, shared_dynamic(threads)).blocks;
            if blocks * threads > best.map_or(0, |(threads, blocks)| threads * blocks) {
                best = Some((threads, blocks));
            }
        }
        let (threads, blocks_per_multiprocessor) = best?;
        let grid_min = self.multiprocessors.map(|count| count * blocks_per_multiprocessor);
        Some(Suggestion { threads, blocks_per_multiprocessor, grid_min })
    }

    fn threads_max(&self) -> u32 {
        self.attributes.threads_max.min(self.limits.threads_per_block)
    }

    /// Brings down every resource that limits until one more block fits, and calculates what that gives.
    fn lift(&self, block: BlockUse, now: &Occupancy) -> Option<Lift> {
        let (mut saved, mut registers, mut shared_bytes) = (block, None, None);
        for limiter in now.limiters.iter() {
            match limiter {
                Limiter::Registers => {
                    saved.registers = self.fewer_registers(block, now.blocks)?;
                    registers = Some(saved.registers);
                }
                Limiter::SharedMemory => {
                    let total = self.less_shared(block, now.blocks)?;
                    saved.shared_static = block.shared_static.min(total);
                    saved.shared_dynamic = total - saved.shared_static;
                    shared_bytes = Some(total);
                }
                // These belong to the block size; no saving lifts them.
                Limiter::Warps | Limiter::Blocks | Limiter::Barriers => return None,
            }
        }
        let then = Occupancy::of(&self.limits, &saved);
        let is_better = then.blocks > now.blocks;
        let (blocks, occupancy) = (then.blocks, then.occupancy);
        is_better.then_some(Lift { registers, shared_bytes, blocks, occupancy })
    }

    /// The most registers per thread with which registers allow more than `blocks` blocks.
    fn fewer_registers(&self, block: BlockUse, blocks: u32) -> Option<u32> {
        let allows_more = |&registers: &u32| {
            let by = Occupancy::of(&self.limits, &BlockUse { registers, ..block }).limits;
            by.registers.is_none_or(|count| count > blocks)
        };
        let most = block.registers.min(self.limits.registers_per_thread + 1);
        (1..most).rev().find(allows_more)
    }

    /// The most shared memory in all with which shared memory allows more than `blocks` blocks.
    fn less_shared(&self, block: BlockUse, blocks: u32) -> Option<u32> {
        let limits = &self.limits;
        let share = limits.shared_bytes / (blocks + 1);
        let share = share - share % limits.shared_unit.max(1);
        let granted = block.shared_dynamic_max.unwrap_or(limits.shared_bytes_per_block);
        let most = block.shared_static.saturating_add(granted);
        share.checked_sub(limits.shared_bytes_reserved).map(|total| total.min(most))
    }
}

impl std::fmt::Display for Recommendation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Occupancy { blocks, occupancy, limiters, .. } = self.occupancy;
        let (threads, percent) = (self.threads, occupancy * 100.0);
        write!(
            formatter,
            "{threads} threads: {percent:.0} % ({blocks} blocks, limited by {limiters})"
        )?;
        if let Some(lift) = self.lift {
            let registers = lift.registers.map(|count| format!("{count} registers a thread"));
            let shared = lift.shared_bytes.map(|bytes| format!("{bytes} bytes of shared memory"));
            let savings: Vec<_> = registers.into_iter().chain(shared).collect();
            let percent = lift.occupancy * 100.0;
            write!(formatter, "; {} would lift it to {percent:.0} %", savings.join(" and "))?;
        }
        Ok(())
    }
}
