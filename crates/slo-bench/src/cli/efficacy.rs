//! How much tuning gains on this device, as a section of a report.
//!
//! Never says anything of a host: its launches run as the reference does, whatever their shape.

use gpu_core::BackendKind;
use kernel_tuner::{Counts, StopRule, TunerConfig};

use super::Session;
use super::versions::SEED;
use crate::efficacy::{
    BLOCKS_MIN, BoundBy, Efficacy, EfficacyPlan, Sizes, TrialName, copy_rate, try_out,
};
use crate::report::Section;
use crate::verdict::Verdict;

/// How many times as fast the choice of the tuner has to be.
const TIMES: f64 = 2.0;
/// On how many kernels.
const KERNELS_MIN: usize = 3;
/// Samples of each visit in a block.
const SAMPLES: usize = 5;

/// Tries out the kernels of `names` in at least [`BLOCKS_MIN`] blocks each. Where all are tried, enough of them
/// have to gain; off a GPU the section is skipped.
///
/// # Errors
/// If the rate of a copy cannot be measured. A trial that fails is a failed check.
pub fn efficacy(
    session: &Session<'_>,
    names: &[TrialName],
    blocks: usize,
) -> anyhow::Result<Section> {
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
    let stop = StopRule { samples_min: 10, samples_max: 20, ..StopRule::default() };
    let search = TunerConfig { stop, ..TunerConfig::default() };
    let blocks = blocks.max(BLOCKS_MIN);
    let plan = EfficacyPlan { search, blocks, samples: SAMPLES, seed: SEED };
    let mut told = Vec::new();
    let mut gained = 0;
    for name in names {
        let mut trial = match name.open(device, &session.images, &Sizes::DEVICE) {
            Ok(trial) => trial,
            Err(error) => {
                section.check(name.name(), false, error.to_string());
                continue;
            }
        };
        let steps = trial.space().len() + blocks;
        let bar = session.terminal.progress(name.name(), u64::try_from(steps)?);
        let tried = try_out(device, &mut *trial, &plan, Some(rate), &mut || bar.inc(1));
        bar.finish_and_clear();
        match tried {
            Ok(efficacy) => {
                gained += usize::from(efficacy.exceeds(TIMES));
                told.push(format!("{}: {}", name.name(), words(&efficacy)));
                add(&mut section, &efficacy, session.label());
            }
            Err(error) => section.check(name.name(), false, error.to_string()),
        }
    }
    if names.len() == TrialName::ALL.len() {
        let check =
            format!("{KERNELS_MIN} kernels or more are shown to gain more than {TIMES} times");
        section.check(check, gained >= KERNELS_MIN, format!("{gained} of {}", names.len()));
    }
    Ok(section.close(told.join("; ")))
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

/// What came of it in a few words.
fn words(efficacy: &Efficacy) -> String {
    let Some(gain) = efficacy.gain else {
        return "too short for the timer to compare".to_owned();
    };
    let gained = format!("{:.2} times as fast, at least {:.2}", gain.ratio, gain.lower);
    match efficacy.roofline {
        Some(roofline) if efficacy.rules_out(TIMES) => {
            let percent = 100.0 * roofline.share(efficacy.baseline_us);
            format!(
                "{gained} (its baseline is at {percent:.0} % of the roofline: {TIMES} is out of reach)"
            )
        }
        _ => gained,
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
        let clear = efficacy(500.0, Gain { ratio: 2.2, lower: 2.1 });
        assert!(clear.exceeds(TIMES));
        assert_eq!(words(&clear), "2.20 times as fast, at least 2.10");
        let unclear = efficacy(500.0, Gain { ratio: 2.2, lower: 1.9 });
        assert!(!unclear.exceeds(TIMES) && !unclear.rules_out(TIMES));
        let few = Efficacy { blocks: BLOCKS_MIN - 1, ..clear };
        assert!(!few.exceeds(TIMES));
    }

    #[test]
    fn a_baseline_at_the_roofline_is_told_as_such_and_fails_nothing() {
        let near = efficacy(125.0, Gain { ratio: 1.1, lower: 1.05 });
        assert!(near.rules_out(TIMES));
        let told = "(its baseline is at 80 % of the roofline: 2 is out of reach)";
        assert!(words(&near).ends_with(told), "{}", words(&near));
        let mut section = Section::new("efficacy");
        add(&mut section, &near, "here");
        assert_eq!(section.checks[0].verdict, Verdict::Pass);
        let shares: Vec<_> = section.figures.iter().filter(|figure| figure.unit == "%").collect();
        assert!(shares.iter().all(|figure| figure.measured_on == "calculated for here"));
        assert_eq!(shares.len(), 2);
        assert!(!efficacy(201.0, Gain { ratio: 1.1, lower: 1.05 }).rules_out(TIMES));
    }

    #[test]
    fn a_wrong_configuration_in_the_search_fails_the_trial() {
        let mut wrong = efficacy(500.0, Gain { ratio: 3.0, lower: 2.9 });
        wrong.counts.wrong = 1;
        let mut section = Section::new("efficacy");
        add(&mut section, &wrong, "here");
        assert!(section.checks[0].verdict.is_bad());
    }
}
