//! The reference workloads by name, and how one is opened.
//!
//! Computes nothing: each workload has a file of its own.

use gpu_core::{Device, KernelImages};
use kernels::active_inference::{HORIZON, MODES, POLICIES, SUBSTEPS};

use super::{ActiveInference, Frame, Thermodynamic, WORKLOADS, Workload, check_workload};
use crate::error::{Error, Result};
use crate::frames::{FrameSource, WINDOWS};
use crate::saturation::Work;

/// Most oscillators of a network: its couplings, n * n numbers, take 128 MiB each time they are held.
const NETWORK_N_MAX: usize = 1 << 12;

/// A reference workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// W1, the step of active inference: inference and five policies a call.
    ActiveInference,
    /// W2, the evolution of a thermodynamic network: ten steps a call.
    Thermodynamic,
    /// W3, the end-to-end frame: eight phases, the two above among them.
    Frame,
}

/// Which version of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The equations loop by loop on one thread.
    Naive,
    /// The same results on all cores.
    Optimised,
    /// The kernels; on the host backend, the optimised version in their place.
    Device,
}

/// What a workload is opened with.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadConfig<'a> {
    /// Which version.
    pub variant: Variant,
    /// Its size.
    pub n: usize,
    /// Seed of the initial state and of the noise.
    pub seed: u64,
    /// Where [`Variant::Device`] runs; the other versions do not use it.
    pub device: &'a Device,
    /// Compiled kernels, for a CUDA device.
    pub images: &'a KernelImages,
}

impl Reference {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 3] = [Self::ActiveInference, Self::Thermodynamic, Self::Frame];

    /// Its name in contracts, reports and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ActiveInference => "active-inference",
            Self::Thermodynamic => "thermodynamic",
            Self::Frame => "frame",
        }
    }

    /// Its short name in the files of a [`Dump`](crate::Dump).
    pub fn code(self) -> &'static str {
        match self {
            Self::ActiveInference => "w1",
            Self::Thermodynamic => "w2",
            Self::Frame => "w3",
        }
    }

    /// The size that it is judged at.
    pub fn n(self) -> usize {
        900
    }

    /// Refuses a size that it cannot have.
    ///
    /// # Errors
    /// [`Error::WorkloadSize`] or [`Error::WorkloadTooLarge`].
    pub fn check_n(self, n: usize) -> Result<()> {
        match self {
            // Below that, a network may have any size; the kernels refuse 0.
            Self::Thermodynamic if n <= NETWORK_N_MAX => Ok(()),
            Self::Thermodynamic => {
                let (workload, n_max) = (self.name(), NETWORK_N_MAX);
                Err(Error::WorkloadTooLarge { workload, n, n_max })
            }
            Self::ActiveInference | Self::Frame if n == self.n() => Ok(()),
            Self::ActiveInference | Self::Frame => {
                Err(Error::WorkloadSize { workload: self.name(), n, expected: self.n() })
            }
        }
    }

    /// What an iteration of size `n` has to do at least: inputs read once and outputs written once, multiplications and
    /// additions. State that fits into the cache need not come from memory. Random numbers and elementary functions are
    /// not counted.
    pub fn work(self, n: usize) -> Work {
        let count = |len: usize| u64::try_from(len).expect("64 bits hold any length");
        let (windows, modes) = (count(WINDOWS), count(MODES));
        match self {
            // The folded coupling times a drive for every policy and step of the horizon, and a weighted sum of the noise of
            // their substeps.
            Self::ActiveInference => {
                let steps = count(POLICIES * HORIZON);
                let operations = 2 * steps * windows * (modes + count(SUBSTEPS));
                Work { bytes: 8 * windows * modes, operations }
            }
            // Ten steps and the energy at their end are eleven products of the matrix with two vectors; angles and
            // velocities come and go, frequencies come.
            Self::Thermodynamic => {
                let n = count(n);
                Work { bytes: 8 * (n * n + 5 * n), operations: 11 * 4 * n * n }
            }
            // The coupling of the network read and written; values, targets and controls; the two above.
            Self::Frame => {
                let parts = [Self::Thermodynamic, Self::ActiveInference].map(|part| part.work(n));
                let operations = parts.iter().map(|part| part.operations).sum();
                Work { bytes: 8 * windows * (2 * windows + 3), operations }
            }
        }
    }

    /// The workload of this name.
    ///
    /// # Errors
    /// [`Error::WorkloadUnknown`].
    pub fn find(name: &str) -> Result<Self> {
        check_workload(name, WORKLOADS)?;
        let found = Self::ALL.into_iter().find(|workload| workload.name() == name);
        Ok(found.expect("WORKLOADS names them all"))
    }

    /// The workload at its beginning. Its input comes from `frames`, if it takes frames.
    ///
    /// # Errors
    /// If it cannot have this size, a kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn open(
        self,
        config: &WorkloadConfig<'_>,
        frames: Box<dyn FrameSource>,
    ) -> Result<Box<dyn Workload>> {
        Ok(match self {
            Self::ActiveInference => Box::new(ActiveInference::new(config)?),
            Self::Thermodynamic => Box::new(Thermodynamic::new(config)?),
            Self::Frame => Box::new(Frame::new(config, frames)?),
        })
    }
}

impl Variant {
    /// As it stands in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Optimised => "optimised",
            Self::Device => "device",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_counts_what_the_workloads_inside_it_do() {
        let [inference, network, frame] = Reference::ALL.map(|workload| workload.work(900));
        assert_eq!(inference.bytes, 8 * 900 * 100);
        assert_eq!(network, Work { bytes: 8 * (810_000 + 4_500), operations: 44 * 810_000 });
        assert_eq!(frame.operations, inference.operations + network.operations);
        assert_eq!(frame.bytes, 8 * (2 * 810_000 + 3 * 900));
        assert_eq!(Reference::Thermodynamic.work(1).operations, 44);
    }

    #[test]
    fn every_name_finds_its_workload() {
        let names: Vec<_> = Reference::ALL.iter().map(|workload| workload.name()).collect();
        assert_eq!(names, WORKLOADS);
        for workload in Reference::ALL {
            assert_eq!(Reference::find(workload.name()).unwrap(), workload);
        }
        assert!(matches!(Reference::find("thermo"), Err(Error::WorkloadUnknown { .. })));
    }
}
