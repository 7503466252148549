//! How do batches that were staged survive the loss of their device?

use gpu_core::{Device, ErrorKind, FaultPlan, Operation};
use memory_pipeline::{Backing, Pages, PinnedMemoryPool, PoolConfig, Result, Sharing};

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<()> {
    let backing =
        Backing::Registered { pages: Pages::Huge, nodes: Vec::new(), sharing: Sharing::Shared };
    let config = PoolConfig { backing, ..PoolConfig::uniform::<f32>(4, 1 << 20) };
    // A loss on purpose; on a real device it would be the process that has to be replaced, and the files of the
    // pool, given to the next process, that bring the memory there.
    let plan = FaultPlan::none().fail_once(Operation::Create, 0, ErrorKind::Poisoned);
    let device = Device::host().with_faults(plan);
    let pool = PinnedMemoryPool::new(&device, config.clone())?;
    pool.acquire::<f32>(1 << 20)?.fill(42.0);
    if let Err(error) = device.stream() {
        println!("lost: {error}");
    }
    let regions = pool.into_regions()?.into_iter().collect::<Result<_>>()?;
    let pool = PinnedMemoryPool::over(&Device::host(), config, regions)?;
    println!("still there: {}", pool.acquire::<f32>(1 << 20)?[0]);
    Ok(())
}
