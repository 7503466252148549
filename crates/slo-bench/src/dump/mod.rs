//! What workloads put out, frame by frame, as one .npy file a quantity: for programs that check it independently.
//!
//! Written whole or not at all. Never holds more than a frame in memory, and never rounds: every bit goes out.

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::folder::{Folder, Purpose};
use crate::npy::{self, Element};
use crate::workload::{Output, Values, Workload};

/// Says beside the arrays how they came about.
const NOTE: &str = "dump.json";

/// A folder of arrays in the making. Dropped before it is stored, it leaves nothing.
#[derive(Debug)]
pub struct Dump {
    folder: Folder,
    stage: PathBuf,
    /// The first side of every array.
    frames: u64,
    columns: Vec<Column>,
}

/// The array of one quantity.
#[derive(Debug)]
struct Column {
    name: String,
    path: PathBuf,
    /// Elements of a frame.
    len: usize,
    frames: u64,
    out: BufWriter<File>,
}

impl Dump {
    /// A dump of `frames` frames into `folder`: new, empty, or holding an earlier dump, which will be replaced.
    ///
    /// # Errors
    /// [`Error::OutputTaken`] if it holds something else, [`Error::OutputUnwritable`] if nothing can be made there.
    pub fn at(folder: impl Into<PathBuf>, frames: u64) -> Result<Self> {
        let is_replaceable = |name: &OsStr| name == NOTE || is_array(name);
        let purpose = Purpose { holds: "a dump", option: "--dump", is_replaceable };
        let folder = Folder::at(folder, purpose)?;
        let stage = folder.stage()?;
        Ok(Self { folder, stage, frames, columns: Vec::new() })
    }

    /// Adds what the last iteration of `workload` put out as the next frame of the arrays `code`_*.
    ///
    /// # Errors
    /// [`Error::OutputUnwritable`]; [`Error::OutputValue`] if an output is not finite.
    ///
    /// # Panics
    /// If the workload's outputs change their number, order or length from frame to frame.
    pub fn take(&mut self, code: &str, workload: &dyn Workload) -> Result<()> {
        workload.check()?;
        let mut outcome = Ok(());
        workload.outputs(&mut |output| {
            if outcome.is_ok() {
                outcome = self.add(code, output);
            }
        });
        outcome
    }

    /// Closes the arrays, adds `note` as a JSON file beside them and gives the folder its name. Returns how many arrays there are.
    ///
    /// # Errors
    /// [`Error::OutputUnwritable`].
    ///
    /// # Panics
    /// If an array does not have as many frames as the dump.
    pub fn store(mut self, note: &impl Serialize) -> Result<usize> {
        let count = self.columns.len();
        for Column { name, path, frames, out, .. } in self.columns.drain(..) {
            assert_eq!(frames, self.frames, "{name} has every frame of the dump");
            let closed = out.into_inner().map_err(io::IntoInnerError::into_error);
            let closed = closed.and_then(|file| file.sync_all());
            closed.map_err(|error| self.folder.unwritable(&path, &error))?;
        }
        let path = self.stage.join(NOTE);
        let mut text = serde_json::to_string_pretty(note)
            .expect("a note holds strings, numbers and lists only");
        text.push('\n');
        fs::write(&path, text).map_err(|error| self.folder.unwritable(&path, &error))?;
        self.folder.replace_with(&self.stage)?;
        Ok(count)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn add(&mut self, code: &str, output: Output<'_>) -> Result<()> {
        let name = format!("{code}_{}", output.name);
        let index = match self.columns.iter().position(|column| column.name == name) {
            Some(index) => index,
            None => {
                self.columns.push(self.column(name, &output.values)?);
                self.columns.len() - 1
            }
        };
        let column = &mut self.columns[index];
        let written = column.push(&output.values);
        written.map_err(|error| self.folder.unwritable(&column.path, &error))
    }

    /// The file of a quantity that `first` is the first frame of.
    fn column(&self, name: String, first: &Values<'_>) -> Result<Column> {
        let (element, len, sides) = match first {
            Values::Many(values) => {
                (Element::F64, values.len(), vec![self.frames, values.len() as u64])
            }
            Values::One(_) => (Element::F64, 1, vec![self.frames]),
            Values::Choice(_) => (Element::I64, 1, vec![self.frames]),
        };
        let path = self.stage.join(format!("{name}.npy"));
        let failed = |error: io::Error| -> Error { self.folder.unwritable(&path, &error) };
        let mut out = BufWriter::new(File::create(&path).map_err(failed)?);
        out.write_all(&npy::header(element, &sides)).map_err(failed)?;
        Ok(Column { name, path, len, frames: 0, out })
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        // After a success there is no stage any more.
        self.folder.clear_stage();
    }
}

impl Column {
    fn push(&mut self, values: &Values<'_>) -> io::Result<()> {
        self.frames += 1;
        let mut write = |values: &[f64]| {
            assert_eq!(values.len(), self.len, "{} keeps its length", self.name);
            values.iter().try_for_each(|value| self.out.write_all(&value.to_le_bytes()))
        };
        match values {
            Values::Many(values) => write(values),
            Values::One(value) => write(&[*value]),
            Values::Choice(choice) => self.out.write_all(&choice.to_le_bytes()),
        }
    }
}

/// Whether a file is named like an array of a dump: `w1_mu.npy`.
fn is_array(name: &OsStr) -> bool {
    let stem = name.to_str().and_then(|name| name.strip_suffix(".npy"));
    stem.is_some_and(|stem| ["w1_", "w2_", "w3_"].iter().any(|code| stem.starts_with(code)))
}
