//! `cargo xtask dist`: a folder that runs on a machine with a driver and nothing else.
//!
//! Never leaves a half-made folder: it is assembled beside its place and renamed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::kernels::{self, Manifest};
use crate::process::{self, Missing, Usage};
use crate::stopwatch::Stopwatch;
use crate::terminal::say;
use crate::workspace::Workspace;
use crate::{linkage, program, traces};

const README: &str = include_str!("dist_readme.txt");
/// Folder of the programs beside the main one.
const BIN: &str = "bin";
/// Folder of completions and manual pages.
const SHARE: &str = "share";
const SUMS: &str = "SHA256SUMS";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where to put the folder; otherwise `dist/temper` in the target folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What goes into the folder.
struct Parts<'a> {
    /// Each with its name.
    programs: &'a [(String, PathBuf)],
    images: &'a Path,
    manifest: &'a Manifest,
    /// Folder of completions and manual pages.
    shell: &'a Path,
    root: &'a Path,
    commit: &'a str,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> anyhow::Result<()> {
    let watch = Stopwatch::start();
    let default = || workspace.target.join("dist/temper");
    let out = std::path::absolute(args.out.clone().unwrap_or_else(default))?;
    check_place(&out)?;
    // Tried before the long build, so that a place that cannot be written is known at once.
    let unfinished = sibling(&out, "unfinished");
    fs::create_dir_all(&unfinished).and_then(|()| fs::remove_dir_all(&unfinished)).map_err(
        |error| Missing(format!("cannot write {} ({error}); choose another --out", out.display())),
    )?;
    let Some(manifest) = kernels::ensure(workspace, &kernels::Args::default())? else {
        bail!("kernels/src holds no .cu file: there is nothing to distribute");
    };
    let programs = program::build_all(workspace)?;
    let folders = traces::folders(workspace);
    for (_, program) in &programs {
        linkage::check(program)?;
        traces::check(program, &folders)?;
    }
    for image in manifest.images.values() {
        traces::check(&workspace.images().join(&image.file), &folders)?;
    }
    let shell = workspace.target.join("shell");
    write_shell(&programs, &shell)?;
    let commit = program::commit(workspace);
    let parts = Parts {
        programs: &programs,
        images: &workspace.images(),
        manifest: &manifest,
        shell: &shell,
        root: &workspace.root,
        commit: &commit,
    };
    let count = assemble(&parts, &out)?;
    say!("dist: {count} files in {} ({})", out.display(), watch.elapsed());
    say!("dist: copy the folder to a GPU machine and run ./slo-bench validate --require-gpu there");
    Ok(())
}

/// Has the program write its completions and manual pages into a fresh folder.
fn write_shell(programs: &[(String, PathBuf)], folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let program = programs.iter().find(|(name, _)| name == program::NAME);
    let (_, program) = program.context("the program was built with the others")?;
    process::run(Command::new(program).arg("shell").arg("--out").arg(folder).stdout(Stdio::null()))
}

/// Only an earlier result of this command may be replaced.
fn check_place(out: &Path) -> anyhow::Result<()> {
    if out.file_name().is_none() {
        return Err(Usage(format!("--out {}: not the name of a folder", out.display())).into());
    }
    let is_free = fs::symlink_metadata(out).is_err();
    let is_empty = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if is_free || is_empty || out.join(SUMS).is_file() {
        return Ok(());
    }
    let out = out.display();
    Err(Usage(format!("--out {out}: holds something else; name a new or empty folder")).into())
}

/// Returns the number of files.
fn assemble(parts: &Parts<'_>, out: &Path) -> anyhow::Result<usize> {
    let unfinished = sibling(out, "unfinished");
    let previous = sibling(out, "previous");
    for leftover in [&unfinished, &previous] {
        if leftover.exists() {
            fs::remove_dir_all(leftover)
                .with_context(|| format!("cannot remove {}", leftover.display()))?;
        }
    }
    let result = fill(parts, &unfinished);
    if result.is_err() && unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let count = result.with_context(|| format!("cannot make {}", out.display()))?;
    if out.exists() {
        fs::rename(out, &previous)?;
    }
    fs::rename(&unfinished, out).with_context(|| format!("cannot write {}", out.display()))?;
    if previous.exists() {
        fs::remove_dir_all(&previous)?;
    }
    Ok(count)
}

fn fill(parts: &Parts<'_>, folder: &Path) -> anyhow::Result<usize> {
    fs::create_dir_all(folder.join("kernels"))?;
    fs::create_dir(folder.join("contracts"))?;
    fs::create_dir(folder.join(BIN))?;
    for (name, program) in parts.programs {
        let place =
            if name == program::NAME { folder.join(name) } else { folder.join(BIN).join(name) };
        copy(program, &place)?;
    }
    for image in parts.manifest.images.values() {
        copy(&parts.images.join(&image.file), &folder.join("kernels").join(&image.file))?;
    }
    parts.manifest.store(&folder.join("kernels"))?;
    let contracts = parts.root.join("contracts");
    let copied = copy_all(&contracts, &folder.join("contracts"), |name| name.ends_with(".toml"))?;
    if copied == 0 {
        bail!("{} holds no contract", contracts.display());
    }
    fs::create_dir(folder.join(SHARE))?;
    copy_all(parts.shell, &folder.join(SHARE), |_| true)?;
    copy_all(parts.root, folder, |name| name.starts_with("LICENSE"))?;
    fs::write(folder.join("README.txt"), README.replace("{commit}", parts.commit))?;
    fs::write(folder.join("COMMIT"), format!("{}\n", parts.commit))?;
    let files = list(folder, folder)?;
    let sums: Result<Vec<String>, _> = files.iter().map(|file| sum_line(folder, file)).collect();
    fs::write(folder.join(SUMS), sums?.concat())?;
    Ok(files.len() + 1)
}

/// `<hex>  <path>`, the format of sha256sum(1).
fn sum_line(folder: &Path, file: &str) -> anyhow::Result<String> {
    let content = fs::read(folder.join(file)).with_context(|| format!("cannot read {file}"))?;
    let digest = Sha256::digest(&content);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{hex}  {file}\n"))
}

/// Every file below `folder`, relative to `root`, sorted.
fn list(root: &Path, folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(list(root, &path)?);
        } else {
            files.push(path.strip_prefix(root)?.to_string_lossy().into_owned());
        }
    }
    files.sort();
    Ok(files)
}

fn copy_all(from: &Path, to: &Path, wanted: fn(&str) -> bool) -> anyhow::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        if entry.path().is_file() && wanted(&entry.file_name().to_string_lossy()) {
            copy(&entry.path(), &to.join(entry.file_name()))?;
            count += 1;
        }
    }
    Ok(count)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn sibling(folder: &Path, word: &str) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.{word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with a program, an image and a contract.
    fn root() -> (tempfile::TempDir, Manifest) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("contracts")).unwrap();
        fs::create_dir_all(root.join("images")).unwrap();
        fs::write(root.join("program"), "binary").unwrap();
        fs::write(root.join("question"), "another").unwrap();
        fs::write(root.join("contracts/w.toml"), "limit = 1").unwrap();
        fs::create_dir(root.join("shell")).unwrap();
        fs::write(root.join("shell/slo-bench.1"), ".TH").unwrap();
        fs::write(root.join("LICENSE-MIT"), "MIT").unwrap();
        fs::write(root.join("images/twice.fatbin"), "image").unwrap();
        let text = r#"{"schema":1,"nvcc":"13.0.88","flags":[],"images":{"twice":{"file":"twice.fatbin",
            "source_hash":"00","image_hash":"00","bytes":5,"targets":[],"kernels":[]}}}"#;
        fs::write(root.join("images").join("manifest.json"), text).unwrap();
        let manifest = Manifest::load(&root.join("images")).unwrap();
        (folder, manifest)
    }

    fn assemble_in(root: &Path, manifest: &Manifest, out: &Path) -> anyhow::Result<usize> {
        let programs =
            [(program::NAME.into(), root.join("program")), ("pool".into(), root.join("question"))];
        let (images, shell) = (root.join("images"), root.join("shell"));
        let (images, shell) = (&images, &shell);
        let parts = Parts { programs: &programs, images, manifest, shell, root, commit: "abc" };
        assemble(&parts, out)
    }

    #[test]
    fn the_folder_holds_what_it_lists_and_its_sums_are_right() {
        let (folder, manifest) = root();
        let out = folder.path().join("out/temper");
        assert_eq!(assemble_in(folder.path(), &manifest, &out).unwrap(), 10);
        let expected = [
            "COMMIT",
            "LICENSE-MIT",
            "README.txt",
            "SHA256SUMS",
            "bin/pool",
            "contracts/w.toml",
            "kernels/manifest.json",
            "kernels/twice.fatbin",
            "share/slo-bench.1",
            "slo-bench",
        ];
        assert_eq!(list(&out, &out).unwrap(), expected);
        assert_eq!(Manifest::load(&out.join("kernels")).unwrap(), manifest);
        assert!(fs::read_to_string(out.join("README.txt")).unwrap().contains("commit abc"));
        let mut check = Command::new("sha256sum");
        check.args(["--check", "--quiet", SUMS]).current_dir(&out);
        assert!(check.status().unwrap().success());
        let sums = fs::read_to_string(out.join(SUMS)).unwrap();
        assert_eq!(sums.lines().count(), 9);
        assert!(sums.contains("  kernels/twice.fatbin\n"));
    }

    #[test]
    fn a_second_run_replaces_the_first_and_leaves_nothing_beside_it() {
        let (folder, manifest) = root();
        let out = folder.path().join("out/temper");
        assemble_in(folder.path(), &manifest, &out).unwrap();
        fs::write(folder.path().join("program"), "newer").unwrap();
        check_place(&out).unwrap();
        assemble_in(folder.path(), &manifest, &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("slo-bench")).unwrap(), "newer");
        assert_eq!(fs::read_dir(folder.path().join("out")).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_part_leaves_the_earlier_folder_as_it_was() {
        let (folder, manifest) = root();
        let out = folder.path().join("out/temper");
        assemble_in(folder.path(), &manifest, &out).unwrap();
        fs::remove_file(folder.path().join("images/twice.fatbin")).unwrap();
        let error = assemble_in(folder.path(), &manifest, &out).unwrap_err();
        assert!(format!("{error:#}").contains("twice.fatbin"), "{error:#}");
        assert!(out.join("kernels/twice.fatbin").is_file());
        assert_eq!(fs::read_dir(folder.path().join("out")).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_holds_something_else_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        check_place(folder.path()).unwrap();
        check_place(&folder.path().join("new")).unwrap();
        fs::write(folder.path().join("letters.txt"), "dear").unwrap();
        let error = check_place(folder.path()).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains("holds something else"));
        check_place(Path::new("/")).unwrap_err();
    }
}
