//! The queue with real threads: order, patience, and that nobody is forgotten.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::free_list::Shape;
use super::*;

const LONG: Duration = Duration::from_secs(600);

/// A list of `len` indices, all of them out.
fn empty_list(len: u16) -> (FreeList, Vec<PoolSlot>) {
    let list = FreeList::new(Shape { groups: 1, group_len: len, stripes: 2 });
    let slots = std::iter::from_fn(|| list.pop(0)).collect();
    (list, slots)
}

fn release(waiters: &Waiters, list: &FreeList, slot: PoolSlot, home: usize) {
    if list.push(slot, home).is_err() {
        waiters.hand_over(list, slot, home);
    }
}

/// Lets others run until `count` seats are taken.
fn until_seated(waiters: &Waiters, count: usize) {
    while waiters.lock().seats.len() < count {
        std::thread::yield_now();
    }
}

#[test]
fn who_waits_longest_is_served_first_and_nobody_overtakes() {
    const THREADS: usize = 5;
    let (list, slots) = empty_list(1);
    let (waiters, turn) = (Waiters::default(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (list, waiters, turn) = (&list, &waiters, &turn);
            scope.spawn(move || {
                let slot = waiters.wait(list, || LONG).unwrap();
                assert_eq!(turn.fetch_add(1, Ordering::Relaxed), thread);
                assert!(thread + 1 == THREADS || list.pop(1).is_none(), "it was on the list");
                release(waiters, list, slot, thread);
            });
            until_seated(waiters, thread + 1);
        }
        release(&waiters, &list, slots[0], 0);
    });
    assert_eq!((turn.into_inner(), list.pop(0)), (THREADS, Some(slots[0])));
}

#[test]
fn without_patience_what_is_there_is_taken_and_what_is_not_is_not_waited_for() {
    let (list, slots) = empty_list(1);
    let waiters = Waiters::default();
    assert_eq!(waiters.wait(&list, || Duration::ZERO), None);
    // Nothing is wanted any more.
    list.push(slots[0], 1).unwrap();
    assert_eq!(waiters.wait(&list, || Duration::ZERO), Some(slots[0]));
    assert_eq!(list.push(slots[0], 0), Ok(()));
}

#[test]
fn one_who_gives_up_leaves_the_others_waiting() {
    let (list, slots) = empty_list(1);
    let waiters = Waiters::default();
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| waiters.wait(&list, || LONG));
        until_seated(&waiters, 1);
        assert_eq!(waiters.wait(&list, || Duration::ZERO), None);
        assert!(list.push(slots[0], 0).is_err(), "somebody still waits");
        waiters.hand_over(&list, slots[0], 0);
        assert_eq!(patient.join().unwrap(), Some(slots[0]));
    });
}

#[test]
fn patience_that_runs_out_ends_the_wait() {
    let (list, _slots) = empty_list(1);
    let mut left = [Duration::from_nanos(1), Duration::from_nanos(1), Duration::ZERO].into_iter();
    assert_eq!(Waiters::default().wait(&list, || left.next().unwrap()), None);
}

#[test]
fn many_threads_with_few_indices_are_all_served() {
    let (list, slots) = empty_list(2);
    slots.iter().for_each(|&slot| list.push(slot, 0).unwrap());
    let waiters = Waiters::default();
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (list, waiters) = (&list, &waiters);
            scope.spawn(move || {
                for _ in 0..500 {
                    let slot = list.pop(thread).or_else(|| waiters.wait(list, || LONG)).unwrap();
                    std::thread::yield_now();
                    release(waiters, list, slot, thread);
                }
            });
        }
    });
    assert_eq!((list.free(), waiters.lock().seats.len()), (2, 0));
}
