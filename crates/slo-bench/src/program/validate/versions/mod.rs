//! The versions of a workload against each other, frame by frame, each from the state that the optimised one has reached.
//!
//! Tolerances are those of `kernels`; nothing here widens them. The host backend, which runs the optimised version, is
//! compared with the naive one only, never with itself.

mod active_inference;
mod frame;
mod thermodynamic;

use slo_bench::{Reference, Section};

use super::Amount;
use crate::program::latency::measured_on;
use crate::program::setup::Setup;

/// A workload whose versions can all start from one state.
trait Versions {
    /// Everything that a frame starts from and leaves behind.
    type State: Clone;
    /// What a frame puts out beside its state.
    type Outputs;

    /// Takes the input of the next frame, if the workload has any.
    fn advance(&mut self) -> anyhow::Result<()>;

    fn naive(&self, state: &mut Self::State) -> anyhow::Result<Self::Outputs>;

    fn optimised(&self, state: &mut Self::State) -> anyhow::Result<Self::Outputs>;

    /// The same on the device: `state` goes there, and comes back.
    fn device(&mut self, state: &mut Self::State) -> anyhow::Result<Self::Outputs>;

    /// The largest share of its tolerance that any difference takes, or the quantity that differs too much.
    fn compare(
        expected: (&Self::State, &Self::Outputs),
        actual: (&Self::State, &Self::Outputs),
    ) -> Result<f64, String>;
}

/// What comparing one version with another has shown.
#[derive(Debug, Default)]
struct Compared {
    frames: u64,
    /// The largest share of its tolerance that any quantity took.
    worst: f64,
    deviation: Option<String>,
}

/// What comparing all versions has shown.
#[derive(Debug, Default)]
struct Seen {
    optimised_with_naive: Compared,
    device_with_naive: Compared,
    device_with_optimised: Compared,
}

/// How many frames each comparison takes.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    naive: u64,
    /// 0 where the device runs the optimised version itself.
    device: u64,
}

/// What is compared: every workload at its own size, and the network at one more, which fills the blocks of its kernel.
pub(super) const SUBJECTS: [(Reference, usize); 4] = [
    (Reference::ActiveInference, 900),
    (Reference::Thermodynamic, 900),
    (Reference::Thermodynamic, 1024),
    (Reference::Frame, 900),
];

/// How many frames [`add`] goes through.
pub(super) fn frames(setup: &Setup<'_>, amount: &Amount) -> u64 {
    let lengths = lengths(setup, amount);
    lengths.naive.max(lengths.device) * SUBJECTS.len() as u64
}

/// How many frames of a workload [`add`] compares, in words.
pub(super) fn words(setup: &Setup<'_>, amount: &Amount) -> String {
    let Lengths { naive, device } = lengths(setup, amount);
    match device {
        0 => format!("{naive} frames each against naive"),
        _ => format!("{naive} frames each against naive, {device} of the device against optimised"),
    }
}

/// Compares the versions of every workload and adds what was seen to `section`; `progress` hears of each frame.
pub(super) fn add(
    setup: &Setup<'_>,
    section: &mut Section,
    amount: &Amount,
    mut progress: impl FnMut(),
) -> anyhow::Result<()> {
    let lengths = lengths(setup, amount);
    for (workload, n) in SUBJECTS {
        let seen = match workload {
            Reference::ActiveInference => {
                let (versions, state) = active_inference::ActiveInference::new(setup)?;
                run(versions, state, lengths, &mut progress)?
            }
            Reference::Frame => {
                let (versions, state) = frame::Frame::new(setup)?;
                run(versions, state, lengths, &mut progress)?
            }
            Reference::Thermodynamic => {
                let (versions, state) = thermodynamic::Thermodynamic::new(setup, n)?;
                run(versions, state, lengths, &mut progress)?
            }
        };
        let device = measured_on(setup.session.device(), slo_bench::Variant::Device);
        seen.report(section, (workload, n), &device);
    }
    Ok(())
}

fn lengths(setup: &Setup<'_>, amount: &Amount) -> Lengths {
    let is_gpu = setup.session.place.gpu_refusal.is_none();
    Lengths { naive: amount.naive_frames, device: if is_gpu { amount.device_frames } else { 0 } }
}

fn run<V: Versions>(
    mut versions: V,
    mut state: V::State,
    lengths: Lengths,
    progress: &mut impl FnMut(),
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    for frame in 0..lengths.naive.max(lengths.device) {
        versions.advance()?;
        let start = state.clone();
        let outputs = versions.optimised(&mut state)?;
        let mut on_device = start.clone();
        let device_outputs = versions.device(&mut on_device)?;
        if frame < lengths.device {
            let actual = V::compare((&state, &outputs), (&on_device, &device_outputs));
            seen.device_with_optimised.take(frame, actual);
        }
        if frame < lengths.naive {
            let mut naive = start;
            let naive_outputs = versions.naive(&mut naive)?;
            let expected = (&naive, &naive_outputs);
            let actual = V::compare(expected, (&state, &outputs));
            seen.optimised_with_naive.take(frame, actual);
            let actual = V::compare(expected, (&on_device, &device_outputs));
            seen.device_with_naive.take(frame, actual);
        }
        progress();
    }
    Ok(seen)
}

impl Compared {
    fn take(&mut self, frame: u64, compared: Result<f64, String>) {
        self.frames += 1;
        match compared {
            Ok(share) => self.worst = self.worst.max(share),
            Err(deviation) => {
                self.deviation.get_or_insert_with(|| format!("frame {frame}: {deviation}"));
            }
        }
    }

    fn add(self, section: &mut Section, (workload, n): (Reference, usize), statement: &str) {
        let Self { frames, worst, deviation } = self;
        if frames == 0 {
            return;
        }
        let seen =
            format!("{frames} frames, the largest difference takes {worst:.1e} of its tolerance");
        let name = format!("{} at n = {n}: {statement}, frame by frame", workload.name());
        section.check(name, deviation.is_none(), deviation.unwrap_or(seen));
    }
}

impl Seen {
    fn report(self, section: &mut Section, subject: (Reference, usize), device: &str) {
        let Self { optimised_with_naive, device_with_naive, device_with_optimised } = self;
        optimised_with_naive.add(section, subject, "optimised equals naive");
        device_with_naive.add(section, subject, &format!("{device} equals naive"));
        device_with_optimised.add(section, subject, &format!("{device} equals optimised"));
    }
}

/// The largest share of its tolerance that any difference takes, or NaN if one is; where nothing is tolerated, there is
/// no difference.
fn worst_share<const COUNT: usize>(
    differences: [(&'static str, f64); COUNT],
    tolerances: [(&'static str, f64); COUNT],
) -> f64 {
    let pairs = differences.into_iter().zip(tolerances);
    pairs.fold(0.0, |worst, ((_, difference), (_, tolerance))| {
        let share = if difference == 0.0 { 0.0 } else { difference / tolerance };
        if share.is_nan() || share > worst { share } else { worst }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up; the device is wrong by a share of the tolerance of its own at frame 3.
    struct Counting {
        frame: u64,
        device_error: f64,
    }

    impl Versions for Counting {
        type State = f64;
        type Outputs = ();

        fn advance(&mut self) -> anyhow::Result<()> {
            self.frame += 1;
            Ok(())
        }

        fn naive(&self, state: &mut f64) -> anyhow::Result<()> {
            *state += 1.0;
            Ok(())
        }

        fn optimised(&self, state: &mut f64) -> anyhow::Result<()> {
            self.naive(state)
        }

        fn device(&mut self, state: &mut f64) -> anyhow::Result<()> {
            *state += if self.frame == 3 { 1.0 + self.device_error } else { 1.0 };
            Ok(())
        }

        fn compare(expected: (&f64, &()), actual: (&f64, &())) -> Result<f64, String> {
            let difference = (expected.0 - actual.0).abs();
            if difference <= 1.0 { Ok(difference) } else { Err(format!("off by {difference}")) }
        }
    }

    fn seen(device_error: f64) -> Seen {
        let lengths = Lengths { naive: 2, device: 5 };
        let mut frames = 0;
        let versions = Counting { frame: 0, device_error };
        let seen = run(versions, 0.0, lengths, &mut || frames += 1).unwrap();
        assert_eq!(frames, 5);
        seen
    }

    #[test]
    fn every_frame_starts_from_one_state_and_is_counted() {
        let seen = seen(0.5);
        assert_eq!(seen.optimised_with_naive.frames, 2);
        assert_eq!((seen.device_with_naive.frames, seen.device_with_naive.worst), (2, 0.0));
        let Compared { frames, worst, deviation } = seen.device_with_optimised;
        // Without a common start the third frame's error would have stayed.
        assert_eq!((frames, worst, deviation), (5, 0.5, None));
    }

    #[test]
    fn the_first_deviation_fails_the_check_and_is_told() {
        let mut section = Section::new("kernels");
        seen(2.0).report(&mut section, (Reference::Thermodynamic, 1024), "cuda");
        let verdicts: Vec<_> = section.checks.iter().map(|c| c.verdict.is_bad()).collect();
        assert_eq!(verdicts, [false, false, true]);
        assert_eq!(section.checks[2].detail, "frame 2: off by 2");
        assert!(section.checks[2].name.contains("cuda equals optimised"));
    }

    #[test]
    fn a_share_of_no_tolerance_is_nothing_or_everything() {
        let share =
            |difference| worst_share([("a", difference), ("b", 1.0)], [("a", 0.0), ("b", 4.0)]);
        assert_eq!((share(0.0), share(1.0)), (0.25, f64::INFINITY));
        let not_a_number = worst_share([("a", f64::NAN)], [("a", 1.0)]);
        assert!(not_a_number.is_nan());
    }
}
