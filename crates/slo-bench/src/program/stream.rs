//! Frames through the pipeline and the tracking-error kernel, every element checked on the way out.
//!
//! Never checks with what the host backend runs: the expected values are made elsewhere.

use std::collections::VecDeque;

use gpu_core::{Device, DeviceSlice, DeviceSliceMut, KernelImages, Prepared, Stream};
use kernels::Tunable as _;
use kernels::frame::{TrackingError, TrackingErrorArgs};
use memory_pipeline::{Config, MemoryOptimizer, PipelineReport, Stage, Timing};
use slo_bench::{FRAME_LEN, Formula, FrameSource, Section, WINDOWS, label};

use super::streamed::{Checked, Streamed, tracking_errors};

/// Frames in a full batch: 230 kB up, 115 kB down.
const BATCH_FRAMES: usize = 16;

/// Frames in a batch that goes round: 3.7 MB up, 1.8 MB down, enough for a copy engine to reach its speed.
const ROUND_FRAMES: usize = 256;

/// The kernel as a stage of the pipeline.
#[derive(Debug)]
pub(super) struct Tracking {
    kernel: Prepared<TrackingError>,
}

impl Tracking {
    fn new(device: &Device, images: &KernelImages, frames: usize) -> gpu_core::Result<Self> {
        let launch = TrackingError::launch_for(frames * WINDOWS);
        Ok(Self { kernel: TrackingError::prepare(device, images, launch)? })
    }
}

impl Stage for Tracking {
    type Input = f64;
    type Output = f64;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, f64>,
        output: DeviceSliceMut<'_, f64>,
    ) -> gpu_core::Result<()> {
        stream.launch(&self.kernel, TrackingErrorArgs { frames: input, errors: output })
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len / FRAME_LEN * WINDOWS
    }
}

/// A pipeline on `device` for full batches of that many frames.
pub(super) fn pipeline(
    device: &Device,
    images: &KernelImages,
) -> anyhow::Result<MemoryOptimizer<Tracking>> {
    let stage = Tracking::new(device, images, BATCH_FRAMES)?;
    Ok(MemoryOptimizer::new(device, stage, Config::new(BATCH_FRAMES * FRAME_LEN))?)
}

/// Sends all of `source` through a pipeline on `device`; `progress` hears of each batch's frames.
pub(super) fn stream(
    device: &Device,
    images: &KernelImages,
    source: &mut dyn FrameSource,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<Streamed> {
    let mut pipeline = pipeline(device, images)?;
    // What each batch in flight must come back as: no more than the pipeline has in flight.
    let expected = std::cell::RefCell::new(VecDeque::new());
    let mut checked = Checked::default();
    let fill = |buffer: &mut [f64]| -> anyhow::Result<usize> {
        let filled = source.fill(buffer)? * FRAME_LEN;
        expected.borrow_mut().push_back(tracking_errors(&buffer[..filled]));
        Ok(filled)
    };
    let consume = |batch: u64, output: &[f64]| -> anyhow::Result<()> {
        let expected = expected.borrow_mut().pop_front().unwrap_or_default();
        checked.take(batch, &expected, output);
        progress((output.len() / WINDOWS) as u64);
        Ok(())
    };
    let report = pipeline.run(fill, consume)?;
    Ok(checked.after(report.wall_ns))
}

/// Adds how fast the frames went through, the host filling and checking them on the way.
pub(super) fn throughput(section: &mut Section, device: &Device, streamed: &Streamed) {
    if let Some(rate) = streamed.frames_per_s() {
        let name = "frames filled, sent, computed, fetched and checked";
        section.figure(name, rate, "frames/s", &label(device));
    }
}

/// Sends batches round that are filled once, so that the host is not what the lanes wait for.
/// Returns the events' report, and what was wrong with the first or the last result of any buffer.
pub(super) fn saturate(
    device: &Device,
    images: &KernelImages,
    batches: u64,
) -> anyhow::Result<(PipelineReport, Option<String>)> {
    saturate_stage(device, Tracking::new(device, images, ROUND_FRAMES)?, batches)
}

/// The same with any stage that is meant to compute tracking errors.
fn saturate_stage(
    device: &Device,
    stage: impl Stage<Input = f64, Output = f64>,
    batches: u64,
) -> anyhow::Result<(PipelineReport, Option<String>)> {
    // Every batch is timed: the figures are sums over all of them.
    let config = Config { timing: Timing::EVERY, ..Config::new(ROUND_FRAMES * FRAME_LEN) };
    let mut pipeline = MemoryOptimizer::new(device, stage, config)?;
    let mut frames = vec![0.0; ROUND_FRAMES * FRAME_LEN];
    Formula::unlimited().fill(&mut frames)?;
    let expected = tracking_errors(&frames);
    let differs = |output: &[f64]| {
        bytemuck::cast_slice::<_, u8>(output) != bytemuck::cast_slice::<_, u8>(&expected)
    };
    let round = pipeline.config().in_flight_max() as u64;
    let (mut submitted, mut idle, mut fault) = (0, None, None);
    loop {
        while submitted < batches && !pipeline.is_full() {
            let lease = match idle.take() {
                Some(lease) => lease,
                None => {
                    let mut lease = pipeline.acquire()?;
                    lease.copy_from_slice(&frames);
                    lease
                }
            };
            pipeline.submit(lease).map_err(memory_pipeline::Error::from)?;
            submitted += 1;
        }
        let Some(batch) = pipeline.complete()? else { break };
        let is_checked = batch.index < round || batch.index + round >= batches;
        if is_checked && differs(&batch.output) {
            fault.get_or_insert_with(|| format!("batch {} came back wrong", batch.index));
        }
        idle = Some(batch.input);
    }
    Ok((pipeline.report(), fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    fn run(device: &Device, count: u64) -> Streamed {
        let images = KernelImages::at("nowhere");
        stream(device, &images, &mut Formula::first(count), |_| {}).unwrap()
    }

    #[test]
    fn every_interleaving_gives_the_same_checked_results() {
        // Two full batches and one of 5 frames.
        let expected = run(&Device::host(), 37);
        assert_eq!((expected.frames, &expected.fault), (37, &None));
        assert_ne!(expected.digest, run(&Device::host(), 36).digest);
        for seed in 0..20 {
            let streamed = run(&Device::host_simulated(seed), 37);
            assert_eq!(
                (streamed.fault, streamed.digest),
                (None, expected.digest.clone()),
                "seed {seed}"
            );
        }
    }

    #[test]
    fn batches_that_go_round_come_back_right_on_every_backend() {
        for device in [Device::host(), Device::host_simulated(7)] {
            let (report, fault) = saturate(&device, &KernelImages::at("nowhere"), 12).unwrap();
            assert_eq!((report.batches, fault), (12, None));
        }
    }

    /// Computes as [`Tracking`] does and spoils one element of one batch.
    struct Lying {
        honest: Tracking,
        batch: u64,
        lies_at: u64,
    }

    impl Stage for Lying {
        type Input = f64;
        type Output = f64;

        fn enqueue(
            &mut self,
            stream: &Stream,
            input: DeviceSlice<'_, f64>,
            mut output: DeviceSliceMut<'_, f64>,
        ) -> gpu_core::Result<()> {
            self.honest.enqueue(stream, input, output.reborrow())?;
            if self.batch == self.lies_at {
                let last = output.len() - 1;
                stream.write(&[f64::NAN], output.range(last..last + 1)?)?;
            }
            self.batch += 1;
            Ok(())
        }

        fn output_len(&self, input_len: usize) -> usize {
            self.honest.output_len(input_len)
        }
    }

    #[test]
    fn a_lie_in_the_first_or_the_last_round_is_blamed() {
        let (device, images) = (Device::host(), KernelImages::at("nowhere"));
        for lies_at in [0, 1, 10, 11] {
            let honest = Tracking::new(&device, &images, ROUND_FRAMES).unwrap();
            let stage = Lying { honest, batch: 0, lies_at };
            let (_, fault) = saturate_stage(&device, stage, 12).unwrap();
            assert_eq!(fault.unwrap(), format!("batch {lies_at} came back wrong"));
        }
    }
}
