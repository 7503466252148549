//! The steady state allocates nothing: counted on the eager host, which adds no allocation of its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use gpu_core::Device;
use memory_pipeline::{
    Config, Error, MemoryOptimizer, PinnedMemoryPool, PoolConfig, Replay, ReplayConfig,
};

use crate::kernels::Mixer;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread by itself, since tests run side by side.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // The counter of a thread that is ending is gone; nobody asks for it any more.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> usize {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn the_counter_counts() {
    let before = allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(allocations(), before + 1);
}

#[test]
fn acquiring_and_releasing_allocate_nothing() {
    let pool = PinnedMemoryPool::new(&Device::host(), PoolConfig::uniform::<u8>(4, 8)).unwrap();
    let before = allocations();
    for _ in 0..100 {
        let held = [pool.acquire::<u8>(8).unwrap(), pool.acquire::<u8>(8).unwrap()];
        drop(held);
    }
    assert_eq!(allocations(), before);
}

#[test]
fn a_schedule_that_is_sent_off_again_allocates_nothing() {
    let device = Device::host();
    let config = ReplayConfig::new(8, 6);
    let mut replay = Replay::new(&device, Mixer::new(&device), config).unwrap();
    let before = allocations();
    for round in 0..100 {
        replay.inputs_mut().for_each(|input| input.fill(round));
        replay = replay.launch().unwrap().wait().unwrap();
        std::hint::black_box(replay.outputs().map(|output| output[0]).max());
    }
    assert_eq!(allocations(), before);
}

#[test]
fn a_running_pipeline_allocates_nothing() {
    let device = Device::host();
    let mut pipeline = MemoryOptimizer::new(&device, Mixer::new(&device), Config::new(8)).unwrap();
    let before = allocations();
    let mut at_the_end = before;
    let mut left = 1_000;
    let fill = |buffer: &mut [u32]| {
        left -= 1;
        buffer.fill(left);
        Ok::<_, Error>(if left > 0 { buffer.len() } else { 0 })
    };
    let consume = |_, _: &[u64]| {
        at_the_end = allocations();
        Ok(())
    };
    // The report at the end copies its timeline, which is why the count is taken before.
    assert_eq!(pipeline.run(fill, consume).unwrap().batches, 999);
    assert_eq!(at_the_end, before);
}
