//! The versions of every workload against each other: how many frames of what.

use slo_bench::cli::{CompareFrames, Subject, compare};
use slo_bench::{Reference, Section};

use super::Amount;
use crate::program::setup::Setup;

/// What is compared: every workload at its own size, and the network at one more, which fills the blocks of its kernel.
pub(super) const SUBJECTS: [Subject; 4] = [
    Subject { workload: Reference::ActiveInference, n: 900 },
    Subject { workload: Reference::Thermodynamic, n: 900 },
    Subject { workload: Reference::Thermodynamic, n: 1024 },
    Subject { workload: Reference::Frame, n: 900 },
];

/// How many frames [`add`] goes through.
pub(super) fn frames(setup: &Setup<'_>, amount: &Amount) -> u64 {
    counts(setup, amount).max() * SUBJECTS.len() as u64
}

/// How many frames of a workload [`add`] compares, in words.
pub(super) fn words(setup: &Setup<'_>, amount: &Amount) -> String {
    let CompareFrames { naive, device } = counts(setup, amount);
    match device {
        0 => format!("{naive} frames each against naive"),
        _ => format!("{naive} frames each against naive, {device} of the device against optimised"),
    }
}

/// Compares the versions of every workload and adds what was seen to `section`; `progress` hears of each frame.
pub(super) fn add(
    setup: &Setup<'_>,
    section: &mut Section,
    amount: &Amount,
    mut progress: impl FnMut(),
) -> anyhow::Result<()> {
    for subject in SUBJECTS {
        let counts = counts(setup, amount);
        let frames = setup.frames.endless()?;
        compare(&setup.session, subject, frames, counts, &mut progress)?.add_to(section);
    }
    Ok(())
}

fn counts(setup: &Setup<'_>, amount: &Amount) -> CompareFrames {
    CompareFrames::on(&setup.session, amount.naive_frames, amount.device_frames)
}
