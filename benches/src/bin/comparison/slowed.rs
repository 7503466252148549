//! A workload made slower by a known share, so that a comparison has something to find.
//!
//! Never changes what the workload computes.

use std::time::Duration;

use gpu_core::Clock;
use slo_bench::{Output, Result, Workload};

/// Spins after each step for a share of the time that the step took.
pub(super) struct Slowed<'a> {
    pub(super) workload: &'a mut dyn Workload,
    /// Of the step; 0 reads the clock as often and spins not at all.
    pub(super) share: f64,
    pub(super) clock: &'a Clock,
}

impl Workload for Slowed<'_> {
    fn name(&self) -> String {
        self.workload.name()
    }

    fn n(&self) -> usize {
        self.workload.n()
    }

    fn prepare(&mut self) -> Result<()> {
        self.workload.prepare()
    }

    fn step(&mut self) -> Result<()> {
        let start = self.clock.now();
        self.workload.step()?;
        let mut now = self.clock.now();
        let end = now + now.saturating_duration_since(start).mul_f64(self.share);
        while now < end {
            // Moves a manual clock to the end; a real one moves by itself and ignores it.
            self.clock.advance(end.saturating_duration_since(now).max(Duration::from_nanos(1)));
            std::hint::spin_loop();
            now = self.clock.now();
        }
        Ok(())
    }

    fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
        self.workload.outputs(visit);
    }

    fn check(&self) -> Result<()> {
        self.workload.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visits::tests::Ticking;

    #[test]
    fn a_step_takes_as_much_longer_as_asked() {
        for (share, expected_us) in [(0.0, 200), (0.03, 206), (0.5, 300)] {
            let clock = Clock::manual();
            let mut ticking = Ticking::new(&clock, vec![200]);
            let start = clock.now();
            Slowed { workload: &mut ticking, share, clock: &clock }.step().unwrap();
            assert_eq!(clock.now() - start, Duration::from_micros(expected_us), "{share}");
        }
    }

    #[test]
    fn everything_but_the_time_is_the_workloads() {
        let clock = Clock::manual();
        let mut ticking = Ticking::new(&clock, vec![1]);
        let mut slowed = Slowed { workload: &mut ticking, share: 0.1, clock: &clock };
        assert_eq!((slowed.name().as_str(), slowed.n()), ("ticking", 3));
        slowed.prepare().unwrap();
        slowed.step().unwrap();
        let mut seen = Vec::new();
        slowed.outputs(&mut |output| seen.push(format!("{output:?}")));
        assert_eq!(seen, [format!("{:?}", Output::one("steps", 1.0))]);
        ticking.is_broken = true;
        assert!(Slowed { workload: &mut ticking, share: 0.1, clock: &clock }.check().is_err());
        assert_eq!(ticking.prepared, 1);
    }
}
