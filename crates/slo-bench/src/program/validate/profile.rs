//! The tuned choice as a profile beside the report, for programs that launch the same kernel on the same device.
//!
//! Never keeps what was not measured, and believes only what it has read back.

use std::path::Path;

use gpu_core::BackendKind;
use kernel_tuner::{Choice, ProfileCache, ProfileKey, Tuned};
use kernels::Tunable as _;
use kernels::vector::ReduceSum;
use slo_bench::{PROFILE, Section, Verdict};

const NAME: &str = "the tuned choice is kept and found again";

/// Writes `tuned` to a profile in `folder`, reads that back and looks the choice up.
pub(super) fn keep(section: &mut Section, tuned: &Tuned, folder: &Path) -> anyhow::Result<()> {
    if tuned.device.backend == BackendKind::HostSimulated {
        section.check(NAME, Verdict::skipped("a simulated device measures no time"), "");
        return Ok(());
    }
    let key = ProfileKey::new(&tuned.device, &ReduceSum::SOURCE.hash(), &tuned.subject);
    let path = folder.join(PROFILE);
    let cache = ProfileCache::new();
    cache.insert(key.clone(), tuned.clone());
    cache.save(&path)?;
    section.files.push(PROFILE.to_owned());
    let found = ProfileCache::open(&path)?.find(&key);
    let point = found.and_then(|found| found.point.find_in(&ReduceSum::SPACE));
    let holds = point.as_ref().is_some_and(|point| Choice::from(point) == tuned.point);
    let seen = match point {
        Some(point) => format!("{point}, in {PROFILE} beside the report"),
        None => format!("{PROFILE} does not hold the choice for {}", tuned.subject),
    };
    section.check(NAME, holds, seen);
    Ok(())
}
