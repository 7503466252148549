//! The manifest beside the images: what each was compiled from, how, and what it uses.
//!
//! Never half-written: it goes to a temporary file first and is renamed into place.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::ptxas::KernelUse;
use super::source::Source;

/// Raised when a field changes its meaning; images under another number are compiled again.
const SCHEMA: u32 = 1;
const FILE: &str = "manifest.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) schema: u32,
    pub(crate) nvcc: String,
    pub(crate) flags: Vec<String>,
    pub(crate) images: BTreeMap<String, Image>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) file: String,
    pub(crate) source_hash: String,
    /// BLAKE3 of the image, which a program compares before it loads it.
    pub(crate) image_hash: String,
    pub(crate) bytes: u64,
    pub(crate) targets: Vec<String>,
    pub(crate) kernels: Vec<KernelUse>,
}

pub(super) fn image_hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Why an image cannot be used as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stale {
    Absent,
    OtherSchema,
    OtherCompiler,
    OtherFlags,
    OtherSource,
    OtherFile,
}

impl Stale {
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Absent => "never compiled",
            Self::OtherSchema => "manifest of another version",
            Self::OtherCompiler => "compiled by another nvcc",
            Self::OtherFlags => "compiled with other flags",
            Self::OtherSource => "source or header changed",
            Self::OtherFile => "image file missing or changed",
        }
    }
}

impl Manifest {
    pub(crate) fn new(nvcc: &str, flags: &[&str]) -> Self {
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        Self { schema: SCHEMA, nvcc: nvcc.to_owned(), flags, images: BTreeMap::new() }
    }

    /// The manifest in `folder`; `None` when there is none that can be read.
    pub(crate) fn load(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(FILE)).ok()?).ok()
    }

    pub(crate) fn store(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(FILE);
        let temporary = folder.join(format!("{FILE}.tmp"));
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&temporary, text)
            .and_then(|()| fs::rename(&temporary, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Whether the image of `source` may be used; `nvcc` is `None` where no compiler is at hand.
    pub(crate) fn staleness(
        &self,
        folder: &Path,
        source: &Source,
        compiler: (Option<&str>, &[&str]),
    ) -> Option<Stale> {
        let (nvcc, flags) = compiler;
        let Some(image) = self.images.get(&source.stem) else { return Some(Stale::Absent) };
        let hash = fs::read(folder.join(&image.file)).map(|bytes| image_hash(&bytes)).ok();
        if self.schema != SCHEMA {
            Some(Stale::OtherSchema)
        } else if nvcc.is_some_and(|version| version != self.nvcc) {
            Some(Stale::OtherCompiler)
        } else if self.flags != flags {
            Some(Stale::OtherFlags)
        } else if image.source_hash != source.hash {
            Some(Stale::OtherSource)
        } else if hash.as_ref() != Some(&image.image_hash) {
            Some(Stale::OtherFile)
        } else {
            None
        }
    }
}
