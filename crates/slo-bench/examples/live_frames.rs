//! How does the end-to-end workload take frames from something live, and what happens to a bad one?

use gpu_core::{Device, KernelImages};
use slo_bench::{
    Error, Formula, Frame, FrameSource, Result, Variant, Workload as _, WorkloadConfig,
};

/// A camera whose third frame is broken.
struct Camera {
    scene: Formula,
    taken: u64,
}

impl FrameSource for Camera {
    fn fill(&mut self, frames: &mut [f64]) -> Result<usize> {
        let filled = self.scene.fill(frames)?;
        self.taken += 1;
        if self.taken == 3 {
            frames[17] = f64::NAN;
        }
        Ok(filled)
    }

    fn len_hint(&self) -> Option<u64> {
        None
    }
}

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<()> {
    let (device, images) = (Device::auto()?, KernelImages::discover());
    let (variant, n, seed) = (Variant::Device, 900, 42);
    let config = WorkloadConfig { variant, n, seed, device: &device, images: &images };
    let camera = Camera { scene: Formula::unlimited(), taken: 0 };
    let mut workload = Frame::new(&config, Box::new(camera))?;
    for _ in 0..5 {
        workload.prepare()?;
        match workload.step() {
            Ok(()) => workload.outputs(&mut |output| {
                if output.name == "coherence" {
                    println!("{output:?}");
                }
            }),
            // The state is that of the last good frame: go on with the next one.
            Err(error @ Error::Frame { .. }) => println!("{error}"),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
