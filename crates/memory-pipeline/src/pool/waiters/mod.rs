//! The queue of threads that wait for an index of one free list: first come, first served.
//!
//! An index that comes back while somebody waits is handed over and never on the list in between, so nobody overtakes.
//! Never locked by a thread that finds an index, nor by one that gives one back while nobody waits.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::free_list::{FreeList, PoolSlot, Protocol, SomebodyWaits};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Who waits for an index of one free list.
///
/// Invariant: the list is wanted exactly while an unserved seat is in the queue, except by the thread that holds the lock.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// In the order of arrival. Seats in front may be served and not yet left.
    seats: VecDeque<Seat>,
    /// Number of the next seat.
    next: u64,
}

/// One waiting thread.
#[derive(Debug)]
struct Seat {
    number: u64,
    bell: Arc<Condvar>,
    served: Option<PoolSlot>,
}

impl Waiters {
    /// Waits for an index until there is none left of `patience`, which tells how long to wait yet.
    pub(crate) fn wait<P: Protocol>(
        &self,
        list: &FreeList<P>,
        mut patience: impl FnMut() -> Duration,
    ) -> Option<PoolSlot> {
        let mut queue = self.lock();
        // If somebody waits, the list is wanted, and we stand behind them.
        if queue.is_served()
            && let Some(slot) = list.want()
        {
            return Some(slot);
        }
        let (number, bell) = queue.enter();
        loop {
            let left = patience();
            if queue.seat(number).served.is_some() || left.is_zero() {
                let slot = queue.leave(number);
                if slot.is_none() && queue.is_served() {
                    list.unwant();
                }
                return slot;
            }
            let woken = bell.wait_timeout(queue, left);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Hands over an index that the list did not take back; to the list after all, if nobody waits any more.
    ///
    /// `list` is not touched once somebody else may own the index.
    pub(crate) fn hand_over<P: Protocol>(&self, list: &FreeList<P>, slot: PoolSlot, home: usize) {
        let mut queue = self.lock();
        if queue.is_served() {
            // Nobody can want the list while we hold the lock.
            let pushed = list.push(slot, home);
            assert_ne!(pushed, Err(SomebodyWaits), "a list that nobody waits for is not wanted");
            return;
        }
        let unserved = queue.seats.iter().filter(|seat| seat.served.is_none()).count();
        if unserved == 1 {
            list.unwant();
        }
        let first = queue.seats.iter_mut().find(|seat| seat.served.is_none());
        let first = first.expect("the queue has an unserved seat");
        first.served = Some(slot);
        first.bell.notify_one();
    }

    /// Wakes everybody for no reason, as a timer does.
    #[cfg(all(test, loom))]
    pub(super) fn ring(&self) {
        self.lock().seats.iter().for_each(|seat| seat.bell.notify_one());
    }

    /// A panic while the queue is locked leaves it as it was, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whether nobody is left to be served.
    fn is_served(&self) -> bool {
        // Seats are served in order.
        self.seats.back().is_none_or(|last| last.served.is_some())
    }

    fn enter(&mut self) -> (u64, Arc<Condvar>) {
        let (number, bell) = (self.next, Arc::new(Condvar::new()));
        self.next += 1;
        self.seats.push_back(Seat { number, bell: Arc::clone(&bell), served: None });
        (number, bell)
    }

    fn seat(&self, number: u64) -> &Seat {
        &self.seats[self.place(number)]
    }

    /// Removes a seat, with what it was served.
    fn leave(&mut self, number: u64) -> Option<PoolSlot> {
        let place = self.place(number);
        self.seats.remove(place).and_then(|seat| seat.served)
    }

    fn place(&self, number: u64) -> usize {
        let place = self.seats.iter().position(|seat| seat.number == number);
        place.expect("only its own thread removes a seat")
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
