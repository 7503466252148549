//! `cargo xtask sanitize`: the kernels' tests on a GPU under compute-sanitizer.
//!
//! Never passes for want of a GPU or of the tool: what is missing is said, with exit code 3.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::process::{self, Missing};
use crate::terminal::{note, say};
use crate::workspace::Workspace;
use crate::{kernels, program};

const NAME: &str = "compute-sanitizer";
const PACKAGE: &str = "kernels";
const TOOLS: [&str; 3] = ["memcheck", "racecheck", "synccheck"];

pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let sanitizer = present(find(), program::devices())?;
    kernels::ensure(workspace, &kernels::Args::default())?;
    let mut build = workspace.cargo();
    build.args(["test", "--no-run", "--package", PACKAGE, "--features", "gpu-core/cuda"]);
    let tests = program::executables(build)?;
    if tests.is_empty() {
        bail!("{PACKAGE} has no tests to run under {NAME}");
    }
    for tool in TOOLS {
        for (name, path) in &tests {
            note!("sanitize: {tool}, {PACKAGE} {name}");
            process::run(&mut command(workspace, &sanitizer, tool, path))?;
        }
    }
    say!("sanitize: PASS, {} over {} test programs", TOOLS.join(", "), tests.len());
    Ok(())
}

/// The tool, or everything that is missing in one line.
fn present(sanitizer: Option<PathBuf>, devices: Option<String>) -> anyhow::Result<PathBuf> {
    let mut missing = Vec::new();
    if sanitizer.is_none() {
        missing.push(format!(
            "{NAME} is neither in PATH nor in $CUDA_HOME/bin: it comes with the CUDA toolkit"
        ));
    }
    if devices.is_none() {
        missing.push("no GPU: `nvidia-smi` does not answer".to_owned());
    }
    match sanitizer {
        Some(sanitizer) if missing.is_empty() => Ok(sanitizer),
        _ => Err(Missing(missing.join("; ")).into()),
    }
}

fn find() -> Option<PathBuf> {
    let toolkit = std::env::var_os("CUDA_HOME").map(|home| PathBuf::from(home).join("bin"));
    let beside = toolkit.map(|folder| folder.join(NAME)).filter(|file| file.is_file());
    beside.or_else(|| process::find_in_path(NAME))
}

/// One test program under one tool, where cargo would run it, and failing where there is no GPU after all.
fn command(workspace: &Workspace, sanitizer: &Path, tool: &str, test: &Path) -> Command {
    let mut command = Command::new(sanitizer);
    command.args(["--tool", tool, "--error-exitcode", "1"]).arg(test).arg("--test-threads=1");
    command.env("GPU_REQUIRED", "1").current_dir(workspace.root.join(PACKAGE));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let tool = || Some(PathBuf::from("/bin/true"));
        let devices = || Some("H100".to_owned());
        assert_eq!(present(tool(), devices()).unwrap(), Path::new("/bin/true"));
        for (tool, devices, words) in [
            (None, devices(), &["compute-sanitizer is neither"][..]),
            (tool(), None, &["no GPU"]),
            (None, None, &["compute-sanitizer is neither", "no GPU"]),
        ] {
            let error = present(tool, devices).unwrap_err();
            assert!(error.is::<Missing>());
            assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
        }
    }

    #[test]
    fn a_finding_of_the_tool_is_a_failure() {
        let workspace = Workspace { root: "/".into(), target: "/target".into() };
        let command = command(&workspace, Path::new("s"), "racecheck", Path::new("/t"));
        let args: Vec<_> = command.get_args().collect();
        let expected = ["--tool", "racecheck", "--error-exitcode", "1", "/t", "--test-threads=1"];
        assert_eq!(args, expected);
    }
}
