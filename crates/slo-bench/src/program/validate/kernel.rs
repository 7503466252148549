//! Section `kernels`: every kernel against its reference, and the versions of every workload against each other.
//!
//! Tolerances are those of `kernels`; nothing here widens them.

use gpu_core::BackendKind;
use kernels::conformance::{KernelCheck, check_all};
use slo_bench::Section;
use slo_bench::cli::SEED;

use super::{Amount, versions};
use crate::program::setup::Setup;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("kernels");
    // One step for each kernel, then one for each frame of a workload.
    let kernels = kernels::SOURCES.len() as u64;
    let frames = versions::frames(setup, amount);
    let bar = setup.session.terminal.progress("kernels", kernels + frames);
    let backend = setup.session.device().backend();
    let mut cases = Cases::default();
    let mut done = String::new();
    for check in check_all(setup.session.device(), &setup.session.images, SEED) {
        if done != check.kernel {
            bar.inc(1);
            check.kernel.clone_into(&mut done);
        }
        cases.count(&check, backend);
        add(&mut section, &check, backend);
    }
    let compared = versions::add(setup, &mut section, amount, || bar.inc(1));
    bar.finish_and_clear();
    compared?;
    let detail = format!(
        "{} of {kernels} kernels on {backend}, then every version of {} workloads and sizes: {}",
        cases.words(),
        versions::SUBJECTS.len(),
        versions::words(setup, amount),
    );
    Ok(section.close(detail))
}

/// Kernels that are compared with the very function that the host backend runs in their place. The checks of
/// all others compare the naive version with the optimised one there.
const COMPARED_WITH_ITSELF: [&str; 8] = [
    "convolve",
    "convolve_direct",
    "gemm",
    "gemm_direct",
    "reduce_sum",
    "saxpy",
    "tracking_error",
    "transpose",
];

/// Whether `check` compares two different computations. Off a GPU a kernel's reference runs in its place, so that
/// comparing the two shows that arguments, lengths and results pass through, and nothing about the arithmetic.
fn is_independent(check: &KernelCheck, backend: BackendKind) -> bool {
    backend == BackendKind::Cuda || !COMPARED_WITH_ITSELF.contains(&check.kernel)
}

/// Comparisons by what they show.
#[derive(Debug, Default)]
struct Cases {
    independent: usize,
    /// Of a reference with itself.
    handed_through: usize,
}

impl Cases {
    fn count(&mut self, check: &KernelCheck, backend: BackendKind) {
        if is_independent(check, backend) {
            self.independent += check.cases;
        } else {
            self.handed_through += check.cases;
        }
    }

    fn words(&self) -> String {
        let Self { independent, handed_through } = self;
        match handed_through {
            0 => format!("{independent} comparisons"),
            _ => format!(
                "{independent} comparisons of naive with optimised and {handed_through} references handed through \
                 the host backend"
            ),
        }
    }
}

fn add(section: &mut Section, check: &KernelCheck, backend: BackendKind) {
    let KernelCheck { kernel, quantity, cases, worst, tolerance, failure } = check;
    let seen = match failure {
        None => format!("worst difference {worst:.1e} over {cases} cases, {tolerance:.0e} allowed"),
        Some(failure) => failure.to_string(),
    };
    let name = match is_independent(check, backend) {
        true => format!("{kernel}: {quantity}"),
        false => format!("{kernel}: {quantity}, the reference handed through the host backend"),
    };
    section.check(name, check.passed(), seen);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kernel: &'static str) -> KernelCheck {
        KernelCheck { kernel, quantity: "y", cases: 5, worst: 0.0, tolerance: 0.0, failure: None }
    }

    fn words(backend: BackendKind) -> (Vec<String>, String) {
        let (mut section, mut cases) = (Section::new("kernels"), Cases::default());
        for kernel in ["saxpy", "evolve"] {
            cases.count(&check(kernel), backend);
            add(&mut section, &check(kernel), backend);
        }
        (section.checks.into_iter().map(|check| check.name).collect(), cases.words())
    }

    #[test]
    fn off_a_gpu_a_reference_compared_with_itself_is_called_that() {
        for backend in [BackendKind::Host, BackendKind::HostSimulated] {
            let (names, words) = words(backend);
            let through = "saxpy: y, the reference handed through the host backend";
            assert_eq!(names, [through, "evolve: y"]);
            let expected = "5 comparisons of naive with optimised and 5 references handed through the host backend";
            assert_eq!(words, expected);
        }
        let (names, words) = words(BackendKind::Cuda);
        assert_eq!(
            (names, words.as_str()),
            (vec!["saxpy: y".into(), "evolve: y".into()], "10 comparisons")
        );
    }

    #[test]
    fn every_kernel_that_is_compared_with_itself_is_there() {
        for name in COMPARED_WITH_ITSELF {
            assert!(kernels::SOURCES.iter().any(|source| source.name == name), "{name}");
        }
    }
}
