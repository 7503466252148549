//! Reports on disk: all of one or nothing.
//!
//! A report is written into a folder beside its place, which then takes its name in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{REPORT_SCHEMA, Report, UtcTime};
use crate::error::{Error, Result};

const JSON: &str = "report.json";
const MARKDOWN: &str = "report.md";
/// Most runs that may start in one second in one place.
const NAMES_MAX: u32 = 100;

/// A folder that a report can be written to, tried before the work begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    folder: PathBuf,
}

impl Destination {
    /// The folder `folder`: new, empty, or holding an earlier report, which will be replaced.
    ///
    /// # Errors
    /// [`Error::OutputTaken`] if it holds something else, [`Error::OutputUnwritable`] if nothing can be made there.
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        if folder.file_name().is_none() {
            return Err(Error::OutputTaken { folder });
        }
        if fs::symlink_metadata(&folder).is_ok() && !is_replaceable(&folder)? {
            return Err(Error::OutputTaken { folder });
        }
        let destination = Self { folder };
        // Fails now rather than after a minute of work.
        destination.stage()?;
        destination.clear_stage();
        Ok(destination)
    }

    /// A new folder named after `time` in `parent`.
    ///
    /// # Errors
    /// As for [`at`](Self::at).
    pub fn new_in(parent: &Path, time: &UtcTime) -> Result<Self> {
        let name = time.folder_name();
        let names = (2..NAMES_MAX).map(|number| format!("{name}-{number}"));
        let mut folders = std::iter::once(name.clone()).chain(names).map(|name| parent.join(name));
        let free = folders.find(|folder| fs::symlink_metadata(folder).is_err());
        Self::at(free.ok_or_else(|| Error::OutputTaken { folder: parent.join(name) })?)
    }

    /// Where the Markdown face will be.
    pub fn markdown(&self) -> PathBuf {
        self.folder.join(MARKDOWN)
    }

    /// Where the JSON face will be.
    pub fn json(&self) -> PathBuf {
        self.folder.join(JSON)
    }

    /// Writes `report`, replacing an earlier one. On an error nothing of it is left.
    ///
    /// # Errors
    /// [`Error::OutputUnwritable`].
    pub fn store(&self, report: &Report) -> Result<()> {
        let written = self.stage().and_then(|stage| {
            write(&stage.join(JSON), &report.to_json())?;
            write(&stage.join(MARKDOWN), &report.to_markdown())?;
            self.replace_with(&stage)
        });
        if written.is_err() {
            self.clear_stage();
        }
        written
    }

    fn replace_with(&self, stage: &Path) -> Result<()> {
        let previous = self.sibling("previous");
        let failed = |error| unwritable(&self.folder, &error);
        let had_one = fs::symlink_metadata(&self.folder).is_ok();
        if had_one {
            fs::rename(&self.folder, &previous).map_err(failed)?;
        }
        if let Err(error) = fs::rename(stage, &self.folder) {
            if had_one {
                // Put the earlier report back; the error that matters is the first.
                let _ = fs::rename(&previous, &self.folder);
            }
            return Err(failed(error));
        }
        if had_one {
            fs::remove_dir_all(&previous).map_err(failed)?;
        }
        Ok(())
    }

    /// A fresh folder beside the final one, on the same file system.
    fn stage(&self) -> Result<PathBuf> {
        self.clear_stage();
        let stage = self.sibling("unfinished");
        fs::create_dir_all(&stage).map_err(|error| unwritable(&self.folder, &error))?;
        Ok(stage)
    }

    fn clear_stage(&self) {
        // Usually there is none; what cannot be removed shows when the next stage is made.
        let _ = fs::remove_dir_all(self.sibling("unfinished"));
    }

    fn sibling(&self, ending: &str) -> PathBuf {
        let mut name = std::ffi::OsString::from(".");
        name.push(self.folder.file_name().unwrap_or_default());
        name.push(format!(".{}.{ending}", std::process::id()));
        self.folder.with_file_name(name)
    }
}

impl Report {
    /// Reads a report that [`Destination::store`] wrote.
    ///
    /// # Errors
    /// [`Error::Input`] or [`Error::ReportInvalid`].
    pub fn read(file: &Path) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Version {
            schema: u32,
        }
        let text = fs::read_to_string(file)
            .map_err(|error| Error::Input { file: file.to_owned(), reason: error.to_string() })?;
        let invalid = |reason: String| Error::ReportInvalid {
            file: file.to_owned(),
            expected: REPORT_SCHEMA,
            reason,
        };
        // The version first: the fields of another one would only confuse the message.
        let version: Version =
            serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
        if version.schema != REPORT_SCHEMA {
            return Err(invalid(format!("it is of schema {}", version.schema)));
        }
        serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))
    }
}

/// Whether a folder is empty or holds a report and nothing else.
fn is_replaceable(folder: &Path) -> Result<bool> {
    if !folder.is_dir() {
        return Ok(false);
    }
    let failed = |error| unwritable(folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name != JSON && name != MARKDOWN {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let written = fs::File::create(path).and_then(|mut file| {
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::OutputUnwritable { path: path.to_owned(), reason: error.to_string() }
}
