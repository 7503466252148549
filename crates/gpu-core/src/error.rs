//! What can go wrong between a program and its device, as values.
//!
//! Policies above match [`ErrorKind`] only; driver integers stay inside [`Error::Driver`].

use std::path::PathBuf;

use crate::driver_codes;
use crate::fault::Operation;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// A resource ran out: shed load, free something, try later.
    Exhausted,
    /// The caller's mistake: the same call fails again.
    Invalid,
    /// The device's context is lost: only another process gets a working one.
    Poisoned,
    /// The call failed but may succeed when repeated.
    Transient,
    /// What was asked for is not on this machine.
    Unavailable,
}

/// Why a call on a device failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument that the kernel's own check refuses.
    #[error("kernel `{kernel}` rejects its arguments: {reason}")]
    Argument {
        /// The kernel's entry point.
        kernel: &'static str,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The program was built without the CUDA backend.
    #[error(
        "this program was built without CUDA; build it with `--features cuda`, or use the host"
    )]
    BackendMissing,
    /// Streams that took part in a capture and were left alone.
    #[error(
        "a stream that takes part in the capture was not joined: record an event behind its last work and let the stream that began wait for it"
    )]
    CaptureUnjoined,
    /// A call that cannot become part of a graph, made where one is captured.
    #[error("{call} cannot be part of a graph: do it before or after the capture")]
    Capturing {
        /// What was asked for.
        call: &'static str,
    },
    /// The kernel needs a newer device.
    #[error("kernel `{kernel}` needs compute capability {needed}, the device has {found}")]
    Capability {
        /// The kernel's entry point.
        kernel: &'static str,
        /// What its contract demands.
        needed: crate::Capability,
        /// What the device reports.
        found: crate::Capability,
    },
    /// A cooperative launch whose blocks cannot all be resident at once.
    #[error(
        "kernel `{kernel}` is cooperative: {blocks} blocks were asked for, {resident} fit on the device at once"
    )]
    Cooperative {
        /// The kernel's entry point.
        kernel: &'static str,
        /// Blocks in the grid.
        blocks: u64,
        /// Blocks that can be resident together.
        resident: u64,
    },
    /// The CUDA driver library could not be loaded.
    #[error(
        "no CUDA driver: `{library}` could not be loaded ({reason}); install the NVIDIA driver, or use the host"
    )]
    DriverMissing {
        /// The library that was tried.
        library: String,
        /// The loader's words.
        reason: String,
    },
    /// The driver library lacks a function that is needed.
    #[error("the CUDA driver has no `{symbol}`; update the NVIDIA driver")]
    DriverTooOld {
        /// The function that was looked up.
        symbol: &'static str,
    },
    /// The driver refused a call.
    #[error("{call} failed with {} ({code})", driver_codes::name(*code))]
    Driver {
        /// The driver function.
        call: &'static str,
        /// Its raw result.
        code: i32,
    },
    /// An event that stands in a capture was used outside of it.
    #[error("the event was last recorded in a capture and is no point in time: record it again")]
    EventCaptured,
    /// An event that does not stand in the capture was waited for in it.
    #[error(
        "the event was not recorded in this capture: record it there, or wait for it before the capture"
    )]
    EventForeign,
    /// An event without a time was asked for one.
    #[error(
        "the event has no time: record it, wait for it, and make it with `Device::timed_event`"
    )]
    EventUntimed,
    /// A grid with a zero or too many blocks.
    #[error("kernel `{kernel}` rejects the grid {grid:?} (each side 1..={max:?})")]
    Grid {
        /// The kernel's entry point.
        kernel: &'static str,
        /// Blocks per side.
        grid: [u32; 3],
        /// The device's limits.
        max: [u32; 3],
    },
    /// The compiled image cannot be read.
    #[error("kernel image {} cannot be used: {reason}; run `cargo xtask kernels`", path.display())]
    ImageInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No compiled image of a kernel was found.
    #[error("no compiled image of kernel `{kernel}` in {}; run `cargo xtask kernels`", path.display())]
    ImageMissing {
        /// The kernel's source.
        kernel: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The compiled image belongs to other sources than this program.
    #[error(
        "the image of kernel `{kernel}` was compiled from other sources; run `cargo xtask kernels`"
    )]
    ImageStale {
        /// The kernel's source.
        kernel: &'static str,
    },
    /// A failure that a [`FaultPlan`](crate::FaultPlan) asked for.
    #[error("injected fault: {operation} number {index} fails")]
    Injected {
        /// The operation that was made to fail.
        operation: Operation,
        /// Which call of its kind, from 0.
        index: u64,
        /// The kind it pretends to be.
        kind: ErrorKind,
    },
    /// Two lengths that must agree do not.
    #[error("{what} has {actual} elements, {expected} are needed")]
    Length {
        /// What was measured.
        what: &'static str,
        /// The length that is needed.
        expected: usize,
        /// The length it has.
        actual: usize,
    },
    /// A NUMA node that this machine lacks.
    #[error("no processor of this machine is on NUMA node {node}: name another node, or none")]
    NodeMissing {
        /// The node that was asked for.
        node: u32,
    },
    /// There is a driver but no device.
    #[error("the CUDA driver is here but reports no device; use the host")]
    NoDevice,
    /// A device ordinal that does not exist.
    #[error("no CUDA device {ordinal}: this machine has {count} (ordinals from 0)")]
    OrdinalOutOfRange {
        /// The ordinal that was asked for.
        ordinal: u32,
        /// Devices present.
        count: u32,
    },
    /// A buffer, event or kernel that belongs to another device than the stream.
    #[error("{what} belongs to another device than the stream")]
    OtherDevice {
        /// What was passed.
        what: &'static str,
    },
    /// Page-locked memory that is lent to the scope of another stream.
    #[error("{what} is lent to the scope of another stream; use it in that scope's stream")]
    OtherStream {
        /// What was passed.
        what: &'static str,
    },
    /// Host memory for a buffer could not be had.
    #[error("out of memory: {bytes} bytes were asked for")]
    OutOfMemory {
        /// The size of the request.
        bytes: usize,
    },
    /// A kernel's reference panicked on the host, which loses that device.
    #[error("a kernel's reference panicked on the host device: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// The device failed before and stays unusable in this process.
    #[error(
        "the device is lost since an earlier fault ({cause}); restart the process to use it again"
    )]
    Poisoned {
        /// The first fault.
        cause: Box<Self>,
    },
    /// A file that is not the memory of a region.
    #[error(
        "the file is not that of a shared host region: it is empty, or could shrink under its users"
    )]
    RegionForeign,
    /// A region of nothing.
    #[error("a host region has at least one byte")]
    RegionEmpty,
    /// Host memory that this device, or this system, does not let be page-locked once it was allocated.
    #[error("host memory cannot be registered with this device; use `Device::pinned`")]
    RegisterForbidden,
    /// More dynamic shared memory than a block may have.
    #[error(
        "kernel `{kernel}` asks for {bytes} bytes of shared memory, the device grants {max} a block"
    )]
    Shared {
        /// The kernel's entry point.
        kernel: &'static str,
        /// What the launch asks for.
        bytes: u32,
        /// What the device grants.
        max: u32,
    },
    /// The image does not contain the entry point.
    #[error("the image has no kernel `{kernel}`; run `cargo xtask kernels`")]
    SymbolMissing {
        /// The entry point that was looked up.
        kernel: &'static str,
    },
    /// The operating system refused a call.
    #[error("{call} failed: {}", std::io::Error::from_raw_os_error(*code))]
    System {
        /// The call, or the file that was read.
        call: &'static str,
        /// The system's error number.
        code: i32,
    },
    /// The management library failed to read the device.
    #[error("telemetry failed: {reason}")]
    Telemetry {
        /// The library's words.
        reason: String,
        /// What a caller can do about it.
        kind: ErrorKind,
    },
    /// A launch shape that the kernel's contract does not accept.
    #[error(
        "kernel `{kernel}` rejects {threads} threads per block (accepts multiples of {multiple} in {min}..={max})"
    )]
    Threads {
        /// The kernel's entry point.
        kernel: &'static str,
        /// Threads per block that were asked for.
        threads: u64,
        /// The fewest it accepts.
        min: u32,
        /// The most it accepts.
        max: u32,
        /// It must be a multiple of this.
        multiple: u32,
    },
}

impl Error {
    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::OutOfMemory { .. } => ErrorKind::Exhausted,
            Self::Panicked { .. } | Self::Poisoned { .. } => ErrorKind::Poisoned,
            Self::Driver { code, .. } => driver_codes::kind(*code),
            Self::Injected { kind, .. } | Self::Telemetry { kind, .. } => *kind,
            Self::BackendMissing
            | Self::DriverMissing { .. }
            | Self::DriverTooOld { .. }
            | Self::ImageInvalid { .. }
            | Self::ImageMissing { .. }
            | Self::ImageStale { .. }
            | Self::NoDevice
            | Self::RegisterForbidden
            | Self::System { .. } => ErrorKind::Unavailable,
            Self::Argument { .. }
            | Self::Capability { .. }
            | Self::CaptureUnjoined
            | Self::Capturing { .. }
            | Self::Cooperative { .. }
            | Self::EventCaptured
            | Self::EventForeign
            | Self::EventUntimed
            | Self::Grid { .. }
            | Self::Length { .. }
            | Self::NodeMissing { .. }
            | Self::OrdinalOutOfRange { .. }
            | Self::OtherDevice { .. }
            | Self::OtherStream { .. }
            | Self::RegionEmpty
            | Self::RegionForeign
            | Self::Shared { .. }
            | Self::SymbolMissing { .. }
            | Self::Threads { .. } => ErrorKind::Invalid,
        }
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Exhausted => "exhausted",
            Self::Invalid => "invalid",
            Self::Poisoned => "poisoned",
            Self::Transient => "transient",
            Self::Unavailable => "unavailable",
        })
    }
}
