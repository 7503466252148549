//! The sum of every `stride`-th number, modulo 2^32: memory that is busy with bytes that nobody asked for.
//!
//! Memory moves in sectors of 32 bytes. With a stride of 8 numbers or more, each touched number costs a sector of its own, of
//! which 4 bytes are of use. Tolerance: none; sums modulo 2^32 do not depend on their order.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, Error, HostMemory, Kernel, KernelSource, Launch,
    LaunchContract, LaunchSpace, Params, Point, Result,
};

use crate::source::{HEADERS, Tunable, blocks_for, check_len, check_linear, choice};

/// Arguments, in the order of the `.cu` parameters; `len` follows from the view.
#[derive(Debug)]
pub struct StridedReadArgs<'a> {
    /// What is read; may be empty.
    pub input: DeviceSlice<'a, u32>,
    /// One number, to which the sum is added.
    pub output: DeviceSliceMut<'a, u32>,
    /// Elements from one that is read to the next; at least 1.
    pub stride: u32,
}

/// The kernel that reads every `stride`-th number.
#[derive(Clone, Copy, Debug)]
pub struct StridedRead;

// SAFETY: `strided_read.cu` takes (input, output, len, stride), reads elements below `len` and adds to one element of the
// output, which `check` finds to be there. Its loop ends because the stride is not 0; blocks are whole warps.
unsafe impl Kernel for StridedRead {
    type Args<'a> = StridedReadArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("strided_read");

    fn check(args: &StridedReadArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        check_len("the output of strided_read", 1, args.output.len())?;
        if args.stride == 0 {
            let reason = "a stride of 0 never ends; use 1 or more";
            return Err(Error::Argument { kernel: Self::CONTRACT.entry, reason });
        }
        Ok(())
    }

    fn bind(args: &StridedReadArgs<'_>, params: &mut Params) {
        params.slice(&args.input);
        params.slice_mut(&args.output);
        params.scalar(args.input.len() as u64);
        params.scalar(u64::from(args.stride));
    }

    fn reference(args: StridedReadArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        let sum = strided_read(memory.slice(args.input), args.stride);
        let output = &mut memory.slice_mut(args.output)[0];
        *output = output.wrapping_add(sum);
    }
}

impl Tunable for StridedRead {
    const SOURCE: KernelSource = KernelSource {
        name: "strided_read",
        text: include_str!("strided_read.cu"),
        headers: HEADERS,
    };

    const SPACE: LaunchSpace = LaunchSpace::new(&[
        Axis { name: "threads", values: &[128, 256, 512] },
        Axis { name: "items", values: &[4, 16, 64] },
    ]);

    fn launch_at(point: &Point, len: usize) -> Launch {
        let [threads, items] = ["threads", "items"].map(|axis| choice(&Self::SPACE, point, axis));
        blocks_for(len, threads, items, BLOCKS_MAX)
    }

    fn launch_for(len: usize) -> Launch {
        blocks_for(len, 256, 16, BLOCKS_MAX)
    }
}

/// Several waves on the largest devices, and few additions to the one number that all blocks share.
const BLOCKS_MAX: u32 = 4096;

/// What the kernel means. The host backend runs exactly this.
///
/// # Panics
/// If `stride` is 0.
pub fn strided_read(input: &[u32], stride: u32) -> u32 {
    input.iter().step_by(stride as usize).fold(0, |sum, &number| sum.wrapping_add(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_every_stride_th_number_counts_and_the_first_does() {
        let numbers: Vec<u32> = (0..100).map(|index| index + 1).collect();
        assert_eq!(strided_read(&numbers, 1), 5050);
        assert_eq!(strided_read(&numbers, 33), 1 + 34 + 67 + 100);
        assert_eq!(strided_read(&numbers, 100), 1);
        assert_eq!(strided_read(&[], 3), 0);
    }

    #[test]
    fn sums_are_modulo_two_to_the_32() {
        assert_eq!(strided_read(&[u32::MAX, 3, 2], 2), 1);
    }
}
