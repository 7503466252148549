//! Where does the time of a pipeline go? Writes a picture of its lanes, and a trace for Perfetto, into a folder.

use std::path::PathBuf;

use gpu_core::{Device, DeviceSlice, DeviceSliceMut, Stream};
use memory_pipeline::{Config, MemoryOptimizer, Stage, Timing};

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
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: timeline FOLDER")?);
    let config = Config { timing: Timing::EVERY, ..Config::new(1 << 20) };
    let mut pipeline = MemoryOptimizer::new(&Device::auto()?, Echo, config)?;
    let input = vec![1.0; 16 << 20];
    let report = pipeline.pipeline_execute(&input, &mut vec![0.0; input.len()])?;
    for (name, text) in [("timeline.svg", report.svg()), ("trace.json", report.chrome_trace())] {
        std::fs::write(folder.join(name), text)?;
        println!("{}", folder.join(name).display());
    }
    Ok(())
}
