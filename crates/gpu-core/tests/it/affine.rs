//! A small kernel for tests: `y = factor * x + offset`, as PTX and as its reference.

use gpu_core::{
    Device, DeviceSlice, DeviceSliceMut, Error, HostMemory, Kernel, KernelImage, Launch,
    LaunchContract, Module, Params, Prepared, Result,
};

pub(crate) struct Affine;

pub(crate) struct AffineArgs<'a> {
    pub(crate) x: DeviceSlice<'a, f64>,
    pub(crate) y: DeviceSliceMut<'a, f64>,
    pub(crate) factor: f64,
    pub(crate) offset: f64,
}

/// One thread per element: index, bounds check, one fused multiply-add.
const PTX: &str = r"
.version 7.0
.target sm_75
.address_size 64
.visible .entry affine(
    .param .u64 x, .param .u64 y, .param .u32 len, .param .f64 factor, .param .f64 offset
)
{
    .reg .pred %p;
    .reg .b32 %r<5>;
    .reg .b64 %rd<4>;
    .reg .f64 %fd<5>;
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %ntid.x;
    mov.u32 %r3, %tid.x;
    mad.lo.u32 %r1, %r1, %r2, %r3;
    ld.param.u32 %r4, [len];
    setp.ge.u32 %p, %r1, %r4;
    @%p ret;
    ld.param.u64 %rd1, [x];
    ld.param.u64 %rd2, [y];
    cvta.to.global.u64 %rd1, %rd1;
    cvta.to.global.u64 %rd2, %rd2;
    mul.wide.u32 %rd3, %r1, 8;
    add.u64 %rd1, %rd1, %rd3;
    add.u64 %rd2, %rd2, %rd3;
    ld.global.f64 %fd1, [%rd1];
    ld.param.f64 %fd2, [factor];
    ld.param.f64 %fd3, [offset];
    fma.rn.f64 %fd4, %fd1, %fd2, %fd3;
    st.global.f64 [%rd2], %fd4;
    ret;
}
";

/// Enough blocks for one thread an element.
pub(crate) fn launch(len: usize, threads: u32) -> Launch {
    let blocks = len.div_ceil(threads as usize).max(1);
    Launch::linear(u32::try_from(blocks).unwrap(), threads)
}

// SAFETY: the PTX above takes (x, y, len, factor, offset) and touches `len` elements of each, one a thread.
unsafe impl Kernel for Affine {
    type Args<'a> = AffineArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("affine");

    fn check(args: &AffineArgs<'_>, launch: &Launch) -> Result<()> {
        if args.x.len() != args.y.len() {
            let (expected, actual) = (args.x.len(), args.y.len());
            return Err(Error::Length { what: "y", expected, actual });
        }
        let covered = launch.blocks() * launch.threads();
        if covered < args.y.len() as u64 || u32::try_from(args.y.len()).is_err() {
            let reason = "the launch has fewer threads than there are elements";
            return Err(Error::Argument { kernel: "affine", reason });
        }
        Ok(())
    }

    fn bind(args: &AffineArgs<'_>, params: &mut Params) {
        params.slice(&args.x);
        params.slice_mut(&args.y);
        params.scalar(u32::try_from(args.y.len()).expect("checked"));
        params.scalar(args.factor);
        params.scalar(args.offset);
    }

    fn reference(args: AffineArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        let x = memory.slice(args.x);
        let y = memory.slice_mut(args.y);
        for (y, x) in y.iter_mut().zip(x) {
            *y = x.mul_add(args.factor, args.offset);
        }
    }
}

pub(crate) fn module(device: &Device) -> Result<Module> {
    // SAFETY: the PTX above is what `Affine` promises.
    unsafe { device.module(&KernelImage::Ptx(PTX.to_owned())) }
}

pub(crate) fn prepare(device: &Device, launch: Launch) -> Result<Prepared<Affine>> {
    Prepared::new(device, &module(device)?, launch)
}

/// The same kernel, launched as if its blocks waited for each other.
pub(crate) struct Cooperative;

// SAFETY: it is `Affine` in all that matters to memory.
unsafe impl Kernel for Cooperative {
    type Args<'a> = AffineArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("affine").cooperative();

    fn check(args: &AffineArgs<'_>, launch: &Launch) -> Result<()> {
        Affine::check(args, launch)
    }

    fn bind(args: &AffineArgs<'_>, params: &mut Params) {
        Affine::bind(args, params);
    }

    fn reference(args: AffineArgs<'_>, launch: &Launch, memory: &HostMemory) {
        Affine::reference(args, launch, memory);
    }
}
