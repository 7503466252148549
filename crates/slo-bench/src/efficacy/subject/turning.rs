//! The transpose of a square matrix in single precision.

use gpu_core::{Device, DeviceBuffer, KernelImages, LaunchSpace, Point, Stream};
use kernel_tuner::{Mismatch, Ready, Subject};
use kernels::Tunable as _;
use kernels::matrix::{Transpose, TransposeArgs, TransposeTile, transpose};

use super::super::roofline::{Precision, Work};
use super::super::trial::Trial;
use super::launches::{Launches, compare, count, singles};

/// A matrix on a device, transposed by [`Transpose`].
#[derive(Debug)]
pub(super) struct Turning {
    name: String,
    side: u32,
    launches: Launches<Transpose>,
    input: DeviceBuffer<f32>,
    output: DeviceBuffer<f32>,
    expected: Vec<f32>,
}

impl Turning {
    pub(super) fn new(device: &Device, images: &KernelImages, side: u32) -> gpu_core::Result<Self> {
        let len = side as usize * side as usize;
        Ok(Self {
            name: format!("transpose of {side} x {side}"),
            side,
            launches: Launches::new(device, images),
            input: device.buffer(len)?,
            output: device.buffer(len)?,
            expected: vec![0.0; len],
        })
    }
}

impl Subject for Turning {
    fn name(&self) -> &str {
        &self.name
    }

    fn space(&self) -> LaunchSpace {
        Transpose::SPACE
    }

    fn baseline(&self) -> Point {
        Transpose::baseline()
    }

    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
        self.launches.prepare(point, Transpose::launch_at(point, self.expected.len()))
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
        let args = TransposeArgs {
            input: self.input.view(),
            output: self.output.view_mut(),
            rows: self.side,
            columns: self.side,
            tile: TransposeTile::at(point),
        };
        stream.launch(self.launches.at(point), args)
    }

    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
        stream.write(&vec![f32::NAN; self.output.len()], self.output.view_mut())
    }

    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
        Ok(compare("the transpose", &self.expected, &stream.read_vec(self.output.view())?))
    }
}

impl Trial for Turning {
    fn redraw(&mut self, stream: &Stream, seed: u64) -> gpu_core::Result<()> {
        let input = singles(seed, self.input.len());
        transpose(self.side, &input, &mut self.expected);
        stream.write(&input, self.input.view_mut())
    }

    fn baseline_words(&self) -> &'static str {
        "tiles of 32 x 32 written as they are read, no shared memory, blocks of 128"
    }

    fn work(&self) -> Work {
        Work { bytes: 2 * 4 * count(self.expected.len()), flops: 0, precision: Precision::Single }
    }
}
