//! Frames to a file, in either format that [`FrameFile`](super::FrameFile) reads.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::npy;
use super::{FRAME_BYTES, FRAME_LEN, FrameSource};
use crate::error::{Error, Result};

/// How frames stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFormat {
    /// NumPy's, version 1.
    Npy,
    /// Values and nothing else, little-endian.
    Raw,
}

/// Writes the next `count` frames of `source` to `path`, replacing a file that is there. On an error nothing is left.
///
/// # Errors
/// [`Error::OutputUnwritable`]; [`Error::FrameFile`] if the source ends early; what the source refuses.
pub fn write_frames(
    path: &Path,
    format: FrameFormat,
    source: &mut impl FrameSource,
    count: u64,
) -> Result<()> {
    let unwritable = |error: io::Error| Error::OutputUnwritable {
        path: path.to_owned(),
        reason: error.to_string(),
        option: "--out",
    };
    if path.is_dir() {
        return Err(unwritable(io::Error::other("it is a folder")));
    }
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.unfinished", std::process::id()));
    let unfinished = path.with_file_name(name);
    let written = File::create(&unfinished).map_err(unwritable).and_then(|file| {
        let mut out = BufWriter::with_capacity(16 * FRAME_BYTES, file);
        if format == FrameFormat::Npy {
            out.write_all(&npy::header(count)).map_err(unwritable)?;
        }
        let mut frame = vec![0.0; FRAME_LEN];
        for number in 0..count {
            if source.fill(&mut frame)? == 0 {
                let reason = format!("the source ended after {number} of {count} frames");
                return Err(Error::FrameFile { file: path.to_owned(), reason });
            }
            for value in &frame {
                out.write_all(&value.to_le_bytes()).map_err(unwritable)?;
            }
        }
        let file = out.into_inner().map_err(|error| unwritable(error.into_error()))?;
        file.sync_all().map_err(unwritable)?;
        fs::rename(&unfinished, path).map_err(unwritable)
    });
    if written.is_err() {
        // It may not have been made at all.
        let _ = fs::remove_file(&unfinished);
    }
    written
}
