//! The product of two square matrices in single precision.

use gpu_core::{Device, DeviceBuffer, KernelImages, LaunchSpace, Point, Stream};
use kernel_tuner::{Mismatch, Ready, Subject};
use kernels::Tunable as _;
use kernels::matrix::{Gemm, GemmArgs, GemmDirect, GemmTile, ProductArgs, ProductShape, gemm};

use super::super::roofline::{Precision, Work};
use super::super::trial::Trial;
use super::launches::{Launches, compare, singles};

/// Square matrices on a device, multiplied by [`Gemm`], or by [`GemmDirect`] at the baseline.
#[derive(Debug)]
pub struct Product {
    name: String,
    shape: ProductShape,
    tiled: Launches<Gemm>,
    direct: Launches<GemmDirect>,
    a: DeviceBuffer<f32>,
    b: DeviceBuffer<f32>,
    c: DeviceBuffer<f32>,
    expected: Vec<f32>,
}

/// A point of the space of the baseline's kernel, which has no tile.
fn is_direct(point: &Point) -> bool {
    point.value("depth").is_none()
}

impl Product {
    /// Room for matrices with `side` rows; they hold zeros until they are drawn.
    ///
    /// # Errors
    /// If memory runs out.
    pub fn new(device: &Device, images: &KernelImages, side: u32) -> gpu_core::Result<Self> {
        let shape = ProductShape::square(side);
        let [a, b, c] = shape.lens();
        Ok(Self {
            name: format!("gemm of {side} x {side}"),
            shape,
            tiled: Launches::new(device, images),
            direct: Launches::new(device, images),
            a: device.buffer(a)?,
            b: device.buffer(b)?,
            c: device.buffer(c)?,
            expected: vec![0.0; c],
        })
    }
}

impl Subject for Product {
    fn name(&self) -> &str {
        &self.name
    }

    fn space(&self) -> LaunchSpace {
        Gemm::SPACE
    }

    fn baseline(&self) -> Point {
        let is_generic = |point: &Point| point.value("threads") == Some(128);
        GemmDirect::SPACE.points().find(is_generic).expect("the space has 128 threads")
    }

    fn prepare(&mut self, point: &Point) -> gpu_core::Result<Ready> {
        if is_direct(point) {
            return self.direct.prepare(point, GemmDirect::launch_at(point, self.expected.len()));
        }
        let threads = point.value("threads").expect("every point has its threads");
        self.tiled.prepare(point, GemmTile::at(point).launch(self.shape, threads))
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> gpu_core::Result<()> {
        let (a, b, c) = (self.a.view(), self.b.view(), self.c.view_mut());
        let product = ProductArgs { a, b, c, shape: self.shape };
        if is_direct(point) {
            return stream.launch(self.direct.at(point), product);
        }
        stream.launch(self.tiled.at(point), GemmArgs { product, tile: GemmTile::at(point) })
    }

    fn poison(&mut self, stream: &Stream) -> gpu_core::Result<()> {
        stream.write(&vec![f32::NAN; self.c.len()], self.c.view_mut())
    }

    fn verify(&mut self, stream: &Stream) -> gpu_core::Result<Result<(), Mismatch>> {
        Ok(compare("the product", &self.expected, &stream.read_vec(self.c.view())?))
    }
}

impl Trial for Product {
    fn redraw(&mut self, stream: &Stream, seed: u64) -> gpu_core::Result<()> {
        let (a, b) = (singles(seed, self.a.len()), singles(!seed, self.b.len()));
        gemm(self.shape, &a, &b, &mut self.expected);
        stream.write(&a, self.a.view_mut())?;
        stream.write(&b, self.b.view_mut())
    }

    fn baseline_words(&self) -> &'static str {
        "a thread to each element, no shared memory, blocks of 128"
    }

    fn work(&self) -> Work {
        let ProductShape { m, n, k } = self.shape;
        let [m, n, k] = [m, n, k].map(u64::from);
        let bytes = 4 * (m * k + k * n + m * n);
        Work { bytes, flops: 2 * m * n * k, precision: Precision::Single }
    }
}
