//! The CUDA sources: which files are compiled, and the hash that says what they were compiled from.
//!
//! Never reads an image. The hash has a second implementation in the crate that loads images, over
//! sources embedded at compile time, so its definition must not change on one side only:
//!
//! > blake3, as lower-case hex, over: for each `kernels/include/*.cuh` sorted by file name its
//! > `name`, a line feed, its content, a line feed; then `<stem>.cu`, a line feed, its content, a line feed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Everything that can be compiled, read once.
#[derive(Debug)]
pub(crate) struct Sources {
    /// Folder of the shared headers, given to the compiler as include path.
    pub(crate) include: PathBuf,
    pub(crate) kernels: Vec<Source>,
}

/// One `.cu` file, which becomes one image.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) stem: String,
    pub(crate) path: PathBuf,
    pub(crate) hash: String,
}

impl Sources {
    /// Reads `src/**/*.cu` and `include/*.cuh` under `kernels`.
    ///
    /// # Errors
    /// When two files share a stem, or one includes a file that the hash would not see.
    pub(crate) fn read(kernels: &Path) -> anyhow::Result<Self> {
        let include = kernels.join("include");
        let mut headers = BTreeMap::new();
        if include.is_dir() {
            for path in entries(&include)? {
                if path.is_file() && has_extension(&path, "cuh") {
                    headers.insert(file_name(&path), read(&path)?);
                }
            }
        }
        for (name, content) in &headers {
            check_includes(&include.join(name), content, &headers)?;
        }
        let mut files = Vec::new();
        collect(&kernels.join("src"), &mut files)?;
        let mut found: BTreeMap<String, Source> = BTreeMap::new();
        for path in files {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(other) = found.get(&stem) {
                let (first, second) = (other.path.display(), path.display());
                bail!("two kernels are called `{stem}`: {first} and {second}; rename one");
            }
            let content = read(&path)?;
            check_includes(&path, &content, &headers)?;
            let hash = source_hash(&headers, &stem, &content);
            found.insert(stem.clone(), Source { stem, path, hash });
        }
        Ok(Self { include, kernels: found.into_values().collect() })
    }
}

/// The definition in the module's documentation.
fn source_hash(headers: &BTreeMap<String, Vec<u8>>, stem: &str, content: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, header) in headers {
        hasher.update(name.as_bytes()).update(b"\n").update(header).update(b"\n");
    }
    hasher.update(stem.as_bytes()).update(b".cu\n").update(content).update(b"\n");
    hasher.finalize().to_hex().to_string()
}

/// A quoted include must name a hashed header, or a change in it would go unnoticed.
fn check_includes(
    path: &Path,
    content: &[u8],
    headers: &BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<()> {
    for line in String::from_utf8_lossy(content).lines() {
        let Some(directive) = line.trim_start().strip_prefix('#') else { continue };
        let Some(rest) = directive.trim_start().strip_prefix("include") else { continue };
        let Some(name) = rest.trim_start().strip_prefix('"').and_then(|r| r.split('"').next())
        else {
            continue;
        };
        if !headers.contains_key(name) {
            let file = path.display();
            bail!("{file} includes \"{name}\", which is not a .cuh file in kernels/include");
        }
    }
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            collect(&path, files)?;
        } else if has_extension(&path, "cu") {
            files.push(path);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let list = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = list.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
