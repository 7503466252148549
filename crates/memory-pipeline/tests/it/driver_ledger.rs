//! The books of the fault matrix: what became of every batch and buffer, one case at a time and in all.
//!
//! Never decides what may fail: it counts, and says which case does not add up.

use std::fmt::{Display, Formatter, Result};

use gpu_core::Device;
use memory_pipeline::Error;

use crate::driver::Journey;

/// What became of the batches, runs or schedules of one case, and of their buffers.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) submitted: u64,
    pub(crate) came_back: u64,
    /// Submitted and named by an error.
    pub(crate) named: u64,
    /// Submitted, and dropped by its user before it was waited for.
    pub(crate) dropped: u64,
    /// Given back, or refused because too many buffers had been given up.
    pub(crate) refused: u64,
    /// Buffers that nobody may use again.
    pub(crate) given_up: u64,
    /// Whether that was told.
    pub(crate) is_closed: bool,
    /// Page-locked and registered pieces of memory that the driver never got back.
    pub(crate) kept: u64,
    /// Promises to the driver that were broken.
    pub(crate) violations: Vec<String>,
    pub(crate) errors: Vec<gpu_core::Error>,
}

impl Ledger {
    /// Takes an error that must be the device's.
    pub(crate) fn note(&mut self, error: Error) {
        match error {
            Error::Batch { source, .. } | Error::Device(source) => self.errors.push(source),
            Error::Closed | Error::Exhausted { .. } => self.is_closed = true,
            other => panic!("{other:?}"),
        }
    }

    /// Goes on a journey.
    pub(crate) fn take(&mut self, device: &Device, journey: Journey) {
        if let Err(error) = journey(device, self) {
            self.note(error);
        }
    }

    /// Batches that were submitted and of which nothing was heard, or more than once.
    fn lost(&self) -> u64 {
        self.submitted.abs_diff(self.came_back + self.named + self.dropped)
    }

    /// Broken promises that are about a buffer which queued work still uses, in the words of the fake driver.
    fn reused_early(&self) -> usize {
        let words = ["before the copy ran", "while queued work uses it", "memory that was freed"];
        let is_reuse = |text: &&String| words.iter().any(|words| text.contains(words));
        self.violations.iter().filter(is_reuse).count()
    }
}

/// The sum of many ledgers.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cases: u64,
    sum: Ledger,
    /// Summed case by case, so that one lost here and one counted twice there are two.
    lost: u64,
    reused_early: usize,
    /// Each case that does not add up, with its ledger.
    faulty: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, case: &str, ledger: Ledger) {
        let (lost, reused_early) = (ledger.lost(), ledger.reused_early());
        if lost > 0 || !ledger.violations.is_empty() {
            self.faulty.push(format!("{case}: {lost} lost, {ledger:?}"));
        }
        self.cases += 1;
        self.lost += lost;
        self.reused_early += reused_early;
        self.sum.submitted += ledger.submitted;
        self.sum.came_back += ledger.came_back;
        self.sum.named += ledger.named;
        self.sum.dropped += ledger.dropped;
        self.sum.refused += ledger.refused;
        self.sum.kept += ledger.kept;
        self.sum.violations.extend(ledger.violations);
    }

    /// What only a driver that watches can tell.
    pub(crate) fn promises(&self) -> String {
        let Self { sum: Ledger { kept, violations, .. }, reused_early, .. } = self;
        let broken = violations.len();
        format!(
            "{kept} slabs kept for ever, {reused_early} buffers reused early, {broken} promises broken in all"
        )
    }

    /// Fails with the first case in which a batch was lost or a promise broken.
    pub(crate) fn assert_whole(&self) {
        let faulty = self.faulty.len();
        assert!(faulty == 0, "{faulty} of {} cases: {}", self.cases, self.faulty[0]);
        assert_eq!((self.lost, self.reused_early), (0, 0));
    }
}

impl Display for Tally {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let Ledger { submitted, came_back, named, dropped, refused, .. } = self.sum;
        write!(formatter, "{submitted} submitted, {came_back} came back right, {named} named by ")?;
        write!(
            formatter,
            "an error, {dropped} dropped in flight, {} lost; {refused} refused",
            self.lost
        )
    }
}

#[test]
fn a_batch_of_which_nothing_is_heard_is_lost_even_if_another_is_heard_of_twice() {
    let mut tally = Tally::default();
    let whole = Ledger { submitted: 4, came_back: 1, named: 1, dropped: 2, ..Ledger::default() };
    tally.add("whole", whole);
    tally.assert_whole();
    tally.add("one lost", Ledger { submitted: 2, came_back: 1, ..Ledger::default() });
    tally.add("one twice", Ledger { submitted: 1, came_back: 1, named: 1, ..Ledger::default() });
    assert_eq!((tally.cases, tally.lost, tally.faulty.len()), (3, 2, 2));
}
