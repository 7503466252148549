//! Rules about the text of the workspace, each one function, checked by `cargo test`.
//!
//! Never formats or repairs: it says what is wrong, where, and what to do.

mod rules;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::Workspace;

/// A file under the root, by its path relative to it.
#[derive(Debug)]
struct SourceFile {
    path: String,
    text: String,
}

/// A place that breaks a rule. Line 0 means the file as a whole.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    line: usize,
    message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl SourceFile {
    fn extension(&self) -> &str {
        Path::new(&self.path).extension().and_then(|ending| ending.to_str()).unwrap_or_default()
    }

    fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Numbered lines, from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Numbered lines of code: what follows `//` is cut off.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }

    fn violation(&self, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, message: message.into() }
    }
}

/// Every text file that git tracks or would track; outside git, every one that is not built.
fn files(root: &Path) -> Vec<SourceFile> {
    let mut paths = tracked(root).unwrap_or_else(|| walk(root, Path::new("")));
    paths.sort();
    let read = |path: PathBuf| {
        // What is no UTF-8 is no text; a tracked file may have been deleted.
        let text = fs::read_to_string(root.join(&path)).ok()?;
        Some(SourceFile { path: path.to_string_lossy().into_owned(), text })
    };
    paths.into_iter().filter_map(read).collect()
}

fn tracked(root: &Path) -> Option<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let output = git.output().ok().filter(|output| output.status.success())?;
    let names = String::from_utf8(output.stdout).ok()?;
    Some(names.split_terminator('\0').map(PathBuf::from).collect())
}

fn walk(root: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let path = folder.join(entry.file_name());
        // In a further working tree, .git is a file.
        if entry.file_name() == "target" || entry.file_name() == ".git" {
            continue;
        }
        if entry.path().is_dir() {
            paths.extend(walk(root, &path));
        } else if entry.path().is_file() {
            paths.push(path);
        }
    }
    paths
}

/// The files of the workspace, which are there whatever the current folder is.
fn workspace_files() -> Vec<SourceFile> {
    let files = files(&Workspace::locate().unwrap().root);
    assert!(files.iter().any(|file| file.path == "xtask/src/main.rs"), "the list is not ours");
    files
}

/// Fails with every place that breaks the rule.
fn assert_holds(rule: impl Fn(&SourceFile) -> Vec<Violation>) {
    let found: Vec<Violation> = workspace_files().iter().flat_map(rule).collect();
    report(&found);
}

fn report(found: &[Violation]) {
    let lines: Vec<String> = found.iter().map(Violation::to_string).collect();
    assert!(lines.is_empty(), "{} places break this rule:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn outside_git_the_same_sources_are_found_by_walking() {
    let root = Workspace::locate().unwrap().root;
    let walked = walk(&root, Path::new(""));
    assert!(walked.contains(&PathBuf::from("xtask/src/tidy/mod.rs")));
    assert!(walked.contains(&PathBuf::from(".cargo/config.toml")));
    assert!(!walked.iter().any(|path| path.starts_with("target") || path.starts_with(".git/")));
}
