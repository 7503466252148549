//! Which action does an agent choose, and does the device agree with the equations?

use gpu_core::{Device, KernelImages};
use kernels::active_inference::{Agent, Inference, Outputs, compare, naive, observations_alone};

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> anyhow::Result<()> {
    let device = Device::auto()?;
    let stream = device.stream()?;
    let observations = observations_alone();
    let mut agent = Agent::initial(42);
    let mut inference = Inference::new(&device, &KernelImages::discover(), &agent)?;
    println!("on {}:", device.properties().name);
    for call in 0..3 {
        inference.reset(&stream, &agent)?;
        let actual = Outputs::from(inference.call(&stream, &observations)?);
        let expected = naive::infer(&mut agent, &observations);
        let differences = compare((&agent, &expected), (&inference.agent(&stream)?, &actual))?;
        println!(
            "call {call}: free energy {:.2} to {:.2}, policy {} with G {:.2}; mean within {:.0e}",
            actual.free_energy[0],
            actual.free_energy[10],
            actual.policy,
            actual.g[actual.policy],
            differences.mu
        );
    }
    Ok(())
}
