//! Pools that are taken apart into regions and made of them: nothing is lost, not even with the device.

use fake_driver_client::{Fail, Lasting, on_fake_driver};
use gpu_core::{
    Device, Error as DeviceError, ErrorKind, FaultPlan, HostRegion, Operation, Pages, RegionConfig,
    Sharing,
};
use memory_pipeline::{
    Backing, Error, PinnedMemoryPool, PoolConfig, PoolInUse, RegionsRefused, Result, SizeClass,
};

use crate::driver::is_backend_built;

const SMALL: usize = 300;
const LARGE: usize = 70_000;
const BUFFERS: usize = 2;

fn config(sharing: Sharing) -> PoolConfig {
    let backing = Backing::Registered { pages: Pages::Base, nodes: Vec::new(), sharing };
    let class = |buffer_bytes| SizeClass { buffer_bytes, buffers: BUFFERS };
    PoolConfig { backing, ..PoolConfig::new([class(LARGE), class(SMALL)]) }
}

/// All of a pool's buffers at once, each with what it must be full of.
fn each(pool: &PinnedMemoryPool) -> Vec<(u8, memory_pipeline::Lease<u8>)> {
    let lease = |bytes| pool.acquire::<u8>(bytes).unwrap();
    (1..).zip([SMALL, SMALL, LARGE, LARGE].map(lease)).collect()
}

/// A pool whose buffers are full of different marks, none of them out.
fn filled(device: &Device, config: PoolConfig) -> PinnedMemoryPool {
    let pool = PinnedMemoryPool::new(device, config).unwrap();
    for (mark, mut lease) in each(&pool) {
        lease.fill(mark);
    }
    pool
}

/// Whether a pool that was just made holds what `filled` wrote.
#[track_caller]
fn assert_filled(pool: &PinnedMemoryPool) {
    for (mark, lease) in each(pool) {
        assert!(lease.iter().all(|&byte| byte == mark), "buffer {mark}");
    }
}

/// All regions of a pool.
fn regions(pool: PinnedMemoryPool) -> Vec<HostRegion> {
    pool.into_regions().unwrap().into_iter().collect::<Result<_>>().unwrap()
}

/// The memory of a pool's files, mapped once more.
fn mapped_again(pool: &PinnedMemoryPool) -> Vec<HostRegion> {
    // SAFETY: nothing is written through the files, and the tests lease by one pool and then by the other.
    let again = unsafe { pool.files() }.map(|file| {
        let file = file.unwrap().try_clone_to_owned().unwrap();
        // SAFETY: the tests lease by one pool and then by the other.
        unsafe { HostRegion::from_fd(file) }.unwrap()
    });
    again.collect()
}

#[test]
fn content_goes_from_one_device_to_another() {
    for sharing in [Sharing::Private, Sharing::Shared] {
        let regions = regions(filled(&Device::host(), config(sharing)));
        let sizes: Vec<_> = regions.iter().map(|region| region.len()).collect();
        assert!(sizes[0] < sizes[1], "smallest buffers first: {sizes:?}");
        let next = Device::host_simulated(0);
        let pool = PinnedMemoryPool::over(&next, config(sharing), regions).unwrap();
        assert_filled(&pool);
        let stats = pool.stats();
        assert!(stats.memory.iter().all(|memory| memory.registered == Some(Pages::Base)));
        assert_eq!((stats.capacity(), stats.leased()), (2 * BUFFERS, 0));
    }
}

#[test]
fn content_survives_a_fault_that_loses_the_device() {
    let plan = FaultPlan::none().fail_once(Operation::Create, 0, ErrorKind::Poisoned);
    let device = Device::host().with_faults(plan);
    let pool = filled(&device, config(Sharing::Private));
    assert!(device.stream().is_err() && device.lost().is_some());
    let regions = regions(pool);
    // The lost device takes nothing any more, and loses nothing.
    let refused =
        PinnedMemoryPool::over(&device, config(Sharing::Private), regions).map(drop).unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Poisoned);
    let next = Device::host();
    let pool = PinnedMemoryPool::over(&next, config(Sharing::Private), refused.regions).unwrap();
    assert_filled(&pool);
}

#[test]
fn a_pool_in_use_gives_itself_back_and_counts_who_uses_it() {
    let pool = filled(&Device::host(), config(Sharing::Private));
    let (lease, other) = (pool.acquire::<u8>(LARGE).unwrap(), pool.clone());
    let PoolInUse { pool, error } = pool.into_regions().unwrap_err();
    assert_eq!(error, Error::InUse { leased: 1, handles: 1 });
    assert_eq!(error.kind(), ErrorKind::Invalid);
    drop(other);
    let in_use = pool.into_regions().unwrap_err();
    assert_eq!(in_use.to_string(), Error::InUse { leased: 1, handles: 0 }.to_string());
    let pool = in_use.pool;
    assert!(lease.iter().all(|&byte| byte == 4), "the lease is untouched");
    let other = pool.clone();
    drop(lease);
    let PoolInUse { pool, error } = pool.into_regions().unwrap_err();
    assert_eq!(error, Error::InUse { leased: 0, handles: 1 });
    drop(other);
    assert_eq!(regions(pool).len(), 2);
}

#[test]
fn two_pools_over_one_file_see_each_others_writes_and_either_may_go_first() {
    let pool = filled(&Device::host(), config(Sharing::Shared));
    let other = Device::host_simulated(1);
    let again =
        PinnedMemoryPool::over(&other, config(Sharing::Shared), mapped_again(&pool)).unwrap();
    assert_filled(&again);
    // The buffer that came back last goes out first: both pools' last one.
    let mut there = again.acquire::<u8>(LARGE).unwrap();
    there.fill(9);
    drop(there);
    let here = pool.acquire::<u8>(LARGE).unwrap();
    assert!(here.iter().all(|&byte| byte == 9));
    drop((here, pool));
    assert!(again.acquire::<u8>(LARGE).unwrap().iter().all(|&byte| byte == 9));
}

#[test]
fn only_shared_memory_has_files() {
    let files = |sharing| {
        let pool = PinnedMemoryPool::new(&Device::host(), config(sharing)).unwrap();
        // SAFETY: nothing is done with the files.
        unsafe { pool.files() }.map(|file| file.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(files(Sharing::Private), [false, false]);
    assert_eq!(files(Sharing::Shared), [true, true]);
}

/// Tries to make a pool of `regions`, and wants all of them back.
#[track_caller]
fn refused(config: PoolConfig, regions: Vec<HostRegion>) -> (Error, Vec<HostRegion>) {
    let places: Vec<_> = regions.iter().map(|region| region.as_ptr()).collect();
    let refused = PinnedMemoryPool::over(&Device::host(), config, regions).map(drop).unwrap_err();
    let RegionsRefused { error, regions } = refused;
    assert!(regions.iter().map(|region| region.as_ptr()).eq(places), "all, and in their order");
    (error, regions)
}

#[test]
fn regions_that_do_not_fit_are_named_and_given_back() {
    let config = config(Sharing::Private);
    let mut regions = regions(filled(&Device::host(), config.clone()));
    regions.reverse();
    let actual = regions[1].len();
    let (error, mut regions) = refused(config.clone(), regions);
    let min = LARGE.next_multiple_of(256) * BUFFERS;
    assert_eq!(error, Error::RegionSize { index: 1, actual, buffer_bytes: LARGE, min });
    assert!(error.to_string().starts_with("region 1 has "), "{error}");
    regions.reverse();
    regions.push(HostRegion::new(&RegionConfig::new(1)).unwrap());
    let what = "the number of regions";
    let (error, mut regions) = refused(config.clone(), regions);
    assert_eq!(error, Error::Config { what, actual: 3, min: 2, max: 2 });
    regions.pop();
    let (error, regions) = refused(PoolConfig::new([]), regions);
    assert!(matches!(error, Error::Config { what: "classes", .. }), "{error}");
    assert_filled(&PinnedMemoryPool::over(&Device::host(), config, regions).unwrap());
}

#[test]
fn a_region_for_each_node_of_a_class_makes_its_buffers() {
    let (pages, sharing) = (Pages::Base, Sharing::Private);
    let backing = Backing::Registered { pages, nodes: vec![0, 1], sharing };
    let config = PoolConfig { backing, ..PoolConfig::uniform::<u8>(1, LARGE) };
    let region = |mark| {
        let mut region = HostRegion::new(&RegionConfig::new(LARGE)).unwrap();
        region.fill(mark);
        region
    };
    let made = PinnedMemoryPool::over(&Device::host(), config, vec![region(1), region(2)]);
    let pool = made.unwrap();
    let nodes: Vec<_> = pool.stats().memory.iter().map(|memory| memory.node).collect();
    assert_eq!(nodes, [Some(0), Some(1)]);
    let leases = [(); 2].map(|()| pool.acquire::<u8>(LARGE).unwrap());
    assert_eq!(leases.each_ref().map(|lease| lease[LARGE - 1]), [1, 2]);
}

#[test]
fn memory_of_the_driver_is_no_region() {
    let config = PoolConfig { backing: Backing::Driver, ..PoolConfig::uniform::<u8>(1, SMALL) };
    let pool = PinnedMemoryPool::new(&Device::host(), config).unwrap();
    let [Err(error)] = &pool.into_regions().unwrap()[..] else { panic!("it became a region") };
    assert_eq!(*error, Error::NoRegion { buffer_bytes: SMALL });
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn regions_that_come_and_go_leave_nothing_registered() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(1);
            let device = Device::cuda(0).unwrap();
            let mut pool = filled(&device, config(Sharing::Shared));
            for _ in 0..3 {
                let regions = regions(pool);
                assert_eq!(driver.alive().get("registered memory"), None);
                pool = PinnedMemoryPool::over(&device, config(Sharing::Shared), regions).unwrap();
            }
            // One of two cannot be registered: the other one is let go.
            driver.fail(Fail::call("cuMemHostRegister_v2", 1, 2));
            let over = |regions| PinnedMemoryPool::over(&device, config(Sharing::Shared), regions);
            let refused = over(regions(pool)).map(drop).unwrap_err();
            assert_eq!(refused.error.kind(), ErrorKind::Exhausted);
            assert_eq!(driver.alive().get("registered memory"), None);
            assert_filled(&over(refused.regions).unwrap());
            drop(device);
            driver.assert_clean("regions that come and go");
            assert_eq!(driver.violations(), Vec::<String>::new());
        });
    }
}

#[test]
fn a_sticky_fault_of_the_context_leaves_the_content() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(1);
            let device = Device::cuda(0).unwrap();
            let pool = filled(&device, config(Sharing::Shared));
            driver.fail(Fail { function: None, first: 0, lasting: Lasting::Sticky, code: 700 });
            assert_eq!(device.synchronize().unwrap_err().kind(), ErrorKind::Poisoned);
            let host = Device::host();
            let pool =
                PinnedMemoryPool::over(&host, config(Sharing::Shared), regions(pool)).unwrap();
            assert_filled(&pool);
            assert_eq!(driver.violations(), Vec::<String>::new());
        });
    }
}

#[test]
fn what_the_driver_does_not_let_go_of_is_named_and_the_rest_comes_back() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(1);
            let device = Device::cuda(0).unwrap();
            let pool = filled(&device, config(Sharing::Private));
            driver.fail(Fail::call("cuMemHostUnregister", 0, 916));
            let [Err(error), Ok(region)] = &pool.into_regions().unwrap()[..] else {
                panic!("both")
            };
            assert_eq!(*error, Error::NoRegion { buffer_bytes: SMALL });
            assert_eq!(region[LARGE - 1], 3);
            assert_eq!(driver.violations(), Vec::<String>::new());
        });
    }
}

#[test]
fn shared_memory_is_never_replaced_by_the_drivers() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(1);
            let device = Device::cuda(0).unwrap();
            driver.fail(Fail::call("cuMemHostRegister_v2", 0, 801));
            let error = PinnedMemoryPool::new(&device, config(Sharing::Shared)).unwrap_err();
            assert_eq!(error, Error::Device(DeviceError::RegisterForbidden));
            drop(device);
            driver.assert_clean("shared memory that cannot be registered");
            assert_eq!(driver.violations(), Vec::<String>::new());
        });
    }
}
