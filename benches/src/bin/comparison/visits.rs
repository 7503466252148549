//! A workload measured by turns as it is and slowed: pairs that one drift of the machine meets alike.
//!
//! Never judges: `slo_bench::compare` does.

use std::slice::from_ref;

use gpu_core::Clock;
use slo_bench::{
    Comparison, MeasurePlan, Result, Run, Section, Side, Tolerance, Workload, compare, measure,
};

use super::slowed::Slowed;

/// Times that base, head, head, base are visited. Short visits and many pairs: what varies between pairs bounds the ratio,
/// and Student's distribution makes far more of eight of them than of four.
const ROUNDS: usize = 4;

/// Pairs of a comparison.
pub(super) const PAIRS: usize = ROUNDS * 2;

/// One workload, and how it is measured at each visit.
pub(super) struct Visits<'a> {
    pub(super) workload: Box<dyn Workload + 'a>,
    pub(super) plan: MeasurePlan,
    pub(super) clock: Clock,
    /// Where, in words.
    pub(super) measured_on: String,
}

/// What was seen at one visit as it is, and at one slowed.
pub(super) type Pair = (Section, Section);

impl Visits<'_> {
    /// The pairs of one comparison of the workload as it is with the same slowed by a share of each step.
    pub(super) fn pairs(&mut self, slowdown: f64) -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        for _ in 0..ROUNDS {
            let (base, head) = (self.visit(0.0)?, self.visit(slowdown)?);
            pairs.push((base, head));
            let (head, base) = (self.visit(slowdown)?, self.visit(0.0)?);
            pairs.push((base, head));
        }
        Ok(pairs)
    }

    fn visit(&mut self, share: f64) -> Result<Section> {
        let Self { workload, plan, clock, measured_on } = self;
        let mut slowed = Slowed { workload: &mut **workload, share, clock };
        let measured = measure(&mut slowed, plan, &[], clock, |_| {})?;
        let mut section = Section::new("visit");
        section.runs.push(Run::of(&slowed, plan.load, measured_on.as_str(), measured));
        Ok(section)
    }
}

/// What became of the percentiles of `pairs`.
pub(super) fn compare_pairs(pairs: &[Pair], tolerance: &Tolerance) -> Result<Comparison> {
    let sides: Vec<(Side<'_>, Side<'_>)> =
        pairs.iter().map(|(base, head)| (from_ref(base), from_ref(head))).collect();
    compare(&sides, tolerance)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use slo_bench::{Error, Load, Outcome, Output, WarmUp};

    use super::*;

    /// Steps that take these microseconds on a manual clock, again and again.
    pub(crate) struct Ticking {
        clock: Clock,
        us: Vec<u64>,
        steps: usize,
        pub(crate) prepared: usize,
        pub(crate) is_broken: bool,
    }

    impl Ticking {
        pub(crate) fn new(clock: &Clock, us: Vec<u64>) -> Self {
            Self { clock: clock.clone(), us, steps: 0, prepared: 0, is_broken: false }
        }
    }

    impl Workload for Ticking {
        fn name(&self) -> String {
            "ticking".to_owned()
        }

        fn n(&self) -> usize {
            3
        }

        fn prepare(&mut self) -> Result<()> {
            self.prepared += 1;
            Ok(())
        }

        fn step(&mut self) -> Result<()> {
            self.clock.advance(Duration::from_micros(self.us[self.steps % self.us.len()]));
            self.steps += 1;
            Ok(())
        }

        fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
            visit(Output::one("steps", self.steps as f64));
        }

        fn check(&self) -> Result<()> {
            match self.is_broken {
                false => Ok(()),
                true => Err(Error::OutputValue {
                    workload: self.name(),
                    output: "steps",
                    index: 0,
                    value: f64::NAN,
                }),
            }
        }
    }

    /// Steps of about 100 us, 100 samples a visit.
    pub(crate) fn visits() -> Visits<'static> {
        let clock = Clock::manual();
        let us = (0..97).map(|step| 95 + step * 31 % 11).collect();
        let plan = MeasurePlan {
            warm_up: WarmUp { window: 97, windows_max: 4 },
            load: Load::Closed,
            iterations: 1000,
            phase_passes: 0,
        };
        let workload = Box::new(Ticking::new(&clock, us));
        Visits { workload, plan, clock, measured_on: "nowhere".to_owned() }
    }

    #[test]
    fn the_head_of_every_pair_is_the_slowed_one_whichever_came_first() {
        let pairs = visits().pairs(1.0).unwrap();
        assert_eq!(pairs.len(), PAIRS);
        for (base, head) in &pairs {
            let p50_ns = |section: &Section| section.runs[0].latency.p50_ns.unwrap();
            assert_eq!((p50_ns(base), p50_ns(head)), (100_000, 200_000));
        }
        let compared = compare_pairs(&pairs, &Tolerance::default()).unwrap();
        assert_eq!(compared.rows[0].outcome, Outcome::Worse);
        assert_eq!(compared.rows[0].name, "visit / ticking, n = 3: p50");
    }

    #[test]
    fn a_drift_that_goes_on_cancels_out() {
        // Each visit of 1 + 2 * 97 + 1000 steps is 2 us a step slower than the one before.
        let us = (0..8).flat_map(|visit| vec![100 + 2 * visit; 1 + 2 * 97 + 1000]).collect();
        let mut visits = visits();
        visits.workload = Box::new(Ticking::new(&visits.clock, us));
        let pairs = visits.pairs(0.0).unwrap();
        let compared = compare_pairs(&pairs, &Tolerance::default()).unwrap();
        let row = &compared.rows[0];
        assert!((row.ratio - 1.0).abs() < 0.001, "{}", row.words());
        assert_ne!(row.outcome, Outcome::Worse);
    }
}
