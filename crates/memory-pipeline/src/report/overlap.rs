//! The arithmetic of overlap: three stages, one after the other and at once.

use crate::calibration::LinkRates;

/// A time for each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LaneTimes {
    /// Host to device.
    pub upload_ns: u64,
    /// The stage.
    pub compute_ns: u64,
    /// Device to host.
    pub download_ns: u64,
}

impl LaneTimes {
    fn lanes(self) -> [u64; 3] {
        [self.upload_ns, self.compute_ns, self.download_ns]
    }
}

/// What the events of a run said, some batches standing for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Batches whose lanes were timed.
    pub timed_batches: u64,
    /// How long those batches were in each lane, summed.
    pub busy: LaneTimes,
    /// Batches within the span, timed or not.
    pub span_batches: u64,
    /// From the start of the first upload to the end of the last timed download.
    pub span_ns: u64,
}

impl Measured {
    /// Mean time of a timed batch in each lane; 0 where none was timed.
    pub(super) fn means_ns(&self) -> [f64; 3] {
        let count = self.timed_batches.max(1) as f64;
        self.busy.lanes().map(|ns| ns as f64 / count)
    }

    /// `ns` divided by the span, if there is one.
    pub(super) fn per_span(&self, ns: f64) -> Option<f64> {
        (self.span_ns > 0).then(|| ns / self.span_ns as f64)
    }
}

/// How well three stages overlapped.
///
/// Take the figures of a GPU only: a host runs one operation at a time.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Overlap {
    /// What the work takes when nothing overlaps: the mean times of all lanes, for every batch of the span.
    pub serial_ns: f64,
    /// What it takes at best: `(a + k + b) + (batches - 1) * max(a, k, b)` with the mean times a, k, b of the stages.
    pub bound_ns: f64,
    /// The bound divided by the measured span; `None` without a span, on a simulated host, and unless every batch of the
    /// span was timed. On a GPU the events of a timed batch slow it down, so where few are timed they do not stand for the
    /// others: runs of equal batches then read 105 to 122 %. [`Ceiling`] takes the copies from the link's rates instead. Where
    /// all are timed, a first upload and a last download that are quicker than the mean can take it slightly past 1.
    pub efficiency: Option<f64>,
    /// The serial time divided by the measured span; at most 1 where nothing overlapped and every batch was timed.
    pub speedup: Option<f64>,
}

impl Overlap {
    /// What `measured` says.
    pub fn new(measured: &Measured) -> Self {
        let [a, k, b] = measured.means_ns();
        let serial_ns = (a + k + b) * measured.span_batches as f64;
        let bound_ns = bound_ns(measured.span_batches, a + k + b, a.max(k).max(b));
        let is_all = measured.timed_batches == measured.span_batches;
        Self {
            serial_ns,
            bound_ns,
            efficiency: measured.per_span(bound_ns).filter(|_| is_all),
            speedup: measured.per_span(serial_ns),
        }
    }
}

/// A run beside the link's limit: the bound as [`Overlap`] has it, but with the link times that [`LinkRates`] promise.
///
/// Copies of a run that disturb each other look slow to their own events, so the bound of [`Overlap`] forgives them; this one does not.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Ceiling {
    /// What the run takes at best: `(a + k + b) + (batches - 1) * max(k, exchange)`, with the times a and b of a batch's copies
    /// alone, its measured time k in the stage, and the time for both copies at once.
    pub bound_ns: f64,
    /// The bound divided by the measured span; `None` without a span, and for rates of another backend.
    pub efficiency: Option<f64>,
    /// Share of the span in which the link at its full rate both ways would have carried the run's bytes.
    pub link_share: Option<f64>,
}

impl Ceiling {
    /// The ceiling for batches of `[up, down]` bytes.
    pub(super) fn new(measured: &Measured, rates: &LinkRates, [up, down]: [f64; 2]) -> Self {
        let [_, k, _] = measured.means_ns();
        let exchange_ns = rates.exchange_ns([up, down]);
        let first_ns = rates.exchange_ns([up, 0.0]) + k + rates.exchange_ns([0.0, down]);
        let bound_ns = bound_ns(measured.span_batches, first_ns, k.max(exchange_ns));
        Self {
            bound_ns,
            efficiency: measured.per_span(bound_ns),
            link_share: measured.per_span(exchange_ns * measured.span_batches as f64),
        }
    }
}

/// Time of `batches` batches that each take `first_ns` by themselves and follow each other after `each_ns`.
pub(super) fn bound_ns(batches: u64, first_ns: f64, each_ns: f64) -> f64 {
    let others = batches.checked_sub(1);
    others.map_or(0.0, |others| first_ns + others as f64 * each_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::tests::RATES;

    /// Batches, busy times, span; and by hand: serial, bound, efficiency, speed-up.
    type Case = (u64, [u64; 3], u64, f64, f64, Option<f64>, Option<f64>);

    const CASES: [Case; 7] = [
        // Nothing ran.
        (0, [0, 0, 0], 0, 0.0, 0.0, None, None),
        // One batch of 10 + 20 + 30 cannot overlap with itself.
        (1, [10, 20, 30], 60, 60.0, 60.0, Some(1.0), Some(1.0)),
        // Four balanced batches of 10: 30 + 3 * 10 at best, reached.
        (4, [40, 40, 40], 60, 120.0, 60.0, Some(1.0), Some(2.0)),
        // The same one after the other, as an eager host runs them.
        (4, [40, 40, 40], 120, 120.0, 60.0, Some(0.5), Some(1.0)),
        // Three batches of 5 + 20 + 5: 30 + 2 * 20 = 70 at best, 100 measured.
        (3, [15, 60, 15], 100, 90.0, 70.0, Some(0.7), Some(0.9)),
        // Means need not be whole: two batches of 1.5 + 0 + 0.5: 2 + 1.5.
        (2, [3, 0, 1], 7, 4.0, 3.5, Some(0.5), Some(4.0 / 7.0)),
        // A span of nothing has no ratio.
        (2, [0, 0, 0], 0, 0.0, 0.0, None, None),
    ];

    fn measured(batches: u64, [upload_ns, compute_ns, download_ns]: [u64; 3]) -> Measured {
        Measured {
            timed_batches: batches,
            busy: LaneTimes { upload_ns, compute_ns, download_ns },
            span_batches: batches,
            span_ns: 0,
        }
    }

    #[test]
    fn the_figures_equal_those_by_hand() {
        for (batches, busy, span_ns, serial_ns, bound_ns, efficiency, speedup) in CASES {
            let expected = Overlap { serial_ns, bound_ns, efficiency, speedup };
            let measured = Measured { span_ns, ..measured(batches, busy) };
            assert_eq!(Overlap::new(&measured), expected, "{measured:?}");
        }
    }

    #[test]
    fn the_ceiling_counts_copies_at_the_rate_of_the_link() {
        // 400 bytes up and 200 down: 8 and 4 ns alone, 10 ns at once. A stage of 3 ns hides behind them.
        let busy = LaneTimes { upload_ns: 99, compute_ns: 3, download_ns: 99 };
        let measured = Measured { timed_batches: 1, busy, span_batches: 9, span_ns: 190 };
        let ceiling = Ceiling::new(&measured, &RATES, [400.0, 200.0]);
        assert_eq!(ceiling.bound_ns, 15.0 + 8.0 * 10.0);
        assert_eq!((ceiling.efficiency, ceiling.link_share), (Some(0.5), Some(90.0 / 190.0)));
        // A stage of 20 ns is what the others hide behind.
        let measured = Measured { busy: LaneTimes { compute_ns: 20, ..busy }, ..measured };
        let ceiling = Ceiling::new(&measured, &RATES, [400.0, 200.0]);
        assert_eq!(ceiling.bound_ns, 32.0 + 8.0 * 20.0);
    }

    #[test]
    fn two_timed_batches_stand_for_ten_but_not_for_how_close_these_came_to_the_bound() {
        let busy = LaneTimes { upload_ns: 20, compute_ns: 40, download_ns: 10 };
        let measured = Measured { timed_batches: 2, busy, span_batches: 10, span_ns: 430 };
        let overlap = Overlap::new(&measured);
        // 10 + 20 + 5 each: 350 in a row, 35 + 9 * 20 = 215 at best.
        assert_eq!((overlap.serial_ns, overlap.bound_ns), (350.0, 215.0));
        assert_eq!((overlap.efficiency, overlap.speedup), (None, Some(350.0 / 430.0)));
    }

    #[test]
    fn balanced_stages_reach_n_of_n_plus_two() {
        for batches in [1_u64, 10, 38, 98] {
            let each = 1000 * batches;
            let bound = Overlap::new(&measured(batches, [each; 3])).bound_ns;
            let useful = each as f64 / bound;
            let formula = batches as f64 / (batches + 2) as f64;
            assert!((useful - formula).abs() < 1e-12, "{batches} batches");
        }
    }
}
