//! `slo-bench frames`: a file of frames from the formula.

use slo_bench::{Exit, Formula, FrameFormat, write_frames};

use super::args::FramesArgs;
use slo_bench::cli::Terminal;

pub(super) fn run(args: &FramesArgs, terminal: &Terminal) -> anyhow::Result<Exit> {
    let format = if args.raw { FrameFormat::Raw } else { FrameFormat::Npy };
    write_frames(&args.out, format, &mut Formula::first(args.count), args.count)?;
    terminal.line(&format!("{} frames in {}", args.count, args.out.display()));
    Ok(Exit::Pass)
}
