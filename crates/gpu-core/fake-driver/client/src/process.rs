//! A process of its own for a test, since a process looks for its driver once.
//!
//! Each function here is called by a test with the body of that test, and starts this program again for that test alone. The
//! test's path is read off the type of the closure.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::fake::FakeDriver;

/// Environment variable by which gpu-core takes another driver.
const DRIVER: &str = "TEMPER_CUDA_DRIVER";

/// Environment variable that names the test for which a process was started.
const TEST: &str = "FAKE_DRIVER_TEST";

const ABORTED: i32 = 6;

/// Runs `test` in a process whose driver is the fake, shows what it printed, and fails if it fails.
///
/// # Panics
/// If the test fails there.
pub fn on_fake_driver<F: FnOnce(&FakeDriver)>(test: F) {
    on_fake_driver_as(&path_of(&test), test);
}

/// As [`on_fake_driver`], for a closure that wraps the test: `path` is [`path_of`] the test's own.
///
/// # Panics
/// If the test fails there.
pub fn on_fake_driver_as(path: &str, test: impl FnOnce(&FakeDriver)) {
    if is_started_for(path) {
        return test(&FakeDriver::attach(&library()));
    }
    assert_passed(path, &start(path, &library()));
}

/// Runs `test` in a process whose driver is the fake, where it must abort the process.
///
/// # Panics
/// If it does not abort there.
pub fn aborts_on_fake_driver<F: FnOnce(&FakeDriver)>(test: F) {
    let name = path_of(&test);
    if is_started_for(&name) {
        return test(&FakeDriver::attach(&library()));
    }
    let output = start(&name, &library());
    assert_eq!(output.status.signal(), Some(ABORTED), "{name} did not abort: {output:?}");
}

/// Runs `test` in a process whose driver is the fake without one of its functions, as an older driver would be.
///
/// # Panics
/// If the test fails there, or the fake has no such function.
pub fn on_driver_without<F: FnOnce()>(function: &str, test: F) {
    let name = path_of(&test);
    if is_started_for(&name) {
        return test();
    }
    let mut bytes = std::fs::read(library()).expect("cargo built the fake driver");
    let entry = [b"\0", function.as_bytes(), b"\0"].concat();
    let places = bytes.windows(entry.len()).enumerate().filter(|(_, window)| *window == entry);
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    assert!(!places.is_empty(), "the fake driver has no {function}");
    // In the table of symbols the name is another from here on.
    places.into_iter().for_each(|place| bytes[place + 1] = b'x');
    let older = format!("libfake_driver_{}_{function}.so", std::process::id());
    let older = std::env::temp_dir().join(older);
    std::fs::write(&older, bytes).expect("the temporary folder can be written");
    let output = start(&name, &older);
    std::fs::remove_file(&older).expect("the file was just written");
    assert_passed(&name, &output);
}

/// The fake, which cargo builds beside the test programs of every crate that depends on this one.
fn library() -> PathBuf {
    let program = std::env::current_exe().expect("a test program knows where it is");
    program.with_file_name("libfake_driver.so")
}

/// The path of the test that the closure is written in, as the test program spells it.
pub fn path_of<F>(_closure: &F) -> String {
    let whole = std::any::type_name::<F>();
    let test = whole.split("::{{closure}}").next().unwrap_or(whole);
    test.split_once("::").map_or(test, |(_, path)| path).to_owned()
}

fn is_started_for(test: &str) -> bool {
    std::env::var(TEST).is_ok_and(|name| name == test)
}

fn start(test: &str, driver: &Path) -> Output {
    assert!(driver.is_file(), "{} is missing: run `cargo build -p fake-driver`", driver.display());
    let program = std::env::current_exe().expect("a test program knows where it is");
    let mut command = Command::new(program);
    command.args(["--exact", test, "--nocapture"]).env(TEST, test).env(DRIVER, driver);
    command.output().expect("a test program can be started")
}

#[expect(clippy::print_stdout, reason = "what the test printed belongs to the test")]
fn assert_passed(test: &str, output: &Output) {
    let (text, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_passed = output.status.success() && text.contains("1 passed");
    assert!(is_passed, "{test} failed on the fake driver ({})\n{text}\n{complaint}", output.status);
    print!("{text}");
}
