//! The pool: who owns which buffer, with one thread and with many.

use std::time::Duration;

use gpu_core::{Clock, Device, ErrorKind};
use memory_pipeline::{
    BUFFERS_MAX, CLASSES_MAX, Error, Exhaustion, Lease, PinnedMemoryPool, PoolConfig, SizeClass,
};

fn pool(config: PoolConfig) -> PinnedMemoryPool {
    PinnedMemoryPool::new(&Device::host(), config).unwrap()
}

fn uniform(buffers: usize, len: usize) -> PinnedMemoryPool {
    pool(PoolConfig::uniform::<u64>(buffers, len))
}

#[test]
fn the_buffer_that_came_back_last_goes_out_first() {
    let pool = uniform(3, 2);
    let (first, mut second, third) = (
        pool.acquire::<u64>(2).unwrap(),
        pool.acquire::<u64>(2).unwrap(),
        pool.acquire::<u64>(2).unwrap(),
    );
    second.copy_from_slice(&[7, 8]);
    let place = second.as_ptr();
    drop(first);
    drop(third);
    drop(second);
    let warm = pool.acquire::<u64>(2).unwrap();
    assert_eq!((warm.as_ptr(), &*warm), (place, &[7, 8][..]));
}

#[test]
fn a_pool_that_is_out_says_so_with_its_counts() {
    let pool = uniform(2, 1);
    let held = [pool.acquire::<u64>(1).unwrap(), pool.acquire::<u64>(1).unwrap()];
    let error = pool.acquire::<u64>(1).unwrap_err();
    assert_eq!(error, Error::Exhausted { buffer_bytes: 8, capacity: 2, leased: 2, quarantined: 0 });
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    drop(held);
    drop(pool.acquire::<u64>(1).unwrap());
    let stats = pool.stats().classes[0];
    assert_eq!((stats.capacity, stats.leased, stats.leased_max), (2, 0, 2));
    assert_eq!((stats.exhausted, stats.quarantined), (1, 0));
}

#[test]
fn a_knob_of_a_pool_out_of_range_is_named() {
    let device = Device::host();
    let new = |config| PinnedMemoryPool::new(&device, config).unwrap_err();
    let none = new(PoolConfig::uniform::<u8>(0, 1));
    assert_eq!(none.to_string(), format!("buffers is 0, it must be 1 to {BUFFERS_MAX}"));
    let class = SizeClass { buffer_bytes: 1, buffers: 1 };
    let refused = [
        (PoolConfig::uniform::<u8>(BUFFERS_MAX + 1, 1), "buffers"),
        (PoolConfig::uniform::<u8>(1, 0), "buffer_bytes"),
        (PoolConfig::new([]), "classes"),
        (PoolConfig::new(vec![class; CLASSES_MAX + 1]), "classes"),
        // One class of twice as many.
        (PoolConfig::new([SizeClass { buffers: BUFFERS_MAX, ..class }, class]), "buffers"),
        (PoolConfig::uniform::<u8>(2, 32 << 30 | 1), "the bytes of a class on a node"),
        (PoolConfig::uniform::<u64>(2, usize::MAX), "the bytes of a class on a node"),
    ];
    for (config, knob) in refused {
        let error = new(config);
        assert!(matches!(error, Error::Config { what, .. } if what == knob), "{error}");
    }
}

#[test]
fn a_lease_comes_from_the_smallest_class_that_wastes_at_most_a_sixteenth() {
    let class = |buffer_bytes| SizeClass { buffer_bytes, buffers: 1 };
    let pool = pool(PoolConfig::new([class(1024), class(320), class(512)]));
    let taken = |bytes| {
        let lease = pool.acquire::<u8>(bytes)?;
        assert_eq!((lease.len(), lease.as_ptr().addr() % 256), (bytes, 0));
        Ok::<_, Error>(lease.capacity())
    };
    assert_eq!([512, 480].map(|bytes| taken(bytes).unwrap()), [512; 2]);
    assert_eq!([320, 300, 1024].map(|bytes| taken(bytes).unwrap()), [320, 320, 1024]);
    for bytes in [1, 299, 321, 479, 513, 1025, usize::MAX] {
        assert_eq!(taken(bytes).unwrap_err(), Error::NoClass { bytes });
    }
    let error = pool.acquire::<u32>(100).unwrap_err();
    let text = "no class of the pool holds 400 bytes with at most a sixteenth wasted; add a class of 400 bytes";
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Invalid, text.to_owned()));
    assert_eq!(pool.acquire::<u64>(usize::MAX).unwrap_err(), Error::NoClass { bytes: usize::MAX });
    assert_eq!(pool.acquire::<u64>(0).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(pool.stats().classes.len(), 3);
}

#[test]
fn elements_of_any_type_share_the_buffers_of_a_class() {
    let pool = pool(PoolConfig::uniform::<u8>(1, 8));
    pool.acquire::<u32>(2).unwrap().copy_from_slice(&[1, 2]);
    assert_eq!(pool.acquire::<u64>(1).unwrap()[0].to_le_bytes(), [1, 0, 0, 0, 2, 0, 0, 0]);
}

#[test]
fn a_pool_that_is_out_gives_pageable_memory_to_who_asks_for_it() {
    let pool = uniform(1, 3);
    let mut first = pool.acquire_with::<u64>(3, Exhaustion::Degrade).unwrap();
    first.fill(1);
    let mut second = pool.acquire_with::<u64>(3, Exhaustion::Degrade).unwrap();
    assert_eq!((first.is_pinned(), second.is_pinned()), (true, false));
    assert_eq!((&*second, second.capacity(), second.as_ptr().addr() % 256), (&[0; 3][..], 3, 0));
    second.fill(2);
    assert_eq!((&*first, &*second), (&[1; 3][..], &[2; 3][..]));
    drop(second);
    let stats = pool.stats().classes[0];
    assert_eq!((stats.exhausted, stats.degraded, stats.waited, stats.leased), (1, 1, 0, 1));
    assert_eq!(pool.acquire::<u64>(3).unwrap_err().kind(), ErrorKind::Exhausted);
}

#[test]
fn a_wait_ends_with_the_next_buffer_that_comes_back() {
    let pool = uniform(1, 1);
    let clock = Clock::real();
    let deadline = clock.now() + Duration::from_secs(600);
    let mut held = pool.acquire::<u64>(1).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| pool.acquire_with::<u64>(1, Exhaustion::Wait { deadline }));
        while pool.stats().classes[0].waited == 0 {
            std::thread::yield_now();
        }
        held[0] = 9;
        drop(held);
        assert_eq!(waiting.join().unwrap().unwrap()[0], 9);
    });
    let stats = pool.stats().classes[0];
    assert_eq!((stats.exhausted, stats.waited, stats.leased), (1, 1, 0));
}

#[test]
fn a_wait_past_its_deadline_ends_at_once_unless_a_buffer_is_there() {
    let clock = Clock::manual();
    let pool = uniform(1, 1).with_clock(clock.clone());
    let past = Exhaustion::Wait { deadline: clock.now() };
    clock.advance(Duration::from_secs(1));
    let held = pool.acquire_with::<u64>(1, past).unwrap();
    let error = pool.acquire_with::<u64>(1, past).unwrap_err();
    let text = "none of the 1 buffers of 8 bytes came back before the deadline (0 quarantined); \
                drop a lease, wait longer or make the class larger";
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Exhausted, text.to_owned()));
    drop(held);
    drop(pool.acquire::<u64>(1).unwrap());
}

#[test]
fn threads_that_wait_are_all_served_and_no_buffer_is_lost() {
    let pool = uniform(2, 16);
    let deadline = Clock::real().now() + Duration::from_secs(600);
    std::thread::scope(|scope| {
        for thread in 0..6_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for round in 0..500 {
                    let wait = Exhaustion::Wait { deadline };
                    stamp(&mut pool.acquire_with(16, wait).unwrap(), thread * 500 + round);
                }
            });
        }
    });
    let stats = pool.stats().classes[0];
    assert_eq!((stats.leased, stats.leased_max, stats.degraded), (0, 2, 0));
}

#[test]
fn statistics_can_be_written_down() {
    let pool = uniform(2, 1);
    let _held = pool.acquire::<u64>(1).unwrap();
    let json = serde_json::to_value(pool.stats()).unwrap();
    let expected = serde_json::json!({
        "buffer_bytes": 8, "capacity": 2, "leased": 1, "leased_max": 1, "quarantined": 0,
        "exhausted": 0, "waited": 0, "degraded": 0, "from_other_node": 0,
    });
    assert_eq!(json["classes"][0], expected);
}

#[test]
fn a_lease_outlives_its_pool_and_comes_back_whole() {
    let pool = uniform(1, 4);
    let mut lease = pool.acquire::<u64>(4).unwrap();
    lease.resize(2).unwrap();
    lease.fill(5);
    assert_eq!((lease.len(), lease.capacity()), (2, 4));
    drop(lease);
    let mut lease = pool.acquire::<u64>(4).unwrap();
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
    let pool = uniform(5, 16);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let pool = &pool;
            scope.spawn(move || {
                let mut held: Vec<Lease<u64>> = Vec::new();
                for round in 0..ROUNDS {
                    let mark = thread * ROUNDS + round + 1;
                    if let Ok(mut lease) = pool.acquire::<u64>(16) {
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
    let stats = pool.stats().classes[0];
    assert_eq!((stats.leased, stats.capacity), (0, 5));
    assert!(stats.leased_max <= 5);
    let all: Vec<_> = (0..5).map(|_| pool.acquire::<u64>(16).unwrap()).collect();
    let mut places: Vec<_> = all.iter().map(|lease| lease.as_ptr()).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 5, "no buffer was lost");
}

#[test]
fn what_one_owner_wrote_the_next_one_reads_on_another_thread() {
    let pool = uniform(1, 64);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut done = 0;
                // Bounded, so that a lost buffer fails the test rather than hanging it.
                for _ in 0..20_000_000 {
                    let Ok(mut lease) = pool.acquire::<u64>(64) else {
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
    assert_eq!(pool.acquire::<u64>(64).unwrap()[63], 2_000);
}
