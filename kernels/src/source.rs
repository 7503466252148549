//! What every kernel of this crate has beside its meaning: its source text and its tuning space.
//!
//! Never compiles or tunes: an image is found by the hash of these texts, a tuner walks the space.

use gpu_core::{
    Device, Error, Kernel, KernelImages, KernelSource, Launch, LaunchSpace, Point, Prepared, Result,
};

use crate::active_inference::Infer;
use crate::frame::{Act, Observable, Perceive, TrackingError};
use crate::thermodynamic::{Evolve, EvolveResident};
use crate::vector::{ReduceSum, Saxpy};

/// Names and texts of everything in `include/`, sorted by name. Each image depends on all of them.
pub const HEADERS: &[(&str, &str)] = &[
    ("agent.cuh", include_str!("../include/agent.cuh")),
    ("index.cuh", include_str!("../include/index.cuh")),
    ("network.cuh", include_str!("../include/network.cuh")),
    ("normals.cuh", include_str!("../include/normals.cuh")),
    ("philox.cuh", include_str!("../include/philox.cuh")),
    ("reduce.cuh", include_str!("../include/reduce.cuh")),
];

/// Every kernel of this crate, sorted by name.
pub const SOURCES: [KernelSource; 9] = [
    Act::SOURCE,
    Evolve::SOURCE,
    EvolveResident::SOURCE,
    Infer::SOURCE,
    Observable::SOURCE,
    Perceive::SOURCE,
    ReduceSum::SOURCE,
    Saxpy::SOURCE,
    TrackingError::SOURCE,
];

/// A kernel that comes with its source and with the launches worth trying.
///
/// Every launch that the kernel's contract accepts gives the right answer; the space holds those that differ in speed.
pub trait Tunable: Kernel + Sized {
    /// What it is compiled from.
    const SOURCE: KernelSource;

    /// The choices that it leaves open.
    const SPACE: LaunchSpace;

    /// The launch that `point` of the space stands for, on `len` elements. Axes that the point lacks take their first value.
    fn launch_at(point: &Point, len: usize) -> Launch;

    /// A launch that does well without tuning, on `len` elements.
    fn launch_for(len: usize) -> Launch;

    /// Loads the image and checks `launch` against the contract and the device.
    ///
    /// # Errors
    /// What [`KernelImages::module`] and [`Prepared::new`] refuse.
    fn prepare(device: &Device, images: &KernelImages, launch: Launch) -> Result<Prepared<Self>> {
        Prepared::new(device, &images.module(device, &Self::SOURCE)?, launch)
    }
}

/// The value that `point` chose for axis `name` of `space`, or the first one where it chose none.
pub(crate) fn choice(space: &LaunchSpace, point: &Point, name: &str) -> u32 {
    let first = || space.axes().iter().find(|axis| axis.name == name)?.values.first().copied();
    point.value(name).or_else(first).unwrap_or(1)
}

/// Blocks of `threads` threads for `len` elements of which each thread takes `items`; never more than
/// `blocks_max`, because every kernel here loops over what is left.
pub(crate) fn blocks_for(len: usize, threads: u32, items: u32, blocks_max: u32) -> Launch {
    let per_block = threads as usize * items as usize;
    let blocks = u32::try_from(len.div_ceil(per_block.max(1))).unwrap_or(u32::MAX);
    Launch::linear(blocks.clamp(1, blocks_max), threads)
}

/// Refuses launches along more than one dimension, in which every element would be visited several times.
pub(crate) fn check_linear(kernel: &'static str, launch: &Launch) -> Result<()> {
    if launch.grid[1..] == [1, 1] && launch.block[1..] == [1, 1] {
        return Ok(());
    }
    let reason = "it launches along one dimension only; use `Launch::linear`";
    Err(Error::Argument { kernel, reason })
}

/// Refuses a view whose length is not the one that is needed.
pub(crate) fn check_len(what: &'static str, expected: usize, actual: usize) -> Result<()> {
    if expected == actual { Ok(()) } else { Err(Error::Length { what, expected, actual }) }
}
