//! C = A B: what every kernel of the product takes, and what it means.
//!
//! Tolerance between kernels and reference: none. Each element is summed along the depth from the first term to the last
//! with fused multiply-adds, by every kernel and launch, so that the bits are equal. Against the exact product the error
//! is at most gamma_k |A| |B| element by element, with gamma_k = k u / (1 - k u) and u = 2^-24, since every
//! term meets at most k roundings (Higham, Accuracy and Stability of Numerical Algorithms, section 3.5).

use gpu_core::{DeviceSlice, DeviceSliceMut, Error, HostMemory, Params, Result};
use rayon::prelude::*;

use crate::source::check_len;

/// Sides of the matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductShape {
    /// Rows of A and C.
    pub m: u32,
    /// Columns of B and C.
    pub n: u32,
    /// Columns of A and rows of B.
    pub k: u32,
}

impl ProductShape {
    /// Square matrices with `side` rows.
    pub const fn square(side: u32) -> Self {
        Self { m: side, n: side, k: side }
    }

    /// Elements of A, B and C.
    pub fn lens(&self) -> [usize; 3] {
        let Self { m, n, k } = *self;
        [(m, k), (k, n), (m, n)].map(|(rows, columns)| rows as usize * columns as usize)
    }
}

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct ProductArgs<'a> {
    /// The left factor, m x k.
    pub a: DeviceSlice<'a, f32>,
    /// The right factor, k x n.
    pub b: DeviceSlice<'a, f32>,
    /// The product, m x n.
    pub c: DeviceSliceMut<'a, f32>,
    /// The sides.
    pub shape: ProductShape,
}

impl ProductArgs<'_> {
    /// Refuses views that are not as long as the shape says, and sides that 32 bits of a kernel's arithmetic do not hold.
    pub(super) fn check(&self, kernel: &'static str) -> Result<()> {
        let ProductShape { m, n, k } = self.shape;
        if [m, n, k].into_iter().any(|side| side > SIDE_MAX) {
            let reason = "a side has at most 2^30 elements";
            return Err(Error::Argument { kernel, reason });
        }
        let [a, b, c] = self.shape.lens();
        check_len("the left factor of a product", a, self.a.len())?;
        check_len("the right factor of a product", b, self.b.len())?;
        check_len("the product", c, self.c.len())
    }

    pub(super) fn bind(&self, params: &mut Params) {
        params.slice(&self.a);
        params.slice(&self.b);
        params.slice_mut(&self.c);
        params.scalar(self.shape.m);
        params.scalar(self.shape.n);
        params.scalar(self.shape.k);
    }

    pub(super) fn reference(self, memory: &HostMemory) {
        let Self { a, b, c, shape } = self;
        gemm(shape, memory.slice(a), memory.slice(b), memory.slice_mut(c));
    }
}

/// Longest side: an index beyond it by a tile still fits into 32 bits.
const SIDE_MAX: u32 = 1 << 30;

/// What the kernels mean, on all cores. The host backend runs exactly this.
pub fn gemm(shape: ProductShape, a: &[f32], b: &[f32], c: &mut [f32]) {
    let (n, k) = (shape.n as usize, shape.k as usize);
    if n == 0 {
        return;
    }
    c.par_chunks_mut(n).enumerate().for_each(|(i, sums)| {
        sums.fill(0.0);
        for (&left, right) in a[i * k..][..k].iter().zip(b.chunks_exact(n)) {
            for (sum, &right) in sums.iter_mut().zip(right) {
                *sum = left.mul_add(right, *sum);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::transpose;
    use crate::philox::{Draw, Philox};

    fn product(shape: ProductShape, a: &[f32], b: &[f32]) -> Vec<f32> {
        let mut c = vec![f32::NAN; shape.lens()[2]];
        gemm(shape, a, b, &mut c);
        c
    }

    #[expect(clippy::cast_possible_truncation, reason = "any single near the double will do")]
    fn drawn(step: u32, len: usize) -> Vec<f32> {
        let mut numbers = vec![0.0; len];
        Philox::new(7).normals(Draw { stream: 64, step, frame: 0 }, &mut numbers);
        numbers.into_iter().map(|x| x as f32).collect()
    }

    #[test]
    fn a_small_product_is_the_one_by_hand() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0, 8.0, 9.0, 10.0, 11.0, 12.0]);
        let shape = ProductShape { m: 2, n: 2, k: 3 };
        assert_eq!(product(shape, &a, &b), [58.0, 64.0, 139.0, 154.0]);
        let shape = ProductShape { m: 3, n: 3, k: 2 };
        assert_eq!(
            product(shape, &a, &b),
            [27.0, 30.0, 33.0, 61.0, 68.0, 75.0, 95.0, 106.0, 117.0]
        );
    }

    #[test]
    fn an_empty_depth_gives_zeros_and_empty_sides_nothing() {
        assert_eq!(product(ProductShape { m: 2, n: 1, k: 0 }, &[], &[]), [0.0, 0.0]);
        assert!(product(ProductShape { m: 2, n: 0, k: 1 }, &[1.0, 2.0], &[]).is_empty());
        assert!(product(ProductShape { m: 0, n: 2, k: 1 }, &[], &[1.0, 2.0]).is_empty());
    }

    #[test]
    fn the_identity_changes_nothing_from_either_side() {
        let shape = ProductShape { m: 5, n: 7, k: 5 };
        let identity = |side: usize| -> Vec<f32> {
            (0..side * side).map(|i| if i % (side + 1) == 0 { 1.0 } else { 0.0 }).collect()
        };
        let numbers = drawn(0, 35);
        assert_eq!(product(shape, &identity(5), &numbers), numbers);
        let shape = ProductShape { m: 5, n: 7, k: 7 };
        assert_eq!(product(shape, &numbers, &identity(7)), numbers);
    }

    #[test]
    fn the_transpose_of_a_product_is_the_product_of_the_transposes_in_reverse() {
        let shape = ProductShape { m: 9, n: 6, k: 31 };
        let (a, b) = (drawn(1, 9 * 31), drawn(2, 31 * 6));
        let turned = |numbers: &[f32], columns| {
            let mut output = vec![0.0; numbers.len()];
            transpose(columns, numbers, &mut output);
            output
        };
        let reversed = ProductShape { m: 6, n: 9, k: 31 };
        let product_of_turned = product(reversed, &turned(&b, 6), &turned(&a, 31));
        assert_eq!(turned(&product(shape, &a, &b), 6), product_of_turned);
    }

    #[test]
    fn the_error_stays_below_its_bound() {
        for k in [1_u16, 2, 33, 1000] {
            let shape = ProductShape { m: 8, n: 9, k: k.into() };
            let [a, b, _] = shape.lens();
            let (a, b) = (drawn(3, a), drawn(4, b));
            let c = product(shape, &a, &b);
            let roundings = f64::from(k) * f64::from(f32::EPSILON) / 2.0;
            let gamma = roundings / (1.0 - roundings);
            for (index, &actual) in c.iter().enumerate() {
                let (row, column) = (index / 9 * usize::from(k), index % 9);
                // A product of singles is exact in doubles, and their sum far better than the bound.
                let terms = a[row..][..usize::from(k)].iter().zip(b[column..].iter().step_by(9));
                let terms: Vec<_> = terms.map(|(&a, &b)| f64::from(a) * f64::from(b)).collect();
                let exact: f64 = terms.iter().sum();
                let magnitude: f64 = terms.iter().map(|term| term.abs()).sum();
                let error = (f64::from(actual) - exact).abs();
                assert!(error <= gamma * magnitude, "{error:e} at {index} of depth {k}");
            }
        }
    }
}
