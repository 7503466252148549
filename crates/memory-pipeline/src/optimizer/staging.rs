//! Ordinary memory on its way to and from page-locked buffers: copied by threads, while the caller's own submits.
//!
//! The driver copies ordinary memory at a fraction of the link's rate, and so does one thread. Never submits from a staging
//! thread: one thread talks to the device.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rayon::prelude::*;
use rayon::{Scope, ThreadPool, ThreadPoolBuilder};

use super::execute::AbandonOnDrop;
use super::{Batch, MemoryOptimizer, place};
use crate::budget::STAGED;
use crate::error::{Error, Result};
use crate::pool::Lease;
use crate::report::PipelineReport;
use crate::stage::Stage;

/// What one thread copies at a time: enough to be worth waking for, little enough that all threads end together.
const PIECE_BYTES: usize = 256 << 10;

/// The threads, kept for the life of the pipeline.
pub(super) fn threads(count: usize) -> Result<Option<Arc<ThreadPool>>> {
    if count == 1 {
        return Ok(None);
    }
    let name = |index| format!("staging-{index}");
    let threads = ThreadPoolBuilder::new().num_threads(count).thread_name(name).build();
    let threads = threads.map_err(|_| Error::Threads { count })?;
    Ok(Some(Arc::new(threads)))
}

/// Batches that are being copied into page-locked buffers, each announced at its own place when it is ready.
struct Filling<T: gpu_core::Pod> {
    places: [Place<Lease<T>>; STAGED],
    begun: u64,
    taken: u64,
}

/// Where a thread puts what is ready, or nothing if it died over it. Keeps a sender, so that receiving never fails.
struct Place<T> {
    sender: SyncSender<Option<T>>,
    receiver: Receiver<Option<T>>,
}

/// What a thread will have made, announced when this is dropped: nothing if a panic was faster.
struct Promise<T> {
    sender: SyncSender<Option<T>>,
    made: Option<T>,
}

impl<T> Place<T> {
    fn with_room_for(count: usize) -> Self {
        let (sender, receiver) = sync_channel(count);
        Self { sender, receiver }
    }

    fn promise(&self) -> Promise<T> {
        Promise { sender: self.sender.clone(), made: None }
    }

    /// Waits for the next that was promised here; `None` if it was never made.
    fn take(&self) -> Option<T> {
        self.receiver.recv().expect("the place keeps a sender of its own")
    }
}

impl<T> Promise<T> {
    fn keep(mut self, made: T) {
        self.made = Some(made);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        // A run that ended early takes no more; what was made is dropped. There is room for all that are promised.
        let _ = self.sender.try_send(self.made.take());
    }
}

impl<T: gpu_core::Pod + Send + Sync> Filling<T> {
    fn new() -> Self {
        Self { places: std::array::from_fn(|_| Place::with_room_for(1)), begun: 0, taken: 0 }
    }

    fn is_full(&self) -> bool {
        self.begun - self.taken == STAGED as u64
    }

    fn is_empty(&self) -> bool {
        self.begun == self.taken
    }

    /// Begins to copy `batch` into `lease`, which has its length.
    fn begin<'scope>(&mut self, scope: &Scope<'scope>, batch: &'scope [T], mut lease: Lease<T>) {
        let ready = self.places[place(self.begun, STAGED)].promise();
        self.begun += 1;
        scope.spawn(move |_| {
            copy(batch, &mut lease);
            ready.keep(lease);
        });
    }

    /// The oldest batch, as soon as it is ready; `None` if the copy panicked.
    fn take(&mut self) -> Option<Lease<T>> {
        let lease = self.places[place(self.taken, STAGED)].take();
        self.taken += 1;
        lease
    }
}

/// Results that are being copied out of page-locked buffers.
pub(super) struct Emptying {
    done: Place<()>,
    under_way: usize,
}

impl Emptying {
    pub(super) fn new() -> Self {
        Self { done: Place::with_room_for(STAGED), under_way: 0 }
    }

    /// Begins to copy `output` to `place`, which has its length; waits while as many as there are buffers for are under way.
    pub(super) fn begin<'scope, T: gpu_core::Pod + Send + Sync>(
        &mut self,
        scope: &Scope<'scope>,
        output: Lease<T>,
        place: &'scope mut [T],
    ) {
        if self.under_way == STAGED {
            // One whose copy panicked is done as well: the scope ends with its panic.
            let _ = self.done.take();
            self.under_way -= 1;
        }
        self.under_way += 1;
        let done = self.done.promise();
        scope.spawn(move |_| {
            copy(&output, place);
            drop(output);
            done.keep(());
        });
    }
}

/// Copies a slice by as many threads as have nothing else to do.
fn copy<T: Copy + Send + Sync>(from: &[T], to: &mut [T]) {
    let piece = (PIECE_BYTES / size_of::<T>().max(1)).max(1);
    let pieces = to.par_chunks_mut(piece).zip(from.par_chunks(piece));
    pieces.for_each(|(to, from)| to.copy_from_slice(from));
}

impl<S: Stage> MemoryOptimizer<S> {
    /// Sends `input` through the stage, staged by `threads`; `take` gets every batch in order.
    pub(super) fn staged<'scope, E: From<Error>>(
        &mut self,
        threads: &ThreadPool,
        input: &'scope [S::Input],
        mut take: impl FnMut(&Scope<'scope>, Batch<S::Input, S::Output>) -> Result<(), E>,
    ) -> Result<PipelineReport, E> {
        self.restart()?;
        let running = AbandonOnDrop { pipeline: self };
        let pipeline = &mut *running.pipeline;
        let mut source = input.chunks(pipeline.config.batch_len);
        threads
            .in_place_scope(|scope| {
                let mut filling = Filling::new();
                loop {
                    pipeline.check_cancelled()?;
                    while !filling.is_full()
                        && let Some(batch) = source.next()
                    {
                        let mut lease = pipeline.acquire()?;
                        lease.resize(batch.len())?;
                        filling.begin(scope, batch, lease);
                    }
                    if !filling.is_empty() && !pipeline.is_full() {
                        // Nobody sees this error: the scope ends with the panic of the copy.
                        let gone = Error::Cancelled { completed: pipeline.completed };
                        let lease = filling.take().ok_or(gone)?;
                        pipeline.submit(lease).map_err(Error::from)?;
                        continue;
                    }
                    let Some(batch) = pipeline.complete()? else { break };
                    take(scope, batch)?;
                }
                Ok(())
            })
            .map(|()| pipeline.report())
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use gpu_core::Device;

    use super::*;
    use crate::pool::{PinnedMemoryPool, PoolConfig};

    #[test]
    fn a_copy_that_panics_is_not_waited_for_and_its_panic_comes_out() {
        let pool = PinnedMemoryPool::new(&Device::host(), PoolConfig::uniform::<u8>(2 * STAGED, 4));
        let pool = pool.unwrap();
        let threads = threads(2).unwrap().unwrap();
        let (mut seen, mut room) = (None, [0; STAGED + 1]);
        let result = catch_unwind(AssertUnwindSafe(|| {
            threads.in_place_scope(|scope| {
                // A batch and a place that have not the length of their leases.
                let mut filling = Filling::new();
                filling.begin(scope, &[1_u8, 2, 3], pool.acquire(4).unwrap());
                seen = Some(filling.take().is_some());
                let mut emptying = Emptying::new();
                for place in room.chunks_mut(1) {
                    emptying.begin(scope, pool.acquire::<u8>(4).unwrap(), place);
                }
            });
        }));
        assert!(result.is_err());
        assert_eq!((seen, pool.stats().leased()), (Some(false), 0));
    }

    #[test]
    fn no_more_results_are_copied_out_at_once_than_there_are_buffers_for() {
        const LEN: usize = 1 << 20;
        let config = PoolConfig::uniform::<u8>(STAGED + 1, LEN);
        let pool = PinnedMemoryPool::new(&Device::host(), config).unwrap();
        let threads = threads(2).unwrap().unwrap();
        let mut output = vec![0; 40 * LEN];
        let mut emptying = Emptying::new();
        threads.in_place_scope(|scope| {
            for (mark, place) in (1..).zip(output.chunks_mut(LEN)) {
                let mut lease =
                    pool.acquire::<u8>(LEN).expect("one is back before the next is needed");
                lease.fill(mark);
                emptying.begin(scope, lease, place);
            }
        });
        assert!(
            (1..).zip(output.chunks(LEN)).all(|(mark, place)| place.iter().all(|&x| x == mark))
        );
    }
}
