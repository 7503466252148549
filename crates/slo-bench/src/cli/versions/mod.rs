//! The versions of a workload against each other, frame by frame, each from the state that the optimised one has reached.
//!
//! Tolerances are those of `kernels`; nothing here widens them. The host backend, which runs the optimised version, is
//! compared with the naive one only, never with itself.

mod active_inference;
mod frame;
mod thermodynamic;

use gpu_core::{BackendKind, Device};

use super::Session;
use crate::frames::FrameSource;
use crate::report::{Section, label};
use crate::workload::{Reference, Variant};

/// The seed of every run that is measured or compared.
pub const SEED: u64 = 42;

/// A workload at a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Which workload.
    pub workload: Reference,
    /// Its size.
    pub n: usize,
}

/// How many frames each comparison takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompareFrames {
    /// Of every version against the naive one.
    pub naive: u64,
    /// Of the device against the optimised version; 0 where the device runs that version itself.
    pub device: u64,
}

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

/// What comparing all versions of a workload has shown.
#[derive(Debug)]
pub struct Comparison {
    subject: Subject,
    /// Where the device's version ran, in words.
    device: String,
    seen: Seen,
}

#[derive(Debug, Default)]
struct Seen {
    optimised_with_naive: Compared,
    device_with_naive: Compared,
    device_with_optimised: Compared,
}

impl CompareFrames {
    /// So many frames on the device of `session`: none against the optimised version but on a GPU.
    pub fn on(session: &Session<'_>, naive: u64, device: u64) -> Self {
        let is_gpu = session.device().backend() == BackendKind::Cuda;
        Self { naive, device: if is_gpu { device } else { 0 } }
    }

    /// How many frames the longer comparison takes.
    pub fn max(self) -> u64 {
        self.naive.max(self.device)
    }
}

/// Compares the versions of `subject` on the frames of `source`; `progress` hears of each.
///
/// # Errors
/// What a version fails with, or the source.
pub fn compare(
    session: &Session<'_>,
    subject: Subject,
    source: Box<dyn FrameSource>,
    frames: CompareFrames,
    mut progress: impl FnMut(),
) -> anyhow::Result<Comparison> {
    let seen = match subject.workload {
        Reference::ActiveInference => {
            let (versions, state) = active_inference::ActiveInference::new(session)?;
            run(versions, state, frames, &mut progress)?
        }
        Reference::Frame => {
            let (versions, state) = frame::Frame::new(session, source)?;
            run(versions, state, frames, &mut progress)?
        }
        Reference::Thermodynamic => {
            let (versions, state) = thermodynamic::Thermodynamic::new(session, subject.n)?;
            run(versions, state, frames, &mut progress)?
        }
    };
    Ok(Comparison { subject, device: measured_on(session.device(), Variant::Device), seen })
}

/// Where a version runs, in words: the processor versions run on the host, whatever the device.
pub fn measured_on(device: &Device, variant: Variant) -> String {
    match (variant, device.backend()) {
        (Variant::Device, BackendKind::Cuda) => label(device),
        (Variant::Device, _) => {
            format!("{}, the optimised version in place of the kernels", label(device))
        }
        (Variant::Naive | Variant::Optimised, _) => label(&Device::host()),
    }
}

fn run<V: Versions>(
    mut versions: V,
    mut state: V::State,
    frames: CompareFrames,
    progress: &mut impl FnMut(),
) -> anyhow::Result<Seen> {
    let mut seen = Seen::default();
    for frame in 0..frames.max() {
        versions.advance()?;
        let start = state.clone();
        let outputs = versions.optimised(&mut state)?;
        let mut on_device = start.clone();
        let device_outputs = versions.device(&mut on_device)?;
        if frame < frames.device {
            let actual = V::compare((&state, &outputs), (&on_device, &device_outputs));
            seen.device_with_optimised.take(frame, actual);
        }
        if frame < frames.naive {
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

    fn add(self, section: &mut Section, Subject { workload, n }: Subject, statement: &str) {
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

impl Comparison {
    /// Adds a check for each pair of versions that was compared.
    pub fn add_to(self, section: &mut Section) {
        let Self { subject, device, seen } = self;
        let Seen { optimised_with_naive, device_with_naive, device_with_optimised } = seen;
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
        let frames = CompareFrames { naive: 2, device: 5 };
        let mut count = 0;
        let versions = Counting { frame: 0, device_error };
        let seen = run(versions, 0.0, frames, &mut || count += 1).unwrap();
        assert_eq!(count, 5);
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
        let subject = Subject { workload: Reference::Thermodynamic, n: 1024 };
        Comparison { subject, device: "cuda".to_owned(), seen: seen(2.0) }.add_to(&mut section);
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
