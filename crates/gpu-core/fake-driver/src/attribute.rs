//! What the devices are: the first like an H100, the second an older one that knows fewer attributes.

use crate::code::{INVALID_VALUE, Outcome};

pub(crate) const GRID_MAX: [u32; 3] = [0x7fff_ffff, 65_535, 65_535];
pub(crate) const BLOCK_MAX: [u32; 3] = [1024, 1024, 64];
pub(crate) const THREADS_PER_BLOCK_MAX: u32 = 1024;
pub(crate) const MULTIPROCESSORS: u64 = 132;
pub(crate) const WARPS_PER_MULTIPROCESSOR: usize = 64;
pub(crate) const SHARED_PER_MULTIPROCESSOR: usize = 233_472;
/// Dynamic shared memory that a block may opt in to, in bytes.
pub(crate) const SHARED_OPTIN: i32 = 232_448;

/// Attributes from here up are unknown to the second device's driver.
const OLDER_KNOWS_BELOW: i32 = 100;

/// `CU_DEVICE_ATTRIBUTE_...` by number, and the value.
#[rustfmt::skip]
const VALUES: [(i32, i32); 38] = [
    (1, 1024), (2, 1024), (3, 1024), (4, 64), // threads of a block, and along each side
    (5, 0x7fff_ffff), (6, 65_535), (7, 65_535), // blocks along each side of a grid
    (8, 49_152), (9, 65_536), (10, 32), (12, 65_536), (13, 1_980_000), // shared, constant, warp, registers, clock
    (16, 132), (18, 0), (31, 1), (32, 1), // multiprocessors, integrated, concurrent kernels, ECC
    (36, 2_619_000), (37, 5120), (38, 52_428_800), (39, 2048), (40, 3), (41, 1), // memory clock, bus, L2, threads, copies, UVA
    (75, 9), (76, 0), (81, 233_472), (82, 65_536), (88, 0), (90, 1), (91, 1), // capability, shared, registers, pageable, preemption, registered pointers
    (95, 1), (97, SHARED_OPTIN), (99, 1), // cooperative launch, opt-in shared memory, registering of host memory
    (106, 32), (108, 32_768_000), (111, 1024), (115, 1), (120, 1), // blocks, persisting L2, reserved shared, pools, clusters
    (134, -1), // NUMA node of the host
];

pub(crate) fn value(device: usize, attribute: i32) -> Outcome<i32> {
    if device > 0 && attribute >= OLDER_KNOWS_BELOW {
        return Err(INVALID_VALUE);
    }
    let found = VALUES.iter().find(|&&(number, _)| number == attribute);
    found.map(|&(_, value)| value).ok_or(INVALID_VALUE)
}

pub(crate) fn name(device: usize) -> String {
    format!("Fake device {device}")
}

/// A place on a bus that no system has.
pub(crate) fn bus_id(device: usize) -> String {
    format!("FFFF:FA:{device:02X}.0")
}

pub(crate) fn uuid(device: usize) -> [u8; 16] {
    let mut uuid = [0xfa; 16];
    uuid[15] = u8::try_from(device).unwrap_or(u8::MAX);
    uuid
}
