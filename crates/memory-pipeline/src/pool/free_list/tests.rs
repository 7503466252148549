//! The list against vectors, and what makes a stale pop fail.

use proptest::prelude::*;

use super::*;

fn list(group_len: u16, stripes: usize) -> FreeList {
    FreeList::new(Shape { groups: 1, group_len, stripes })
}

fn slot(index: u16) -> PoolSlot {
    PoolSlot { index, group: 0 }
}

#[test]
fn the_last_index_pushed_is_the_first_popped_and_a_new_one_comes_after_all_used_ones() {
    let list = list(3, 4);
    assert_eq!([list.pop(0), list.pop(0)], [Some(slot(0)), Some(slot(1))]);
    list.push(slot(1), 0).unwrap();
    list.push(slot(0), 0).unwrap();
    let popped = [0; 4].map(|home| list.pop(home));
    assert_eq!(popped, [Some(slot(0)), Some(slot(1)), Some(slot(2)), None]);
}

#[test]
fn an_index_of_another_stripe_goes_out_before_one_that_nobody_had() {
    let list = list(3, 4);
    let first = list.pop(0).unwrap();
    list.push(first, 2).unwrap();
    assert_eq!((list.pop(3), list.started()), (Some(first), 1));
}

#[test]
fn the_second_group_is_opened_when_the_first_is_out_and_left_when_it_is_not() {
    let list: FreeList = FreeList::new(Shape { groups: 2, group_len: 1, stripes: 2 });
    let (near, far) = (list.pop(1).unwrap(), list.pop(1).unwrap());
    assert_eq!([near, far], [PoolSlot { index: 0, group: 0 }, PoolSlot { index: 1, group: 1 }]);
    assert_eq!(list.pop(1), None);
    list.push(far, 0).unwrap();
    list.push(near, 0).unwrap();
    assert_eq!([list.pop(1), list.pop(1)], [Some(near), Some(far)]);
}

#[test]
fn the_largest_list_gives_every_index() {
    let largest = list(WANTED, 1);
    let popped = std::iter::from_fn(|| largest.pop(0)).map(|slot| usize::from(slot.index));
    assert!(popped.eq(0..LEN_MAX));
}

#[test]
fn a_head_that_left_and_came_back_is_another_head() {
    let list = list(2, 1);
    let all = [list.pop(0).unwrap(), list.pop(0).unwrap()];
    all.iter().for_each(|&slot| list.push(slot, 0).unwrap());
    let seen = list.head(0, 0).load(Ordering::Relaxed);
    let (first, second) = (list.pop(0).unwrap(), list.pop(0).unwrap());
    list.push(first, 0).unwrap();
    let now = list.head(0, 0).load(Ordering::Relaxed);
    assert_eq!(Head::unpack(seen).top, Head::unpack(now).top);
    // A pop that read `seen` would now hand out `second`, which is owned.
    assert_ne!(seen, now);
    list.push(second, 0).unwrap();
}

#[test]
fn the_tag_comes_round_without_touching_the_index() {
    let list = list(2, 1);
    let all = [list.pop(0).unwrap(), list.pop(0).unwrap()];
    all.iter().for_each(|&slot| list.push(slot, 0).unwrap());
    let last = Head { top: 1, tag: u64::MAX >> u16::BITS };
    list.head(0, 0).store(last.pack(), Ordering::Relaxed);
    assert_eq!(list.pop(0), Some(slot(1)));
    let head = Head::unpack(list.head(0, 0).load(Ordering::Relaxed));
    assert_eq!(head, Head { top: 0, tag: 0 });
}

#[test]
fn a_wanted_list_takes_nothing_back_until_it_is_not_wanted_any_more() {
    let list = list(1, 2);
    let only = list.pop(0).unwrap();
    assert_eq!(list.want(), None);
    assert_eq!([list.push(only, 0), list.push(only, 1)], [const { Err(SomebodyWaits) }; 2]);
    assert_eq!((list.pop(0), list.free()), (None, 0));
    list.unwant();
    list.push(only, 1).unwrap();
    // One that is there is taken, and then nothing is wanted.
    assert_eq!(list.want(), Some(only));
    assert_eq!(list.push(only, 0), Ok(()));
}

proptest! {
    #[test]
    fn any_sequence_equals_stacks_of_vectors(
        (groups, group_len, stripes) in (1_u16..3, 0_u16..5, prop::sample::select(vec![1_usize, 2, 4])),
        steps in prop::collection::vec(any::<(bool, usize, usize)>(), 0..200),
    ) {
        let list: FreeList = FreeList::new(Shape { groups, group_len, stripes });
        let mut stacks = vec![vec![Vec::new(); stripes]; usize::from(groups)];
        let mut fresh: Vec<Vec<u16>> = (0..groups).map(|group| (0..group_len).rev().map(|index| group * group_len + index).collect()).collect();
        let mut owned: Vec<PoolSlot> = Vec::new();
        for (is_pop, home, pick) in steps {
            if is_pop || owned.is_empty() {
                let mut expected = None;
                for group in 0..groups {
                    let (stacks, fresh) = (&mut stacks[usize::from(group)], &mut fresh[usize::from(group)]);
                    let popped = (0..stripes).find_map(|stripe| stacks[home.wrapping_add(stripe) % stripes].pop()).or_else(|| fresh.pop());
                    expected = expected.or_else(|| popped.map(|index| PoolSlot { index, group }));
                    if expected.is_some() { break; }
                }
                let popped = list.pop(home);
                prop_assert_eq!(popped, expected);
                owned.extend(popped);
            } else {
                let slot = owned.swap_remove(pick % owned.len());
                list.push(slot, home).unwrap();
                stacks[usize::from(slot.group)][home % stripes].push(slot.index);
            }
            prop_assert_eq!(list.free() + owned.len(), list.len());
        }
    }
}
