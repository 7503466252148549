//! The texts that images are compiled from: complete, sorted and embedded as they are.

use std::collections::BTreeMap;
use std::path::Path;

use kernels::{HEADERS, SOURCES};

fn texts(folder: &Path, extension: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path, extension));
        } else if path.extension().is_some_and(|other| other == extension) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_headers_are_those_of_the_include_folder_sorted_by_name() {
    let expected = texts(&crate_folder().join("include"), "cuh");
    let embedded = HEADERS.iter().map(|&(name, text)| (name.to_owned(), text.to_owned()));
    assert!(embedded.eq(expected));
}

#[test]
fn the_sources_are_those_of_the_src_folder_sorted_by_name() {
    let expected = texts(&crate_folder().join("src"), "cu");
    let embedded =
        SOURCES.iter().map(|source| (format!("{}.cu", source.name), source.text.to_owned()));
    assert!(embedded.eq(expected));
    assert!(SOURCES.iter().all(|source| source.headers == HEADERS));
}
