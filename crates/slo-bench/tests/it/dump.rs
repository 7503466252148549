//! `validate --dump`: its files, their shapes, and what it refuses.

use std::fs;
use std::path::Path;

use super::{last_line, slo_bench, stderr, stdout};

/// Every array and the shape of one frame of it.
const ARRAYS: [(&str, &str); 25] = [
    ("w1_mu", "900"),
    ("w1_u", "900"),
    ("w1_free_energy", "11"),
    ("w1_g", "5"),
    ("w1_policy", ""),
    ("w2_theta", "900"),
    ("w2_v", "900"),
    ("w2_kinetic", ""),
    ("w2_interaction", ""),
    ("w2_order", ""),
    ("w2_heat", ""),
    ("w2_entropy", ""),
    ("w3_control", "900"),
    ("w3_prediction", "100"),
    ("w3_free_energy", ""),
    ("w3_kinetic", ""),
    ("w3_interaction", ""),
    ("w3_order", ""),
    ("w3_heat", ""),
    ("w3_entropy", ""),
    ("w3_coherence", ""),
    ("w3_information", ""),
    ("w3_te_max", ""),
    ("w3_g", "5"),
    ("w3_policy", ""),
];

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Dumps into `folder`/`name` and requires success.
fn dumped(folder: &Path, name: &str, rest: &[&str]) -> String {
    let common = ["validate", "--dump", name, "--backend", "host"];
    let output = slo_bench(folder, &[&common, rest].concat());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(!folder.join("target").exists(), "a dump is no report");
    stdout(&output)
}

/// The values of an array, after its header.
fn values(folder: &Path, name: &str) -> Vec<f64> {
    let bytes = fs::read(folder.join(format!("{name}.npy"))).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[header..].as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

#[test]
fn every_quantity_is_an_array_whose_first_side_is_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    let said = dumped(folder.path(), "dump", &["--frames", "2", "--variant", "optimised"]);
    let count = ARRAYS.len();
    assert!(said.ends_with(&format!("{count} arrays of 2 frames in dump\n")), "{said}");
    let place = folder.path().join("dump");
    let mut expected: Vec<_> = ARRAYS.iter().map(|(name, _)| format!("{name}.npy")).collect();
    expected.push("dump.json".to_owned());
    expected.sort();
    assert_eq!(names(&place), expected);
    for (name, side) in ARRAYS {
        let bytes = fs::read(place.join(format!("{name}.npy"))).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{name}");
        let element = if name.ends_with("policy") { "<i8" } else { "<f8" };
        let shape = if side.is_empty() { "(2,)".to_owned() } else { format!("(2, {side})") };
        let dictionary =
            format!("{{'descr': '{element}', 'fortran_order': False, 'shape': {shape}, }}");
        let header = String::from_utf8_lossy(&bytes[10..128]).into_owned();
        assert_eq!(header.trim_end(), dictionary, "{name}");
        let len = 2 * side.parse().unwrap_or(1);
        assert_eq!(bytes.len(), 128 + 8 * len, "{name}");
    }
    let note = fs::read_to_string(place.join("dump.json")).unwrap();
    for words in ["\"seed\": 42", "\"frames\": 2", "\"version\": \"optimised\"", "host, not a GPU"]
    {
        assert!(note.contains(words), "{words}: {note}");
    }
}

#[test]
fn frames_follow_from_each_other_and_from_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    let dump = |name: &str, rest: &[&str]| {
        dumped(folder.path(), name, &[&["--variant", "optimised"], rest].concat());
        values(&folder.path().join(name), "w2_theta")
    };
    let three = dump("three", &[]);
    assert_eq!(three.len(), 3 * 900, "three frames unless told otherwise");
    assert_eq!(dump("one", &["--frames", "1"]), three[..900]);
    assert_ne!(three[..900], three[900..1800]);
    assert_ne!(dump("other", &["--seed", "43", "--frames", "1"]), three[..900]);
}

#[test]
fn on_the_host_the_device_version_is_the_optimised_one_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let said = dumped(folder.path(), "device", &["--frames", "1"]);
    assert!(said.contains("the optimised version in place of the kernels"), "{said}");
    dumped(folder.path(), "optimised", &["--frames", "1", "--variant", "optimised"]);
    let array = |name| fs::read(folder.path().join(name).join("w2_v.npy")).unwrap();
    assert_eq!(array("device"), array("optimised"));
    let note = fs::read_to_string(folder.path().join("device/dump.json")).unwrap();
    assert!(note.contains("in place of the kernels"), "{note}");
}

#[test]
fn what_cannot_be_dumped_is_refused_in_a_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        let before = names(folder.path());
        let output = slo_bench(folder.path(), &[&["validate"], arguments].concat());
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{arguments:?}: {error}");
        for word in words {
            assert!(error.contains(word), "{arguments:?}: `{word}` is not in: {error}");
        }
        assert_eq!(names(folder.path()), before, "{arguments:?}");
    };
    refused(&["--seed", "1", "--only", "doctor"], 2, &["--seed", "--dump DIR"]);
    refused(&["--variant", "naive"], 2, &["--variant", "--dump DIR"]);
    refused(&["--dump", "x", "--variant", "fast"], 2, &["fast", "optimised"]);
    refused(&["--dump", "x", "--seed", "-1"], 2, &["-1"]);
    refused(&["--dump", "x", "--frames", "0"], 2, &["--frames"]);
    for option in [["--quick", ""], ["--only", "doctor"], ["--out", "y"], ["--json", ""]] {
        let option: Vec<_> = option.into_iter().filter(|word| !word.is_empty()).collect();
        refused(&[&["--dump", "x"], &option[..]].concat(), 2, &["--dump", option[0]]);
    }
    refused(&["--dump", "x", "--backend", "gpu"], 2, &["auto, host, cuda:N or simulated:SEED"]);
    refused(&["--dump", "x", "--input", "absent.npy"], 2, &["absent.npy", "cannot be read"]);
    fs::write(folder.path().join("file"), "").unwrap();
    refused(&["--dump", "file"], 2, &["file", "something else than a dump", "--dump"]);
    refused(&["--dump", "file/deeper"], 3, &["file/deeper", "cannot be written", "--dump"]);
    let output = slo_bench(folder.path(), &["frames", "--count", "2", "--out", "frames.npy"]);
    assert_eq!(last_line(&output), "2 frames in frames.npy");
    refused(&["--dump", "x", "--input", "frames.npy"], 2, &["holds 2 frames", "--frames"]);
}
