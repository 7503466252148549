//! What the host is, read from the system; and the launch limits that it enforces.

use super::Mode;
use crate::properties::{BackendKind, DeviceProperties};

/// The processor's figures, with the launch limits of a current GPU, so that a launch
/// that is refused there is refused here too.
pub(crate) fn properties(mode: Mode) -> DeviceProperties {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    DeviceProperties {
        backend: match mode {
            Mode::Eager => BackendKind::Host,
            Mode::Simulated { .. } => BackendKind::HostSimulated,
        },
        ordinal: 0,
        name: processor_name(),
        capability: None,
        driver_version: None,
        driver_release: None,
        uuid: String::new(),
        pci_bus_id: String::new(),
        numa_node: None,
        multiprocessors: u32::try_from(threads).unwrap_or(u32::MAX),
        warp_size: 32,
        threads_per_block_max: 1024,
        threads_per_multiprocessor_max: 2048,
        blocks_per_multiprocessor_max: 32,
        block_max: [1024, 1024, 64],
        grid_max: [i32::MAX.unsigned_abs(), 65_535, 65_535],
        registers_per_block: 65_536,
        registers_per_multiprocessor: 65_536,
        shared_bytes_per_block: 48 << 10,
        shared_bytes_per_block_optin: 227 << 10,
        shared_bytes_per_multiprocessor: 228 << 10,
        shared_bytes_reserved_per_block: 1 << 10,
        constant_bytes: 64 << 10,
        l2_bytes: 0,
        l2_persisting_bytes_max: 0,
        memory_bytes: memory_free_and_total().1,
        memory_bus_bits: 0,
        memory_clock_khz: 0,
        clock_khz: 0,
        copy_engines: 0,
        has_concurrent_kernels: false,
        has_cooperative_launch: true,
        has_unified_addressing: true,
        has_pageable_memory_access: true,
        has_compute_preemption: false,
        has_host_register: false,
        has_memory_pools: false,
        has_clusters: false,
        has_ecc: false,
        is_integrated: true,
    }
}

fn processor_name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "host processor".to_owned(), |(_, name)| name.trim().to_owned())
}

/// Free and total memory in bytes, 0 where the system does not tell.
pub(crate) fn memory_free_and_total() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let bytes = |field: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(field));
        let kib = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
        kib.map_or(0, |kib| kib << 10)
    };
    (bytes("MemAvailable:"), bytes("MemTotal:"))
}
