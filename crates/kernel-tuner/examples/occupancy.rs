//! Which block sizes fill a multiprocessor, and what would fill it better? Needs no GPU.
#![expect(clippy::print_stdout, reason = "an example prints")]

use gpu_core::{Capability, KernelAttributes};
use kernel_tuner::{Error, KernelTuner};

fn main() -> Result<(), Error> {
    // As the compiler reports them (`-Xptxas -v`), or `Prepared::attributes` on a device.
    let kernel = KernelAttributes {
        registers: 72,
        shared_bytes: 4 << 10,
        local_bytes: 0,
        threads_max: 1024,
        dynamic_shared_bytes_max: 44 << 10,
    };
    for capability in [Capability::new(8, 6), Capability::new(9, 0)] {
        let tuner = KernelTuner::for_capability(capability, kernel)?;
        println!("compute capability {capability}, {} registers a thread", kernel.registers);
        let recommended = tuner.recommend(|_| 0);
        for size in recommended.iter().take(3) {
            println!("  {size}");
        }
        if recommended.is_empty() {
            println!("  no block size is above 50 %; 256 threads give:");
            println!("  {}", tuner.recommendation(256, 0));
        }
        if let Some(best) = tuner.suggest(|_| 0) {
            println!(
                "  most resident threads: {} blocks of {}",
                best.blocks_per_multiprocessor, best.threads
            );
        }
    }
    Ok(())
}
