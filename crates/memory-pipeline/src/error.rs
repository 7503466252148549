//! What can go wrong with a batch, a lease or a pipeline, as values.

use gpu_core::{ErrorKind, Pod};

use crate::pool::Lease;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where on its journey a batch was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Its upload was being queued.
    Upload,
    /// Its stage was being queued.
    Compute,
    /// Its download was being queued.
    Download,
    /// The host waited for it.
    Complete,
    /// It was done and its times were read.
    Measure,
}

/// Why a pool or a pipeline refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device failed a batch. Nothing of the batch is in flight any more.
    #[error("batch {batch} failed at {step}: {source}")]
    Batch {
        /// The batch's number, from 0.
        batch: u64,
        /// Where it was.
        step: Step,
        /// What the device said.
        source: gpu_core::Error,
    },
    /// A batch without elements, or with more than a full batch has.
    #[error("batch {batch} has {len} elements, the pipeline takes 1 to {max}")]
    BatchLength {
        /// The batch's number, from 0.
        batch: u64,
        /// Its elements.
        len: usize,
        /// Elements of a full batch.
        max: usize,
    },
    /// The figures cannot start over while batches are in flight.
    #[error("{in_flight} batches are in flight; complete or abandon them first")]
    Busy {
        /// How many.
        in_flight: usize,
    },
    /// A driver that could not say whether copies still run. Their buffers are kept for ever.
    #[error(
        "the device could not say whether its copies ended, so the pipeline is closed; restart the process"
    )]
    Closed,
    /// A run that its [`Canceller`](crate::Canceller) ended.
    #[error("the run was cancelled after {completed} batches")]
    Cancelled {
        /// Batches that had come back.
        completed: u64,
    },
    /// A knob out of its range.
    #[error("{what} is {actual}, it must be {min} to {max}")]
    Config {
        /// The knob.
        what: &'static str,
        /// The value it has.
        actual: usize,
        /// The smallest it may have.
        min: usize,
        /// The largest it may have.
        max: usize,
    },
    /// No buffer of a size class came back in time.
    #[error(
        "none of the {capacity} buffers of {buffer_bytes} bytes came back before the deadline ({quarantined} quarantined); drop a lease, wait longer or make the class larger"
    )]
    Deadline {
        /// Bytes of each buffer of the class.
        buffer_bytes: usize,
        /// Buffers of the class.
        capacity: usize,
        /// How many were given up for ever.
        quarantined: usize,
    },
    /// The device failed outside any batch.
    #[error(transparent)]
    Device(#[from] gpu_core::Error),
    /// Every buffer of a size class is out.
    #[error(
        "all {capacity} buffers of {buffer_bytes} bytes are out ({leased} leased, {quarantined} quarantined); drop a lease or make the class larger"
    )]
    Exhausted {
        /// Bytes of each buffer of the class.
        buffer_bytes: usize,
        /// Buffers of the class.
        capacity: usize,
        /// How many are leased.
        leased: usize,
        /// How many were given up for ever.
        quarantined: usize,
    },
    /// As many batches as the pipeline takes are in flight.
    #[error(
        "{in_flight} batches are in flight, which is all the pipeline takes; complete one first"
    )]
    Full {
        /// How many.
        in_flight: usize,
    },
    /// A pool whose memory cannot be had while it is used.
    #[error(
        "{leased} leases and {handles} other handles of the pool are left; drop them, and what holds them, first"
    )]
    InUse {
        /// Leases that are out.
        leased: usize,
        /// Clones of the pool; a pipeline holds one.
        handles: usize,
    },
    /// A lease that was to be longer than its buffer.
    #[error("a buffer of {max} elements cannot hold {len}")]
    LeaseLength {
        /// The length that was asked for.
        len: usize,
        /// The buffer's length.
        max: usize,
    },
    /// A member of a fleet failed, and the others were cancelled.
    #[error("member {member} of the fleet: {source}")]
    Member {
        /// Its place in the fleet, from 0.
        member: usize,
        /// What it said.
        source: Box<Self>,
    },
    /// A pool without a class for a buffer of this size.
    #[error(
        "no class of the pool holds {bytes} bytes with at most a sixteenth wasted; add a class of {bytes} bytes"
    )]
    NoClass {
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// Memory of a pool that cannot be had as a region.
    #[error(
        "the driver allocated the buffers of {buffer_bytes} bytes or does not let go of them; let the pool register its memory"
    )]
    NoRegion {
        /// Bytes of each buffer of the class.
        buffer_bytes: usize,
    },
    /// The output has not the length that the stage makes of the input.
    #[error("the output has {actual} elements, the stage makes {expected} of this input")]
    OutputLength {
        /// What the stage makes.
        expected: usize,
        /// What there is room for.
        actual: usize,
    },
    /// Memory of a pool that is never given back.
    #[error(
        "a copy may still use {quarantined} buffers of {buffer_bytes} bytes, so their memory is kept for ever; restart the process"
    )]
    Quarantined {
        /// Bytes of each buffer of the class.
        buffer_bytes: usize,
        /// How many of them, in this piece of memory.
        quarantined: usize,
    },
    /// A region that does not hold the buffers that were to be in it.
    #[error(
        "region {index} has {actual} bytes, its buffers of {buffer_bytes} bytes need {min}; give the regions in the order of the pool's memory"
    )]
    RegionSize {
        /// Its place among the regions, from 0.
        index: usize,
        /// Its bytes.
        actual: usize,
        /// Bytes of each buffer of the class that is its.
        buffer_bytes: usize,
        /// Bytes of all of them.
        min: usize,
    },
    /// Two members of a fleet on one device, to which one thread submits.
    #[error(
        "members {first} and {second} of the fleet are on one device; make one pipeline of them, or give each a device of its own"
    )]
    SharedDevice {
        /// The place of one in the fleet, from 0.
        first: usize,
        /// The place of the other.
        second: usize,
    },
    /// A stage that makes nothing of a batch, or more than of a full one.
    #[error("the stage makes {len} elements of batch {batch}, there is room for 1 to {max}")]
    StageLength {
        /// The batch's number, from 0.
        batch: u64,
        /// What the stage says it makes.
        len: usize,
        /// What it makes of a full batch.
        max: usize,
    },
    /// A measurement of the link that was over before the clock could tell.
    #[error(
        "{chunks} copies of {chunk_bytes} bytes took less time than the clock can tell; copy more in a pass"
    )]
    TooShort {
        /// Copies each way in a pass.
        chunks: usize,
        /// Bytes of each.
        chunk_bytes: usize,
    },
    /// The system would not start the threads of a pipeline or a fleet.
    #[error("{count} threads could not be started; ask for fewer")]
    Threads {
        /// How many were asked for.
        count: usize,
    },
}

impl Error {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Batch { source, .. } | Self::Device(source) => source.kind(),
            Self::Cancelled { .. } => ErrorKind::Transient,
            Self::Closed | Self::Quarantined { .. } => ErrorKind::Poisoned,
            Self::NoRegion { .. } => ErrorKind::Unavailable,
            Self::Member { source, .. } => source.kind(),
            Self::Deadline { .. }
            | Self::Exhausted { .. }
            | Self::Full { .. }
            | Self::Threads { .. } => ErrorKind::Exhausted,
            Self::BatchLength { .. }
            | Self::Busy { .. }
            | Self::Config { .. }
            | Self::InUse { .. }
            | Self::LeaseLength { .. }
            | Self::NoClass { .. }
            | Self::OutputLength { .. }
            | Self::RegionSize { .. }
            | Self::SharedDevice { .. }
            | Self::StageLength { .. }
            | Self::TooShort { .. } => ErrorKind::Invalid,
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Upload => "upload",
            Self::Compute => "compute",
            Self::Download => "download",
            Self::Complete => "complete",
            Self::Measure => "measure",
        })
    }
}

/// A batch that was not submitted, and its input back, as it was filled.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Rejected<T: Pod> {
    /// Why.
    #[source]
    pub error: Error,
    /// The input, ready to be submitted again; `None` if a copy may read it for ever.
    pub input: Option<Lease<T>>,
}

impl<T: Pod> From<Rejected<T>> for Error {
    fn from(rejected: Rejected<T>) -> Self {
        rejected.error
    }
}
