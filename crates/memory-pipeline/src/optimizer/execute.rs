//! Whole runs: a slice, an iterator, or a source and a sink of batches, with bounded memory.

use super::MemoryOptimizer;
use super::staging::Emptying;
use crate::error::{Error, Result};
use crate::report::PipelineReport;
use crate::stage::Stage;

impl<S: Stage> MemoryOptimizer<S> {
    /// Sends `input` through the stage in batches, the last one shorter if need be, and fills `output` with what comes back.
    ///
    /// Both are ordinary memory. With more than one [staging thread](crate::Config::staging_threads) they are copied
    /// to and from page-locked buffers beside this thread, which submits; otherwise by this thread.
    ///
    /// # Errors
    /// [`Error::OutputLength`] before anything starts; otherwise as for [`run`](Self::run).
    /// What `output` then holds is of no use.
    pub fn pipeline_execute(
        &mut self,
        input: &[S::Input],
        output: &mut [S::Output],
    ) -> Result<PipelineReport> {
        let expected = self.output_len(input.len());
        if output.len() != expected {
            return Err(Error::OutputLength { expected, actual: output.len() });
        }
        let mut rest = output;
        let Some(threads) = self.staging.clone() else {
            return self.run_slice(input, |_, batch| {
                cut(&mut rest, batch.len())?.copy_from_slice(batch);
                Ok(())
            });
        };
        let mut emptying = Emptying::new();
        self.staged(&threads, input, |scope, batch| {
            let place = cut(&mut rest, batch.output.len())?;
            emptying.begin(scope, batch.output, place);
            Ok(())
        })
    }

    /// Sends a slice through the stage in batches, and every result to `consume`, which reads it where it arrived.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn run_slice<E: From<Error>>(
        &mut self,
        input: &[S::Input],
        mut consume: impl FnMut(u64, &[S::Output]) -> Result<(), E>,
    ) -> Result<PipelineReport, E> {
        if let Some(threads) = self.staging.clone() {
            return self.staged(&threads, input, |_, batch| consume(batch.index, &batch.output));
        }
        let mut source = input.chunks(self.config().batch_len);
        let fill = |buffer: &mut [S::Input]| {
            let batch = source.next().unwrap_or_default();
            buffer[..batch.len()].copy_from_slice(batch);
            Ok(batch.len())
        };
        self.run(fill, consume)
    }

    /// Sends what an iterator yields through the stage in batches, and appends what comes back to `output`.
    ///
    /// # Errors
    /// As for [`run`](Self::run). What was appended until then stays.
    pub fn run_iter(
        &mut self,
        items: impl IntoIterator<Item = S::Input>,
        output: &mut impl Extend<S::Output>,
    ) -> Result<PipelineReport> {
        let mut items = items.into_iter().fuse();
        let fill = |buffer: &mut [S::Input]| {
            let places = buffer.iter_mut();
            Ok::<_, Error>(places.zip(&mut items).map(|(place, item)| *place = item).count())
        };
        let consume = |_, batch: &[S::Output]| {
            output.extend(batch.iter().copied());
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
    /// The first error of `fill`, `consume` or the pipeline, [`Error::Cancelled`] among them. Then, as after a panic in either,
    /// nothing is in flight any more and every buffer is back in its pool. [`Error::Busy`] if batches were in flight before.
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
                pipeline.check_cancelled()?;
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

    /// Elements that the stage makes of `input_len` elements in batches.
    pub(crate) fn output_len(&self, input_len: usize) -> usize {
        let batch_len = self.config.batch_len;
        let (full, rest) = (input_len / batch_len, input_len % batch_len);
        let of_rest = if rest > 0 { self.stage.output_len(rest) } else { 0 };
        full.saturating_mul(self.stage.output_len(batch_len)).saturating_add(of_rest)
    }
}

/// The first `len` elements of `rest`, which loses them.
fn cut<'a, T>(rest: &mut &'a mut [T], len: usize) -> Result<&'a mut [T]> {
    let room = std::mem::take(rest);
    let too_small = Error::OutputLength { expected: len, actual: room.len() };
    let (place, behind) = room.split_at_mut_checked(len).ok_or(too_small)?;
    *rest = behind;
    Ok(place)
}

/// Ends a run that was left early: nothing stays in flight, whichever way it was left.
pub(super) struct AbandonOnDrop<'a, S: Stage> {
    pub(super) pipeline: &'a mut MemoryOptimizer<S>,
}

impl<S: Stage> Drop for AbandonOnDrop<'_, S> {
    fn drop(&mut self) {
        self.pipeline.abandon();
    }
}
