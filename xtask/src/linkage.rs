//! What a program is linked against: never the CUDA driver, which is looked up when it runs.
//!
//! Never starts the program that is looked at.

use std::path::Path;

use anyhow::bail;

use crate::process::{self, Missing};

/// # Errors
/// When the loader would refuse the program on a machine without a driver.
pub(crate) fn check(program: &Path) -> anyhow::Result<()> {
    let path = program.to_string_lossy();
    let Some(text) = process::query("ldd", &[&path]) else {
        return Err(Missing(format!("`ldd {path}` does not answer: it comes with glibc")).into());
    };
    if let Some(line) = driver_line(&text) {
        bail!("{path} is linked against the driver ({line}); it would not start without one");
    }
    Ok(())
}

fn driver_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| line.starts_with("libcuda.so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_needs_the_driver_is_found() {
        let without = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/libc.so.6 (0x2)";
        assert_eq!(driver_line(without), None);
        let with = format!("{without}\n\tlibcuda.so.1 => not found\n");
        assert_eq!(driver_line(&with), Some("libcuda.so.1 => not found"));
    }

    #[test]
    fn this_program_needs_no_driver() {
        check(&std::env::current_exe().unwrap()).unwrap();
    }
}
