//! A device: where memory, streams and kernels come from, on a GPU or on the host.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use bytemuck::Pod;

use crate::backend::{Backend, EventTiming, host};
use crate::buffer::{DeviceBuffer, PinnedBuffer};
use crate::capture::Captures;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::fault::{FaultPlan, FaultState, Operation};
use crate::image::KernelImage;
use crate::kernel::Module;
use crate::properties::{BackendKind, DeviceProperties, MemoryInfo};
use crate::region::{HostRegion, Unregistered};
use crate::stream::Stream;
use crate::telemetry::{Monitor, TelemetrySample};
use crate::view::StreamId;

/// Which device a view, buffer or kernel belongs to.
///
/// Two handles of one CUDA device share their id, since they share its context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(u32);

/// Host devices get ids from here up; CUDA devices use their ordinals below.
const HOST_IDS_FROM: u32 = 1 << 16;

impl DeviceId {
    fn next_host() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(HOST_IDS_FROM);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A GPU, or the host in its place. Cheap to clone; all clones are the same device.
#[derive(Clone, Debug)]
pub struct Device {
    pub(crate) inner: Arc<DeviceInner>,
}

#[derive(Debug)]
pub(crate) struct DeviceInner {
    pub(crate) id: DeviceId,
    pub(crate) backend: Backend,
    properties: DeviceProperties,
    faults: FaultState,
    pub(crate) captures: Arc<Captures>,
    /// Invariant: once set, every call through `run` fails: a lost context never comes back in this process.
    lost: OnceLock<Error>,
}

impl DeviceInner {
    /// Runs one call: refused on a lost device, counted against the fault plan, and remembered if it loses the device.
    pub(crate) fn run<R>(
        &self,
        operation: Operation,
        call: impl FnOnce(&Backend) -> Result<R>,
    ) -> Result<R> {
        if let Some(cause) = self.lost.get() {
            return Err(Error::Poisoned { cause: Box::new(cause.clone()) });
        }
        let admitted = self.captures.admit(operation).and_then(|()| self.faults.check(operation));
        let result = admitted.and_then(|()| call(&self.backend));
        self.captures.note(&result);
        self.note(result)
    }

    fn note<R>(&self, result: Result<R>) -> Result<R> {
        if let Err(error) = &result
            && error.kind() == ErrorKind::Poisoned
        {
            // The first fault is the cause; a later one says less.
            let _ = self.lost.set(error.clone());
        }
        result
    }

    /// Waits until nothing that was queued touches memory any more, and says whether that is certain. Ignores fault plans.
    /// Only while no capture is on.
    ///
    /// After a sticky fault the driver has stopped the context's work, so that error also means settled.
    pub(crate) fn settle(&self) -> bool {
        match self.note(self.backend.synchronize()) {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::Poisoned,
        }
    }
}

impl Drop for DeviceInner {
    fn drop(&mut self) {
        self.captures.sweep(self);
    }
}

impl Device {
    fn new(
        id: DeviceId,
        backend: Backend,
        properties: DeviceProperties,
        captures: Arc<Captures>,
    ) -> Self {
        let inner = DeviceInner {
            id,
            backend,
            properties,
            faults: FaultState::default(),
            captures,
            lost: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The first CUDA device, or the host where there is none.
    ///
    /// # Errors
    /// If there is a CUDA device but it cannot be used: that is never hidden behind the host.
    pub fn auto() -> Result<Self> {
        match Self::cuda(0) {
            Err(error) if error.kind() == ErrorKind::Unavailable => Ok(Self::host()),
            other => other,
        }
    }

    /// CUDA device `ordinal`, counted from 0.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Unavailable`] without the `cuda` feature, a driver or a device;
    /// [`Error::OrdinalOutOfRange`] if there are fewer devices.
    pub fn cuda(ordinal: u32) -> Result<Self> {
        let (backend, properties) = Backend::cuda(ordinal)?;
        let id = DeviceId(ordinal);
        Ok(Self::new(id, backend, properties, Captures::of(id)))
    }

    /// How many CUDA devices this machine has.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Unavailable`] without the `cuda` feature or a driver.
    pub fn cuda_count() -> Result<u32> {
        Backend::cuda_count()
    }

    /// The host's processor, running each operation when it is submitted.
    pub fn host() -> Self {
        Self::host_in(host::Mode::Eager)
    }

    /// The host's processor, running each stream late and in an order drawn from `seed`:
    /// a missing wait shows as a wrong answer, and the seed replays it.
    pub fn host_simulated(seed: u64) -> Self {
        Self::host_in(host::Mode::Simulated { seed })
    }

    fn host_in(mode: host::Mode) -> Self {
        let id = DeviceId::next_host();
        Self::new(id, Backend::host(mode, id), host::properties(mode), Arc::default())
    }

    /// What this machine has: its CUDA devices, if any, and then the host.
    pub fn list() -> Vec<DeviceProperties> {
        let mut all = Backend::cuda_list().unwrap_or_default();
        all.push(host::properties(host::Mode::Eager));
        all
    }

    /// Makes this device fail as `plan` says, counting from now. Replaces an earlier plan. Clones are the same device,
    /// so they fail too.
    pub fn with_faults(self, plan: FaultPlan) -> Self {
        self.inner.faults.replace(plan);
        self
    }

    /// What the device is.
    pub fn properties(&self) -> &DeviceProperties {
        &self.inner.properties
    }

    /// Where work runs.
    pub fn backend(&self) -> BackendKind {
        self.inner.properties.backend
    }

    /// Which device this is.
    pub fn id(&self) -> DeviceId {
        self.inner.id
    }

    /// The fault that lost this device, if one did.
    pub fn lost(&self) -> Option<&Error> {
        self.inner.lost.get()
    }

    /// A new stream, which does not wait for the default stream.
    ///
    /// # Errors
    /// What the driver says.
    pub fn stream(&self) -> Result<Stream> {
        let raw = self.inner.run(Operation::Create, Backend::stream)?;
        Ok(Stream { raw, id: StreamId::next(), device: Arc::clone(&self.inner) })
    }

    /// A new event without a time.
    ///
    /// # Errors
    /// What the driver says.
    pub fn event(&self) -> Result<Event> {
        self.event_with(EventTiming::Off)
    }

    /// A new event that remembers when the device passed it.
    ///
    /// # Errors
    /// What the driver says.
    pub fn timed_event(&self) -> Result<Event> {
        self.event_with(EventTiming::On)
    }

    fn event_with(&self, timing: EventTiming) -> Result<Event> {
        let raw = self.inner.run(Operation::Create, |backend| backend.event(timing))?;
        Ok(Event::new(Arc::clone(&self.inner), raw))
    }

    /// `len` zeroed elements of device memory.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Exhausted`] if they do not fit.
    pub fn buffer<T: Pod>(&self, len: usize) -> Result<DeviceBuffer<T>> {
        const { assert!(align_of::<T>() <= ALIGNMENT, "an element is aligned to at most 256 bytes") };
        let bytes = byte_len::<T>(len)?;
        let memory = self.inner.run(Operation::Allocate, |backend| backend.memory(bytes))?;
        Ok(DeviceBuffer::new(Arc::clone(&self.inner), memory, len))
    }

    /// `len` zeroed elements of page-locked host memory.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::Exhausted`] if they do not fit.
    pub fn pinned<T: Pod>(&self, len: usize) -> Result<PinnedBuffer<T>> {
        const { assert!(align_of::<T>() <= ALIGNMENT, "an element is aligned to at most 256 bytes") };
        let bytes = byte_len::<T>(len)?;
        let memory = self.inner.run(Operation::Allocate, |backend| backend.pinned(bytes))?;
        Ok(PinnedBuffer::new(Arc::clone(&self.inner), memory, len))
    }

    /// Page-locks a region, which the buffer then owns. On the host backends the pages stay ordinary ones.
    ///
    /// A copy must not reach across a multiple of 64 GiB in it: it is registered in parts of that size.
    ///
    /// # Errors
    /// [`Unregistered`] gives the region back: with [`Error::RegisterForbidden`] where this device cannot do it at all,
    /// otherwise with what the driver says.
    pub fn register(&self, region: HostRegion) -> Result<PinnedBuffer<u8>, Unregistered> {
        let len = region.len();
        // Moved into the call, which may not be made.
        let mut given = Some(region);
        let memory = self.inner.run(Operation::Allocate, |backend| {
            let region = given.take().expect("the call is made at most once");
            backend.register(region).map_err(|Unregistered { region, error }| {
                given = Some(region);
                error
            })
        });
        match (memory, given) {
            (Ok(memory), _) => Ok(PinnedBuffer::new(Arc::clone(&self.inner), memory, len)),
            (Err(error), region) => {
                let region = region.expect("a failed call gives it back");
                Err(Unregistered { region, error })
            }
        }
    }

    /// Loads a kernel image. The host has no use for its content and accepts any.
    ///
    /// # Safety
    /// An entry point of the image that is launched as a [`Kernel`](crate::Kernel) must be what that kernel's
    /// implementation promises of it. [`KernelImages::module`](crate::KernelImages::module) checks where an image comes from.
    ///
    /// # Errors
    /// What the driver says of the image.
    pub unsafe fn module(&self, image: &KernelImage) -> Result<Module> {
        let raw = self.inner.run(Operation::Load, |backend| backend.module(image))?;
        Ok(Module::new(Arc::clone(&self.inner), raw))
    }

    /// Waits for everything that was submitted to this device; first for a capture that another thread has begun.
    ///
    /// # Errors
    /// What the work failed with.
    pub fn synchronize(&self) -> Result<()> {
        let _between = self.inner.captures.between_captures();
        self.inner.run(Operation::Synchronize, Backend::synchronize)
    }

    /// Memory of the device at this moment.
    ///
    /// # Errors
    /// What the driver says.
    pub fn memory(&self) -> Result<MemoryInfo> {
        let (free_bytes, total_bytes) =
            self.inner.run(Operation::Synchronize, Backend::memory_free_and_total)?;
        Ok(MemoryInfo { free_bytes, total_bytes })
    }

    /// Clocks, power and utilisation at this moment; `None` on the host, where nothing reports them.
    ///
    /// # Errors
    /// What the management library says.
    pub fn telemetry(&self) -> Result<Option<TelemetrySample>> {
        self.inner.backend.telemetry()
    }

    /// What reads clocks, power, utilisation and counters again and again; `None` where nothing tells them, as on the host.
    ///
    /// # Errors
    /// What the management library says.
    pub fn monitor(&self) -> Result<Option<Monitor>> {
        Ok(self.inner.backend.monitor()?.map(|raw| Monitor { raw }))
    }
}

/// Alignment that every allocation of every backend has, in bytes.
const ALIGNMENT: usize = 256;

fn byte_len<T>(len: usize) -> Result<usize> {
    len.checked_mul(size_of::<T>())
        .filter(|&bytes| isize::try_from(bytes).is_ok())
        .ok_or(Error::OutOfMemory { bytes: usize::MAX })
}
