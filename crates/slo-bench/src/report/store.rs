//! Reports on disk: all of one or nothing.
//!
//! Never replaces anything but an earlier report.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::faces::{self, JSON, MARKDOWN, PAGE};
use super::{REPORT_SCHEMA, Report, UtcTime};
use crate::error::{Error, Result};
use crate::folder::{Folder, Purpose};

/// Name of the tuning profile beside a report.
pub const PROFILE: &str = "profile.json";
/// Name of the picture of the pipeline's lanes beside a report.
pub const TIMELINE: &str = "pipeline.svg";
/// Name of the same as trace events.
pub const TRACE: &str = "pipeline.trace.json";
/// Most runs that may start in one second in one place.
const NAMES_MAX: u32 = 100;

/// What a folder of a report is.
const PURPOSE: Purpose = Purpose {
    holds: "a report",
    option: "--out",
    is_replaceable: |name| {
        faces::is_ours(name) || [PROFILE, TIMELINE, TRACE].iter().any(|known| name == *known)
    },
};

/// A folder that a report can be written to, tried before the work begins.
#[derive(Clone, Debug)]
pub struct Destination {
    folder: Folder,
}

impl Destination {
    /// The folder `folder`: new, empty, or holding an earlier report, which will be replaced.
    ///
    /// # Errors
    /// [`Error::OutputTaken`] if it holds something else, [`Error::OutputUnwritable`] if nothing can be made there.
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self> {
        Ok(Self { folder: Folder::at(folder, PURPOSE)? })
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
        let Purpose { holds, option, .. } = PURPOSE;
        let taken = || Error::OutputTaken { folder: parent.join(name), holds, option };
        Self::at(free.ok_or_else(taken)?)
    }

    /// Where the Markdown face will be.
    pub fn markdown(&self) -> PathBuf {
        self.folder.path().join(MARKDOWN)
    }

    /// Where the page will be.
    pub fn page(&self) -> PathBuf {
        self.folder.path().join(PAGE)
    }

    /// Where the JSON face will be.
    pub fn json(&self) -> PathBuf {
        self.folder.path().join(JSON)
    }

    /// A folder for files beside the report: what is put there before [`store`](Self::store) goes with it.
    ///
    /// # Errors
    /// [`Error::OutputUnwritable`].
    pub fn stage(&self) -> Result<PathBuf> {
        self.folder.open_stage()
    }

    /// Writes `report` and what is [staged](Self::stage), replacing an earlier one. On an error nothing of it is left.
    ///
    /// Beside the JSON, `report.json`, stand Markdown, a page with charts, JUnit and SARIF, lists for
    /// github-action-benchmark and Bencher, OpenMetrics, comma-separated values, an HdrHistogram log of all runs and
    /// a distribution (`.hgrm`) of each.
    ///
    /// # Errors
    /// [`Error::OutputUnwritable`].
    pub fn store(&self, report: &Report) -> Result<()> {
        let written = self.folder.open_stage().and_then(|stage| {
            self.write(&stage.join(JSON), &report.to_json())?;
            let beside = |name: &str| fs::read_to_string(stage.join(name)).ok();
            for (name, text) in faces::all(report, beside) {
                self.write(&stage.join(name), &text)?;
            }
            self.folder.replace_with(&stage)
        });
        if written.is_err() {
            self.folder.clear_stage();
        }
        written
    }

    fn write(&self, path: &Path, text: &str) -> Result<()> {
        let written = fs::File::create(path).and_then(|mut file| {
            io::Write::write_all(&mut file, text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| self.folder.unwritable(path, &error))
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
