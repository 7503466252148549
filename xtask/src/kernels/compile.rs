//! From one `.cu` file to one image, several at a time.
//!
//! Never leaves a half-written image: nvcc writes beside it, and the result is renamed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, bail};

use super::manifest::{Image, image_hash};
use super::ptxas;
use super::source::Source;
use crate::process;
use crate::stopwatch::Stopwatch;
use crate::terminal::note;
use crate::traces;

/// Machine code for the H100 and PTX from Turing on, which newer devices compile when they load it. Not compressed:
/// what an image says about the machine it was compiled on can be seen and taken out.
pub(crate) const FLAGS: [&str; 13] = [
    "-fatbin",
    "--no-compress",
    "-O3",
    "-std=c++17",
    "-lineinfo",
    "--generate-code",
    "arch=compute_90,code=sm_90",
    "--generate-code",
    "arch=compute_75,code=compute_75",
    "-Xptxas",
    "-v",
    "-Werror",
    "all-warnings",
];
const TARGETS: [&str; 2] = ["sm_90", "compute_75"];

/// What every compilation of one run shares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compiler<'a> {
    pub(crate) nvcc: &'a Path,
    /// Where nvcc runs. Sources below it are named as seen from here.
    pub(crate) root: &'a Path,
    /// Folders that no image may name.
    pub(crate) folders: &'a [PathBuf],
    pub(crate) include: &'a Path,
    pub(crate) images: &'a Path,
}

impl Compiler<'_> {
    /// Compiles `sources` on all cores; the results come in the order of the stems.
    pub(crate) fn compile_all(self, sources: &[&Source]) -> Vec<anyhow::Result<Image>> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        let workers = thread::available_parallelism().map_or(1, usize::from).min(sources.len());
        thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(&source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let watch = Stopwatch::start();
                        let result = self.compile(source);
                        let mut results = results.lock().expect("no thread panics with the lock");
                        let done = results.len() + 1;
                        let word = if result.is_ok() { "compiled" } else { "failed" };
                        note!(
                            "kernels: [{done}/{}] {} {word} in {}",
                            sources.len(),
                            source.stem,
                            watch.elapsed()
                        );
                        results.push((source.stem.clone(), result));
                    }
                });
            }
        });
        let mut results = results.into_inner().expect("no thread panics with the lock");
        results.sort_by(|a, b| a.0.cmp(&b.0));
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn compile(self, source: &Source) -> anyhow::Result<Image> {
        let file = format!("{}.fatbin", source.stem);
        let path = self.images.join(&file);
        let temporary = self.images.join(format!("{file}.tmp"));
        let below = |path: &Path| path.strip_prefix(self.root).unwrap_or(path).to_owned();
        let mut command = Command::new(self.nvcc);
        command.current_dir(self.root).args(FLAGS).arg("-I").arg(below(self.include));
        command.arg("-o").arg(&temporary).arg(below(&source.path));
        let output = process::capture(&mut command)?;
        let said =
            String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("{} does not compile\n{}", source.path.display(), said.trim_end());
        }
        // The line table names folders in full, however the sources were named.
        traces::scrub(&temporary, self.folders)?;
        let image = fs::read(&temporary)
            .and_then(|image| fs::rename(&temporary, &path).map(|()| image))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Image {
            file,
            source_hash: source.hash.clone(),
            image_hash: image_hash(&image),
            bytes: image.len() as u64,
            targets: TARGETS.map(str::to_owned).to_vec(),
            kernels: ptxas::parse(&said),
        })
    }
}
