//! The kernels that are tried out, each with the baseline that it is held against.

mod convolution;
mod evolution;
mod inference;
mod launches;
mod product;
mod sum;
mod turning;

use gpu_core::{Device, KernelImages};

use self::convolution::Convolution;
use self::evolution::Evolving;
use self::inference::Inferring;
pub use self::product::Product;
pub use self::sum::Sum;
use self::turning::Turning;
use super::trial::Trial;
use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::workload::Reference;

/// A kernel to try out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialName {
    /// The product of two matrices.
    Gemm,
    /// The sum of a vector.
    ReduceSum,
    /// The transpose of a matrix.
    Transpose,
    /// A convolution with a window of 9 x 9.
    Convolve,
    /// One call of active inference.
    Infer,
    /// One call of the thermodynamic evolution.
    Evolve,
}

/// How much work a trial has. That of active inference and of the evolution has one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Side of the matrices that are multiplied.
    pub product: u32,
    /// Elements that are summed.
    pub sum: usize,
    /// Side of the matrix that is transposed.
    pub transpose: u32,
    /// Side of the image that is weighed.
    pub convolve: u32,
}

impl Sizes {
    /// Beyond every cache, and long enough for the resolution of events.
    pub const DEVICE: Self = Self { product: 2048, sum: 1 << 26, transpose: 8192, convolve: 4096 };

    /// Enough to show that the machinery works. Its times say nothing about a device.
    pub const SMALL: Self = Self { product: 33, sum: 1000, transpose: 40, convolve: 35 };
}

impl TrialName {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::Gemm, Self::ReduceSum, Self::Transpose, Self::Convolve, Self::Infer, Self::Evolve];

    /// The one that the gain of a contract is about.
    ///
    /// # Errors
    /// [`Error::WorkloadUnknown`]; [`Error::ContractWithoutTrial`] if none has its workload's kernel at its size.
    pub fn promised_by(contract: &Contract) -> Result<Self> {
        let workload = Reference::find(&contract.workload)?;
        Self::of(workload).filter(|_| contract.n == workload.n()).ok_or_else(|| {
            let known = Reference::ALL.into_iter().filter(|workload| Self::of(*workload).is_some());
            let known =
                known.map(|workload| format!("`{}` at n = {}", workload.name(), workload.n()));
            let known = known.collect::<Vec<_>>().join(" and ");
            Error::ContractWithoutTrial { workload: workload.name(), n: contract.n, known }
        })
    }

    /// The one of a workload's kernel, at the size that the workload is judged at.
    fn of(workload: Reference) -> Option<Self> {
        match workload {
            Reference::ActiveInference => Some(Self::Infer),
            Reference::Thermodynamic => Some(Self::Evolve),
            Reference::Frame => None,
        }
    }

    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gemm => "gemm",
            Self::ReduceSum => "reduce_sum",
            Self::Transpose => "transpose",
            Self::Convolve => "convolve",
            Self::Infer => "infer",
            Self::Evolve => "evolve_resident",
        }
    }

    /// Puts the trial's buffers on `device`. Its inputs are drawn by [`Trial::redraw`].
    ///
    /// # Errors
    /// If memory runs out, an image is missing, or the device fails.
    pub fn open(
        self,
        device: &Device,
        images: &KernelImages,
        sizes: &Sizes,
    ) -> gpu_core::Result<Box<dyn Trial>> {
        Ok(match self {
            Self::Gemm => Box::new(Product::new(device, images, sizes.product)?),
            Self::ReduceSum => Box::new(Sum::new(device, images, sizes.sum)?),
            Self::Transpose => Box::new(Turning::new(device, images, sizes.transpose)?),
            Self::Convolve => Box::new(Convolution::new(device, images, sizes.convolve)?),
            Self::Infer => Box::new(Inferring::new(device, images)),
            Self::Evolve => Box::new(Evolving::new(device, images)?),
        })
    }
}

#[cfg(test)]
mod tests;
