//! Whether a device runs the loads as their references say: every launch of their spaces, several sizes.

use gpu_core::Result;

use super::{Spin, SpinArgs, StridedRead, StridedReadArgs, Triad, TriadArgs};
use super::{spin, strided_read, triad};
use crate::conformance::{Case, Context, Failure, GUARD, KernelCheck, launches};
use crate::source::Tunable;

const LENGTHS: [usize; 6] = [0, 1, 31, 257, 4096, 100_003];

/// A check of each load.
pub(crate) fn check(context: &Context<'_>) -> Vec<KernelCheck> {
    [
        context.check(Triad::SOURCE.name, "a", check_triad),
        context.check(StridedRead::SOURCE.name, "sum", check_strided_read),
        context.check(Spin::SOURCE.name, "points", check_spin),
    ]
    .concat()
}

fn check_triad(context: &Context<'_>, check: &mut KernelCheck) -> Result<()> {
    let stream = context.device.stream()?;
    for len in LENGTHS {
        let (b, c) = (context.doubles(20, len), context.doubles(41, len));
        let scale = 0.5 + context.doubles(22, 1)[0];
        let mut expected = vec![f64::NAN; len + GUARD];
        triad(scale, &b, &c, &mut expected[..len]);
        let (mut device_b, mut device_c) =
            (context.device.buffer(len)?, context.device.buffer(len)?);
        stream.write(&b, device_b.view_mut())?;
        stream.write(&c, device_c.view_mut())?;
        let mut output = context.device.buffer(len + GUARD)?;
        for launch in launches::<Triad>(len) {
            let prepared = Triad::prepare(context.device, context.images, launch)?;
            stream.write(&vec![f64::NAN; len + GUARD], output.view_mut())?;
            let a = output.view_mut().range(0..len)?;
            let args = TriadArgs { b: device_b.view(), c: device_c.view(), a, scale };
            stream.launch(&prepared, args)?;
            let actual = stream.read_vec(output.view())?;
            compare(check, Case { len, launch }, &bits(&expected), &bits(&actual));
        }
    }
    Ok(())
}

fn check_strided_read(context: &Context<'_>, check: &mut KernelCheck) -> Result<()> {
    /// What the output holds before, and what its guard holds for ever.
    const MARK: u32 = 0xDEAD_BEEF;
    let stream = context.device.stream()?;
    let mut output = context.device.buffer(1 + GUARD)?;
    for (len, stride) in LENGTHS.into_iter().zip([1, 3, 8, 32, 7, 128]) {
        let input: Vec<u32> = bits(&context.doubles(23, len)).into_iter().map(fold).collect();
        let mut expected = vec![MARK; 1 + GUARD];
        expected[0] = MARK.wrapping_add(strided_read(&input, stride));
        let mut device_input = context.device.buffer(len)?;
        stream.write(&input, device_input.view_mut())?;
        for launch in launches::<StridedRead>(len) {
            let prepared = StridedRead::prepare(context.device, context.images, launch)?;
            stream.write(&[MARK; 1 + GUARD], output.view_mut())?;
            let target = output.view_mut().range(0..1)?;
            let args = StridedReadArgs { input: device_input.view(), output: target, stride };
            stream.launch(&prepared, args)?;
            let actual = stream.read_vec(output.view())?;
            compare(check, Case { len: 1, launch }, &expected, &actual);
        }
    }
    Ok(())
}

fn check_spin(context: &Context<'_>, check: &mut KernelCheck) -> Result<()> {
    let stream = context.device.stream()?;
    for (len, turns) in LENGTHS.into_iter().zip([5, 1, 0, 333, 17, 64]) {
        let mut expected = vec![f32::NAN; len + GUARD];
        spin(turns, &mut expected[..len]);
        let mut output = context.device.buffer(len + GUARD)?;
        for launch in launches::<Spin>(len) {
            let prepared = Spin::prepare(context.device, context.images, launch)?;
            stream.write(&vec![f32::NAN; len + GUARD], output.view_mut())?;
            let target = output.view_mut().range(0..len)?;
            stream.launch(&prepared, SpinArgs { output: target, turns })?;
            let words = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let actual = stream.read_vec(output.view())?;
            compare(check, Case { len, launch }, &words(&expected), &words(&actual));
        }
    }
    Ok(())
}

/// Counts a case of which every element, and the guard behind them, has to be equal: `expected` holds both.
fn compare<T: PartialEq>(check: &mut KernelCheck, case: Case, expected: &[T], actual: &[T]) {
    let (output, guard) = actual.split_at(case.len);
    let wrong = output.iter().zip(expected).filter(|(actual, expected)| actual != expected);
    check.note(case, if wrong.count() == 0 { 0.0 } else { f64::INFINITY });
    if *guard != expected[case.len..] {
        let (blocks, threads) = (case.launch.grid[0], case.launch.block[0]);
        check.fail(Failure::OutOfBounds { len: case.len, blocks, threads });
    }
}

/// Numbers as they lie in memory: the tolerance is none, and what is not a number has to stay the same too.
fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Both halves of a word in one.
#[expect(clippy::cast_possible_truncation, reason = "each half is taken by itself")]
fn fold(word: u64) -> u32 {
    (word >> 32) as u32 ^ word as u32
}
