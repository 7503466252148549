//! Kernels on plain vectors: the smallest that show the pattern, and a sum that is the same every time.

mod reduce_sum;
mod saxpy;

pub use reduce_sum::{BLOCKS_MAX, ReduceSum, ReduceSumArgs, SumWorkspace, reduce_sum};
pub use saxpy::{Saxpy, SaxpyArgs, saxpy};
