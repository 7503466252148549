//! Where things are: the root of the workspace and the folder that cargo builds into.
//!
//! Never guesses: both come from `cargo metadata`, so `CARGO_TARGET_DIR` and `build.target-dir` are respected.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use cargo_metadata::{Metadata, MetadataCommand};

use crate::process;

#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let metadata = metadata()?;
        Ok(Self {
            root: metadata.workspace_root.into_std_path_buf(),
            target: metadata.target_directory.into_std_path_buf(),
        })
    }

    /// Folder of the compiled kernel images and their manifest.
    pub(crate) fn images(&self) -> PathBuf {
        self.target.join("kernels")
    }

    /// A cargo command that runs in the root of the workspace.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(cargo_program());
        command.current_dir(&self.root);
        command
    }

    /// The commit that is checked out, with `-dirty` when the tree differs from it; `None` outside git.
    pub(crate) fn commit(&self) -> Option<String> {
        let root = self.root.to_string_lossy();
        let commit = process::query("git", &["-C", &root, "rev-parse", "HEAD"])?;
        let changes = process::query("git", &["-C", &root, "status", "--porcelain"])?;
        Some(if changes.is_empty() { commit } else { format!("{commit}-dirty") })
    }
}

/// The members of the workspace, without their dependencies from elsewhere.
pub(crate) fn metadata() -> anyhow::Result<Metadata> {
    // `cargo run` and `cargo test` name the folder of this package; from there the workspace is
    // found whatever the current folder is.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let mut command = MetadataCommand::new();
    command.cargo_path(cargo_program()).no_deps();
    if let Some(folder) = manifest {
        command.manifest_path(folder.join("Cargo.toml"));
    }
    command.exec().context("cannot read the workspace with `cargo metadata`")
}

fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_version_table() {
        let workspace = Workspace::locate().unwrap();
        let manifest = std::fs::read_to_string(workspace.root.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace.dependencies]"));
    }
}
