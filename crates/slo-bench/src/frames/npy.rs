//! The layout that frames have in an .npy file: float64 in C order, of shape (count, 1800).
//!
//! Never reads values.

use super::{FRAME_BYTES, FRAME_LEN};
use crate::npy::{self, Element, Header};

/// Checks type, order and shape, and returns the number of frames; an error says what is wrong and what to do.
pub(super) fn count(header: &Header) -> Result<u64, String> {
    let Header { descr, is_fortran, shape, .. } = header;
    if descr != Element::F64.descr() {
        return Err(format!(
            "values are of type `{descr}`, frames are `<f8`: convert with `.astype('<f8')`"
        ));
    }
    if *is_fortran {
        return Err("the array is in Fortran order, frames are in C order: convert with `numpy.ascontiguousarray`".to_owned());
    }
    match header.sides().as_deref() {
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

/// The header of `count` frames.
pub(super) fn header(count: u64) -> Vec<u8> {
    npy::header(Element::F64, &[count, FRAME_LEN as u64])
}
