//! An ordered queue of work on a device.
//!
//! Operations of one stream run in order; operations of two streams run in any order that
//! [`Stream::record`] and [`Stream::wait`] leave open.

use std::marker::PhantomData;
use std::sync::Arc;

use bytemuck::Pod;

use crate::backend::RawStream;
use crate::buffer::PinnedBuffer;
use crate::device::{DeviceId, DeviceInner};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::fault::Operation;
use crate::kernel::{Kernel, Params};
use crate::launch::Prepared;
use crate::view::{DeviceSlice, DeviceSliceMut, Place, StreamId, Tenure, check_len};

/// What a capture refuses although it could be queued.
const LENT: &str = "work on lent memory";

/// An ordered queue of work. Made by [`Device::stream`](crate::Device::stream).
#[derive(Debug)]
pub struct Stream {
    pub(crate) raw: RawStream,
    pub(crate) id: StreamId,
    pub(crate) device: Arc<DeviceInner>,
}

impl Stream {
    /// Queues a kernel.
    ///
    /// # Errors
    /// [`Error::OtherDevice`] or the kernel's own check refuse the arguments; otherwise what the driver says.
    pub fn launch<K: Kernel>(&self, prepared: &Prepared<K>, args: K::Args<'_>) -> Result<()> {
        self.check_device("the kernel", prepared.module.device.id)?;
        K::check(&args, &prepared.launch)?;
        let mut bound = Params::for_stream(self.device.id, self.id);
        K::bind(&args, &mut bound);
        let tenure = bound.check()?;
        self.queue(tenure, Operation::Launch, || {
            self.raw.launch::<K>(&prepared.function, &prepared.launch, args, bound)
        })
    }

    /// Queues a copy from the host, without waiting for it.
    ///
    /// # Safety
    /// `from` must stay allocated and unwritten until this stream has passed the copy, seen by
    /// [`synchronize`](Self::synchronize), [`settle`](Self::settle) or an [`Event`]. Page-locked memory is needed for the copy to be asynchronous.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ; [`Error::Capturing`] inside a [`capture`](Self::capture), whichever thread began it: see
    /// [`upload_for_replays`](Self::upload_for_replays); otherwise what the driver says.
    pub unsafe fn upload<T: Pod>(&self, from: &[T], to: DeviceSliceMut<'_, T>) -> Result<()> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.queue_upload(from, to, Tenure::Lent) }
    }

    /// Queues a copy from the host that may become part of a graph.
    ///
    /// # Safety
    /// As for [`upload`](Self::upload), and inside a [`capture`](Self::capture), which another thread may have begun, for every
    /// replay: `from` must stay allocated for as long as the graph may be replayed, and is written only between replays that were seen to be done.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ; otherwise what the driver says.
    pub unsafe fn upload_for_replays<T: Pod>(
        &self,
        from: &[T],
        to: DeviceSliceMut<'_, T>,
    ) -> Result<()> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.queue_upload(from, to, Tenure::Kept) }
    }

    /// Queues a copy to the host, without waiting for it.
    ///
    /// # Safety
    /// `to` must stay allocated, unread and unwritten until this stream has passed the copy.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ; [`Error::Capturing`] inside a [`capture`](Self::capture), whichever thread began it: see
    /// [`download_for_replays`](Self::download_for_replays); otherwise what the driver says.
    pub unsafe fn download<T: Pod>(&self, from: DeviceSlice<'_, T>, to: &mut [T]) -> Result<()> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.queue_download(from, to, Tenure::Lent) }
    }

    /// Queues a copy to the host that may become part of a graph.
    ///
    /// # Safety
    /// As for [`download`](Self::download), and inside a [`capture`](Self::capture), which another thread may have begun, for every
    /// replay: `to` must stay allocated for as long as the graph may be replayed, and is read and written only between replays that were seen to be done.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ; otherwise what the driver says.
    pub unsafe fn download_for_replays<T: Pod>(
        &self,
        from: DeviceSlice<'_, T>,
        to: &mut [T],
    ) -> Result<()> {
        // SAFETY: the caller's promise is the same.
        unsafe { self.queue_download(from, to, Tenure::Kept) }
    }

    /// Queues a copy between two places on the device.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ; otherwise what the driver says.
    pub fn copy<T: Pod>(&self, from: DeviceSlice<'_, T>, to: DeviceSliceMut<'_, T>) -> Result<()> {
        let from_tenure = self.check_place("the source", from.place)?;
        let tenure = self.check_place("the target", to.place)?.and(from_tenure);
        check_len("the source of the copy", to.len(), from.len())?;
        self.queue(tenure, Operation::Copy, || self.raw.copy(from.address, to.address, to.bytes()))
    }

    /// Queues filling with zero bytes.
    ///
    /// # Errors
    /// What the driver says.
    pub fn zero<T: Pod>(&self, to: DeviceSliceMut<'_, T>) -> Result<()> {
        let tenure = self.check_place("the buffer", to.place)?;
        self.queue(tenure, Operation::Copy, || self.raw.zero(to.address, to.bytes()))
    }

    /// Queues a mark: `event` is passed when everything before it in this stream is done.
    ///
    /// # Errors
    /// What the driver says.
    pub fn record(&self, event: &Event) -> Result<()> {
        self.check_device("the event", event.device.id)?;
        self.device.run(Operation::Record, |_| {
            self.raw.record(&event.raw)?;
            event.set_captured(self.is_captured()?);
            Ok(())
        })
    }

    /// Queues a wait: what follows in this stream starts after the last record of `event` so far.
    ///
    /// # Errors
    /// [`Error::EventForeign`] and [`Error::EventCaptured`] across the border of a capture; otherwise what the driver says.
    pub fn wait(&self, event: &Event) -> Result<()> {
        self.check_device("the event", event.device.id)?;
        let captures = &self.device.captures;
        captures.while_members_change(|| {
            self.device.run(Operation::Wait, |_| match (self.is_captured()?, event.is_captured()) {
                (true, false) => Err(Error::EventForeign),
                (false, true) if !captures.is_on() => Err(Error::EventCaptured),
                _ => self.raw.wait(&event.raw),
            })
        })
    }

    /// Blocks the host until everything in this stream is done.
    ///
    /// # Errors
    /// What the work failed with.
    pub fn synchronize(&self) -> Result<()> {
        self.look(|| self.raw.synchronize())
    }

    /// Whether everything in this stream is done. Never blocks.
    ///
    /// # Errors
    /// What the work failed with.
    pub fn is_idle(&self) -> Result<bool> {
        self.look(|| self.raw.is_idle())
    }

    /// Waits until nothing in this stream touches memory any more, whatever else failed.
    ///
    /// For clean-up after an error: fault plans do not reach it, and a lost device counts as settled,
    /// because the driver stops a lost context's work.
    ///
    /// # Errors
    /// If the driver could not say. The memory must then be kept for ever.
    pub fn settle(&self) -> Result<()> {
        let captures = &self.device.captures;
        captures.refuse_inside("settling")?;
        let waited = self.refuse_captured("settling").and_then(|()| self.raw.synchronize());
        let waited = waited.or_else(|_| {
            // Perhaps another thread captures this stream: asked again when none does.
            let _between = captures.between_captures();
            self.raw.synchronize()
        });
        match waited {
            Err(error) if error.kind() != ErrorKind::Poisoned => Err(error),
            _ => Ok(()),
        }
    }

    /// Copies `from` to the device and waits.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ; otherwise what the driver says.
    pub fn write<T: Pod>(&self, from: &[T], to: DeviceSliceMut<'_, T>) -> Result<()> {
        self.refuse_around_captures("a blocking copy")?;
        // SAFETY: `finish` below waits before `from` can be touched again.
        let queued = unsafe { self.queue_upload(from, to, Tenure::Lent) };
        self.finish(queued)
    }

    /// Copies `from` to the host and waits.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths differ; otherwise what the driver says.
    pub fn read<T: Pod>(&self, from: DeviceSlice<'_, T>, to: &mut [T]) -> Result<()> {
        self.refuse_around_captures("a blocking copy")?;
        // SAFETY: `finish` below waits before `to` can be touched again.
        let queued = unsafe { self.queue_download(from, to, Tenure::Lent) };
        self.finish(queued)
    }

    /// Copies `from` to a new vector and waits.
    ///
    /// # Errors
    /// What the driver says.
    pub fn read_vec<T: Pod>(&self, from: DeviceSlice<'_, T>) -> Result<Vec<T>> {
        let mut all = vec![T::zeroed(); from.len()];
        self.read(from, &mut all)?;
        Ok(all)
    }

    /// Queues asynchronous work that borrows host memory, and waits for all of it at the end.
    ///
    /// Inside `work`, copies return at once; after `scope` returns they are done and the borrows are free again,
    /// as with [`std::thread::scope`].
    ///
    /// # Errors
    /// What `work` or the final wait failed with. Either way nothing is in flight any more.
    pub fn scope<'env, R>(
        &'env self,
        work: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<R>,
    ) -> Result<R> {
        self.refuse_around_captures("a scope")?;
        // Drops before the borrows end, also when `work` panics.
        let settle = SettleOnDrop { stream: self };
        let scope = Scope { stream: self, scope: PhantomData, env: PhantomData };
        let result = work(&scope)?;
        self.synchronize()?;
        std::mem::forget(settle);
        Ok(result)
    }

    /// Waits for what a blocking call queued, even where queueing it failed half-way.
    fn finish(&self, queued: Result<()>) -> Result<()> {
        let waited = queued.and_then(|()| self.synchronize());
        if waited.is_err() {
            settle_or_abort(self);
        }
        waited
    }

    /// # Safety
    /// See [`upload`](Self::upload); lent memory must stay as promised there until the stream has passed the copy.
    unsafe fn queue_upload<T: Pod>(
        &self,
        from: &[T],
        to: DeviceSliceMut<'_, T>,
        tenure: Tenure,
    ) -> Result<()> {
        let tenure = tenure.and(self.check_place("the buffer", to.place)?);
        check_len("the source of the upload", to.len(), from.len())?;
        self.queue(tenure, Operation::Upload, || {
            // SAFETY: the lengths agree, `to` is live device memory, and the caller keeps `from` as promised.
            unsafe { self.raw.upload(from.as_ptr().cast(), to.address, to.bytes()) }
        })
    }

    /// # Safety
    /// See [`download`](Self::download); lent memory must stay as promised there until the stream has passed the copy.
    unsafe fn queue_download<T: Pod>(
        &self,
        from: DeviceSlice<'_, T>,
        to: &mut [T],
        tenure: Tenure,
    ) -> Result<()> {
        let tenure = tenure.and(self.check_place("the buffer", from.place)?);
        check_len("the target of the download", from.len(), to.len())?;
        self.queue(tenure, Operation::Download, || {
            // SAFETY: the lengths agree, `from` is live device memory, and the caller keeps `to` as promised.
            unsafe { self.raw.download(from.address, to.as_mut_ptr().cast(), from.bytes()) }
        })
    }

    /// Queues work by `call`. What works on lent memory is refused where it would become part of a graph.
    fn queue(
        &self,
        tenure: Tenure,
        operation: Operation,
        call: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let captures = &self.device.captures;
        match tenure {
            Tenure::Kept => self.device.run(operation, |_| call()),
            Tenure::Lent => captures.while_members_stay(|| {
                self.device.run(operation, |_| {
                    self.refuse_around_captures(LENT)?;
                    call()
                })
            }),
        }
    }

    /// Looks at what is done, which a stream that is captured cannot tell.
    fn look<R>(&self, look: impl FnOnce() -> Result<R>) -> Result<R> {
        self.device.run(Operation::Synchronize, |_| {
            self.refuse_captured("synchronize")?;
            look()
        })
    }

    /// Refuses `call` while this stream takes part in a capture, by whichever thread, and leaves the capture alone.
    fn refuse_captured(&self, call: &'static str) -> Result<()> {
        if self.is_captured()? { Err(Error::Capturing { call }) } else { Ok(()) }
    }

    /// Refuses `call` on a thread that captures and in a stream that is captured. What queues and waits asks before
    /// it queues, so that there is nothing to wait for.
    pub(crate) fn refuse_around_captures(&self, call: &'static str) -> Result<()> {
        self.device.captures.refuse_inside(call)?;
        self.refuse_captured(call)
    }

    fn is_captured(&self) -> Result<bool> {
        if self.device.captures.is_on() { self.raw.is_captured() } else { Ok(false) }
    }

    /// Refuses memory that this stream must not touch, and says for how long the other is there.
    fn check_place(&self, what: &'static str, place: Place) -> Result<Tenure> {
        self.check_device(what, place.device)?;
        match place.stream {
            Some(stream) if stream != self.id => Err(Error::OtherStream { what }),
            _ => Ok(place.tenure()),
        }
    }

    pub(crate) fn check_device(&self, what: &'static str, device: DeviceId) -> Result<()> {
        if device == self.device.id { Ok(()) } else { Err(Error::OtherDevice { what }) }
    }
}

/// Asynchronous work that may borrow host memory for `'scope`. Made by [`Stream::scope`].
#[derive(Debug)]
pub struct Scope<'scope, 'env: 'scope> {
    stream: &'env Stream,
    /// Invariant: `'scope` is invariant, so that a borrow cannot be shortened to end before the scope does.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// The stream, for operations that borrow no host memory.
    pub fn stream(&self) -> &Stream {
        self.stream
    }

    /// Queues a copy from page-locked memory.
    ///
    /// # Errors
    /// As for [`Stream::upload`].
    pub fn upload<T: Pod>(
        &self,
        from: &'scope PinnedBuffer<T>,
        to: DeviceSliceMut<'_, T>,
    ) -> Result<()> {
        // SAFETY: `from` is borrowed for `'scope`, and the scope ends only when the stream is done.
        unsafe { self.stream.queue_upload(from, to, Tenure::Lent) }
    }

    /// Queues a copy to page-locked memory.
    ///
    /// # Errors
    /// As for [`Stream::download`].
    pub fn download<T: Pod>(
        &self,
        from: DeviceSlice<'_, T>,
        to: &'scope mut PinnedBuffer<T>,
    ) -> Result<()> {
        // SAFETY: `to` is borrowed for `'scope`, and the scope ends only when the stream is done.
        unsafe { self.stream.queue_download(from, to, Tenure::Lent) }
    }

    /// Lends page-locked memory to the kernels of this stream: they read and write it over the bus.
    ///
    /// For a few kilobytes of results this is faster than a copy behind the kernel. Other streams refuse the view.
    ///
    /// # Errors
    /// [`Error::OtherDevice`].
    pub fn lend<T: Pod>(
        &self,
        target: &'scope mut PinnedBuffer<T>,
    ) -> Result<DeviceSliceMut<'scope, T>> {
        self.stream.check_device("the page-locked buffer", target.device())?;
        Ok(target.view_for(self.stream.id))
    }
}

/// Waits for the stream unless it was seen to be done and this was forgotten.
struct SettleOnDrop<'a> {
    stream: &'a Stream,
}

impl Drop for SettleOnDrop<'_> {
    fn drop(&mut self) {
        settle_or_abort(self.stream);
    }
}

/// Waits for a stream whose copies borrow host memory that is about to be free.
fn settle_or_abort(stream: &Stream) {
    if stream.settle().is_err() {
        // The driver cannot say whether a copy still writes to memory that the caller gets back:
        // going on would be a use after free.
        std::process::abort();
    }
}
