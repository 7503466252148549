//! The two places where work can run, as one closed enum for each kind of handle.
//!
//! The only module that knows whether CUDA was compiled in: above it every function exists either way.
//! Never checks arguments: the public types do.

pub(crate) mod host;

#[cfg(feature = "cuda")]
mod cuda;

use std::time::Duration;

use crate::device::DeviceId;
use crate::error::{Error, Result};
use crate::image::KernelImage;
use crate::kernel::{Kernel, Params};
use crate::launch::{KernelAttributes, Launch, LaunchContract};
use crate::properties::DeviceProperties;
use crate::region::{HostRegion, Unregistered};
use crate::telemetry::{Reading, TelemetrySample};

/// Whether an event remembers when it was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventTiming {
    Off,
    On,
}

/// Runs the same expression on whichever backend a handle is of.
macro_rules! on {
    ($handle:expr, $name:ident => $body:expr) => {
        match $handle {
            Self::Host($name) => $body,
            #[cfg(feature = "cuda")]
            Self::Cuda($name) => $body,
        }
    };
}

/// A device's backend.
#[derive(Debug)]
pub(crate) enum Backend {
    Host(host::Host),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Cuda),
}

impl Backend {
    pub(crate) fn host(mode: host::Mode, device: DeviceId) -> Self {
        Self::Host(host::Host::new(mode, device))
    }

    #[cfg(feature = "cuda")]
    pub(crate) fn cuda(ordinal: u32) -> Result<(Self, DeviceProperties)> {
        let (cuda, properties) = cuda::Cuda::open(ordinal)?;
        Ok((Self::Cuda(cuda), properties))
    }

    #[cfg(not(feature = "cuda"))]
    pub(crate) fn cuda(_ordinal: u32) -> Result<(Self, DeviceProperties)> {
        Err(Error::BackendMissing)
    }

    #[cfg(feature = "cuda")]
    pub(crate) fn cuda_count() -> Result<u32> {
        cuda::count()
    }

    #[cfg(not(feature = "cuda"))]
    pub(crate) fn cuda_count() -> Result<u32> {
        Err(Error::BackendMissing)
    }

    #[cfg(feature = "cuda")]
    pub(crate) fn cuda_list() -> Result<Vec<DeviceProperties>> {
        (0..cuda::count()?).map(cuda::properties).collect()
    }

    #[cfg(not(feature = "cuda"))]
    pub(crate) fn cuda_list() -> Result<Vec<DeviceProperties>> {
        Err(Error::BackendMissing)
    }

    pub(crate) fn stream(&self) -> Result<RawStream> {
        Ok(match self {
            Self::Host(host) => RawStream::Host(host.stream()),
            #[cfg(feature = "cuda")]
            Self::Cuda(cuda) => RawStream::Cuda(cuda.stream()?),
        })
    }

    pub(crate) fn event(&self, timing: EventTiming) -> Result<RawEvent> {
        Ok(match self {
            Self::Host(host) => RawEvent::Host(host.event(timing)),
            #[cfg(feature = "cuda")]
            Self::Cuda(cuda) => RawEvent::Cuda(cuda.event(timing)?),
        })
    }

    pub(crate) fn memory(&self, bytes: usize) -> Result<RawMemory> {
        Ok(match self {
            Self::Host(_) => RawMemory::Host(host::Memory::zeroed(bytes)?),
            #[cfg(feature = "cuda")]
            Self::Cuda(cuda) => RawMemory::Cuda(cuda.memory(bytes)?),
        })
    }

    pub(crate) fn pinned(&self, bytes: usize) -> Result<RawPinned> {
        Ok(match self {
            Self::Host(_) => RawPinned::Host(host::Memory::zeroed(bytes)?),
            #[cfg(feature = "cuda")]
            Self::Cuda(cuda) => RawPinned::Cuda(cuda.pinned(bytes)?),
        })
    }

    pub(crate) fn register(&self, region: HostRegion) -> Result<RawPinned, Unregistered> {
        match self {
            Self::Host(_) => Ok(RawPinned::Region(region)),
            #[cfg(feature = "cuda")]
            Self::Cuda(cuda) => cuda.register(region).map(RawPinned::CudaRegion),
        }
    }

    #[cfg_attr(
        not(feature = "cuda"),
        expect(unused_variables, reason = "the host runs references and reads no image")
    )]
    pub(crate) fn module(&self, image: &KernelImage) -> Result<RawModule> {
        Ok(match self {
            Self::Host(_) => RawModule::Host,
            #[cfg(feature = "cuda")]
            Self::Cuda(cuda) => RawModule::Cuda(cuda.module(image)?),
        })
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        on!(self, backend => backend.synchronize())
    }

    pub(crate) fn memory_free_and_total(&self) -> Result<(u64, u64)> {
        on!(self, backend => backend.memory_free_and_total())
    }

    pub(crate) fn telemetry(&self) -> Result<Option<TelemetrySample>> {
        match self {
            Self::Host(_) => Ok(None),
            #[cfg(feature = "cuda")]
            Self::Cuda(cuda) => cuda.telemetry(),
        }
    }

    pub(crate) fn monitor(&self) -> Result<Option<RawMonitor>> {
        match self {
            Self::Host(_) => Ok(None),
            #[cfg(feature = "cuda")]
            Self::Cuda(cuda) => Ok(cuda.monitor()?.map(RawMonitor::Cuda)),
        }
    }
}

/// A device that is read again and again. There is none of a host.
#[derive(Debug)]
pub(crate) enum RawMonitor {
    #[cfg(feature = "cuda")]
    Cuda(cuda::Monitor),
}

impl RawMonitor {
    #[cfg_attr(
        not(feature = "cuda"),
        expect(clippy::needless_pass_by_ref_mut, reason = "without CUDA there is none to read")
    )]
    pub(crate) fn read(&mut self) -> Result<Reading> {
        match *self {
            #[cfg(feature = "cuda")]
            Self::Cuda(ref mut monitor) => monitor.read(),
        }
    }
}

/// Device memory; freed on drop, when the owner has settled the device.
#[derive(Debug)]
pub(crate) enum RawMemory {
    Host(host::Memory),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Memory),
}

impl RawMemory {
    pub(crate) fn address(&self) -> u64 {
        on!(self, memory => memory.address())
    }
}

/// Page-locked host memory; freed on drop, when the owner has settled the device.
#[derive(Debug)]
pub(crate) enum RawPinned {
    Host(host::Memory),
    Region(HostRegion),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Pinned),
    #[cfg(feature = "cuda")]
    CudaRegion(cuda::Registered),
}

impl RawPinned {
    pub(crate) fn pointer(&self) -> *mut u8 {
        match self {
            Self::Host(memory) => memory.pointer(),
            Self::Region(region) => region.pointer(),
            #[cfg(feature = "cuda")]
            Self::Cuda(memory) => memory.pointer(),
            #[cfg(feature = "cuda")]
            Self::CudaRegion(memory) => memory.pointer(),
        }
    }

    pub(crate) fn is_region(&self) -> bool {
        match self {
            Self::Host(_) => false,
            Self::Region(_) => true,
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => false,
            #[cfg(feature = "cuda")]
            Self::CudaRegion(_) => true,
        }
    }

    /// The region, let go by its device; kept for ever if the driver holds on to it.
    pub(crate) fn into_region(self) -> Option<HostRegion> {
        match self {
            Self::Host(_) => None,
            Self::Region(region) => Some(region),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => None,
            #[cfg(feature = "cuda")]
            Self::CudaRegion(memory) => memory.into_region(),
        }
    }
}

/// An event.
#[derive(Debug)]
pub(crate) enum RawEvent {
    Host(host::Event),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Event),
}

impl RawEvent {
    pub(crate) fn synchronize(&self) -> Result<()> {
        on!(self, event => event.synchronize())
    }

    pub(crate) fn is_complete(&self) -> Result<bool> {
        on!(self, event => event.is_complete())
    }

    pub(crate) fn elapsed_since(&self, earlier: &Self) -> Result<Duration> {
        match (self, earlier) {
            (Self::Host(event), Self::Host(earlier)) => event.elapsed_since(earlier),
            #[cfg(feature = "cuda")]
            (Self::Cuda(event), Self::Cuda(earlier)) => event.elapsed_since(earlier),
            #[cfg(feature = "cuda")]
            _ => Err(Error::OtherDevice { what: "the earlier event" }),
        }
    }
}

/// A loaded image.
#[derive(Clone, Debug)]
pub(crate) enum RawModule {
    Host,
    #[cfg(feature = "cuda")]
    Cuda(cuda::Module),
}

impl RawModule {
    #[cfg_attr(
        not(feature = "cuda"),
        expect(unused_variables, reason = "the host knows a kernel by its type")
    )]
    pub(crate) fn function(
        &self,
        contract: &LaunchContract,
        launch: &Launch,
    ) -> Result<RawFunction> {
        Ok(match self {
            Self::Host => RawFunction::Host,
            #[cfg(feature = "cuda")]
            Self::Cuda(module) => RawFunction::Cuda(module.function(contract, launch)?),
        })
    }
}

/// An entry point, ready to launch.
#[derive(Debug)]
pub(crate) enum RawFunction {
    Host,
    #[cfg(feature = "cuda")]
    Cuda(cuda::Function),
}

impl RawFunction {
    pub(crate) fn attributes(&self) -> Result<Option<KernelAttributes>> {
        match self {
            Self::Host => Ok(None),
            #[cfg(feature = "cuda")]
            Self::Cuda(function) => function.attributes().map(Some),
        }
    }

    #[cfg_attr(
        not(feature = "cuda"),
        expect(unused_variables, reason = "the host has no multiprocessors")
    )]
    pub(crate) fn blocks_per_multiprocessor(&self, launch: &Launch) -> Result<Option<u32>> {
        match self {
            Self::Host => Ok(None),
            #[cfg(feature = "cuda")]
            Self::Cuda(function) => function.blocks_per_multiprocessor(launch).map(Some),
        }
    }
}

/// Work to be queued again and again; gone on drop, when the owner has settled the device.
#[derive(Debug)]
pub(crate) enum RawGraph {
    Host(host::Graph),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Graph),
}

impl RawGraph {
    pub(crate) fn nodes(&self) -> usize {
        on!(self, graph => graph.nodes())
    }
}

/// A stream.
#[derive(Debug)]
pub(crate) enum RawStream {
    Host(host::Stream),
    #[cfg(feature = "cuda")]
    Cuda(cuda::Stream),
}

impl RawStream {
    /// # Safety
    /// `from` must be readable and `to` writable device memory for `bytes` until the stream has passed the copy.
    pub(crate) unsafe fn upload(&self, from: *const u8, to: u64, bytes: usize) -> Result<()> {
        // SAFETY: the caller's promise is the same.
        on!(self, stream => unsafe { stream.upload(from, to, bytes) })
    }

    /// # Safety
    /// `from` must be readable device memory and `to` writable for `bytes` until the stream has passed the copy.
    pub(crate) unsafe fn download(&self, from: u64, to: *mut u8, bytes: usize) -> Result<()> {
        // SAFETY: the caller's promise is the same.
        on!(self, stream => unsafe { stream.download(from, to, bytes) })
    }

    /// Both addresses are of live views of this device.
    pub(crate) fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<()> {
        on!(self, stream => stream.copy(from, to, bytes))
    }

    /// The address is of a live view of this device.
    pub(crate) fn zero(&self, to: u64, bytes: usize) -> Result<()> {
        on!(self, stream => stream.zero(to, bytes))
    }

    pub(crate) fn record(&self, event: &RawEvent) -> Result<()> {
        match (self, event) {
            (Self::Host(stream), RawEvent::Host(event)) => stream.record(event),
            #[cfg(feature = "cuda")]
            (Self::Cuda(stream), RawEvent::Cuda(event)) => stream.record(event),
            #[cfg(feature = "cuda")]
            _ => Err(Error::OtherDevice { what: "the event" }),
        }
    }

    pub(crate) fn wait(&self, event: &RawEvent) -> Result<()> {
        match (self, event) {
            (Self::Host(stream), RawEvent::Host(event)) => stream.wait(event),
            #[cfg(feature = "cuda")]
            (Self::Cuda(stream), RawEvent::Cuda(event)) => stream.wait(event),
            #[cfg(feature = "cuda")]
            _ => Err(Error::OtherDevice { what: "the event" }),
        }
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        on!(self, stream => stream.synchronize())
    }

    pub(crate) fn is_idle(&self) -> Result<bool> {
        on!(self, stream => stream.is_idle())
    }

    /// From here on work of this stream is recorded in place of being queued. One capture is on at a time.
    pub(crate) fn begin_capture(&self) -> Result<()> {
        match self {
            Self::Host(stream) => {
                stream.begin_capture();
                Ok(())
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(stream) => stream.begin_capture(),
        }
    }

    /// Ends what `begin_capture` began, on the same thread, also where there will be no graph.
    pub(crate) fn end_capture(&self) -> Result<RawGraph> {
        match self {
            Self::Host(stream) => stream.end_capture().map(RawGraph::Host),
            #[cfg(feature = "cuda")]
            Self::Cuda(stream) => stream.end_capture().map(RawGraph::Cuda),
        }
    }

    /// Whether work of this stream is recorded in place of being queued.
    pub(crate) fn is_captured(&self) -> Result<bool> {
        match self {
            Self::Host(stream) => Ok(stream.is_captured()),
            #[cfg(feature = "cuda")]
            Self::Cuda(stream) => stream.is_captured(),
        }
    }

    /// The graph's memory and modules are alive.
    pub(crate) fn replay(&self, graph: &RawGraph) -> Result<()> {
        match (self, graph) {
            (Self::Host(stream), RawGraph::Host(graph)) => stream.replay(graph),
            #[cfg(feature = "cuda")]
            (Self::Cuda(stream), RawGraph::Cuda(graph)) => graph.launch(stream),
            #[cfg(feature = "cuda")]
            _ => Err(Error::OtherDevice { what: "the graph" }),
        }
    }

    #[cfg_attr(
        not(feature = "cuda"),
        expect(unused_variables, reason = "the host takes the typed arguments as they are")
    )]
    pub(crate) fn launch<K: Kernel>(
        &self,
        function: &RawFunction,
        launch: &Launch,
        args: K::Args<'_>,
        params: Params,
    ) -> Result<()> {
        match (self, function) {
            (Self::Host(stream), RawFunction::Host) => stream.launch::<K>(launch, args),
            #[cfg(feature = "cuda")]
            (Self::Cuda(stream), RawFunction::Cuda(function)) => {
                stream.launch(function, launch, params)
            }
            #[cfg(feature = "cuda")]
            _ => Err(Error::OtherDevice { what: "the kernel" }),
        }
    }
}
