//! Whole runs: a slice, or a source and a sink of batches, with bounded memory.

use super::MemoryOptimizer;
use crate::error::{Error, Result};
use crate::report::PipelineReport;
use crate::stage::Stage;

impl<S: Stage> MemoryOptimizer<S> {
    /// Sends `input` through the stage in batches, the last one shorter if need be, and fills `output` with what comes back.
    ///
    /// # Errors
    /// [`Error::OutputLength`] before anything starts; otherwise as for [`run`](Self::run).
    /// What `output` then holds is of no use.
    pub fn pipeline_execute(
        &mut self,
        input: &[S::Input],
        output: &mut [S::Output],
    ) -> Result<PipelineReport> {
        let batches = input.chunks(self.config().batch_len);
        let expected = batches.clone().map(|batch| self.stage().output_len(batch.len())).sum();
        if output.len() != expected {
            return Err(Error::OutputLength { expected, actual: output.len() });
        }
        let mut source = batches;
        let mut rest = output;
        let fill = |buffer: &mut [S::Input]| {
            let batch = source.next().unwrap_or_default();
            buffer[..batch.len()].copy_from_slice(batch);
            Ok::<_, Error>(batch.len())
        };
        let consume = |_, batch: &[S::Output]| {
            let room = std::mem::take(&mut rest);
            let too_small = Error::OutputLength { expected: batch.len(), actual: room.len() };
            let (place, behind) = room.split_at_mut_checked(batch.len()).ok_or(too_small)?;
            place.copy_from_slice(batch);
            rest = behind;
            Ok(())
        };
        self.run(fill, consume)
    }

    /// Sends batches through the stage from any source to any sink.
    ///
    /// `fill` writes the next batch into a page-locked buffer and returns its length, 0 at the end. `consume` reads each
    /// result in order, with the batch's number. Both run on the calling thread while the device works on other batches.
    ///
    /// # Errors
    /// The first error of `fill`, `consume` or the pipeline. Then, as after a panic in either, nothing is in flight
    /// any more and every buffer is back in its pool. [`Error::Busy`] if batches were in flight before.
    pub fn run<E: From<Error>>(
        &mut self,
        mut fill: impl FnMut(&mut [S::Input]) -> Result<usize, E>,
        mut consume: impl FnMut(u64, &[S::Output]) -> Result<(), E>,
    ) -> Result<PipelineReport, E> {
        self.restart()?;
        let running = AbandonOnDrop { pipeline: self };
        let pipeline = &mut *running.pipeline;
        let mut is_source_open = true;
        loop {
            while is_source_open && !pipeline.is_full() {
                let mut lease = pipeline.acquire()?;
                let len = fill(&mut lease)?;
                if len == 0 {
                    is_source_open = false;
                } else {
                    lease.resize(len)?;
                    pipeline.submit(lease).map_err(Error::from)?;
                }
            }
            let Some(batch) = pipeline.complete()? else { break };
            consume(batch.index, &batch.output)?;
        }
        Ok(pipeline.report())
    }
}

/// Ends a run that was left early: nothing stays in flight, whichever way it was left.
struct AbandonOnDrop<'a, S: Stage> {
    pipeline: &'a mut MemoryOptimizer<S>,
}

impl<S: Stage> Drop for AbandonOnDrop<'_, S> {
    fn drop(&mut self) {
        self.pipeline.abandon();
    }
}
