//! Frames from a file: raw little-endian float64, or .npy.
//!
//! Reads a frame at a time into the caller's memory, whatever the size of the file.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::npy::count;
use super::{FRAME_BYTES, FRAME_LEN, FrameSource, capacity};
use crate::error::{Error, Result};
use crate::npy;

/// An open file of frames.
#[derive(Debug)]
pub struct FrameFile {
    path: PathBuf,
    reader: BufReader<File>,
    /// Bytes before the first frame.
    start: u64,
    next: u64,
    count: u64,
    /// The bytes of one frame on their way to the caller.
    bytes: Vec<u8>,
}

impl FrameFile {
    /// Opens `path` and checks its header and size, not its values. Files that begin as .npy files do are read as such.
    ///
    /// # Errors
    /// [`Error::Input`] or [`Error::FrameFile`].
    pub fn open(path: &Path) -> Result<Self> {
        let unreadable = |error: std::io::Error| Error::Input {
            file: path.to_owned(),
            reason: error.to_string(),
        };
        let refuse = |reason: String| Error::FrameFile { file: path.to_owned(), reason };
        let mut file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(refuse("not a regular file; name a file of frames".to_owned()));
        }
        let mut magic = [0; npy::MAGIC.len()];
        let is_npy = metadata.len() >= magic.len() as u64
            && file.read_exact(&mut magic).is_ok()
            && &magic == npy::MAGIC;
        let (start, count) = if is_npy {
            let header = npy::read(&mut file).map_err(refuse)?;
            let frames = count(&header).map_err(refuse)?;
            let expected = header.bytes + frames * FRAME_BYTES as u64;
            check_size(expected, metadata.len()).map_err(refuse)?;
            (header.bytes, frames)
        } else if path.extension().is_some_and(|ending| ending == "npy") {
            return Err(refuse("named .npy but does not begin as one; save it with `numpy.save`, or rename it if it is raw".to_owned()));
        } else {
            (0, raw_count(metadata.len()).map_err(refuse)?)
        };
        if count == 0 {
            return Err(refuse("holds no frame; a frame is 1800 float64 values".to_owned()));
        }
        file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let reader = BufReader::with_capacity(16 * FRAME_BYTES, file);
        let bytes = vec![0; FRAME_BYTES];
        Ok(Self { path: path.to_owned(), reader, start, next: 0, count, bytes })
    }

    /// Goes back to the first frame.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn rewind(&mut self) -> Result<()> {
        let sought = self.reader.seek(SeekFrom::Start(self.start));
        sought
            .map_err(|error| Error::Input { file: self.path.clone(), reason: error.to_string() })?;
        self.next = 0;
        Ok(())
    }

    /// Reads every value of `path` once, and returns how many frames there are.
    ///
    /// # Errors
    /// As for [`open`](Self::open) and [`fill`](FrameSource::fill).
    pub fn check(path: &Path) -> Result<u64> {
        let mut file = Self::open(path)?;
        let mut frame = vec![0.0; FRAME_LEN];
        while file.fill(&mut frame)? > 0 {}
        Ok(file.count)
    }

    fn read_frame(&mut self, values: &mut [f64]) -> Result<()> {
        self.reader.read_exact(&mut self.bytes).map_err(|error| Error::FrameFile {
            file: self.path.clone(),
            reason: format!("frame {} cannot be read ({error})", self.next),
        })?;
        for (value, bytes) in values.iter_mut().zip(self.bytes.as_chunks().0) {
            *value = f64::from_le_bytes(*bytes);
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(Error::FrameValue {
                file: self.path.clone(),
                frame: self.next,
                index,
                value: values[index],
            }),
            None => Ok(()),
        }
    }
}

impl FrameSource for FrameFile {
    fn fill(&mut self, frames: &mut [f64]) -> Result<usize> {
        capacity(frames);
        let mut filled = 0;
        for frame in frames.chunks_exact_mut(FRAME_LEN) {
            if self.next == self.count {
                break;
            }
            let read = self.read_frame(frame);
            // A bad frame is passed over: the next one can still be asked for.
            self.next += 1;
            read?;
            filled += 1;
        }
        Ok(filled)
    }

    fn len_hint(&self) -> Option<u64> {
        Some(self.count - self.next)
    }
}

/// Frames in a raw file of `bytes`.
fn raw_count(bytes: u64) -> Result<u64, String> {
    let (whole, rest) = (bytes / FRAME_BYTES as u64, bytes % FRAME_BYTES as u64);
    match rest {
        0 => Ok(whole),
        _ => Err(format!(
            "truncated: it ends {rest} bytes into frame {whole}; a raw frame is {FRAME_BYTES} bytes (1800 little-endian float64 values)"
        )),
    }
}

fn check_size(expected: u64, actual: u64) -> Result<(), String> {
    match actual.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(format!(
            "truncated: it has {actual} bytes, its header promises {expected}; copy or write it again"
        )),
        std::cmp::Ordering::Greater => Err(format!(
            "it has {} bytes more than its header promises; write it again",
            actual - expected
        )),
    }
}
