//! Stencils: every element of a grid from those around it.
//!
//! The convolution comes twice, for the same reason as the product of [`matrix`](crate::matrix): [`ConvolveDirect`] is what
//! is written where nobody has tuned, [`Convolve`] holds tiles of any height in one kernel.

pub(crate) mod conformance;
mod convolve;
mod convolve_direct;
mod window;

pub use convolve::{Convolve, ConvolveArgs};
pub use convolve_direct::ConvolveDirect;
pub use window::{MARGIN, WINDOW, WindowArgs, convolve};
