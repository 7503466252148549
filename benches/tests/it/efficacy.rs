//! The program about tuned launches, run as a program.

use std::process::{Command, Output};

fn efficacy(options: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_efficacy"))
        .args(["--device", "host", "--out"])
        .arg(folder.path().join("out"))
        .args(options)
        .output()
        .unwrap()
}

#[test]
fn a_host_is_told_that_it_tunes_nothing() {
    let output = efficacy(&[]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("launches are tuned for a GPU"), "{text}");
}

#[test]
fn an_unknown_kernel_and_too_few_blocks_are_refused_with_what_is_known() {
    for (options, words) in [
        (["--only", "gem"], "known: gemm, reduce_sum, transpose, convolve, infer, evolve_resident"),
        (["--blocks", "99"], "100..=100000"),
    ] {
        let output = efficacy(&options);
        assert_eq!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(words), "{text}");
    }
}
