//! What a trace says about a promise. Pure: no clock, no device.

use gpu_core::ThrottleReason;
use serde::{Deserialize, Serialize};

use super::level::{CHANNELS, Channel, Level};
use super::promise::{Demand, SaturationPromise};
use super::trace::{Ceiling, Observation, Trace};
use crate::report::Section;
use crate::verdict::Verdict;

/// How a promise of saturation was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saturation {
    /// How it was kept.
    pub verdict: Verdict,
    /// What was missed; empty for a pass.
    pub words: String,
    /// Whether the device looked busier than it was, or moved other bytes than were counted. Never passes.
    pub is_hollow: bool,
    /// All evidence side by side.
    pub levels: Vec<Level>,
    /// Readings at which a power limit held clocks back, in percent. Reported, not judged.
    pub power_capped_percent: f64,
}

/// Holds `trace` against `promise`. Without a ceiling, what was counted is no evidence.
pub fn judge(trace: &Trace, promise: &SaturationPromise, ceiling: Option<&Ceiling>) -> Saturation {
    let observations = trace.after(promise.warm_up());
    let power_capped_percent =
        Trace::held_back_percent(observations, |reason| reason == ThrottleReason::PowerCap);
    let mut outcome = Saturation {
        verdict: Verdict::Pass,
        words: String::new(),
        is_hollow: false,
        levels: Vec::new(),
        power_capped_percent,
    };
    if let Some(verdict) = unusable(trace, observations, promise) {
        outcome.verdict = verdict;
        return outcome;
    }
    let evidence = match Evidence::of(observations, promise.demand, ceiling) {
        Ok(evidence) => evidence,
        Err(reason) => {
            outcome.verdict = Verdict::invalid(reason);
            return outcome;
        }
    };
    let Some(thresholds) = promise.thresholds(|channel| evidence.has(channel)) else {
        let missing = match promise.demand {
            Demand::Multiprocessors => "there are no counters",
            _ => "there are neither counters nor counted work over a measured ceiling",
        };
        outcome.verdict = Verdict::invalid(format!("{missing}, and NVML alone shows nothing"));
        return outcome;
    };
    outcome.levels = evidence.levels(&thresholds);
    let disagreement = evidence.disagreement(promise);
    outcome.is_hollow = disagreement.is_some();
    let missed = outcome.levels.iter().filter(|level| !level.holds()).map(ToString::to_string);
    let hollow = disagreement.map(|words| format!("HOLLOW: {words}"));
    outcome.words = hollow.into_iter().chain(missed).collect::<Vec<_>>().join("; ");
    outcome.verdict = outcome.words.is_empty().into();
    outcome
}

/// Why a trace cannot be judged.
fn unusable(
    trace: &Trace,
    observations: &[Observation],
    promise: &SaturationPromise,
) -> Option<Verdict> {
    /// Periods that may pass between two readings.
    const PERIODS_MAX: u32 = 2;
    let slowed = observations.iter().find_map(|observation| {
        let reasons = &observation.reading.sample.throttle_reasons;
        let reason = reasons.iter().find(|reason| reason.is_slowdown())?;
        Some((reason, observation.at))
    });
    if let Some((reason, at)) = slowed {
        let at = at.as_secs_f64();
        return Some(Verdict::invalid(format!("{reason} held clocks back at {at:.1} s")));
    }
    if let [first, .., last] = observations
        && let Some(reason) = last.reading.sample.slowed_since(&first.reading.sample).first()
    {
        return Some(Verdict::invalid(format!("{reason} held clocks back between two readings")));
    }
    let gap = Trace::gap_max(observations);
    if gap > trace.period * PERIODS_MAX {
        let (gap, period) = (gap.as_millis(), trace.period.as_millis());
        let because = trace.failure.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        return Some(Verdict::invalid(format!(
            "nothing was read for {gap} ms, with a period of {period} ms{because}"
        )));
    }
    let length = match observations {
        [first, .., last] => (last.at - first.at).as_secs(),
        _ => 0,
    };
    (length < promise.seconds_min.into()).then(|| match (&trace.failure, observations.len()) {
        (Some(why), 0) => Verdict::invalid(format!("nothing was read: {why}")),
        _ => Verdict::inconclusive(format!(
            "{length} s after a warm-up of {} s, {} are needed",
            promise.warm_up_s, promise.seconds_min
        )),
    })
}

/// Whole seconds of every channel that was told.
struct Evidence {
    demand: Demand,
    channels: Vec<(Channel, Vec<f64>)>,
}

impl Evidence {
    fn of(
        observations: &[Observation],
        demand: Demand,
        ceiling: Option<&Ceiling>,
    ) -> Result<Self, String> {
        let mut channels = Vec::new();
        for channel in CHANNELS {
            let seconds = Trace::seconds(observations, channel, demand, ceiling);
            let told: Vec<f64> = seconds.iter().copied().flatten().collect();
            match told.len() {
                0 => {}
                len if len == seconds.len() => channels.push((channel, told)),
                // Evidence that comes and goes could be left out where it is bad.
                len => return Err(format!("{channel} was told in {len} of {} s", seconds.len())),
            }
        }
        Ok(Self { demand, channels })
    }

    fn has(&self, channel: Channel) -> bool {
        self.channels.iter().any(|(of, _)| *of == channel)
    }

    fn mean(&self, channel: Channel) -> Option<f64> {
        let (_, seconds) = self.channels.iter().find(|(of, _)| *of == channel)?;
        Some(seconds.iter().sum::<f64>() / seconds.len() as f64)
    }

    fn levels(&self, thresholds: &[(Channel, f64)]) -> Vec<Level> {
        let level = |(channel, seconds): &(Channel, Vec<f64>)| {
            let threshold = thresholds.iter().find(|(of, _)| of == channel);
            Level::of(*channel, seconds, threshold.map(|&(_, threshold)| threshold))
        };
        self.channels.iter().filter_map(level).collect()
    }

    /// The first two tiers that tell different stories.
    ///
    /// NVML may read more than the counters' multiprocessors by so many points, and for [`Demand::Multiprocessors`] as many as
    /// leave their threshold kept: they are all of its substance. NVML may read less than there is; that fails by itself. Counted bytes and those that the counters saw must agree both ways.
    /// Pipes have different peaks from operations, so those are not compared; and who asks for multiprocessors alone promises no bytes.
    fn disagreement(&self, promise: &SaturationPromise) -> Option<String> {
        let points = promise.disagreement_points_max;
        let exceeds_by = |points: f64, high: Channel, low: Channel, why: &str| {
            let (above, below) = (self.mean(high)?, self.mean(low)?);
            let words = || format!("{high} {above:.0} %, {low} {below:.0} %: {why}");
            (above - below > points).then(words)
        };
        let exceeds = |high, low, why| exceeds_by(points, high, low, why);
        let promised = match (self.demand, self.mean(Channel::GpuBusy)) {
            (Demand::Multiprocessors, Some(busy)) => busy - promise.sm_percent,
            _ => points,
        };
        let busy = exceeds_by(
            points.max(promised),
            Channel::GpuBusy,
            Channel::Multiprocessors,
            "a kernel was there, most multiprocessors had no part in it",
        );
        if busy.is_some() || self.demand != Demand::Memory {
            return busy;
        }
        let moved =
            if self.has(Channel::Attainable) { Channel::Attainable } else { Channel::Bandwidth };
        let moved = if self.has(moved) { moved } else { Channel::Counted };
        let cached = || {
            let counted = self.mean(Channel::Counted)?;
            (counted > 100.0 + points).then(|| {
                format!(
                    "{} {counted:.0} %: more than memory can move, so it did not",
                    Channel::Counted
                )
            })
        };
        exceeds(Channel::Counted, moved, "bytes were counted that memory never moved")
            .or_else(|| exceeds(moved, Channel::Counted, "memory moved bytes that nobody counted"))
            .or_else(cached)
            .or_else(|| exceeds(Channel::MemoryBusy, moved, "memory was in use, but hardly used"))
    }
}

impl Saturation {
    /// What the verdict rests on, in words: what was missed, or else all levels.
    pub fn evidence(&self) -> String {
        match self.words.as_str() {
            "" => self.levels.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            words => words.to_owned(),
        }
    }

    /// Adds the evidence to `section`, all tiers side by side.
    pub fn add_figures(&self, section: &mut Section, what: &str, measured_on: &str) {
        for level in &self.levels {
            section.figure(format!("{what}: {}", level.channel), level.mean, "%", measured_on);
        }
    }
}
