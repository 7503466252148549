//! `cargo xtask kernels`: every `kernels/src/**/*.cu` becomes an image with a manifest entry.
//!
//! Never runs inside `cargo build`, and never compiles what has not changed.

mod compile;
mod manifest;
mod ptxas;
mod source;
#[cfg(test)]
mod tests;
mod toolchain;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::process::Missing;
use crate::table;
use crate::terminal::{note, say};
use crate::traces;
use crate::workspace::Workspace;
use compile::{Compiler, FLAGS};
use manifest::{Image, Stale};
use source::{Source, Sources};

pub(crate) use manifest::Manifest;
pub(crate) use toolchain::{Nvcc, host_compiler, pip_install, pip_version};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// The nvcc to use (13.0.x); otherwise $NVCC, $CUDA_HOME/bin, PATH, or one that is installed
    /// into the target folder
    #[arg(long, value_name = "PATH")]
    nvcc: Option<PathBuf>,
    /// Compile nothing; fail if an image is stale or missing
    #[arg(long)]
    check: bool,
    /// Accept kernels that spill registers to memory
    #[arg(long)]
    allow_spills: bool,
}

/// Brings the images up to date, or with `--check` says whether they are.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<()> {
    let manifest = if args.check { check(workspace, args)? } else { ensure(workspace, args)? };
    let Some(manifest) = manifest else {
        say!("kernels: kernels/src holds no .cu file; nothing to compile");
        return Ok(());
    };
    say!("{}", resource_table(&manifest));
    say!("kernels: {} images in {}", manifest.images.len(), workspace.images().display());
    report_spills(&manifest, args)
}

/// Brings the images up to date, installing a compiler if need be; `None` where there is no kernel.
pub(crate) fn ensure(workspace: &Workspace, args: &Args) -> anyhow::Result<Option<Manifest>> {
    let sources = Sources::read(&workspace.root.join("kernels"))?;
    if sources.kernels.is_empty() {
        return Ok(None);
    }
    if let Some(manifest) = fresh_without_compiler(workspace, args, &sources)? {
        return Ok(Some(manifest));
    }
    let nvcc = toolchain::find_or_install(&workspace.target, args.nvcc.as_deref())?;
    if host_compiler().is_none() {
        let fix = "install g++, or name a compiler in NVCC_CCBIN";
        return Err(Missing(format!("nvcc needs a C++ compiler beside it: {fix}")).into());
    }
    refresh(workspace, &sources, &nvcc).map(Some)
}

/// Images that were compiled elsewhere and copied here need no compiler as long as they are fresh.
fn fresh_without_compiler(
    workspace: &Workspace,
    args: &Args,
    sources: &Sources,
) -> anyhow::Result<Option<Manifest>> {
    if toolchain::search(&workspace.target, args.nvcc.as_deref())?.found.is_some() {
        return Ok(None);
    }
    let manifest = Manifest::load(&workspace.images());
    let stale = find_stale(&workspace.images(), sources, manifest.as_ref(), None);
    Ok(manifest.filter(|_| stale.is_empty()))
}

/// How many images there should be, and which of them are stale, without compiling anything.
pub(crate) fn stale(workspace: &Workspace) -> anyhow::Result<(usize, Vec<(String, &'static str)>)> {
    let sources = Sources::read(&workspace.root.join("kernels"))?;
    let version = search(workspace)?.found.map(|nvcc| nvcc.version);
    let manifest = Manifest::load(&workspace.images());
    let found = find_stale(&workspace.images(), &sources, manifest.as_ref(), version.as_deref());
    let stale = found.into_iter().map(|(source, stale)| (source.stem.clone(), stale.reason()));
    Ok((sources.kernels.len(), stale.collect()))
}

/// Looks for a compiler without installing one.
pub(crate) fn search(workspace: &Workspace) -> anyhow::Result<toolchain::Search> {
    toolchain::search(&workspace.target, None)
}

fn check(workspace: &Workspace, args: &Args) -> anyhow::Result<Option<Manifest>> {
    let sources = Sources::read(&workspace.root.join("kernels"))?;
    let nvcc = toolchain::search(&workspace.target, args.nvcc.as_deref())?.found;
    let version = nvcc.map(|nvcc| nvcc.version);
    let manifest = Manifest::load(&workspace.images());
    let found = find_stale(&workspace.images(), &sources, manifest.as_ref(), version.as_deref());
    for (source, stale) in &found {
        say!("kernels: {} is stale: {}", source.stem, stale.reason());
    }
    if !found.is_empty() {
        bail!("{} kernel images are stale: run `cargo xtask kernels`", found.len());
    }
    Ok(manifest.filter(|_| !sources.kernels.is_empty()))
}

fn find_stale<'a>(
    images: &Path,
    sources: &'a Sources,
    manifest: Option<&Manifest>,
    nvcc: Option<&str>,
) -> Vec<(&'a Source, Stale)> {
    let staleness = |source| match manifest {
        Some(manifest) => manifest.staleness(images, source, (nvcc, &FLAGS)),
        None => Some(Stale::Absent),
    };
    let kernels = sources.kernels.iter();
    kernels.filter_map(|source| staleness(source).map(|stale| (source, stale))).collect()
}

/// Compiles what is stale; what compiles is kept even when something else does not.
fn refresh(workspace: &Workspace, sources: &Sources, nvcc: &Nvcc) -> anyhow::Result<Manifest> {
    let images = &workspace.images();
    fs::create_dir_all(images).with_context(|| format!("cannot write {}", images.display()))?;
    let lock = File::create(images.join(".lock")).context("cannot write the images' folder")?;
    if lock.try_lock().is_err() {
        note!("kernels: waiting for another run to end");
        lock.lock().context("cannot lock the images' folder")?;
    }
    let old = Manifest::load(images);
    let stale = find_stale(images, sources, old.as_ref(), Some(&nvcc.version));
    let fresh = sources.kernels.len() - stale.len();
    note!(
        "kernels: nvcc {} ({}); {fresh} fresh, {} to compile",
        nvcc.version,
        nvcc.origin,
        stale.len()
    );
    for (source, stale) in &stale {
        note!("kernels: {}: {}", source.stem, stale.reason());
    }
    let wanted: Vec<&Source> = stale.iter().map(|(source, _)| *source).collect();
    let mut manifest = Manifest::new(&nvcc.version, &FLAGS);
    let still_fresh = |stem: &String| {
        sources.kernels.iter().any(|source| &source.stem == stem)
            && !wanted.iter().any(|source| &source.stem == stem)
    };
    let kept = old.into_iter().flat_map(|old| old.images).filter(|(stem, _)| still_fresh(stem));
    manifest.images.extend(kept);
    // Stored before an image is replaced: whatever ends this run, no entry describes another image.
    manifest.store(images)?;
    let path = std::path::absolute(&nvcc.path)?;
    let toolkit = path.ancestors().nth(2).filter(|folder| folder.parent().is_some());
    let mut folders: Vec<PathBuf> = toolkit.map(Path::to_owned).into_iter().collect();
    folders.extend(traces::folders(workspace));
    let (root, include) = (&workspace.root, &sources.include);
    let compiler = Compiler { nvcc: &path, root, folders: &folders, include, images };
    let mut compiled = compiler.compile_all(&wanted);
    let failures: Vec<_> = compiled.extract_if(.., |result| result.is_err()).collect();
    for image in compiled.into_iter().flatten() {
        let stem = image.file.trim_end_matches(".fatbin").to_owned();
        manifest.images.insert(stem, image);
    }
    manifest.store(images)?;
    remove_leftovers(images, &manifest)?;
    for error in failures.iter().filter_map(|result| result.as_ref().err()) {
        note!("kernels: {error:#}");
    }
    if !failures.is_empty() {
        bail!("{} of {} kernels do not compile", failures.len(), sources.kernels.len());
    }
    Ok(manifest)
}

/// Images without a source would be loaded by name long after their kernel is gone.
fn remove_leftovers(images: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    for entry in fs::read_dir(images)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let known = manifest.images.values().any(|image| image.file == name);
        if !known && (name.ends_with(".fatbin") || name.ends_with(".tmp")) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn resource_table(manifest: &Manifest) -> String {
    let header =
        ["image", "kernel", "arch", "registers", "shared B", "stack B", "spill st B", "spill ld B"];
    let mut rows = Vec::new();
    for (stem, Image { kernels, .. }) in &manifest.images {
        for kernel in kernels {
            let numbers = [
                u64::from(kernel.registers),
                kernel.shared_bytes,
                kernel.stack_bytes,
                kernel.spill_store_bytes,
                kernel.spill_load_bytes,
            ];
            let mut row = vec![stem.clone(), kernel.name.clone(), kernel.arch.clone()];
            row.extend(numbers.map(|number| number.to_string()));
            rows.push(row);
        }
    }
    table::render(&header, &rows, &[3, 4, 5, 6, 7])
}

fn report_spills(manifest: &Manifest, args: &Args) -> anyhow::Result<()> {
    let kernels = manifest.images.values().flat_map(|image| &image.kernels);
    let names: Vec<&str> =
        kernels.filter(|kernel| kernel.spills()).map(|kernel| kernel.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let names = names.join(", ");
    if args.allow_spills {
        note!("kernels: spilling registers to memory: {names}");
        return Ok(());
    }
    bail!("these kernels spill registers to memory: {names}; use fewer, or pass --allow-spills")
}
