//! The pool: who owns which buffer, with one thread and with many.

use gpu_core::{Device, ErrorKind};
use memory_pipeline::{
    BUFFERS_MAX, CLASSES_MAX, Error, Lease, PinnedMemoryPool, PoolConfig, SizeClass,
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
    ];
    for (config, knob) in refused {
        let error = new(config);
        assert!(matches!(error, Error::Config { what, .. } if what == knob), "{error}");
    }
    let huge = new(PoolConfig::uniform::<u64>(2, usize::MAX));
    assert_eq!(huge.kind(), ErrorKind::Exhausted, "{huge}");
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
