//! Tuning results that outlive the process: a concurrent map and a JSON file.
//!
//! Never overwrites what it cannot read, and never leaves half a file: results are written beside the old file
//! and take its place in one step.

use std::fs::File;
use std::io::{ErrorKind as IoErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use dashmap::DashMap;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::outcome::Tuned;
use crate::profile::ProfileKey;

/// Version of the file's layout.
const SCHEMA: u32 = 1;

/// Tuning results by what they are valid for.
#[derive(Debug, Default)]
pub struct ProfileCache {
    results: DashMap<ProfileKey, Arc<Tuned>>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    schema: u32,
    results: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    key: ProfileKey,
    tuned: Tuned,
}

impl ProfileCache {
    /// A cache without results.
    pub fn new() -> Self {
        Self::default()
    }

    /// The results in a file; none if there is no such file.
    ///
    /// # Errors
    /// [`Error::CacheCorrupt`] or [`Error::CacheFile`], naming the file, which is left as it is.
    pub fn open(path: &Path) -> Result<Self> {
        let cache = Self::new();
        for Entry { key, tuned } in read(path)? {
            cache.insert(key, tuned);
        }
        Ok(cache)
    }

    /// The result for `key`.
    pub fn find(&self, key: &ProfileKey) -> Option<Arc<Tuned>> {
        self.results.get(key).map(|tuned| Arc::clone(&tuned))
    }

    /// Keeps a result, in place of an earlier one.
    pub fn insert(&self, key: ProfileKey, tuned: Tuned) {
        self.results.insert(key, Arc::new(tuned));
    }

    /// Results in the cache.
    pub fn len(&self) -> usize {
        self.results.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.results.is_empty()
    }

    /// Writes every result to a file, in one step. Results in the file that are not in the cache stay in it.
    ///
    /// Two processes that save at the same moment: the later one's file stands.
    ///
    /// # Errors
    /// [`Error::CacheCorrupt`] if the file holds something else, [`Error::CacheFile`] if it
    /// cannot be written; it is then left as it is.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut results = read(path)?;
        results.retain(|entry| !self.results.contains_key(&entry.key));
        results.extend(
            self.results.iter().map(|entry| Entry {
                key: entry.key().clone(),
                tuned: Tuned::clone(entry.value()),
            }),
        );
        results.sort_by(|a, b| a.key.cmp(&b.key));
        let failed = |source| Error::CacheFile { path: path.to_owned(), source };
        let text = serde_json::to_string_pretty(&Document { schema: SCHEMA, results })
            .map_err(|error| failed(error.into()))?;
        replace(path, text.as_bytes()).map_err(failed)
    }
}

fn read(path: &Path) -> Result<Vec<Entry>> {
    let corrupt = |reason: String| Error::CacheCorrupt { path: path.to_owned(), reason };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::CacheFile { path: path.to_owned(), source }),
    };
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
    if document.schema != SCHEMA {
        return Err(corrupt(format!("schema {} is not {SCHEMA}", document.schema)));
    }
    Ok(document.results)
}

/// Writes beside the file, makes that durable, renames it over the file, and makes the renaming durable.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}
