//! Which launch is fastest for my own work, and is its result still right?
#![expect(clippy::print_stdout, reason = "an example prints")]

use gpu_core::{Axis, Device, DeviceBuffer, Launch, LaunchSpace, Point, Result, Stream};
use kernel_tuner::{Exhaustive, Mismatch, PerformanceTuner, Ready, Subject, TunerConfig};

const LEN: usize = 1 << 20;
const SPACE: LaunchSpace =
    LaunchSpace::new(&[Axis { name: "chunks", values: &[1, 2, 4, 16, 64, 256] }]);
const BASELINE: LaunchSpace = LaunchSpace::new(&[Axis { name: "chunks", values: &[16] }]);

/// A copy on the device in a number of pieces: the result is the same, the time is not.
struct Copy {
    from: DeviceBuffer<f64>,
    to: DeviceBuffer<f64>,
    expected: Vec<f64>,
}

impl Subject for Copy {
    fn name(&self) -> &str {
        "copy"
    }

    fn space(&self) -> LaunchSpace {
        SPACE
    }

    fn baseline(&self) -> Point {
        BASELINE.point(0).expect("the baseline has one point")
    }

    fn prepare(&mut self, _point: &Point) -> Result<Ready> {
        Ok(Ready { launch: Launch::linear(1, 1), attributes: None })
    }

    fn enqueue(&mut self, point: &Point, stream: &Stream) -> Result<()> {
        let chunks = point.value("chunks").unwrap_or(1) as usize;
        for start in (0..LEN).step_by(LEN / chunks) {
            let range = start..start + LEN / chunks;
            let from = self.from.view().range(range.clone())?;
            stream.copy(from, self.to.view_mut().range(range)?)?;
        }
        Ok(())
    }

    fn poison(&mut self, stream: &Stream) -> Result<()> {
        stream.write(&vec![f64::NAN; LEN], self.to.view_mut())
    }

    fn verify(&mut self, stream: &Stream) -> Result<Result<(), Mismatch>> {
        let copied = stream.read_vec(self.to.view())?;
        Ok(Mismatch::compare("the copy", &self.expected, &copied, 0.0))
    }
}

fn main() -> Result<(), kernel_tuner::Error> {
    let device = Device::auto()?;
    let (mut from, to) = (device.buffer(LEN)?, device.buffer(LEN)?);
    let expected: Vec<f64> = (0..1 << 20).map(f64::from).collect();
    device.stream()?.write(&expected, from.view_mut())?;

    let mut tuner = PerformanceTuner::new(&device, TunerConfig::default())?;
    let mut search = Exhaustive::new(SPACE.len());
    let tuned = tuner.tune(&mut Copy { from, to, expected }, &mut search)?;

    println!("measured on {} ({})", tuned.device.name, tuned.device.backend);
    for candidate in &tuned.candidates {
        println!("{}: {:?}", candidate.point, candidate.outcome);
    }
    let (best, baseline) = (tuned.best_time.median_us, tuned.baseline_time.median_us);
    println!("best: {} at {best:.1} us, beside {baseline:.1} us of the baseline", tuned.best);
    println!("verdict {:?}, so use {}", tuned.verdict, tuned.point);
    Ok(())
}
