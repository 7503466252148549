//! A network whose state lives on a device.
//!
//! Everything it needs is allocated once: a call allocates nothing, frees nothing and uploads nothing.

use gpu_core::{
    Device, DeviceBuffer, DeviceSlice, DeviceSliceMut, Event, KernelImages, Launch, PinnedBuffer,
    Prepared, Result, Stream,
};

use super::evolve::{noise_len, results_len};
use super::evolve_resident::ROWS_MAX;
use super::{
    Evolve, EvolveArgs, EvolveResident, Network, OBSERVABLES, Observables, Parameters, State,
};
use crate::source::{Tunable, check_len};

/// A network on a device, evolved call by call.
#[derive(Debug)]
pub struct Evolution {
    prepared: PreparedProgram,
    parameters: Parameters,
    seed: u64,
    steps_done: u64,
    buffers: Buffers,
    /// Where [`enqueue`](Self::enqueue) mirrors the results.
    mirror: DeviceBuffer<f64>,
    /// Where [`call`](Self::call) mirrors the results.
    downloaded: PinnedBuffer<f64>,
}

/// Which kernel runs a network, and how it is launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// [`EvolveResident`]: the matrix stays on the chip during a call.
    Resident(Launch),
    /// [`Evolve`]: the matrix is read in every step.
    Streaming(Launch),
}

/// A program that can be launched.
#[derive(Debug)]
pub(crate) enum PreparedProgram {
    Resident(Prepared<EvolveResident>),
    Streaming(Prepared<Evolve>),
}

#[derive(Debug)]
struct Buffers {
    coupling: DeviceBuffer<f64>,
    omega: DeviceBuffer<f64>,
    /// Angles, velocities and observables, one after the other, so that one copy brings all of them.
    results: DeviceBuffer<f64>,
    table: DeviceBuffer<[f64; 2]>,
    noise: DeviceBuffer<f64>,
    rows: DeviceBuffer<[f64; 2]>,
    arrivals: DeviceBuffer<u64>,
}

/// What differs from call to call.
#[derive(Clone, Copy)]
struct Call {
    parameters: Parameters,
    seed: u64,
    steps_done: u64,
}

impl Call {
    fn enqueue(
        self,
        stream: &Stream,
        prepared: &PreparedProgram,
        buffers: &mut Buffers,
        mirror: DeviceSliceMut<'_, f64>,
    ) -> Result<()> {
        let (theta, rest) = buffers.results.view_mut().split_at(self.parameters.n)?;
        let (v, observables) = rest.split_at(self.parameters.n)?;
        let args = EvolveArgs {
            coupling: buffers.coupling.view(),
            omega: buffers.omega.view(),
            theta,
            v,
            table: buffers.table.view_mut(),
            noise: buffers.noise.view_mut(),
            rows: buffers.rows.view_mut(),
            observables,
            mirror,
            arrivals: buffers.arrivals.view_mut(),
            parameters: self.parameters,
            seed: self.seed,
            steps_done: self.steps_done,
        };
        prepared.launch(stream, args)
    }
}

impl Program {
    /// The program that fits a network of these parameters: resident where the device can hold it.
    ///
    /// # Errors
    /// If the kernel's image is missing or stale, or the device fails.
    pub fn fitting(
        device: &Device,
        images: &KernelImages,
        parameters: &Parameters,
    ) -> Result<Self> {
        let n = parameters.n;
        let multiprocessors = device.properties().multiprocessors.max(1);
        let rows = u32::try_from(n.div_ceil(multiprocessors as usize)).unwrap_or(u32::MAX);
        if rows <= ROWS_MAX && EvolveResident::check_size(parameters).is_ok() {
            return Ok(Self::Resident(EvolveResident::launch(n, rows)));
        }
        let wanted = Evolve::launch_for(n);
        // A block alone always fits; the driver then tells how many fit beside it.
        let single = Evolve::prepare(device, images, Launch::linear(1, wanted.block[0]))?;
        let resident = single
            .blocks_per_multiprocessor()?
            .map_or(u32::MAX, |blocks| blocks.saturating_mul(multiprocessors).max(1));
        Ok(Self::Streaming(Launch::linear(wanted.grid[0].min(resident), wanted.block[0])))
    }

    /// The launch of its kernel.
    pub fn launch(&self) -> Launch {
        match self {
            Self::Resident(launch) | Self::Streaming(launch) => *launch,
        }
    }

    pub(crate) fn prepare(self, device: &Device, images: &KernelImages) -> Result<PreparedProgram> {
        Ok(match self {
            Self::Resident(launch) => {
                PreparedProgram::Resident(EvolveResident::prepare(device, images, launch)?)
            }
            Self::Streaming(launch) => {
                PreparedProgram::Streaming(Evolve::prepare(device, images, launch)?)
            }
        })
    }
}

impl PreparedProgram {
    /// The kernel and its launch.
    pub(crate) fn program(&self) -> Program {
        match self {
            Self::Resident(prepared) => Program::Resident(*prepared.launch()),
            Self::Streaming(prepared) => Program::Streaming(*prepared.launch()),
        }
    }

    /// Queues one call of the network that `args` hold.
    pub(crate) fn launch(&self, stream: &Stream, args: EvolveArgs<'_>) -> Result<()> {
        match self {
            Self::Resident(prepared) => stream.launch(prepared, args),
            Self::Streaming(prepared) => stream.launch(prepared, args),
        }
    }
}

impl Evolution {
    /// Puts `network` on `device`, with the [`Program::fitting`] it.
    ///
    /// # Errors
    /// If the kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn new(device: &Device, images: &KernelImages, network: &Network) -> Result<Self> {
        let program = Program::fitting(device, images, network.parameters())?;
        Self::with_program(device, images, network, program)
    }

    /// Puts `network` on `device`, with a program of the caller's choice.
    ///
    /// # Errors
    /// As for [`new`](Self::new); [`gpu_core::Error::Cooperative`] if the blocks do not fit on the device at once.
    /// A network that the resident program cannot hold is refused by its first call, as [`gpu_core::Error::Argument`].
    pub fn with_program(
        device: &Device,
        images: &KernelImages,
        network: &Network,
        program: Program,
    ) -> Result<Self> {
        let parameters = *network.parameters();
        let n = parameters.n;
        let mut evolution = Self {
            prepared: program.prepare(device, images)?,
            parameters,
            seed: network.seed(),
            steps_done: network.steps_done(),
            buffers: Buffers {
                coupling: device.buffer(n.saturating_mul(n))?,
                omega: device.buffer(n)?,
                results: device.buffer(results_len(n))?,
                table: device.buffer(2 * n)?,
                noise: device.buffer(noise_len(&parameters))?,
                rows: device.buffer(n)?,
                arrivals: device.buffer(1)?,
            },
            mirror: device.buffer(results_len(n))?,
            downloaded: device.pinned(results_len(n))?,
        };
        evolution.reset(&device.stream()?, network)?;
        Ok(evolution)
    }

    /// Queues one call. The state and the results stay on the device.
    ///
    /// # Errors
    /// What the launch fails with; the network is then as it was.
    pub fn enqueue(&mut self, stream: &Stream) -> Result<()> {
        let Self { prepared, buffers, mirror, .. } = self;
        let call =
            Call { parameters: self.parameters, seed: self.seed, steps_done: self.steps_done };
        call.enqueue(stream, prepared, buffers, mirror.view_mut())?;
        self.steps_done += u64::from(self.parameters.steps);
        Ok(())
    }

    /// One call, its results in [`downloaded`](Self::downloaded) and returned: this is what a latency contract times.
    /// The kernel writes them into page-locked memory itself.
    ///
    /// # Errors
    /// What the call fails with. [`reset`](Self::reset) then brings the network to a known state.
    pub fn call(&mut self, stream: &Stream) -> Result<Observables> {
        self.call_between(stream, None)
    }

    /// As [`call`](Self::call), with an event recorded before the kernel and one after it.
    ///
    /// # Errors
    /// As for [`call`](Self::call).
    pub fn call_marked(&mut self, stream: &Stream, marks: [&Event; 2]) -> Result<Observables> {
        self.call_between(stream, Some(marks))
    }

    fn call_between(&mut self, stream: &Stream, marks: Option<[&Event; 2]>) -> Result<Observables> {
        let Self { prepared, buffers, downloaded, .. } = self;
        let call =
            Call { parameters: self.parameters, seed: self.seed, steps_done: self.steps_done };
        let mark = |place: usize| marks.map_or(Ok(()), |marks| stream.record(marks[place]));
        stream.scope(|scope| {
            mark(0)?;
            call.enqueue(stream, prepared, buffers, scope.lend(downloaded)?)?;
            mark(1)
        })?;
        self.steps_done += u64::from(self.parameters.steps);
        let mut observables = [0.0; OBSERVABLES];
        observables.copy_from_slice(&self.downloaded[2 * self.parameters.n..]);
        Ok(Observables::from_device(observables))
    }

    /// Angles and velocities as the last [`call`](Self::call) left them, in page-locked memory.
    pub fn downloaded(&self) -> (&[f64], &[f64]) {
        let n = self.parameters.n;
        self.downloaded[..2 * n].split_at(n)
    }

    /// Angles on the device.
    pub fn theta(&self) -> DeviceSlice<'_, f64> {
        self.results(0, self.parameters.n)
    }

    /// Velocities on the device.
    pub fn v(&self) -> DeviceSlice<'_, f64> {
        self.results(self.parameters.n, self.parameters.n)
    }

    /// The observables of the last call on the device, in the order of [`Observables`].
    pub fn observables(&self) -> DeviceSlice<'_, f64> {
        self.results(2 * self.parameters.n, OBSERVABLES)
    }

    fn results(&self, from: usize, len: usize) -> DeviceSlice<'_, f64> {
        let all = self.buffers.results.view();
        all.range(from..from + len).expect("the results hold angles, velocities and observables")
    }

    /// The kernel of a call and its launch.
    pub fn program(&self) -> Program {
        self.prepared.program()
    }

    /// Reads the observables of the last call back, after what `stream` has queued.
    ///
    /// # Errors
    /// What the copy fails with.
    pub fn seen(&self, stream: &Stream) -> Result<Observables> {
        let mut observables = [0.0; OBSERVABLES];
        stream.read(self.observables(), &mut observables)?;
        Ok(Observables::from_device(observables))
    }

    /// Reads the whole network back, after what `stream` has queued.
    ///
    /// # Errors
    /// What the copies fail with.
    pub fn network(&self, stream: &Stream) -> Result<Network> {
        let state = State {
            theta: stream.read_vec(self.theta())?,
            v: stream.read_vec(self.v())?,
            omega: stream.read_vec(self.buffers.omega.view())?,
            coupling: stream.read_vec(self.buffers.coupling.view())?,
        };
        let network = Network::new(self.parameters, state, self.seed)?;
        Ok(network.with_steps_done(self.steps_done))
    }

    /// Makes the device's network equal to `network`, after what `stream` has queued.
    ///
    /// # Errors
    /// [`gpu_core::Error::Length`] if it has another number of oscillators, or of steps in a call; what the copies fail with.
    pub fn reset(&mut self, stream: &Stream, network: &Network) -> Result<()> {
        let parameters = *network.parameters();
        check_len("the network of the reset", self.parameters.n, parameters.n)?;
        let (expected, actual) = (noise_len(&self.parameters), noise_len(&parameters));
        check_len("the noise of the network", expected, actual)?;
        let State { theta, v, omega, coupling } = network.state();
        stream.write(coupling, self.buffers.coupling.view_mut())?;
        stream.write(omega, self.buffers.omega.view_mut())?;
        let (angles, rest) = self.buffers.results.view_mut().split_at(self.parameters.n)?;
        stream.write(theta, angles)?;
        stream.write(v, rest.range(0..self.parameters.n)?)?;
        self.parameters = parameters;
        self.seed = network.seed();
        self.steps_done = network.steps_done();
        Ok(())
    }

    /// Fills everything that a call must write before it reads with NaN, so that what a launch leaves out shows.
    ///
    /// # Errors
    /// What the copies fail with.
    pub fn poison(&mut self, stream: &Stream) -> Result<()> {
        let buffers = &mut self.buffers;
        for pairs in [&mut buffers.table, &mut buffers.rows] {
            stream.write(&vec![[f64::NAN; 2]; pairs.len()], pairs.view_mut())?;
        }
        let noise = &mut buffers.noise;
        stream.write(&vec![f64::NAN; noise.len()], noise.view_mut())?;
        self.downloaded.fill(f64::NAN);
        let (_, observables) = buffers.results.view_mut().split_at(2 * self.parameters.n)?;
        stream.write(&[f64::NAN; OBSERVABLES], observables)
    }
}
