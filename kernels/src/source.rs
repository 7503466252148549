//! What every kernel of this crate has beside its meaning: its source text and its tuning space.
//!
//! Never compiles or tunes: an image is found by the hash of these texts, a tuner walks the space.

use gpu_core::{
    Device, Error, Kernel, KernelImages, KernelSource, Launch, LaunchSpace, Point, Prepared, Result,
};

use crate::active_inference::Infer;
use crate::frame::{Act, Observable, Perceive, TrackingError};
use crate::load::{Spin, StridedRead, Triad};
use crate::matrix::{Gemm, GemmDirect, Transpose};
use crate::stencil::{Convolve, ConvolveDirect};
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
    ("window.cuh", include_str!("../include/window.cuh")),
];

/// Every kernel of this crate, sorted by name.
pub const SOURCES: [KernelSource; 17] = [
    Act::SOURCE,
    Convolve::SOURCE,
    ConvolveDirect::SOURCE,
    Evolve::SOURCE,
    EvolveResident::SOURCE,
    Gemm::SOURCE,
    GemmDirect::SOURCE,
    Infer::SOURCE,
    Observable::SOURCE,
    Perceive::SOURCE,
    ReduceSum::SOURCE,
    Saxpy::SOURCE,
    Spin::SOURCE,
    StridedRead::SOURCE,
    TrackingError::SOURCE,
    Transpose::SOURCE,
    Triad::SOURCE,
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

/// What a grid may have along its first side.
pub(crate) const GRID_MAX: u32 = i32::MAX.unsigned_abs();

/// Blocks of `threads` threads for `len` elements of which each thread takes `items`; never more than
/// `blocks_max`, because every kernel here loops over what is left.
pub(crate) fn blocks_for(len: usize, threads: u32, items: u32, blocks_max: u32) -> Launch {
    let per_block = threads as usize * items as usize;
    let blocks = u32::try_from(len.div_ceil(per_block.max(1))).unwrap_or(u32::MAX);
    Launch::linear(blocks.clamp(1, blocks_max), threads)
}

/// Blocks for `rows` by `columns` elements in tiles of these sides; never more than a grid may have, because every kernel
/// here loops over what is left.
pub(crate) fn tiles([rows, columns]: [u32; 2], tile: [u32; 2]) -> u32 {
    let [down, across] = tile.map(|side| side.max(1));
    let blocks = u64::from(rows.div_ceil(down)) * u64::from(columns.div_ceil(across));
    u32::try_from(blocks).unwrap_or(GRID_MAX).clamp(1, GRID_MAX)
}

/// The side of the smallest square with at least `len` elements.
pub(crate) fn side_of(len: usize) -> u32 {
    let floor = len.isqrt();
    u32::try_from(floor + usize::from(floor * floor < len)).unwrap_or(u32::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_what_is_there_and_no_grid_is_too_large() {
        assert_eq!(tiles([33, 64], [16, 32]), 6);
        assert_eq!(tiles([0, 5], [16, 32]), 1);
        assert_eq!(tiles([u32::MAX; 2], [1, 1]), GRID_MAX);
    }

    #[test]
    fn a_square_holds_what_it_is_asked_to() {
        for (len, side) in [(0, 0), (1, 1), (4, 2), (5, 3), (900, 30), (1_000_000, 1000)] {
            assert_eq!(side_of(len), side, "{len}");
        }
    }
}
