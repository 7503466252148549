//! Dumps read back byte by byte, and dumps that leave nothing.

use std::io::Read as _;

use super::*;

/// Puts out its frame number in every way.
struct Counter {
    frame: u32,
    list: [f64; 2],
}

impl Counter {
    fn at(frame: u32) -> Self {
        let number = f64::from(frame);
        Self { frame, list: [number + 0.1, -number] }
    }
}

impl Workload for Counter {
    fn name(&self) -> String {
        "counter".to_owned()
    }

    fn n(&self) -> usize {
        2
    }

    fn step(&mut self) -> Result<()> {
        Ok(())
    }

    fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
        visit(Output::many("list", &self.list));
        visit(Output::one("number", f64::from(self.frame) / 3.0));
        visit(Output::choice("choice", self.frame as usize));
    }
}

fn dumped(folder: &Path, frames: u32) -> Dump {
    let mut dump = Dump::at(folder, u64::from(frames)).unwrap();
    for frame in 0..frames {
        dump.take("w1", &Counter::at(frame)).unwrap();
    }
    dump
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Type, sides and the values' bytes, eight at a time.
fn array(path: &Path) -> (String, Vec<u64>, Vec<[u8; 8]>) {
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut magic = [0; 6];
    rest.read_exact(&mut magic).unwrap();
    assert_eq!(&magic, npy::MAGIC);
    let header = npy::read(&mut rest).unwrap();
    assert_eq!(header.bytes, (bytes.len() - rest.len()) as u64);
    assert!(header.bytes.is_multiple_of(64) && !header.is_fortran);
    let (values, left) = rest.as_chunks::<8>();
    assert!(left.is_empty());
    let sides = header.sides().unwrap();
    assert_eq!(sides.iter().product::<u64>(), values.len() as u64);
    (header.descr, sides, values.to_vec())
}

#[test]
fn every_bit_of_every_frame_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("deep/dump");
    assert_eq!(dumped(&place, 3).store(&serde_json::json!({"seed": 42})).unwrap(), 3);
    let expected = ["dump.json", "w1_choice.npy", "w1_list.npy", "w1_number.npy"];
    assert_eq!(names(&place), expected);
    assert_eq!(names(place.parent().unwrap()), ["dump"], "nothing is left beside it");
    let floats =
        |values: &[f64]| values.iter().map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    // The first frame's second number is a negative zero.
    let list = floats(&[0.1, -0.0, 1.1, -1.0, 2.1, -2.0]);
    assert_eq!(array(&place.join("w1_list.npy")), ("<f8".to_owned(), vec![3, 2], list));
    let numbers = floats(&[0.0, 1.0 / 3.0, 2.0 / 3.0]);
    assert_eq!(array(&place.join("w1_number.npy")), ("<f8".to_owned(), vec![3], numbers));
    let choices = [0_i64, 1, 2].map(i64::to_le_bytes).to_vec();
    assert_eq!(array(&place.join("w1_choice.npy")), ("<i8".to_owned(), vec![3], choices));
    assert_eq!(fs::read_to_string(place.join(NOTE)).unwrap(), "{\n  \"seed\": 42\n}\n");
}

#[test]
fn a_dump_that_is_not_stored_leaves_nothing_and_the_earlier_one_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("dump");
    drop(dumped(&place, 3));
    assert_eq!(names(folder.path()), [""; 0]);
    dumped(&place, 3).store(&"first").unwrap();
    let mut second = dumped(&place, 2);
    let mut broken = Counter::at(2);
    broken.list[1] = f64::NAN;
    let error = second.take("w1", &broken).unwrap_err().to_string();
    assert_eq!(error, "workload `counter`: list is NaN at index 1");
    drop(second);
    assert_eq!(names(folder.path()), ["dump"]);
    assert_eq!(array(&place.join("w1_number.npy")).1, [3]);
    // A good one takes its place.
    dumped(&place, 2).store(&"second").unwrap();
    assert_eq!(array(&place.join("w1_number.npy")).1, [2]);
}

#[test]
fn a_folder_with_anything_else_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["thesis.tex", "data.npy", "w1_mu.txt"] {
        let place = folder.path().join(name).join("dump");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(name), "").unwrap();
        let message = Dump::at(&place, 1).unwrap_err().to_string();
        assert!(message.contains("something else than a dump"), "{message}");
        assert!(message.ends_with("with --dump"), "{message}");
        assert_eq!(names(place.parent().unwrap()), ["dump"]);
    }
}
