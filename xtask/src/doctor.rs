//! `cargo xtask doctor`: what is here, what is missing and what to do about it.
//!
//! Never installs, compiles or builds anything.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::terminal::say;
use crate::workspace::Workspace;
use crate::{kernels, process, program, table};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Here, and fit for use.
    Ok,
    /// Not here, and something works only with it.
    Advice,
    /// Not here, and nothing works without it.
    Missing,
}

#[derive(Debug)]
struct Finding {
    subject: &'static str,
    state: State,
    found: String,
    advice: String,
}

impl Finding {
    fn new(subject: &'static str, state: State, found: &str, advice: &str) -> Self {
        Self { subject, state, found: found.to_owned(), advice: advice.to_owned() }
    }
}

/// Shows the table, then lets `slo-bench doctor` speak where it is built. A missing GPU is no error.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<ExitCode> {
    let findings = [
        rust(workspace)?,
        nvcc(workspace)?,
        host_compiler(),
        images(workspace)?,
        driver(),
        ldd(),
        deny(workspace),
    ];
    say!("{}", render(&findings));
    let missing = findings.iter().any(|finding| finding.state == State::Missing);
    let program = workspace.target.join("release").join(program::NAME);
    if program.is_file() {
        say!("{} doctor:", program::NAME);
        let mut command = program::command(workspace, &program);
        let status = command.arg("doctor").status();
        let status = status.with_context(|| format!("cannot start {}", program.display()))?;
        if !status.success() {
            return Ok(program::exit_code(status));
        }
    } else {
        say!("{} is not built yet: `cargo xtask validate` builds and runs it", program::NAME);
    }
    Ok(if missing { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

fn render(findings: &[Finding]) -> String {
    let row = |finding: &Finding| {
        let state = match finding.state {
            State::Ok => "ok",
            State::Advice => "advice",
            State::Missing => "MISSING",
        };
        vec![finding.subject.into(), state.into(), finding.found.clone(), finding.advice.clone()]
    };
    let rows: Vec<Vec<String>> = findings.iter().map(row).collect();
    table::render(&["what", "state", "found", "what to do"], &rows, &[])
}

fn rust(workspace: &Workspace) -> anyhow::Result<Finding> {
    let text = fs::read_to_string(workspace.root.join("rust-toolchain.toml"))
        .context("cannot read rust-toolchain.toml")?;
    let wanted = channel(&text).unwrap_or_default();
    let found = process::query("rustc", &["--version"]).unwrap_or_default();
    Ok(compare_rust(&wanted, &found))
}

fn compare_rust(wanted: &str, found: &str) -> Finding {
    let version = found.split_whitespace().nth(1).unwrap_or_default();
    if version == wanted {
        return Finding::new("rustc", State::Ok, version, "");
    }
    let advice = format!("rustup toolchain install {wanted}");
    if version.is_empty() {
        Finding::new("rustc", State::Missing, "not found", &advice)
    } else {
        Finding::new("rustc", State::Advice, &format!("{version}, wanted {wanted}"), &advice)
    }
}

/// `channel = "1.95.0"`
fn channel(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.trim_start().starts_with("channel"))?;
    line.split('"').nth(1).map(str::to_owned)
}

fn nvcc(workspace: &Workspace) -> anyhow::Result<Finding> {
    let search = kernels::search(workspace)?;
    let passed_over = search.passed_over.join("; ");
    if let Some(nvcc) = search.found {
        let path = nvcc.path.strip_prefix(&workspace.root).unwrap_or(&nvcc.path);
        let found = format!("{} ({}): {}", nvcc.version, nvcc.origin, path.display());
        return Ok(Finding::new("nvcc 13.0.x", State::Ok, &found, &passed_over));
    }
    let found = if passed_over.is_empty() { "not found".to_owned() } else { passed_over };
    let advice = if kernels::pip_version().is_some() {
        "`cargo xtask kernels` installs it into the target folder with pip"
    } else {
        "install python3 with pip (then `cargo xtask kernels` installs it), or CUDA 13.0 and set NVCC"
    };
    Ok(Finding::new("nvcc 13.0.x", State::Advice, &found, advice))
}

fn host_compiler() -> Finding {
    match kernels::host_compiler() {
        Some(found) => Finding::new("C++ compiler", State::Ok, &found, ""),
        None => Finding::new("C++ compiler", State::Advice, "no g++", "install g++: nvcc needs it"),
    }
}

fn images(workspace: &Workspace) -> anyhow::Result<Finding> {
    let (count, stale) = kernels::stale(workspace)?;
    if stale.is_empty() {
        let found = format!("{count} fresh in {}", workspace.images().display());
        return Ok(Finding::new("kernel images", State::Ok, &found, ""));
    }
    let names: Vec<String> = stale.iter().map(|(stem, why)| format!("{stem}: {why}")).collect();
    let found = format!("{} of {count} stale ({})", stale.len(), names.join("; "));
    let advice = "`cargo xtask kernels` compiles them; only a GPU needs them";
    Ok(Finding::new("kernel images", State::Advice, &found, advice))
}

fn driver() -> Finding {
    match program::devices() {
        Some(devices) => {
            let devices: Vec<&str> = devices.lines().collect();
            Finding::new("NVIDIA driver", State::Ok, &devices.join("; "), "")
        }
        None => Finding::new(
            "NVIDIA driver",
            State::Advice,
            "nvidia-smi does not answer",
            "none needed for the host backend; for a GPU install driver 580 or newer",
        ),
    }
}

fn ldd() -> Finding {
    match process::find_in_path("ldd") {
        Some(path) => Finding::new("ldd", State::Ok, &path.display().to_string(), ""),
        None => Finding::new("ldd", State::Advice, "not found", "needed by `dist` and `ci`"),
    }
}

fn deny(workspace: &Workspace) -> Finding {
    match cargo_deny_version(workspace) {
        Some(version) => Finding::new("cargo-deny", State::Ok, &version, ""),
        None => Finding::new(
            "cargo-deny",
            State::Advice,
            "not installed",
            "optional: adds licences and advisories to `ci`",
        ),
    }
}

/// The version of cargo-deny where it is installed.
pub(crate) fn cargo_deny_version(workspace: &Workspace) -> Option<String> {
    let output = workspace.cargo().args(["deny", "--version"]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_is_read_from_the_toolchain_file() {
        let text = "[toolchain]\nchannel = \"1.95.0\"\ncomponents = [\"clippy\"]\n";
        assert_eq!(channel(text).as_deref(), Some("1.95.0"));
        assert_eq!(channel("[toolchain]\n"), None);
    }

    #[test]
    fn another_compiler_is_advice_and_none_is_missing() {
        let state = |found| compare_rust("1.95.0", found).state;
        assert_eq!(state("rustc 1.95.0 (abc 2026-04-14)"), State::Ok);
        assert_eq!(state("rustc 1.80.0 (abc 2024-04-14)"), State::Advice);
        assert_eq!(state(""), State::Missing);
    }

    #[test]
    fn every_finding_has_a_row() {
        let findings = [compare_rust("1.95.0", ""), host_compiler()];
        let text = render(&findings);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("MISSING") && text.contains("rustup toolchain install 1.95.0"));
    }
}
