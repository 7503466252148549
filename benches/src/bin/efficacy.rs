//! Tuned launches beside generic ones: how many times as fast, and how far from what the device could do.

use std::process::ExitCode;

use benches::Question;
use slo_bench::cli::{Trials, efficacy};
use slo_bench::efficacy::{BLOCKS_MIN, TrialName};

const QUESTION: Question = Question {
    name: "efficacy",
    asks: "How much faster are the launches that the tuner chooses than generic ones of 128 threads?",
    sources: &kernels::SOURCES,
};

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// Blocks in which each choice is compared with its baseline, on fresh inputs
    #[arg(long, value_name = "COUNT", default_value_t = 200, value_parser = clap::value_parser!(u32).range(BLOCKS_MIN as i64..=100_000))]
    blocks: u32,
    /// Only these kernels; otherwise all of them
    #[arg(long, value_name = "KERNEL", value_delimiter = ',', value_parser = kernel)]
    only: Vec<TrialName>,
}

fn main() -> ExitCode {
    QUESTION.answer(|options: &Options, session| {
        let blocks = usize::try_from(options.blocks)?;
        let names = match options.only.as_slice() {
            [] => &TrialName::ALL,
            only => only,
        };
        let trials = Trials { names, blocks, contracts: &[] };
        Ok(vec![session.section("efficacy", || efficacy(session, &trials))])
    })
}

/// The kernel of that name.
fn kernel(name: &str) -> Result<TrialName, String> {
    let found = TrialName::ALL.into_iter().find(|trial| trial.name() == name);
    found.ok_or_else(|| format!("known: {}", TrialName::ALL.map(TrialName::name).join(", ")))
}
