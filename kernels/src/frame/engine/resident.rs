//! What of a system lives on the device, and how a frame changes it.
//!
//! State is kept twice. A frame reads the half that the last good one filled and fills the other, so that a frame
//! that fails is taken back by not counting it. Nothing is copied for that: what a frame changes it writes once
//! anyhow, and the network's motion is handed on by a kernel that waits for memory at that time.

use std::sync::Arc;

use gpu_core::{
    Device, DeviceBuffer, DeviceSlice, DeviceSliceMut, KernelImages, Prepared, Result, Stream,
};

use super::{Launches, Marks};
use crate::active_inference::{
    self, ARRIVALS, Coupling, Infer, InferArgs, OBSERVATIONS, POLICIES, parts_for,
};
use crate::frame::perceive::{COUNTS_LEN, COUPLINGS, ENTROPIES_LEN, HISTORY_LEN};
use crate::frame::{
    Act, ActArgs, FRAME_LEN, Observable, ObservableArgs, Perceive, PerceiveArgs, SAMPLES, System,
};
use crate::source::Tunable;
use crate::thermodynamic::{
    self, EvolveArgs, OBSERVABLES, PreparedProgram, noise_len, results_len,
};

/// The kernels of a frame, in their order.
#[derive(Debug)]
pub(super) struct Programs {
    perceive: Prepared<Perceive>,
    evolve: PreparedProgram,
    observable: Prepared<Observable>,
    infer: Prepared<Infer>,
    act: Prepared<Act>,
}

/// What a frame leaves as it is, beside the buffers.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) network: thermodynamic::Parameters,
    pub(super) network_seed: u64,
    pub(super) agent: active_inference::Parameters,
    pub(super) agent_seed: u64,
    pub(super) coupling: Arc<Coupling>,
}

/// How far the system has come: what a frame that fails puts back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) steps_done: u64,
    pub(super) calls: u64,
    /// The half that holds the state.
    pub(super) current: Place,
}

/// One of the two halves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    First,
    Second,
}

/// The state of the system, once.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) history: DeviceBuffer<u64>,
    pub(super) coupling: DeviceBuffer<f64>,
    /// Angles, then velocities.
    pub(super) motion: DeviceBuffer<f64>,
    pub(super) mu: DeviceBuffer<f64>,
    pub(super) foreseen: DeviceBuffer<f64>,
    pub(super) phases: DeviceBuffer<f64>,
}

/// What no frame changes.
#[derive(Debug)]
pub(super) struct Constants {
    pub(super) omega: DeviceBuffer<f64>,
    pub(super) folded: DeviceBuffer<f64>,
    pub(super) frequencies: DeviceBuffer<f64>,
}

/// What the kernels of one frame leave for each other.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) counts: DeviceBuffer<u32>,
    /// Every transfer entropy, then the largest.
    pub(super) flow: DeviceBuffer<f64>,
    pub(super) table: DeviceBuffer<[f64; 2]>,
    pub(super) noise: DeviceBuffer<f64>,
    pub(super) rows: DeviceBuffer<[f64; 2]>,
    pub(super) observables: DeviceBuffer<f64>,
    pub(super) mirror: DeviceBuffer<f64>,
    pub(super) network_arrivals: DeviceBuffer<u64>,
    pub(super) observations: DeviceBuffer<f64>,
    pub(super) agent: DeviceBuffer<f64>,
    pub(super) scratch: DeviceBuffer<[f64; 2]>,
    pub(super) agent_arrivals: DeviceBuffer<u32>,
}

/// What lives on the device, and what a launch needs beside it.
#[derive(Debug)]
pub(super) struct Resident {
    programs: Programs,
    /// Into how many parts the substeps of the agent are cut.
    parts: u32,
    pub(super) model: Model,
    pub(super) progress: Progress,
    first: Half,
    second: Half,
    pub(super) constants: Constants,
    pub(super) room: Room,
}

/// One frame, to be queued kernel by kernel.
struct Frame<'a> {
    stream: &'a Stream,
    programs: &'a Programs,
    model: &'a Model,
    progress: Progress,
    parts: u32,
    input: DeviceSlice<'a, f64>,
    now: &'a Half,
    next: &'a mut Half,
    constants: &'a Constants,
    room: &'a mut Room,
}

impl Model {
    pub(super) fn of(system: &System) -> Self {
        let (network, agent) = (system.network(), system.agent());
        Self {
            network: *network.parameters(),
            network_seed: network.seed(),
            agent: *agent.parameters(),
            agent_seed: agent.seed(),
            coupling: Arc::clone(agent.coupling()),
        }
    }
}

impl Half {
    fn new(device: &Device) -> Result<Self> {
        Ok(Self {
            history: device.buffer(HISTORY_LEN)?,
            coupling: device.buffer(COUPLINGS)?,
            motion: device.buffer(2 * SAMPLES)?,
            mu: device.buffer(SAMPLES)?,
            foreseen: device.buffer(POLICIES * SAMPLES)?,
            phases: device.buffer(2 * SAMPLES)?,
        })
    }
}

impl Room {
    fn new(device: &Device, network: &thermodynamic::Parameters, parts: u32) -> Result<Self> {
        Ok(Self {
            counts: device.buffer(COUNTS_LEN)?,
            flow: device.buffer(ENTROPIES_LEN + 1)?,
            table: device.buffer(2 * SAMPLES)?,
            noise: device.buffer(noise_len(network))?,
            rows: device.buffer(SAMPLES)?,
            observables: device.buffer(OBSERVABLES)?,
            mirror: device.buffer(results_len(SAMPLES))?,
            network_arrivals: device.buffer(1)?,
            observations: device.buffer(OBSERVATIONS)?,
            agent: device.buffer(active_inference::OUTPUTS)?,
            scratch: device.buffer(InferArgs::scratch_len(parts))?,
            agent_arrivals: device.buffer(ARRIVALS)?,
        })
    }
}

impl Resident {
    pub(super) fn new(
        device: &Device,
        images: &KernelImages,
        system: &System,
        launches: Launches,
    ) -> Result<Self> {
        let Launches { perceive, evolve, observable, infer, act } = launches;
        let programs = Programs {
            perceive: Perceive::prepare(device, images, perceive)?,
            evolve: evolve.prepare(device, images)?,
            observable: Observable::prepare(device, images, observable)?,
            infer: Infer::prepare(device, images, infer)?,
            act: Act::prepare(device, images, act)?,
        };
        let (model, parts) = (Model::of(system), parts_for(&infer));
        let room = Room::new(device, &model.network, parts)?;
        let constants = Constants {
            omega: device.buffer(SAMPLES)?,
            folded: device.buffer(model.coupling.folded().len())?,
            frequencies: device.buffer(2 * SAMPLES)?,
        };
        let progress = Progress { steps_done: 0, calls: 0, current: Place::First };
        let (first, second) = (Half::new(device)?, Half::new(device)?);
        Ok(Self { programs, parts, model, progress, first, second, constants, room })
    }

    /// Queues one frame, which makes the other half the current one.
    pub(super) fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, f64>,
        outputs: DeviceSliceMut<'_, f64>,
        marks: Option<&Marks>,
    ) -> Result<()> {
        let mark = |parts| marks.map_or(Ok(()), |marks| marks.record(stream, parts));
        let (now, next, filled) = match self.progress.current {
            Place::First => (&self.first, &mut self.second, Place::Second),
            Place::Second => (&self.second, &mut self.first, Place::First),
        };
        let mut frame = Frame {
            stream,
            programs: &self.programs,
            model: &self.model,
            progress: self.progress,
            parts: self.parts,
            input,
            now,
            next,
            constants: &self.constants,
            room: &mut self.room,
        };
        mark(1)?;
        frame.perceive()?;
        mark(2)?;
        frame.evolve()?;
        mark(3)?;
        frame.observe()?;
        mark(4)?;
        frame.infer()?;
        mark(5)?;
        frame.act(outputs)?;
        mark(6)?;
        self.progress = Progress {
            steps_done: self.progress.steps_done + u64::from(self.model.network.steps),
            calls: self.progress.calls + 1,
            current: filled,
        };
        Ok(())
    }

    /// The half that holds the state.
    pub(super) fn current(&self) -> &Half {
        match self.progress.current {
            Place::First => &self.first,
            Place::Second => &self.second,
        }
    }

    /// The half that holds the state, and the one that the next frame fills.
    pub(super) fn halves_mut(&mut self) -> (&mut Half, &mut Half) {
        match self.progress.current {
            Place::First => (&mut self.first, &mut self.second),
            Place::Second => (&mut self.second, &mut self.first),
        }
    }

    pub(super) fn launches(&self) -> Launches {
        let Programs { perceive, evolve, observable, infer, act } = &self.programs;
        Launches {
            perceive: *perceive.launch(),
            evolve: evolve.program(),
            observable: *observable.launch(),
            infer: *infer.launch(),
            act: *act.launch(),
        }
    }
}

impl Frame<'_> {
    fn perceive(&mut self) -> Result<()> {
        let (entropies, te_max) = self.room.flow.view_mut().split_at(ENTROPIES_LEN)?;
        let args = PerceiveArgs {
            values: self.input.range(0..SAMPLES)?,
            history: self.now.history.view(),
            coupling: self.now.coupling.view(),
            motion: self.now.motion.view(),
            next_history: self.next.history.view_mut(),
            next_coupling: self.next.coupling.view_mut(),
            next_motion: self.next.motion.view_mut(),
            counts: self.room.counts.view_mut(),
            entropies,
            te_max,
        };
        self.stream.launch(&self.programs.perceive, args)
    }

    fn evolve(&mut self) -> Result<()> {
        let (theta, v) = self.next.motion.view_mut().split_at(SAMPLES)?;
        let args = EvolveArgs {
            coupling: self.next.coupling.view(),
            omega: self.constants.omega.view(),
            theta,
            v,
            table: self.room.table.view_mut(),
            noise: self.room.noise.view_mut(),
            rows: self.room.rows.view_mut(),
            observables: self.room.observables.view_mut(),
            mirror: self.room.mirror.view_mut(),
            arrivals: self.room.network_arrivals.view_mut(),
            parameters: self.model.network,
            seed: self.model.network_seed,
            steps_done: self.progress.steps_done,
        };
        self.programs.evolve.launch(self.stream, args)
    }

    fn observe(&mut self) -> Result<()> {
        let args = ObservableArgs {
            theta: self.next.motion.view().range(0..SAMPLES)?,
            observations: self.room.observations.view_mut(),
        };
        self.stream.launch(&self.programs.observable, args)
    }

    fn infer(&mut self) -> Result<()> {
        let args = InferArgs {
            observations: self.room.observations.view(),
            folded: self.constants.folded.view(),
            mu: self.now.mu.view(),
            outputs: self.room.agent.view_mut(),
            foreseen: self.next.foreseen.view_mut(),
            scratch: self.room.scratch.view_mut(),
            arrivals: self.room.agent_arrivals.view_mut(),
            parts: self.parts,
            parameters: self.model.agent,
            seed: self.model.agent_seed,
            calls: self.progress.calls,
        };
        self.stream.launch(&self.programs.infer, args)
    }

    fn act(&mut self, outputs: DeviceSliceMut<'_, f64>) -> Result<()> {
        let args = ActArgs {
            agent: self.room.agent.view(),
            observables: self.room.observables.view(),
            te_max: self.room.flow.view().range(ENTROPIES_LEN..ENTROPIES_LEN + 1)?,
            targets: self.input.range(SAMPLES..FRAME_LEN)?,
            theta: self.next.motion.view().range(0..SAMPLES)?,
            phases: self.now.phases.view(),
            frequencies: self.constants.frequencies.view(),
            next_mu: self.next.mu.view_mut(),
            next_phases: self.next.phases.view_mut(),
            outputs,
        };
        self.stream.launch(&self.programs.act, args)
    }
}
