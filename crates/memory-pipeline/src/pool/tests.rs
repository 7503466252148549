//! The pool against a model, with what only the crate may do to a lease.

use proptest::prelude::*;

use super::*;

const LEN: usize = 4;
const BUFFERS: usize = 3;

/// What may happen to a pool or to one of its leases, picked by a number.
#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire(Exhaustion),
    Resize { pick: usize, len: usize },
    Write { pick: usize, mark: u64 },
    Release(usize),
    Quarantine(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Acquire(Exhaustion::Fail)),
        1 => Just(Step::Acquire(Exhaustion::Degrade)),
        2 => (any::<usize>(), 0..LEN + 2).prop_map(|(pick, len)| Step::Resize { pick, len }),
        2 => (any::<usize>(), any::<u64>()).prop_map(|(pick, mark)| Step::Write { pick, mark }),
        3 => any::<usize>().prop_map(Step::Release),
        1 => any::<usize>().prop_map(Step::Quarantine),
    ]
}

/// A lease, and what it must hold.
type Held = (Lease<u64>, Vec<u64>);

fn pinned(held: &[Held]) -> usize {
    held.iter().filter(|(lease, _)| lease.is_pinned()).count()
}

proptest! {
    #[test]
    fn any_sequence_keeps_every_buffer_apart_and_counted(steps in prop::collection::vec(step(), 0..80)) {
        let pool = PinnedMemoryPool::new(&Device::host(), PoolConfig::uniform::<u64>(BUFFERS, LEN)).unwrap();
        let mut held: Vec<Held> = Vec::new();
        let (mut quarantined, mut exhausted, mut degraded) = (0, 0, 0);
        for step in steps {
            let count = held.len().max(1);
            match step {
                Step::Acquire(exhaustion) => {
                    let is_out = pinned(&held) + quarantined == BUFFERS;
                    let lease = pool.acquire_with::<u64>(LEN, exhaustion);
                    exhausted += usize::from(is_out);
                    let is_refused = is_out && exhaustion == Exhaustion::Fail;
                    prop_assert_eq!(lease.is_err(), is_refused);
                    let Ok(lease) = lease else { continue };
                    degraded += usize::from(is_out);
                    prop_assert_eq!((lease.is_pinned(), lease.len()), (!is_out, LEN));
                    let content = lease.to_vec();
                    held.push((lease, content));
                }
                Step::Resize { pick, len } => if let Some((lease, content)) = held.get_mut(pick % count) {
                    prop_assert_eq!(lease.resize(len).is_ok(), len <= LEN);
                    if len <= LEN { *content = lease.to_vec(); }
                },
                Step::Write { pick, mark } => if let Some((lease, content)) = held.get_mut(pick % count) {
                    lease.fill(mark);
                    content.fill(mark);
                },
                Step::Release(pick) => if !held.is_empty() { drop(held.swap_remove(pick % count)); },
                Step::Quarantine(pick) => if !held.is_empty() {
                    let (lease, _) = held.swap_remove(pick % count);
                    quarantined += usize::from(lease.is_pinned());
                    lease.quarantine();
                },
            }
            for (lease, content) in &held {
                prop_assert_eq!(&**lease, &content[..]);
            }
            let stats = pool.stats().classes[0];
            prop_assert_eq!((stats.capacity, stats.leased, stats.quarantined), (BUFFERS, pinned(&held), quarantined));
            prop_assert_eq!((stats.exhausted, stats.degraded, stats.waited), (exhausted, degraded, 0));
            prop_assert!(stats.leased + stats.quarantined <= stats.leased_max);
        }
    }
}

#[test]
fn a_quarantined_buffer_is_not_waited_for_longer_than_asked() {
    let pool = PinnedMemoryPool::new(&Device::host(), PoolConfig::uniform::<u8>(1, 1)).unwrap();
    let pool = pool.with_clock(Clock::manual());
    pool.acquire::<u8>(1).unwrap().quarantine();
    let deadline = pool.clock.now();
    let error = pool.acquire_with::<u8>(1, Exhaustion::Wait { deadline }).unwrap_err();
    assert_eq!(error, Error::Deadline { buffer_bytes: 1, capacity: 1, quarantined: 1 });
}

#[test]
fn memory_of_a_quarantined_buffer_is_withheld_and_the_rest_comes_back() {
    let config = PoolConfig::new([1, 2].map(|buffer_bytes| SizeClass { buffer_bytes, buffers: 2 }));
    let pool = PinnedMemoryPool::new(&Device::host(), config).unwrap();
    let lease = pool.acquire::<u8>(1).unwrap();
    let place = lease.as_ptr();
    lease.quarantine();
    pool.acquire::<u8>(2).unwrap().fill(7);
    let regions = pool.into_regions().unwrap();
    let [Err(error), Ok(region)] = &regions[..] else { panic!("{regions:?}") };
    assert_eq!(*error, Error::Quarantined { buffer_bytes: 1, quarantined: 1 });
    assert_eq!(error.kind(), gpu_core::ErrorKind::Poisoned);
    assert_eq!(region[..2], [7, 7]);
    assert!(is_mapped(place), "a copy may still write to it");
}

#[test]
fn memory_of_a_quarantined_buffer_outlives_its_pool() {
    let pool = PinnedMemoryPool::new(&Device::host(), PoolConfig::uniform::<u8>(1, 1)).unwrap();
    let lease = pool.acquire::<u8>(1).unwrap();
    let place = lease.as_ptr();
    lease.quarantine();
    drop(pool);
    assert!(is_mapped(place));
}

/// Whether the process has memory at `place`.
fn is_mapped(place: *const u8) -> bool {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the system tells what it mapped");
    let number = |digits| usize::from_str_radix(digits, 16).expect("its addresses are in base 16");
    let mut ranges = maps.lines().filter_map(|line| line.split_once(' ')?.0.split_once('-'));
    ranges.any(|(start, end)| (number(start)..number(end)).contains(&place.addr()))
}
