//! A CUDA device through its driver.
//!
//! `cust` initialises and holds contexts and modules; everything else is called through `cust_raw`. Both reach the
//! driver by the forwarders in `symbols`, never by the linker. Never checks arguments: the public types do.

mod driver;
mod event;
mod graph;
mod memory;
mod module;
mod properties;
mod raw;
mod registered;
mod stream;
mod symbols;
mod telemetry;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cust::CudaFlags;
use cust::context::{Context as Primary, CurrentContext};
use cust::device::Device;

pub(crate) use event::Event;
pub(crate) use graph::Graph;
pub(crate) use memory::{Memory, Pinned};
pub(crate) use module::{Function, Module};
pub(crate) use registered::Registered;
pub(crate) use stream::Stream;
pub(crate) use telemetry::Monitor;

use super::EventTiming;
use crate::error::{Error, ErrorKind, Result};
use crate::image::KernelImage;
use crate::properties::DeviceProperties;
use crate::region::{HostRegion, Unregistered};
use crate::telemetry::TelemetrySample;

/// How many devices the driver shows, at least one.
pub(crate) fn count() -> Result<u32> {
    initialise()?;
    match raw::check_cust("cuDeviceGetCount", Device::num_devices())? {
        0 => Err(Error::NoDevice),
        count => Ok(count),
    }
}

/// What device `ordinal` is. Needs no context.
pub(crate) fn properties(ordinal: u32) -> Result<DeviceProperties> {
    properties::read(ordinal, device(ordinal)?)
}

/// Loads and starts the driver; cheap after the first time.
fn initialise() -> Result<()> {
    driver::library()?;
    match raw::check_cust("cuInit", cust::init(CudaFlags::empty())) {
        Err(Error::Driver { code: raw::NO_DEVICE, .. }) => Err(Error::NoDevice),
        result => result,
    }
}

fn device(ordinal: u32) -> Result<Device> {
    let count = count()?;
    if ordinal >= count {
        return Err(Error::OrdinalOutOfRange { ordinal, count });
    }
    raw::check_cust("cuDeviceGet", Device::get_device(ordinal))
}

/// An open device.
#[derive(Debug)]
pub(crate) struct Cuda {
    context: Arc<Context>,
    uuid: String,
    pci_bus_id: String,
}

/// The device's primary context, kept alive by everything that was made in it.
#[derive(Debug)]
struct Context {
    device: Device,
    primary: Primary,
    /// The driver's objects that could not be given back although the context lives. Shown by `Debug`.
    unreleased: AtomicU64,
}

impl Context {
    /// Makes this context the calling thread's own, as every call that works in it needs.
    ///
    /// The driver is told each time: a remembered answer would be wrong as soon as another device, or other code
    /// in the program, had its turn on this thread. What was current before does not come back.
    fn bind(&self) -> Result<()> {
        raw::check_cust("cuCtxSetCurrent", CurrentContext::set_current(&self.primary))
    }

    fn synchronize(&self) -> Result<()> {
        self.bind()?;
        raw::check_cust("cuCtxSynchronize", CurrentContext::synchronize())
    }

    /// Gives an object back by `free`, and says whether the driver has let go of it. A lost context has nothing to
    /// give back to; other failures are counted.
    fn release(&self, free: impl FnOnce() -> Result<()>) -> bool {
        match self.bind().and_then(|()| free()) {
            Err(error) if error.kind() != ErrorKind::Poisoned => {
                self.unreleased.fetch_add(1, Ordering::Relaxed);
                false
            }
            _ => true,
        }
    }
}

impl Cuda {
    pub(crate) fn open(ordinal: u32) -> Result<(Self, DeviceProperties)> {
        let device = device(ordinal)?;
        let properties = properties::read(ordinal, device)?;
        let primary = raw::check_cust("cuDevicePrimaryCtxRetain", Primary::new(device))?;
        let cuda = Self {
            context: Arc::new(Context { device, primary, unreleased: AtomicU64::new(0) }),
            uuid: properties.uuid.clone(),
            pci_bus_id: properties.pci_bus_id.clone(),
        };
        Ok((cuda, properties))
    }

    pub(crate) fn stream(&self) -> Result<Stream> {
        Stream::new(Arc::clone(&self.context))
    }

    pub(crate) fn event(&self, timing: EventTiming) -> Result<Event> {
        Event::new(Arc::clone(&self.context), timing)
    }

    pub(crate) fn memory(&self, bytes: usize) -> Result<Memory> {
        Memory::zeroed(Arc::clone(&self.context), bytes)
    }

    pub(crate) fn pinned(&self, bytes: usize) -> Result<Pinned> {
        Pinned::zeroed(Arc::clone(&self.context), bytes)
    }

    pub(crate) fn register(&self, region: HostRegion) -> Result<Registered, Unregistered> {
        Registered::new(Arc::clone(&self.context), region)
    }

    pub(crate) fn module(&self, image: &KernelImage) -> Result<Module> {
        Module::load(Arc::clone(&self.context), image)
    }

    pub(crate) fn synchronize(&self) -> Result<()> {
        self.context.synchronize()
    }

    pub(crate) fn memory_free_and_total(&self) -> Result<(u64, u64)> {
        memory::free_and_total(&self.context)
    }

    pub(crate) fn telemetry(&self) -> Result<Option<TelemetrySample>> {
        telemetry::sample(&self.uuid, &self.pci_bus_id)
    }

    pub(crate) fn monitor(&self) -> Result<Option<Monitor>> {
        Monitor::open(&self.uuid, &self.pci_bus_id)
    }
}

#[cfg(test)]
mod tests;
