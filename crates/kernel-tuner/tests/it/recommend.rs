//! Recommendations, each checked by the calculation that they rest on.

use gpu_core::{Capability, KernelAttributes};
use kernel_tuner::{HardwareLimits, KernelTuner, Limiter, OCCUPANCY_GOAL};

fn kernel(registers: u32, shared_bytes: u32) -> KernelAttributes {
    KernelAttributes {
        registers,
        shared_bytes,
        local_bytes: 0,
        threads_max: 1024,
        dynamic_shared_bytes_max: (48 << 10) - shared_bytes.min(48 << 10),
    }
}

#[test]
fn every_lift_gives_the_blocks_it_promises_and_one_register_more_does_not() {
    let mut lifted = 0;
    for capability in HardwareLimits::capabilities() {
        for (registers, shared) in
            [(32, 0), (40, 4096), (65, 0), (72, 9000), (128, 40_000), (255, 16)]
        {
            let tuner = KernelTuner::for_capability(capability, kernel(registers, shared)).unwrap();
            for size in tuner.block_sizes(|_| 0) {
                let Some(lift) = size.lift else { continue };
                lifted += 1;
                assert!(lift.blocks > size.occupancy.blocks);
                let registers = lift.registers.unwrap_or(registers);
                let shared = lift.shared_bytes.unwrap_or(shared);
                let blocks = |registers, shared| {
                    let tuner = KernelTuner::for_capability(capability, kernel(registers, shared));
                    tuner.unwrap().occupancy(size.threads, 0).blocks
                };
                assert_eq!(blocks(registers, shared), lift.blocks);
                if lift.registers.is_some() {
                    assert_eq!(blocks(registers + 1, shared), size.occupancy.blocks);
                }
                if lift.shared_bytes.is_some() {
                    assert_eq!(blocks(registers, shared + 1), size.occupancy.blocks);
                }
            }
        }
    }
    assert!(lifted > 200, "{lifted} lifts");
}

#[test]
fn recommendations_are_above_the_goal_fullest_first_and_say_what_limits() {
    let tuner = KernelTuner::for_capability(Capability::new(9, 0), kernel(40, 0)).unwrap();
    let recommended = tuner.recommend(|_| 0);
    let percent: Vec<_> = recommended.iter().map(|size| size.occupancy.occupancy).collect();
    assert!(percent.iter().all(|&occupancy| occupancy > OCCUPANCY_GOAL));
    assert!(percent.is_sorted_by(|a, b| a >= b));
    assert!(recommended.len() > 10);
    let all = tuner.block_sizes(|_| 0);
    let left_out = all.iter().filter(|size| !recommended.contains(size));
    assert!(left_out.into_iter().all(|size| size.occupancy.occupancy <= OCCUPANCY_GOAL));
    assert_eq!(
        tuner.recommendation(256, 0).to_string(),
        "256 threads: 75 % (6 blocks, limited by registers); \
         32 registers a thread would lift it to 100 %"
    );
}

#[test]
fn figures_no_kernel_has_fit_nothing_and_do_no_harm() {
    for wild in [kernel(u32::MAX, 0), kernel(32, u32::MAX), kernel(257, 0)] {
        let tuner = KernelTuner::for_capability(Capability::new(9, 0), wild).unwrap();
        for (threads, shared) in [(256, 0), (256, u32::MAX), (u32::MAX, 0), (0, 0)] {
            assert_eq!(tuner.occupancy(threads, shared).blocks, 0);
            let _ = tuner.recommendation(threads, shared);
        }
        assert_eq!(tuner.suggest(|_| 0), None);
    }
}

#[test]
fn what_only_another_block_size_can_lift_has_no_lift() {
    let tuner = KernelTuner::for_capability(Capability::new(9, 0), kernel(16, 0)).unwrap();
    let small = tuner.recommendation(32, 0);
    assert!(small.occupancy.limiters.contains(Limiter::Blocks));
    assert_eq!(small.lift, None);
    assert_eq!(small.to_string(), "32 threads: 50 % (32 blocks, limited by blocks)");
}

#[test]
fn a_block_beyond_the_kernels_own_bound_is_not_suggested() {
    let attributes = KernelAttributes { threads_max: 200, ..kernel(16, 0) };
    let tuner = KernelTuner::for_capability(Capability::new(8, 6), attributes).unwrap();
    assert!(tuner.block_sizes(|_| 0).iter().all(|size| size.threads <= 192));
    assert!(tuner.suggest(|_| 0).unwrap().threads <= 200);
}
