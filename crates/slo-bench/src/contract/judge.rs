//! What a contract says about what was measured.
//!
//! Counts samples over a limit and never compares a rounded percentile. A percentile that is below its limit in the
//! samples passes only if the samples show it of all iterations, at the contract's confidence.

use serde::{Deserialize, Serialize};

use super::{Claim, Contract, Limit, milliseconds};
use crate::measure::{Budget, Measurement};
use crate::recorder::Recorder;
use crate::report::number;
use crate::statistics::{Quantile, each_of, over_count_max, samples_min, samples_needed};
use crate::verdict::Verdict;

/// How one promise of a contract was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clause {
    /// Such as `p99 < 0.06 ms`.
    pub promise: String,
    /// How it was kept.
    pub verdict: Verdict,
    /// What was seen, in words.
    pub seen: String,
    /// The same in numbers.
    pub evidence: Evidence,
}

/// What a verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Evidence {
    /// A percentile of the latency and the limit that it has to stay below.
    Percentile(Counted),
    /// A rate of completed iterations and the least that it has to be.
    Throughput {
        /// Iterations a second that were promised.
        limit_hz: f64,
        /// Iterations a second that were completed.
        measured_hz: f64,
        /// How many iterations.
        samples: u64,
    },
}

/// Samples counted against a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// Such as `p99`.
    pub quantile: String,
    /// What it has to stay below, in milliseconds.
    pub limit_ms: f64,
    /// What it is among the samples; absent if there were too few to tell.
    pub measured_ms: Option<f64>,
    /// The confidence that a pass has, of this clause alone.
    pub confidence: f64,
    /// Fewest samples that a verdict needs.
    pub asked: u64,
    /// Samples.
    pub samples: u64,
    /// How many independent samples they are worth.
    pub effective_samples: u64,
    /// Samples at or over the limit, counted exactly.
    pub over_count: u64,
    /// Most such samples that show the promise to be kept; absent if not even none would.
    pub over_count_max: Option<u64>,
    /// The verdict if samples were independent of each other, for comparison.
    pub if_independent: Verdict,
}

impl Clause {
    /// The name of the check that says how a promise of `contract` was kept.
    pub fn check_name(&self, contract: &str) -> String {
        format!("{contract}: {}", self.promise)
    }

    /// Whether it is about the percentile of that name.
    pub(crate) fn is_about(&self, quantile: &str) -> bool {
        matches!(&self.evidence, Evidence::Percentile(counted) if counted.quantile == quantile)
    }

    /// The same promise by the samples of two runs together, where `measured` is the percentile among all of them.
    ///
    /// What one run cannot say because it was at fault, both together cannot either. Rates add up.
    pub(crate) fn merge(self, other: Self, measured_ns: Option<u64>) -> Self {
        let voids = |clause: &Self| matches!(clause.verdict, Verdict::Invalid { .. });
        let void =
            [&self, &other].into_iter().find(|clause| voids(clause)).map(|c| c.verdict.clone());
        let (evidence, verdict, seen) = match (self.evidence, other.evidence) {
            (Evidence::Percentile(one), Evidence::Percentile(two)) => {
                let (counted, verdict) = one.merge(&two, measured_ns);
                let seen = counted.to_string();
                (Evidence::Percentile(counted), verdict, seen)
            }
            (
                Evidence::Throughput { limit_hz, measured_hz: one, samples },
                Evidence::Throughput { measured_hz: two, samples: more, .. },
            ) => {
                let (measured_hz, samples) = (one + two, samples + more);
                let seen = format!("{} Hz over {samples} iterations", number(measured_hz));
                let verdict = match Verdict::all([&self.verdict, &other.verdict]) {
                    Verdict::Pass | Verdict::Fail => (measured_hz >= limit_hz).into(),
                    open => open,
                };
                (Evidence::Throughput { limit_hz, measured_hz, samples }, verdict, seen)
            }
            // One promise has one kind of evidence.
            (evidence, _) => (evidence, self.verdict, self.seen),
        };
        Self { promise: self.promise, verdict: void.unwrap_or(verdict), seen, evidence }
    }
}

impl Counted {
    fn merge(self, other: &Self, measured_ns: Option<u64>) -> (Self, Verdict) {
        let quantile = Quantile::ALL.into_iter().find(|q| q.to_string() == self.quantile);
        let question = Question {
            quantile: quantile.unwrap_or(Quantile::MAX),
            confidence: self.confidence,
            samples: self.samples + other.samples,
            asked: self.asked.max(other.asked),
            over_count: self.over_count + other.over_count,
        };
        let effective = self.effective_samples + other.effective_samples;
        let counted = Self {
            measured_ms: measured_ns.map(milliseconds),
            asked: question.asked,
            samples: question.samples,
            effective_samples: effective,
            over_count: question.over_count,
            over_count_max: question.over_count_max(effective),
            if_independent: question.verdict(question.samples),
            ..self
        };
        (counted, question.verdict(effective))
    }
}

impl Contract {
    /// Compares every limit of the latency with what was recorded.
    ///
    /// # Panics
    /// If the recorder was made for other limits than those of this contract.
    pub fn judge(&self, recorder: &Recorder) -> Vec<Clause> {
        let counts = recorder.over_counts();
        assert_eq!(counts.len(), self.limits.len(), "the recorder counts for this contract");
        let limits = self.limits.iter().zip(counts).enumerate();
        limits.map(|(index, (limit, &over))| self.clause(limit, over, index, recorder)).collect()
    }

    /// Compares every promise with what was measured; void where the measurement itself was at fault.
    ///
    /// # Panics
    /// As [`judge`](Self::judge).
    pub fn judge_run(&self, measured: &Measurement) -> Vec<Clause> {
        let mut clauses = self.judge(&measured.recorder);
        clauses.extend(self.throughput_hz_min.map(|limit| self.throughput(limit, measured)));
        if let Some(fault) = self.fault(measured) {
            for clause in &mut clauses {
                clause.verdict = Verdict::invalid(format!("{fault}; {}", clause.seen));
            }
        }
        clauses
    }

    /// The limits as a recorder takes them.
    pub fn limits_ns(&self) -> Vec<u64> {
        self.limits.iter().map(Limit::limit_ns).collect()
    }

    /// How many of `samples` may be over each limit before it is broken for certain.
    pub fn budgets(&self, samples: u64) -> Vec<Budget> {
        let due = samples.max(self.iterations);
        let budget = |limit: &Limit| Budget {
            limit_ns: limit.limit_ns(),
            over_count_max: due - limit.quantile.rank(due),
        };
        self.limits.iter().map(budget).collect()
    }

    /// The confidence that each limit needs.
    pub(super) fn confidence_each(&self) -> f64 {
        // The largest sample is a fact, not an inference.
        let inferred = self.limits.iter().filter(|limit| limit.quantile != Quantile::MAX).count();
        match self.claim {
            Claim::Each => self.confidence,
            Claim::Joint => each_of(inferred, self.confidence),
        }
    }

    fn clause(&self, limit: &Limit, over_count: u64, index: usize, recorder: &Recorder) -> Clause {
        let quantile = limit.quantile;
        let question = Question {
            quantile,
            confidence: self.confidence_each(),
            samples: recorder.len(),
            asked: self.iterations,
            over_count,
        };
        let effective = recorder.effective_samples(index);
        let counted = Counted {
            quantile: quantile.to_string(),
            limit_ms: limit.limit_ms,
            measured_ms: recorder.quantile(quantile).map(milliseconds),
            confidence: question.confidence,
            asked: question.asked,
            samples: question.samples,
            effective_samples: effective,
            over_count,
            over_count_max: question.over_count_max(effective),
            if_independent: question.verdict(question.samples),
        };
        Clause {
            promise: format!("{quantile} < {} ms", number(limit.limit_ms)),
            verdict: question.verdict(effective),
            seen: counted.to_string(),
            evidence: Evidence::Percentile(counted),
        }
    }

    fn throughput(&self, limit_hz: f64, measured: &Measurement) -> Clause {
        let (measured_hz, samples) = (measured.rate_hz, measured.recorder.len());
        let verdict = match samples < self.iterations {
            true => Verdict::inconclusive(too_few(samples, self.iterations)),
            false => (measured_hz >= limit_hz).into(),
        };
        Clause {
            promise: format!("at least {} Hz", number(limit_hz)),
            verdict,
            seen: format!("{} Hz over {samples} iterations", number(measured_hz)),
            evidence: Evidence::Throughput { limit_hz, measured_hz, samples },
        }
    }

    /// What makes a measurement say nothing about the promises.
    fn fault(&self, measured: &Measurement) -> Option<String> {
        /// Most of the tightest limit that a generator may be late by.
        const SLIP_SHARE_MAX: u64 = 10;
        if !measured.warm_up.is_settled() {
            let [before, last] = measured.warm_up.medians_ns.map(crate::report::milliseconds);
            let iterations = measured.warm_up.iterations;
            return Some(format!(
                "the warm-up did not settle: after {iterations} iterations the medians of two windows are {before} and {last} ms"
            ));
        }
        if let Some(reason) = measured.slowed_by.first() {
            return Some(format!("{reason} held the clocks of the device back"));
        }
        let slip = &measured.open_loop.as_ref()?.slip;
        let late = slip.quantile(Quantile::P99).or_else(|| slip.quantile(Quantile::MAX))?;
        let tightest = self.limits_ns().into_iter().min()?;
        (late > tightest / SLIP_SHARE_MAX).then(|| {
            let (late, tightest) = (number(milliseconds(late)), number(milliseconds(tightest)));
            format!(
                "the generator of load was late: by {late} ms at p99, more than a tenth of the tightest limit, {tightest} ms"
            )
        })
    }
}

/// Whether a count of samples over a limit answers what a contract asks.
#[derive(Clone, Copy, Debug)]
struct Question {
    quantile: Quantile,
    confidence: f64,
    samples: u64,
    asked: u64,
    over_count: u64,
}

impl Question {
    fn over_count_max(&self, effective: u64) -> Option<u64> {
        over_count_max(self.samples, effective, self.quantile, self.confidence)
    }

    fn verdict(&self, effective: u64) -> Verdict {
        let Self { samples, asked, over_count, .. } = *self;
        // So many iterations are due; whatever the missing ones may be, they cannot undo those that are over.
        let due = samples.max(asked);
        if over_count > due - self.quantile.rank(due) {
            return Verdict::Fail;
        }
        if samples < asked {
            return Verdict::inconclusive(too_few(samples, asked));
        }
        if self.over_count_max(effective).is_some_and(|most| over_count <= most) {
            return Verdict::Pass;
        }
        Verdict::inconclusive(format!(
            "{} is below the limit among {samples} samples, worth {effective} independent ones, but not shown to be at {} % confidence; about {} more samples would show it at this rate",
            self.quantile,
            number(self.confidence * 100.0),
            number(self.more(effective)),
        ))
    }

    /// About how many more samples would pass if as many of them were over the limit and depended on each other as now.
    fn more(&self, effective: u64) -> f64 {
        let share = self.over_count as f64 / self.samples as f64;
        let gap = self.quantile.share_above() - share;
        let needed = samples_needed(self.quantile, gap, self.confidence).max(samples_min(
            self.quantile,
            self.confidence,
            0,
        ) as f64);
        let each = self.samples as f64 / effective as f64;
        two_digits((needed * each - self.samples as f64).max(each))
    }
}

/// Rounded up to two significant digits: an estimate does not deserve more.
fn two_digits(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor() - 1.0).max(1.0);
    (value / unit).ceil() * unit
}

fn too_few(samples: u64, asked: u64) -> String {
    format!("{samples} samples decide nothing, the contract asks for {asked}")
}

impl std::fmt::Display for Counted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { quantile, samples, effective_samples, over_count, .. } = self;
        let measured = self.measured_ms.map_or_else(|| "unknown".to_owned(), number);
        write!(
            formatter,
            "{quantile} {measured} ms over {samples} samples worth {effective_samples}, {over_count} at or over the limit"
        )?;
        match self.over_count_max {
            Some(most) => write!(formatter, ", at most {most} may be"),
            None => formatter.write_str(", too few to pass with any"),
        }?;
        if self.if_independent == Verdict::Pass && samples != effective_samples {
            formatter.write_str("; enough if samples were independent")?;
        }
        Ok(())
    }
}
