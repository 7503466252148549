//! What a program asks, and its way from the command line to the report.
//!
//! Never measures: a program does.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use gpu_core::KernelSource;
use slo_bench::cli::{OutputArgs, PlaceArgs, Session, Terminal, end, parse};
use slo_bench::{Exit, Section};

const AFTER: &str = "\
Exit codes:
  0  every check holds; what needs a GPU is skipped where there is none
  1  a check failed
  2  bad usage
  3  the environment: a GPU that is required and missing, no driver, no kernel image,
     a folder that cannot be written

Reports go to target/temper/<time>/report.json and report.md, or to --out DIR.";

/// A question that a program answers by measuring.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Name of the program.
    pub name: &'static str,
    /// The question in a line.
    pub asks: &'static str,
    /// Kernels whose compiled images the program needs on a GPU.
    pub sources: &'static [KernelSource],
}

/// A program's own options and those that all have.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER)]
struct Arguments<Options: clap::Args> {
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Question {
    /// Reads the command line, lets `measure` work, shows and writes what it found, and says how the program ends.
    ///
    /// `measure` makes its sections with [`Session::section`], which times them and shows that they run.
    pub fn answer<Options: clap::Args>(
        &self,
        measure: impl FnOnce(&Options, &Session<'_>) -> anyhow::Result<Vec<Section>>,
    ) -> ExitCode {
        self.answer_from(std::env::args_os(), measure).into()
    }

    /// The same with the command line given, the program's name first.
    pub fn answer_from<Options: clap::Args>(
        &self,
        arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
        measure: impl FnOnce(&Options, &Session<'_>) -> anyhow::Result<Vec<Section>>,
    ) -> Exit {
        let command = Arguments::<Options>::command().name(self.name).about(self.asks);
        let parsed = command
            .try_get_matches_from(arguments)
            .and_then(|matches| Arguments::<Options>::from_arg_matches(&matches));
        match parse(parsed) {
            Ok(arguments) => end(self.run(&arguments, measure)),
            Err(exit) => exit,
        }
    }

    fn run<Options: clap::Args>(
        &self,
        arguments: &Arguments<Options>,
        measure: impl FnOnce(&Options, &Session<'_>) -> anyhow::Result<Vec<Section>>,
    ) -> anyhow::Result<Exit> {
        let Arguments { options, place, output } = arguments;
        let terminal = Terminal::new(output.output());
        let session = Session::open(place, output, self.sources, &terminal)?;
        session.announce(&format!("{} {}: {}", self.name, env!("CARGO_PKG_VERSION"), self.asks));
        terminal.heading();
        let sections = measure(options, &session)?;
        for section in &sections {
            terminal.runs(&section.runs);
            terminal.figures(&section.figures);
        }
        session.finish(self.name, sections)
    }
}
