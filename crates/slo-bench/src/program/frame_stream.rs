//! End-to-end frames through the pipeline: one goes up while the one before it is computed and the one before that comes down.
//!
//! Every number that comes out is compared with what the same frame put out when it was called by itself.

use std::time::Duration;

use gpu_core::{BackendKind, Clock, Device, DeviceSlice, DeviceSliceMut, KernelImages, Stream};
use kernels::frame::{Engine, OUTPUTS, Outputs, OutputsRef, System, check_input};
use memory_pipeline::{Config, MemoryOptimizer, Stage};
use slo_bench::cli::SEED;
use slo_bench::{FRAME_LEN, Section};

use super::setup::Setup;

/// Frames that go round: more than are ever in flight, and few enough to be filled before the clock starts.
const ROUND: usize = 256;

/// The whole system as a stage of the pipeline, one frame a batch.
#[derive(Debug)]
struct EndToEnd {
    engine: Engine,
}

impl Stage for EndToEnd {
    type Input = f64;
    type Output = f64;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, f64>,
        output: DeviceSliceMut<'_, f64>,
    ) -> gpu_core::Result<()> {
        self.engine.enqueue(stream, input, output)
    }

    fn output_len(&self, input_len: usize) -> usize {
        input_len / FRAME_LEN * OUTPUTS
    }
}

/// Sends frames through and adds what came of it to `section`.
pub(super) fn add(setup: &Setup<'_>, section: &mut Section) -> anyhow::Result<()> {
    let count = match setup.session.device().backend() {
        BackendKind::Cuda => 10_000,
        BackendKind::Host | BackendKind::HostSimulated => 20,
    };
    let mut round = vec![0.0; ROUND * FRAME_LEN];
    let mut source = setup.frames.endless()?;
    for frame in round.chunks_exact_mut(FRAME_LEN) {
        source.fill(frame)?;
    }
    let (device, images, clock) =
        (setup.session.device(), &setup.session.images, &setup.session.clock);
    let trip = Trip { device, images, clock, system: System::initial(SEED), round, count };
    let alone = trip.alone()?;
    let piped = trip.piped(&alone.outputs)?;
    let name = "end-to-end frames through the pipeline equal those called by themselves";
    let seen = format!("{count} frames, every number of each");
    section.check(name, piped.fault.is_none(), piped.fault.unwrap_or(seen));
    for (how, elapsed) in [("one by one", alone.elapsed), ("through the pipeline", piped.elapsed)] {
        let per_second = count as f64 / elapsed.as_secs_f64();
        section.figure(
            format!("end-to-end frames {how}"),
            per_second,
            "frames/s",
            setup.session.label(),
        );
    }
    Ok(())
}

/// What frames put out one by one.
struct Alone {
    outputs: Vec<Outputs>,
    elapsed: Duration,
}

/// What came of frames that flowed.
struct Piped {
    /// The first frame that came out otherwise than by itself.
    fault: Option<String>,
    /// From the first submit to the last completion.
    elapsed: Duration,
}

/// Frames to send, and the system that takes them.
struct Trip<'a> {
    device: &'a Device,
    images: &'a KernelImages,
    clock: &'a Clock,
    system: System,
    /// [`ROUND`] frames, again and again.
    round: Vec<f64>,
    count: usize,
}

impl Trip<'_> {
    fn frame(&self, number: usize) -> &[f64] {
        &self.round[number % ROUND * FRAME_LEN..][..FRAME_LEN]
    }

    fn engine(&self) -> gpu_core::Result<Engine> {
        Engine::new(self.device, self.images, &self.system)
    }

    /// Calls the frames one by one.
    fn alone(&self) -> anyhow::Result<Alone> {
        let (mut engine, stream) = (self.engine()?, self.device.stream()?);
        let call = |number| Ok(engine.call(&stream, self.frame(number))?.into());
        let start = self.clock.now();
        let outputs = (0..self.count).map(call).collect::<anyhow::Result<_>>()?;
        Ok(Alone { outputs, elapsed: self.clock.now().saturating_duration_since(start) })
    }

    /// Sends the frames through a pipeline and compares what comes out with `expected`.
    fn piped(&self, expected: &[Outputs]) -> anyhow::Result<Piped> {
        let stage = EndToEnd { engine: self.engine()? };
        let mut pipeline = MemoryOptimizer::new(self.device, stage, Config::new(FRAME_LEN))?;
        let (mut sent, mut seen, mut fault) = (0, 0, None);
        let fill = |buffer: &mut [f64]| -> anyhow::Result<usize> {
            if sent == self.count {
                return Ok(0);
            }
            check_input(sent as u64, self.frame(sent))?;
            buffer.copy_from_slice(self.frame(sent));
            sent += 1;
            Ok(FRAME_LEN)
        };
        let consume = |batch: u64, block: &[f64]| -> anyhow::Result<()> {
            let outputs = OutputsRef::of_block(batch, block)?;
            if expected[seen].as_ref() != outputs {
                fault.get_or_insert_with(|| format!("frame {seen} differs from its own call"));
            }
            seen += 1;
            Ok(())
        };
        let report = pipeline.run(fill, consume)?;
        let lost =
            (seen != self.count).then(|| format!("{seen} frames came out of {}", self.count));
        Ok(Piped { fault: fault.or(lost), elapsed: Duration::from_nanos(report.wall_ns) })
    }
}

#[cfg(test)]
mod tests {
    use slo_bench::{Formula, FrameSource as _};

    use super::*;

    fn trip(device: &Device, images: &KernelImages, work: impl FnOnce(&Trip<'_>)) {
        let mut round = vec![0.0; ROUND * FRAME_LEN];
        Formula::unlimited().fill(&mut round).unwrap();
        let clock = &Clock::real();
        work(&Trip { device, images, clock, system: System::initial(7), round, count: 9 });
    }

    #[test]
    fn frames_flow_through_every_interleaving_as_they_do_alone() {
        let images = KernelImages::at("nowhere");
        let mut expected = None;
        for device in [Device::host(), Device::host_simulated(1), Device::host_simulated(2)] {
            trip(&device, &images, |trip| {
                let expected = expected.get_or_insert_with(|| trip.alone().unwrap().outputs);
                assert_eq!(trip.piped(expected).unwrap().fault, None);
            });
        }
    }

    #[test]
    fn a_frame_that_differs_or_is_not_finite_is_named() {
        let (device, images) = (Device::host(), KernelImages::at("nowhere"));
        trip(&device, &images, |trip| {
            let mut expected = trip.alone().unwrap().outputs;
            expected[4].control[17] = expected[4].control[17].next_up();
            let fault = trip.piped(&expected).unwrap().fault;
            assert_eq!(fault.unwrap(), "frame 4 differs from its own call");
        });
        trip(&device, &images, |trip| {
            let expected = trip.alone().unwrap().outputs;
            let mut broken = trip.round.clone();
            broken[5 * FRAME_LEN + 3] = f64::NAN;
            let trip = Trip { round: broken, system: System::initial(7), ..*trip };
            let error = format!("{:#}", trip.piped(&expected).err().unwrap());
            assert!(error.contains("frame 5: number 3 is not finite"), "{error}");
        });
    }
}
