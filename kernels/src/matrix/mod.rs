//! Matrices in single precision, row major: their product and their transpose.
//!
//! The product comes twice. [`GemmDirect`] is what is written where nobody has tuned; [`Gemm`] holds tiles of any size in
//! one kernel, whose registers are those of its largest tile, so that no small tile of it would be a fair baseline.

pub(crate) mod conformance;
mod gemm;
mod gemm_direct;
mod product;
mod transpose;

pub use gemm::{Gemm, GemmArgs, GemmTile};
pub use gemm_direct::GemmDirect;
pub use product::{ProductArgs, ProductShape, gemm};
pub use transpose::{Staging, Transpose, TransposeArgs, TransposeTile, transpose};
