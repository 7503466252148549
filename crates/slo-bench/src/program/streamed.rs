//! What comes of frames that were sent through a device: every result checked, and all of them in one digest.
//!
//! The expected value is one subtraction written here, not the reference that the host backend runs.

use std::time::Duration;

use slo_bench::{FRAME_LEN, Section, WINDOWS};

/// What came of a run.
#[derive(Debug)]
pub(super) struct Streamed {
    pub(super) frames: u64,
    /// Hash of every result, in order.
    pub(super) digest: String,
    /// The first thing that was wrong.
    pub(super) fault: Option<String>,
    /// From the first frame to the last result.
    pub(super) wall_ns: u64,
}

impl Streamed {
    /// How fast they went; `None` where the clock did not move.
    pub(super) fn frames_per_s(&self) -> Option<f64> {
        let wall_s = Duration::from_nanos(self.wall_ns).as_secs_f64();
        (wall_s > 0.0).then(|| self.frames as f64 / wall_s)
    }

    /// Adds whether this run of `due` frames on what `name` says came to the results of `expected`, in order.
    pub(super) fn check(&self, section: &mut Section, name: &str, expected: &Self, due: u64) {
        let fault = self.fault_beside(expected, due);
        let seen = || format!("{} frames, digest {}", self.frames, self.digest);
        let name = format!("order and integrity, {name}");
        section.check(name, fault.is_none(), fault.unwrap_or_else(seen));
    }

    /// What is wrong with it, if anything is.
    fn fault_beside(&self, expected: &Self, due: u64) -> Option<String> {
        let Self { frames, digest, fault, .. } = self;
        match fault {
            Some(fault) => Some(fault.clone()),
            None if *frames != due => Some(format!("{frames} frames came back of {due}")),
            // Each run checks its elements against the frames it was sent: only this tells that all were sent the same,
            // which a file that changes meanwhile would break.
            None if *digest != expected.digest => {
                Some(format!("digest {digest} instead of {}", expected.digest))
            }
            None => None,
        }
    }
}

/// Results as they come, each against what it must be.
#[derive(Default)]
pub(super) struct Checked {
    batches: u64,
    frames: u64,
    digest: blake3::Hasher,
    fault: Option<String>,
}

impl Checked {
    /// Takes the results of batch number `batch`, which must be bit for bit those of `expected`.
    pub(super) fn take(&mut self, batch: u64, expected: &[f64], output: &[f64]) {
        if batch != self.batches {
            let wanted = self.batches;
            self.blame(|| format!("batch {batch} came back where {wanted} was due"));
        }
        if expected.len() != output.len() {
            let (wanted, found) = (expected.len(), output.len());
            self.blame(|| format!("batch {batch} has {found} results instead of {wanted}"));
        }
        let differs = |(wanted, found): (&f64, &f64)| wanted.to_bits() != found.to_bits();
        if let Some(index) = expected.iter().zip(output).position(differs) {
            let frame = self.frames + (index / WINDOWS) as u64;
            let (window, wanted, found) = (index % WINDOWS, expected[index], output[index]);
            self.blame(|| format!("frame {frame}, window {window}: {found} instead of {wanted}"));
        }
        self.digest.update(bytemuck::cast_slice(output));
        self.frames += (output.len() / WINDOWS) as u64;
        self.batches += 1;
    }

    /// What came of it all in that time.
    pub(super) fn after(self, wall_ns: u64) -> Streamed {
        let digest = self.digest.finalize().to_hex()[..16].to_owned();
        Streamed { frames: self.frames, digest, fault: self.fault, wall_ns }
    }

    /// Keeps the first fault: later ones usually follow from it.
    fn blame(&mut self, words: impl FnOnce() -> String) {
        self.fault.get_or_insert_with(words);
    }
}

/// Target minus input for each window of whole frames.
pub(super) fn tracking_errors(frames: &[f64]) -> Vec<f64> {
    let window = |frame: &[f64], index: usize| frame[WINDOWS + index] - frame[index];
    let frames = frames.chunks_exact(FRAME_LEN);
    frames.flat_map(|frame| (0..WINDOWS).map(move |index| window(frame, index))).collect()
}

#[cfg(test)]
mod tests {
    use gpu_core::{Device, KernelImages};
    use slo_bench::{Formula, FrameSource as _};

    use super::*;
    use crate::program::stream::stream;

    fn sent(source: &mut Formula) -> Streamed {
        stream(&Device::host(), &KernelImages::at("nowhere"), source, |_| {}).unwrap()
    }

    #[test]
    fn a_device_that_was_sent_other_frames_is_found() {
        let expected = sent(&mut Formula::first(20));
        assert_eq!(expected.fault_beside(&expected, 20), None);
        let mut later = Formula::first(21);
        later.fill(&mut [0.0; FRAME_LEN]).unwrap();
        let other = sent(&mut later);
        assert_eq!((other.frames, &other.fault), (20, &None), "it is right about what it was sent");
        let words = format!("digest {} instead of {}", other.digest, expected.digest);
        assert_eq!(other.fault_beside(&expected, 20), Some(words));
    }

    #[test]
    fn a_wrong_result_and_a_missing_frame_are_found() {
        let expected = sent(&mut Formula::first(20));
        assert_eq!(expected.fault_beside(&expected, 21).unwrap(), "20 frames came back of 21");
        let wrong = Streamed { fault: Some("wrong".into()), ..sent(&mut Formula::first(20)) };
        assert_eq!(wrong.fault_beside(&expected, 20).unwrap(), "wrong");
    }

    #[test]
    fn one_wrong_bit_order_or_length_is_blamed() {
        let frame: Vec<f64> = (0..FRAME_LEN).map(|i| i as f64).collect();
        let expected = tracking_errors(&frame);
        assert!(expected.iter().all(|&error| error == 900.0));
        let blame = |batch, output: &[f64]| {
            let mut checked = Checked::default();
            checked.take(batch, &expected, output);
            checked.fault
        };
        assert_eq!(blame(0, &expected), None);
        assert_eq!(blame(1, &expected).unwrap(), "batch 1 came back where 0 was due");
        assert_eq!(blame(0, &[]).unwrap(), "batch 0 has 0 results instead of 900");
        let mut wrong = expected.clone();
        wrong[17] = 900.0f64.next_up();
        assert!(blame(0, &wrong).unwrap().starts_with("frame 0, window 17: 900.0000000000001"));
    }
}
