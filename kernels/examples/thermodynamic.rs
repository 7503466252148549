//! How does a network evolve on a device, and does it agree with the equations?

use gpu_core::{Device, KernelImages};
use kernels::thermodynamic::{Evolution, Network, compare, naive};

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> anyhow::Result<()> {
    let device = Device::auto()?;
    let stream = device.stream()?;
    let mut network = Network::initial(900, 42)?;
    let mut evolution = Evolution::new(&device, &KernelImages::discover(), &network)?;
    println!("on {}:", device.properties().name);
    for call in 0..3 {
        evolution.reset(&stream, &network)?;
        let actual = evolution.call(&stream)?;
        let expected = naive::evolve(&mut network);
        let differences = compare((&network, &expected), (&evolution.network(&stream)?, &actual))?;
        println!(
            "call {call}: kinetic {:.3}, order {:.4}, heat {:+.4}; theta within {:.0e}",
            actual.kinetic, actual.order, actual.heat, differences.theta
        );
    }
    Ok(())
}
