//! Compiled kernels: where they are looked for, and whether they belong to this program's sources.
//!
//! Never compiles: `cargo xtask kernels` does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::device::Device;
use crate::error::{Error, Result};
use crate::kernel::Module;
use crate::properties::BackendKind;

/// Environment variable that names the folder of compiled images.
pub const IMAGES_VARIABLE: &str = "TEMPER_KERNELS";

const MANIFEST: &str = "manifest.json";
const MANIFEST_SCHEMA: u32 = 1;

/// A compiled kernel as the driver loads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelImage {
    /// PTX text, compiled for the device when it is loaded.
    Ptx(String),
    /// Machine code of one architecture (cubin), or several images in one (fatbin).
    Binary(Vec<u8>),
}

/// The text that a kernel is compiled from, embedded in the program that launches it.
#[derive(Clone, Copy, Debug)]
pub struct KernelSource {
    /// File name without its ending.
    pub name: &'static str,
    /// The `.cu` file.
    pub text: &'static str,
    /// Names and texts of the shared headers, sorted by name.
    pub headers: &'static [(&'static str, &'static str)],
}

impl KernelSource {
    /// Hash of everything the image depends on: each header's name and text, then the source's.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let source = format!("{}.cu", self.name);
        let files = self.headers.iter().copied().chain([(source.as_str(), self.text)]);
        for (name, text) in files {
            for part in [name, "\n", text, "\n"] {
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// A folder of compiled images with their manifest.
#[derive(Clone, Debug)]
pub struct KernelImages {
    folder: PathBuf,
}

#[derive(serde::Deserialize)]
struct Manifest {
    schema: u32,
    images: BTreeMap<String, ManifestImage>,
}

#[derive(serde::Deserialize)]
struct ManifestImage {
    file: String,
    source_hash: String,
    image_hash: String,
}

impl KernelImages {
    /// The images in `folder`, which is read only when a CUDA device needs one.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The images in the folder that `TEMPER_KERNELS` names, or else beside the program, or else
    /// beside the folder it was built into.
    pub fn discover() -> Self {
        if let Some(folder) = std::env::var_os(IMAGES_VARIABLE) {
            return Self::at(folder);
        }
        let program = std::env::current_exe().unwrap_or_default();
        let candidates: Vec<_> =
            program.ancestors().skip(1).take(3).map(|folder| folder.join("kernels")).collect();
        let found = candidates.iter().find(|folder| folder.join(MANIFEST).is_file());
        let fallback = || PathBuf::from("kernels");
        Self::at(found.or_else(|| candidates.first()).cloned().unwrap_or_else(fallback))
    }

    /// Where the images are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Loads the image of `source` on `device`. The host runs references and needs no image.
    ///
    /// # Errors
    /// [`Error::ImageMissing`], [`Error::ImageStale`] or [`Error::ImageInvalid`], each naming the command to run.
    pub fn module(&self, device: &Device, source: &KernelSource) -> Result<Module> {
        let image = match device.backend() {
            BackendKind::Cuda => self.load(source)?,
            BackendKind::Host | BackendKind::HostSimulated => KernelImage::Binary(Vec::new()),
        };
        // SAFETY: the image was compiled from the very text that the program embeds beside its wrapper, as both hashes of
        // the manifest say; the folder of images is trusted as the program itself is.
        unsafe { device.module(&image) }
    }

    /// Reads the image of `source`.
    ///
    /// # Errors
    /// As for [`module`](Self::module).
    pub fn load(&self, source: &KernelSource) -> Result<KernelImage> {
        let missing = || Error::ImageMissing { kernel: source.name, path: self.folder.clone() };
        let path = self.folder.join(MANIFEST);
        let text = std::fs::read_to_string(&path).map_err(|_| missing())?;
        let manifest = parse_manifest(&path, &text)?;
        let entry = manifest.images.get(source.name).ok_or_else(missing)?;
        if entry.source_hash != source.hash() {
            return Err(Error::ImageStale { kernel: source.name });
        }
        let path = self.folder.join(&entry.file);
        match std::fs::read(&path) {
            Ok(bytes) if bytes.is_empty() => {
                Err(Error::ImageInvalid { path, reason: "the file is empty".to_owned() })
            }
            Ok(bytes) if blake3::hash(&bytes).to_hex().as_str() != entry.image_hash => {
                let reason = "its content is not what was compiled".to_owned();
                Err(Error::ImageInvalid { path, reason })
            }
            Ok(bytes) => Ok(KernelImage::Binary(bytes)),
            Err(error) => Err(Error::ImageInvalid { path, reason: error.to_string() }),
        }
    }
}

fn parse_manifest(path: &Path, text: &str) -> Result<Manifest> {
    let invalid = |reason: String| Error::ImageInvalid { path: path.to_owned(), reason };
    let manifest: Manifest =
        serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
    if manifest.schema != MANIFEST_SCHEMA {
        return Err(invalid(format!("schema {} is not {MANIFEST_SCHEMA}", manifest.schema)));
    }
    Ok(manifest)
}
