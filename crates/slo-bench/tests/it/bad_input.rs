//! Each mistake: one line that names the thing and the fix, an exit code, and nothing half-written.

use std::fs;
use std::path::Path;

use super::{last_line, slo_bench, stderr, stdout};

const CONTRACT: &str = "name = \"quick\"\nworkload = \"thermodynamic\"\ndevice = \"host\"\nn = 900\niterations = 1000\n";

/// Runs the program and requires one error line with `words` and exit code `code`.
fn refused(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let output = slo_bench(folder, arguments);
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(error.starts_with("error: "), "{arguments:?}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{arguments:?}: {error}");
    for word in words {
        assert!(error.contains(word), "{arguments:?}: `{word}` is not in: {error}");
    }
    let is_run = ["validate", "bench"].contains(&arguments[0]);
    // Refused before the work: there is not one row, only the verdict.
    let expected = if is_run && code != 0 { "FAIL no report was written\n" } else { "" };
    let seen = stdout(&output);
    assert!(seen.is_empty() || seen == expected, "{arguments:?}: {seen}");
    assert!(!folder.join("target").exists(), "{arguments:?} left a report");
}

fn contracts(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("here")).unwrap();
    fs::write(folder.path().join("here/quick.toml"), text).unwrap();
    folder
}

/// A file of two frames of the formula.
fn frames(folder: &Path) -> Vec<u8> {
    let output = slo_bench(folder, &["frames", "--count", "2", "--raw", "--out", "frames.bin"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    fs::read(folder.join("frames.bin")).unwrap()
}

#[test]
fn an_unknown_workload_is_answered_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["unknown workload `thermodynamics`", "did you mean `thermodynamic`?"];
    refused(folder.path(), &["bench", "--workload", "thermodynamics"], 2, &words);
    let folder =
        contracts(&format!("{}[limits_ms]\np99 = 1\n", CONTRACT.replace("mic\"", "mik\"")));
    let words = ["unknown workload `thermodynamik`", "quick.toml", "did you mean"];
    refused(folder.path(), &["bench", "--contracts", "here"], 2, &words);
}

#[test]
fn a_malformed_contract_is_named_with_its_key_and_the_nearest() {
    let cases = [
        (format!("{CONTRACT}[limits_ms]\np9 = 1\n"), vec!["`limits_ms.p9`", "did you mean `p9"]),
        (
            format!("{CONTRACT}limits = 1\n"),
            vec!["unknown key `limits`", "did you mean `limits_ms`?"],
        ),
        (CONTRACT.to_owned(), vec!["has no limit", "p99 = 0.06"]),
        (format!("{CONTRACT}[limits_ms]\np99 = -1\n"), vec!["`limits_ms.p99 = -1`", "above 0"]),
        (format!("{CONTRACT}[limits_ms\np99 = 1\n"), vec!["quick.toml:6", "not valid TOML"]),
        (String::new(), vec!["key `workload` is missing"]),
    ];
    for (text, words) in cases {
        let folder = contracts(&text);
        let words = [words, vec!["quick.toml"]].concat();
        for command in ["validate", "bench"] {
            refused(folder.path(), &[command, "--contracts", "here"], 2, &words);
        }
        let output = slo_bench(folder.path(), &["doctor", "--contracts", "here"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stdout(&output).contains("quick.toml"), "{}", stdout(&output));
    }
}

#[test]
fn a_contract_for_a_size_that_its_workload_does_not_have_is_named() {
    let text = CONTRACT.replace("thermodynamic", "active-inference").replace("900", "1024");
    let folder = contracts(&format!("{text}[limits_ms]\np99 = 1\n"));
    let words = ["contract `quick`", "`active-inference` has n = 900, not 1024"];
    refused(folder.path(), &["bench", "--contracts", "here"], 2, &words);
    // Its couplings alone would take 34 GB: refused before the first of them is drawn.
    let text = CONTRACT.replace("900", "65536");
    let folder = contracts(&format!("{text}[limits_ms]\np99 = 1\n"));
    let words = ["contract `quick`", "`thermodynamic` takes n up to 4096, not 65536"];
    for command in ["validate", "bench"] {
        refused(folder.path(), &[command, "--contracts", "here"], 2, &words);
    }
}

#[test]
fn a_gain_that_nothing_tries_is_named() {
    let text = CONTRACT.replace("thermodynamic", "frame").replace("host", "cuda");
    let folder = contracts(&format!("{text}[efficacy]\ngain_min = 2\n[limits_ms]\np99 = 1\n"));
    let words =
        ["contract `quick`", "no kernel of workload `frame` at n = 900", "leave [efficacy] out"];
    for command in ["validate", "bench"] {
        refused(folder.path(), &[command, "--contracts", "here"], 2, &words);
    }
}

#[test]
fn a_folder_without_contracts_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["validate", "--contracts", "nowhere"];
    refused(folder.path(), &arguments, 2, &["nowhere", "--contracts"]);
    // Even a name with a line break in it makes one line.
    refused(folder.path(), &["validate", "--contracts", "no\nwhere"], 2, &["no where"]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    let arguments = ["bench", "--contracts", "empty"];
    refused(folder.path(), &arguments, 2, &["empty", "holds no .toml file"]);
}

#[test]
fn bad_frames_are_named_by_file_frame_and_index() {
    let folder = tempfile::tempdir().unwrap();
    let good = frames(folder.path());
    for command in ["validate", "bench"] {
        let input = [command, "--input", "frames.bin"];
        fs::write(folder.path().join("frames.bin"), &good[..good.len() - 1]).unwrap();
        refused(folder.path(), &input, 2, &["frames.bin", "truncated", "into frame 1"]);
        let mut bad = good.clone();
        bad[14_400 + 80..14_400 + 88].copy_from_slice(&f64::NAN.to_le_bytes());
        fs::write(folder.path().join("frames.bin"), &bad).unwrap();
        refused(folder.path(), &input, 2, &["frames.bin", "frame 1 has NaN at index 10"]);
        fs::write(folder.path().join("frames.bin"), b"").unwrap();
        refused(folder.path(), &input, 2, &["frames.bin", "holds no frame"]);
        refused(
            folder.path(),
            &[command, "--input", "absent.npy"],
            2,
            &["absent.npy", "cannot be read"],
        );
        refused(folder.path(), &[command, "--input", "."], 2, &["not a regular file"]);
        fs::write(folder.path().join("fake.npy"), &good).unwrap();
        refused(
            folder.path(),
            &[command, "--input", "fake.npy"],
            2,
            &["fake.npy", "does not begin as one"],
        );
    }
}

#[test]
fn an_output_folder_that_cannot_be_written_is_found_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for command in ["validate", "bench"] {
        let words = ["file/deeper", "cannot be written", "--out"];
        refused(folder.path(), &[command, "--out", "file/deeper"], 3, &words);
        refused(
            folder.path(),
            &[command, "--out", "/proc/nowhere"],
            3,
            &["/proc/nowhere", "--out"],
        );
        refused(folder.path(), &[command, "--out", "file"], 2, &["file", "something else"]);
    }
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/thesis.tex"), "").unwrap();
    refused(folder.path(), &["validate", "--out", "full"], 2, &["full", "something else"]);
    let arguments = ["frames", "--count", "1", "--out", "nowhere/frames.npy"];
    refused(folder.path(), &arguments, 3, &["nowhere/frames.npy", "cannot be written"]);
}

#[test]
fn a_device_that_is_not_here_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // Without a driver the driver is what is missing; with one, device 99 is.
    let output = slo_bench(folder.path(), &["validate", "--device", "cuda:99"]);
    let error = stderr(&output);
    assert!(matches!(output.status.code(), Some(2 | 3)), "{error}");
    let reasons = ["without CUDA", "no CUDA driver", "no CUDA device 99", "reports no device"];
    assert!(reasons.iter().any(|reason| error.contains(reason)), "{error}");
    let words = ["--device", "cuda:x", "auto, host, cuda:N or simulated:SEED; see --help\n"];
    refused(folder.path(), &["validate", "--device", "cuda:x"], 2, &words);
}

#[test]
fn a_gpu_that_is_required_and_not_used_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["validate", "--device", "host", "--require-gpu"];
    refused(folder.path(), &arguments, 2, &["--require-gpu", "--device asks for the host"]);
    let output = slo_bench(folder.path(), &["validate", "--require-gpu", "--only", "doctor"]);
    match output.status.code() {
        Some(0) => println!("a GPU is here: what happens without one cannot be seen"),
        code => {
            assert_eq!(code, Some(3), "{}", stderr(&output));
            assert!(stderr(&output).contains("error: --require-gpu: no GPU can be used"));
            assert!(last_line(&output).starts_with("FAIL"), "{}", stdout(&output));
        }
    }
}

#[test]
fn missing_and_stale_images_are_named_with_the_command_to_run() {
    let folder = tempfile::tempdir().unwrap();
    let first = kernels::SOURCES[0].name;
    let missing = format!("no compiled image of kernel `{first}`");
    let words = [missing.as_str(), "nowhere", "cargo xtask kernels"];
    refused(folder.path(), &["validate", "--images", "nowhere"], 3, &words);
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    let entry = r#""file": "x.cubin", "source_hash": "0000", "image_hash": "0000""#;
    let manifest = format!("{{\"schema\": 1, \"images\": {{\"{first}\": {{{entry}}}}}}}");
    fs::write(images.join("manifest.json"), manifest).unwrap();
    let stale = format!("kernel `{first}` was compiled from other sources");
    let words = [stale.as_str(), "cargo xtask kernels"];
    refused(folder.path(), &["bench", "--images", "images"], 3, &words);
    fs::write(images.join("manifest.json"), "{").unwrap();
    refused(
        folder.path(),
        &["bench", "--images", "images"],
        3,
        &["manifest.json", "cargo xtask kernels"],
    );
}

#[test]
fn usage_errors_take_one_line_too() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), &["validate", "--qick"], 2, &["--qick", "--quick"]);
    refused(folder.path(), &["validate", "--only", "kernel"], 2, &["kernel", "kernels"]);
    refused(folder.path(), &["frames", "--count", "0", "--out", "x"], 2, &["0", "--count"]);
    refused(folder.path(), &["frames", "--count", "3"], 2, &["--out"]);
    refused(folder.path(), &["valdate"], 2, &["valdate", "validate"]);
    refused(folder.path(), &["bench", "--iterations", "-1"], 2, &["-1"]);
    let both = ["bench", "--only", "frame", "--workload", "frame"];
    refused(folder.path(), &both, 2, &["--only", "--workload", "cannot be used with"]);
    let both = ["bench", "--quick", "--iterations", "9"];
    refused(folder.path(), &both, 2, &["--quick", "--iterations", "cannot be used with"]);
    refused(folder.path(), &["bench", "--only", "frames"], 2, &["frames", "frame"]);
    refused(folder.path(), &["validate", "--input", "x", "--frames", "3"], 2, &["--frames"]);
}
