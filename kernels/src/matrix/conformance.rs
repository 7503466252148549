//! Whether a device computes products and transposes as their references do, by every launch and tile.

use gpu_core::{DeviceBuffer, Launch, Point, Result, Stream};

use super::{
    Gemm, GemmArgs, GemmDirect, GemmTile, ProductArgs, ProductShape, Transpose, TransposeArgs,
    TransposeTile, gemm, transpose,
};
use crate::conformance::{Case, Context, GUARD, KernelCheck, launches};
use crate::source::{Tunable, choice};

/// A check for each kernel of this folder.
pub(crate) fn check(context: &Context<'_>) -> Vec<KernelCheck> {
    [
        context.check(Gemm::SOURCE.name, "product", check_gemm),
        context.check(GemmDirect::SOURCE.name, "product", check_gemm_direct),
        context.check(Transpose::SOURCE.name, "transpose", check_transpose),
    ]
    .concat()
}

/// Empty sides and depths, single elements, sides that fill no tile, and more than one tile of every size.
const SHAPES: [ProductShape; 6] = [
    ProductShape { m: 0, n: 3, k: 2 },
    ProductShape { m: 3, n: 5, k: 0 },
    ProductShape { m: 1, n: 1, k: 1 },
    ProductShape { m: 17, n: 33, k: 9 },
    ProductShape { m: 70, n: 64, k: 40 },
    ProductShape { m: 150, n: 133, k: 35 },
];

const RECTANGLES: [[u32; 2]; 6] = [[0, 5], [5, 0], [1, 1], [1, 100], [70, 33], [129, 260]];

/// The factors of a product on the device, room for it, and what it must become.
struct Product {
    shape: ProductShape,
    a: DeviceBuffer<f32>,
    b: DeviceBuffer<f32>,
    c: DeviceBuffer<f32>,
    expected: Vec<f32>,
}

impl Product {
    fn new(context: &Context<'_>, stream: &Stream, shape: ProductShape) -> Result<Self> {
        let [a_len, b_len, c_len] = shape.lens();
        let (left, right) = (context.singles(10, a_len), context.singles(11, b_len));
        let mut expected = vec![0.0; c_len];
        gemm(shape, &left, &right, &mut expected);
        let (mut a, mut b) = (context.device.buffer(a_len)?, context.device.buffer(b_len)?);
        stream.write(&left, a.view_mut())?;
        stream.write(&right, b.view_mut())?;
        Ok(Self { shape, a, b, c: context.device.buffer(c_len + GUARD)?, expected })
    }

    /// Arguments over an output that is poisoned.
    fn args(&mut self, stream: &Stream) -> Result<ProductArgs<'_>> {
        stream.write(&vec![f32::NAN; self.c.len()], self.c.view_mut())?;
        let c = self.c.view_mut().range(0..self.expected.len())?;
        Ok(ProductArgs { a: self.a.view(), b: self.b.view(), c, shape: self.shape })
    }

    fn compare(&self, stream: &Stream, check: &mut KernelCheck, launch: Launch) -> Result<()> {
        let case = Case { len: self.expected.len(), launch };
        check.compare(case, &self.expected, &stream.read_vec(self.c.view())?);
        Ok(())
    }
}

fn check_gemm(context: &Context<'_>, check: &mut KernelCheck) -> Result<()> {
    let stream = context.device.stream()?;
    let points: Vec<Point> = Gemm::SPACE.points().collect();
    for shape in SHAPES {
        let mut product = Product::new(context, &stream, shape)?;
        for point in &points {
            let (tile, threads) = (GemmTile::at(point), choice(&Gemm::SPACE, point, "threads"));
            let covering = tile.launch(shape, threads);
            // One block has to go on to the next tile, whatever its size: the smallest shows it.
            let single = Launch { grid: [1, 1, 1], ..covering };
            for launch in [covering].into_iter().chain((threads == 64).then_some(single)) {
                let prepared = Gemm::prepare(context.device, context.images, launch)?;
                let args = GemmArgs { product: product.args(&stream)?, tile };
                stream.launch(&prepared, args)?;
                product.compare(&stream, check, launch)?;
            }
        }
    }
    Ok(())
}

fn check_gemm_direct(context: &Context<'_>, check: &mut KernelCheck) -> Result<()> {
    let stream = context.device.stream()?;
    for shape in SHAPES {
        let mut product = Product::new(context, &stream, shape)?;
        for launch in launches::<GemmDirect>(shape.lens()[2]) {
            let prepared = GemmDirect::prepare(context.device, context.images, launch)?;
            stream.launch(&prepared, product.args(&stream)?)?;
            product.compare(&stream, check, launch)?;
        }
    }
    Ok(())
}

fn check_transpose(context: &Context<'_>, check: &mut KernelCheck) -> Result<()> {
    let stream = context.device.stream()?;
    for [rows, columns] in RECTANGLES {
        let len = rows as usize * columns as usize;
        let matrix = context.singles(12, len);
        let mut expected = vec![0.0; len];
        transpose(columns, &matrix, &mut expected);
        let mut input = context.device.buffer(len)?;
        stream.write(&matrix, input.view_mut())?;
        let mut output = context.device.buffer(len + GUARD)?;
        for point in Transpose::SPACE.points() {
            let tile = TransposeTile::at(&point);
            let covering =
                tile.launch([rows, columns], choice(&Transpose::SPACE, &point, "threads"));
            let single = Launch { grid: [1, 1, 1], ..covering };
            for launch in [covering, single] {
                let prepared = Transpose::prepare(context.device, context.images, launch)?;
                stream.write(&vec![f32::NAN; len + GUARD], output.view_mut())?;
                let target = output.view_mut().range(0..len)?;
                let args =
                    TransposeArgs { input: input.view(), output: target, rows, columns, tile };
                stream.launch(&prepared, args)?;
                let case = Case { len, launch };
                check.compare(case, &expected, &stream.read_vec(output.view())?);
            }
        }
    }
    Ok(())
}
