//! Frames through the pipeline and the tracking-error kernel, every element checked on the way out.
//!
//! The expected value is one subtraction written here, not the reference that the host backend runs.

use std::collections::VecDeque;
use std::time::Duration;

use gpu_core::{Device, DeviceSlice, DeviceSliceMut, KernelImages, Prepared, Stream};
use kernels::Tunable as _;
use kernels::frame::{TrackingError, TrackingErrorArgs};
use memory_pipeline::{Config, MemoryOptimizer, PipelineReport, Stage, Timing};
use slo_bench::{FRAME_LEN, Formula, FrameSource, Section, WINDOWS, label};

/// Frames in a full batch: 230 kB up, 115 kB down.
const BATCH_FRAMES: usize = 16;

/// Frames in a batch that goes round: 3.7 MB up, 1.8 MB down, enough for a copy engine to reach its speed.
const ROUND_FRAMES: usize = 256;

/// What came of a run.
#[derive(Debug)]
pub(super) struct Streamed {
    pub(super) frames: u64,
    /// Hash of every result, in order.
    pub(super) digest: String,
    /// The first thing that was wrong.
    pub(super) fault: Option<String>,
    pub(super) report: PipelineReport,
}

/// The kernel as a stage of the pipeline.
#[derive(Debug)]
struct Tracking {
    kernel: Prepared<TrackingError>,
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

/// Sends all of `source` through a pipeline on `device`; `progress` hears of each batch's frames.
pub(super) fn stream(
    device: &Device,
    images: &KernelImages,
    source: &mut dyn FrameSource,
    mut progress: impl FnMut(u64),
) -> anyhow::Result<Streamed> {
    let launch = TrackingError::launch_for(BATCH_FRAMES * WINDOWS);
    let kernel = TrackingError::prepare(device, images, launch)?;
    let config = Config::new(BATCH_FRAMES * FRAME_LEN);
    let mut pipeline = MemoryOptimizer::new(device, Tracking { kernel }, config)?;
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
    Ok(Streamed {
        frames: checked.frames,
        digest: checked.digest.finalize().to_hex()[..16].to_owned(),
        fault: checked.fault,
        report,
    })
}

/// Adds how fast the frames went through, the host filling and checking them on the way.
pub(super) fn throughput(section: &mut Section, device: &Device, streamed: &Streamed) {
    let report = &streamed.report;
    let wall_s = Duration::from_nanos(report.wall_ns).as_secs_f64();
    if wall_s > 0.0 {
        let per_second = streamed.frames as f64 / wall_s;
        let name = "frames filled, sent, computed, fetched and checked";
        section.figure(name, per_second, "frames/s", &label(device));
    }
}

/// Sends batches round that are filled once, so that the host is not what the lanes wait for.
/// Returns the events' report, and what was wrong with the first or the last result of any buffer.
pub(super) fn saturate(
    device: &Device,
    images: &KernelImages,
    batches: u64,
) -> anyhow::Result<(PipelineReport, Option<String>)> {
    let launch = TrackingError::launch_for(ROUND_FRAMES * WINDOWS);
    let kernel = TrackingError::prepare(device, images, launch)?;
    saturate_stage(device, Tracking { kernel }, batches)
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

#[derive(Default)]
struct Checked {
    batches: u64,
    frames: u64,
    digest: blake3::Hasher,
    fault: Option<String>,
}

impl Checked {
    fn take(&mut self, batch: u64, expected: &[f64], output: &[f64]) {
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

    /// Keeps the first fault: later ones usually follow from it.
    fn blame(&mut self, words: impl FnOnce() -> String) {
        self.fault.get_or_insert_with(words);
    }
}

/// Target minus input for each window of whole frames.
fn tracking_errors(frames: &[f64]) -> Vec<f64> {
    let window = |frame: &[f64], index: usize| frame[WINDOWS + index] - frame[index];
    let frames = frames.chunks_exact(FRAME_LEN);
    frames.flat_map(|frame| (0..WINDOWS).map(move |index| window(frame, index))).collect()
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
            let launch = TrackingError::launch_for(ROUND_FRAMES * WINDOWS);
            let kernel = TrackingError::prepare(&device, &images, launch).unwrap();
            let stage = Lying { honest: Tracking { kernel }, batch: 0, lies_at };
            let (_, fault) = saturate_stage(&device, stage, 12).unwrap();
            assert_eq!(fault.unwrap(), format!("batch {lies_at} came back wrong"));
        }
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
