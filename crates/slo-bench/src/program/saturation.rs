//! Section `saturation` of `bench`: the design note's promise on a streaming triad, and what contracts promise of services.
//!
//! Never judges without what tells how busy the device is, and always shows all evidence side by side.

use gpu_core::BackendKind;
use slo_bench::cli::{Carried, Gauge, Serving, Subject};
use slo_bench::saturation::{Control, warm_up_s};
use slo_bench::{Contract, Reference, SaturationTerms, Section, Verdict};

use super::latency::elsewhere;
use super::setup::Setup;

/// Seconds that the triad is judged by.
const SECONDS: u32 = 60;

/// What is judged.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// Whether the triad is, beside what contracts promise.
    triad: bool,
    /// The contracts that are about this device.
    promised: Vec<Promise<'a>>,
    /// Those that are not.
    others: Vec<Promise<'a>>,
    /// Seconds of a first look; otherwise as many as were promised, which decide.
    look_s: Option<u32>,
}

impl<'a> Asked<'a> {
    /// The triad and all contracts, or those of one workload.
    pub(super) fn new(setup: &'a Setup<'_>, only: Option<Reference>, look_s: Option<u32>) -> Self {
        let is_asked =
            |contract: &&Contract| only.is_none_or(|workload| contract.workload == workload.name());
        let (promised, others) = promises(
            setup.contracts.contracts.iter().filter(is_asked),
            setup.session.device().backend(),
        );
        Self { triad: only.is_none(), promised, others, look_s }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.triad && self.promised.is_empty()
    }
}

/// A contract and what it promises of saturation.
type Promise<'a> = (&'a Contract, SaturationTerms);

/// What contracts promise of saturation on devices of this kind, and on others.
pub(super) fn promises<'a>(
    contracts: impl Iterator<Item = &'a Contract>,
    backend: BackendKind,
) -> (Vec<Promise<'a>>, Vec<Promise<'a>>) {
    let promised = contracts.filter_map(|contract| Some((contract, contract.saturation?)));
    promised.partition(|(contract, _)| contract.target.is_met_by(backend))
}

pub(super) fn section(setup: &Setup<'_>, asked: &Asked<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("saturation");
    let Some(mut gauge) = Gauge::open(&setup.session, &mut section)? else {
        return Ok(section.close(""));
    };
    if asked.triad {
        let seconds = asked.look_s.unwrap_or(SECONDS);
        gauge.control(&mut section, &Control::STREAMING_TRIAD, seconds)?;
        if let Some(seconds) = asked.look_s {
            let name = Control::STREAMING_TRIAD.expectation();
            first_look(&mut section, &name, seconds, &format!("{SECONDS} s"));
        }
    }
    for (contract, terms) in &asked.promised {
        let terms = looked(terms, asked.look_s);
        let name = terms.check_name(&contract.name);
        let carried = services(setup, &mut gauge, &mut section, (contract, terms));
        let (verdict, seen) = outcome(carried);
        section.check(&name, verdict, seen);
        if let Some(seconds) = asked.look_s {
            first_look(&mut section, &name, seconds, "the contract's own");
        }
    }
    for (contract, terms) in &asked.others {
        section.check(terms.check_name(&contract.name), elsewhere(setup, contract), "");
    }
    let detail = match gauge.blindness() {
        None => "what was promised, by counted work, counters and NVML".to_owned(),
        Some(reason) => format!("the loads are right, and not judged: {reason}"),
    };
    Ok(section.close(detail))
}

fn services(
    setup: &Setup<'_>,
    gauge: &mut Gauge<'_>,
    section: &mut Section,
    (contract, terms): Promise<'_>,
) -> anyhow::Result<Result<Carried, Verdict>> {
    let subject = Subject { workload: Reference::find(&contract.workload)?, n: contract.n };
    let serving = Serving { name: &contract.name, subject, terms: &terms };
    let frames = &setup.frames;
    gauge.services(section, &serving, &|| frames.endless())
}

/// What a promise came to, and what was seen. Services that end with an error fail theirs and no other.
fn outcome(carried: anyhow::Result<Result<Carried, Verdict>>) -> (Verdict, String) {
    match carried {
        Ok(Ok(Carried { judged, .. })) => (judged.verdict.clone(), judged.evidence()),
        Ok(Err(unseen)) => (unseen, String::new()),
        Err(error) => (Verdict::Fail, format!("{error:#}")),
    }
}

/// The terms of a first look, if it is one.
fn looked(terms: &SaturationTerms, look_s: Option<u32>) -> SaturationTerms {
    let promise = match look_s {
        None => terms.promise,
        Some(seconds) => terms.promise.lasting(warm_up_s(seconds), seconds),
    };
    SaturationTerms { promise, ..*terms }
}

/// Says of a check that it took a first look, if it was tried at all, and which seconds decide.
fn first_look(section: &mut Section, name: &str, seconds: u32, decide: &str) {
    let tried = section
        .checks
        .iter_mut()
        .filter(|check| check.name == name && !matches!(check.verdict, Verdict::Skipped { .. }));
    for check in tried {
        let lead = if check.detail.is_empty() { "" } else { "; " };
        check.detail += &format!("{lead}a first look of {seconds} s, {decide} decide");
    }
}

#[cfg(test)]
mod tests {
    use slo_bench::ContractSet;
    use slo_bench::saturation::{Demand, SaturationPromise};

    use super::*;

    #[test]
    fn a_first_look_goes_by_the_name_of_what_it_took() {
        let promise = SaturationPromise::new(Demand::Memory);
        let terms = SaturationTerms { services: 2, promise, rate_hz_min: Some(7.5) };
        assert_eq!(looked(&terms, None), terms);
        let looked = looked(&terms, Some(5));
        let name = looked.check_name("a");
        assert!(name.contains(" 5 s with 2 services, at least 7.5 Hz"), "{name}");
        assert_eq!((looked.promise.warm_up_s, terms.promise.warm_up_s), (2, 10));
    }

    #[test]
    fn a_first_look_says_so_where_something_was_tried() {
        let mut section = Section::new("a");
        section.check("tried", true, "busy");
        section.check("not tried", Verdict::skipped("no GPU"), "");
        section.check("other", true, "");
        for name in ["tried", "not tried"] {
            first_look(&mut section, name, 5, "60 s");
        }
        let details: Vec<_> = section.checks.iter().map(|check| check.detail.as_str()).collect();
        assert_eq!(details, ["busy; a first look of 5 s, 60 s decide", "", ""]);
    }

    #[test]
    fn services_that_end_with_an_error_fail_what_they_promised() {
        let (verdict, seen) = outcome(Err(anyhow::anyhow!("service 2 of 3: lost")));
        assert_eq!((verdict, &*seen), (Verdict::Fail, "service 2 of 3: lost"));
        let unseen = Verdict::invalid("nothing tells");
        assert_eq!(outcome(Ok(Err(unseen.clone()))), (unseen, String::new()));
    }

    #[test]
    fn promises_are_judged_on_a_gpu_and_named_elsewhere() {
        let shipped = ContractSet::shipped(&["active-inference", "frame", "thermodynamic"]);
        let contracts = shipped.unwrap().contracts;
        let counts = |backend| {
            let (promised, others) = promises(contracts.iter(), backend);
            [promised.len(), others.len()]
        };
        assert_eq!(counts(BackendKind::Cuda), [2, 0]);
        assert_eq!(counts(BackendKind::Host), [0, 2]);
    }
}
