//! The commands of the program.
//!
//! Never panics on bad input and never prints twice: results go to stdout, one error line to stderr.

mod args;
mod bench;
mod capacity;
mod compare;
mod contract;
mod course;
mod doctor;
mod dump;
mod fleet;
mod frame_stream;
mod frames;
mod latency;
mod report;
mod saturation;
mod setup;
mod shell;
mod stream;
mod streamed;
mod validate;

use clap::Parser as _;
use slo_bench::Exit;
use slo_bench::cli::{self, Terminal};

use args::{Args, Command};

pub(crate) fn run() -> Exit {
    let args = match cli::parse(Args::try_parse()) {
        Ok(args) => args,
        Err(exit) => return exit,
    };
    let terminal = Terminal::new(args.command.output());
    let outcome = match &args.command {
        Command::Validate(args) => validate::run(args, &terminal),
        Command::Bench(args) => bench::run(args, &terminal),
        Command::Doctor(args) => doctor::run(args, &terminal),
        Command::Frames(args) => frames::run(args, &terminal),
        Command::Compare(args) => compare::run(args, &terminal),
        Command::Merge(args) => report::merge(args, &terminal),
        Command::Report(args) => report::run(args, &terminal),
        Command::Shell(args) => shell::run(args, &terminal),
        Command::Contract(command) => contract::run(command, &terminal),
    };
    if outcome.is_err() && args.command.ends_with_verdict() {
        terminal.line("FAIL no report was written");
    }
    cli::end(outcome)
}
