//! Host memory of one's own: mapped, shared, page-locked by a device and given back by it.

use std::os::fd::OwnedFd;

use fake_driver_client::{Fail, Lasting, on_fake_driver};
use gpu_core::{
    Device, Error, ErrorKind, FaultPlan, HostRegion, Operation, Pages, RegionConfig, Sharing,
};

use crate::conformance::suite;
use crate::driver::is_backend_built;

suite!([
    registered_memory_is_used_as_page_locked_memory_is,
    a_region_comes_back_with_its_content,
    memory_that_the_device_allocated_is_no_region,
    a_region_that_cannot_be_registered_is_given_back,
    a_region_does_not_come_back_inside_a_capture,
    a_lost_device_gives_the_region_back_with_its_content,
]);

/// Not a multiple of any page.
const BYTES: usize = 3_000_001;

fn region(sharing: Sharing) -> HostRegion {
    HostRegion::new(&RegionConfig { sharing, ..RegionConfig::new(BYTES) }).unwrap()
}

fn each_kind() -> impl Iterator<Item = RegionConfig> {
    let kinds = [Pages::Huge, Pages::Transparent, Pages::Base];
    kinds.into_iter().flat_map(|pages| {
        [Sharing::Private, Sharing::Shared].map(|sharing| RegionConfig {
            pages,
            sharing,
            touch_threads: 3,
            ..RegionConfig::new(BYTES)
        })
    })
}

#[test]
fn every_kind_of_region_is_zero_aligned_and_writable_to_its_end() {
    for config in each_kind() {
        let mut region = HostRegion::new(&config).unwrap();
        assert!(region.len() >= BYTES, "{config:?}");
        assert!(region.as_ptr().addr().is_multiple_of(4096), "{config:?}");
        assert!(region.iter().all(|&byte| byte == 0), "{config:?}");
        region.fill(0xa5);
        assert!(region.iter().all(|&byte| byte == 0xa5), "{config:?}");
        assert_eq!(file_of(&region).is_some(), config.sharing == Sharing::Shared);
    }
}

#[test]
fn a_region_never_gets_larger_pages_than_it_asked_for() {
    let base = RegionConfig { pages: Pages::Base, ..RegionConfig::new(BYTES) };
    assert_eq!(HostRegion::new(&base).unwrap().pages(), Pages::Base);
    let transparent = RegionConfig { pages: Pages::Transparent, ..base };
    assert_ne!(HostRegion::new(&transparent).unwrap().pages(), Pages::Huge);
}

#[test]
fn a_region_of_nothing_and_one_that_no_machine_has_are_refused() {
    let refused = |bytes| HostRegion::new(&RegionConfig::new(bytes)).unwrap_err();
    assert_eq!(refused(0), Error::RegionEmpty);
    assert_eq!(refused(usize::MAX), Error::OutOfMemory { bytes: usize::MAX });
    assert_eq!(refused(1 << 60).kind(), ErrorKind::Exhausted);
}

#[test]
fn a_node_that_is_not_there_is_refused() {
    let config = RegionConfig { node: Some(9999), ..RegionConfig::new(BYTES) };
    assert_eq!(HostRegion::new(&config).unwrap_err(), Error::NodeMissing { node: 9999 });
}

#[test]
fn every_page_is_present_and_lies_on_the_node_that_was_asked_for() {
    for config in each_kind() {
        let config = RegionConfig { node: Some(0), ..config };
        let region = match HostRegion::new(&config) {
            Err(error @ (Error::NodeMissing { .. } | Error::System { .. })) => {
                println!("not placed on a node: {error}");
                continue;
            }
            made => made.unwrap(),
        };
        match region.node_of_pages() {
            Ok(nodes) => {
                let present: Vec<_> = nodes.into_iter().collect();
                assert_eq!(present, [(0, region.len() as u64)], "{config:?}");
            }
            Err(error) => println!("the system tells no nodes: {error}"),
        }
    }
}

#[test]
fn neighbours_are_not_counted_as_pages_of_a_region() {
    let config = RegionConfig { pages: Pages::Base, ..RegionConfig::new(1 << 20) };
    let regions: Vec<_> = (0..8).map(|_| HostRegion::new(&config).unwrap()).collect();
    for region in &regions {
        if let Ok(nodes) = region.node_of_pages() {
            assert_eq!(nodes.values().sum::<u64>(), 1 << 20);
        }
    }
}

fn file_of(region: &HostRegion) -> Option<OwnedFd> {
    // SAFETY: the tests write by one mapping and then read by the other, and never to the file.
    let file = unsafe { region.as_fd() };
    file.map(|file| file.try_clone_to_owned().unwrap())
}

/// Maps the file of `region` once more.
fn mapped_again(region: &HostRegion) -> HostRegion {
    let file = file_of(region).unwrap();
    // SAFETY: the tests write by one mapping and then read by the other.
    unsafe { HostRegion::from_fd(file) }.unwrap()
}

#[test]
fn a_shared_region_is_the_same_memory_wherever_its_file_is_mapped() {
    for config in each_kind().filter(|config| config.sharing == Sharing::Shared) {
        let mut region = HostRegion::new(&config).unwrap();
        let mut again = mapped_again(&region);
        assert_eq!(again.len(), region.len());
        assert_ne!(again.as_ptr(), region.as_ptr());
        region[7] = 70;
        again[BYTES - 1] = 71;
        assert_eq!((again[7], region[BYTES - 1]), (70, 71));
        drop(region);
        assert_eq!((again[7], again[BYTES - 1]), (70, 71), "the memory outlives its first mapping");
        assert!(file_of(&again).is_some());
    }
}

#[test]
fn a_file_that_is_no_region_is_refused() {
    let file: OwnedFd = tempfile::tempfile().unwrap().into();
    // SAFETY: nobody else has the file.
    let empty = unsafe { HostRegion::from_fd(file) }.map(|_| ()).unwrap_err();
    assert_eq!(empty, Error::RegionForeign);
    let file = tempfile::tempfile().unwrap();
    file.set_len(1 << 16).unwrap();
    // SAFETY: as above.
    let shrinkable = unsafe { HostRegion::from_fd(file.into()) }.map(|_| ()).unwrap_err();
    assert_eq!(shrinkable, Error::RegionForeign);
    let shared = region(Sharing::Shared);
    let file = std::fs::File::from(file_of(&shared).unwrap());
    assert!(file.set_len(0).is_err(), "the file of a region cannot shrink");
}

fn registered_memory_is_used_as_page_locked_memory_is(device: &Device) {
    let stream = device.stream().unwrap();
    for sharing in [Sharing::Private, Sharing::Shared] {
        let mut pinned = device.register(region(sharing)).unwrap();
        assert!(pinned.len() >= BYTES);
        let mut target = device.buffer::<u8>(pinned.len()).unwrap();
        let mut back = device.register(region(sharing)).unwrap();
        pinned.fill(3);
        pinned[BYTES - 1] = 9;
        stream.scope(|scope| scope.upload(&pinned, target.view_mut())).unwrap();
        stream.scope(|scope| scope.download(target.view(), &mut back)).unwrap();
        assert!(back[..] == pinned[..]);
    }
}

fn a_region_comes_back_with_its_content(device: &Device) {
    let stream = device.stream().unwrap();
    let mut region = region(Sharing::Private);
    let address = region.as_ptr();
    for round in 0..3 {
        region[round] = 40;
        let mut pinned = device.register(region).unwrap();
        let source = device.buffer::<u8>(pinned.len()).unwrap();
        assert_eq!(pinned[round], 40);
        // SAFETY: the buffer gives its memory back only when the device has settled.
        unsafe { stream.download(source.view(), &mut pinned) }.unwrap();
        region = pinned.into_region().unwrap();
        assert!(region.iter().all(|&byte| byte == 0), "it waited for the copy");
        assert_eq!(region.as_ptr(), address);
    }
}

fn memory_that_the_device_allocated_is_no_region(device: &Device) {
    assert!(device.pinned::<u8>(100).unwrap().into_region().is_none());
}

fn a_region_that_cannot_be_registered_is_given_back(device: &Device) {
    let plan = FaultPlan::none().fail_once(Operation::Allocate, 0, ErrorKind::Exhausted);
    let device = device.clone().with_faults(plan);
    let mut region = region(Sharing::Private);
    region[5] = 50;
    let refused = device.register(region).unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Exhausted);
    assert_eq!(refused.to_string(), refused.error.to_string());
    let pinned = device.register(refused.region).unwrap();
    assert_eq!(pinned[5], 50);
}

fn a_region_does_not_come_back_inside_a_capture(device: &Device) {
    let stream = device.stream().unwrap();
    let pinned = device.register(region(Sharing::Private)).unwrap();
    let graph = stream.capture(|| {
        assert!(pinned.into_region().is_none());
        Ok(())
    });
    assert_eq!(graph.unwrap().nodes(), 0);
}

fn a_lost_device_gives_the_region_back_with_its_content(device: &Device) {
    let mut shared = region(Sharing::Shared);
    shared[11] = 110;
    let copy = mapped_again(&shared);
    let pinned = device.register(shared).unwrap();
    let plan = FaultPlan::none().fail_once(Operation::Create, 0, ErrorKind::Poisoned);
    let device = device.clone().with_faults(plan);
    assert!(device.stream().is_err() && device.lost().is_some());
    let region = pinned.into_region().unwrap();
    assert_eq!((region[11], copy[11]), (110, 110));
    let refused = device.register(region).unwrap_err();
    assert_eq!(refused.error.kind(), ErrorKind::Poisoned);
    let pinned = Device::host().register(refused.region).unwrap();
    assert_eq!(pinned[11], 110, "another device goes on with it");
}

#[test]
fn a_region_survives_a_fault_that_loses_the_context() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            for code in [700, 719] {
                driver.reset(1);
                let device = Device::cuda(0).unwrap();
                let mut pinned = device.register(region(Sharing::Private)).unwrap();
                pinned[3] = 30;
                let lasting = Lasting::Sticky;
                driver.fail(Fail { function: None, first: 0, lasting, code });
                assert_eq!(device.synchronize().unwrap_err().kind(), ErrorKind::Poisoned);
                let region = pinned.into_region().unwrap();
                assert_eq!(region[3], 30);
                assert_eq!(driver.violations(), Vec::<String>::new());
            }
        });
    }
}

#[test]
fn a_system_that_forbids_registering_says_so_and_gives_the_region_back() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(1);
            let device = Device::cuda(0).unwrap();
            let mut region = region(Sharing::Shared);
            region[3] = 30;
            for (code, expected) in [
                (800, Error::RegisterForbidden),
                (801, Error::RegisterForbidden),
                (2, Error::Driver { call: "cuMemHostRegister_v2", code: 2 }),
            ] {
                driver.fail(Fail::call("cuMemHostRegister_v2", 0, code));
                let refused = device.register(region).unwrap_err();
                assert_eq!(refused.error, expected);
                region = refused.region;
            }
            assert_eq!(Error::RegisterForbidden.kind(), ErrorKind::Unavailable);
            assert_eq!(device.register(region).unwrap()[3], 30);
            drop(device);
            driver.assert_clean("forbidden");
        });
    }
}

#[test]
fn memory_that_the_driver_holds_on_to_is_never_given_back() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(1);
            let device = Device::cuda(0).unwrap();
            let pinned = device.register(region(Sharing::Private)).unwrap();
            let address = pinned.as_ptr();
            driver.fail(Fail::call("cuMemHostUnregister", 0, 916));
            assert!(pinned.into_region().is_none());
            for _ in 0..8 {
                let other = device.register(region(Sharing::Private)).unwrap();
                assert_ne!(other.as_ptr(), address, "another mapping took its place");
            }
        });
    }
}
