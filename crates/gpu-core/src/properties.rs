//! What a device is: everything that occupancy, a report or a tuner needs to know of it.

/// A compute capability such as 9.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Capability {
    /// The generation: 9 is Hopper.
    pub major: u32,
    /// The variant within it.
    pub minor: u32,
}

impl Capability {
    /// The capability `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// Where work runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// A CUDA device through its driver.
    Cuda,
    /// The host's processor; each operation runs when it is submitted.
    Host,
    /// The host's processor; each stream runs late, in an order drawn from a seed.
    HostSimulated,
}

impl std::fmt::Display for BackendKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Cuda => "cuda",
            Self::Host => "host",
            Self::HostSimulated => "host-simulated",
        })
    }
}

/// A device as its driver describes it. On the host, the processor's own figures, and the
/// launch limits that the host backend enforces so that a launch refused there is refused everywhere.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DeviceProperties {
    /// Where work runs.
    pub backend: BackendKind,
    /// Which CUDA device; 0 on the host.
    pub ordinal: u32,
    /// The product's name.
    pub name: String,
    /// Absent on the host.
    pub capability: Option<Capability>,
    /// Driver version as CUDA counts it (13000 is 13.0); absent on the host.
    pub driver_version: Option<u32>,
    /// The driver's release, such as `580.159.04`, where the management library tells it.
    pub driver_release: Option<String>,
    /// Unique id of the device as 32 hexadecimal digits; empty on the host.
    pub uuid: String,
    /// Such as `0000:1b:00.0`; empty on the host.
    pub pci_bus_id: String,
    /// NUMA node that the device hangs on, where the system tells it.
    pub numa_node: Option<u32>,
    /// Streaming multiprocessors; on the host, hardware threads.
    pub multiprocessors: u32,
    /// Threads that execute together.
    pub warp_size: u32,
    /// Most threads in a block.
    pub threads_per_block_max: u32,
    /// Most threads resident on a multiprocessor.
    pub threads_per_multiprocessor_max: u32,
    /// Most blocks resident on a multiprocessor.
    pub blocks_per_multiprocessor_max: u32,
    /// Most threads along each side of a block.
    pub block_max: [u32; 3],
    /// Most blocks along each side of a grid.
    pub grid_max: [u32; 3],
    /// 32-bit registers a block may use.
    pub registers_per_block: u32,
    /// 32-bit registers of a multiprocessor.
    pub registers_per_multiprocessor: u32,
    /// Shared memory a block gets without asking, in bytes.
    pub shared_bytes_per_block: u32,
    /// Shared memory a block may opt in to, in bytes.
    pub shared_bytes_per_block_optin: u32,
    /// Shared memory of a multiprocessor, in bytes.
    pub shared_bytes_per_multiprocessor: u32,
    /// Shared memory that the system keeps of each block, in bytes.
    pub shared_bytes_reserved_per_block: u32,
    /// Constant memory, in bytes.
    pub constant_bytes: u32,
    /// Level-2 cache, in bytes.
    pub l2_bytes: u32,
    /// Most of the level-2 cache that can be set aside for persisting accesses, in bytes.
    pub l2_persisting_bytes_max: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Width of the memory bus, in bits.
    pub memory_bus_bits: u32,
    /// Peak memory clock, in kHz.
    pub memory_clock_khz: u32,
    /// Peak processor clock, in kHz.
    pub clock_khz: u32,
    /// Copies that can run beside kernels: engines for asynchronous transfers.
    pub copy_engines: u32,
    /// Whether kernels of several streams run at once.
    pub has_concurrent_kernels: bool,
    /// Whether all blocks of a grid can synchronise.
    pub has_cooperative_launch: bool,
    /// Whether host and device share one address space.
    pub has_unified_addressing: bool,
    /// Whether the device reads pageable host memory.
    pub has_pageable_memory_access: bool,
    /// Whether kernels can be given up in favour of others.
    pub has_compute_preemption: bool,
    /// Whether host memory can be page-locked after it was allocated.
    pub has_host_register: bool,
    /// Whether stream-ordered memory pools are supported.
    pub has_memory_pools: bool,
    /// Whether blocks can form clusters.
    pub has_clusters: bool,
    /// Whether memory corrects errors.
    pub has_ecc: bool,
    /// Whether device and host share their memory.
    pub is_integrated: bool,
}

impl DeviceProperties {
    /// Peak memory bandwidth in bytes a second, from bus width and clock (two transfers a cycle);
    /// absent where the driver does not tell the clock.
    pub fn memory_bandwidth_peak(&self) -> Option<f64> {
        let rate =
            2.0 * f64::from(self.memory_clock_khz) * 1e3 * f64::from(self.memory_bus_bits) / 8.0;
        (rate > 0.0).then_some(rate)
    }
}

/// Memory of a device at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MemoryInfo {
    /// Not allocated by anybody, in bytes.
    pub free_bytes: u64,
    /// All of it, in bytes.
    pub total_bytes: u64,
}
