//! The sum of whole numbers, which is exact in every order of additions.

use gpu_core::{Device, DeviceBuffer, KernelImages, LaunchSpace, Point, Stream};
use kernel_tuner::{Mismatch, Ready, Subject};
use kernels::Tunable as _;
use kernels::vector::{ReduceSum, SumWorkspace};

use super::super::roofline::{Precision, Work};
use super::super::trial::Trial;
use super::launches::{Launches, count};

/// Numbers on a device, summed by [`ReduceSum`].
#[derive(Debug)]
pub struct Sum {
    name: String,
    launches: Launches<ReduceSum>,
    input: DeviceBuffer<f64>,
    output: DeviceBuffer<f64>,
    workspace: SumWorkspace,
    expected: f64,
}

/// Each number is below this, so that the sum of any 2^33 of them is exact in double precision.
const BELOW: u32 = 1 << 20;

impl Sum {
    /// Room for `len` numbers; they are zeros until they are drawn.
    ///
    /// # Errors
    /// If memory runs out.
    pub fn new(device: &Device, images: &KernelImages, len: usize) -> gpu_core::Result<Self> {
        Ok(Self {
            name: format!("reduce_sum of {len}"),
            launches: Launches::new(device, images),
            input: device.buffer(len)?,
            output: device.buffer(1)?,
            workspace: SumWorkspace::new(device)?,
            expected: 0.0,
        })
    }
}

impl Subject for Sum {
    fn name(&self) -> &str {
        &self.name
    }

    fn space(&self) -> LaunchSpace {
        ReduceSum::SPACE
    }

    /// 128 threads, a few elements each: what is written where nobody has tuned.
    fn baseline(&self) -> Point {
        ReduceSum::SPACE.point(0).expect("the space has an axis of threads and one of items")
    }

    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
        self.launches.prepare(point, ReduceSum::launch_at(point, self.input.len()))
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
        let args = self.workspace.args(self.input.view(), self.output.view_mut());
        stream.launch(self.launches.at(point), args)
    }

    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
        stream.write(&[f64::NAN], self.output.view_mut())
    }

    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
        let sum = stream.read_vec(self.output.view())?;
        Ok(Mismatch::compare("the sum", &[self.expected], &sum, 0.0))
    }
}

impl Trial for Sum {
    fn redraw(&mut self, stream: &Stream, seed: u64) -> gpu_core::Result<()> {
        let mut random = fastrand::Rng::with_seed(seed);
        let values = (0..self.input.len()).map(|_| f64::from(random.u32(..BELOW)));
        let values: Vec<f64> = values.collect();
        self.expected = values.iter().sum();
        stream.write(&values, self.input.view_mut())
    }

    fn baseline_words(&self) -> &'static str {
        "a grid of at most 2048 blocks of 128, each thread looping over its share"
    }

    fn work(&self) -> Work {
        let len = count(self.input.len());
        Work { bytes: 8 * len, flops: len, precision: Precision::Double }
    }
}
