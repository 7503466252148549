//! Several devices as one: a pipeline each, a submitting thread each, and a share of the input each.
//!
//! Never moves a batch from one device to another: shares are cut before the run.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

use gpu_core::Clock;

use crate::error::{Error, Result};
use crate::optimizer::{Canceller, MemoryOptimizer};
use crate::report::PipelineReport;
use crate::slot::nanoseconds;
use crate::stage::Stage;

/// A pipeline of a fleet and how much of the work it gets.
pub struct Member<S: Stage> {
    /// The pipeline, on a device of its own.
    pub pipeline: MemoryOptimizer<S>,
    /// Its share of the batches, in proportion to the sum of all shares.
    pub share: u32,
}

/// Pipelines that work on contiguous shares of one input at once. Results come in the order of the input.
///
/// ```
/// use gpu_core::{Device, DeviceSlice, DeviceSliceMut, Stream};
/// use memory_pipeline::{Config, Fleet, Member, MemoryOptimizer, Stage};
///
/// struct Echo;
///
/// impl Stage for Echo {
///     type Input = u32;
///     type Output = u32;
///
///     fn enqueue(
///         &mut self,
///         stream: &Stream,
///         input: DeviceSlice<'_, u32>,
///         output: DeviceSliceMut<'_, u32>,
///     ) -> gpu_core::Result<()> {
///         stream.copy(input, output)
///     }
/// }
///
/// # fn main() -> memory_pipeline::Result<()> {
/// let on = |device: Device| -> memory_pipeline::Result<_> {
///     Ok(Member { pipeline: MemoryOptimizer::new(&device, Echo, Config::new(2))?, share: 1 })
/// };
/// let mut fleet = Fleet::new(vec![on(Device::host())?, on(Device::host())?])?;
/// let mut output = [0; 5];
/// let report = fleet.pipeline_execute(&[1, 2, 3, 4, 5], &mut output)?;
/// assert_eq!(output, [1, 2, 3, 4, 5]);
/// assert_eq!(report.members[1].batches, 2);
/// # Ok(())
/// # }
/// ```
pub struct Fleet<S: Stage> {
    /// Invariant: not empty, each on a device of its own, all with batches of one length, and not all shares 0.
    members: Vec<Member<S>>,
    clock: Clock,
}

/// One run of a fleet.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FleetReport {
    /// From before the first submit to after the last completion, on the host's clock.
    pub wall_ns: u64,
    /// What each member did, in their order.
    pub members: Vec<PipelineReport>,
}

impl<S: Stage> Fleet<S> {
    /// A fleet of `members`.
    ///
    /// # Errors
    /// [`Error::Config`] without members, with shares that sum to 0, or with batches of different lengths, since results would depend on who computed them;
    /// [`Error::SharedDevice`] names two members on one device, since one thread submits to a device.
    pub fn new(members: Vec<Member<S>>) -> Result<Self> {
        let refuse = |what, actual, min, max| Err(Error::Config { what, actual, min, max });
        let Some(first) = members.first() else {
            return refuse("members of a fleet", 0, 1, usize::MAX);
        };
        let batch_len = first.pipeline.config().batch_len;
        let mut lens = members.iter().map(|member| member.pipeline.config().batch_len);
        if let Some(other) = lens.find(|&len| len != batch_len) {
            return refuse("batch_len of a fleet's member", other, batch_len, batch_len);
        }
        if members.iter().all(|member| member.share == 0) {
            return refuse("sum of a fleet's shares", 0, 1, usize::MAX);
        }
        if let Some((first, second)) = shared(&members) {
            return Err(Error::SharedDevice { first, second });
        }
        Ok(Self { members, clock: Clock::real() })
    }

    /// The members, for their reports and pools.
    pub fn members(&self) -> &[Member<S>] {
        &self.members
    }

    /// Takes the fleet apart.
    pub fn into_members(self) -> Vec<Member<S>> {
        self.members
    }

    /// Sends `input` through the stages of all members at once and fills `output`, as [`MemoryOptimizer::pipeline_execute`] does.
    ///
    /// # Errors
    /// [`Error::OutputLength`] before anything starts; otherwise [`Error::Member`] with the error that came first, which is
    /// [`Error::Threads`] where the system has no thread for the member. It ends the other members' runs: when this returns, no batch
    /// is in flight and every buffer is back in its pool, as after a panic in a stage.
    pub fn pipeline_execute(
        &mut self,
        input: &[S::Input],
        output: &mut [S::Output],
    ) -> Result<FleetReport>
    where
        S: Send,
    {
        let shares = self.cut(input, output)?;
        let cancellers = self.members.iter().map(|member| member.pipeline.canceller());
        let alarm = Alarm { first: AtomicUsize::new(usize::MAX), cancellers: cancellers.collect() };
        let started = self.clock.now();
        let results: Vec<_> = std::thread::scope(|scope| {
            let count = self.members.len();
            let members = self.members.iter_mut().zip(shares).enumerate();
            let runs: Vec<_> = members
                .map(|(index, (member, Share { from, to }))| {
                    // Made here, so that it rings as well where there is no thread to move it to.
                    let ringing = RingOnDrop { alarm: &alarm, index };
                    Builder::new().name(format!("member-{index}")).spawn_scoped(scope, move || {
                        let report = member.pipeline.pipeline_execute(from, to)?;
                        std::mem::forget(ringing);
                        Ok(report)
                    })
                })
                .collect();
            let joined = runs.into_iter().map(|run| match run {
                Ok(run) => run.join(),
                Err(_) => Ok(Err(Error::Threads { count })),
            });
            joined.collect()
        });
        let wall_ns = nanoseconds(self.clock.now().saturating_duration_since(started));
        // Members that had ended before the alarm must not take it for their next run.
        alarm.cancellers.iter().for_each(Canceller::calm);
        alarm.outcome(results).map(|members| FleetReport { wall_ns, members })
    }

    /// What each member reads and writes.
    fn cut<'a>(
        &self,
        mut input: &'a [S::Input],
        mut output: &'a mut [S::Output],
    ) -> Result<Vec<Share<'a, S>>> {
        let batch_len = self.members[0].pipeline.config().batch_len;
        let shares: Vec<_> = self.members.iter().map(|member| member.share).collect();
        let ends = ends(input.len().div_ceil(batch_len), &shares);
        let mut begin = 0;
        let lens: Vec<(usize, usize)> = (self.members.iter().zip(ends))
            .map(|(member, end)| {
                let end = end.saturating_mul(batch_len).min(input.len());
                let len = end - begin;
                begin = end;
                (len, member.pipeline.output_len(len))
            })
            .collect();
        let expected = lens.iter().fold(0_usize, |sum, len| sum.saturating_add(len.1));
        if output.len() != expected {
            return Err(Error::OutputLength { expected, actual: output.len() });
        }
        let share = |(input_len, output_len)| {
            let from = input.split_off(..input_len).expect("the shares sum to the input");
            let to = output.split_off_mut(..output_len).expect("the lengths sum to the output's");
            Share { from, to }
        };
        Ok(lens.into_iter().map(share).collect())
    }
}

impl<S: Stage> std::fmt::Debug for Member<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pipeline, share } = self;
        formatter.debug_struct("Member").field("pipeline", pipeline).field("share", share).finish()
    }
}

impl<S: Stage> std::fmt::Debug for Fleet<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fleet").field("members", &self.members).finish_non_exhaustive()
    }
}

/// What one member reads and writes.
struct Share<'a, S: Stage> {
    from: &'a [S::Input],
    to: &'a mut [S::Output],
}

/// Two members on one device, if there are such.
fn shared<S: Stage>(members: &[Member<S>]) -> Option<(usize, usize)> {
    let ids: Vec<_> = members.iter().map(|member| member.pipeline.device().id()).collect();
    let pair = |(second, id)| Some((ids[..second].iter().position(|other| other == id)?, second));
    ids.iter().enumerate().find_map(pair)
}

/// Where each share of `batches` batches ends, rounded down so that the last one ends at the end.
fn ends(batches: usize, shares: &[u32]) -> impl Iterator<Item = usize> {
    let total: u128 = shares.iter().copied().map(u128::from).sum();
    let sums = shares.iter().scan(0_u128, |sum, &share| {
        *sum += u128::from(share);
        Some(*sum)
    });
    sums.map(move |sum| {
        let end = batches as u128 * sum / total;
        usize::try_from(end).expect("a part of the batches is no more than all")
    })
}

/// The first member that failed, and how all others are ended.
struct Alarm {
    /// `usize::MAX` while nobody failed.
    first: AtomicUsize,
    cancellers: Vec<Canceller>,
}

/// Ends all members when it is dropped: on an error and on a panic.
struct RingOnDrop<'a> {
    alarm: &'a Alarm,
    index: usize,
}

impl Drop for RingOnDrop<'_> {
    fn drop(&mut self) {
        let Alarm { first, cancellers } = self.alarm;
        if first
            .compare_exchange(usize::MAX, self.index, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
        {
            cancellers.iter().for_each(Canceller::alarm);
        }
    }
}

impl Alarm {
    /// All reports, or the error or panic that came first.
    fn outcome(
        &self,
        mut results: Vec<std::thread::Result<Result<PipelineReport>>>,
    ) -> Result<Vec<PipelineReport>> {
        let first = self.first.load(Ordering::Acquire);
        if first < results.len() {
            match results.swap_remove(first) {
                Err(panic) => resume_unwind(panic),
                Ok(Err(source)) => {
                    return Err(Error::Member { member: first, source: Box::new(source) });
                }
                Ok(Ok(_)) => {}
            }
        }
        let all =
            results.into_iter().map(|result| result.unwrap_or_else(|panic| resume_unwind(panic)));
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_alarm_ends_every_member_and_later_ones_change_nothing() {
        let cancellers: Vec<_> = (0..3).map(|_| Canceller::default()).collect();
        let alarm = Alarm { first: AtomicUsize::new(usize::MAX), cancellers };
        let ended = || alarm.cancellers.iter().filter(|canceller| canceller.take()).count();
        for (index, expected) in [(1, 3), (2, 0), (0, 0)] {
            drop(RingOnDrop { alarm: &alarm, index });
            assert_eq!(ended(), expected, "member {index}");
            alarm.cancellers.iter().for_each(Canceller::calm);
            assert_eq!(alarm.first.load(Ordering::Acquire), 1);
        }
    }

    #[test]
    fn shares_are_in_proportion_and_miss_no_batch() {
        let cases: [(usize, &[u32], &[usize]); 7] = [
            (10, &[1, 1], &[5, 10]),
            (10, &[3, 1, 1], &[6, 8, 10]),
            (7, &[1, 1], &[3, 7]),
            (1, &[1, 1, 1], &[0, 0, 1]),
            (0, &[2, 5], &[0, 0]),
            (9, &[0, 1, 0], &[0, 9, 9]),
            (usize::MAX, &[u32::MAX, u32::MAX], &[usize::MAX / 2, usize::MAX]),
        ];
        for (batches, shares, expected) in cases {
            assert_eq!(ends(batches, shares).collect::<Vec<_>>(), expected, "{batches} {shares:?}");
        }
    }
}
