//! Every 9 x 9 window of an image weighed: what each kernel of the convolution takes, and what it means.
//!
//! The image brings its margin: it is 8 longer than the output along each side, and no window reaches past its end.
//! Tolerance between kernels and reference: none. Each element is summed column by column of its window with
//! fused multiply-adds, by every kernel and launch, so that the bits are equal. Against the exact sum the error is at
//! most gamma_81 times the sum of the terms' magnitudes, with gamma_k as for the product of matrices.

use gpu_core::{DeviceSlice, DeviceSliceMut, HostMemory, Params, Result};
use rayon::prelude::*;

use crate::source::check_len;

/// Elements along each side of a window.
pub const WINDOW: usize = 9;

/// By how much the image is longer than what comes out, along each side.
pub const MARGIN: usize = WINDOW - 1;

/// Arguments, in the order of the `.cu` parameters.
#[derive(Debug)]
pub struct WindowArgs<'a> {
    /// The image with its margin, (rows + 8) x (columns + 8).
    pub input: DeviceSlice<'a, f32>,
    /// The weights, 9 x 9, row major.
    pub weights: DeviceSlice<'a, f32>,
    /// The weighed windows, rows x columns.
    pub output: DeviceSliceMut<'a, f32>,
    /// Rows of the output.
    pub rows: u32,
    /// Columns of the output.
    pub columns: u32,
}

impl WindowArgs<'_> {
    pub(super) fn check(&self) -> Result<()> {
        let [rows, columns] = [self.rows, self.columns].map(|side| side as usize);
        let input = (rows + MARGIN) * (columns + MARGIN);
        check_len("the image of a convolution", input, self.input.len())?;
        check_len("the weights of a convolution", WINDOW * WINDOW, self.weights.len())?;
        check_len("the output of a convolution", rows * columns, self.output.len())
    }

    pub(super) fn bind(&self, params: &mut Params) {
        params.slice(&self.input);
        params.slice(&self.weights);
        params.slice_mut(&self.output);
        params.scalar(self.rows);
        params.scalar(self.columns);
    }

    pub(super) fn reference(self, memory: &HostMemory) {
        let Self { input, weights, output, columns, .. } = self;
        let weights = memory.slice(weights).first_chunk().expect("`check` found the length");
        convolve(columns, memory.slice(input), weights, memory.slice_mut(output));
    }
}

/// What the kernels mean, on all cores: rows of `columns` numbers come out. The host backend runs exactly this.
pub fn convolve(columns: u32, input: &[f32], weights: &[f32; WINDOW * WINDOW], output: &mut [f32]) {
    let columns = columns as usize;
    if columns == 0 {
        return;
    }
    let pitch = columns + MARGIN;
    output.par_chunks_mut(columns).enumerate().for_each(|(row, sums)| {
        sums.fill(0.0);
        for x in 0..WINDOW {
            for y in 0..WINDOW {
                let weight = weights[y * WINDOW + x];
                let window = &input[(row + y) * pitch + x..][..columns];
                for (sum, &number) in sums.iter_mut().zip(window) {
                    *sum = weight.mul_add(number, *sum);
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: [f32; WINDOW * WINDOW] = [0.0; WINDOW * WINDOW];

    fn convolved(rows: usize, columns: u16, input: &[f32], weights: &[f32; 81]) -> Vec<f32> {
        let mut output = vec![f32::NAN; rows * usize::from(columns)];
        convolve(columns.into(), input, weights, &mut output);
        output
    }

    /// Numbers that are exact in every sum of them here.
    fn whole_numbers(len: u16) -> Vec<f32> {
        (0..len).map(|i| f32::from(i * 7 % 31) - 15.0).collect()
    }

    #[test]
    fn a_single_weight_shifts_the_image() {
        let input = whole_numbers(11 * 13);
        for (y, x) in [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4), (2, 7)] {
            let mut weights = NOTHING;
            weights[y * WINDOW + x] = 2.0;
            let output = convolved(3, 5, &input, &weights);
            for (index, &number) in output.iter().enumerate() {
                let expected = 2.0 * input[(index / 5 + y) * 13 + index % 5 + x];
                assert_eq!(number.to_bits(), expected.to_bits(), "weight ({y}, {x}) at {index}");
            }
        }
    }

    #[test]
    fn a_window_by_hand() {
        let mut weights = NOTHING;
        [weights[0], weights[1], weights[WINDOW], weights[80]] = [1.0, 10.0, 100.0, 1000.0];
        let input: Vec<f32> = (0..90_u16).map(f32::from).collect();
        // One row of two: the windows begin at 0 and at 1 of an image 10 wide.
        let first = 0.0 + 10.0 + 100.0 * 10.0 + 1000.0 * 88.0;
        let second = 1.0 + 20.0 + 100.0 * 11.0 + 1000.0 * 89.0;
        assert_eq!(convolved(1, 2, &input, &weights), [first, second]);
    }

    #[test]
    fn what_lies_in_the_middle_of_an_empty_image_keeps_its_sum_times_that_of_the_weights() {
        let weights: [f32; 81] = std::array::from_fn(|i| f32::from(u8::try_from(i % 5).unwrap()));
        let (rows, columns, pitch) = (20, 21_u16, 29);
        let mut input = vec![0.0; (rows + MARGIN) * pitch];
        let lump = whole_numbers(12);
        for (index, &number) in lump.iter().enumerate() {
            input[(MARGIN + index / 4) * pitch + MARGIN + index % 4] = number;
        }
        let sum: f32 = convolved(rows, columns, &input, &weights).iter().sum();
        let expected = lump.iter().sum::<f32>() * weights.iter().sum::<f32>();
        assert_eq!(sum.to_bits(), expected.to_bits());
        assert!(expected != 0.0);
    }
}
