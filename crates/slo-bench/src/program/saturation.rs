//! Section `saturation` of `bench`: the design note's promise on a streaming triad, and what contracts promise of services.
//!
//! Never judges without what tells how busy the device is, and always shows all evidence side by side.

use slo_bench::cli::{Carried, Gauge, Serving, Subject};
use slo_bench::saturation::{Control, warm_up_s};
use slo_bench::{Contract, Reference, SaturationTerms, Section, Verdict};

use super::setup::Setup;

/// Seconds that the triad is judged by.
const SECONDS: u32 = 60;

/// What is judged.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// Whether the triad is, beside what contracts promise.
    triad: bool,
    /// The contracts that are about this device.
    promised: Vec<(&'a Contract, SaturationTerms)>,
    /// Seconds of a first look; otherwise as many as were promised, which decide.
    look_s: Option<u32>,
}

impl<'a> Asked<'a> {
    /// The triad and all contracts, or those of one workload.
    pub(super) fn new(setup: &'a Setup<'_>, only: Option<Reference>, look_s: Option<u32>) -> Self {
        let backend = setup.session.device().backend();
        let is_asked = |contract: &&Contract| {
            contract.target.is_met_by(backend)
                && only.is_none_or(|workload| contract.workload == workload.name())
        };
        let asked = setup.contracts.contracts.iter().filter(is_asked);
        let promised = asked.filter_map(|contract| Some((contract, contract.saturation?)));
        Self { triad: only.is_none(), promised: promised.collect(), look_s }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.triad && self.promised.is_empty()
    }
}

pub(super) fn section(setup: &Setup<'_>, asked: &Asked<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("saturation");
    let Some(mut gauge) = Gauge::open(&setup.session, &mut section)? else {
        return Ok(section.close(""));
    };
    if asked.triad {
        let seconds = asked.look_s.unwrap_or(SECONDS);
        gauge.control(&mut section, &Control::STREAMING_TRIAD, seconds)?;
    }
    for (contract, terms) in &asked.promised {
        let looked = asked.look_s.map_or(*terms, |seconds| SaturationTerms {
            promise: terms.promise.lasting(warm_up_s(seconds), seconds),
            ..*terms
        });
        let subject = Subject { workload: Reference::find(&contract.workload)?, n: contract.n };
        let serving = Serving { name: &contract.name, subject, terms: &looked };
        let frames = &setup.frames;
        let (verdict, mut seen) =
            match gauge.services(&mut section, &serving, &|| frames.endless())? {
                Ok(Carried { judged, .. }) => (judged.verdict.clone(), judged.evidence()),
                Err(reason) => (Verdict::invalid(reason), String::new()),
            };
        if let Some(seconds) = asked.look_s {
            seen = format!("{seen}; a first look of {seconds} s, the contract's own decide");
        }
        section.check(terms.check_name(&contract.name), verdict, seen);
    }
    let detail = match gauge.blindness() {
        None => "what was promised, by counted work, counters and NVML".to_owned(),
        Some(reason) => format!("the loads are right, and not judged: {reason}"),
    };
    Ok(section.close(detail))
}
