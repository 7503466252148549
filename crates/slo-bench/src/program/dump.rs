//! `slo-bench validate --dump`: what the workloads put out from their initial state on, for independent programs.
//!
//! Compares nothing and judges nothing.

use std::path::{Path, PathBuf};

use serde::Serialize;
use slo_bench::cli::{Place, SEED, Terminal, Usage, commit, measured_on};
use slo_bench::{Dump, Exit, Formula, FrameFile, FrameSource, Reference, Variant, WorkloadConfig};

use super::args::ValidateArgs;

const FRAMES: u64 = 3;

/// How the arrays came about, as a file beside them.
#[derive(Debug, Serialize)]
struct Note<'a> {
    version: &'static str,
    computed_on: &'a str,
    seed: u64,
    frames: u64,
    /// Where the frames of the end-to-end workload came from.
    input: &'a str,
    program: &'static str,
    commit: String,
}

/// Where the frames come from.
enum Input {
    Formula,
    File(PathBuf),
}

impl Input {
    /// Refuses a file that does not hold `frames` good frames.
    fn check(args: &ValidateArgs, frames: u64) -> anyhow::Result<Self> {
        let Some(path) = &args.run.input else { return Ok(Self::Formula) };
        let count = FrameFile::check(path)?;
        if count < frames {
            let path = path.display();
            let text = format!(
                "{path}: holds {count} frames, the dump takes {frames}; name fewer with --frames"
            );
            return Err(Usage(text).into());
        }
        Ok(Self::File(path.clone()))
    }

    fn open(&self) -> slo_bench::Result<Box<dyn FrameSource>> {
        Ok(match self {
            Self::Formula => Box::new(Formula::unlimited()),
            Self::File(path) => Box::new(FrameFile::open(path)?),
        })
    }

    fn words(&self) -> String {
        match self {
            Self::Formula => "the formula".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// Refuses options that mean something with --dump only.
pub(super) fn refuse_without(args: &ValidateArgs) -> anyhow::Result<()> {
    let given = [("--seed", args.seed.is_some()), ("--variant", args.variant.is_some())];
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => {
            Err(Usage(format!("{option} is for --dump; add --dump DIR or leave it out")).into())
        }
        None => Ok(()),
    }
}

pub(super) fn run(args: &ValidateArgs, folder: &Path, terminal: &Terminal) -> anyhow::Result<Exit> {
    let frames = args.run.frames.unwrap_or(FRAMES);
    let seed = args.seed.unwrap_or(SEED);
    let variant = args.variant.map_or(Variant::Device, Variant::from);
    let input = Input::check(args, frames)?;
    let place = Place::open(&args.run.place)?;
    let images = place.images(&args.run.place, &kernels::SOURCES)?;
    let device = place.device;
    let mut dump = Dump::at(folder, frames)?;
    let (computed_on, words) = (measured_on(&device, variant), input.words());
    terminal.line(&format!("slo-bench {} validate --dump", env!("CARGO_PKG_VERSION")));
    terminal.line(&format!("version     {}", variant.name()));
    terminal.line(&format!("computed on {computed_on}"));
    terminal.line(&format!("seed        {seed}"));
    terminal.line(&format!("frames      {frames} of {words}"));
    for workload in Reference::ALL {
        let config =
            WorkloadConfig { variant, n: workload.n(), seed, device: &device, images: &images };
        let mut opened = workload.open(&config, input.open()?)?;
        let bar = terminal.progress(workload.name(), frames);
        let taken = (0..frames).try_for_each(|_| {
            bar.inc(1);
            opened.prepare()?;
            opened.step()?;
            dump.take(workload.code(), &*opened)
        });
        bar.finish_and_clear();
        taken?;
    }
    let note = Note {
        version: variant.name(),
        computed_on: &computed_on,
        seed,
        frames,
        input: &words,
        program: env!("CARGO_PKG_VERSION"),
        commit: commit().unwrap_or_else(|| "unknown".to_owned()),
    };
    let count = dump.store(&note)?;
    terminal.line(&format!("{count} arrays of {frames} frames in {}", folder.display()));
    Ok(Exit::Pass)
}
