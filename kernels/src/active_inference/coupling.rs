//! W, how the drive of each window pushes the others.

use gpu_core::Result;

use super::{MODES, SIDE, WINDOWS, WINDOWS_PER_MODE, count};
use crate::source::check_len;

/// What the weights of a row add up to.
const ROW_SUM: f64 = 2.0;

/// The matrix W, as it is and folded.
///
/// All windows of a mode have the same drive, so W sin(drive) = F sin(drive of the modes), where F_wk is the sum of W_wv
/// over the windows v of mode k. F has a ninth of the elements, and it is made once.
#[derive(Clone, PartialEq)]
pub struct Coupling {
    /// Invariant: `WINDOWS` rows of `WINDOWS` weights.
    dense: Vec<f64>,
    /// Invariant: `WINDOWS` rows of `MODES` sums of the above.
    folded: Vec<f64>,
}

impl Coupling {
    /// The workload's: exp(-d^2 / 8) at the distance d on the grid, every row scaled to a sum of 2.
    pub fn of_neighbours() -> Self {
        let mut dense = vec![0.0; WINDOWS * WINDOWS];
        for (window, row) in dense.chunks_exact_mut(WINDOWS).enumerate() {
            for (other, weight) in row.iter_mut().enumerate() {
                let rows_apart = count((window / SIDE).abs_diff(other / SIDE));
                let columns_apart = count((window % SIDE).abs_diff(other % SIDE));
                let distance_squared = rows_apart * rows_apart + columns_apart * columns_apart;
                *weight = (-distance_squared / 8.0).exp();
            }
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|weight| *weight *= ROW_SUM / sum);
        }
        Self::fold(dense)
    }

    /// Any other matrix, row by row: element (w, v) is the push of window v on window w.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if it does not have a weight for every pair of windows.
    pub fn new(dense: Vec<f64>) -> Result<Self> {
        check_len("the coupling of the windows", WINDOWS * WINDOWS, dense.len())?;
        Ok(Self::fold(dense))
    }

    fn fold(dense: Vec<f64>) -> Self {
        let folded: Vec<f64> =
            dense.chunks_exact(WINDOWS_PER_MODE).map(|weights| weights.iter().sum()).collect();
        debug_assert_eq!(folded.len(), WINDOWS * MODES, "a row holds whole modes");
        Self { dense, folded }
    }

    /// W, row by row.
    pub fn dense(&self) -> &[f64] {
        &self.dense
    }

    /// W with the windows of every mode added up, row by row.
    pub fn folded(&self) -> &[f64] {
        &self.folded
    }
}

impl std::fmt::Debug for Coupling {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Coupling").finish_non_exhaustive()
    }
}
