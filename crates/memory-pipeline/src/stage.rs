//! What happens to a batch on the device, between its upload and its download.

use gpu_core::{DeviceSlice, DeviceSliceMut, Pod, Result, Stream};

/// The compute part of a pipeline: typically one or a few kernels.
pub trait Stage {
    /// Elements that go up.
    type Input: Pod + Send + Sync;
    /// Elements that come down.
    type Output: Pod + Send + Sync;

    /// Queues the work of one batch on the compute stream.
    ///
    /// Both views have the batch's true length, which the last batch of a run may make shorter.
    /// What the input view holds is there when the stream gets to it; what the output view held is of an earlier
    /// batch. A stage that waits for the stream makes the pipeline wait with it.
    ///
    /// # Errors
    /// What queueing failed with. The batch is then given up and may be submitted again,
    /// so a stage that keeps state changes it last.
    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, Self::Input>,
        output: DeviceSliceMut<'_, Self::Output>,
    ) -> Result<()>;

    /// Elements that `input_len` elements turn into: as many, unless the stage says otherwise.
    ///
    /// Must not be larger for a shorter batch than for a full one, and not 0.
    fn output_len(&self, input_len: usize) -> usize {
        input_len
    }
}
