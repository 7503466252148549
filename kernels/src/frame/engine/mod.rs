//! A system whose state lives on a device.
//!
//! Everything it needs is allocated once: a frame allocates nothing and frees nothing. One copy takes it up, five
//! kernels compute it, and the last of them writes its outputs into page-locked memory.

mod marks;
mod resident;

use gpu_core::{
    Device, DeviceBuffer, DeviceSlice, DeviceSliceMut, KernelImages, Launch, PinnedBuffer, Result,
    Stream,
};

use self::resident::{Model, Place, Progress, Resident};
use super::error::check_input;
use super::perceive::ENTROPIES_LEN;
use super::{Act, Error, FRAME_LEN, OUTPUTS, Observable, OutputsRef, Perceive, SAMPLES, System};
use crate::active_inference::{self, ARRIVALS, Agent};
use crate::information::{CELLS, CHANNELS, Flow, History};
use crate::source::{Tunable, check_len};
use crate::synchronisation::Banks;
use crate::thermodynamic::{Network, Parameters, Program, State, noise_len};

pub use self::marks::{Marks, Span};

/// A system on a device, which takes frame after frame.
#[derive(Debug)]
pub struct Engine {
    resident: Resident,
    /// Frames that were offered to the system, good or not: the number of the next one.
    frames_offered: u64,
    input: PinnedBuffer<f64>,
    /// Where [`call`](Self::call) takes the input to.
    uploaded: DeviceBuffer<f64>,
    /// Where [`call`](Self::call) leaves the outputs.
    downloaded: PinnedBuffer<f64>,
}

/// How the kernels of a frame are launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launches {
    /// Of [`Perceive`].
    pub perceive: Launch,
    /// The network's kernel and its launch.
    pub evolve: Program,
    /// Of [`Observable`].
    pub observable: Launch,
    /// Of [`Infer`](crate::active_inference::Infer).
    pub infer: Launch,
    /// Of [`Act`].
    pub act: Launch,
}

impl Launches {
    /// Launches that fit the device: a block for every multiprocessor where there is work for it.
    ///
    /// # Errors
    /// If a kernel's image is missing or stale, or the device fails.
    pub fn fitting(device: &Device, images: &KernelImages, network: &Parameters) -> Result<Self> {
        let blocks = device.properties().multiprocessors.max(1);
        let threads = Perceive::launch_for(SAMPLES).block[0];
        Ok(Self {
            perceive: Launch::linear(blocks, threads),
            evolve: Program::fitting(device, images, network)?,
            observable: Observable::launch_for(SAMPLES),
            infer: Launch::linear(blocks, active_inference::THREADS),
            act: Act::launch_for(SAMPLES),
        })
    }
}

impl Engine {
    /// Puts `system` on `device`, with the [`Launches::fitting`] it.
    ///
    /// # Errors
    /// If a kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn new(device: &Device, images: &KernelImages, system: &System) -> Result<Self> {
        let launches = Launches::fitting(device, images, system.network().parameters())?;
        Self::with_launches(device, images, system, launches)
    }

    /// Puts `system` on `device`, with launches of the caller's choice.
    ///
    /// # Errors
    /// As for [`new`](Self::new); [`gpu_core::Error::Cooperative`] if the blocks of a kernel do not fit on the device at once.
    pub fn with_launches(
        device: &Device,
        images: &KernelImages,
        system: &System,
        launches: Launches,
    ) -> Result<Self> {
        let mut engine = Self {
            resident: Resident::new(device, images, system, launches)?,
            frames_offered: 0,
            input: device.pinned(FRAME_LEN)?,
            uploaded: device.buffer(FRAME_LEN)?,
            downloaded: device.pinned(OUTPUTS)?,
        };
        engine.reset(&device.stream()?, system)?;
        Ok(engine)
    }

    /// Queues one frame of 900 values and their 900 targets that is on the device, and leaves its [`OUTPUTS`] there, without
    /// waiting. Nobody looks whether they are finite: [`OutputsRef::of_block`] does, once they are on the host.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`]; what a launch fails with. The system is then as it was.
    pub fn enqueue(
        &mut self,
        stream: &Stream,
        frame: DeviceSlice<'_, f64>,
        outputs: DeviceSliceMut<'_, f64>,
    ) -> Result<()> {
        self.frames_offered += 1;
        check_len("the frame", FRAME_LEN, frame.len())?;
        self.resident.enqueue(stream, frame, outputs, None)
    }

    /// One frame of 900 values and their 900 targets, its outputs in page-locked memory: this is what a latency contract
    /// times.
    ///
    /// # Errors
    /// [`Error`]; the system is then as it was.
    pub fn call(&mut self, stream: &Stream, frame: &[f64]) -> Result<OutputsRef<'_>, Error> {
        self.run(stream, frame, None)
    }

    /// As [`call`](Self::call), with events around every kernel, which takes longer.
    ///
    /// # Errors
    /// As for [`call`](Self::call).
    pub fn call_marked(
        &mut self,
        stream: &Stream,
        frame: &[f64],
        marks: &Marks,
    ) -> Result<OutputsRef<'_>, Error> {
        self.run(stream, frame, Some(marks))
    }

    fn run(
        &mut self,
        stream: &Stream,
        frame: &[f64],
        marks: Option<&Marks>,
    ) -> Result<OutputsRef<'_>, Error> {
        let number = self.frames_offered;
        self.frames_offered += 1;
        check_input(number, frame)?;
        self.input.copy_from_slice(frame);
        let before = self.resident.progress;
        let Self { resident, input, uploaded, downloaded, .. } = self;
        let ran = stream.scope(|scope| {
            marks.map_or(Ok(()), |marks| marks.record(stream, 0))?;
            scope.upload(input, uploaded.view_mut())?;
            resident.enqueue(stream, uploaded.view(), scope.lend(downloaded)?, marks)
        });
        let checked = ran.map_err(Error::from).and_then(|()| self.downloaded().check(number));
        if let Err(error) = checked {
            self.resident.progress = before;
            return Err(error);
        }
        Ok(self.downloaded())
    }

    /// The outputs of the last [`call`](Self::call), in page-locked memory; all 0 before the first.
    pub fn downloaded(&self) -> OutputsRef<'_> {
        OutputsRef::read(&self.downloaded)
    }

    /// How its kernels are launched.
    pub fn launches(&self) -> Launches {
        self.resident.launches()
    }

    /// What flowed between the channels in the last frame, after what `stream` has queued.
    ///
    /// # Errors
    /// What the copies fail with.
    pub fn flow(&self, stream: &Stream) -> Result<Flow> {
        let counts = stream.read_vec(self.resident.room.counts.view())?;
        let entropies = stream.read_vec(self.resident.room.flow.view().range(0..ENTROPIES_LEN)?)?;
        let at = |target, source| target * CHANNELS + source;
        Ok(Flow {
            counts: std::array::from_fn(|target| {
                std::array::from_fn(|source| {
                    std::array::from_fn(|cell| counts[at(target, source) * CELLS + cell])
                })
            }),
            entropies: std::array::from_fn(|target| {
                std::array::from_fn(|source| entropies[at(target, source)])
            }),
        })
    }

    /// What the agent saw of the network in the last frame.
    pub fn observations(&self) -> DeviceSlice<'_, f64> {
        self.resident.room.observations.view()
    }

    /// Reads the system back, after what `stream` has queued.
    ///
    /// # Errors
    /// What the copies fail with.
    pub fn system(&self, stream: &Stream) -> Result<System> {
        let Resident { model, progress, constants, .. } = &self.resident;
        let half = self.resident.current();
        let motion = stream.read_vec(half.motion.view())?;
        let (theta, v) = motion.split_at(SAMPLES);
        let state = State {
            theta: theta.to_vec(),
            v: v.to_vec(),
            omega: stream.read_vec(constants.omega.view())?,
            coupling: stream.read_vec(half.coupling.view())?,
        };
        let network = Network::new(model.network, state, model.network_seed)?;
        let agent = Agent::new(model.coupling.clone(), model.agent_seed)
            .with_parameters(model.agent)?
            .with_mu(stream.read_vec(half.mu.view())?)?
            .with_calls(progress.calls)
            .with_foreseen(stream.read_vec(half.foreseen.view())?);
        let phases = stream.read_vec(half.phases.view())?;
        let banks = Banks::new(phases, stream.read_vec(constants.frequencies.view())?)?;
        let history = History::from_words(&stream.read_vec(half.history.view())?);
        let system =
            System::new(history, network.with_steps_done(progress.steps_done), agent, banks)?;
        Ok(system.with_frames_offered(self.frames_offered))
    }

    /// Makes the device's system equal to `system`, after what `stream` has queued.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if its network takes another number of steps a call; what the copies fail with.
    pub fn reset(&mut self, stream: &Stream, system: &System) -> Result<()> {
        let (network, agent) = (system.network(), system.agent());
        let (expected, actual) =
            (noise_len(&self.resident.model.network), noise_len(network.parameters()));
        check_len("the noise of the network", expected, actual)?;
        let resident = &mut self.resident;
        resident.model = Model::of(system);
        resident.progress = Progress {
            steps_done: network.steps_done(),
            calls: agent.calls(),
            current: Place::First,
        };
        self.frames_offered = system.frames_offered();
        let constants = &mut resident.constants;
        stream.write(&network.state().omega, constants.omega.view_mut())?;
        stream.write(agent.coupling().folded(), constants.folded.view_mut())?;
        stream.write(system.banks().frequencies(), constants.frequencies.view_mut())?;
        // A launch that was stopped half-way would have left other counts.
        stream.write(&[0; ARRIVALS], resident.room.agent_arrivals.view_mut())?;
        stream.write(&[0], resident.room.network_arrivals.view_mut())?;
        let (half, _) = resident.halves_mut();
        stream.write(&system.history().words(), half.history.view_mut())?;
        stream.write(&network.state().coupling, half.coupling.view_mut())?;
        let (theta, v) = half.motion.view_mut().split_at(SAMPLES)?;
        stream.write(network.theta(), theta)?;
        stream.write(network.v(), v)?;
        stream.write(agent.mu(), half.mu.view_mut())?;
        stream.write(agent.foreseen(), half.foreseen.view_mut())?;
        stream.write(system.banks().phases(), half.phases.view_mut())
    }

    /// Fills everything that a frame must write before it reads with NaN.
    pub(crate) fn poison(&mut self, stream: &Stream) -> Result<()> {
        self.downloaded.fill(f64::NAN);
        let (_, next) = self.resident.halves_mut();
        stream.write(&[u64::MAX; 2 * CHANNELS], next.history.view_mut())?;
        for buffer in [
            &mut next.coupling,
            &mut next.motion,
            &mut next.mu,
            &mut next.foreseen,
            &mut next.phases,
        ] {
            fill_nan(stream, buffer)?;
        }
        let room = &mut self.resident.room;
        stream.write(&vec![u32::MAX; room.counts.len()], room.counts.view_mut())?;
        for buffer in [
            &mut room.flow,
            &mut room.noise,
            &mut room.observables,
            &mut room.mirror,
            &mut room.observations,
            &mut room.agent,
        ] {
            fill_nan(stream, buffer)?;
        }
        for pairs in [&mut room.table, &mut room.rows, &mut room.scratch] {
            stream.write(&vec![[f64::NAN; 2]; pairs.len()], pairs.view_mut())?;
        }
        Ok(())
    }
}

fn fill_nan(stream: &Stream, buffer: &mut DeviceBuffer<f64>) -> Result<()> {
    stream.write(&vec![f64::NAN; buffer.len()], buffer.view_mut())
}
