//! Section `saturation`: the judgement of saturation on a load that only looks busy and on one that is.
//!
//! Says nothing of what a device can do: it tries what says so. What contracts promise of saturation is left to `bench`.

use gpu_core::BackendKind;
use slo_bench::cli::Gauge;
use slo_bench::saturation::Control;
use slo_bench::{Contract, Section, Verdict};

use super::Amount;
use crate::program::saturation::promises;
use crate::program::setup::Setup;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("saturation");
    let Some(mut gauge) = Gauge::open(&setup.session, &mut section)? else {
        return Ok(section.close(""));
    };
    for control in [Control::ONE_BLOCK_SPIN, Control::STREAMING_TRIAD] {
        gauge.control(&mut section, &control, amount.saturation_s)?;
    }
    left_to_bench(&mut section, &setup.contracts.contracts, setup.session.device().backend());
    let detail = match gauge.blindness() {
        None => "a spin of one block is told from a streaming triad".to_owned(),
        Some(reason) => format!("the loads are right, and not judged: {reason}"),
    };
    Ok(section.close(detail))
}

/// Says of what is promised on this device that it was not tried.
fn left_to_bench(section: &mut Section, contracts: &[Contract], backend: BackendKind) {
    let (promised, _) = promises(contracts.iter(), backend);
    for (contract, terms) in promised {
        section.check(terms.check_name(&contract.name), Verdict::skipped("`bench` judges it"), "");
    }
}

#[cfg(test)]
mod tests {
    use slo_bench::ContractSet;

    use super::*;

    #[test]
    fn what_is_promised_on_a_gpu_is_named_and_left_to_bench() {
        let shipped = ContractSet::shipped(&["active-inference", "frame", "thermodynamic"]);
        let contracts = shipped.unwrap().contracts;
        let left = |backend| {
            let mut section = Section::new("saturation");
            left_to_bench(&mut section, &contracts, backend);
            section.checks
        };
        assert_eq!(left(BackendKind::Host), []);
        let checks = left(BackendKind::Cuda);
        assert!(checks[0].name.starts_with("frame-h100: NVML gpu > 80 %"), "{}", checks[0].name);
        let skipped = Verdict::skipped("`bench` judges it");
        assert!(checks.len() == 2 && checks.iter().all(|check| check.verdict == skipped));
    }
}
