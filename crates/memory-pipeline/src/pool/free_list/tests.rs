//! The list against a vector, and what makes a stale pop fail.

use proptest::prelude::*;

use super::*;

#[test]
fn the_last_index_pushed_is_the_first_popped() {
    let list = FreeList::new(3);
    let all: Vec<_> = (0..4).map(|_| list.pop()).collect();
    assert_eq!(all, [Some(0), Some(1), Some(2), None]);
    list.push(1);
    list.push(0);
    assert_eq!([list.pop(), list.pop(), list.pop()], [Some(0), Some(1), None]);
}

#[test]
fn an_empty_list_gives_nothing_and_the_largest_gives_every_index() {
    assert_eq!(FreeList::new(0).pop(), None);
    let largest = FreeList::new(EMPTY);
    let popped = std::iter::from_fn(|| largest.pop()).map(usize::from);
    assert!(popped.eq(0..LEN_MAX));
}

#[test]
fn a_head_that_left_and_came_back_is_another_head() {
    let list = FreeList::new(2);
    let seen = list.head.load(Ordering::Relaxed);
    let (first, second) = (list.pop().unwrap(), list.pop().unwrap());
    list.push(first);
    let now = list.head.load(Ordering::Relaxed);
    assert_eq!(Head::unpack(seen).index, Head::unpack(now).index);
    // A pop that read `seen` would now hand out `second`, which is owned.
    assert_ne!(seen, now);
    list.push(second);
}

#[test]
fn the_tag_comes_round_without_touching_the_index() {
    let list = FreeList::new(2);
    list.head.store(Head { index: 0, tag: u64::MAX >> INDEX_BITS }.pack(), Ordering::Relaxed);
    assert_eq!(list.pop(), Some(0));
    let head = Head::unpack(list.head.load(Ordering::Relaxed));
    assert_eq!((head.index, head.tag), (1, 0));
}

proptest! {
    #[test]
    fn any_sequence_equals_a_vector(len in 0_u16..6, steps in prop::collection::vec(any::<(bool, usize)>(), 0..200)) {
        let list = FreeList::new(len);
        let mut model: Vec<u16> = (0..len).rev().collect();
        let mut owned: Vec<u16> = Vec::new();
        for (is_pop, pick) in steps {
            if is_pop || owned.is_empty() {
                let popped = list.pop();
                prop_assert_eq!(popped, model.pop());
                owned.extend(popped);
            } else {
                let index = owned.swap_remove(pick % owned.len());
                list.push(index);
                model.push(index);
            }
        }
    }
}
