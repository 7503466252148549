//! The same frames through several devices side by side, every element checked when it is back.
//!
//! Never calls two hosts faster than one: they are one processor.

use gpu_core::{BackendKind, Device, KernelImages};
use memory_pipeline::{Fleet, Member};
use slo_bench::{FRAME_LEN, FrameSource, Section, Verdict, WINDOWS, label};

use super::setup::Setup;
use super::stream::pipeline;
use super::streamed::{Checked, Streamed, tracking_errors};

/// Frames that the devices share at a time: 59 MB up, 29 MB down.
const ROUND_FRAMES: usize = 4096;

/// Sends the frames through all devices, and on GPUs through the first alone in the same way. Adds whether the results
/// are those of `expected`, and how fast they came.
pub(super) fn add(
    setup: &Setup<'_>,
    section: &mut Section,
    expected: &Streamed,
) -> anyhow::Result<()> {
    let devices = setup.session.place.all()?;
    let is_gpu = setup.session.device().backend() == BackendKind::Cuda;
    if devices.len() == 1 {
        let name = "order and integrity, several devices side by side";
        section.check(name, Verdict::skipped("one device is here, or was asked for"), "");
        return Ok(());
    }
    for count in if is_gpu { vec![1, devices.len()] } else { vec![devices.len()] } {
        let label = together(&devices[..count]);
        let (name, bar) = match count {
            1 => (format!("{label}, in a fleet of one"), "pipeline, fleet of one"),
            _ => (format!("{label}, side by side"), "pipeline, fleet"),
        };
        let bar = setup.session.terminal.progress(bar, setup.frames.count());
        let mut source = setup.frames.open()?;
        let images = &setup.session.images;
        let sent = send(&devices[..count], images, &mut *source, |frames| bar.inc(frames));
        bar.finish_and_clear();
        let sent = sent?;
        sent.check(section, &name, expected, setup.frames.count());
        if let Some(rate) = sent.frames_per_s().filter(|_| is_gpu) {
            let name = format!("frames staged, sent, computed and fetched, devices: {count}");
            section.figure(name, rate, "frames/s", &label);
        }
    }
    Ok(())
}

/// All of `devices` in words: those of one machine need not be alike.
fn together(devices: &[Device]) -> String {
    devices.iter().map(label).collect::<Vec<_>>().join(" + ")
}

/// Sends all of `source` through a fleet of `devices`; `progress` hears of the frames of each round.
fn send(
    devices: &[Device],
    images: &KernelImages,
    source: &mut dyn FrameSource,
    progress: impl FnMut(u64),
) -> anyhow::Result<Streamed> {
    let member = |device| anyhow::Ok(Member { pipeline: pipeline(device, images)?, share: 1 });
    let mut fleet = Fleet::new(devices.iter().map(member).collect::<Result<_, _>>()?)?;
    rounds(source, |input, output| Ok(fleet.pipeline_execute(input, output)?.wall_ns), progress)
}

/// Sends all of `source` through `execute`, which fills the results and says how long it took, in nanoseconds.
fn rounds(
    source: &mut dyn FrameSource,
    mut execute: impl FnMut(&[f64], &mut [f64]) -> anyhow::Result<u64>,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<Streamed> {
    let mut input = vec![0.0; ROUND_FRAMES * FRAME_LEN];
    let mut output = vec![0.0; ROUND_FRAMES * WINDOWS];
    let (mut checked, mut wall_ns) = (Checked::default(), 0);
    for round in 0.. {
        let frames = source.fill(&mut input)?;
        if frames == 0 {
            break;
        }
        let (input, output) = (&input[..frames * FRAME_LEN], &mut output[..frames * WINDOWS]);
        // What a device leaves out must not be what an earlier round left behind.
        output.fill(f64::NAN);
        wall_ns += execute(input, output)?;
        checked.take(round, &tracking_errors(input), output);
        progress(frames as u64);
    }
    Ok(checked.after(wall_ns))
}

#[cfg(test)]
mod tests {
    use slo_bench::Formula;

    use super::*;
    use crate::program::stream::stream;

    /// So many frames that are all the same.
    struct Still(usize);

    impl FrameSource for Still {
        fn fill(&mut self, frames: &mut [f64]) -> slo_bench::Result<usize> {
            let count = self.0.min(frames.len() / FRAME_LEN);
            frames[..count * FRAME_LEN].fill(1.0);
            self.0 -= count;
            Ok(count)
        }

        fn len_hint(&self) -> Option<u64> {
            None
        }
    }

    #[test]
    fn what_a_device_leaves_out_is_not_what_an_earlier_round_left_behind() {
        let mut is_first = true;
        let execute = |input: &[f64], output: &mut [f64]| {
            if std::mem::take(&mut is_first) {
                output.copy_from_slice(&tracking_errors(input));
            }
            Ok(1)
        };
        let sent = rounds(&mut Still(ROUND_FRAMES + 1), execute, |_| {}).unwrap();
        let fault = format!("frame {ROUND_FRAMES}, window 0: NaN instead of 0");
        assert_eq!((sent.fault, sent.wall_ns), (Some(fault), 2));
    }

    #[test]
    fn every_device_is_named() {
        let (host, simulated) = (Device::host(), Device::host_simulated(1));
        let expected = format!("{} + {}", label(&host), label(&simulated));
        assert_eq!(together(&[host, simulated]), expected);
    }

    #[test]
    fn several_devices_give_the_checked_results_of_one_in_order() {
        let images = KernelImages::at("nowhere");
        // A full round, and one whose last batch has 5 frames.
        let count = ROUND_FRAMES as u64 + 37;
        let mut frames = Formula::first(count);
        let expected = stream(&Device::host(), &images, &mut frames, |_| {}).unwrap();
        let simulated = (0..3).map(Device::host_simulated).collect();
        for devices in [vec![Device::host()], vec![Device::host(), Device::host()], simulated] {
            let mut sent = 0;
            let streamed =
                send(&devices, &images, &mut Formula::first(count), |frames| sent += frames);
            let Streamed { frames, digest, fault, .. } = streamed.unwrap();
            assert_eq!((frames, sent, fault), (count, count, None));
            assert_eq!(digest, expected.digest, "{} devices", devices.len());
        }
    }
}
