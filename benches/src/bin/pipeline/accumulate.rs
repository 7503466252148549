//! The stage that is timed: y <- y + x, a few times over. As light or as heavy as asked, and every result tells what went through its slot.
//!
//! All numbers are small whole numbers, so sums of them are exact and results are compared bit by bit.

use gpu_core::{Device, DeviceSlice, DeviceSliceMut, KernelImages, Prepared, Stream};
use kernels::Tunable as _;
use kernels::vector::{Saxpy, SaxpyArgs};
use memory_pipeline::Stage;

/// Adds the input to what the slot's output holds.
#[derive(Debug)]
pub(super) struct Accumulate {
    kernel: Prepared<Saxpy>,
    launches: u32,
}

impl Accumulate {
    /// A stage of `launches` kernels a batch, for batches of `len` elements.
    pub(super) fn new(
        device: &Device,
        images: &KernelImages,
        len: usize,
        launches: u32,
    ) -> gpu_core::Result<Self> {
        let kernel = Saxpy::prepare(device, images, Saxpy::launch_for(len))?;
        Ok(Self { kernel, launches })
    }
}

impl Stage for Accumulate {
    type Input = f32;
    type Output = f32;

    fn enqueue(
        &mut self,
        stream: &Stream,
        input: DeviceSlice<'_, f32>,
        mut output: DeviceSliceMut<'_, f32>,
    ) -> gpu_core::Result<()> {
        for _ in 0..self.launches {
            let args = SaxpyArgs { x: input, y: output.reborrow(), alpha: 1.0 };
            stream.launch(&self.kernel, args)?;
        }
        Ok(())
    }
}

/// Element `index` of every batch, before it is multiplied with what tells the batches apart.
fn pattern(index: usize) -> f32 {
    [1.0, 2.0, 3.0][index % 3]
}

/// The batch that `mark` tells apart from others.
pub(super) fn fill(batch: &mut [f32], mark: u8) {
    let mark = f32::from(mark);
    batch.iter_mut().enumerate().for_each(|(index, element)| *element = mark * pattern(index));
}

/// The mark of batch number `number`: 1 to 7 in turn.
pub(super) fn mark_of(number: usize) -> u8 {
    [1, 2, 3, 4, 5, 6, 7][number % 7]
}

/// The largest sum whose triple is still exact in single precision.
const SUM_MAX: f32 = 5_592_405.0;

/// How much of a result is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Every element.
    All,
    /// The first element and the last, which costs a run next to nothing.
    Ends,
}

impl Look {
    /// The look at a pass: the first is whole and is not timed.
    pub(super) fn at_pass(pass: u64) -> Self {
        if pass == 0 { Self::All } else { Self::Ends }
    }
}

/// What has gone through each slot, and the first result that did not tell so.
#[derive(Debug)]
pub(super) struct Ledger {
    sums: Vec<f32>,
    launches: f32,
    checked: u64,
    fault: Option<String>,
}

impl Ledger {
    pub(super) fn new(slots: usize, launches: u32) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "at most a few hundred launches")]
        let launches = launches as f32;
        Self { sums: vec![0.0; slots], launches, checked: 0, fault: None }
    }

    /// Takes note of batch `batch`, whose input's first element is `mark`, and looks at its output.
    pub(super) fn look(&mut self, batch: u64, mark: f32, output: &[f32], look: Look) {
        let sum = self.note(batch, mark);
        let step = match look {
            Look::All => 1,
            Look::Ends => output.len().saturating_sub(1).max(1),
        };
        self.check(batch, sum, output.iter().copied().enumerate().step_by(step));
    }

    /// What each element of the output of batch `batch`, now that it went through its slot, is a multiple of.
    fn note(&mut self, batch: u64, mark: f32) -> f32 {
        let slots = self.sums.len() as u64;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is below `slots`, a usize"
        )]
        let sum = &mut self.sums[(batch % slots) as usize];
        *sum += mark * self.launches;
        if *sum > SUM_MAX {
            let text = format!("batch {batch}: sums are no longer exact; ask for fewer batches");
            self.fault.get_or_insert(text);
        }
        *sum
    }

    fn check(&mut self, batch: u64, sum: f32, elements: impl Iterator<Item = (usize, f32)>) {
        self.checked += 1;
        for (index, found) in elements {
            let expected = sum * pattern(index);
            if found.to_bits() != expected.to_bits() {
                let text = format!("batch {batch}, element {index}: {found} instead of {expected}");
                self.fault.get_or_insert(text);
                return;
            }
        }
    }

    /// The first result that was wrong, if one was; otherwise how many were right.
    pub(super) fn outcome(self) -> Result<u64, String> {
        self.fault.map_or(Ok(self.checked), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_element_is_found_wherever_it_looks() {
        let mut batch = vec![0.0; 10];
        fill(&mut batch, 4);
        let outcome = |spoilt: Option<usize>, look: Look| {
            let mut ledger = Ledger::new(2, 3);
            let mut output: Vec<f32> = batch.iter().map(|element| 3.0 * element).collect();
            if let Some(index) = spoilt {
                output[index] = output[index].next_up();
            }
            ledger.look(0, batch[0], &output, look);
            ledger.outcome()
        };
        for look in [Look::All, Look::Ends] {
            assert_eq!(outcome(None, look), Ok(1));
            assert!(outcome(Some(0), look).unwrap_err().starts_with("batch 0, element 0"));
            assert!(outcome(Some(9), look).unwrap_err().starts_with("batch 0, element 9"));
        }
        assert!(outcome(Some(5), Look::All).is_err());
        assert!(outcome(Some(5), Look::Ends).is_ok(), "only the ends were asked for");
    }

    #[test]
    fn a_slot_remembers_all_that_went_through_it() {
        let mut ledger = Ledger::new(2, 1);
        assert_eq!(
            [(0, 1.0), (1, 2.0), (2, 3.0)].map(|(batch, mark)| ledger.note(batch, mark)),
            [1.0, 2.0, 4.0]
        );
        ledger.note(3, SUM_MAX);
        assert!(ledger.outcome().unwrap_err().contains("no longer exact"));
    }
}
