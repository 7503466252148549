//! One kernel on trial: tuned, then measured anew beside its baseline.

use std::time::Duration;

use gpu_core::{Device, Point, Stream};
use kernel_tuner::{
    Choice, Counts, EventTimer, Exhaustive, PerformanceTuner, Subject, TunerConfig,
};

use super::blocks::{Turns, interleave, median};
use super::gain::Gain;
use super::roofline::{Roofline, Work};
use super::times::times_us;
use crate::error::{Error, Result};
use crate::verdict::Verdict;

/// Fewest blocks that a claim may rest on. At a noise of 10 % a true gain of 2.1 is then seen to be above 2.
pub const BLOCKS_MIN: usize = 100;

/// Work with a generic baseline, on inputs that can be drawn anew.
pub trait Trial: Subject {
    /// Draws new inputs, and calculates anew what must come out.
    ///
    /// # Errors
    /// What the device says.
    fn redraw(&mut self, stream: &Stream, seed: u64) -> gpu_core::Result<()>;

    /// The baseline in words: what a newcomer would write.
    fn baseline_words(&self) -> &'static str;

    /// What every configuration has to do.
    fn work(&self) -> Work;
}

/// How carefully to measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EfficacyPlan {
    /// How the tuner searches.
    pub search: TunerConfig,
    /// Blocks of the fresh comparison; a claim needs [`BLOCKS_MIN`] of them.
    pub blocks: usize,
    /// Samples of each of the four visits in a block.
    pub samples: usize,
    /// Seed of the search's inputs; those of the comparison and its bootstrap follow from it.
    pub seed: u64,
}

/// How much tuning gained, and how far that is from what the device could do.
#[derive(Clone, Debug, PartialEq)]
pub struct Efficacy {
    /// What was tuned.
    pub subject: String,
    /// The baseline in words.
    pub baseline_words: &'static str,
    /// The configuration that the tuner says to use; `None` if it keeps the baseline, since nothing is told apart as faster.
    pub choice: Option<Choice>,
    /// What became of the configurations that were tried.
    pub counts: Counts,
    /// Median times of those that are right, in the search, in microseconds, ascending.
    pub times_us: Vec<f64>,
    /// Median time of the baseline over the blocks, in microseconds.
    pub baseline_us: f64,
    /// Median time of the choice over the blocks, in microseconds.
    pub choice_us: f64,
    /// Blocks of the comparison.
    pub blocks: usize,
    /// Baseline over choice; absent if the timer cannot resolve them or the blocks are too few.
    pub gain: Option<Gain>,
    /// Clock of the multiprocessors while the choice ran, in Hz, where the management library tells it.
    pub clock_hz: Option<f64>,
    /// What the work takes at least, where a ceiling is known.
    pub roofline: Option<Roofline>,
}

impl Efficacy {
    /// Whether the choice is shown to be more than `times` as fast as the baseline. Fails only where it is shown not to
    /// be; where the roofline leaves no room for it there is nothing to judge.
    pub fn judge(&self, times: f64) -> Verdict {
        let gain = self.gain.filter(|_| self.blocks >= BLOCKS_MIN);
        match (gain, self.roofline) {
            (Some(gain), _) if gain.lower > times => Verdict::Pass,
            (_, Some(roofline)) if self.rules_out(times) => Verdict::skipped(format!(
                "its baseline is at {:.0} % of the roofline, which leaves no room for {times} times",
                100.0 * roofline.share(self.baseline_us)
            )),
            (Some(gain), _) if gain.upper <= times => Verdict::Fail,
            (Some(gain), _) => Verdict::inconclusive(format!(
                "{gain}: more than {times} is neither shown nor ruled out"
            )),
            (None, _) if self.blocks < BLOCKS_MIN => Verdict::inconclusive(format!(
                "{} blocks decide nothing, a claim rests on {BLOCKS_MIN}",
                self.blocks
            )),
            (None, _) => Verdict::inconclusive("too short for the timer to compare"),
        }
    }

    /// Whether the roofline leaves no room for any launch to be `times` as fast as the baseline.
    pub fn rules_out(&self, times: f64) -> bool {
        self.roofline.is_some_and(|roofline| roofline.share(self.baseline_us) * times >= 1.0)
    }
}

/// Tunes `trial` on `device` and compares the choice with the baseline on fresh inputs. `bytes_per_s` is what
/// [`copy_rate`](super::copy_rate) measured; without it there is no roofline. `progress` hears of each candidate and block.
///
/// # Errors
/// [`Error::Tuning`] if the search ends without a choice; [`Error::Efficacy`] if a result on fresh inputs is wrong; what
/// the device says.
pub fn try_out(
    device: &Device,
    trial: &mut dyn Trial,
    plan: &EfficacyPlan,
    bytes_per_s: Option<f64>,
    progress: &mut dyn FnMut(),
) -> Result<Efficacy> {
    let stream = device.stream()?;
    trial.redraw(&stream, plan.seed)?;
    let mut search = Exhaustive::new(trial.space().len());
    let mut tuner = PerformanceTuner::new(device, plan.search)?;
    let tuned = tuner.tune_observed(trial, &mut search, &mut |_| progress())?;
    let baseline = trial.baseline();
    // A baseline of another kernel is no point of this space.
    let choice = tuned.point.find_in(&trial.space()).filter(|choice| *choice != baseline);
    let points = [&baseline, choice.as_ref().unwrap_or(&baseline)];

    trial.redraw(&stream, plan.seed.wrapping_add(1))?;
    verify(trial, &stream, points)?;
    let mut timer = EventTimer::new(device)?;
    let turns = Turns { points, blocks: plan.blocks.max(1), samples: plan.samples };
    let blocks = interleave(trial, &mut timer, &stream, &turns, progress)?;
    // A race or leftover state may spoil a later run only.
    verify(trial, &stream, points)?;
    let [baseline_us, choice_us] =
        [0, 1].map(|side| median(blocks.iter().map(|block| block[side]).collect()));
    let clock_hz = clock_hz(device, trial, &stream, points[1], choice_us)?;
    let properties = device.properties();
    let roofline =
        bytes_per_s.and_then(|rate| Roofline::of(&trial.work(), properties, rate, clock_hz));
    Ok(Efficacy {
        subject: trial.name().to_owned(),
        baseline_words: trial.baseline_words(),
        choice: choice.as_ref().map(Choice::from),
        counts: tuned.counts,
        times_us: times_us(&tuned),
        baseline_us,
        choice_us,
        blocks: blocks.len(),
        gain: Gain::of(&blocks, plan.seed),
        clock_hz,
        roofline,
    })
}

/// Requires a right result of each point.
fn verify(trial: &mut dyn Trial, stream: &Stream, points: [&Point; 2]) -> Result<()> {
    for point in points {
        trial.prepare(point)?;
        trial.poison(stream)?;
        trial.enqueue(point, stream)?;
        stream.synchronize()?;
        trial.verify(stream)?.map_err(|mismatch| Error::Efficacy {
            subject: trial.name().to_owned(),
            point: point.to_string(),
            mismatch: Box::new(mismatch),
        })?;
    }
    Ok(())
}

/// For how long the device is kept busy before its clock is read.
const BUSY: Duration = Duration::from_millis(50);
/// Most runs that are queued for it.
const RUNS_MAX: f64 = 2000.0;

/// The clock while `point` runs again and again.
fn clock_hz(
    device: &Device,
    trial: &mut dyn Trial,
    stream: &Stream,
    point: &Point,
    time_us: f64,
) -> Result<Option<f64>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to RUNS_MAX")]
    let runs = (BUSY.as_secs_f64() * 1e6 / time_us).clamp(1.0, RUNS_MAX) as u32;
    // The clock of a host is none of a device's, and its work is done before it could be read.
    if device.properties().capability.is_none() {
        return Ok(None);
    }
    for _ in 0..runs {
        trial.enqueue(point, stream)?;
    }
    let sample = device.telemetry();
    stream.synchronize()?;
    Ok(sample?.map(|sample| f64::from(sample.sm_clock_mhz) * 1e6))
}
