//! The arithmetic of overlap: three stages, one after the other and at once.

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

/// How well three stages overlapped.
///
/// Take the figures of a GPU only: a host runs one operation at a time.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Overlap {
    /// What the work takes when nothing overlaps: the sum of all lanes.
    pub serial_ns: u64,
    /// What it takes at best: `(a + k + b) + (batches - 1) * max(a, k, b)` with the mean times a, k, b of the stages.
    pub bound_ns: f64,
    /// The bound divided by the measured span; `None` without a span, and on a simulated host. Batches of unequal
    /// length can take it slightly past 1, since the bound is of their mean.
    pub efficiency: Option<f64>,
    /// The serial time divided by the measured span; at most 1 where nothing overlapped.
    pub speedup: Option<f64>,
}

impl Overlap {
    /// What `busy` times over `batches` batches, done within `span_ns`, say.
    pub fn new(batches: u64, busy: LaneTimes, span_ns: u64) -> Self {
        let lanes = [busy.upload_ns, busy.compute_ns, busy.download_ns];
        let serial_ns: u64 = lanes.iter().sum();
        let longest_ns = lanes.into_iter().max().unwrap_or(0);
        let bound_ns = if batches == 0 {
            0.0
        } else {
            let first_ns = serial_ns as f64 / batches as f64;
            let each_ns = longest_ns as f64 / batches as f64;
            first_ns + (batches - 1) as f64 * each_ns
        };
        let per_span = |ns: f64| (span_ns > 0).then(|| ns / span_ns as f64);
        Self {
            serial_ns,
            bound_ns,
            efficiency: per_span(bound_ns),
            speedup: per_span(serial_ns as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches, busy times, span; and by hand: serial, bound, efficiency, speed-up.
    type Case = (u64, [u64; 3], u64, u64, f64, Option<f64>, Option<f64>);

    const CASES: [Case; 7] = [
        // Nothing ran.
        (0, [0, 0, 0], 0, 0, 0.0, None, None),
        // One batch of 10 + 20 + 30 cannot overlap with itself.
        (1, [10, 20, 30], 60, 60, 60.0, Some(1.0), Some(1.0)),
        // Four balanced batches of 10: 30 + 3 * 10 at best, reached.
        (4, [40, 40, 40], 60, 120, 60.0, Some(1.0), Some(2.0)),
        // The same one after the other, as an eager host runs them.
        (4, [40, 40, 40], 120, 120, 60.0, Some(0.5), Some(1.0)),
        // Three batches of 5 + 20 + 5: 30 + 2 * 20 = 70 at best, 100 measured.
        (3, [15, 60, 15], 100, 90, 70.0, Some(0.7), Some(0.9)),
        // Means need not be whole: two batches of 1.5 + 0 + 0.5: 2 + 1.5.
        (2, [3, 0, 1], 7, 4, 3.5, Some(0.5), Some(4.0 / 7.0)),
        // A clock too coarse to see anything says nothing.
        (2, [0, 0, 0], 0, 0, 0.0, None, None),
    ];

    #[test]
    fn the_figures_equal_those_by_hand() {
        for (
            batches,
            [upload_ns, compute_ns, download_ns],
            span_ns,
            serial_ns,
            bound_ns,
            efficiency,
            speedup,
        ) in CASES
        {
            let busy = LaneTimes { upload_ns, compute_ns, download_ns };
            let expected = Overlap { serial_ns, bound_ns, efficiency, speedup };
            assert_eq!(
                Overlap::new(batches, busy, span_ns),
                expected,
                "{batches} batches, {busy:?}"
            );
        }
    }

    #[test]
    fn balanced_stages_reach_n_of_n_plus_two() {
        for batches in [1_u64, 10, 38, 98] {
            let each = 1000 * batches;
            let busy = LaneTimes { upload_ns: each, compute_ns: each, download_ns: each };
            let bound = Overlap::new(batches, busy, 1).bound_ns;
            let useful = each as f64 / bound;
            let formula = batches as f64 / (batches + 2) as f64;
            assert!((useful - formula).abs() < 1e-12, "{batches} batches");
        }
    }
}
