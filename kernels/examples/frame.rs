//! How does a system take frames on a device, where does the time go, and does it agree with the equations?

use gpu_core::{Device, KernelImages};
use kernels::frame::{Engine, Marks, Outputs, System, compare, formula, naive};

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> anyhow::Result<()> {
    let device = Device::auto()?;
    let stream = device.stream()?;
    let mut system = System::initial(42);
    let mut engine = Engine::new(&device, &KernelImages::discover(), &system)?;
    let marks = Marks::new(&device)?;
    println!("on {}:", device.properties().name);
    for frame in 0..3 {
        engine.reset(&stream, &system)?;
        let actual = Outputs::from(engine.call_marked(&stream, &formula(frame), &marks)?);
        let expected = naive::frame(&mut system, &formula(frame))?;
        let reached = engine.system(&stream)?;
        let differences = compare((&system, expected.as_ref()), (&reached, actual.as_ref()))?;
        let metrics = &actual.metrics;
        println!(
            "frame {frame}: policy {}, coherence {:.4}, {:.3} bits; control within {:.0e}",
            metrics.policy, metrics.coherence, metrics.information, differences.control
        );
    }
    for span in marks.spans()? {
        println!("{:>10} {:>8.1} us", span.part, span.duration.as_secs_f64() * 1e6);
    }
    Ok(())
}
