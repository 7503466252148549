//! What does it take to send three batches through a device and see when each was where?

use gpu_core::{Device, DeviceSlice, DeviceSliceMut, Stream};
use memory_pipeline::{Config, MemoryOptimizer, Stage};

/// Hands every batch back as it came; a real stage launches a kernel here.
struct Echo;

impl Stage for Echo {
    type Input = f32;
    type Output = f32;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, f32>,
        output: DeviceSliceMut<'_, f32>,
    ) -> gpu_core::Result<()> {
        stream.copy(input, output)
    }
}

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> memory_pipeline::Result<()> {
    let device = Device::auto()?;
    let mut pipeline = MemoryOptimizer::new(&device, Echo, Config::new(1 << 20))?;
    for number in [1.0, 2.0, 3.0] {
        let mut lease = pipeline.acquire()?;
        lease.fill(number);
        pipeline.submit(lease)?;
    }
    while let Some(batch) = pipeline.complete()? {
        println!("batch {} came back full of {}", batch.index, batch.output[0]);
    }
    let report = pipeline.report();
    println!("on {} ({}):", device.properties().name, report.backend);
    for span in report.timeline {
        let (from_us, to_us) = (span.start_ns / 1000, span.end_ns / 1000);
        println!("  batch {} {:?}: {from_us} to {to_us} us", span.batch, span.lane);
    }
    Ok(())
}
