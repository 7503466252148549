//! How is a kernel launched? On the first GPU, or on the host where there is none.

use gpu_core::{Device, KernelImages};
use kernels::Tunable;
use kernels::vector::{Saxpy, SaxpyArgs};

#[expect(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> anyhow::Result<()> {
    let device = Device::auto()?;
    let stream = device.stream()?;
    let saxpy = Saxpy::prepare(&device, &KernelImages::discover(), Saxpy::launch_for(1000))?;

    let (mut x, mut y) = (device.buffer::<f32>(1000)?, device.buffer::<f32>(1000)?);
    stream.write(&[1.5; 1000], x.view_mut())?;
    stream.write(&[1.0; 1000], y.view_mut())?;
    stream.launch(&saxpy, SaxpyArgs { x: x.view(), y: y.view_mut(), alpha: 2.0 })?;

    let y = stream.read_vec(y.view())?;
    println!("on {}: 2 * 1.5 + 1 = {}", device.properties().name, y[999]);
    Ok(())
}
