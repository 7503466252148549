//! A pinned memory pool, and triple buffering on three streams.
//!
//! Batches flow from page-locked memory to the device, through a [`Stage`] and back: while one is
//! computed, the next one is uploaded and the one before is downloaded. A buffer that a copy may
//! still use cannot be named: submitting moves it in, and it comes back when the device was seen
//! to be done with it. Never tunes, retries or logs.
//!
//! | what you have | what to call |
//! |---|---|
//! | slices, in and out | [`MemoryOptimizer::pipeline_execute`] |
//! | a slice, and results read where they arrive | [`MemoryOptimizer::run_slice`] |
//! | an iterator | [`MemoryOptimizer::run_iter`] |
//! | any source and sink of batches | [`MemoryOptimizer::run`] |
//! | batches one by one, as they come | [`MemoryOptimizer::submit`] and [`MemoryOptimizer::complete`] |
//! | the same number of full batches again and again | [`Replay`] |
//! | several devices | [`Fleet`] |
//!
//! ```
//! use gpu_core::{Device, DeviceSlice, DeviceSliceMut, Stream};
//! use memory_pipeline::{Config, MemoryOptimizer, Stage};
//!
//! /// Hands every batch back as it came.
//! struct Echo;
//!
//! impl Stage for Echo {
//!     type Input = u32;
//!     type Output = u32;
//!
//!     fn enqueue(
//!         &mut self,
//!         stream: &Stream,
//!         input: DeviceSlice<'_, u32>,
//!         output: DeviceSliceMut<'_, u32>,
//!     ) -> gpu_core::Result<()> {
//!         stream.copy(input, output)
//!     }
//! }
//!
//! # fn main() -> memory_pipeline::Result<()> {
//! let mut pipeline = MemoryOptimizer::new(&Device::auto()?, Echo, Config::new(4))?;
//! let mut output = [0; 10];
//! let report = pipeline.pipeline_execute(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &mut output)?;
//! assert_eq!(output, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
//! assert_eq!(report.batches, 3);
//! # Ok(())
//! # }
//! ```
//!
//! # The journey of a batch
//!
//! Batch n has slot n modulo [`depth`](Config::depth): device memory for its input and, apart from it, for its output.
//!
//! | lane | waits for | then | and records |
//! |---|---|---|---|
//! | upload | the stage of batch n - depth, which read the input that is overwritten | copies the input up | uploaded |
//! | compute | uploaded; the download of batch n - depth, whose output is overwritten | [`Stage::enqueue`] | computed |
//! | download | computed | copies the output down | downloaded |
//! | host, in `complete` | downloaded | gives both leases back | |
//!
//! Waits for a batch that the host has seen done are left out. These are all the waits there are: the simulated host draws orders that they
//! leave open, and with one of them deleted a test fails. The events that order have no time, since one with a time costs ten times as much
//! to record; [`Timing`] says which batches also have some.
//!
//! # Limits
//!
//! - [`Budget`] writes out what a pipeline allocates, all of it in `new`. A full pipeline says [`Error::Full`]; it never grows.
//! - A steady state allocates, frees and creates nothing, on the device or on the host; with more than one
//!   [staging thread](Config::staging_threads), a run allocates its channels and the record of a task for each batch that is staged.
//! - One thread submits to a pipeline. Staging threads copy memory and never talk to the device.
//! - An error of the device drains what was queued, gives back or quarantines every buffer and names the batch; the pipeline is usable
//!   again, or says that it is [poisoned](gpu_core::ErrorKind::Poisoned). What a driver cannot say to be done is never freed and never used again.
//! - The figures of a host say nothing about a GPU: a host runs one operation at a time. [`calibrate`] measures what the link at
//!   hand gives, and [`PipelineReport::ceiling`] holds a run against it.

mod budget;
mod calibration;
mod config;
mod error;
mod fleet;
mod flight;
mod lane;
mod optimizer;
mod passage;
mod pool;
mod replay;
mod report;
mod slot;
mod stage;
mod sync;

pub use budget::Budget;
pub use calibration::{CalibrationConfig, ChunkChoice, ChunkSearch, LinkRates, calibrate};
pub use config::{AHEAD_MAX, Config, DEPTH_MAX, STAGING_THREADS_MAX, Timing};
pub use error::{Error, Rejected, Result, Step};
pub use fleet::{Fleet, FleetReport, Member};
pub use gpu_core::{HostRegion, Pages, PinnedBuffer, Pod, Sharing};
pub use lane::Lane;
pub use optimizer::{Batch, Canceller, MemoryOptimizer};
pub use pool::{
    BUFFERS_MAX, Backing, CLASSES_MAX, ClassStats, Exhaustion, Lease, MemoryStats,
    PinnedMemoryPool, PoolConfig, PoolInUse, PoolStats, RegionsRefused, SizeClass,
};
pub use replay::{Replay, ReplayConfig, ReplayFailed, ReplayInFlight};
pub use report::{
    Ceiling, LaneTimes, Measured, Overlap, PipelineReport, Span, TIMELINE_BATCHES_MAX,
};
pub use stage::Stage;
