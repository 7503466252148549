//! The one place where errors become a line and an exit code.

use std::fmt;
use std::io::Write as _;

use gpu_core::ErrorKind;

use crate::error::Error;
use crate::verdict::Exit;

/// A wish that cannot be granted as it was said.
#[derive(Debug)]
pub struct Usage(
    /// What is wrong with it, and what to say instead.
    pub String,
);

/// Something this machine lacks.
#[derive(Debug)]
pub struct Lacking(
    /// What, and what to do about it.
    pub String,
);

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
impl std::error::Error for Lacking {}

/// The command line as clap read it, or how the program ends without one: help is shown, and what cannot be read is
/// told in one line.
///
/// # Errors
/// The exit code.
pub fn parse<Args>(parsed: clap::error::Result<Args>) -> Result<Args, Exit> {
    parsed.map_err(|error| usage(&error))
}

/// How the program ends; an error is told in one line.
pub fn end(outcome: anyhow::Result<Exit>) -> Exit {
    outcome.unwrap_or_else(|error| {
        print_error(&format!("{error:#}"));
        Exit::from(&error)
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

/// The first cause that has a kind decides.
impl From<&anyhow::Error> for Exit {
    fn from(error: &anyhow::Error) -> Self {
        let kind = error.chain().find_map(|cause| {
            if cause.is::<Usage>() {
                return Some(ErrorKind::Invalid);
            }
            if cause.is::<Lacking>() {
                return Some(ErrorKind::Unavailable);
            }
            let ours = cause.downcast_ref().map(Error::kind);
            ours.or_else(|| cause.downcast_ref().map(gpu_core::Error::kind))
        });
        kind.map_or(Self::Fail, Self::from)
    }
}
