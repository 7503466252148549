//! The pool: who owns which buffer, with one thread and with many.

use gpu_core::{Device, ErrorKind};
use memory_pipeline::{BUFFERS_MAX, Error, Lease, PinnedMemoryPool, PoolConfig};

fn pool(buffers: usize, buffer_len: usize) -> PinnedMemoryPool<u64> {
    PinnedMemoryPool::new(&Device::host(), PoolConfig { buffers, buffer_len }).unwrap()
}

#[test]
fn the_buffer_that_came_back_last_goes_out_first() {
    let pool = pool(3, 2);
    let (first, mut second, third) =
        (pool.acquire().unwrap(), pool.acquire().unwrap(), pool.acquire().unwrap());
    second.copy_from_slice(&[7, 8]);
    let place = second.as_ptr();
    drop(first);
    drop(third);
    drop(second);
    let warm = pool.acquire().unwrap();
    assert_eq!((warm.as_ptr(), &*warm), (place, &[7, 8][..]));
}

#[test]
fn a_pool_that_is_out_says_so_with_its_counts() {
    let pool = pool(2, 1);
    let held = [pool.acquire().unwrap(), pool.acquire().unwrap()];
    let error = pool.acquire().unwrap_err();
    assert_eq!(error, Error::Exhausted { capacity: 2, leased: 2, quarantined: 0 });
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    drop(held);
    drop(pool.acquire().unwrap());
    let stats = pool.stats();
    assert_eq!((stats.capacity, stats.leased, stats.leased_max), (2, 0, 2));
    assert_eq!((stats.exhausted, stats.quarantined), (1, 0));
}

#[test]
fn a_pool_without_buffers_or_with_too_many_is_refused() {
    let device = Device::host();
    let new = |buffers, buffer_len| {
        PinnedMemoryPool::<u8>::new(&device, PoolConfig { buffers, buffer_len }).unwrap_err()
    };
    assert_eq!(new(0, 1).to_string(), format!("buffers is 0, it must be 1 to {BUFFERS_MAX}"));
    assert_eq!(new(BUFFERS_MAX + 1, 1).kind(), ErrorKind::Invalid);
    assert_eq!(new(1, 0).kind(), ErrorKind::Invalid);
}

#[test]
fn a_lease_outlives_its_pool_and_comes_back_whole() {
    let pool = pool(1, 4);
    let mut lease = pool.acquire().unwrap();
    lease.resize(2).unwrap();
    lease.fill(5);
    assert_eq!((lease.len(), lease.capacity()), (2, 4));
    drop(lease);
    let mut lease = pool.acquire().unwrap();
    drop(pool);
    assert_eq!(*lease, [5, 5, 0, 0]);
    lease.fill(6);
    assert_eq!(*lease, [6; 4]);
}

/// Stamps the whole buffer, lets others run, and looks whether anybody else wrote to it.
fn stamp(lease: &mut Lease<u64>, mark: u64) {
    lease.fill(mark);
    std::thread::yield_now();
    assert!(lease.iter().all(|&element| element == mark), "two owners of one buffer");
}

#[test]
fn many_threads_never_own_the_same_buffer() {
    const THREADS: u64 = 8;
    const ROUNDS: u64 = 4_000;
    let pool = pool(5, 16);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let pool = &pool;
            scope.spawn(move || {
                let mut held: Vec<Lease<u64>> = Vec::new();
                for round in 0..ROUNDS {
                    let mark = thread * ROUNDS + round + 1;
                    if let Ok(mut lease) = pool.acquire() {
                        stamp(&mut lease, mark);
                        held.push(lease);
                    }
                    if held.len() > 1 || round % 3 == 0 {
                        let place = usize::try_from(round).unwrap() % held.len().max(1);
                        held.drain(..).nth(place);
                    }
                }
            });
        }
    });
    let stats = pool.stats();
    assert_eq!((stats.leased, stats.capacity), (0, 5));
    assert!(stats.leased_max <= 5);
    let all: Vec<_> = (0..5).map(|_| pool.acquire().unwrap()).collect();
    let mut places: Vec<_> = all.iter().map(|lease| lease.as_ptr()).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 5, "no buffer was lost");
}

#[test]
fn what_one_owner_wrote_the_next_one_reads_on_another_thread() {
    let pool = pool(1, 64);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut done = 0;
                // Bounded, so that a lost buffer fails the test rather than hanging it.
                for _ in 0..20_000_000 {
                    let Ok(mut lease) = pool.acquire() else {
                        std::thread::yield_now();
                        continue;
                    };
                    let last = lease[0];
                    assert!(lease.iter().all(|&element| element == last), "a torn hand-over");
                    lease.fill(last + 1);
                    done += 1;
                    if done == 500 {
                        break;
                    }
                }
            });
        }
    });
    assert_eq!(pool.acquire().unwrap()[63], 2_000);
}
