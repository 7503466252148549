//! The CUDA compiler: found on the machine, or installed into the target folder from wheels.
//!
//! Never uses another minor version than 13.0: drivers of that generation refuse PTX from a newer
//! compiler. Never touches anything outside the target folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow, bail};

use crate::process::{self, Missing, Usage};
use crate::stopwatch::Stopwatch;
use crate::terminal::note;

const SERIES: &str = "13.0.";
const INSTALLED_VERSION: &str = "13.0.88";

/// What a compile needs, by package and version. About 105 MB to download, 270 MB unpacked.
const WHEELS: [(&str, &str); 5] = [
    ("nvidia-cuda-nvcc", "13.0.88"),
    ("nvidia-cuda-crt", "13.0.88"),
    ("nvidia-nvvm", "13.0.88"),
    ("nvidia-cuda-runtime", "13.0.96"),
    ("nvidia-cuda-cccl", "13.0.85"),
];

/// A compiler that was asked for its version.
#[derive(Debug, Clone)]
pub(crate) struct Nvcc {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
    /// How it was found, for people.
    pub(crate) origin: String,
}

/// A search that starts no installation.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) found: Option<Nvcc>,
    /// Compilers that are there but cannot be used, each a sentence.
    pub(crate) passed_over: Vec<String>,
}

/// `given`, else the first 13.0.x of `$NVCC`, `$CUDA_HOME/bin`, PATH and the target folder.
pub(crate) fn search(target: &Path, given: Option<&Path>) -> anyhow::Result<Search> {
    if let Some(path) = given {
        let version = version(path).map_err(|error| Usage(format!("--nvcc: {error}")))?;
        if !version.starts_with(SERIES) {
            let path = path.display();
            return Err(Usage(format!("--nvcc: {path} is {version}; 13.0.x is needed")).into());
        }
        let nvcc = Nvcc { path: path.to_owned(), version, origin: "--nvcc".into() };
        return Ok(Search { found: Some(nvcc), passed_over: Vec::new() });
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let candidates = [
        ("$NVCC", variable("NVCC").map(PathBuf::from)),
        ("$CUDA_HOME", variable("CUDA_HOME").map(|home| PathBuf::from(home).join("bin/nvcc"))),
        ("PATH", process::find_in_path("nvcc")),
    ];
    let mut passed_over = Vec::new();
    for (origin, path) in candidates {
        let Some(path) = path else { continue };
        match version(&path) {
            Ok(version) if version.starts_with(SERIES) => {
                let found = Some(Nvcc { path, version, origin: origin.into() });
                return Ok(Search { found, passed_over });
            }
            Ok(version) => passed_over
                .push(format!("{origin}: {} is {version}, and 13.0.x is needed", path.display())),
            Err(error) => passed_over.push(format!("{origin}: {error}")),
        }
    }
    Ok(Search { found: installed(target).ok(), passed_over })
}

/// As [`search`], and installs the compiler where none is found.
pub(crate) fn find_or_install(target: &Path, given: Option<&Path>) -> anyhow::Result<Nvcc> {
    let search = search(target, given)?;
    for sentence in &search.passed_over {
        note!("kernels: {sentence}; passed over");
    }
    match search.found {
        Some(nvcc) => Ok(nvcc),
        None => install(target),
    }
}

/// Whether the wheels could be installed here: `python3` and `pip` answer.
pub(crate) fn pip_version() -> Option<String> {
    process::query("python3", &["-m", "pip", "--version"])
}

/// nvcc preprocesses with the host's C++ compiler, or with the one that `NVCC_CCBIN` names.
pub(crate) fn host_compiler() -> Option<String> {
    if let Some(named) = std::env::var_os("NVCC_CCBIN") {
        return Some(named.to_string_lossy().into_owned());
    }
    let text = process::query("g++", &["--version"])?;
    text.lines().next().map(str::to_owned)
}

fn installation(target: &Path) -> PathBuf {
    target.join(format!("nvcc-{INSTALLED_VERSION}"))
}

/// The compiler in the target folder, if its installation is complete.
fn installed(target: &Path) -> anyhow::Result<Nvcc> {
    let folder = installation(target);
    verify(&folder)?;
    let path = folder.join("nvidia/cu13/bin/nvcc");
    let version = version(&path)?;
    if version != INSTALLED_VERSION {
        bail!("{} is {version} in place of {INSTALLED_VERSION}", path.display());
    }
    Ok(Nvcc { path, version, origin: "installed in the target folder".into() })
}

/// Installs into a sibling folder first, so that the final one is there as a whole or not at all.
fn install(target: &Path) -> anyhow::Result<Nvcc> {
    fs::create_dir_all(target).with_context(|| format!("cannot write {}", target.display()))?;
    let lock = File::create(target.join("nvcc.lock")).context("cannot write the target folder")?;
    if lock.try_lock().is_err() {
        note!("kernels: waiting for another installation of nvcc to end");
        lock.lock().context("cannot lock the target folder")?;
    }
    if let Ok(nvcc) = installed(target) {
        return Ok(nvcc);
    }
    if pip_version().is_none() {
        let fix = "install python3 with pip, or CUDA 13.0 and set NVCC to its nvcc";
        return Err(Missing(format!("no nvcc 13.0.x and no `python3 -m pip` here: {fix}")).into());
    }
    let folder = installation(target);
    let unfinished = target.join(format!("nvcc-{INSTALLED_VERSION}.unfinished"));
    for leftover in [&folder, &unfinished] {
        if leftover.exists() {
            note!("kernels: {} is incomplete; it is installed anew", leftover.display());
            fs::remove_dir_all(leftover)
                .with_context(|| format!("cannot remove {}", leftover.display()))?;
        }
    }
    note!("kernels: installing nvcc {INSTALLED_VERSION} (about 105 MB) into the target folder");
    let watch = Stopwatch::start();
    // One call for all wheels: a second call into the same folder would not merge.
    let mut pip = pip_install(&unfinished);
    pip.args(WHEELS.iter().map(|(name, version)| format!("{name}=={version}")));
    process::run(&mut pip).map_err(|error| {
        let fix = "check the network, or install CUDA 13.0 and set NVCC to its nvcc";
        Missing(format!("cannot install the compiler: {error}; {fix}"))
    })?;
    verify(&unfinished)?;
    fs::rename(&unfinished, &folder)
        .with_context(|| format!("cannot write {}", folder.display()))?;
    note!("kernels: installed in {}", watch.elapsed());
    installed(target)
}

/// A call of pip that installs the packages named next, and only those, into a folder of their own.
pub(crate) fn pip_install(folder: &Path) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip", "install", "--no-deps", "--only-binary", ":all:"]);
    command.arg("--target").arg(folder);
    // Standard output belongs to the program that is run afterwards: it may be a report in JSON.
    command.stdout(std::io::stderr());
    // As variables, since older versions of pip refuse options that they do not know.
    command.env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_ROOT_USER_ACTION", "ignore");
    // A user's settings for whole environments do not fit a folder of our own.
    command.env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0");
    command
}

/// Every file that the wheels' records list is there with its size.
fn verify(folder: &Path) -> anyhow::Result<()> {
    for (name, version) in WHEELS {
        let info = format!("{}-{version}.dist-info", name.replace('-', "_"));
        let record = folder.join(info).join("RECORD");
        let text = fs::read_to_string(&record)
            .map_err(|_| anyhow!("{name} {version} is not in {}", folder.display()))?;
        for line in text.lines() {
            // `path,hash,bytes`; the record itself has no size.
            let mut fields = line.rsplitn(3, ',');
            let bytes: Option<u64> = fields.next().and_then(|bytes| bytes.parse().ok());
            let file = folder.join(fields.nth(1).unwrap_or_default());
            let found = fs::metadata(&file).map(|file| file.len()).ok();
            if found.is_none() || bytes.is_some() && found != bytes {
                bail!("{} is missing or cut short", file.display());
            }
        }
    }
    Ok(())
}

/// Asks `nvcc --version`.
fn version(nvcc: &Path) -> anyhow::Result<String> {
    let output = process::capture(Command::new(nvcc).arg("--version"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text).ok_or_else(|| anyhow!("{} tells no version", nvcc.display()))
}

/// `Cuda compilation tools, release 13.0, V13.0.88`
fn parse_version(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains("release"))?;
    let (_, version) = line.rsplit_once(", V")?;
    Some(version.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An installation with one file a wheel, as pip leaves it.
    fn complete(folder: &Path) {
        for (name, version) in WHEELS {
            let info = format!("{}-{version}.dist-info", name.replace('-', "_"));
            fs::create_dir_all(folder.join(&info)).unwrap();
            fs::write(folder.join(name), "12345").unwrap();
            let record = format!("{name},sha256=x,5\n{info}/RECORD,,\n");
            fs::write(folder.join(info).join("RECORD"), record).unwrap();
        }
    }

    #[test]
    fn the_version_is_the_one_behind_the_release() {
        let text = "nvcc: NVIDIA (R) Cuda compiler driver\n\
                    Cuda compilation tools, release 13.0, V13.0.88\nBuild cuda_13.0.r13.0/compiler\n";
        assert_eq!(parse_version(text).as_deref(), Some("13.0.88"));
        assert_eq!(parse_version("clang version 19"), None);
    }

    #[test]
    fn an_installation_that_lacks_a_byte_a_file_or_a_wheel_is_incomplete() {
        let folder = tempfile::tempdir().unwrap();
        complete(folder.path());
        verify(folder.path()).unwrap();
        let file = folder.path().join("nvidia-nvvm");
        fs::write(&file, "1234").unwrap();
        assert!(verify(folder.path()).unwrap_err().to_string().contains("cut short"));
        fs::remove_file(&file).unwrap();
        assert!(verify(folder.path()).unwrap_err().to_string().contains("nvidia-nvvm"));
        fs::remove_dir_all(folder.path().join("nvidia_cuda_crt-13.0.88.dist-info")).unwrap();
        assert!(verify(folder.path()).unwrap_err().to_string().contains("nvidia-cuda-crt 13.0.88"));
    }

    #[test]
    fn a_given_compiler_that_is_not_one_is_bad_usage() {
        let target = tempfile::tempdir().unwrap();
        let error = search(target.path(), Some(Path::new("no-such-nvcc"))).unwrap_err();
        assert!(error.is::<Usage>(), "{error}");
        assert!(error.to_string().contains("no-such-nvcc"));
    }
}
