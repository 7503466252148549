//! Which devices does this machine have? Run it with `--features cuda` to see GPUs.
#![expect(clippy::print_stdout, reason = "an example prints")]

use gpu_core::Device;

fn main() {
    for device in Device::list() {
        println!("{} {}: {}", device.backend, device.ordinal, device.name);
        if let Some(capability) = device.capability {
            println!("  compute capability {capability}, bus id {}", device.pci_bus_id);
        }
        if let Some(release) = &device.driver_release {
            println!("  driver {release}");
        }
        println!("  {} multiprocessors", device.multiprocessors);
        println!("  {:.1} GiB of memory", device.memory_bytes as f64 / f64::from(1 << 30));
        println!("  {} KiB of shared memory a block", device.shared_bytes_per_block_optin >> 10);
    }
    if let Err(error) = Device::cuda_count() {
        println!("no GPU is listed: {error}");
    }
}
