//! The header of an .npy file, versions 1 and 2, for the one layout that frames have.
//!
//! Layout: the NumPy format description (`numpy.lib.format`). Never reads values.

use std::io::{self, Read};

use super::{FRAME_BYTES, FRAME_LEN};

pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// A header of frames has some 80 bytes; anything far longer is not one.
const HEADER_BYTES_MAX: u32 = 64 << 10;

/// What the header of a file of frames says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Frames in the file.
    pub(super) frames: u64,
    /// Bytes before the first value.
    pub(super) bytes: u64,
}

/// Reads the header that follows the magic bytes; an error says what is wrong and what to do.
pub(super) fn read(file: &mut impl Read) -> Result<Header, String> {
    let ended = |error: io::Error| format!("the .npy header cannot be read ({error})");
    let mut version = [0; 2];
    file.read_exact(&mut version).map_err(ended)?;
    let (prefix, len) = match version {
        [1, _] => {
            let mut len = [0; 2];
            file.read_exact(&mut len).map_err(ended)?;
            (10, u32::from(u16::from_le_bytes(len)))
        }
        [2, _] => {
            let mut len = [0; 4];
            file.read_exact(&mut len).map_err(ended)?;
            (12, u32::from_le_bytes(len))
        }
        [major, minor] => {
            return Err(format!(
                ".npy version {major}.{minor} is not read; save it as version 1.0"
            ));
        }
    };
    if len > HEADER_BYTES_MAX {
        return Err(format!("the .npy header claims {len} bytes; frames need about 80"));
    }
    let mut text = vec![0; usize::try_from(len).expect("at most HEADER_BYTES_MAX")];
    file.read_exact(&mut text).map_err(ended)?;
    let text = std::str::from_utf8(&text).map_err(|_| "the .npy header is not text".to_owned())?;
    Ok(Header { frames: frames(text)?, bytes: prefix + u64::from(len) })
}

/// Checks type, order and shape, and returns the number of frames.
fn frames(header: &str) -> Result<u64, String> {
    let missing = |key: &str| format!("the .npy header has no `{key}`");
    let descr = value(header, "descr").ok_or_else(|| missing("descr"))?;
    let descr = descr.trim_matches(['\'', '"']);
    if descr != "<f8" {
        return Err(format!(
            "values are of type `{descr}`, frames are `<f8`: convert with `.astype('<f8')`"
        ));
    }
    match value(header, "fortran_order").ok_or_else(|| missing("fortran_order"))? {
        "False" => {}
        _ => {
            return Err("the array is in Fortran order, frames are in C order: convert with `numpy.ascontiguousarray`".to_owned());
        }
    }
    let shape = value(header, "shape").ok_or_else(|| missing("shape"))?;
    let sides: Option<Vec<u64>> =
        shape.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).and_then(|inner| {
            let sides = inner.split(',').map(str::trim).filter(|side| !side.is_empty());
            sides.map(|side| side.parse().ok()).collect()
        });
    match sides.as_deref() {
        // A count whose bytes would not fit a u64 is no count.
        Some(&[frames, len])
            if len == FRAME_LEN as u64 && frames.checked_mul(FRAME_BYTES as u64).is_some() =>
        {
            Ok(frames)
        }
        _ => Err(format!(
            "the array has shape {shape}, frames have shape (count, {FRAME_LEN}): 900 inputs, then 900 targets"
        )),
    }
}

/// The value of `key` in a dictionary literal: a text, a word or a tuple, as it is written.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let after = ['\'', '"'].iter().find_map(|quote| {
        let quoted = format!("{quote}{key}{quote}");
        header.find(&quoted).map(|place| &header[place + quoted.len()..])
    })?;
    let rest = after.trim_start().strip_prefix(':')?.trim_start();
    let end = match rest.chars().next()? {
        '(' => rest.find(')')? + 1,
        quote @ ('\'' | '"') => rest[1..].find(quote)? + 2,
        _ => rest.find([',', '}'])?,
    };
    Some(rest[..end].trim_end())
}

/// The whole header of `frames` frames, its length a multiple of 64 bytes as NumPy writes it.
pub(super) fn header(frames: u64) -> Vec<u8> {
    const PREFIX: usize = 10;
    let mut text =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({frames}, {FRAME_LEN}), }}");
    let padded = (PREFIX + text.len() + 1).next_multiple_of(64);
    while PREFIX + text.len() + 1 < padded {
        text.push(' ');
    }
    text.push('\n');
    let len = u16::try_from(text.len()).expect("about 120 bytes");
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend(len.to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}
