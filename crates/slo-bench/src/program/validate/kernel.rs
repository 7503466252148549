//! Section `kernels`: every kernel against its reference, and the versions of every workload against each other.
//!
//! Tolerances are those of `kernels`; nothing here widens them.

use kernels::conformance::{KernelCheck, check_all};
use slo_bench::{Reference, Section};

use super::{Amount, versions};
use crate::program::latency::SEED;
use crate::program::setup::Setup;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("kernels");
    // One step for each kernel, then one for each frame of a workload.
    let kernels = kernels::SOURCES.len() as u64;
    let frames = versions::frames(setup, amount);
    let bar = setup.terminal.progress("kernels", kernels + frames);
    let mut cases = 0;
    let mut done = String::new();
    for check in check_all(setup.device(), &setup.images, SEED) {
        if done != check.kernel {
            bar.inc(1);
            check.kernel.clone_into(&mut done);
        }
        cases += check.cases;
        add(&mut section, &check);
    }
    let compared = versions::add(setup, &mut section, amount, || bar.inc(1));
    bar.finish_and_clear();
    compared?;
    let detail = format!(
        "{cases} comparisons of {kernels} kernels on {}, then every version of {} workloads: {}",
        setup.device().backend(),
        Reference::ALL.len(),
        versions::words(setup, amount),
    );
    Ok(section.close(detail))
}

fn add(section: &mut Section, check: &KernelCheck) {
    let KernelCheck { kernel, quantity, cases, worst, tolerance, failure } = check;
    let seen = match failure {
        None => format!("worst difference {worst:.1e} over {cases} cases, {tolerance:.0e} allowed"),
        Some(failure) => failure.to_string(),
    };
    section.check(format!("{kernel}: {quantity}"), check.passed(), seen);
}
