//! Frames from the formula and from files, and files that are refused.

use std::path::{Path, PathBuf};

use super::*;
use crate::error::Error;
use crate::npy::MAGIC;

fn all(source: &mut impl FrameSource, at_once: usize) -> Vec<f64> {
    let mut values = Vec::new();
    let mut buffer = vec![0.0; at_once * FRAME_LEN];
    loop {
        let filled = source.fill(&mut buffer).unwrap();
        if filled == 0 {
            return values;
        }
        values.extend(&buffer[..filled * FRAME_LEN]);
    }
}

fn refusal(path: &Path) -> String {
    let message = FrameFile::check(path).unwrap_err().to_string();
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    assert!(!message.contains('\n'), "{message}");
    message
}

/// A file of `count` frames of the formula.
fn written(folder: &tempfile::TempDir, format: FrameFormat, count: u64) -> PathBuf {
    let path = folder.path().join(match format {
        FrameFormat::Npy => "frames.npy",
        FrameFormat::Raw => "frames.bin",
    });
    write_frames(&path, format, &mut Formula::unlimited(), count).unwrap();
    path
}

#[test]
fn the_formula_is_that_of_the_workload() {
    let frames = all(&mut Formula::first(3), 2);
    assert_eq!(frames.len(), 3 * FRAME_LEN);
    assert_eq!(frames[0], 1.5);
    assert_eq!(frames[WINDOWS], 0.5);
    let (frame, index) = (2, 17);
    let place = 19.0_f64;
    assert_eq!(frames[frame * FRAME_LEN + index], (0.015 * place).cos() + 0.5);
    assert_eq!(frames[frame * FRAME_LEN + WINDOWS + index], 0.5 + 0.3 * (0.025 * place).sin());
    assert_eq!(Formula::unlimited().len_hint(), None);
}

#[test]
fn both_formats_give_back_every_bit_at_any_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let expected = all(&mut Formula::first(7), 1);
    for format in [FrameFormat::Npy, FrameFormat::Raw] {
        let path = written(&folder, format, 7);
        for at_once in [1, 3, 7, 10] {
            let mut file = FrameFile::open(&path).unwrap();
            assert_eq!(file.len_hint(), Some(7));
            assert_eq!(all(&mut file, at_once), expected, "{format:?}, {at_once} at once");
            assert_eq!(file.len_hint(), Some(0));
        }
    }
}

#[test]
fn a_truncated_file_is_refused_with_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let raw = written(&folder, FrameFormat::Raw, 2);
    let bytes = std::fs::read(&raw).unwrap();
    std::fs::write(&raw, &bytes[..bytes.len() - 5]).unwrap();
    let message = refusal(&raw);
    assert!(message.contains("truncated: it ends 14395 bytes into frame 1"), "{message}");
    let npy = written(&folder, FrameFormat::Npy, 2);
    let bytes = std::fs::read(&npy).unwrap();
    assert_eq!(bytes.len(), 128 + 2 * FRAME_BYTES);
    for (len, expected) in
        [(bytes.len() - 8, "truncated: it has 28920 bytes"), (60, "header"), (9, "header")]
    {
        std::fs::write(&npy, &bytes[..len]).unwrap();
        assert!(refusal(&npy).contains(expected), "{}", refusal(&npy));
    }
    std::fs::write(&npy, [bytes.as_slice(), b"more"].concat()).unwrap();
    assert!(refusal(&npy).contains("4 bytes more than its header promises"));
    std::fs::write(&raw, b"").unwrap();
    assert!(refusal(&raw).contains("holds no frame"));
}

#[test]
fn a_value_that_is_not_finite_is_named_by_frame_and_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, FrameFormat::Raw, 4);
    let good = std::fs::read(&path).unwrap();
    for (bad, expected) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
        let mut bytes = good.clone();
        let place = 2 * FRAME_BYTES + 1234 * 8;
        bytes[place..place + 8].copy_from_slice(&bad.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let message = refusal(&path);
        assert!(message.contains(&format!("frame 2 has {expected} at index 1234")), "{message}");
        // The frames before it are good and come out whole.
        let mut file = FrameFile::open(&path).unwrap();
        let mut frame = vec![0.0; FRAME_LEN];
        assert_eq!((file.fill(&mut frame).unwrap(), file.fill(&mut frame).unwrap()), (1, 1));
        assert!(matches!(file.fill(&mut frame), Err(Error::FrameValue { frame: 2, .. })));
        // Whoever asks on gets what follows it.
        assert_eq!(file.fill(&mut frame).unwrap(), 1);
        assert_eq!(frame, all(&mut Formula::first(4), 1)[3 * FRAME_LEN..]);
        assert_eq!(file.fill(&mut frame).unwrap(), 0);
    }
}

/// An .npy file with this dictionary and one frame of zeros.
fn with_header(path: &Path, version: [u8; 2], dictionary: &str) {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(version);
    let len = u32::try_from(dictionary.len()).unwrap().to_le_bytes();
    bytes.extend(if version[0] == 1 { &len[..2] } else { &len[..] });
    bytes.extend(dictionary.as_bytes());
    bytes.extend(vec![0; FRAME_BYTES]);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn npy_headers_of_other_layouts_are_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames.npy");
    let dictionary = |descr: &str, order: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")
    };
    let cases = [
        (dictionary("'<f4'", "False", "(1, 1800)"), "type `<f4`"),
        (dictionary("'>f8'", "False", "(1, 1800)"), "type `>f8`"),
        (dictionary("[('x', '<f8')]", "False", "(1, 1800)"), "type"),
        (dictionary("'<f8'", "True", "(1, 1800)"), "Fortran order"),
        (dictionary("'<f8'", "False", "(1800,)"), "shape (1800,)"),
        (dictionary("'<f8'", "False", "(900, 2)"), "shape (900, 2)"),
        (dictionary("'<f8'", "False", "(-1, 1800)"), "shape (-1, 1800)"),
        (dictionary("'<f8'", "False", "(1152921504606846976, 1800)"), "shape (1152921504606846976"),
        (dictionary("'<f8'", "False", "(0, 1800)"), "more than its header"),
        ("{'descr': '<f8'}".to_owned(), "no `fortran_order`"),
        (String::new(), "no `descr`"),
    ];
    for (header, expected) in cases {
        with_header(&path, [1, 0], &header);
        let message = refusal(&path);
        assert!(message.contains(expected), "{message}");
    }
    let good = dictionary("'<f8'", "False", "(1, 1800)");
    with_header(&path, [3, 0], &good);
    assert!(refusal(&path).contains("version 3.0 is not read"));
    for version in [[1, 0], [2, 0]] {
        with_header(&path, version, &good);
        assert_eq!(FrameFile::check(&path).unwrap(), 1);
    }
    // A length that nobody should allocate.
    let bytes = [MAGIC.as_slice(), &[2, 0], &u32::MAX.to_le_bytes()].concat();
    std::fs::write(&path, bytes).unwrap();
    assert!(refusal(&path).contains("claims 4294967295 bytes"));
    std::fs::write(&path, vec![0; FRAME_BYTES]).unwrap();
    assert!(refusal(&path).contains("does not begin as one"));
}

#[test]
fn a_repeated_file_begins_again_where_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, FrameFormat::Npy, 3);
    let expected = all(&mut Formula::first(3), 1);
    let mut source = Repeated::new(FrameFile::open(&path).unwrap()).unwrap();
    assert_eq!(source.len_hint(), None);
    let mut seen = vec![0.0; 7 * FRAME_LEN];
    assert_eq!(source.fill(&mut seen).unwrap(), 7);
    for (number, frame) in seen.chunks_exact(FRAME_LEN).enumerate() {
        let place = number % 3 * FRAME_LEN;
        assert_eq!(frame, &expected[place..place + FRAME_LEN], "frame {number}");
    }
}

#[test]
fn a_source_that_ends_early_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames.npy");
    let error = write_frames(&path, FrameFormat::Npy, &mut Formula::first(2), 3).unwrap_err();
    assert!(error.to_string().contains("ended after 2 of 3 frames"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
