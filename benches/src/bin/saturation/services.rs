//! The workloads, more and more of each side by side: how many a device carries. Shown, not judged: contracts judge.

use slo_bench::cli::{Gauge, Serving, Subject};
use slo_bench::saturation::{Demand, SaturationPromise, warm_up_s};
use slo_bench::{Formula, Reference, SaturationTerms, Section, Verdict};

use crate::Options;

/// Services side by side.
const COUNTS: [u32; 4] = [1, 2, 4, 8];

pub(super) fn section(options: &Options, gauge: &mut Gauge<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("services");
    let seconds = options.seconds_short();
    let promise =
        SaturationPromise::new(Demand::Multiprocessors).lasting(warm_up_s(seconds), seconds);
    for workload in Reference::ALL {
        for services in COUNTS {
            let name = format!("{} by {services}", workload.name());
            let subject = Subject { workload, n: workload.n() };
            let terms = &SaturationTerms { services, promise };
            let serving = Serving { name: &name, subject, terms };
            let frames = &|| Ok(Box::new(Formula::unlimited()) as _);
            let (verdict, seen) = match gauge.services(&mut section, &serving, frames)? {
                Ok(judged) => (as_shown(&judged.verdict), judged.evidence()),
                Err(reason) => (Verdict::skipped(reason), String::new()),
            };
            section.check(format!("{name}: evidence is whole"), verdict, seen);
        }
    }
    Ok(section.close(format!("{COUNTS:?} services of each workload; shown and not judged")))
}

/// Nothing was promised of the level; only what says nothing at all is bad.
fn as_shown(verdict: &Verdict) -> Verdict {
    match verdict {
        Verdict::Pass | Verdict::Fail => Verdict::Pass,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_full_is_no_failure_and_one_that_nothing_tells_of_is() {
        assert_eq!(as_shown(&Verdict::Fail), Verdict::Pass);
        assert!(as_shown(&Verdict::invalid("hot")).is_bad());
    }
}
