//! CUDA kernels, each beside its typed wrapper and its CPU reference.
//!
//! A kernel is two files with one name: `saxpy.cu` is compiled to an image by `cargo xtask kernels`, `saxpy.rs` says
//! what its arguments are, which launches it accepts, which of them may be tuned, and what it means. The host backend
//! runs that meaning, so every program here works without a GPU; [`conformance`] checks that a device agrees.
//! Errors are those of [`gpu_core`].
//!
//! ```
//! use gpu_core::{Device, KernelImages};
//! use kernels::Tunable;
//! use kernels::vector::{Saxpy, SaxpyArgs};
//!
//! # fn main() -> gpu_core::Result<()> {
//! let device = Device::host();
//! let saxpy = Saxpy::prepare(&device, &KernelImages::discover(), Saxpy::launch_for(3))?;
//! let stream = device.stream()?;
//! let (mut x, mut y) = (device.buffer::<f32>(3)?, device.buffer::<f32>(3)?);
//! stream.write(&[1.0, 2.0, 3.0], x.view_mut())?;
//! stream.launch(&saxpy, SaxpyArgs { x: x.view(), y: y.view_mut(), alpha: 10.0 })?;
//! assert_eq!(stream.read_vec(y.view())?, [10.0, 20.0, 30.0]);
//! # Ok(())
//! # }
//! ```

pub mod active_inference;
pub mod conformance;
mod deviation;
pub mod frame;
pub mod information;
pub mod load;
pub mod matrix;
pub mod philox;
mod source;
pub mod stencil;
pub mod synchronisation;
pub mod thermodynamic;
pub mod vector;

pub use deviation::Deviation;
pub use source::{HEADERS, SOURCES, Tunable};
