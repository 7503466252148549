//! Kernel images on disk: each way in which one can be wrong has its own error and names the fix.

use std::path::Path;

use gpu_core::{Device, Error, ErrorKind, KernelImage, KernelImages, KernelSource};

const SOURCE: KernelSource =
    KernelSource { name: "tiny", text: "__global__", headers: &[("a.cuh", "// a")] };

/// A manifest of the image `code`, compiled from sources of this hash.
fn write_manifest(folder: &Path, hash: &str) {
    let image = blake3::hash(b"code").to_hex();
    let entry =
        format!(r#"{{ "file": "tiny.fatbin", "source_hash": "{hash}", "image_hash": "{image}" }}"#);
    let text = format!(r#"{{ "schema": 1, "images": {{ "tiny": {entry} }} }}"#);
    std::fs::write(folder.join("manifest.json"), text).unwrap();
}

#[test]
fn the_hash_covers_names_and_texts_of_source_and_headers() {
    let variants = [
        SOURCE,
        KernelSource { name: "tine", ..SOURCE },
        KernelSource { text: "__global__ ", ..SOURCE },
        KernelSource { headers: &[("b.cuh", "// a")], ..SOURCE },
        KernelSource { headers: &[("a.cuh", "// b")], ..SOURCE },
        KernelSource { headers: &[], ..SOURCE },
    ];
    let hashes: std::collections::BTreeSet<_> = variants.iter().map(KernelSource::hash).collect();
    assert_eq!(hashes.len(), variants.len());
    // Known value: the same bytes through another program's BLAKE3.
    let bytes = b"a.cuh\n// a\ntiny.cu\n__global__\n";
    assert_eq!(SOURCE.hash(), blake3::hash(bytes).to_hex().as_str());
}

#[test]
fn a_fresh_image_is_loaded_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write_manifest(folder.path(), &SOURCE.hash());
    std::fs::write(folder.path().join("tiny.fatbin"), b"code").unwrap();
    let image = KernelImages::at(folder.path()).load(&SOURCE).unwrap();
    assert_eq!(image, KernelImage::Binary(b"code".to_vec()));
}

#[test]
fn a_missing_stale_or_broken_image_is_refused_with_the_command_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let images = KernelImages::at(folder.path());
    let refused = || {
        let error = images.load(&SOURCE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().ends_with("run `cargo xtask kernels`"), "{error}");
        error
    };
    assert!(matches!(refused(), Error::ImageMissing { kernel: "tiny", .. }));
    write_manifest(folder.path(), "0000");
    assert_eq!(refused(), Error::ImageStale { kernel: "tiny" });
    write_manifest(folder.path(), &SOURCE.hash());
    assert!(matches!(refused(), Error::ImageInvalid { .. }), "the file is not there");
    std::fs::write(folder.path().join("tiny.fatbin"), b"").unwrap();
    assert!(refused().to_string().contains("the file is empty"));
    for other in [&b"cod"[..], b"coda"] {
        std::fs::write(folder.path().join("tiny.fatbin"), other).unwrap();
        assert!(refused().to_string().contains("its content is not what was compiled"));
    }
    std::fs::write(folder.path().join("manifest.json"), "{").unwrap();
    assert!(matches!(refused(), Error::ImageInvalid { .. }));
    std::fs::write(folder.path().join("manifest.json"), r#"{"schema": 2, "images": {}}"#).unwrap();
    assert!(refused().to_string().contains("schema 2 is not 1"));
}

#[test]
fn the_host_needs_no_image() {
    let images = KernelImages::at("nowhere");
    assert!(images.module(&Device::host(), &SOURCE).is_ok());
}
