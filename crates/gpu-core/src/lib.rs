//! The CUDA driver made safe, with a host backend that behaves like it.
//!
//! Devices, streams, events, page-locked and device memory and typed kernels. The same program
//! runs on a GPU, on the host ([`Device::host`]) and on a host that delays and reorders streams to show
//! missing waits ([`Device::host_simulated`]).
//!
//! ```
//! use gpu_core::Device;
//!
//! # fn main() -> gpu_core::Result<()> {
//! let device = Device::auto()?;
//! let stream = device.stream()?;
//! let mut numbers = device.buffer::<f64>(4)?;
//! stream.write(&[1.0, 2.0, 3.0, 4.0], numbers.view_mut())?;
//! let tail = stream.read_vec(numbers.view().range(2..4)?)?;
//! assert_eq!(tail, [3.0, 4.0]);
//! # Ok(())
//! # }
//! ```

mod backend;
mod buffer;
mod capture;
mod clock;
mod device;
mod driver_codes;
mod error;
mod event;
mod fault;
mod graph;
mod image;
mod kernel;
mod launch;
mod numa;
mod properties;
mod region;
mod space;
mod stream;
mod telemetry;
mod view;

pub use buffer::{DeviceBuffer, PinnedBuffer};
pub use bytemuck::Pod;
pub use clock::Clock;
pub use device::{Device, DeviceId};
pub use error::{Error, ErrorKind, Result};
pub use event::Event;
pub use fault::{FaultPlan, Operation};
pub use graph::Graph;
pub use image::{IMAGES_VARIABLE, KernelImage, KernelImages, KernelSource};
pub use kernel::{HostMemory, Kernel, Module, Params};
pub use launch::{Cooperation, KernelAttributes, Launch, LaunchContract, Prepared};
pub use properties::{BackendKind, Capability, DeviceProperties, MemoryInfo};
pub use region::{HostRegion, Pages, RegionConfig, Sharing, Unregistered};
pub use space::{Axis, LaunchSpace, Point};
pub use stream::{Scope, Stream};
pub use telemetry::{Activity, Metric, Monitor, Reading, TelemetrySample, ThrottleReason};
pub use view::{DeviceSlice, DeviceSliceMut};
