//! An agent whose state lives on a device.
//!
//! Everything it needs is allocated once: a call allocates nothing and frees nothing. Each call reads the mean from one block of
//! outputs and leaves it in the other, so a call that fails leaves the state of the last good one in place.

use std::sync::Arc;

use gpu_core::{
    Device, DeviceBuffer, DeviceSlice, DeviceSliceMut, Error, Kernel, KernelImages, Launch,
    PinnedBuffer, Prepared, Result, Stream,
};

use super::infer::{ARRIVALS, THREADS, parts_for};
use super::outputs::{MU, U};
use super::{
    Agent, Coupling, Infer, InferArgs, OBSERVATIONS, OUTPUTS, Outputs, OutputsRef, POLICIES,
    Parameters, WINDOWS,
};
use crate::source::{Tunable, check_len};

/// An agent on a device, called again and again.
#[derive(Debug)]
pub struct Inference {
    resident: Resident,
    input: PinnedBuffer<f64>,
    output: PinnedBuffer<f64>,
}

/// What lives on the device, and what a launch needs beside it.
#[derive(Debug)]
struct Resident {
    prepared: Prepared<Infer>,
    parts: u32,
    parameters: Parameters,
    coupling: Arc<Coupling>,
    seed: u64,
    progress: Progress,
    buffers: Buffers,
}

/// How far the agent has come: what a call that fails puts back.
#[derive(Clone, Copy, Debug)]
struct Progress {
    calls: u64,
    /// The block of outputs that the last call filled; it holds the mean.
    current: Half,
}

/// One of the two blocks of outputs.
#[derive(Clone, Copy, Debug)]
enum Half {
    First,
    Second,
}

#[derive(Debug)]
struct Buffers {
    observations: DeviceBuffer<f64>,
    folded: DeviceBuffer<f64>,
    first: DeviceBuffer<f64>,
    second: DeviceBuffer<f64>,
    foreseen: DeviceBuffer<f64>,
    scratch: DeviceBuffer<[f64; 2]>,
    arrivals: DeviceBuffer<u32>,
}

impl Inference {
    /// Puts `agent` on `device`, with a block for every multiprocessor.
    ///
    /// # Errors
    /// If the kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn new(device: &Device, images: &KernelImages, agent: &Agent) -> Result<Self> {
        let blocks = device.properties().multiprocessors.max(1);
        Self::with_launch(device, images, agent, Launch::linear(blocks, THREADS))
    }

    /// Puts `agent` on `device`, with a launch of the caller's choice.
    ///
    /// # Errors
    /// As for [`new`](Self::new); [`gpu_core::Error::Cooperative`] if the blocks do not fit on the device at once.
    pub fn with_launch(
        device: &Device,
        images: &KernelImages,
        agent: &Agent,
        launch: Launch,
    ) -> Result<Self> {
        let parts = parts_for(&launch);
        let buffers = Buffers {
            observations: device.buffer(OBSERVATIONS)?,
            folded: device.buffer(agent.coupling().folded().len())?,
            first: device.buffer(OUTPUTS)?,
            second: device.buffer(OUTPUTS)?,
            foreseen: device.buffer(POLICIES * WINDOWS)?,
            scratch: device.buffer(InferArgs::scratch_len(parts))?,
            arrivals: device.buffer(ARRIVALS)?,
        };
        let resident = Resident {
            prepared: Infer::prepare(device, images, launch)?,
            parts,
            parameters: *agent.parameters(),
            coupling: Arc::clone(agent.coupling()),
            seed: agent.seed(),
            progress: Progress { calls: agent.calls(), current: Half::First },
            buffers,
        };
        let (input, output) = (device.pinned(OBSERVATIONS)?, device.pinned(OUTPUTS)?);
        let mut inference = Self { resident, input, output };
        inference.reset(&device.stream()?, agent)?;
        Ok(inference)
    }

    /// Queues one call on the observations in [`observations_mut`](Self::observations_mut). The state stays on the device.
    ///
    /// # Errors
    /// What the launch fails with; the agent is then as it was.
    pub fn enqueue(&mut self, stream: &Stream) -> Result<()> {
        self.resident.enqueue(stream, None)
    }

    /// Queues one call on observations that are elsewhere on the device.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if there are not 100 of them; what the launch fails with. The agent is then as it was.
    pub fn enqueue_from(
        &mut self,
        stream: &Stream,
        observations: DeviceSlice<'_, f64>,
    ) -> Result<()> {
        self.resident.enqueue(stream, Some(observations))
    }

    /// One call from `observations` to its outputs in page-locked memory: this is what a latency contract times.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] or [`gpu_core::Error::Argument`] if the observations are not 100 finite numbers, or if what
    /// comes out of them is not finite; what the copies and the call fail with. Mean and random numbers are then as
    /// before the call; what it left elsewhere means nothing.
    pub fn call(&mut self, stream: &Stream, observations: &[f64]) -> Result<OutputsRef<'_>> {
        check_len("the frame of observations", OBSERVATIONS, observations.len())?;
        check_finite(observations, "an observation is not finite; leave this frame out")?;
        let before = self.resident.progress;
        self.input.copy_from_slice(observations);
        let (resident, input, output) = (&mut self.resident, &self.input, &mut self.output);
        let called = stream.scope(|scope| {
            scope.upload(input, resident.buffers.observations.view_mut())?;
            resident.enqueue(scope.stream(), None)?;
            scope.download(resident.outputs(), output)
        });
        let reason = "its results are not finite; the observations or the mean are too large";
        if let Err(error) = called.and_then(|()| check_finite(&self.output, reason)) {
            self.resident.progress = before;
            return Err(error);
        }
        Ok(self.downloaded())
    }

    /// The outputs of the last [`call`](Self::call), in page-locked memory; all 0 before the first.
    pub fn downloaded(&self) -> OutputsRef<'_> {
        OutputsRef::read(&self.output)
    }

    /// Where [`enqueue`](Self::enqueue) finds its observations.
    pub fn observations_mut(&mut self) -> DeviceSliceMut<'_, f64> {
        self.resident.buffers.observations.view_mut()
    }

    /// The outputs of the last call on the device: mu, u, the free energies, G and the policy.
    pub fn outputs(&self) -> DeviceSlice<'_, f64> {
        self.resident.outputs()
    }

    /// The mean on the device.
    pub fn mu(&self) -> DeviceSlice<'_, f64> {
        self.outputs().range(MU).expect("the outputs hold the mean")
    }

    /// The mean on the device, for a control loop that corrects it between two calls.
    pub fn mu_mut(&mut self) -> DeviceSliceMut<'_, f64> {
        let (current, _) = self.resident.halves();
        current.view_mut().range(MU).expect("the outputs hold the mean")
    }

    /// The action on the device.
    pub fn u(&self) -> DeviceSlice<'_, f64> {
        self.outputs().range(U).expect("the outputs hold the action")
    }

    /// Where the last call saw the windows at the end of the horizon, policy by policy, on the device.
    pub fn foreseen(&self) -> DeviceSlice<'_, f64> {
        self.resident.buffers.foreseen.view()
    }

    /// The kernel of a call: its launch, and what its compiler made of it.
    pub fn prepared(&self) -> &Prepared<Infer> {
        &self.resident.prepared
    }

    /// Reads the outputs of the last call back, after what `stream` has queued.
    ///
    /// # Errors
    /// What the copy fails with.
    pub fn seen(&self, stream: &Stream) -> Result<Outputs> {
        Ok(Outputs::from(OutputsRef::read(&stream.read_vec(self.outputs())?)))
    }

    /// Reads the agent back, after what `stream` has queued.
    ///
    /// # Errors
    /// What the copies fail with.
    pub fn agent(&self, stream: &Stream) -> Result<Agent> {
        let Resident { coupling, seed, parameters, progress, .. } = &self.resident;
        Ok(Agent::new(Arc::clone(coupling), *seed)
            .with_parameters(*parameters)?
            .with_mu(stream.read_vec(self.mu())?)?
            .with_calls(progress.calls)
            .with_foreseen(stream.read_vec(self.foreseen())?))
    }

    /// Makes the device's agent equal to `agent`, after what `stream` has queued.
    ///
    /// # Errors
    /// What the copies fail with.
    pub fn reset(&mut self, stream: &Stream, agent: &Agent) -> Result<()> {
        stream.write(agent.mu(), self.mu_mut())?;
        let resident = &mut self.resident;
        stream.write(agent.coupling().folded(), resident.buffers.folded.view_mut())?;
        stream.write(agent.foreseen(), resident.buffers.foreseen.view_mut())?;
        // A launch that was stopped half-way would have left other counts.
        stream.write(&[0; ARRIVALS], resident.buffers.arrivals.view_mut())?;
        resident.parameters = *agent.parameters();
        resident.coupling = Arc::clone(agent.coupling());
        resident.seed = agent.seed();
        resident.progress.calls = agent.calls();
        Ok(())
    }

    /// Fills everything that a call must write before it reads with NaN, so that what a launch leaves out shows.
    ///
    /// # Errors
    /// What the copies fail with.
    pub fn poison(&mut self, stream: &Stream) -> Result<()> {
        let (_, next) = self.resident.halves();
        stream.write(&[f64::NAN; OUTPUTS], next.view_mut())?;
        let Buffers { foreseen, scratch, .. } = &mut self.resident.buffers;
        stream.write(&[f64::NAN; POLICIES * WINDOWS], foreseen.view_mut())?;
        stream.write(&vec![[f64::NAN; 2]; scratch.len()], scratch.view_mut())
    }
}

impl Resident {
    /// Queues one call, which makes the other block of outputs the current one.
    fn enqueue(
        &mut self,
        stream: &Stream,
        observations: Option<DeviceSlice<'_, f64>>,
    ) -> Result<()> {
        let Buffers { observations: own, folded, first, second, foreseen, scratch, arrivals } =
            &mut self.buffers;
        let (mu, outputs, next) = match self.progress.current {
            Half::First => (first.view(), second.view_mut(), Half::Second),
            Half::Second => (second.view(), first.view_mut(), Half::First),
        };
        let args = InferArgs {
            observations: observations.unwrap_or_else(|| own.view()),
            folded: folded.view(),
            mu: mu.range(MU)?,
            outputs,
            foreseen: foreseen.view_mut(),
            scratch: scratch.view_mut(),
            arrivals: arrivals.view_mut(),
            parts: self.parts,
            parameters: self.parameters,
            seed: self.seed,
            calls: self.progress.calls,
        };
        stream.launch(&self.prepared, args)?;
        self.progress = Progress { calls: self.progress.calls + 1, current: next };
        Ok(())
    }

    fn outputs(&self) -> DeviceSlice<'_, f64> {
        match self.progress.current {
            Half::First => self.buffers.first.view(),
            Half::Second => self.buffers.second.view(),
        }
    }

    /// The block of outputs that holds the mean, and the one that the next call fills.
    fn halves(&mut self) -> (&mut DeviceBuffer<f64>, &mut DeviceBuffer<f64>) {
        let Buffers { first, second, .. } = &mut self.buffers;
        match self.progress.current {
            Half::First => (first, second),
            Half::Second => (second, first),
        }
    }
}

/// Refuses numbers that are not finite.
fn check_finite(numbers: &[f64], reason: &'static str) -> Result<()> {
    if numbers.iter().all(|number| number.is_finite()) {
        return Ok(());
    }
    Err(Error::Argument { kernel: Infer::CONTRACT.entry, reason })
}
