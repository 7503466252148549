//! Traces of the machine that something was built on: folders whose names would travel with what is copied elsewhere.
//!
//! Never changes the length of a file, and never guesses: a file that still names a folder is refused.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::workspace::Workspace;

/// Separates flags in `CARGO_ENCODED_RUSTFLAGS`, so that a folder may have spaces in its name.
const SEPARATOR: u8 = 0x1f;

/// The folders that nothing may name: the workspace, what cargo builds into, and the user's home.
pub(crate) fn folders(workspace: &Workspace) -> Vec<PathBuf> {
    let named =
        [Some(workspace.root.clone()), Some(workspace.target.clone()), std::env::home_dir()];
    let mut folders = Vec::new();
    for folder in named.into_iter().flatten() {
        // A compiler may name the folder behind a link.
        folders.extend(fs::canonicalize(&folder).ok());
        folders.push(folder);
    }
    // Everything is under `/`, which tells nothing.
    folders.retain(|folder| folder.is_absolute() && folder.parent().is_some());
    // The innermost first: what is left of it after a replacement would hide it from the outer ones.
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.as_os_str().len()));
    folders.dedup();
    folders
}

/// The flags of the compiler for a program without traces: those that are set already, and other names for the folders.
pub(crate) fn rust_flags(workspace: &Workspace) -> OsString {
    let set = std::env::var_os("CARGO_ENCODED_RUSTFLAGS").or_else(|| {
        let flags = std::env::var("RUSTFLAGS").ok()?;
        Some(flags.split_whitespace().collect::<Vec<_>>().join("\u{1f}").into())
    });
    let home = std::env::home_dir().filter(|home| home.parent().is_some());
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| home.as_ref().map(|home| home.join(".cargo")));
    // The last flag that fits is the one that counts: from the outer folder to the inner ones.
    let mut names: Vec<(PathBuf, &str)> = home.into_iter().map(|home| (home, "home")).collect();
    if let Some(cargo_home) = cargo_home {
        // Each registry has a folder that tells its host.
        let registries = fs::read_dir(cargo_home.join("registry/src")).into_iter().flatten();
        names.extend(registries.flatten().map(|entry| (entry.path(), "crates")));
    }
    names.extend([(workspace.root.clone(), "temper"), (workspace.target.clone(), "target")]);
    let flags = names.iter().map(|(folder, name)| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(folder);
        flag.push("=");
        flag.push(name);
        flag
    });
    let flags: Vec<OsString> = set.filter(|set| !set.is_empty()).into_iter().chain(flags).collect();
    flags.join(OsStr::from_bytes(&[SEPARATOR]))
}

/// Replaces each of `folders` in a file by as many characters of `/./.`, which lead nowhere else: `/srv/me/a.cu`
/// becomes `/./././` and `/a.cu`.
pub(crate) fn scrub(file: &Path, folders: &[PathBuf]) -> anyhow::Result<()> {
    let mut bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    for folder in folders {
        let folder = folder.as_os_str().as_bytes();
        let mut start = 0;
        while let Some(index) = find(&bytes[start..], folder) {
            let place = start + index..start + index + folder.len();
            bytes[place.clone()].iter_mut().zip(b"/.".iter().cycle()).for_each(|(to, &b)| *to = b);
            start = place.end;
        }
    }
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

/// # Errors
/// When `file` names one of `folders`.
pub(crate) fn check(file: &Path, folders: &[PathBuf]) -> anyhow::Result<()> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    for folder in folders {
        if let Some(index) = find(&bytes, folder.as_os_str().as_bytes()) {
            let text: Vec<u8> =
                bytes[index..].iter().copied().take_while(u8::is_ascii_graphic).take(200).collect();
            let text = OsString::from_vec(text);
            bail!("{} tells where it was built: {}", file.display(), text.display());
        }
    }
    Ok(())
}

/// Where `folder` stands in `bytes` as the beginning of a path.
fn find(bytes: &[u8], folder: &[u8]) -> Option<usize> {
    // A longer name that begins alike is another folder's.
    let ends = |index: usize| match bytes.get(index + folder.len()) {
        Some(next) => !next.is_ascii_alphanumeric() && !b"_-.".contains(next),
        None => true,
    };
    let mut windows = bytes.windows(folder.len()).enumerate();
    windows.find(|&(index, window)| window == folder && ends(index)).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_and_scrubbed_and_what_only_begins_alike_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image");
        let named = [PathBuf::from("/srv/me/work"), PathBuf::from("/srv/me")];
        let content = "a\0/srv/me/work/a.cu\0/srv/mean/b\0/srv/me\0/srv/me/c";
        fs::write(&file, content).unwrap();
        let error = check(&file, &named).unwrap_err().to_string();
        assert!(error.ends_with("image tells where it was built: /srv/me/work/a.cu"), "{error}");
        scrub(&file, &named).unwrap();
        let scrubbed = fs::read_to_string(&file).unwrap();
        assert_eq!(scrubbed, "a\0/././././././a.cu\0/srv/mean/b\0/./././\0/./././/c");
        assert_eq!(scrubbed.len(), content.len());
        check(&file, &named).unwrap();
    }

    #[test]
    fn the_folders_of_this_machine_are_named_otherwise_in_a_program() {
        let workspace = Workspace { root: "/srv/a b".into(), target: "/srv/a b/target".into() };
        let flags = rust_flags(&workspace).into_string().unwrap();
        let flags: Vec<_> = flags.split('\u{1f}').collect();
        let last =
            ["--remap-path-prefix=/srv/a b=temper", "--remap-path-prefix=/srv/a b/target=target"];
        assert!(flags.ends_with(&last), "{flags:?}");
        let registry = flags.iter().find(|flag| flag.contains("/registry/src/"));
        assert!(registry.is_some_and(|flag| flag.ends_with("=crates")), "{flags:?}");
    }

    #[test]
    fn the_compiler_forgets_a_folder_that_is_named_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let source = root.join("main.rs");
        fs::write(&source, "fn main() { println!(\"{}\", file!()); panic!() }").unwrap();
        let workspace = Workspace { target: root.join("target"), root: root.clone() };
        let build = |flags: &[String]| {
            let mut command = std::process::Command::new("rustc");
            command.args(["-Cstrip=symbols", "-o"]).arg(root.join("main")).args(flags).arg(&source);
            assert!(command.status().unwrap().success());
            check(&root.join("main"), &folders(&workspace))
        };
        build(&[]).unwrap_err();
        let flags = rust_flags(&workspace).into_string().unwrap();
        build(&flags.split('\u{1f}').map(str::to_owned).collect::<Vec<_>>()).unwrap();
    }
}
