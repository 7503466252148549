//! W3, the end-to-end frame, as something to measure: on a device, or as one of its two processor versions.
//!
//! Computes nothing itself: `kernels::frame` does. Holds one frame, however many have come.

use std::fmt;

use gpu_core::{Device, KernelImages, Stream};
use kernels::frame::{Engine, Error as FrameError, Marks, Outputs, OutputsRef, Span, System};
use kernels::frame::{naive, optimised};

use super::{Output, Phase, Reference, Variant, Workload, WorkloadConfig};
use crate::error::{Error, Result};
use crate::frames::{FRAME_LEN, FrameSource, WINDOWS};

/// One frame an iteration, from any source: a file, the formula, or something live.
pub struct Frame {
    variant: Variant,
    source: Box<dyn FrameSource>,
    /// Frames that the source gave.
    given: u64,
    /// The frame of the next iteration.
    input: Vec<f64>,
    version: Version,
}

#[derive(Debug)]
enum Version {
    Processor(Box<OnProcessor>),
    Device(Box<OnDevice>),
}

#[derive(Debug)]
struct OnProcessor {
    system: System,
    /// What the last frame put out; `None` if it was refused.
    outputs: Option<Outputs>,
}

#[derive(Debug)]
struct OnDevice {
    engine: Engine,
    stream: Stream,
    marks: Marks,
    /// Whether the last frame got through.
    has_outputs: bool,
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variant, given, version, .. } = self;
        let mut debug = formatter.debug_struct("Frame");
        debug.field("variant", variant).field("given", given).field("version", version);
        debug.finish_non_exhaustive()
    }
}

impl Frame {
    /// The system at its beginning, to take the frames of `source`.
    ///
    /// # Errors
    /// [`Error::WorkloadSize`] if `config.n` is not 900; if a kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn new(config: &WorkloadConfig<'_>, source: Box<dyn FrameSource>) -> Result<Self> {
        let WorkloadConfig { variant, n, seed, device, images } = *config;
        Reference::Frame.check_n(n)?;
        let system = System::initial(seed);
        let version = match variant {
            Variant::Naive | Variant::Optimised => {
                Version::Processor(Box::new(OnProcessor { system, outputs: None }))
            }
            Variant::Device => Version::Device(Box::new(OnDevice::new(device, images, &system)?)),
        };
        Ok(Self { variant, source, given: 0, input: vec![0.0; FRAME_LEN], version })
    }

    /// What the last frame put out; `None` before the first, and if it was refused.
    fn seen(&self) -> Option<OutputsRef<'_>> {
        match &self.version {
            Version::Processor(processor) => processor.outputs.as_ref().map(Outputs::as_ref),
            Version::Device(device) => device.has_outputs.then(|| device.engine.downloaded()),
        }
    }

    fn failure(&self, error: FrameError) -> Error {
        let (frame, phase, reason) = match error {
            FrameError::Device(error) => return error.into(),
            FrameError::Input { frame, index } => {
                (frame, "input".to_owned(), format!("number {index} is {}", self.input[index]))
            }
            FrameError::Output { frame, phase } => {
                (frame, phase.to_string(), "it puts out a number that is not finite".to_owned())
            }
            // What else a frame can be refused for is its shape.
            other => (self.given.saturating_sub(1), "input".to_owned(), other.to_string()),
        };
        Error::Frame { workload: self.name(), frame, phase, reason }
    }
}

impl OnProcessor {
    fn step(&mut self, variant: Variant, input: &[f64]) -> Result<(), FrameError> {
        let frame = if variant == Variant::Naive { naive::frame } else { optimised::frame };
        self.outputs = None;
        self.outputs = Some(frame(&mut self.system, input)?);
        Ok(())
    }
}

impl OnDevice {
    fn new(device: &Device, images: &KernelImages, system: &System) -> Result<Self> {
        Ok(Self {
            engine: Engine::new(device, images, system)?,
            stream: device.stream()?,
            marks: Marks::new(device)?,
            has_outputs: false,
        })
    }

    fn step(&mut self, input: &[f64]) -> Result<(), FrameError> {
        self.has_outputs = false;
        self.engine.call(&self.stream, input)?;
        self.has_outputs = true;
        Ok(())
    }

    fn step_marked(&mut self, input: &[f64]) -> Result<(), FrameError> {
        self.has_outputs = false;
        self.engine.call_marked(&self.stream, input, &self.marks)?;
        self.has_outputs = true;
        Ok(())
    }
}

/// A part of a frame on the device, with the phases that it computes.
fn phase(span: &Span) -> Phase {
    let phases: Vec<_> = span.phases.iter().map(ToString::to_string).collect();
    let name = match phases.as_slice() {
        [] => span.part.to_owned(),
        _ => format!("{} ({})", span.part, phases.join(", ")),
    };
    Phase { name, elapsed: span.duration }
}

impl Workload for Frame {
    fn name(&self) -> String {
        format!("{}, {}", Reference::Frame.name(), self.variant.name())
    }

    fn n(&self) -> usize {
        WINDOWS
    }

    fn prepare(&mut self) -> Result<()> {
        if self.source.fill(&mut self.input)? == 0 {
            return Err(Error::FramesEnded { workload: self.name(), frames: self.given });
        }
        self.given += 1;
        Ok(())
    }

    fn step(&mut self) -> Result<()> {
        let done = match &mut self.version {
            Version::Processor(processor) => processor.step(self.variant, &self.input),
            Version::Device(device) => device.step(&self.input),
        };
        done.map_err(|error| self.failure(error))
    }

    fn outputs(&self, visit: &mut dyn FnMut(Output<'_>)) {
        let Some(OutputsRef { control, prediction, metrics }) = self.seen() else { return };
        visit(Output::many("control", control));
        visit(Output::many("prediction", prediction));
        // The free energy that inference ends with.
        let [.., free_energy] = metrics.free_energy;
        visit(Output::one("free_energy", free_energy));
        visit(Output::one("kinetic", metrics.network.kinetic));
        visit(Output::one("interaction", metrics.network.interaction));
        visit(Output::one("order", metrics.network.order));
        visit(Output::one("heat", metrics.network.heat));
        visit(Output::one("entropy", metrics.network.entropy));
        visit(Output::one("coherence", metrics.coherence));
        visit(Output::one("information", metrics.information));
        visit(Output::one("te_max", metrics.te_max));
        visit(Output::many("g", &metrics.g));
        visit(Output::choice("policy", metrics.policy));
    }

    fn step_marked(&mut self) -> Result<()> {
        let Version::Device(device) = &mut self.version else { return self.step() };
        let done = device.step_marked(&self.input);
        done.map_err(|error| self.failure(error))
    }

    fn phases(&self) -> Result<Vec<Phase>> {
        let Version::Device(device) = &self.version else { return Ok(Vec::new()) };
        Ok(device.marks.spans()?.iter().map(phase).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::Formula;

    /// Frames of the formula with another one in place of some.
    struct Live {
        formula: Formula,
        next: u64,
        /// Before which frame another one comes, and what stands in it where.
        odd: Option<(u64, usize, f64)>,
    }

    impl FrameSource for Live {
        fn fill(&mut self, frames: &mut [f64]) -> Result<usize> {
            match self.odd.take_if(|(frame, ..)| *frame == self.next) {
                Some((_, index, value)) => frames[index] = value,
                None => {
                    self.formula.fill(frames)?;
                    self.next += 1;
                }
            }
            Ok(1)
        }

        fn len_hint(&self) -> Option<u64> {
            None
        }
    }

    fn workload(variant: Variant, source: impl FrameSource + 'static) -> Frame {
        let (device, images) = (Device::host(), KernelImages::at("nowhere"));
        let config = WorkloadConfig { variant, n: 900, seed: 42, device: &device, images: &images };
        Frame::new(&config, Box::new(source)).unwrap()
    }

    fn step(workload: &mut Frame) -> Result<()> {
        workload.prepare()?;
        workload.step()
    }

    fn seen(workload: &Frame) -> Vec<String> {
        let mut all = Vec::new();
        workload.outputs(&mut |output| all.push(format!("{output:?}")));
        all
    }

    #[test]
    fn a_frame_with_events_is_a_frame_like_any_other() {
        let [mut plain, mut timed] =
            [0, 1].map(|_| workload(Variant::Device, Formula::unlimited()));
        assert!(seen(&plain).is_empty(), "nothing was put out before the first frame");
        step(&mut plain).unwrap();
        timed.prepare().unwrap();
        timed.step_marked().unwrap();
        let phases = timed.phases().unwrap();
        let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
        assert_eq!(names[..2], ["upload", "perceive (spikes, information flow, coupling)"]);
        let all = names.join(" ");
        for phase in ["thermodynamic", "observable", "active inference", "synchronisation"] {
            assert!(all.contains(phase), "{all}");
        }
        assert_eq!(seen(&plain), seen(&timed));
        assert_eq!(seen(&plain).len(), 13);
        for workload in [&mut plain, &mut timed] {
            step(workload).unwrap();
        }
        assert_eq!(seen(&plain), seen(&timed));
    }

    #[test]
    fn a_bad_frame_is_refused_by_number_and_index_and_the_next_is_what_it_would_have_been() {
        for variant in [Variant::Optimised, Variant::Device] {
            let mut plain = workload(variant, Formula::unlimited());
            let odd = Some((1, 901, f64::NAN));
            let mut disturbed =
                workload(variant, Live { formula: Formula::unlimited(), next: 0, odd });
            step(&mut plain).unwrap();
            step(&mut disturbed).unwrap();
            let message = step(&mut disturbed).unwrap_err().to_string();
            let expected = "frame 1, phase `input`: number 901 is NaN; the state of the last good frame stands";
            assert!(message.contains(expected), "{message}");
            for workload in [&mut plain, &mut disturbed] {
                step(workload).unwrap();
            }
            assert_eq!(seen(&plain), seen(&disturbed));
        }
    }

    #[test]
    fn a_frame_that_breaks_a_phase_names_it_every_time() {
        for variant in [Variant::Optimised, Variant::Device] {
            // A finite target, and so a good frame; but it leaves a mean whose square is beyond the largest number.
            let odd = Some((1, WINDOWS, f64::MAX));
            let mut workload =
                workload(variant, Live { formula: Formula::unlimited(), next: 0, odd });
            step(&mut workload).unwrap();
            step(&mut workload).unwrap();
            for frame in 2..4 {
                let message = step(&mut workload).unwrap_err().to_string();
                let expected = format!("frame {frame}, phase `active inference`: it puts out");
                assert!(message.contains(&expected), "{message}");
                assert!(seen(&workload).is_empty(), "a refused frame puts out nothing");
            }
        }
    }

    #[test]
    fn a_source_that_ends_is_an_error_that_counts_its_frames() {
        let mut workload = workload(Variant::Optimised, Formula::first(1));
        step(&mut workload).unwrap();
        let message = workload.prepare().unwrap_err().to_string();
        assert!(message.starts_with("workload `frame, optimised`: its source ended after 1 frame"));
    }
}
