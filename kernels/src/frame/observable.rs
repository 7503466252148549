//! What the agent gets to see of the network, as a kernel.

use gpu_core::{
    Axis, DeviceSlice, DeviceSliceMut, HostMemory, Kernel, KernelSource, Launch, LaunchContract,
    LaunchSpace, Params, Point, Result,
};

use super::SAMPLES;
use super::naive::observe;
use crate::active_inference::OBSERVATIONS;
use crate::source::{HEADERS, Tunable, check_len, check_linear, choice};

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct ObservableArgs<'a> {
    /// The angles of the network.
    pub theta: DeviceSlice<'a, f64>,
    /// 1 + cos(theta) / sqrt(n) of the first of them.
    pub observations: DeviceSliceMut<'a, f64>,
}

/// The kernel that observes the network.
#[derive(Clone, Copy, Debug)]
pub struct Observable;

// SAFETY: `observable.cu` takes (theta, observations) and touches the first 100 elements of each, which `check` finds.
unsafe impl Kernel for Observable {
    type Args<'a> = ObservableArgs<'a>;

    const CONTRACT: LaunchContract = LaunchContract::new("observable");

    fn check(args: &ObservableArgs<'_>, launch: &Launch) -> Result<()> {
        check_linear(Self::CONTRACT.entry, launch)?;
        check_len("the observed angles", SAMPLES, args.theta.len())?;
        check_len("the observations", OBSERVATIONS, args.observations.len())
    }

    fn bind(args: &ObservableArgs<'_>, params: &mut Params) {
        params.slice(&args.theta);
        params.slice_mut(&args.observations);
    }

    fn reference(args: ObservableArgs<'_>, _launch: &Launch, memory: &HostMemory) {
        let observations = observe(memory.slice(args.theta));
        memory.slice_mut(args.observations).copy_from_slice(&observations);
    }
}

impl Tunable for Observable {
    const SOURCE: KernelSource =
        KernelSource { name: "observable", text: include_str!("observable.cu"), headers: HEADERS };

    const SPACE: LaunchSpace =
        LaunchSpace::new(&[Axis { name: "threads", values: &[32, 64, 128] }]);

    /// The sizes of the workload are fixed, so `len` decides nothing.
    fn launch_at(point: &Point, _len: usize) -> Launch {
        Launch::linear(1, choice(&Self::SPACE, point, "threads"))
    }

    fn launch_for(_len: usize) -> Launch {
        Launch::linear(1, 128)
    }
}
