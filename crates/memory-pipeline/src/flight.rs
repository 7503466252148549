//! Two leases that copies on the device may still use.
//!
//! Never lets go of them before the device was seen to be done: not on an error, not on a panic, not on drop.
//! Both unsafe copies of this crate are here, beside the type that keeps their promise.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use gpu_core::{DeviceSlice, DeviceSliceMut, Pod};

use crate::lane::Lanes;
use crate::pool::Lease;

/// Why the leases are there: only what ends a flight takes them.
const HELD: &str = "a flight holds its leases until it ends";

/// What a batch takes along: its page-locked input and output, which nobody can read meanwhile.
#[derive(Debug)]
pub(crate) struct Flight<I: Pod, O: Pod> {
    /// Invariant: taken only when no copy queued through this flight can still run. Whatever prevents that,
    /// a panic while waiting included, leaks them.
    leases: ManuallyDrop<Option<(Lease<I>, Lease<O>)>>,
    lanes: Arc<Lanes>,
    journeys: Journeys,
}

/// How often the copies of a flight run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Journeys {
    /// Once. They are refused where they would become part of a graph, into which a stage may have drawn the lanes: the
    /// leases would be let go while the graph still names them.
    One,
    /// With every replay of the graph that they are recorded in, whose owner holds the flight.
    Replayed,
}

impl<I: Pod, O: Pod> Flight<I, O> {
    pub(crate) fn new(
        lanes: Arc<Lanes>,
        (input, output): (Lease<I>, Lease<O>),
        journeys: Journeys,
    ) -> Self {
        Self { leases: ManuallyDrop::new(Some((input, output))), lanes, journeys }
    }

    /// Elements of input and output.
    pub(crate) fn lens(&self) -> (usize, usize) {
        let (input, output) = self.leases.as_ref().expect(HELD);
        (input.len(), output.len())
    }

    /// Queues the copy of the input to the device.
    pub(crate) fn upload(&self, to: DeviceSliceMut<'_, I>) -> gpu_core::Result<()> {
        let (input, _) = self.leases.as_ref().expect(HELD);
        let lane = &self.lanes.upload;
        match self.journeys {
            // SAFETY: the lease stays in this flight, where nobody writes to it, until the caller of `land` has seen the
            // copy done or `settle` has waited for its lane; if that wait fails the memory is never freed or reused.
            Journeys::One => unsafe { lane.upload(input, to) },
            // SAFETY: as above; and whoever owns the graph holds this flight for as long, and writes through `input_mut` only
            // while no replay runs.
            Journeys::Replayed => unsafe { lane.upload_for_replays(input, to) },
        }
    }

    /// Queues the copy of the output to the host.
    pub(crate) fn download(&mut self, from: DeviceSlice<'_, O>) -> gpu_core::Result<()> {
        let (_, output) = self.leases.as_mut().expect(HELD);
        let lane = &self.lanes.download;
        match self.journeys {
            // SAFETY: as for `upload`; nobody reads or writes the lease while it is in this flight.
            Journeys::One => unsafe { lane.download(from, output) },
            // SAFETY: as for `upload`; and it is read through `output` only while no replay runs.
            Journeys::Replayed => unsafe { lane.download_for_replays(from, output) },
        }
    }

    /// The input, to be written.
    ///
    /// # Safety
    /// Until the borrow ends, no copy queued or recorded through this flight runs.
    pub(crate) unsafe fn input_mut(&mut self) -> &mut [I] {
        let (input, _) = self.leases.as_mut().expect(HELD);
        input
    }

    /// The output, to be read.
    ///
    /// # Safety
    /// As for [`input_mut`](Self::input_mut).
    pub(crate) unsafe fn output(&self) -> &[O] {
        let (_, output) = self.leases.as_ref().expect(HELD);
        output
    }

    /// The leases of a batch that is done.
    ///
    /// # Safety
    /// The host has seen that every copy queued through this flight is done.
    pub(crate) unsafe fn land(mut self) -> (Lease<I>, Lease<O>) {
        self.leases.take().expect(HELD)
    }

    /// Waits for the lanes and gives the leases back; `None` if the wait failed and they were quarantined.
    pub(crate) fn settle(mut self) -> Option<(Lease<I>, Lease<O>)> {
        self.take_settled()
    }

    fn take_settled(&mut self) -> Option<(Lease<I>, Lease<O>)> {
        if self.leases.is_none() {
            return None;
        }
        let settled = self.lanes.settle();
        self.end(settled)
    }

    /// Ends the flight after a wait for its lanes: back with the leases, or never again.
    fn end(&mut self, settled: gpu_core::Result<()>) -> Option<(Lease<I>, Lease<O>)> {
        let (input, output) = self.leases.take()?;
        if settled.is_ok() {
            return Some((input, output));
        }
        input.quarantine();
        output.quarantine();
        None
    }
}

impl<I: Pod, O: Pod> Drop for Flight<I, O> {
    fn drop(&mut self) {
        self.take_settled();
    }
}

#[cfg(test)]
mod tests {
    use gpu_core::Device;

    use super::*;
    use crate::pool::{PinnedMemoryPool, PoolConfig};

    #[test]
    fn leases_that_the_device_may_still_use_are_never_leased_again() {
        let device = Device::host();
        let pool = PinnedMemoryPool::new(&device, PoolConfig::uniform::<u8>(2, 1)).unwrap();
        let lanes = Arc::new(Lanes::new(&device).unwrap());
        let (input, output) = (pool.acquire::<u8>(1).unwrap(), pool.acquire::<u8>(1).unwrap());
        let mut flight = Flight::new(lanes, (input, output), Journeys::One);
        assert!(flight.end(Err(gpu_core::Error::NoDevice)).is_none());
        drop(flight);
        let stats = pool.stats();
        assert_eq!((stats.leased(), stats.quarantined()), (0, 2));
        let error = pool.acquire::<u8>(1).unwrap_err();
        let all_out =
            crate::Error::Exhausted { buffer_bytes: 1, capacity: 2, leased: 0, quarantined: 2 };
        assert_eq!(error, all_out);
    }

    #[test]
    fn copies_of_one_journey_never_become_part_of_a_graph() {
        for (journeys, is_recorded) in [(Journeys::One, false), (Journeys::Replayed, true)] {
            let device = Device::host();
            let pool = PinnedMemoryPool::new(&device, PoolConfig::uniform::<u8>(2, 1)).unwrap();
            let lanes = Arc::new(Lanes::new(&device).unwrap());
            let leases = (pool.acquire::<u8>(1).unwrap(), pool.acquire::<u8>(1).unwrap());
            let mut flight = Flight::new(Arc::clone(&lanes), leases, journeys);
            let mut slot = device.buffer::<u8>(1).unwrap();
            // As after a stage that waited for an event of somebody's capture.
            let up = lanes.upload.capture(|| flight.upload(slot.view_mut()));
            let down = lanes.download.capture(|| flight.download(slot.view()));
            assert_eq!((up.is_ok(), down.is_ok()), (is_recorded, is_recorded), "{journeys:?}");
        }
    }
}
