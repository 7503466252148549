//! The driver's library, found at run time and kept for ever.
//!
//! Nothing links to it, so a program starts where there is no driver, and says so when it asks for a device.

use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;

use libloading::Library;

use crate::error::{Error, Result};

/// Environment variable that names the driver library to load in place of the system's.
pub(super) const VARIABLE: &str = "TEMPER_CUDA_DRIVER";

/// The driver's library as the loader finds it in its usual folders.
const LIBRARY: &str = "libcuda.so.1";

/// The driver's library, loaded by the first call; a failure is as lasting as a success.
pub(super) fn library() -> Result<&'static Library> {
    // Never unloaded: handles, threads of the driver and looked-up functions point into it.
    static OPENED: OnceLock<Result<Library>> = OnceLock::new();
    let opened = OPENED.get_or_init(|| open(std::env::var_os(VARIABLE)));
    opened.as_ref().map_err(Error::clone)
}

/// A function of the driver, or `None` where the driver or the function is missing.
///
/// # Safety
/// `F` must be the type of a pointer to the driver's function `name`.
pub(super) unsafe fn function<F: Copy>(name: &str) -> Option<F> {
    let library = library().ok()?;
    // SAFETY: the caller vouches for the type, and the library is never unloaded.
    let symbol = unsafe { library.get::<F>(name) };
    symbol.ok().map(|symbol| *symbol)
}

/// Opens the library that the variable names; without a name there, the system's.
fn open(variable: Option<OsString>) -> Result<Library> {
    // The loader takes an empty name for the program itself, whose `cuInit` would be ours.
    let chosen = variable.filter(|name| !name.is_empty());
    let name = chosen.as_deref().unwrap_or_else(|| OsStr::new(LIBRARY));
    // SAFETY: the initialisers of the driver's library ask nothing of the program that loads it.
    let opened = unsafe { Library::new(name) };
    opened.map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let cause = cause.unwrap_or_else(|| error.to_string());
        let reason = match chosen {
            Some(_) => format!("{cause}, and {VARIABLE} names it"),
            None => cause,
        };
        Error::DriverMissing { library: name.to_string_lossy().into_owned(), reason }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_the_library_and_the_error_names_both() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let error = open(Some(file.into())).unwrap_err();
        let Error::DriverMissing { library, reason } = &error else { panic!("{error}") };
        assert_eq!(library, file);
        assert!(reason.contains(VARIABLE), "{reason}");
        assert_eq!(error.kind(), crate::ErrorKind::Unavailable);
    }

    #[test]
    fn an_empty_variable_means_the_systems_library_and_never_the_program() {
        let reason = |variable| open(variable).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(reason(Some(OsString::new())), reason(None));
    }
}
