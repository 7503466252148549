//! Whether a device weighs windows as the reference does, by every launch and number of items.

use gpu_core::{DeviceBuffer, Launch, Result, Stream};

use super::{Convolve, ConvolveArgs, ConvolveDirect, MARGIN, WINDOW, WindowArgs, convolve};
use crate::conformance::{Case, Context, GUARD, KernelCheck, launches};
use crate::source::{Tunable, choice};

/// A check for each kernel of this folder.
pub(crate) fn check(context: &Context<'_>) -> Vec<KernelCheck> {
    [
        context.check(Convolve::SOURCE.name, "weighed windows", check_convolve),
        context.check(ConvolveDirect::SOURCE.name, "weighed windows", check_convolve_direct),
    ]
    .concat()
}

/// Nothing, a single element, sides that fill no tile, and more than one tile of every size.
const IMAGES: [[u32; 2]; 5] = [[0, 4], [4, 0], [1, 1], [37, 31], [270, 45]];

/// An image and its weights on the device, room for what comes out, and what that must be.
struct Windows {
    rows: u32,
    columns: u32,
    input: DeviceBuffer<f32>,
    weights: DeviceBuffer<f32>,
    output: DeviceBuffer<f32>,
    expected: Vec<f32>,
}

impl Windows {
    fn new(context: &Context<'_>, stream: &Stream, [rows, columns]: [u32; 2]) -> Result<Self> {
        let [down, across] = [rows, columns].map(|side| side as usize);
        let image = context.singles(13, (down + MARGIN) * (across + MARGIN));
        let weighing = context.singles(14, WINDOW * WINDOW);
        let mut expected = vec![0.0; down * across];
        let drawn = weighing.first_chunk().expect("as many were drawn");
        convolve(columns, &image, drawn, &mut expected);
        let (mut input, mut weights) =
            (context.device.buffer(image.len())?, context.device.buffer(weighing.len())?);
        stream.write(&image, input.view_mut())?;
        stream.write(&weighing, weights.view_mut())?;
        let output = context.device.buffer(expected.len() + GUARD)?;
        Ok(Self { rows, columns, input, weights, output, expected })
    }

    /// Arguments over an output that is poisoned.
    fn args(&mut self, stream: &Stream) -> Result<WindowArgs<'_>> {
        stream.write(&vec![f32::NAN; self.output.len()], self.output.view_mut())?;
        Ok(WindowArgs {
            input: self.input.view(),
            weights: self.weights.view(),
            output: self.output.view_mut().range(0..self.expected.len())?,
            rows: self.rows,
            columns: self.columns,
        })
    }

    fn compare(&self, stream: &Stream, check: &mut KernelCheck, launch: Launch) -> Result<()> {
        let case = Case { len: self.expected.len(), launch };
        check.compare(case, &self.expected, &stream.read_vec(self.output.view())?);
        Ok(())
    }
}

fn check_convolve(context: &Context<'_>, check: &mut KernelCheck) -> Result<()> {
    let stream = context.device.stream()?;
    for image in IMAGES {
        let mut windows = Windows::new(context, &stream, image)?;
        for point in Convolve::SPACE.points() {
            let items = Convolve::items_at(&point);
            let covering =
                Convolve::launch(image, choice(&Convolve::SPACE, &point, "threads"), items);
            // One block has to go on to the next tile.
            let single = Launch { grid: [1, 1, 1], ..covering };
            for launch in [covering, single] {
                let prepared = Convolve::prepare(context.device, context.images, launch)?;
                let args = ConvolveArgs { window: windows.args(&stream)?, items };
                stream.launch(&prepared, args)?;
                windows.compare(&stream, check, launch)?;
            }
        }
    }
    Ok(())
}

fn check_convolve_direct(context: &Context<'_>, check: &mut KernelCheck) -> Result<()> {
    let stream = context.device.stream()?;
    for image in IMAGES {
        let mut windows = Windows::new(context, &stream, image)?;
        for launch in launches::<ConvolveDirect>(windows.expected.len()) {
            let prepared = ConvolveDirect::prepare(context.device, context.images, launch)?;
            stream.launch(&prepared, windows.args(&stream)?)?;
            windows.compare(&stream, check, launch)?;
        }
    }
    Ok(())
}
