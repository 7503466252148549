//! The rules. Words that a rule forbids are spelled in two halves here, since this file is checked as well.

use super::{SourceFile, Violation, assert_holds, report, workspace_files};

const LINES_MAX: usize = 500;
const BACKEND: &str = "crates/gpu-core/src/backend/";
/// What stands in for the driver in tests is all foreign interface: it exports it, and its client loads it.
const FAKE_DRIVER: &str = "crates/gpu-core/fake-driver/";

/// Crates whose `lib.rs` or `main.rs` forbids unsafe code.
const SAFE_ROOTS: [&str; 5] = [
    "benches/src/lib.rs",
    "crates/resilience/src/lib.rs",
    "crates/kernel-tuner/src/lib.rs",
    "crates/slo-bench/src/lib.rs",
    "xtask/src/main.rs",
];

/// Sources are ASCII: what an editor, a terminal and nvcc show is the same text.
fn ascii(file: &SourceFile) -> Vec<Violation> {
    if !matches!(file.extension(), "rs" | "cu" | "cuh" | "toml") {
        return Vec::new();
    }
    let foreign = |line: &str| line.chars().find(|c| !c.is_ascii());
    file.lines()
        .filter_map(|(number, line)| Some((number, foreign(line)?)))
        .map(|(number, c)| file.violation(number, format!("{c:?} is not ASCII")))
        .collect()
}

/// A file under src introduces itself.
fn module_docs(file: &SourceFile) -> Vec<Violation> {
    let applies = file.is_rust() && file.path.contains("src/");
    if !applies || file.text.starts_with("//!") {
        return Vec::new();
    }
    vec![file.violation(1, "starts without `//!`: say what this file is")]
}

/// A file fits a sitting.
fn length(file: &SourceFile) -> Vec<Violation> {
    let applies = matches!(file.extension(), "rs" | "cu" | "cuh");
    let count = file.text.lines().count();
    if !applies || count <= LINES_MAX {
        return Vec::new();
    }
    vec![file.violation(count, format!("{count} lines; split what is longer than {LINES_MAX}"))]
}

/// Words that mean something is not finished, not run, or not reliable.
fn banned_words(file: &SourceFile) -> Vec<Violation> {
    if !matches!(file.extension(), "rs" | "cu" | "cuh" | "toml" | "sh" | "yml") {
        return Vec::new();
    }
    let banned = [
        (concat!("TO", "DO"), "finish it, or write FIXME and why"),
        (concat!("#[ign", "ore"), "a test runs or does not exist"),
        (concat!("#[should_", "panic"), "assert on the error value"),
    ];
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        for (word, advice) in banned {
            if contains_word(line, word) {
                found.push(file.violation(number, format!("`{word}`: {advice}")));
            }
        }
    }
    found
}

/// Time is an input: only the clock may let it pass.
fn sleep(file: &SourceFile) -> Vec<Violation> {
    let word = concat!("thread::sl", "eep");
    if !file.is_rust() || file.path.ends_with("/clock.rs") {
        return Vec::new();
    }
    let hits = file.code().filter(|(_, line)| contains_word(line, word));
    hits.map(|(number, _)| file.violation(number, format!("`{word}`: inject a Clock"))).collect()
}

/// The foreign interface and the one feature that changes what is compiled have one home.
fn foreign_interface(file: &SourceFile) -> Vec<Violation> {
    if !file.is_rust() || file.is_in(BACKEND) || file.is_in(FAKE_DRIVER) {
        return Vec::new();
    }
    let words = [
        concat!("feature = \"cu", "da\""),
        concat!("cust", "::"),
        concat!("cust", "_raw::"),
        concat!("extern \"", "C\""),
        concat!("lib", "loading"),
    ];
    let mut found = Vec::new();
    for (number, line) in file.code() {
        for word in words.iter().filter(|word| contains_word(line, word)) {
            found.push(file.violation(number, format!("`{word}` belongs under {BACKEND}")));
        }
    }
    found
}

/// Unsafe code stands in two crates; a kernel has the one `impl` that binds it to its source.
fn unsafe_code(file: &SourceFile) -> Vec<Violation> {
    let free = ["crates/gpu-core/", "crates/memory-pipeline/"];
    if !file.is_rust() || free.iter().any(|folder| file.is_in(folder)) {
        return Vec::new();
    }
    let word = concat!("un", "safe");
    let binding = concat!("un", "safe impl Kernel for ");
    // A user's own kernel is bound in a test or an example exactly as ours are.
    let may_bind = file.is_in("kernels/") || !file.path.contains("/src/");
    file.code()
        .filter(|(_, line)| contains_word(line, word))
        .filter(|(_, line)| !(may_bind && line.trim_start().starts_with(binding)))
        .map(|(number, _)| file.violation(number, format!("`{word}` has no place in this crate")))
        .collect()
}

/// What has no need of unsafe code says so to the compiler.
fn forbids_unsafe(file: &SourceFile) -> Vec<Violation> {
    let line = concat!("#![forbid(un", "safe_code)]");
    let applies = SAFE_ROOTS.contains(&file.path.as_str());
    if !applies || file.lines().any(|(_, found)| found == line) {
        return Vec::new();
    }
    vec![file.violation(0, format!("lacks `{line}`"))]
}

/// A crate shows how it is used, in code that `cargo test` runs.
fn runnable_example(file: &SourceFile) -> Vec<Violation> {
    if !file.path.ends_with("src/lib.rs") || runs_an_example(&file.text) {
        return Vec::new();
    }
    vec![file.violation(0, "its documentation has no example that runs")]
}

fn runs_an_example(text: &str) -> bool {
    let docs = text.lines().filter_map(|line| line.trim_start().strip_prefix("//!"));
    let fences = docs.filter_map(|line| line.trim().strip_prefix("```"));
    // Fences alternate between opening and closing; only an opening one has a meaning to check.
    fences.step_by(2).any(|info| matches!(info, "" | "rust"))
}

/// What holds for one machine or one person does not hold for the next.
fn machine_paths(file: &SourceFile) -> Vec<Violation> {
    let folders = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        for folder in folders.iter().filter(|folder| contains_word(line, folder)) {
            found.push(file.violation(number, format!("a path under {folder} is of one machine")));
        }
    }
    found
}

fn trailing_spaces(file: &SourceFile) -> Vec<Violation> {
    let hits = file.lines().filter(|(_, line)| line.ends_with([' ', '\t', '\r']));
    hits.map(|(number, _)| file.violation(number, "ends with a space")).collect()
}

/// A kernel is two files with one name.
fn wrapped_kernels(files: &[SourceFile]) -> Vec<Violation> {
    let has = |path: &str| files.iter().any(|file| file.path == path);
    let kernels =
        files.iter().filter(|file| file.is_in("kernels/src/") && file.extension() == "cu");
    kernels
        .filter(|kernel| !has(&kernel.path.replace(".cu", ".rs")))
        .map(|kernel| kernel.violation(0, "has no .rs file of the same name beside it"))
        .collect()
}

/// Whether `word` stands in `line` and is not a part of a longer name.
fn contains_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_name);
        let after = line[at + word.len()..].chars().next().is_some_and(is_name);
        let starts_open = !word.starts_with(is_name) && !word.starts_with('/');
        let ends_open = !word.ends_with(is_name);
        (starts_open || !before) && (ends_open || !after)
    })
}

#[test]
fn sources_are_ascii() {
    assert_holds(ascii);
}

#[test]
fn every_module_introduces_itself() {
    assert_holds(module_docs);
}

#[test]
fn no_file_is_longer_than_a_sitting() {
    assert_holds(length);
}

#[test]
fn nothing_is_unfinished_or_left_out() {
    assert_holds(banned_words);
}

#[test]
fn only_the_clock_sleeps() {
    assert_holds(sleep);
}

#[test]
fn the_cuda_feature_and_foreign_calls_stand_only_in_the_backend() {
    assert_holds(foreign_interface);
}

#[test]
fn unsafe_code_stands_only_where_the_ledger_has_it() {
    assert_holds(unsafe_code);
}

#[test]
fn safe_crates_forbid_unsafe_code() {
    let files = workspace_files();
    for root in SAFE_ROOTS {
        assert!(files.iter().any(|file| file.path == root), "{root} is gone");
    }
    assert_holds(forbids_unsafe);
}

#[test]
fn every_crate_shows_a_runnable_example() {
    assert_holds(runnable_example);
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    assert_holds(machine_paths);
}

#[test]
fn no_line_ends_with_a_space() {
    assert_holds(trailing_spaces);
}

#[test]
fn every_cuda_source_has_its_wrapper() {
    report(&wrapped_kernels(&workspace_files()));
}

mod violations {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    /// The rule finds exactly one place in `bad`, and none in `good`.
    fn check(rule: fn(&SourceFile) -> Vec<Violation>, path: &str, bad: &str, good: &str) {
        assert_eq!(rule(&file(path, bad)).len(), 1, "{path}: {bad}");
        assert_eq!(rule(&file(path, good)), [], "{path}: {good}");
    }

    #[test]
    fn a_foreign_letter_is_found_with_its_line() {
        let found = ascii(&file("kernels/src/a.cu", "fine\n// \u{b5}s\n"));
        assert_eq!((found.len(), found[0].line), (1, 2));
        assert_eq!(ascii(&file("README.md", "\u{b5}s")), [], "prose may use any letter");
    }

    #[test]
    fn a_module_without_introduction_is_found() {
        check(module_docs, "crates/a/src/b.rs", "use x;\n//! late", "//! B.\nuse x;");
        assert_eq!(module_docs(&file("crates/a/tests/it/b.rs", "use x;")), []);
    }

    #[test]
    fn one_line_too_many_is_found() {
        check(length, "a/src/b.rs", &"x\n".repeat(501), &"x\n".repeat(500));
    }

    #[test]
    fn unfinished_and_left_out_code_is_found() {
        let path = "crates/a/src/b.rs";
        check(banned_words, path, concat!("// TO", "DO: later"), "let MASTODON = 1;");
        check(banned_words, path, concat!("#[ign", "ore = \"slow\"]"), "#[inline]");
        check(banned_words, path, concat!("#[should_", "panic]"), "#[test]");
    }

    #[test]
    fn a_sleep_is_found_outside_the_clock() {
        let text = concat!("std::thread::sl", "eep(pause);");
        check(sleep, "crates/a/src/b.rs", text, "clock.pause(deadline);");
        assert_eq!(sleep(&file("crates/gpu-core/src/clock.rs", text)), []);
    }

    #[test]
    fn a_foreign_call_or_the_feature_is_found_outside_the_backend() {
        let bad = [
            concat!("#[cfg(feature = \"cu", "da\")]"),
            concat!("use cust", "::device::Device;"),
            concat!("let code = cust", "_raw::cuInit(0);"),
            concat!("extern \"", "C\" { fn f(); }"),
            concat!("use lib", "loading::Library;"),
        ];
        for text in bad {
            check(foreign_interface, "crates/gpu-core/src/lib.rs", text, "let locust = f::<u8>();");
            assert_eq!(
                foreign_interface(&file("crates/gpu-core/src/backend/cuda/raw.rs", text)),
                []
            );
        }
    }

    #[test]
    fn unsafe_code_outside_its_crates_is_found() {
        let block = concat!("un", "safe { f() }");
        check(unsafe_code, "crates/resilience/src/a.rs", block, "f() // as safe");
        check(unsafe_code, "kernels/src/a.rs", block, concat!("un", "safe impl Kernel for A {}"));
        let other = concat!("un", "safe impl Send for A {}");
        check(unsafe_code, "kernels/src/a.rs", other, concat!("#![forbid(un", "safe_code)]"));
        assert_eq!(unsafe_code(&file("crates/memory-pipeline/src/a.rs", block)), []);
    }

    #[test]
    fn a_crate_that_stops_forbidding_unsafe_code_is_found() {
        let line = concat!("//! X.\n#![forbid(un", "safe_code)]\n");
        check(forbids_unsafe, "crates/resilience/src/lib.rs", "//! X.\n", line);
    }

    #[test]
    fn a_crate_without_a_runnable_example_is_found() {
        let path = "crates/a/src/lib.rs";
        check(runnable_example, path, "//! A.", "//! ```\n//! f();\n//! ```");
        let text = "//! ```text\n//! f();\n//! ```";
        check(runnable_example, path, text, "//! ```rust\n//! f();\n//! ```");
        check(runnable_example, path, "//! ```no_run\n//! f();\n//! ```", "//! ```\n//! ```");
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = concat!("see /ho", "me/ann/notes");
        check(machine_paths, "docs/a.md", text, "see target/home/a and https://example.org/work/x");
    }

    #[test]
    fn a_space_at_the_end_is_found() {
        check(trailing_spaces, "README.md", "a \nb", "a\nb\n");
    }

    #[test]
    fn a_kernel_without_its_wrapper_is_found() {
        let lonely = [file("kernels/src/v/a.cu", ""), file("kernels/src/b.rs", "")];
        assert_eq!(wrapped_kernels(&lonely).len(), 1);
        let paired = [file("kernels/src/v/a.cu", ""), file("kernels/src/v/a.rs", "")];
        assert_eq!(wrapped_kernels(&paired), []);
    }
}
