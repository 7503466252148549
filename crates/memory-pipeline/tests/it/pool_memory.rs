//! What the pool's memory is: registered or the driver's, on which node, and what happens where neither can be had.

use fake_driver_client::{Fail, on_fake_driver};
use gpu_core::{Device, Error as DeviceError, ErrorKind, FaultPlan, Operation, Pages, Sharing};
use memory_pipeline::{
    BUFFERS_MAX, Backing, Error, MemoryStats, PinnedMemoryPool, PoolConfig, PoolStats, SizeClass,
};

const BYTES: usize = 3 << 20;

fn on_nodes(nodes: impl Into<Vec<u32>>) -> PoolConfig {
    let backing =
        Backing::Registered { pages: Pages::Base, nodes: nodes.into(), sharing: Sharing::Private };
    PoolConfig { backing, ..PoolConfig::uniform::<u8>(2, BYTES) }
}

/// A pool on node 0, twice over where `nodes` says so; `None` where the system lets nothing be placed.
#[expect(clippy::print_stdout, reason = "a test says what it did not do")]
fn placed(nodes: &[u32]) -> Option<PinnedMemoryPool> {
    match PinnedMemoryPool::new(&Device::host(), on_nodes(nodes)) {
        Err(Error::Device(
            error @ (DeviceError::NodeMissing { .. } | DeviceError::System { .. }),
        )) => {
            println!("not placed on a node: {error}");
            None
        }
        made => Some(made.unwrap()),
    }
}

#[test]
fn memory_is_registered_unless_the_driver_is_to_allocate_it() {
    let config = PoolConfig::uniform::<u8>(2, BYTES);
    let made = MemoryStats {
        buffer_bytes: BYTES,
        node: None,
        bytes: 2 * BYTES,
        registered: None,
        bytes_elsewhere: None,
    };
    let stats = |config| PinnedMemoryPool::new(&Device::host(), config).unwrap().stats();
    let of_driver = PoolConfig { backing: Backing::Driver, ..config.clone() };
    assert_eq!(stats(of_driver).memory, [made]);
    let [registered] = stats(config).memory[..] else { panic!("one class on one node") };
    assert!(registered.registered.is_some());
    assert_eq!(MemoryStats { registered: None, ..registered }, made);
    let [small] = stats(PoolConfig::uniform::<u8>(1, 1)).memory[..] else { panic!("one class") };
    assert_eq!((small.registered, small.bytes), (Some(Pages::Base), 256));
}

#[test]
fn every_backing_gives_zeroed_buffers_that_lie_apart() {
    for backing in [Backing::default(), Backing::Driver] {
        let classes = [3 << 20, 300].map(|buffer_bytes| SizeClass { buffer_bytes, buffers: 3 });
        let config = PoolConfig { classes: classes.to_vec(), backing };
        let pool = PinnedMemoryPool::new(&Device::host(), config).unwrap();
        for bytes in [300, 3 << 20] {
            let mut leases = [(); 3].map(|()| pool.acquire::<u8>(bytes).unwrap());
            for (mark, lease) in (1..).zip(&mut leases) {
                assert!(lease.iter().all(|&byte| byte == 0));
                lease.fill(mark);
            }
            for (mark, lease) in (1..).zip(&leases) {
                assert!(lease.iter().all(|&byte| byte == mark));
            }
        }
    }
}

#[test]
fn a_node_that_is_named_holds_its_buffers_and_one_that_is_missing_is_refused() {
    if let Some(pool) = placed(&[0]) {
        let [memory] = pool.stats().memory[..] else { panic!("one class on one node") };
        assert_eq!(memory.node, Some(0));
        assert!(memory.bytes_elsewhere.is_none_or(|bytes| bytes == 0));
    }
    let error = PinnedMemoryPool::new(&Device::host(), on_nodes([9999])).unwrap_err();
    assert_eq!(error, Error::Device(DeviceError::NodeMissing { node: 9999 }));
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_later_node_gives_what_the_first_one_lacks_and_is_counted() {
    let Some(pool) = placed(&[0, 0]) else { return };
    let PoolStats { memory, classes } = pool.stats();
    assert_eq!((memory.len(), classes[0].capacity), (2, 4));
    let acquire = || pool.acquire::<u8>(BYTES).unwrap();
    let mut leases = [acquire(), acquire()];
    assert_eq!(pool.stats().classes[0].from_other_node, 0);
    let far = [acquire(), acquire()];
    assert_eq!(pool.stats().classes[0].from_other_node, 2);
    assert_eq!(pool.acquire::<u8>(BYTES).unwrap_err().kind(), ErrorKind::Exhausted);
    leases.iter_mut().for_each(|lease| lease.fill(1));
    assert!(far.iter().all(|lease| lease.iter().all(|&byte| byte == 0)), "they lie apart");
    let [near, _] = leases;
    let place = near.as_ptr();
    drop((far, near));
    assert_eq!(acquire().as_ptr(), place);
}

#[test]
fn all_nodes_together_hold_no_more_buffers_than_a_class_may() {
    let nodes = vec![0; 2];
    let backing = Backing::Registered { pages: Pages::Base, nodes, sharing: Sharing::Private };
    let buffers = BUFFERS_MAX / 2 + 1;
    let config = PoolConfig { backing, ..PoolConfig::uniform::<u8>(buffers, 1) };
    let error = PinnedMemoryPool::new(&Device::host(), config).unwrap_err();
    let max = BUFFERS_MAX / 2;
    assert_eq!(error, Error::Config { what: "buffers", actual: buffers, min: 1, max });
    let error = PinnedMemoryPool::new(&Device::host(), on_nodes(vec![0; 65])).unwrap_err();
    assert!(matches!(error, Error::Config { what: "nodes", .. }), "{error}");
}

#[test]
fn what_the_device_says_of_the_memory_is_passed_on() {
    for backing in [Backing::default(), Backing::Driver] {
        let plan = FaultPlan::none().fail_once(Operation::Allocate, 0, ErrorKind::Exhausted);
        let device = Device::host().with_faults(plan);
        let config = PoolConfig { backing, ..PoolConfig::uniform::<u8>(1, 1) };
        let refused = PinnedMemoryPool::new(&device, config.clone()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Exhausted);
        PinnedMemoryPool::new(&device, config).unwrap();
    }
}

#[test]
fn where_registering_is_forbidden_the_driver_allocates_and_the_statistics_say_so() {
    if matches!(Device::cuda_count(), Err(DeviceError::BackendMissing)) {
        println!("not run on the fake driver: built without the CUDA backend");
        return;
    }
    on_fake_driver(|driver| {
        driver.reset(1);
        let device = Device::cuda(0).unwrap();
        let config = PoolConfig::uniform::<u8>(2, BYTES);
        let registered = |config: &PoolConfig| {
            let pool = PinnedMemoryPool::new(&device, config.clone()).unwrap();
            assert!(pool.acquire::<u8>(BYTES).unwrap().iter().all(|&byte| byte == 0));
            pool.stats().memory[0].registered
        };
        driver.fail(Fail::call("cuMemHostRegister_v2", 0, 801));
        assert_eq!(registered(&config), None);
        assert!(registered(&config).is_some());
        // Any other refusal is no reason to try elsewhere.
        driver.fail(Fail::call("cuMemHostRegister_v2", 0, 2));
        let error = PinnedMemoryPool::new(&device, config).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exhausted);
        drop(device);
        driver.assert_clean("a pool on the fake driver");
    });
}
