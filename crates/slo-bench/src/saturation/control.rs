//! Loads of which it is known beforehand whether they saturate the device: a test of the judgement, not of the device.

use super::judge::Saturation;
use super::load::LoadName;
use super::promise::Demand;
use crate::verdict::Verdict;

/// A load and what the judgement has to say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its name in reports.
    pub name: &'static str,
    /// What runs.
    pub load: LoadName,
    /// For how much of the time.
    pub duty_percent: u32,
    /// What it is held against.
    pub demand: Demand,
    /// Whether it saturates the device.
    pub saturates: bool,
}

impl Control {
    /// One multiprocessor of all. Held against arithmetic, of which NVML sees all that is promised; memory would miss it at once.
    pub const ONE_BLOCK_SPIN: Self =
        Self::hollow("one-block spin", LoadName::OneBlock, Demand::Arithmetic);

    /// Buffers that no cache holds.
    pub const STREAMING_TRIAD: Self =
        Self::busy("streaming triad", LoadName::StreamingTriad, Demand::Memory);

    /// All of them: those that only look busy, and then those that are.
    pub const ALL: [Self; 9] = [
        Self::ONE_BLOCK_SPIN,
        // The least that can be asked for.
        Self::hollow(
            "one-block spin for multiprocessors",
            LoadName::OneBlock,
            Demand::Multiprocessors,
        ),
        // All that multiprocessors alone are asked for: only the pipes show that they wait.
        Self::hollow("one warp on every multiprocessor", LoadName::OneWarpEach, Demand::Arithmetic),
        Self::hollow("strided reads", LoadName::StridedReads, Demand::Memory),
        Self::hollow("L2-resident triad", LoadName::ResidentTriad, Demand::Memory),
        Self {
            duty_percent: 50,
            ..Self::hollow("half-duty triad", LoadName::StreamingTriad, Demand::Memory)
        },
        Self::STREAMING_TRIAD,
        Self::busy("matrix product", LoadName::Product, Demand::Arithmetic),
        Self::busy("spin on all multiprocessors", LoadName::FullSpin, Demand::Arithmetic),
    ];

    const fn hollow(name: &'static str, load: LoadName, demand: Demand) -> Self {
        Self { name, load, duty_percent: 100, demand, saturates: false }
    }

    const fn busy(name: &'static str, load: LoadName, demand: Demand) -> Self {
        Self { name, load, duty_percent: 100, demand, saturates: true }
    }

    /// What is known beforehand, in words.
    pub fn expectation(&self) -> String {
        let verb = if self.saturates { "saturates the device" } else { "does not saturate" };
        format!("{} {verb}", self.name)
    }

    /// Whether a judgement is the one that was known beforehand. What could not be judged stays so.
    pub fn as_expected(&self, judged: &Saturation) -> Verdict {
        match (&judged.verdict, self.saturates) {
            (Verdict::Pass, true) | (Verdict::Fail, false) => Verdict::Pass,
            (Verdict::Pass, false) | (Verdict::Fail, true) => Verdict::Fail,
            (other, _) => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(verdict: Verdict) -> Saturation {
        let (words, levels) = (String::new(), Vec::new());
        Saturation { verdict, words, is_hollow: false, levels, power_capped_percent: 0.0 }
    }

    #[test]
    fn a_hollow_load_that_passes_is_a_failure_of_the_judgement() {
        let [hollow, busy] = [Control::ONE_BLOCK_SPIN, Control::STREAMING_TRIAD];
        assert_eq!(hollow.as_expected(&judged(Verdict::Fail)), Verdict::Pass);
        assert_eq!(hollow.as_expected(&judged(Verdict::Pass)), Verdict::Fail);
        assert_eq!(busy.as_expected(&judged(Verdict::Pass)), Verdict::Pass);
        assert_eq!(busy.as_expected(&judged(Verdict::Fail)), Verdict::Fail);
        for verdict in [Verdict::invalid("hot"), Verdict::inconclusive("short")] {
            assert_eq!(hollow.as_expected(&judged(verdict.clone())), verdict);
        }
    }
}
