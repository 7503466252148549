//! `slo-bench shell`: completions for shells and pages for `man`, written when the program is packed.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate_to};
use slo_bench::cli::Terminal;
use slo_bench::{Error, Exit};

use super::args::Args;

#[derive(Debug, clap::Args)]
pub(super) struct ShellArgs {
    /// Folder for the files; those that are there are replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &ShellArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    write(&args.out).map_err(|error| Error::OutputUnwritable {
        path: args.out.clone(),
        reason: error.to_string(),
        option: "--out",
    })?;
    terminal.line(&format!("completions and manual pages in {}", args.out.display()));
    Ok(Exit::Pass)
}

fn write(out: &Path) -> std::io::Result<()> {
    fs::create_dir_all(out)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, &mut Args::command(), "slo-bench", out)?;
    }
    clap_mangen::generate_to(Args::command(), out)
}
