//! The driver's result codes: what each is called and what a caller can do about it.
//!
//! Works on raw integers, since newer drivers return codes that older bindings cannot represent.

use crate::error::ErrorKind;

/// The name of a driver result, as the CUDA driver API documents it.
pub(crate) fn name(code: i32) -> &'static str {
    match code {
        1 => "CUDA_ERROR_INVALID_VALUE",
        2 => "CUDA_ERROR_OUT_OF_MEMORY",
        _ => "an unknown CUDA error",
    }
}

/// What a caller can do about a driver result.
pub(crate) fn kind(code: i32) -> ErrorKind {
    match code {
        2 => ErrorKind::Exhausted,
        214 | 220 | 700 | 702 | 710 | 714..=719 | 721 | 810 => ErrorKind::Poisoned,
        _ => ErrorKind::Invalid,
    }
}
