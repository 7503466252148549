//! Which stage of an iteration the tail comes from.
//!
//! Of a pass whose iterations carry timed events, which cost time: its percentiles are its own, never those of the
//! samples that a contract judges. The share of a stage is its contribution to expected shortfall: its mean among the
//! slowest iterations beyond its mean among usual ones (Tasche, "Risk contributions and performance measurement", 1999).

mod pass;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use pass::{Marked, marked_pass};

/// The stage that no event covers: before the first event and after the last, that is launching, queueing and waking up.
const HOST: &str = "host";
/// Most iterations that are kept as examples.
const WORST: usize = 8;

/// Where the time of usual iterations and of slow ones went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// Iterations of the pass.
    pub iterations: u64,
    /// The stages in the order of every list below: `host`, which no event covers, then each part between two events.
    /// A host that is late between two launches shows in the part that it is late with.
    pub stages: Vec<String>,
    /// The mean of each stage over the middle tenth of the iterations by wall time.
    pub usual_ns: Vec<u64>,
    /// The slowest iterations against those: from p99 up, and from p99.9 up if there are enough.
    pub tails: Vec<Tail>,
    /// The slowest iterations, the slowest first.
    pub worst: Vec<SlowIteration>,
}

/// Iterations from one percentile of the pass up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Which percentile, such as `p99.9`.
    pub quantile: String,
    /// The wall time there, by nearest rank: the fastest of these iterations.
    pub from_ns: u64,
    /// How many they are.
    pub iterations: u64,
    /// How much longer each stage takes on average than usually.
    pub excess_ns: Vec<i64>,
    /// In how many of them each stage is the one with the largest excess.
    pub largest_in: Vec<u64>,
}

/// One iteration of the pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowIteration {
    /// Its number in the pass, from 1.
    pub iteration: u64,
    /// From its start to its end on the host's clock.
    pub wall_ns: u64,
    /// The same by stage.
    pub stages_ns: Vec<u64>,
}

impl Tail {
    /// How much longer the iterations take on average than usual ones: all stages together.
    pub fn excess_total_ns(&self) -> i64 {
        self.excess_ns.iter().sum()
    }

    /// What each stage has of that; together 1. A stage that is faster than usual has a negative share.
    pub fn shares(&self) -> Vec<f64> {
        let total = self.excess_total_ns() as f64;
        self.excess_ns.iter().map(|&excess| excess as f64 / total).collect()
    }

    /// The share of the first stage, the host.
    pub fn host_share(&self) -> f64 {
        self.shares().first().copied().unwrap_or(0.0)
    }

    /// Places of the stages in its lists, the one that explains most first.
    fn by_excess(&self) -> Vec<usize> {
        let mut places: Vec<_> = (0..self.excess_ns.len()).collect();
        places.sort_by_key(|&place| std::cmp::Reverse(self.excess_ns[place]));
        places
    }
}

impl Attribution {
    /// The stage that explains most of `tail`.
    pub fn leader(&self, tail: &Tail) -> &str {
        tail.by_excess().first().map_or(HOST, |&place| &self.stages[place])
    }

    /// The furthest tail in words: how much longer it takes than usual, and which stages that is.
    pub fn words(&self) -> String {
        /// More would be longer than a line.
        const STAGES_MAX: usize = 3;
        let Some(tail) = self.tails.last() else {
            return "no iteration is slower than usual".to_owned();
        };
        let shares = tail.shares();
        let told = tail.by_excess().into_iter().filter(|&place| shares[place] >= 0.005);
        let told: Vec<_> = told
            .take(STAGES_MAX)
            .map(|place| {
                let (stage, percent) = (&self.stages[place], shares[place] * 100.0);
                format!("{stage} {percent:.0} % (largest in {})", tail.largest_in[place])
            })
            .collect();
        let Tail { quantile, iterations, .. } = tail;
        let longer_us = tail.excess_total_ns() as f64 / 1e3;
        format!(
            "the {iterations} slowest of {} iterations with events, from {quantile} up, take {longer_us:.1} us more than usual: {}",
            self.iterations,
            told.join(", ")
        )
    }
}
