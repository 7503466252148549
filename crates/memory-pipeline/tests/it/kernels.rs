//! Kernels and stages of the tests. They have a meaning on the host and no compiled image; the fake driver knows `mix` by name.

use gpu_core::{
    Device, DeviceSlice, DeviceSliceMut, Error, HostMemory, Kernel, KernelImage, Launch,
    LaunchContract, Params, Pod, Prepared, Stream,
};
use memory_pipeline::{Lease, PinnedMemoryPool, Stage};

/// What one output element is made of: two input elements, its place and the batch's length, so that an element
/// of another batch, another place or another length shows.
fn mix(input: &[u32], index: usize) -> u64 {
    let (here, next) = (input[index], input[(index + 1) % input.len()]);
    let word = (u64::from(here) << 32) ^ u64::from(next).rotate_left(7);
    let place = (index as u64) << 20 | input.len() as u64;
    (word ^ place).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word >> 29
}

/// What the stage `Mixer` makes of `input` in batches of `batch_len`, without any pipeline.
pub(crate) fn mixed(input: &[u32], batch_len: usize) -> Vec<u64> {
    let batches = input.chunks(batch_len);
    batches.flat_map(|batch| (0..batch.len()).map(|index| mix(batch, index))).collect()
}

/// Distinct numbers.
pub(crate) fn numbers(len: usize) -> Vec<u32> {
    (0..u32::try_from(len).unwrap()).map(|index| index.wrapping_mul(0x9e37_79b1)).collect()
}

struct Mix;

struct MixArgs<'a> {
    input: DeviceSlice<'a, u32>,
    output: DeviceSliceMut<'a, u64>,
}

// SAFETY: the only compiled kernel is the fake driver's, which takes (input, output, len) and touches `len` elements of each.
unsafe impl Kernel for Mix {
    type Args<'a> = MixArgs<'a>;
    const CONTRACT: LaunchContract = LaunchContract::new("mix");

    fn check(args: &MixArgs<'_>, _: &Launch) -> gpu_core::Result<()> {
        let (expected, actual) = (args.input.len(), args.output.len());
        let fits = expected == actual && expected > 0;
        if fits { Ok(()) } else { Err(Error::Length { what: "the output", expected, actual }) }
    }

    fn bind(args: &MixArgs<'_>, params: &mut Params) {
        params.slice(&args.input);
        params.slice_mut(&args.output);
        params.scalar(u32::try_from(args.input.len()).unwrap());
    }

    fn reference(args: MixArgs<'_>, _: &Launch, memory: &HostMemory) {
        let input = memory.slice(args.input);
        for (index, element) in memory.slice_mut(args.output).iter_mut().enumerate() {
            *element = mix(input, index);
        }
    }
}

struct Halve;

struct HalveArgs<'a> {
    input: DeviceSlice<'a, f32>,
    output: DeviceSliceMut<'a, f64>,
}

// SAFETY: there is no compiled kernel; the arguments are two views and their layout depends on no lifetime.
unsafe impl Kernel for Halve {
    type Args<'a> = HalveArgs<'a>;
    const CONTRACT: LaunchContract = LaunchContract::new("halve");

    fn check(args: &HalveArgs<'_>, _: &Launch) -> gpu_core::Result<()> {
        let (expected, actual) = (args.input.len().div_ceil(2), args.output.len());
        let fits = expected == actual;
        if fits { Ok(()) } else { Err(Error::Length { what: "the output", expected, actual }) }
    }

    fn bind(args: &HalveArgs<'_>, params: &mut Params) {
        params.slice(&args.input);
        params.slice_mut(&args.output);
    }

    fn reference(args: HalveArgs<'_>, _: &Launch, memory: &HostMemory) {
        let pairs = memory.slice(args.input).chunks(2);
        for (element, pair) in memory.slice_mut(args.output).iter_mut().zip(pairs) {
            *element = pair.iter().map(|&x| f64::from(x)).sum();
        }
    }
}

/// A stage of one kernel with as many outputs as inputs.
pub(crate) struct Mixer(Prepared<Mix>);

impl Mixer {
    pub(crate) fn new(device: &Device) -> Self {
        Self::on(device).unwrap()
    }

    pub(crate) fn on(device: &Device) -> gpu_core::Result<Self> {
        prepared(device).map(Self)
    }
}

impl Stage for Mixer {
    type Input = u32;
    type Output = u64;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, u32>,
        output: DeviceSliceMut<'_, u64>,
    ) -> gpu_core::Result<()> {
        stream.launch(&self.0, MixArgs { input, output })
    }
}

/// A stage that adds pairs: half as many outputs, of another type.
pub(crate) struct Halver(Prepared<Halve>);

impl Halver {
    pub(crate) fn new(device: &Device) -> Self {
        Self(prepared(device).unwrap())
    }
}

impl Stage for Halver {
    type Input = f32;
    type Output = f64;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, f32>,
        output: DeviceSliceMut<'_, f64>,
    ) -> gpu_core::Result<()> {
        stream.launch(&self.0, HalveArgs { input, output })
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len.div_ceil(2)
    }
}

/// A stage that says it makes `output_len` of every batch, and panics or fails when it is asked to.
pub(crate) struct Odd {
    pub(crate) output_len: fn(usize) -> usize,
    pub(crate) enqueue: fn() -> gpu_core::Result<()>,
}

impl Stage for Odd {
    type Input = u8;
    type Output = u8;

    fn enqueue(
        &mut self,
        _: &Stream,
        _: DeviceSlice<'_, u8>,
        _: DeviceSliceMut<'_, u8>,
    ) -> gpu_core::Result<()> {
        (self.enqueue)()
    }

    fn output_len(&self, input_len: usize) -> usize {
        (self.output_len)(input_len)
    }
}

fn prepared<K: Kernel>(device: &Device) -> gpu_core::Result<Prepared<K>> {
    // SAFETY: the host has no use for the image, and the fake driver's kernels are these.
    let module =
        unsafe { device.module(&KernelImage::Binary(fake_driver_client::image(&["mix"]))) }?;
    Prepared::new(device, &module, Launch::linear(1, 32))
}

/// Every buffer that the pool still has, each filled with `canary`.
pub(crate) fn fill_all<T: Pod>(pool: &PinnedMemoryPool, canary: T) -> Vec<Lease<T>> {
    let len = pool.stats().classes[0].buffer_bytes / size_of::<T>();
    let mut all: Vec<_> = std::iter::from_fn(|| pool.acquire(len).ok()).collect();
    all.iter_mut().for_each(|lease| lease.fill(canary));
    all
}
