//! What people read: results on standard output, progress on standard error.
//!
//! Never fails: a reader that has gone away, such as `head`, must not change the exit code.

use std::fmt::Arguments;
use std::io::{self, Write as _};

/// A line of the result.
macro_rules! say {
    ($($text:tt)*) => { $crate::terminal::result(format_args!($($text)*)) };
}

/// A line of progress.
macro_rules! note {
    ($($text:tt)*) => { $crate::terminal::progress(format_args!($($text)*)) };
}

pub(crate) use {note, say};

pub(crate) fn result(line: Arguments<'_>) {
    // Errors are dropped on purpose, see above.
    writeln!(io::stdout(), "{line}").unwrap_or_default();
}

pub(crate) fn progress(line: Arguments<'_>) {
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}
