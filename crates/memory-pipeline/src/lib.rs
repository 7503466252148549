//! A pinned memory pool, and triple buffering on three streams.
//!
//! Batches flow from page-locked memory to the device, through a [`Stage`] and back: while one is
//! computed, the next one is uploaded and the one before is downloaded. A buffer that a copy may
//! still use cannot be named: submitting moves it in, and it comes back when the device was seen
//! to be done with it. Never tunes, retries or logs.
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
pub use gpu_core::{PinnedBuffer, Pod};
pub use lane::Lane;
pub use optimizer::{Batch, Canceller, MemoryOptimizer};
pub use pool::{
    BUFFERS_MAX, CLASSES_MAX, ClassStats, Exhaustion, Lease, PinnedMemoryPool, PoolConfig,
    PoolStats, SizeClass,
};
pub use replay::{Replay, ReplayConfig, ReplayFailed, ReplayInFlight};
pub use report::{
    Ceiling, LaneTimes, Measured, Overlap, PipelineReport, Span, TIMELINE_BATCHES_MAX,
};
pub use stage::Stage;
