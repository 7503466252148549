//! A process of its own for a test, since a process looks for its driver once.
//!
//! Each function here is called by a test with the body of that test, and starts this program again for that test alone. The
//! test's path is read off the type of the closure. A process that does not end is killed and its test fails.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use crate::fake::FakeDriver;

/// Environment variable by which gpu-core takes another driver.
const DRIVER: &str = "TEMPER_CUDA_DRIVER";

/// Environment variable that names the test for which a process was started.
const TEST: &str = "FAKE_DRIVER_TEST";

const ABORTED: i32 = 6;

/// When a process is taken to hang. Far from what any test needs, so that it never judges how fast the machine is.
const DEADLINE: Duration = Duration::from_secs(600);

/// Processes of this program's tests that ended by themselves.
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Processes of this program's tests that were killed because they did not.
static KILLED: AtomicU64 = AtomicU64::new(0);

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
    within(DEADLINE, test, command)
}

/// What the program printed and how it ended.
///
/// # Panics
/// If it has not ended by the deadline, with what it had printed; it is killed first.
fn within(deadline: Duration, test: &str, mut command: Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a test program can be started");
    // Nothing is ever sent: the channel closes once both readers have seen the end, which is when the process ends.
    let (reading, ended) = channel();
    let stdout = read(child.stdout.take(), reading.clone());
    let stderr = read(child.stderr.take(), reading);
    let is_hung = ended.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout);
    if is_hung {
        child.kill().expect("a child can be killed");
    }
    let status = child.wait().expect("a child can be waited for");
    let [stdout, stderr] = [stdout, stderr].map(|text| text.join().expect("a reader never panics"));
    let count = if is_hung { &KILLED } else { &ENDED };
    count.fetch_add(1, Ordering::Relaxed);
    let (text, complaint) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(!is_hung, "{test} hung: killed after {deadline:?}\n{text}\n{complaint}");
    Output { status, stdout, stderr }
}

/// Reads all there is, and lets go of `reading` at its end.
fn read(pipe: Option<impl Read + Send + 'static>, reading: Sender<()>) -> JoinHandle<Vec<u8>> {
    let mut pipe = pipe.expect("it was asked for");
    spawn(move || {
        let mut text = Vec::new();
        // What was read until an error is worth showing too.
        let _ = pipe.read_to_end(&mut text);
        drop(reading);
        text
    })
}

#[expect(clippy::print_stdout, reason = "what the test printed belongs to the test")]
fn assert_passed(test: &str, output: &Output) {
    let (text, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let is_passed = output.status.success() && text.contains("1 passed");
    assert!(is_passed, "{test} failed on the fake driver ({})\n{text}\n{complaint}", output.status);
    let (ended, killed) = (ENDED.load(Ordering::Relaxed), KILLED.load(Ordering::Relaxed));
    print!("{text}");
    println!("{test} ran to its end; so far {ended} processes did and {killed} hung");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that says something and then waits for more of a file that never grows.
    fn endless() -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo before; exec tail -f /dev/null"]);
        command
    }

    #[test]
    fn a_process_that_hangs_is_killed_and_its_test_fails_by_name() {
        // However fast the machine is, it is not over by then.
        let hung =
            std::panic::catch_unwind(|| within(Duration::from_millis(200), "name", endless()));
        let message = hung.unwrap_err().downcast::<String>().expect("a message with a name");
        assert!(message.starts_with("name hung: killed after 200ms"), "{message}");
        assert_eq!(KILLED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_process_that_ends_gives_all_that_it_printed() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let output = within(DEADLINE, "name", command);
        assert_eq!(
            (output.status.code(), &*output.stdout, &*output.stderr),
            (Some(3), &b"out\n"[..], &b"err\n"[..])
        );
    }
}
