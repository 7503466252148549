//! A convolution of a square image with a window of 9 x 9 in single precision.

use gpu_core::{Device, DeviceBuffer, KernelImages, LaunchSpace, Point, Stream};
use kernel_tuner::{Mismatch, Ready, Subject};
use kernels::Tunable as _;
use kernels::stencil::{
    Convolve, ConvolveArgs, ConvolveDirect, MARGIN, WINDOW, WindowArgs, convolve,
};

use super::super::roofline::{Precision, Work};
use super::super::trial::Trial;
use super::launches::{Launches, compare, count, singles};

/// An image on a device, weighed by [`Convolve`], or by [`ConvolveDirect`] at the baseline.
#[derive(Debug)]
pub(super) struct Convolution {
    name: String,
    side: u32,
    tiled: Launches<Convolve>,
    direct: Launches<ConvolveDirect>,
    input: DeviceBuffer<f32>,
    weights: DeviceBuffer<f32>,
    output: DeviceBuffer<f32>,
    expected: Vec<f32>,
}

/// A point of the space of the baseline's kernel, whose threads take one element each.
fn is_direct(point: &Point) -> bool {
    point.value("items").is_none()
}

impl Convolution {
    pub(super) fn new(device: &Device, images: &KernelImages, side: u32) -> gpu_core::Result<Self> {
        let [inner, outer] = [0, MARGIN].map(|margin| (side as usize + margin).pow(2));
        Ok(Self {
            name: format!("convolve of {side} x {side}"),
            side,
            tiled: Launches::new(device, images),
            direct: Launches::new(device, images),
            input: device.buffer(outer)?,
            weights: device.buffer(WINDOW * WINDOW)?,
            output: device.buffer(inner)?,
            expected: vec![0.0; inner],
        })
    }
}

impl Subject for Convolution {
    fn name(&self) -> &str {
        &self.name
    }

    fn space(&self) -> LaunchSpace {
        Convolve::SPACE
    }

    fn baseline(&self) -> Point {
        let is_generic = |point: &Point| point.value("threads") == Some(128);
        ConvolveDirect::SPACE.points().find(is_generic).expect("the space has 128 threads")
    }

    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
        let len = self.expected.len();
        if is_direct(point) {
            return self.direct.prepare(point, ConvolveDirect::launch_at(point, len));
        }
        self.tiled.prepare(point, Convolve::launch_at(point, len))
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
        let window = WindowArgs {
            input: self.input.view(),
            weights: self.weights.view(),
            output: self.output.view_mut(),
            rows: self.side,
            columns: self.side,
        };
        if is_direct(point) {
            return stream.launch(self.direct.at(point), window);
        }
        let items = Convolve::items_at(point);
        stream.launch(self.tiled.at(point), ConvolveArgs { window, items })
    }

    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
        stream.write(&vec![f32::NAN; self.output.len()], self.output.view_mut())
    }

    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
        Ok(compare("the weighed image", &self.expected, &stream.read_vec(self.output.view())?))
    }
}

impl Trial for Convolution {
    fn redraw(&mut self, stream: &Stream, seed: u64) -> gpu_core::Result<()> {
        let input = singles(seed, self.input.len());
        let weights = singles(!seed, self.weights.len());
        let window = weights.first_chunk().expect("as many were drawn");
        convolve(self.side, &input, window, &mut self.expected);
        stream.write(&input, self.input.view_mut())?;
        stream.write(&weights, self.weights.view_mut())
    }

    fn baseline_words(&self) -> &'static str {
        "a thread to each element, no shared memory, blocks of 128"
    }

    fn work(&self) -> Work {
        let [input, output] = [self.input.len(), self.output.len()].map(count);
        let taps = count(WINDOW * WINDOW);
        let bytes = 4 * (input + taps + output);
        Work { bytes, flops: 2 * taps * output, precision: Precision::Single }
    }
}
