//! What a kernel is: its typed arguments, the launches it accepts, and what it means on the host.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use bytemuck::Pod;

use crate::backend::RawModule;
use crate::backend::host::pointer;
use crate::capture::{Birth, Retired};
use crate::device::{DeviceId, DeviceInner};
use crate::error::{Error, Result};
use crate::launch::{Launch, LaunchContract};
use crate::view::{DeviceSlice, DeviceSliceMut, Place, StreamId, Tenure};

/// A kernel with typed arguments and a host reference.
///
/// # Safety
/// Whoever implements this promises that
/// - [`bind`](Self::bind) pushes exactly the parameters of the compiled entry point, in order and of the same widths;
/// - arguments that [`check`](Self::check) accepts are never read or written out of bounds by the compiled kernel,
///   for any launch that the contract accepts;
/// - [`Args`](Self::Args) holds device views and plain values only, and its layout does not depend on its lifetime:
///   a queued launch keeps the arguments after the borrow has ended, while the memory itself lives on, and every
///   replay of a [`Graph`](crate::Graph) copies them bit by bit and runs with the copy.
pub unsafe trait Kernel: 'static {
    /// The arguments: views for pointers, plain values for scalars.
    type Args<'a>: Send;

    /// The launches that the kernel accepts.
    const CONTRACT: LaunchContract;

    /// Refuses arguments that do not fit together or do not fit the launch.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::Argument`], naming what is wrong.
    fn check(args: &Self::Args<'_>, launch: &Launch) -> Result<()>;

    /// Pushes the parameters in the order of the compiled entry point.
    fn bind(args: &Self::Args<'_>, params: &mut Params);

    /// What the kernel means. The host backend runs exactly this.
    fn reference(args: Self::Args<'_>, launch: &Launch, memory: &HostMemory);
}

/// Most parameters that a kernel can take.
const PARAMS_MAX: usize = 24;

/// The parameters of one launch, as the driver wants them.
#[derive(Debug)]
pub struct Params {
    /// One slot a parameter, its bytes at the front, as the driver takes a pointer to each.
    pub(crate) values: [u64; PARAMS_MAX],
    bytes: [u8; PARAMS_MAX],
    len: usize,
    device: DeviceId,
    stream: Option<StreamId>,
    /// Whether a view is only lent to a scope.
    is_lent: bool,
    refusal: Option<Error>,
}

impl Params {
    /// No parameters yet, for a launch on `device`. A launch makes its own; this is for tests that
    /// compare what a kernel binds with the signature of its entry point.
    pub fn new(device: DeviceId) -> Self {
        Self {
            values: [0; PARAMS_MAX],
            bytes: [0; PARAMS_MAX],
            len: 0,
            device,
            stream: None,
            is_lent: false,
            refusal: None,
        }
    }

    /// Pushes a `const T*`.
    pub fn slice<T: Pod>(&mut self, view: &DeviceSlice<'_, T>) {
        self.admit(view.place);
        self.scalar(view.address);
    }

    /// Pushes a `T*`.
    pub fn slice_mut<T: Pod>(&mut self, view: &DeviceSliceMut<'_, T>) {
        self.admit(view.place);
        self.scalar(view.address);
    }

    /// Pushes a value of at most eight bytes.
    ///
    /// # Panics
    /// If the kernel pushes more than 24 parameters, which its first launch shows.
    pub fn scalar<T: Pod>(&mut self, value: T) {
        #[expect(clippy::cast_possible_truncation, reason = "at most 8, as asserted")]
        let width = const {
            assert!(size_of::<T>() <= size_of::<u64>() && size_of::<T>() > 0);
            size_of::<T>() as u8
        };
        assert!(self.len < PARAMS_MAX, "a kernel takes at most {PARAMS_MAX} parameters");
        let slot = bytemuck::bytes_of_mut(&mut self.values[self.len]);
        slot[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&value));
        self.bytes[self.len] = width;
        self.len += 1;
    }

    /// The width of each parameter, in bytes and in order.
    pub fn widths(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Parameters of a launch in one stream.
    pub(crate) fn for_stream(device: DeviceId, stream: StreamId) -> Self {
        Self { stream: Some(stream), ..Self::new(device) }
    }

    fn admit(&mut self, place: Place) {
        let what = "an argument of the kernel";
        self.is_lent |= place.stream.is_some();
        if place.device != self.device {
            self.refusal = Some(Error::OtherDevice { what });
        } else if place.stream.is_some() && place.stream != self.stream {
            self.refusal = Some(Error::OtherStream { what });
        }
    }

    /// Refuses views that the stream must not touch, and says for how long the others are there.
    pub(crate) fn check(&mut self) -> Result<Tenure> {
        let tenure = if self.is_lent { Tenure::Lent } else { Tenure::Kept };
        self.refusal.take().map_or(Ok(tenure), Err)
    }
}

/// Proof that the host backend is running an operation, alone: views can be read as slices.
#[derive(Debug)]
pub struct HostMemory {
    device: DeviceId,
}

impl HostMemory {
    /// Only the host backend makes one, for the time of one operation of `device`.
    pub(crate) fn new(device: DeviceId) -> Self {
        Self { device }
    }

    /// The elements of a view.
    ///
    /// # Panics
    /// If the view is of another device, which a kernel's arguments cannot be.
    pub fn slice<'a, T: Pod>(&'a self, view: DeviceSlice<'a, T>) -> &'a [T] {
        assert_eq!(view.place.device, self.device, "arguments were checked before the launch");
        // SAFETY: on the host a view's address is that of live, zeroed or written, aligned memory: a buffer settles
        // the device before it frees. Operations run one at a time, and the argument struct was
        // built from borrows, so no exclusive view of the same elements is turned into a slice beside this one.
        unsafe { std::slice::from_raw_parts(pointer(view.address).cast::<T>(), view.len()) }
    }

    /// The elements of an exclusive view.
    ///
    /// # Panics
    /// As for [`slice`](Self::slice).
    pub fn slice_mut<'a, T: Pod>(&'a self, view: DeviceSliceMut<'a, T>) -> &'a mut [T] {
        assert_eq!(view.place.device, self.device, "arguments were checked before the launch");
        // SAFETY: as for `slice`; the view is exclusive and consumed, so this is its only slice.
        unsafe { std::slice::from_raw_parts_mut(pointer(view.address).cast::<T>(), view.len()) }
    }
}

/// A loaded image with entry points in it. Made by [`Device::module`](crate::Device::module).
#[derive(Clone, Debug)]
pub struct Module {
    pub(crate) loaded: Arc<Loaded>,
}

/// An image, unloaded as memory is freed: kernels of it may be queued or stand in a graph.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) raw: ManuallyDrop<RawModule>,
    pub(crate) device: Arc<DeviceInner>,
    birth: Birth,
}

impl Module {
    pub(crate) fn new(device: Arc<DeviceInner>, raw: RawModule) -> Self {
        let birth = device.captures.birth();
        Self { loaded: Arc::new(Loaded { raw: ManuallyDrop::new(raw), device, birth }) }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: the module is being dropped, so nothing is looked up in it again.
        let raw = unsafe { ManuallyDrop::take(&mut self.raw) };
        self.device.captures.retire(&self.device, self.birth, Retired::Module(raw));
    }
}
