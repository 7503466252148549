//! Occupancy against figures computed with NVIDIA's own calculator (`tests/data/README.md`).

use std::collections::{BTreeMap, BTreeSet};

use gpu_core::{Capability, Device, KernelAttributes};
use kernel_tuner::{
    BlockLimits, BlockUse, HardwareLimits, KernelTuner, Limiter, Limiters, Occupancy,
};

const OCCUPANCY: &str = include_str!("../data/occupancy.csv");
const LAUNCH_CONFIG: &str = include_str!("../data/launch_config.csv");

/// One line of a table: values by column.
struct Row<'a>(BTreeMap<&'a str, &'a str>);

impl Row<'_> {
    fn count(&self, column: &str) -> u32 {
        self.0[column].parse().unwrap()
    }

    /// A count, where -1 stands for none.
    fn optional(&self, column: &str) -> Option<u32> {
        self.0[column].parse::<i64>().unwrap().try_into().ok()
    }

    fn capability(&self) -> Capability {
        let (major, minor) = self.0["cc"].split_once('.').unwrap();
        Capability::new(major.parse().unwrap(), minor.parse().unwrap())
    }

    fn block(&self) -> BlockUse {
        BlockUse {
            threads: self.count("block"),
            registers: self.count("regs"),
            shared_static: self.count("static_smem"),
            shared_dynamic: self.count("dyn_smem"),
            shared_dynamic_max: (self.count("optin") == 1).then(|| self.count("max_dyn")),
            barriers: self.count("barriers"),
            carveout_percent: self.optional("carveout"),
        }
    }
}

fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    let mut lines = text.lines();
    let columns: Vec<_> = lines.next().unwrap().split(',').collect();
    lines.map(move |line| Row(columns.iter().copied().zip(line.split(',')).collect()))
}

/// The calculator's bits for what it compares first.
const BITS: [(u32, Limiter); 4] = [
    (1, Limiter::Warps),
    (2, Limiter::Registers),
    (4, Limiter::SharedMemory),
    (8, Limiter::Blocks),
];
const BARRIER_BIT: u32 = 16;

/// The limiters that the calculator names. It compares barriers last and keeps the earlier bits even where
/// barriers alone decide; we name only what decides.
fn limiters(row: &Row<'_>) -> Limiters {
    let mask = row.count("limit_mask");
    let others = BITS.into_iter().filter(|(bit, _)| mask & bit != 0).map(|(_, limiter)| limiter);
    let columns = ["lim_warps", "lim_blocks", "lim_regs", "lim_smem"];
    let other_blocks = columns.iter().filter_map(|column| row.optional(column)).min();
    match row.optional("lim_barriers") {
        Some(barriers) if Some(barriers) < other_blocks => {
            assert_eq!(mask & BARRIER_BIT, BARRIER_BIT);
            [Limiter::Barriers].into_iter().collect()
        }
        _ if mask & BARRIER_BIT != 0 => others.chain([Limiter::Barriers]).collect(),
        _ => others.collect(),
    }
}

#[test]
fn every_row_equals_nvidias_calculator() {
    let mut capabilities = BTreeSet::new();
    let mut seen = [0; 5];
    for row in rows(OCCUPANCY) {
        let limits = HardwareLimits::of(row.capability()).unwrap();
        let result = Occupancy::of(&limits, &row.block());
        let context = format!("{} {:?}", row.capability(), row.block());
        assert_eq!(result.blocks, row.count("active_blocks"), "{context}");
        assert_eq!(result.limiters, limiters(&row), "{context}");
        let expected = BlockLimits {
            warps: row.count("lim_warps"),
            blocks: row.count("lim_blocks"),
            registers: row.optional("lim_regs"),
            shared_memory: row.optional("lim_smem"),
            barriers: row.optional("lim_barriers"),
        };
        assert_eq!(result.limits, expected, "{context}");
        assert_eq!(result.registers_per_block, row.count("alloc_regs_per_block"), "{context}");
        assert_eq!(result.shared_bytes_per_block, row.count("alloc_smem_per_block"), "{context}");
        let warps = f64::from(result.blocks * row.count("block").div_ceil(32));
        assert!((result.occupancy * f64::from(limits.warps()) - warps).abs() < 1e-9, "{context}");

        capabilities.insert(row.capability());
        for limiter in result.limiters.iter() {
            seen[limiter as usize] += 1;
        }
    }
    assert!(capabilities.into_iter().eq(HardwareLimits::capabilities()));
    assert!(seen.iter().all(|&count| count >= 100), "limiters seen {seen:?} times");
}

/// The multiprocessors of the devices that the launch configurations were computed for.
fn multiprocessors(capability: Capability) -> u32 {
    match (capability.major, capability.minor) {
        (7, 5) => 40,
        (8, 0) => 108,
        (8, 6) => 84,
        (8, 7) => 16,
        (8, 9) => 128,
        (9, 0) => 132,
        (10, _) => 148,
        (11, 0) => 20,
        (12, 0) => 170,
        _ => 48,
    }
}

#[test]
fn every_suggested_block_size_equals_nvidias_launch_configurator() {
    let mut count = 0;
    for row in rows(LAUNCH_CONFIG) {
        let limits = HardwareLimits::of(row.capability()).unwrap();
        let attributes = KernelAttributes {
            registers: row.count("regs"),
            shared_bytes: row.count("static_smem"),
            local_bytes: 0,
            threads_max: 1024,
            dynamic_shared_bytes_max: row.count("max_dyn"),
        };
        let mut device = Device::host().properties().clone();
        device.capability = Some(row.capability());
        device.multiprocessors = multiprocessors(row.capability());
        device.threads_per_multiprocessor_max = limits.threads;
        device.blocks_per_multiprocessor_max = limits.blocks;
        device.shared_bytes_per_multiprocessor = limits.shared_bytes;
        device.shared_bytes_per_block_optin = limits.shared_bytes_per_block_optin;
        device.shared_bytes_reserved_per_block = limits.shared_bytes_reserved;
        let tuner = KernelTuner::for_device(&device, attributes).unwrap();
        assert_eq!(*tuner.limits(), limits);

        let suggestion = tuner.suggest(|_| row.count("dyn_smem"));
        let actual = suggestion.map_or((0, 0), |found| (found.threads, found.grid_min.unwrap()));
        assert_eq!(actual, (row.count("best_block"), row.count("min_grid")), "{:?}", row.0);
        count += 1;
    }
    assert_eq!(count, 1672);
}

#[test]
fn a_block_counts_against_its_own_registers_in_whole_rows_of_partitions() {
    let mut device = Device::host().properties().clone();
    device.capability = Some(Capability::new(9, 0));
    device.registers_per_block = 32_768;
    let attributes = |registers| KernelAttributes {
        registers,
        shared_bytes: 0,
        local_bytes: 0,
        threads_max: 1024,
        dynamic_shared_bytes_max: 0,
    };
    let blocks = |registers| {
        let tuner = KernelTuner::for_device(&device, attributes(registers)).unwrap();
        tuner.occupancy(13 * 32, 0).blocks
    };
    // 13 warps take the place of 16: 16 x 2048 fit the block's 32,768 registers, 16 x 2304 do not.
    assert_eq!((blocks(64), blocks(72)), (2, 0));
}
