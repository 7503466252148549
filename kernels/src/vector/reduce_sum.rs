//! The sum of a vector in double precision, in an order that depends on the launch alone.
//!
//! Every thread sums its share, every block its threads, and the block that finishes last sums the blocks (the
//! scheme of NVIDIA's threadFenceReduction sample, made reproducible by adding in block order). The reference
//! adds in the same order, so the tolerance between device and reference is none: the bits are equal.
//! Against the exact sum the error is at most d u sum|x| to first order, with u = 2^-53 and d the additions on the
//! longest path, len / threads of the grid + blocks / threads of a block + 20; far below the n u sum|x| of a loop
//! (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2).

use gpu_core::{
    Axis, Device, DeviceBuffer, DeviceSlice, DeviceSliceMut, HostMemory, Kernel, KernelSource,
    Launch, LaunchContract, LaunchSpace, Params, Point, Result,
};

use crate::source::{HEADERS, Tunable, blocks_for, check_len, check_linear, choice};

/// Arguments, in the order of the `.cu` parameters; `len` follows from the view.
#[derive(Debug)]
pub struct ReduceSumArgs<'a> {
    /// What is summed; may be empty.
    pub input: DeviceSlice<'a, f64>,
    /// Room for one number a block.
    pub partials: DeviceSliceMut<'a, f64>,
    /// One number that must be 0 and is 0 again afterwards: how many blocks are done.
    pub counter: DeviceSliceMut<'a, u32>,
    /// One number: the sum.
    pub output: DeviceSliceMut<'a, f64>,
}

/// The room that a launch needs beside its input and output. Serves one launch at a time.
#[derive(Debug)]
pub struct SumWorkspace {
    partials: DeviceBuffer<f64>,
    counter: DeviceBuffer<u32>,
}

impl SumWorkspace {
    /// Room for every launch that the space or [`Tunable::launch_for`] asks for.
    ///
    /// # Errors
    /// If device memory runs out.
    pub fn new(device: &Device) -> Result<Self> {
        Ok(Self { partials: device.buffer(BLOCKS_MAX as usize)?, counter: device.buffer(1)? })
    }

    /// Arguments that sum `input` into `output`.
    pub fn args<'a>(
        &'a mut self,
        input: DeviceSlice<'a, f64>,
        output: DeviceSliceMut<'a, f64>,
    ) -> ReduceSumArgs<'a> {
        let (partials, counter) = (self.partials.view_mut(), self.counter.view_mut());
        ReduceSumArgs { input, partials, counter, output }
    }

    /// Room for the blocks' sums, to fill it with what no launch may read.
    pub(crate) fn partials_mut(&mut self) -> DeviceSliceMut<'_, f64> {
        self.partials.view_mut()
    }
}

/// The kernel that sums a vector.
#[derive(Clone, Copy, Debug)]
pub struct ReduceSum;

// SAFETY: `reduce_sum.cu` takes (input, partials, counter, output, len), reads `len` elements of the input, one
// partial a block, which `check` finds to be there, and one element of counter and output. Blocks are whole
// warps of at most 32, as its block sum needs. A counter that is not 0 makes the sum wrong and nothing else.
unsafe impl Kernel for ReduceSum {
    type Args<'a> = ReduceSumArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("reduce_sum");

    fn check(args: &ReduceSumArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        let blocks = launch.grid[0] as usize;
        if args.partials.len() < blocks {
            check_len("the partial sums of reduce_sum", blocks, args.partials.len())?;
        }
        check_len("the counter of reduce_sum", 1, args.counter.len())?;
        check_len("the output of reduce_sum", 1, args.output.len())
    }

    fn bind(args: &ReduceSumArgs<'_>, params: &mut Params) {
        params.slice(&args.input);
        params.slice_mut(&args.partials);
        params.slice_mut(&args.counter);
        params.slice_mut(&args.output);
        params.scalar(args.input.len() as u64);
    }

    fn reference(args: ReduceSumArgs<'_>, launch: &Launch, memory: &HostMemory) {
        memory.slice_mut(args.output)[0] = reduce_sum(memory.slice(args.input), launch);
    }
}

impl Tunable for ReduceSum {
    const SOURCE: KernelSource =
        KernelSource { name: "reduce_sum", text: include_str!("reduce_sum.cu"), headers: HEADERS };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[128, 256, 512, 1024] },
        Axis { name: "items", values: &[2, 4, 8, 16, 32] },
    ]);

    fn launch_at(point: &Point, len: usize) -> Launch {
        let [threads, items] = ["threads", "items"].map(|axis| choice(&Self::SPACE, point, axis));
        blocks_for(len, threads, items, BLOCKS_MAX)
    }

    fn launch_for(len: usize) -> Launch {
        blocks_for(len, 512, 8, BLOCKS_MAX)
    }
}

/// Most blocks that the space asks for: several waves on the largest devices, and partial sums that stay in cache.
pub const BLOCKS_MAX: u32 = 2048;

const WARP: usize = 32;

/// What the kernel means, in the order of `launch`. The host backend runs exactly this.
pub fn reduce_sum(input: &[f64], launch: &Launch) -> f64 {
    let threads = launch.block[0] as usize;
    let blocks = launch.grid[0] as usize;
    let lanes = strided_sums(input, threads * blocks);
    let partials: Vec<f64> = lanes.chunks(threads).map(block_sum).collect();
    block_sum(&strided_sums(&partials, threads))
}

/// The sum of every `count`-th element, from each of the first `count` on.
fn strided_sums(input: &[f64], count: usize) -> Vec<f64> {
    let mut sums = vec![0.0; count];
    for chunk in input.chunks(count) {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums
}

/// Every warp by itself, then the warps' sums as one warp.
fn block_sum(values: &[f64]) -> f64 {
    let mut sums = [0.0; WARP];
    for (sum, lanes) in sums.iter_mut().zip(values.chunks_exact(WARP)) {
        *sum = warp_sum(lanes);
    }
    warp_sum(&sums)
}

/// Halves folded onto each other, 16 lanes first.
fn warp_sum(lanes: &[f64]) -> f64 {
    let mut folded = [0.0; WARP];
    folded.copy_from_slice(lanes);
    let mut half = WARP / 2;
    while half > 0 {
        let (low, high) = folded.split_at_mut(half);
        for (value, &other) in low.iter_mut().zip(&*high) {
            *value += other;
        }
        half /= 2;
    }
    folded[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::{Draw, Philox};

    const SHAPES: [(u32, u32); 4] = [(1, 32), (3, 96), (17, 256), (64, 1024)];

    #[test]
    fn whole_numbers_add_up_to_the_closed_form() {
        for len in [0_u32, 1, 31, 32, 33, 1000, 70_001] {
            let numbers: Vec<f64> = (1..=len).map(f64::from).collect();
            let expected = f64::from(len) * (f64::from(len) + 1.0) / 2.0;
            for (blocks, threads) in SHAPES {
                let sum = reduce_sum(&numbers, &Launch::linear(blocks, threads));
                assert_eq!(sum.to_bits(), expected.to_bits(), "{len} in {blocks} x {threads}");
            }
        }
    }

    #[test]
    fn the_error_stays_below_its_bound() {
        let mut numbers = vec![0.0; 100_003];
        Philox::new(3).normals(Draw { stream: 64, step: 0, frame: 0 }, &mut numbers);
        let magnitude: f64 = numbers.iter().map(|x| x.abs()).sum();
        let exact = compensated_sum(&numbers);
        for (blocks, threads) in SHAPES {
            let all = usize::try_from(blocks * threads).unwrap();
            let path = numbers.len().div_ceil(all) + blocks.div_ceil(threads) as usize + 20;
            let bound = f64::from(u32::try_from(path).unwrap()) * f64::EPSILON / 2.0 * magnitude;
            let error = (reduce_sum(&numbers, &Launch::linear(blocks, threads)) - exact).abs();
            assert!(error <= bound, "{blocks} x {threads}: {error:e} > {bound:e}");
        }
    }

    /// Neumaier's sum, exact to about n u^2.
    fn compensated_sum(numbers: &[f64]) -> f64 {
        let (mut sum, mut lost) = (0.0_f64, 0.0);
        for &x in numbers {
            let next = sum + x;
            lost += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
            sum = next;
        }
        sum + lost
    }
}
