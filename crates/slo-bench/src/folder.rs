//! A folder that is written whole or not at all: it is filled beside its place and takes its name in one step.
//!
//! Never touches a folder that holds something else.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What a folder is for, as its errors say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// Such as `a report`.
    pub(crate) holds: &'static str,
    /// The option that names the folder.
    pub(crate) option: &'static str,
    /// Whether a file of this name may be there already and will be replaced.
    pub(crate) is_replaceable: fn(&OsStr) -> bool,
}

/// A place that was tried before the work began.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    purpose: Purpose,
}

impl Folder {
    /// The folder `path`: new, empty, or holding what will be replaced.
    pub(crate) fn at(path: impl Into<PathBuf>, purpose: Purpose) -> Result<Self> {
        let folder = Self { path: path.into(), purpose };
        if folder.path.file_name().is_none() {
            return Err(folder.taken());
        }
        if fs::symlink_metadata(&folder.path).is_ok() && !folder.is_replaceable()? {
            return Err(folder.taken());
        }
        // Fails now rather than after a minute of work.
        folder.stage()?;
        folder.clear_stage();
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A fresh folder beside the final one, on the same file system.
    pub(crate) fn stage(&self) -> Result<PathBuf> {
        self.clear_stage();
        self.open_stage()
    }

    /// The same with what is in it already.
    pub(crate) fn open_stage(&self) -> Result<PathBuf> {
        let stage = self.sibling("unfinished");
        fs::create_dir_all(&stage).map_err(|error| self.unwritable(&self.path, &error))?;
        Ok(stage)
    }

    /// Removes what was staged.
    pub(crate) fn clear_stage(&self) {
        // Usually there is none; what cannot be removed shows when the next stage is made.
        let _ = fs::remove_dir_all(self.sibling("unfinished"));
    }

    /// Gives `stage` the folder's name, in place of what is there.
    pub(crate) fn replace_with(&self, stage: &Path) -> Result<()> {
        let previous = self.sibling("previous");
        let failed = |error| self.unwritable(&self.path, &error);
        let had_one = fs::symlink_metadata(&self.path).is_ok();
        if had_one {
            fs::rename(&self.path, &previous).map_err(failed)?;
        }
        if let Err(error) = fs::rename(stage, &self.path) {
            if had_one {
                // Put the earlier one back; the error that matters is the first.
                let _ = fs::rename(&previous, &self.path);
            }
            return Err(failed(error));
        }
        if had_one {
            fs::remove_dir_all(&previous).map_err(failed)?;
        }
        Ok(())
    }

    /// The error for something in this folder that the system refuses.
    pub(crate) fn unwritable(&self, path: &Path, error: &io::Error) -> Error {
        Error::OutputUnwritable {
            path: path.to_owned(),
            reason: error.to_string(),
            option: self.purpose.option,
        }
    }

    fn taken(&self) -> Error {
        let Purpose { holds, option, .. } = self.purpose;
        Error::OutputTaken { folder: self.path.clone(), holds, option }
    }

    /// Whether the folder holds nothing that must stay.
    fn is_replaceable(&self) -> Result<bool> {
        if !self.path.is_dir() {
            return Ok(false);
        }
        let failed = |error| self.unwritable(&self.path, &error);
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            if !(self.purpose.is_replaceable)(&entry.map_err(failed)?.file_name()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn sibling(&self, ending: &str) -> PathBuf {
        let mut name = std::ffi::OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(format!(".{}.{ending}", std::process::id()));
        self.path.with_file_name(name)
    }
}
