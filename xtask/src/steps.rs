//! The steps of a command: what each came to, how long it took, and what to type to repeat one that failed.
//!
//! Never goes on after a failure and never hides one: the error goes on to the caller, its row stays.

use crate::stopwatch::{Seconds, Stopwatch};
use crate::table;

/// What a step came to that did not fail.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    Skipped(&'static str),
}

/// The steps so far, a row each.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    rows: Vec<Vec<String>>,
}

impl Steps {
    /// Takes a step and times it; `repeat` is what to type to take it alone.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        repeat: &str,
        work: impl FnOnce() -> anyhow::Result<(Outcome, T)>,
    ) -> anyhow::Result<T> {
        let watch = Stopwatch::start();
        let taken = work();
        let outcome = taken.as_ref().map(|(outcome, _)| outcome).map_err(|_| repeat);
        self.rows.push(row(name, outcome, watch.elapsed()));
        taken.map(|(_, made)| made)
    }

    /// Keeps a row for a step that is not taken.
    pub(crate) fn not_run(&mut self, name: &str) {
        self.rows.push(vec![name.into(), "not run".into()]);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn table(&self) -> String {
        table::render(&["step", "result", "time", "remark"], &self.rows, &[2])
    }
}

fn row(name: &str, outcome: Result<&Outcome, &str>, time: Seconds) -> Vec<String> {
    let (result, remark) = match outcome {
        Ok(Outcome::Passed) => ("ok", ""),
        Ok(Outcome::Skipped(why)) => ("skipped", *why),
        Err(repeat) => ("FAIL", repeat),
    };
    vec![name.into(), result.into(), time.to_string(), remark.into()]
}

#[cfg(test)]
mod tests {
    use anyhow::{anyhow, bail};

    use super::*;

    #[test]
    fn a_failed_step_shows_its_time_and_the_command_that_repeats_it() {
        let mut steps = Steps::default();
        assert_eq!(steps.take("kernels", "k", || Ok((Outcome::Passed, 7))).unwrap(), 7);
        let skipped = || Ok((Outcome::Skipped("no compiler"), ()));
        steps.take("more kernels", "k", skipped).unwrap();
        let lost =
            steps.take("build", "cargo build", || -> anyhow::Result<(Outcome, ())> { bail!("no") });
        assert_eq!(lost.unwrap_err().to_string(), "no");
        steps.not_run("run");
        let words = steps.rows.iter().map(|row| (row[1].as_str(), row.last().unwrap().as_str()));
        let expected = [
            ("ok", ""),
            ("skipped", "no compiler"),
            ("FAIL", "cargo build"),
            ("not run", "not run"),
        ];
        assert_eq!(words.collect::<Vec<_>>(), expected);
        assert_eq!((steps.len(), steps.table().lines().count()), (4, 5));
        let time = Seconds(std::time::Duration::from_millis(1_540));
        assert_eq!(
            row("build", Err("cargo build"), time),
            ["build", "FAIL", "1.5 s", "cargo build"]
        );
    }

    #[test]
    fn an_error_keeps_its_kind() {
        let mut steps = Steps::default();
        let missing = || -> anyhow::Result<(Outcome, ())> {
            Err(anyhow!(crate::process::Missing("nvcc".into())))
        };
        let lost = steps.take("kernels", "", missing).unwrap_err();
        assert!(lost.is::<crate::process::Missing>());
    }
}
