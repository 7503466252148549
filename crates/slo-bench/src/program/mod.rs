//! The commands of the program, and the one place where their errors become a line and an exit code.
//!
//! Never panics on bad input and never prints twice: results go to stdout, one error line to stderr.

mod args;
mod bench;
mod doctor;
mod dump;
mod frame_stream;
mod frames;
mod latency;
mod setup;
mod stream;
mod terminal;
mod validate;

use std::io::Write as _;

use clap::Parser as _;
use gpu_core::ErrorKind;
use slo_bench::Exit;

use args::{Args, Command};
use terminal::Terminal;

/// A wish that cannot be granted as it was said.
#[derive(Debug)]
struct Usage(String);

/// Something this machine lacks.
#[derive(Debug)]
struct Lacking(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::fmt::Display for Lacking {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
impl std::error::Error for Lacking {}

pub(crate) fn run() -> Exit {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let terminal = Terminal::new(args.command.output());
    let outcome = match &args.command {
        Command::Validate(args) => validate::run(args, &terminal),
        Command::Bench(args) => bench::run(args, &terminal),
        Command::Doctor(args) => doctor::run(args, &terminal),
        Command::Frames(args) => frames::run(args, &terminal),
    };
    outcome.unwrap_or_else(|error| {
        print_error(&format!("{error:#}"));
        if args.command.ends_with_verdict() {
            terminal.line("FAIL no report was written");
        }
        exit(&error)
    })
}

/// Help and version as they are; anything else in one line.
fn usage(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // The reader of the output may have gone: that is no failure.
        let _ = error.print();
        return Exit::Pass;
    }
    let text = error.to_string();
    let parts = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_tail =
        |line: &str| line.starts_with("Usage:") || line.starts_with("For more information");
    let parts: Vec<_> = parts.take_while(|line| !is_tail(line)).collect();
    let first = parts.first().copied().unwrap_or("a command is missing");
    let first = first.trim_start_matches("error: ").trim_end_matches(':');
    let rest: String = parts.iter().skip(1).map(|part| format!("; {part}")).collect();
    print_error(&format!("{first}{rest}; see --help"));
    Exit::Usage
}

fn print_error(text: &str) {
    let line: String = text.split(['\n', '\r']).map(str::trim).collect::<Vec<_>>().join(" ");
    // If nobody reads stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "error: {line}");
}

/// What an error means for the exit code: the first cause that has a kind decides.
fn exit(error: &anyhow::Error) -> Exit {
    let kind = error.chain().find_map(|cause| {
        if cause.is::<Usage>() {
            return Some(ErrorKind::Invalid);
        }
        if cause.is::<Lacking>() {
            return Some(ErrorKind::Unavailable);
        }
        let ours = cause.downcast_ref().map(slo_bench::Error::kind);
        ours.or_else(|| cause.downcast_ref().map(gpu_core::Error::kind))
    });
    kind.map_or(Exit::Fail, Exit::from)
}
