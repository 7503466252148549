//! A lock-free set of free buffer indices: last in, first out for each thread, so that a warm buffer goes out first.
//!
//! A few of Treiber's stacks (R. K. Treiber, "Systems Programming: Coping with Parallelism", IBM RJ 5118, 1986) over indices in
//! place of pointers, with the modification counter of the IBM System/370 free list against the ABA problem. A thread pushes
//! to its own stack and pops from it first, then from the others. "None is free" is told by a double collect (Y. Afek et al.,
//! "Atomic Snapshots of Shared Memory", J. ACM 40(4), 1993): there was a moment at which all stacks were empty.
//! Nodes are never freed, so nothing has to be reclaimed. Never allocates after `new`, never repeats a step unless another thread progressed.

mod protocol;
mod word;

use std::marker::PhantomData;

pub(crate) use self::protocol::{Protocol, Proven};
use self::word::{EMPTY, Head, Node, WANTED};
use crate::sync::{AtomicU32, AtomicU64, Ordering, Padded};

/// Most indices a list can hold.
pub(super) const LEN_MAX: usize = WANTED as usize;

/// An index that somebody owns: popped, and not pushed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolSlot {
    /// Less than the list's length.
    pub(crate) index: u16,
    /// Which of the list's equal parts it belongs to: `index / group_len`.
    pub(crate) group: u16,
}

/// How many of what a list has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Equal parts of the indices, those of the first preferred to the others.
    pub(crate) groups: u16,
    /// Indices of each part. All together are at most [`LEN_MAX`].
    pub(crate) group_len: u16,
    /// Stacks of each part; a power of two.
    pub(crate) stripes: usize,
}

/// An index that was not taken back, because somebody waits for one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SomebodyWaits;

/// Indices, each either in the list or owned by whoever popped it.
#[derive(Debug)]
pub(crate) struct FreeList<P = Proven> {
    shape: Shape,
    /// [`Head`]s: the stacks of the first group, then those of the second, and so on. Invariant: changed by
    /// read-modify-write alone, so that reading any value acquires what was released into every earlier one.
    heads: Box<[Padded<AtomicU64>]>,
    /// [`Node`]s. That of an index which is owned means nothing.
    nodes: Box<[Padded<AtomicU32>]>,
    /// For each group, how many of its indices were ever handed out; those above were never in a stack.
    started: Box<[Padded<AtomicU32>]>,
    protocol: PhantomData<fn() -> P>,
}

impl<P: Protocol> FreeList<P> {
    /// All indices free.
    pub(crate) fn new(shape: Shape) -> Self {
        let Shape { groups, group_len, stripes } = shape;
        assert!(stripes.is_power_of_two(), "a thread finds its stripe by a mask");
        let len = usize::from(groups) * usize::from(group_len);
        assert!(len <= LEN_MAX, "the largest indices mean that there is none");
        let empty = Head { top: EMPTY, tag: 0 }.pack();
        let zero = || Padded(AtomicU32::new(0));
        Self {
            shape,
            heads: (0..usize::from(groups) * stripes)
                .map(|_| Padded(AtomicU64::new(empty)))
                .collect(),
            nodes: (0..len).map(|_| zero()).collect(),
            started: (0..groups).map(|_| zero()).collect(),
            protocol: PhantomData,
        }
    }

    /// Takes an index: of the first group that has one, the one that was pushed last to the stack of `home`, or one from
    /// another stack, or one that nobody had yet. `None` if none was free at some moment of the call.
    pub(crate) fn pop(&self, home: usize) -> Option<PoolSlot> {
        loop {
            let mut tags = 0_u64;
            for group in 0..self.shape.groups {
                for stripe in 0..self.shape.stripes {
                    match self.pop_from(self.head(group, home.wrapping_add(stripe))) {
                        Ok(index) => return Some(PoolSlot { index, group }),
                        Err(tag) => tags = tags.wrapping_add(tag),
                    }
                }
                if let Some(slot) = self.start(group) {
                    return Some(slot);
                }
            }
            if !P::COLLECTS_TWICE || self.tags_while_empty() == Some(tags) {
                return None;
            }
        }
    }

    /// Pops from one stack; its tag, as it was while the stack was empty, if it is.
    fn pop_from(&self, head: &AtomicU64) -> Result<u16, u64> {
        let mut seen = head.load(P::READ);
        loop {
            let Head { tag, .. } = Head::unpack(seen);
            let Some(index) = Head::unpack(seen).index() else { return Err(tag) };
            // May be stale if another thread popped this index meanwhile; then the tag has changed and we try again.
            let Node { below, .. } = self.node(index);
            let popped = Head { top: below, tag: tag.wrapping_add(P::TAG_STEP) }.pack();
            match head.compare_exchange_weak(seen, popped, P::POP, P::READ) {
                Ok(_) => return Ok(index),
                Err(now) => seen = now,
            }
        }
    }

    /// An index that was never handed out.
    fn start(&self, group: u16) -> Option<PoolSlot> {
        let started = &self.started[usize::from(group)].0;
        let group_len = self.shape.group_len;
        let mut count = started.load(Ordering::Relaxed);
        while count < u32::from(group_len) {
            match started.compare_exchange_weak(
                count,
                count + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let offset = u16::try_from(count).expect("less than the group's length");
                    return Some(PoolSlot { index: group * group_len + offset, group });
                }
                Err(now) => count = now,
            }
        }
        None
    }

    /// The sum of all tags, if every stack is empty. A sum that is the same twice means that no tag changed, for they
    /// only grow, and so that each stack was empty all the time between the two.
    fn tags_while_empty(&self) -> Option<u64> {
        self.heads.iter().try_fold(0_u64, |sum, head| {
            let head = Head::unpack(head.0.load(P::READ));
            head.index().is_none().then(|| sum.wrapping_add(head.tag))
        })
    }

    /// Gives back an index that the caller owns, on top of the stack of `home`, unless somebody waits for it.
    pub(crate) fn push(&self, slot: PoolSlot, home: usize) -> Result<(), SomebodyWaits> {
        let head = self.head(slot.group, home);
        let mut seen = head.load(P::READ);
        loop {
            let Head { top, tag } = Head::unpack(seen);
            let depth = match top {
                WANTED => return Err(SomebodyWaits),
                EMPTY => 0,
                below => self.node(below).depth,
            };
            let node = Node { below: top, depth: depth + 1 };
            self.nodes[usize::from(slot.index)].0.store(node.pack(), Ordering::Relaxed);
            let pushed = Head { top: slot.index, tag }.pack();
            match head.compare_exchange_weak(seen, pushed, P::PUSH, P::READ) {
                Ok(_) => return Ok(()),
                Err(now) => seen = now,
            }
        }
    }

    /// Makes every push fail with [`SomebodyWaits`] until [`unwant`](Self::unwant); or takes an index, if there is one, and changes nothing.
    ///
    /// One thread at a time may call this, and only while nothing is wanted.
    pub(crate) fn want(&self) -> Option<PoolSlot> {
        for group in 0..self.shape.groups {
            for stripe in 0..self.shape.stripes {
                if let Err(index) = self.mark_wanted(self.head(group, stripe)) {
                    self.unwant();
                    return Some(PoolSlot { index, group });
                }
            }
            if let Some(slot) = self.start(group) {
                self.unwant();
                return Some(slot);
            }
        }
        None
    }

    /// Ends what [`want`](Self::want) began. One thread at a time may call this.
    pub(crate) fn unwant(&self) {
        for head in &self.heads {
            let Head { top, tag } = Head::unpack(head.0.load(Ordering::Relaxed));
            if top == WANTED {
                // Only the one thread that may be here changes the head of a wanted stack.
                let empty = Head { top: EMPTY, tag }.pack();
                let was = head.0.swap(empty, Ordering::Relaxed);
                debug_assert_eq!(Head::unpack(was).top, WANTED);
            }
        }
    }

    /// Turns an empty stack into a wanted one, or pops from it.
    fn mark_wanted(&self, head: &AtomicU64) -> Result<(), u16> {
        loop {
            let tag = match self.pop_from(head) {
                Ok(index) => return Err(index),
                Err(tag) => tag,
            };
            let empty = Head { top: EMPTY, tag }.pack();
            let wanted = Head { top: WANTED, tag }.pack();
            if head.compare_exchange(empty, wanted, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
    }

    /// Indices in the list. One that moves meanwhile may be counted twice or not at all.
    pub(crate) fn free(&self) -> usize {
        let depth = |head: &Padded<AtomicU64>| {
            let top = Head::unpack(head.0.load(P::READ)).index();
            top.map_or(0, |index| usize::from(self.node(index).depth))
        };
        let stacked: usize = self.heads.iter().map(depth).sum();
        stacked + self.len() - self.started()
    }

    /// Indices that were ever handed out.
    pub(crate) fn started(&self) -> usize {
        let count = |started: &Padded<AtomicU32>| started.0.load(Ordering::Relaxed) as usize;
        self.started.iter().map(count).sum()
    }

    /// Indices, free or not.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    fn head(&self, group: u16, stripe: usize) -> &AtomicU64 {
        let stripes = self.shape.stripes;
        &self.heads[usize::from(group) * stripes + (stripe & (stripes - 1))].0
    }

    fn node(&self, index: u16) -> Node {
        Node::unpack(self.nodes[usize::from(index)].0.load(Ordering::Relaxed))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
