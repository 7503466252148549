//! How much tuning gains on this device, as a section of a report.
//!
//! Never says anything of a host: its launches run as the reference does, whatever their shape.

use gpu_core::BackendKind;
use kernel_tuner::{Counts, StopRule, TunerConfig};

use super::Session;
use super::versions::SEED;
use crate::chart::Chart;
use crate::contract::Contract;
use crate::efficacy::{
    BLOCKS_MIN, BoundBy, Efficacy, EfficacyPlan, Sizes, TrialName, copy_rate, times_chart, try_out,
};
use crate::report::Section;
use crate::verdict::Verdict;

/// How many times as fast the choice of the tuner has to be.
const TIMES: f64 = 2.0;
/// On how many kernels.
const KERNELS_MIN: usize = 3;
/// Samples of each visit in a block.
const SAMPLES: usize = 5;

/// What to try out, and what is promised of it.
#[derive(Clone, Copy, Debug)]
pub struct Trials<'a> {
    /// The kernels.
    pub names: &'a [TrialName],
    /// Blocks of each comparison; at least [`BLOCKS_MIN`] are taken.
    pub blocks: usize,
    /// Contracts; those without a gain, or about another kind of device, say nothing here.
    pub contracts: &'a [Contract],
}

impl Trials<'_> {
    /// Those that take the least time, for a first look.
    pub const CHEAP: [TrialName; 2] = [TrialName::ReduceSum, TrialName::Transpose];

    /// What is not tried out, in words that follow those of what is.
    fn left_out(&self) -> String {
        let others = TrialName::ALL.into_iter().filter(|name| !self.names.contains(name));
        match others.map(TrialName::name).collect::<Vec<_>>().as_slice() {
            [] => String::new(),
            names => format!("; left out: {}", names.join(", ")),
        }
    }
}

/// What became of a trial, or why it did not come to its end.
type Tried = (TrialName, Result<Efficacy, String>);

/// Tries kernels out. Where all are tried, enough of them have to gain; what a contract promises of one is judged; off a
/// GPU the section is skipped.
///
/// # Errors
/// If the rate of a copy cannot be measured, or a contract promises a gain of what is no trial. A trial that fails is a
/// failed check.
pub fn efficacy(session: &Session<'_>, trials: &Trials<'_>) -> anyhow::Result<Section> {
    let mut section = Section::new("efficacy");
    let device = session.device();
    if device.backend() != BackendKind::Cuda {
        let why = session.place.gpu_refusal.as_deref().unwrap_or("the device is the host");
        let reason = format!("launches are tuned for a GPU: {why}");
        section.check("tuned against generic launches", Verdict::skipped(reason), "");
        return Ok(section.close(""));
    }
    let rate = copy_rate(device)?;
    section.figure("copy in memory, read + written", rate / 1e9, "GB/s", session.label());
    let blocks = trials.blocks.max(BLOCKS_MIN);
    let mut all: Vec<Tried> = Vec::new();
    for &name in trials.names {
        let tried = tried(session, name, blocks, rate);
        match &tried {
            Ok(efficacy) => add(&mut section, efficacy, session.label()),
            Err(error) => section.check(name.name(), false, error),
        }
        all.push((name, tried));
    }
    let efficacies = || all.iter().filter_map(|(name, tried)| Some((name, tried.as_ref().ok()?)));
    if trials.left_out().is_empty() {
        let gained = efficacies().filter(|(_, tried)| tried.judge(TIMES) == Verdict::Pass).count();
        let check =
            format!("{KERNELS_MIN} kernels or more are shown to gain more than {TIMES} times");
        section.check(check, gained >= KERNELS_MIN, format!("{gained} of {}", all.len()));
    }
    for contract in trials.contracts {
        promise(&mut section, contract, &all)?;
    }
    let told = efficacies().map(|(name, tried)| format!("{}: {}", name.name(), words(tried)));
    let told = told.collect::<Vec<_>>().join("; ");
    Ok(section.close(format!("{told}{}", trials.left_out())))
}

/// One kernel, tried out under a bar.
fn tried(
    session: &Session<'_>,
    name: TrialName,
    blocks: usize,
    bytes_per_s: f64,
) -> Result<Efficacy, String> {
    let device = session.device();
    let mut trial =
        name.open(device, &session.images, &Sizes::DEVICE).map_err(|error| error.to_string())?;
    let stop = StopRule { samples_min: 10, samples_max: 20, ..StopRule::default() };
    let search = TunerConfig { stop, ..TunerConfig::default() };
    let plan = EfficacyPlan { search, blocks, samples: SAMPLES, seed: SEED };
    let steps = trial.space().len() + blocks;
    let bar = session.terminal.progress(name.name(), steps as u64);
    let tried = try_out(device, &mut *trial, &plan, Some(bytes_per_s), &mut || bar.inc(1));
    bar.finish_and_clear();
    tried.map_err(|error| error.to_string())
}

/// Judges what a contract promises of its workload's kernel, if it promises anything of a GPU's.
fn promise(section: &mut Section, contract: &Contract, all: &[Tried]) -> crate::Result<()> {
    let Some(gain_min) = contract.gain_min.filter(|_| contract.target.is_met_by(BackendKind::Cuda))
    else {
        return Ok(());
    };
    let promised = TrialName::promised_by(contract)?;
    let (verdict, seen) = match all.iter().find(|(name, _)| *name == promised) {
        None => {
            let reason = format!("its kernel, {}, is left out of this run", promised.name());
            (Verdict::skipped(reason), String::new())
        }
        Some((_, Err(error))) => {
            (Verdict::invalid(format!("its trial failed: {error}")), String::new())
        }
        Some((_, Ok(efficacy))) => {
            let verdict = match efficacy.judge(gain_min) {
                // A section may leave out what has no room to gain; whoever promised it was wrong.
                Verdict::Skipped { reason } => Verdict::invalid(format!(
                    "cannot be kept by any launch: {reason}; lower gain_min"
                )),
                verdict => verdict,
            };
            (verdict, format!("{}: {}", promised.name(), words(efficacy)))
        }
    };
    let name = format!("{}: tuned more than {gain_min} times as fast as generic", contract.name);
    section.check(name, verdict, seen);
    Ok(())
}

/// Adds what came of one trial.
fn add(section: &mut Section, efficacy: &Efficacy, label: &str) {
    let Efficacy { subject, choice, baseline_words, blocks, .. } = efficacy;
    let choice = choice.as_ref().map_or_else(|| "the baseline".to_owned(), ToString::to_string);
    let Counts { timed, refused, failed, wrong } = efficacy.counts;
    let seen = format!(
        "{choice} against {baseline_words}: {}; in the search {timed} right, {refused} refused, {failed} failed, \
         {wrong} wrong",
        words(efficacy)
    );
    let name = format!("{subject}: baseline and choice are right on fresh inputs");
    section.check(name, failed == 0 && wrong == 0, seen);
    // What was chosen is no part of a figure's name, by which reports are compared.
    for (side, us) in [("baseline", efficacy.baseline_us), ("choice", efficacy.choice_us)] {
        let name = format!("{subject}, {side}: median of {blocks} blocks by events");
        section.figure(name, us, "us", label);
    }
    section.chart(chart(efficacy, label));
    if let Some(gain) = efficacy.gain {
        let name = format!("{subject}: baseline / choice");
        section.figure(&name, gain.ratio, "x", label);
        let name = format!("{name}, above this with a confidence of 95 %");
        section.figure(name, gain.lower, "x", label);
    }
    if let Some(clock_hz) = efficacy.clock_hz {
        let name = format!("{subject}: clock while the choice runs");
        section.figure(name, clock_hz / 1e6, "MHz", label);
    }
    if let Some(roofline) = efficacy.roofline {
        let ceiling = match roofline.bound_by {
            BoundBy::Memory => "counted bytes at the measured rate of a copy",
            BoundBy::Arithmetic => "counted operations on all lanes at the measured clock",
        };
        let calculated = format!("calculated for {label}");
        let sides = [("baseline", efficacy.baseline_us), ("choice", efficacy.choice_us)];
        for (side, us) in sides {
            let name = format!("{subject}, {side}: share of the roofline ({ceiling})");
            section.figure(name, 100.0 * roofline.share(us), "%", &calculated);
        }
    }
}

/// What the search saw, with what was measured anew.
fn chart(efficacy: &Efficacy, label: &str) -> Chart {
    let mut chart = times_chart(&efficacy.subject, &efficacy.times_us, label);
    chart.mark(format!("baseline ({}), fresh", efficacy.baseline_words), efficacy.baseline_us);
    if let Some(choice) = &efficacy.choice {
        chart.mark(format!("choice ({choice}), fresh"), efficacy.choice_us);
    }
    chart
}

/// What came of it in a few words.
fn words(efficacy: &Efficacy) -> String {
    let Some(gain) = efficacy.gain else {
        return "too short for the timer to compare".to_owned();
    };
    match efficacy.roofline {
        Some(roofline) if efficacy.rules_out(TIMES) => {
            let percent = 100.0 * roofline.share(efficacy.baseline_us);
            format!(
                "{gain} (its baseline is at {percent:.0} % of the roofline: {TIMES} is out of reach)"
            )
        }
        _ => gain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use kernel_tuner::Choice;
    use kernels::Tunable as _;
    use kernels::matrix::Transpose;

    use super::*;
    use crate::efficacy::{Gain, Roofline};

    fn efficacy(baseline_us: f64, gain: Gain) -> Efficacy {
        Efficacy {
            subject: "transpose of 8".to_owned(),
            baseline_words: "blocks of 128",
            choice: Transpose::SPACE.point(0).as_ref().map(Choice::from),
            counts: Counts { timed: Transpose::SPACE.len(), ..Counts::default() },
            times_us: vec![baseline_us / gain.ratio, baseline_us],
            baseline_us,
            choice_us: baseline_us / gain.ratio,
            blocks: BLOCKS_MIN,
            gain: Some(gain),
            clock_hz: Some(1.7e9),
            roofline: Some(Roofline { floor_us: 100.0, bound_by: BoundBy::Memory }),
        }
    }

    #[test]
    fn a_gain_is_claimed_by_its_bound_and_not_by_its_ratio() {
        let clear = efficacy(500.0, Gain { ratio: 2.2, lower: 2.1, upper: 2.3 });
        assert_eq!(clear.judge(TIMES), Verdict::Pass);
        assert_eq!(words(&clear), "2.20 times as fast, at least 2.10, at most 2.30");
        for (ratio, words) in [(2.01, "2.01"), (1.99, "1.99")] {
            let unclear = efficacy(500.0, Gain { ratio, lower: 1.9, upper: 2.1 });
            let reason = format!(
                "{words} times as fast, at least 1.90, at most 2.10: more than 2 is neither shown nor ruled out"
            );
            assert_eq!(unclear.judge(TIMES), Verdict::inconclusive(reason));
        }
        for upper in [1.99, 2.0] {
            let less = efficacy(500.0, Gain { ratio: 1.95, lower: 1.9, upper });
            assert_eq!(less.judge(TIMES), Verdict::Fail);
        }
        let few = Efficacy { blocks: BLOCKS_MIN - 1, ..clear.clone() };
        assert_eq!(
            few.judge(TIMES),
            Verdict::inconclusive("99 blocks decide nothing, a claim rests on 100")
        );
        let unseen = Efficacy { gain: None, ..clear };
        let reason = "too short for the timer to compare";
        assert_eq!(unseen.judge(TIMES), Verdict::inconclusive(reason));
    }

    #[test]
    fn a_baseline_at_the_roofline_is_told_as_such_and_fails_nothing() {
        let near = efficacy(125.0, Gain { ratio: 1.1, lower: 1.05, upper: 1.15 });
        assert!(near.rules_out(TIMES));
        let told = "(its baseline is at 80 % of the roofline: 2 is out of reach)";
        assert!(words(&near).ends_with(told), "{}", words(&near));
        let reason = "its baseline is at 80 % of the roofline, which leaves no room for 2 times";
        assert_eq!(near.judge(TIMES), Verdict::skipped(reason));
        let mut section = Section::new("efficacy");
        add(&mut section, &near, "here");
        assert_eq!(section.checks[0].verdict, Verdict::Pass);
        let shares: Vec<_> = section.figures.iter().filter(|figure| figure.unit == "%").collect();
        assert!(shares.iter().all(|figure| figure.measured_on == "calculated for here"));
        assert_eq!(shares.len(), 2);
        let far = efficacy(201.0, Gain { ratio: 1.1, lower: 1.05, upper: 1.15 });
        assert!(!far.rules_out(TIMES));
        assert_eq!(far.judge(TIMES), Verdict::Fail);
    }

    /// A contract about the evolution, with `to` in place of `from`.
    fn contract(from: &str, to: &str) -> Contract {
        let text = "name = \"a\"\nworkload = \"thermodynamic\"\ndevice = \"cuda\"\nn = 900\niterations = 1000\n\
            [efficacy]\ngain_min = 2\n[limits_ms]\np99 = 1\n";
        let text = text.replacen(from, to, 1);
        Contract::parse(&text, std::path::Path::new("a.toml"), crate::WORKLOADS).unwrap()
    }

    /// The only check that comes of the promise of `contract` once `all` were tried.
    fn judged(contract: &Contract, all: &[Tried]) -> Option<crate::report::Check> {
        let mut section = Section::new("efficacy");
        promise(&mut section, contract, all).unwrap();
        section.checks.pop()
    }

    #[test]
    fn what_a_contract_promises_is_judged_by_the_trial_of_its_kernel() {
        let gain = |lower| Gain { ratio: lower + 0.1, lower, upper: lower + 0.2 };
        let of = |lower| Ok(efficacy(500.0, gain(lower)));
        let contract = contract("", "");
        let name = "a: tuned more than 2 times as fast as generic";
        for (lower, verdict) in [(2.1, Verdict::Pass), (1.5, Verdict::Fail)] {
            // The other trial's gain is none of the evolution's.
            let all = [(TrialName::Infer, of(1.8)), (TrialName::Evolve, of(lower))];
            let check = judged(&contract, &all).unwrap();
            assert_eq!((check.name.as_str(), check.verdict), (name, verdict));
            assert!(check.detail.starts_with("evolve_resident: "), "{}", check.detail);
        }
        // At the roofline a promise is no less broken by a choice that is slower than the baseline.
        let slower = Gain { ratio: 0.9, lower: 0.85, upper: 0.95 };
        let near = [(TrialName::Evolve, Ok(efficacy(125.0, slower)))];
        let reason = "cannot be kept by any launch: its baseline is at 80 % of the roofline, which leaves no room for 2 \
            times; lower gain_min";
        assert_eq!(judged(&contract, &near).unwrap().verdict, Verdict::invalid(reason));
        let lost = [(TrialName::Evolve, Err("the device is lost".to_owned()))];
        let verdict = judged(&contract, &lost).unwrap().verdict;
        assert_eq!(verdict, Verdict::invalid("its trial failed: the device is lost"));
        let reason = "its kernel, evolve_resident, is left out of this run";
        let verdict = judged(&contract, &[(TrialName::Infer, of(3.0))]).unwrap().verdict;
        assert_eq!(verdict, Verdict::skipped(reason));
    }

    #[test]
    fn a_contract_that_promises_no_gain_is_not_judged_and_one_of_no_trial_is_refused() {
        assert!(judged(&contract("[efficacy]\ngain_min = 2\n", ""), &[]).is_none());
        for (from, to) in [("thermodynamic", "frame"), ("n = 900", "n = 1024")] {
            let error = TrialName::promised_by(&contract(from, to)).unwrap_err().to_string();
            assert!(error.contains("is tried against a generic launch, only of"), "{error}");
            assert!(error.contains("`thermodynamic` at n = 900; leave [efficacy] out"), "{error}");
        }
    }

    #[test]
    fn what_is_left_out_is_named() {
        let trials = |names| Trials { names, blocks: 0, contracts: &[] }.left_out();
        assert_eq!(trials(&TrialName::ALL), "");
        let words = "; left out: gemm, convolve, infer, evolve_resident";
        assert_eq!(trials(&Trials::CHEAP), words);
    }

    #[test]
    fn a_chart_marks_the_fresh_times_and_no_choice_where_there_is_none() {
        let mut tried = efficacy(500.0, Gain { ratio: 2.5, lower: 2.4, upper: 2.6 });
        let marks = |efficacy: &Efficacy| {
            let marks = chart(efficacy, "here").marks.into_iter();
            marks.map(|mark| (mark.name, mark.value)).collect::<Vec<_>>()
        };
        let of_choice = format!("choice ({}), fresh", tried.choice.as_ref().unwrap());
        let of_baseline = "baseline (blocks of 128), fresh".to_owned();
        assert_eq!(marks(&tried), [(of_baseline.clone(), 500.0), (of_choice, 200.0)]);
        tried.choice = None;
        assert_eq!(marks(&tried), [(of_baseline, 500.0)]);
    }

    #[test]
    fn a_wrong_configuration_in_the_search_fails_the_trial() {
        let mut wrong = efficacy(500.0, Gain { ratio: 3.0, lower: 2.9, upper: 3.1 });
        wrong.counts.wrong = 1;
        let mut section = Section::new("efficacy");
        add(&mut section, &wrong, "here");
        assert!(section.checks[0].verdict.is_bad());
    }
}
