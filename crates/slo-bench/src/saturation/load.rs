//! Loads whose work is counted and whose results are compared, element by element or in a sum of all.
//!
//! Never runs by itself: a [`Driver`](super::Driver) replays it.

use gpu_core::{BackendKind, Device, DeviceBuffer, Graph, KernelImages, Launch, Prepared, Stream};
use kernels::Tunable as _;
use kernels::load::{
    SPIN_OPERATIONS, SPIN_STARTS, Spin, SpinArgs, StridedRead, StridedReadArgs, Triad, TriadArgs,
    spin, strided_read, triad,
};
use kernels::matrix::{Gemm, GemmArgs, GemmTile, ProductArgs, ProductShape};
use kernels::philox::{Draw, Philox};

use super::trace::Work;

/// What a device can be kept busy with. On the host all of them are small: they are only tried there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadName {
    /// One block that turns its points: one multiprocessor of all.
    OneBlock,
    /// One warp on every multiprocessor, each turning its points: none of them is idle, and none has much to do.
    OneWarpEach,
    /// Every 32nd number of a buffer sixteen times the cache: one sector of each line is moved, an eighth of it is of use.
    StridedReads,
    /// A triad whose three buffers take a quarter of the cache together: memory has no part in it.
    ResidentTriad,
    /// A triad on three buffers, each eight times the cache: nothing of it is there when it comes round again.
    StreamingTriad,
    /// A product of square matrices.
    Product,
    /// As many threads as fit, each turning a point: arithmetic in registers, as fast as it goes.
    FullSpin,
}

impl LoadName {
    /// The load, with its buffers on `device`.
    pub(super) fn open(
        self,
        device: &Device,
        images: &KernelImages,
        stream: &Stream,
    ) -> gpu_core::Result<Load> {
        let site = Site { device, images, stream };
        match self {
            Self::OneBlock => site.one_block(),
            Self::OneWarpEach => site.one_warp_each(),
            Self::StridedReads => site.strided_reads(),
            Self::ResidentTriad => site.resident_triad(),
            Self::StreamingTriad => site.streaming_triad(),
            Self::Product => site.product(),
            Self::FullSpin => site.full_spin(),
        }
    }
}

/// Kernels that were recorded once and are replayed back to back: a round.
pub(super) struct Load {
    pub(super) graph: Graph,
    /// Of one round.
    pub(super) work: Work,
    check: Check,
}

impl Load {
    /// What is wrong with the results after `rounds` rounds in all, in words.
    pub(super) fn fault(
        &mut self,
        stream: &Stream,
        rounds: u32,
    ) -> gpu_core::Result<Option<String>> {
        (self.check)(stream, rounds)
    }
}

/// Says what is wrong with the results after so many rounds, in words.
type Check = Box<dyn FnMut(&Stream, u32) -> gpu_core::Result<Option<String>>>;

/// Numbers that inputs repeat: enough that no two rows of memory look alike, few enough to make on one thread.
const PATTERN: usize = 1 << 16;
/// Seed of all inputs.
const SEED: u64 = 42;

/// Where a load is made.
struct Site<'a> {
    device: &'a Device,
    images: &'a KernelImages,
    stream: &'a Stream,
}

impl Site<'_> {
    fn streaming_triad(&self) -> gpu_core::Result<Load> {
        self.triads(self.len_of_caches(8, 8), 4)
    }

    fn resident_triad(&self) -> gpu_core::Result<Load> {
        let len = self.len_of_caches(1, 8) / 12;
        self.triads(len.next_multiple_of(PATTERN), 400)
    }

    fn triads(&self, len: usize, launches: u32) -> gpu_core::Result<Load> {
        const SCALE: f64 = 0.75;
        let (b, c) = (normals(0), normals(1));
        let mut expected = vec![0.0; PATTERN];
        triad(SCALE, &b, &c, &mut expected);
        let (b, c) = (self.repeated(&b, len)?, self.repeated(&c, len)?);
        let mut a = self.device.buffer(len)?;
        let kernel = Triad::prepare(self.device, self.images, Triad::launch_for(len))?;
        let graph = self.stream.capture(|| {
            for _ in 0..launches {
                let args = TriadArgs { b: b.view(), c: c.view(), a: a.view_mut(), scale: SCALE };
                self.stream.launch(&kernel, args)?;
            }
            Ok(())
        })?;
        let check = move |stream: &Stream, _| {
            let _inputs = (&b, &c, &kernel);
            let mut actual = vec![0.0; PATTERN];
            for start in (0..len).step_by(PATTERN) {
                stream.read(a.view().range(start..start + PATTERN)?, &mut actual)?;
                let is_other = |(x, y): (&f64, &f64)| x.to_bits() != y.to_bits();
                if let Some(at) = actual.iter().zip(&expected).position(is_other) {
                    let (actual, expected, index) = (actual[at], expected[at], start + at);
                    return Ok(Some(format!("element {index} is {actual}, not {expected}")));
                }
            }
            Ok(None)
        };
        let work = Work {
            bytes: 24 * len as u64 * u64::from(launches),
            operations: 2 * len as u64 * u64::from(launches),
        };
        Ok(Load { graph, work, check: Box::new(check) })
    }

    fn strided_reads(&self) -> gpu_core::Result<Load> {
        const STRIDE: u32 = 32;
        const LAUNCHES: u32 = 4;
        let len = self.len_of_caches(16, 4);
        let pattern: Vec<u32> = (0..PATTERN as u64).map(scrambled).collect();
        let sum = strided_read(&pattern, STRIDE);
        let input = self.repeated(&pattern, len)?;
        let mut output = self.device.buffer(1)?;
        let touched = len / STRIDE as usize;
        let launch = StridedRead::launch_for(touched);
        let kernel = StridedRead::prepare(self.device, self.images, launch)?;
        let graph = self.stream.capture(|| {
            for _ in 0..LAUNCHES {
                let (input, output) = (input.view(), output.view_mut());
                self.stream.launch(&kernel, StridedReadArgs { input, output, stride: STRIDE })?;
            }
            Ok(())
        })?;
        let check = move |stream: &Stream, rounds: u32| {
            let _inputs = (&input, &kernel);
            let actual = stream.read_vec(output.view())?[0];
            // The pattern begins anew at multiples of the stride.
            let repeats = u32::try_from(len / PATTERN).unwrap_or(u32::MAX);
            let times = repeats.wrapping_mul(rounds).wrapping_mul(LAUNCHES);
            let expected = sum.wrapping_mul(times);
            Ok((actual != expected).then(|| format!("the sum is {actual}, not {expected}")))
        };
        let work = Work { bytes: 4 * touched as u64 * u64::from(LAUNCHES), operations: 0 };
        Ok(Load { graph, work, check: Box::new(check) })
    }

    fn one_block(&self) -> gpu_core::Result<Load> {
        self.spins(Launch::linear(1, 1024), 1024)
    }

    fn one_warp_each(&self) -> gpu_core::Result<Load> {
        const WARP: u32 = 32;
        let blocks = if self.is_gpu() { self.device.properties().multiprocessors } else { 1 };
        self.spins(Launch::linear(blocks, WARP), blocks as usize * WARP as usize)
    }

    fn full_spin(&self) -> gpu_core::Result<Load> {
        let properties = self.device.properties();
        let blocks = if self.is_gpu() {
            properties.multiprocessors * (properties.threads_per_multiprocessor_max / 1024).max(1)
        } else {
            1
        };
        self.spins(Launch::linear(blocks, 1024), blocks as usize * 1024)
    }

    fn spins(&self, launch: Launch, len: usize) -> gpu_core::Result<Load> {
        const LAUNCHES: u32 = 2;
        let turns = if self.is_gpu() { 60_000 } else { 500 };
        let mut expected = [0.0; SPIN_STARTS];
        spin(turns, &mut expected);
        let mut output = self.device.buffer(len)?;
        self.stream.write(&vec![f32::NAN; len], output.view_mut())?;
        let kernel: Prepared<Spin> = Spin::prepare(self.device, self.images, launch)?;
        let graph = self.stream.capture(|| {
            for _ in 0..LAUNCHES {
                self.stream.launch(&kernel, SpinArgs { output: output.view_mut(), turns })?;
            }
            Ok(())
        })?;
        let check = move |stream: &Stream, _| {
            let _kernel = &kernel;
            let actual = stream.read_vec(output.view())?;
            let is_other =
                |&index: &usize| actual[index].to_bits() != expected[index % SPIN_STARTS].to_bits();
            let wrong = (0..actual.len()).find(is_other);
            Ok(wrong.map(|index| format!("point {index} ends at {}", actual[index])))
        };
        let operations = len as u64 * u64::from(turns * SPIN_OPERATIONS * LAUNCHES);
        let work = Work { bytes: 4 * len as u64 * u64::from(LAUNCHES), operations };
        Ok(Load { graph, work, check: Box::new(check) })
    }

    fn product(&self) -> gpu_core::Result<Load> {
        let side: u32 = if self.is_gpu() { 4096 } else { 64 };
        let shape = ProductShape::square(side);
        let tile = GemmTile { rows: 8, columns: 8, depth: 8 };
        let [len, _, _] = shape.lens();
        let (a, b) = (singles(2), singles(3));
        let pattern = |all: &[f32], index: usize| all[index % PATTERN];
        let device_a = self.repeated(&a, len)?;
        let device_b = self.repeated(&b, len)?;
        let mut c = self.device.buffer(len)?;
        let kernel = Gemm::prepare(self.device, self.images, tile.launch(shape, 256))?;
        let graph = self.stream.capture(|| {
            let (a, b, c) = (device_a.view(), device_b.view(), c.view_mut());
            self.stream.launch(&kernel, GemmArgs { product: ProductArgs { a, b, c, shape }, tile })
        })?;
        let check = move |stream: &Stream, _| {
            let _inputs = (&device_a, &device_b, &kernel);
            let actual = stream.read_vec(c.view())?;
            let side = side as usize;
            // A sample that meets every row and every column of a block: each element costs the host a whole row.
            for sample in 0..1024_usize.min(len) {
                let (row, column) = (sample * 37 % side, sample * 101 % side);
                // The order of the sum is that of the kernel, so that bits are equal.
                let expected = (0..side).fold(0.0_f32, |sum, k| {
                    pattern(&a, row * side + k).mul_add(pattern(&b, k * side + column), sum)
                });
                let actual = actual[row * side + column];
                if actual.to_bits() != expected.to_bits() {
                    return Ok(Some(format!(
                        "row {row}, column {column}: {actual}, not {expected}"
                    )));
                }
            }
            Ok(None)
        };
        let cube = u64::from(side).pow(3);
        let work = Work { bytes: 12 * len as u64, operations: 2 * cube };
        Ok(Load { graph, work, check: Box::new(check) })
    }

    /// A buffer of `len` elements that repeat `pattern`.
    fn repeated<T: gpu_core::Pod>(
        &self,
        pattern: &[T],
        len: usize,
    ) -> gpu_core::Result<DeviceBuffer<T>> {
        let mut first = self.device.buffer(pattern.len())?;
        self.stream.write(pattern, first.view_mut())?;
        let mut all = self.device.buffer(len)?;
        for start in (0..len).step_by(pattern.len()) {
            let end = len.min(start + pattern.len());
            self.stream
                .copy(first.view().range(0..end - start)?, all.view_mut().range(start..end)?)?;
        }
        self.stream.synchronize()?;
        Ok(all)
    }

    /// Elements of `bytes` each that take `times` the cache of level 2; few on the host, which is only tried.
    fn len_of_caches(&self, times: usize, bytes: usize) -> usize {
        let cache = self.device.properties().l2_bytes as usize;
        let len = if self.is_gpu() { times * cache.max(1 << 20) / bytes } else { PATTERN };
        len.next_multiple_of(PATTERN)
    }

    fn is_gpu(&self) -> bool {
        self.device.backend() == BackendKind::Cuda
    }
}

fn normals(step: u32) -> Vec<f64> {
    let mut numbers = vec![0.0; PATTERN];
    Philox::new(SEED).normals(Draw { stream: 66, step, frame: 0 }, &mut numbers);
    numbers
}

#[expect(clippy::cast_possible_truncation, reason = "any single near the double will do")]
fn singles(step: u32) -> Vec<f32> {
    normals(step).into_iter().map(|x| x as f32).collect()
}

/// A number that looks like no other (Knuth's multiplicative hash).
fn scrambled(index: u64) -> u32 {
    (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_a_load_that_did_not_run_are_wrong_and_of_one_that_did_are_right() {
        let (device, images) = (Device::host(), KernelImages::at("nowhere"));
        let stream = device.stream().unwrap();
        for name in [
            LoadName::OneBlock,
            LoadName::OneWarpEach,
            LoadName::StridedReads,
            LoadName::ResidentTriad,
            LoadName::StreamingTriad,
            LoadName::Product,
            LoadName::FullSpin,
        ] {
            let mut load = name.open(&device, &images, &stream).unwrap();
            assert!(load.fault(&stream, 1).unwrap().is_some(), "{name:?}");
            stream.replay(&load.graph).unwrap();
            assert_eq!(load.fault(&stream, 1).unwrap(), None, "{name:?}");
            assert!(load.work.bytes > 0, "{name:?}");
        }
    }
}
