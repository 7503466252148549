//! A network whose state lives on a device.
//!
//! Everything it needs is allocated once: a call allocates nothing, frees nothing and uploads nothing.

use gpu_core::{
    Device, DeviceBuffer, DeviceSlice, KernelImages, Launch, PinnedBuffer, Prepared, Result, Stream,
};

use super::evolve::noise_len;
use super::{Evolve, EvolveArgs, Network, OBSERVABLES, Observables, Parameters, State};
use crate::source::{Tunable, check_len};

/// A network on a device, evolved call by call.
#[derive(Debug)]
pub struct Evolution {
    prepared: Prepared<Evolve>,
    parameters: Parameters,
    seed: u64,
    steps_done: u64,
    buffers: Buffers,
    outputs: Outputs,
}

#[derive(Debug)]
struct Buffers {
    coupling: DeviceBuffer<f64>,
    omega: DeviceBuffer<f64>,
    theta: DeviceBuffer<f64>,
    v: DeviceBuffer<f64>,
    table: DeviceBuffer<[f64; 2]>,
    noise: DeviceBuffer<f64>,
    rows: DeviceBuffer<[f64; 2]>,
    observables: DeviceBuffer<f64>,
}

/// Where [`Evolution::call`] downloads to.
#[derive(Debug)]
struct Outputs {
    theta: PinnedBuffer<f64>,
    v: PinnedBuffer<f64>,
    observables: PinnedBuffer<f64>,
}

impl Evolution {
    /// Puts `network` on `device`, with a launch that fits it.
    ///
    /// # Errors
    /// If the kernel's image is missing or stale, memory runs out, or the device fails.
    pub fn new(device: &Device, images: &KernelImages, network: &Network) -> Result<Self> {
        let module = images.module(device, &Evolve::SOURCE)?;
        let wanted = Evolve::launch_for(network.parameters().n);
        // A block alone always fits; the driver then tells how many fit beside it.
        let single = Prepared::<Evolve>::new(device, &module, Launch::linear(1, wanted.block[0]))?;
        let resident = single.blocks_per_multiprocessor()?.map_or(u32::MAX, |blocks| {
            blocks.saturating_mul(device.properties().multiprocessors).max(1)
        });
        let fitting = Launch::linear(wanted.grid[0].min(resident), wanted.block[0]);
        Self::with_prepared(device, Prepared::new(device, &module, fitting)?, network)
    }

    /// Puts `network` on `device`, with a launch of the caller's choice.
    ///
    /// # Errors
    /// As for [`new`](Self::new); [`gpu_core::Error::Cooperative`] if the blocks do not fit on the device at once.
    pub fn with_launch(
        device: &Device,
        images: &KernelImages,
        network: &Network,
        launch: Launch,
    ) -> Result<Self> {
        Self::with_prepared(device, Evolve::prepare(device, images, launch)?, network)
    }

    fn with_prepared(
        device: &Device,
        prepared: Prepared<Evolve>,
        network: &Network,
    ) -> Result<Self> {
        let parameters = *network.parameters();
        let n = parameters.n;
        let buffers = Buffers {
            coupling: device.buffer(n.saturating_mul(n))?,
            omega: device.buffer(n)?,
            theta: device.buffer(n)?,
            v: device.buffer(n)?,
            table: device.buffer(2 * n)?,
            noise: device.buffer(noise_len(&parameters))?,
            rows: device.buffer(n)?,
            observables: device.buffer(OBSERVABLES)?,
        };
        let outputs = Outputs {
            theta: device.pinned(n)?,
            v: device.pinned(n)?,
            observables: device.pinned(OBSERVABLES)?,
        };
        let (seed, steps_done) = (network.seed(), network.steps_done());
        let mut evolution = Self { prepared, parameters, seed, steps_done, buffers, outputs };
        evolution.reset(&device.stream()?, network)?;
        Ok(evolution)
    }

    /// Queues one call. The state stays on the device.
    ///
    /// # Errors
    /// What the launch fails with; the network is then as it was.
    pub fn enqueue(&mut self, stream: &Stream) -> Result<()> {
        let buffers = &mut self.buffers;
        let args = EvolveArgs {
            coupling: buffers.coupling.view(),
            omega: buffers.omega.view(),
            theta: buffers.theta.view_mut(),
            v: buffers.v.view_mut(),
            table: buffers.table.view_mut(),
            noise: buffers.noise.view_mut(),
            rows: buffers.rows.view_mut(),
            observables: buffers.observables.view_mut(),
            parameters: self.parameters,
            seed: self.seed,
            steps_done: self.steps_done,
        };
        stream.launch(&self.prepared, args)?;
        self.steps_done += u64::from(self.parameters.steps);
        Ok(())
    }

    /// One call, its results in [`downloaded`](Self::downloaded) and returned: this is what a latency contract times.
    ///
    /// # Errors
    /// What the call or the copies fail with. [`reset`](Self::reset) then brings the network to a known state.
    pub fn call(&mut self, stream: &Stream) -> Result<Observables> {
        self.enqueue(stream)?;
        let (buffers, outputs) = (&self.buffers, &mut self.outputs);
        stream.scope(|scope| {
            scope.download(buffers.theta.view(), &mut outputs.theta)?;
            scope.download(buffers.v.view(), &mut outputs.v)?;
            scope.download(buffers.observables.view(), &mut outputs.observables)
        })?;
        let mut observables = [0.0; OBSERVABLES];
        observables.copy_from_slice(&self.outputs.observables);
        Ok(Observables::from_device(observables))
    }

    /// Angles and velocities as the last [`call`](Self::call) left them, in page-locked memory.
    pub fn downloaded(&self) -> (&[f64], &[f64]) {
        (&self.outputs.theta, &self.outputs.v)
    }

    /// Angles on the device.
    pub fn theta(&self) -> DeviceSlice<'_, f64> {
        self.buffers.theta.view()
    }

    /// Velocities on the device.
    pub fn v(&self) -> DeviceSlice<'_, f64> {
        self.buffers.v.view()
    }

    /// The observables of the last call on the device, in the order of [`Observables`].
    pub fn observables(&self) -> DeviceSlice<'_, f64> {
        self.buffers.observables.view()
    }

    /// The kernel of a call: its launch, and what its compiler made of it.
    pub fn prepared(&self) -> &Prepared<Evolve> {
        &self.prepared
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
        stream.write(theta, self.buffers.theta.view_mut())?;
        stream.write(v, self.buffers.v.view_mut())?;
        self.parameters = parameters;
        self.seed = network.seed();
        self.steps_done = network.steps_done();
        Ok(())
    }

    /// Fills everything that a call must write before it reads with NaN.
    pub(crate) fn poison(&mut self, stream: &Stream) -> Result<()> {
        let buffers = &mut self.buffers;
        for pairs in [&mut buffers.table, &mut buffers.rows] {
            stream.write(&vec![[f64::NAN; 2]; pairs.len()], pairs.view_mut())?;
        }
        for numbers in [&mut buffers.noise, &mut buffers.observables] {
            stream.write(&vec![f64::NAN; numbers.len()], numbers.view_mut())?;
        }
        Ok(())
    }
}
