//! The passage of one batch through the three lanes: which waits for which, once, for streams and for graphs.
//!
//! Only queues: never waits on the host, allocates or creates anything.

use gpu_core::{Event, Stream};

use crate::error::Step;
use crate::flight::Flight;
use crate::lane::Lanes;
use crate::slot::{DeviceSlot, Marks, Passed, Times};
use crate::stage::Stage;

/// One batch about to be queued: up, through the stage, and down.
pub(crate) struct Passage<'a, S: Stage> {
    pub(crate) lanes: &'a Lanes,
    pub(crate) slot: &'a mut DeviceSlot<S::Input, S::Output>,
    pub(crate) stage: &'a mut S,
    pub(crate) flight: &'a mut Flight<S::Input, S::Output>,
    /// Recorded when the batch is through each lane.
    pub(crate) passed: &'a Passed,
    /// The events of the batch that last used the slot, unless nothing needs to wait for it. They may be the same ones.
    pub(crate) last: Option<&'a Passed>,
    /// Recorded around the work in each lane, if the batch is timed.
    pub(crate) times: Option<&'a Times>,
    /// Recorded before everything else, if the batch is the first of a timed run.
    pub(crate) origin: Option<&'a Event>,
}

impl<S: Stage> Passage<'_, S> {
    pub(crate) fn queue(self) -> Result<(), (Step, gpu_core::Error)> {
        let Self { lanes, slot, stage, flight, passed, last, times, origin } = self;
        let (up, compute, down) = (&lanes.upload, &lanes.compute, &lanes.download);
        let (input_len, output_len) = flight.lens();
        let failed = |step| move |source| (step, source);

        let mut upload = || {
            if let Some(last) = last {
                up.wait(&last.compute)?; // it has read the input that we overwrite
            }
            if let Some(origin) = origin {
                up.record(origin)?;
            }
            timed(up, times.map(|times| &times.upload), || {
                flight.upload(slot.input.view_mut().range(0..input_len)?)
            })?;
            up.record(&passed.upload)
        };
        upload().map_err(failed(Step::Upload))?;

        let mut run = || {
            compute.wait(&passed.upload)?;
            if let Some(last) = last {
                compute.wait(&last.download)?; // it has left with the output that we overwrite
            }
            timed(compute, times.map(|times| &times.compute), || {
                let input = slot.input.view().range(0..input_len)?;
                let output = slot.output.view_mut().range(0..output_len)?;
                stage.enqueue(compute, input, output)
            })?;
            compute.record(&passed.compute)
        };
        run().map_err(failed(Step::Compute))?;

        let mut download = || {
            down.wait(&passed.compute)?;
            timed(down, times.map(|times| &times.download), || {
                flight.download(slot.output.view().range(0..output_len)?)
            })?;
            down.record(&passed.download)
        };
        download().map_err(failed(Step::Download))
    }
}

/// Queues `work` in a lane, between two marks if it is timed.
fn timed(
    lane: &Stream,
    marks: Option<&Marks>,
    work: impl FnOnce() -> gpu_core::Result<()>,
) -> gpu_core::Result<()> {
    let Some(marks) = marks else { return work() };
    lane.record(&marks.start)?;
    work()?;
    lane.record(&marks.end)
}
