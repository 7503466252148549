//! The free list and the queue of waiters under a model checker, which runs every interleaving and every value that the
//! memory model lets a load see; and the same with one step of the protocol missing, which it must find.
//!
//! Two threads are checked exhaustively, three with a bound on preemptions. Run with
//! `RUSTFLAGS=--cfg=loom cargo test --package memory-pipeline --lib loom`; `cargo xtask ci` does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::free_list::{FreeList, PoolSlot, Protocol, Proven, Shape};
use super::waiters::Waiters;
use crate::sync::Ordering;

/// A free list, what its indices stand for, and who waits for one.
struct Yard<P> {
    list: FreeList<P>,
    /// Checked by the model: an access that is not ordered after the last owner's is a fault.
    buffers: Vec<UnsafeCell<u64>>,
    waiters: Waiters,
}

// SAFETY: the model checks every access to the buffers; everything else is `Sync`.
unsafe impl<P> Sync for Yard<P> {}
// SAFETY: nothing of it belongs to a thread.
unsafe impl<P> Send for Yard<P> {}

impl<P: Protocol> Yard<P> {
    /// As many indices as `homes`, each lying on the stack of its home, the first at the bottom.
    fn new(stripes: usize, homes: &[usize]) -> Self {
        let group_len = u16::try_from(homes.len()).unwrap();
        let list = FreeList::new(Shape { groups: 1, group_len, stripes });
        let slots: Vec<_> = homes.iter().map(|_| list.pop(0).unwrap()).collect();
        for (&home, slot) in homes.iter().zip(slots) {
            list.push(slot, home).unwrap();
        }
        let buffers = homes.iter().map(|_| UnsafeCell::new(0)).collect();
        Self { list, buffers, waiters: Waiters::default() }
    }

    fn pop(&self, home: usize) -> Option<PoolSlot> {
        self.list.pop(home).inspect(|slot| self.write(slot))
    }

    fn wait(&self, patience: impl FnMut() -> Duration) -> Option<PoolSlot> {
        self.waiters.wait(&self.list, patience).inspect(|slot| self.write(slot))
    }

    /// Only the owner of the index may do this.
    fn write(&self, slot: &PoolSlot) {
        self.buffers[usize::from(slot.index)].with_mut(|buffer| {
            // SAFETY: the model fails where two threads may be here at once.
            unsafe { *buffer += 1 };
        });
    }

    fn release(&self, slot: PoolSlot, home: usize) {
        self.write(&slot);
        if self.list.push(slot, home).is_err() {
            self.waiters.hand_over(&self.list, slot, home);
        }
    }

    /// Nobody is here any more: each index is free, once.
    fn assert_whole(&self) {
        let mut all: Vec<_> = std::iter::from_fn(|| self.pop(0))
            .map(|slot| slot.index)
            .take(self.buffers.len() + 1)
            .collect();
        all.sort_unstable();
        assert!(
            all.iter().copied().eq(0..u16::try_from(self.buffers.len()).unwrap()),
            "an index was lost or doubled: {all:?}"
        );
    }
}

/// Runs `main` beside one thread for each of `others`, in every way.
fn check<P: Protocol + 'static>(
    bound: Option<usize>,
    yard: fn() -> Yard<P>,
    main: fn(&Yard<P>),
    others: &'static [fn(&Yard<P>)],
) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = bound;
    model.check(move || {
        let yard = Arc::new(yard());
        let threads: Vec<_> = others
            .iter()
            .map(|run| {
                let yard = Arc::clone(&yard);
                thread::spawn(move || run(&yard))
            })
            .collect();
        main(&yard);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        yard.assert_whole();
    });
}

/// What the checker says of a model that must not hold.
fn fault(check: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the checker found no fault");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

/// Takes one and gives it back.
fn one<P: Protocol>(yard: &Yard<P>) {
    if let Some(slot) = yard.pop(0) {
        yard.release(slot, 0);
    }
}

/// Takes two, gives the first back and then the second: in between, the top is what it was and lies on something else.
fn two<P: Protocol>(yard: &Yard<P>) {
    let both = [yard.pop(0), yard.pop(0)];
    both.into_iter().flatten().for_each(|slot| yard.release(slot, 0));
}

/// Holds one of two at most, and moves them from the second stack to the first before it looks at the second again.
fn mover<P: Protocol>(yard: &Yard<P>) {
    for home in [0, 1] {
        if let Some(slot) = yard.pop(1) {
            yard.release(slot, home);
        }
    }
}

/// Looks where the mover came from last; one of two is free at every moment.
fn looker<P: Protocol>(yard: &Yard<P>) {
    let slot = yard.pop(0).expect("said to be out while one was free");
    yard.release(slot, 1);
}

fn one_stack<P: Protocol + 'static>() {
    check::<P>(None, || Yard::new(1, &[0, 0]), two, &[one]);
}

fn two_stacks<P: Protocol + 'static>() {
    check::<P>(None, || Yard::new(2, &[1, 1]), looker, &[mover]);
}

#[test]
fn loom_two_threads_never_own_the_same_index() {
    one_stack::<Proven>();
}

#[test]
fn loom_a_list_is_out_only_if_nothing_was_free() {
    two_stacks::<Proven>();
}

#[test]
fn loom_three_threads_never_own_the_same_index() {
    check::<Proven>(Some(2), || Yard::new(2, &[0, 1]), two, &[one, one]);
}

/// Longer than any model runs.
const LONG: Duration = Duration::from_secs(1);

fn patient<P: Protocol>(yard: &Yard<P>) {
    let slot = yard.pop(1).or_else(|| yard.wait(|| LONG));
    yard.release(slot.expect("patience does not end"), 1);
}

#[test]
fn loom_one_who_waits_is_never_forgotten() {
    check::<Proven>(None, || Yard::new(2, &[0]), one, &[patient]);
}

#[test]
fn loom_all_who_wait_are_served() {
    check::<Proven>(Some(3), || Yard::new(1, &[0]), one, &[patient, patient]);
}

/// Waits until the first time that it is woken.
fn impatient<P: Protocol>(yard: &Yard<P>) {
    let mut left = [LONG, Duration::ZERO].into_iter();
    if let Some(slot) = yard.wait(|| left.next().unwrap_or_default()) {
        yard.release(slot, 1);
    }
}

/// Wakes whoever waits, as time does.
fn timer<P: Protocol>(yard: &Yard<P>) {
    yard.waiters.ring();
}

#[test]
fn loom_giving_up_leaves_nothing_wanted() {
    check::<Proven>(Some(3), || Yard::new(1, &[0]), one, &[impatient, timer]);
}

/// A test: the checker finds the fault of a protocol that lacks something.
macro_rules! mutant {
    ($test:ident: $model:ident says $fault:literal, with $($lacks:item)+) => {
        #[test]
        fn $test() {
            struct Mutant;
            impl Protocol for Mutant {
                $($lacks)+
            }
            let fault = fault($model::<Mutant>);
            assert!(fault.contains($fault), "{fault}");
        }
    };
}

mutant! {
    loom_finds_a_missing_tag: one_stack says "lost or doubled", with
    const TAG_STEP: u64 = 0;
}

mutant! {
    loom_finds_a_push_that_publishes_nothing: one_stack says "Causality violation", with
    const PUSH: Ordering = Ordering::Relaxed;
}

mutant! {
    loom_finds_a_pop_that_acquires_nothing: one_stack says "Causality violation", with
    const READ: Ordering = Ordering::Relaxed;
    const POP: Ordering = Ordering::Relaxed;
}

mutant! {
    loom_finds_a_pop_that_publishes_nothing: two_stacks says "out while one was free", with
    const POP: Ordering = Ordering::Acquire;
}

mutant! {
    loom_finds_a_list_that_is_looked_at_once: two_stacks says "out while one was free", with
    const COLLECTS_TWICE: bool = false;
}
