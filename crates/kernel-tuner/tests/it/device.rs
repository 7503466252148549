//! A real kernel, tuned on the host and on the simulated host.

use gpu_core::{
    Axis, BackendKind, Device, DeviceBuffer, DeviceSlice, DeviceSliceMut, HostMemory, Kernel,
    KernelImages, KernelSource, Launch, LaunchContract, LaunchSpace, Module, Params, Point,
    Prepared, Result, Stream,
};
use kernel_tuner::{
    Counts, Exhaustive, Mismatch, Outcome, PerformanceTuner, Ready, StopRule, Subject, TunerConfig,
};

struct Square;

struct SquareArgs<'a> {
    x: DeviceSlice<'a, f64>,
    y: DeviceSliceMut<'a, f64>,
}

// SAFETY: it is run on the host only, where the reference is what executes; the arguments are views.
unsafe impl Kernel for Square {
    type Args<'a> = SquareArgs<'a>;
    const CONTRACT: LaunchContract = LaunchContract::new("square").threads(32, 256);

    fn check(args: &SquareArgs<'_>, _launch: &Launch) -> Result<()> {
        let (what, expected, actual) = ("y", args.x.len(), args.y.len());
        if expected == actual {
            Ok(())
        } else {
            Err(gpu_core::Error::Length { what, expected, actual })
        }
    }

    fn bind(args: &SquareArgs<'_>, params: &mut Params) {
        params.slice(&args.x);
        params.slice_mut(&args.y);
    }

    /// One element a thread: a grid that is too small leaves the rest untouched, as on a GPU.
    fn reference(args: SquareArgs<'_>, launch: &Launch, memory: &HostMemory) {
        let threads = usize::try_from(launch.threads() * launch.blocks()).unwrap();
        let (x, y) = (memory.slice(args.x), memory.slice_mut(args.y));
        for (y, x) in y.iter_mut().zip(x).take(threads) {
            *y = x * x;
        }
    }
}

const LEN: usize = 4096;
const SPACE: LaunchSpace = LaunchSpace::new(&[
    Axis { name: "threads", values: &[64, 128, 256, 512] },
    // Elements that a thread is meant to take; this kernel takes one, so 2 is a mistake.
    Axis { name: "items", values: &[1, 2] },
]);
const BASELINE: LaunchSpace = LaunchSpace::new(&[
    Axis { name: "threads", values: &[128] },
    Axis { name: "items", values: &[1] },
]);

struct Squares {
    device: Device,
    module: Module,
    prepared: Option<Prepared<Square>>,
    x: DeviceBuffer<f64>,
    y: DeviceBuffer<f64>,
    expected: Vec<f64>,
}

impl Squares {
    fn new(device: &Device) -> Result<Self> {
        // These tests run on the host, which needs no image.
        let source = KernelSource { name: "square", text: "", headers: &[] };
        let module = KernelImages::at("unused").module(device, &source)?;
        let (mut x, y) = (device.buffer(LEN)?, device.buffer(LEN)?);
        let input: Vec<f64> = (0..4096).map(|i| f64::from(i) / 8.0).collect();
        device.stream()?.write(&input, x.view_mut())?;
        let expected = input.iter().map(|x| x * x).collect();
        Ok(Self { device: device.clone(), module, prepared: None, x, y, expected })
    }
}

impl Subject for Squares {
    fn name(&self) -> &str {
        "square"
    }

    fn space(&self) -> LaunchSpace {
        SPACE
    }

    fn baseline(&self) -> Point {
        BASELINE.point(0).unwrap()
    }

    fn prepare(&mut self, point: &Point) -> Result<Ready> {
        let (threads, items) = (point.value("threads").unwrap(), point.value("items").unwrap());
        let len = u32::try_from(LEN).unwrap() / items;
        let launch = Launch::linear(len.div_ceil(threads), threads);
        let prepared = Prepared::new(&self.device, &self.module, launch)?;
        let attributes = prepared.attributes()?;
        self.prepared = Some(prepared);
        Ok(Ready { launch, attributes })
    }

    fn enqueue(&mut self, _point: &Point, stream: &Stream) -> Result<()> {
        let prepared = self.prepared.as_ref().unwrap();
        stream.launch(prepared, SquareArgs { x: self.x.view(), y: self.y.view_mut() })
    }

    fn poison(&mut self, stream: &Stream) -> Result<()> {
        stream.write(&vec![f64::NAN; LEN], self.y.view_mut())
    }

    fn verify(&mut self, stream: &Stream) -> Result<std::result::Result<(), Mismatch>> {
        let y = stream.read_vec(self.y.view())?;
        Ok(Mismatch::compare("y", &self.expected, &y, 0.0))
    }
}

#[test]
fn a_kernel_is_tuned_on_the_host_and_on_the_simulated_host() {
    let config = TunerConfig {
        warm_up: 1,
        stop: StopRule { samples_min: 6, samples_max: 12, half_width_max: 0.1 },
        ..TunerConfig::default()
    };
    let devices = (0..5).map(Device::host_simulated).chain([Device::host()]);
    for device in devices {
        let mut subject = Squares::new(&device).unwrap();
        let mut tuner = PerformanceTuner::new(&device, config).unwrap();
        let tuned = tuner.tune(&mut subject, &mut Exhaustive::new(SPACE.len())).unwrap();
        // Three block sizes fit the contract; with two items a thread half of the output is missing.
        assert_eq!(tuned.counts, Counts { timed: 3, refused: 2, failed: 0, wrong: 3 });
        for candidate in &tuned.candidates {
            let (threads, items) =
                (candidate.point.value("threads"), candidate.point.value("items"));
            match &candidate.outcome {
                Outcome::Refused { reason } => {
                    assert_eq!(threads, Some(512));
                    assert!(reason.contains("rejects 512 threads per block"), "{reason}");
                }
                Outcome::Wrong { mismatch } => {
                    assert_eq!((items, mismatch.wrong), (Some(2), LEN / 2));
                }
                Outcome::Timed { .. } => assert_eq!(items, Some(1)),
                Outcome::Failed { reason } => panic!("{reason}"),
            }
        }
        assert_eq!(tuned.point.value("items"), Some(1));
        assert_eq!(tuned.device.backend, device.backend());
        assert_ne!(tuned.device.backend, BackendKind::Cuda);
        assert!(tuned.baseline_time.median_us > 0.0);
    }
}
