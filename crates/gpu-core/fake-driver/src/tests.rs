//! Deliberately wrong programs, each caught; and right ones that look wrong, none of them blamed.

use crate::code::{
    CAPTURE_INVALIDATED, CAPTURE_ISOLATION, CAPTURE_MERGE, CAPTURE_UNJOINED, CAPTURE_UNMATCHED,
    CAPTURE_UNSUPPORTED, CAPTURED_EVENT, Code, INVALID_HANDLE, INVALID_VALUE,
};
use crate::driver::Driver;
use crate::journal::{Failure, Lasting};
use crate::queue::Queue;
use crate::span::{Home, Span};

const SEEDS: u64 = 50;
const BYTES: usize = 64;
const NON_BLOCKING: u32 = 1;
const UNTIMED: u32 = 2;
const THREAD_LOCAL: u32 = 1;

/// A driver with a current context.
fn driver(seed: u64) -> Driver {
    let mut driver = Driver::new(seed, 1);
    driver.initialise(0).unwrap();
    let context = driver.retain(0).unwrap();
    driver.set_current(context).unwrap();
    driver
}

fn streams<const N: usize>(driver: &mut Driver) -> [u64; N] {
    [(); N].map(|()| driver.create_stream(NON_BLOCKING).unwrap())
}

/// Bytes of page-locked memory, as the program itself reaches them.
fn bytes_at(address: usize) -> Span {
    // SAFETY: the tests use it while the allocation lives.
    unsafe { Span::new(address, BYTES, Home::Locked) }
}

fn is_busy(driver: &Driver) -> bool {
    driver.queues.values().any(Queue::touches_memory)
}

/// Queues `work` in many seeds; freeing by `free` must be blamed exactly when some of it is still queued.
fn early_free_is_blamed(
    work: impl Fn(&mut Driver, u64, u64, usize),
    free: impl Fn(&mut Driver, u64, usize),
) {
    let mut blamed = 0;
    for seed in 0..SEEDS {
        let mut driver = driver(seed);
        let [stream] = streams(&mut driver);
        let device = driver.allocate(BYTES).unwrap();
        let host = driver.allocate_locked(BYTES, 1).unwrap();
        work(&mut driver, stream, device, host);
        let is_early = is_busy(&driver);
        free(&mut driver, device, host);
        assert_eq!(!driver.journal.violations.is_empty(), is_early, "seed {seed}");
        blamed += u32::from(is_early);
    }
    assert!(blamed > 20, "only {blamed} of {SEEDS} seeds");
}

#[test]
fn memory_that_is_freed_while_a_copy_or_a_fill_uses_it_is_blamed() {
    let fill = |driver: &mut Driver, stream, device, _| {
        (0..3).for_each(|_| driver.fill(device, 1, BYTES, stream).unwrap());
    };
    let upload = |driver: &mut Driver, stream, device, host| {
        (0..3).for_each(|_| driver.upload(host, device, BYTES, stream).unwrap());
    };
    early_free_is_blamed(fill, |driver, device, _| driver.free(device).unwrap());
    early_free_is_blamed(upload, |driver, device, _| driver.free(device).unwrap());
    early_free_is_blamed(upload, |driver, _, host| driver.free_locked(host).unwrap());
}

#[test]
fn registered_memory_is_watched_like_allocated_memory() {
    let mut own = vec![0_u8; BYTES];
    let address = own.as_mut_ptr().expose_provenance();
    let mut blamed = 0;
    for seed in 0..SEEDS {
        let mut driver = driver(seed);
        let [stream] = streams(&mut driver);
        let device = driver.allocate(BYTES).unwrap();
        driver.register(address, BYTES, 1).unwrap();
        assert_eq!(driver.register(address + 1, 1, 1), Err(crate::code::ALREADY_REGISTERED));
        driver.download(device, address, BYTES, stream).unwrap();
        let is_early = is_busy(&driver);
        driver.unregister(address).unwrap();
        blamed += u32::from(is_early);
        assert_eq!(driver.journal.violations.len(), usize::from(is_early), "seed {seed}");
        assert_eq!(driver.journal.pageable_copies, 0);
        driver.upload(address, device, BYTES, stream).unwrap();
        assert_eq!(driver.journal.pageable_copies, 1, "it is page-locked no more");
        assert!(driver.unregister(address).is_err());
    }
    assert!(blamed > 20, "only {blamed} of {SEEDS} seeds");
    drop(own);
}

#[test]
fn what_is_not_there_is_blamed_and_refused() {
    let mut driver = driver(0);
    let [stream] = streams(&mut driver);
    let event = driver.create_event(UNTIMED).unwrap();
    let module = driver.load("fake image: affine").unwrap();
    let device = driver.allocate(BYTES).unwrap();
    let host = driver.allocate_locked(BYTES, 1).unwrap();
    for _ in 0..2 {
        let before = driver.journal.violations.len();
        let results = [
            driver.destroy_stream(stream),
            driver.destroy_event(event),
            driver.unload(module),
            driver.free(device),
            driver.free_locked(host),
        ];
        let blamed = driver.journal.violations.len() - before;
        assert_eq!(blamed, results.iter().filter(|result| result.is_err()).count(), "{results:?}");
    }
    assert_eq!(driver.journal.violations.len(), 5, "the second round, each once");
    assert_eq!(driver.record(event, stream), Err(INVALID_HANDLE));
    assert_eq!(driver.release(0), Ok(()));
    assert!(driver.release(0).is_err() && driver.current().is_err());
}

#[test]
fn a_range_that_leaves_its_block_is_blamed_and_refused() {
    let mut driver = driver(0);
    let [stream] = streams(&mut driver);
    let device = driver.allocate(BYTES).unwrap();
    let host = driver.allocate_locked(BYTES, 1).unwrap();
    let beyond = [
        driver.fill(device + 1, 0, BYTES, stream),
        driver.fill(device - 1, 0, 1, stream),
        driver.upload(host + 1, device, BYTES, stream),
        driver.download(device, host + BYTES - 1, 2, stream),
    ];
    assert_eq!(beyond, [Err(INVALID_VALUE); 4]);
    assert_eq!(driver.journal.violations.len(), 4);
    assert_eq!(driver.upload(host + 1, device + 1, BYTES - 1, stream), Ok(()));
}

#[test]
fn a_guard_that_is_written_is_blamed() {
    let mut driver = driver(0);
    let host = driver.allocate_locked(BYTES, 1).unwrap();
    bytes_at(host + BYTES - 8).write(8, 1_u8);
    driver.audit();
    assert_eq!(driver.journal.violations.len(), 1, "{:?}", driver.journal.violations);
}

#[test]
fn the_device_s_own_writes_to_host_memory_break_no_promise() {
    for seed in 0..SEEDS {
        let mut driver = driver(seed);
        let [stream] = streams(&mut driver);
        let device = driver.allocate(BYTES).unwrap();
        let host = driver.allocate_locked(BYTES, 1).unwrap();
        bytes_at(host).fill(3);
        driver.upload(host, device, BYTES, stream).unwrap();
        for value in 4..8 {
            driver.download(device, host, BYTES, stream).unwrap();
            driver.fill(device, value, BYTES, stream).unwrap();
            driver.download(device, host, BYTES, stream).unwrap();
            driver.upload(host, device, BYTES, stream).unwrap();
        }
        driver.synchronize_stream(stream).unwrap();
        assert_eq!(bytes_at(host).read::<u8>(BYTES - 1), 7, "seed {seed}");
        assert_eq!(driver.journal.violations, Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_module_or_a_context_that_goes_before_its_work_is_blamed() {
    let mut blamed = 0;
    for seed in 0..SEEDS {
        let mut driver = driver(seed);
        let [stream] = streams(&mut driver);
        let device = driver.allocate(BYTES).unwrap();
        driver.fill(device, 0, BYTES, stream).unwrap();
        let is_early = is_busy(&driver);
        driver.release(0).unwrap();
        assert_eq!(driver.journal.violations.len(), usize::from(is_early), "seed {seed}");
        blamed += u32::from(is_early);
    }
    assert!(blamed > 20, "only {blamed} of {SEEDS} seeds");
}

#[test]
fn a_sticky_fault_fails_every_call_and_runs_nothing_that_was_queued() {
    let mut driver = driver(5);
    let failure = Failure {
        function: Some("cuEventCreate".into()),
        first: 1,
        lasting: Lasting::Sticky,
        code: Code(719),
        seen: 0,
    };
    driver.journal.failures.push(failure);
    let journal = &mut driver.journal;
    assert_eq!(journal.admit("cuEventCreate"), Ok(()));
    assert_eq!(journal.admit("cuStreamCreate"), Ok(()));
    assert_eq!(journal.admit("cuEventCreate"), Err(Code(719)));
    assert_eq!(journal.admit("cuMemFree_v2"), Err(Code(719)));
    assert_eq!(journal.admit("cuDevicePrimaryCtxRelease_v2"), Ok(()));
}

/// Three streams in a diamond: `first` fills, `second` and `third` follow it, and `first` waits for both unless told otherwise.
fn diamond(driver: &mut Driver, [first, second, third]: [u64; 3], device: u64, waits: [bool; 2]) {
    let [begun, left, right] = [(); 3].map(|()| driver.create_event(UNTIMED).unwrap());
    driver.fill(device, 1, BYTES, first).unwrap();
    driver.record(begun, first).unwrap();
    for (stream, event, place) in [(second, left, 0), (third, right, 1)] {
        driver.wait(stream, begun, 0).unwrap();
        driver.fill(device + place * 8, 2, 8, stream).unwrap();
        driver.record(event, stream).unwrap();
    }
    for (event, is_waited_for) in [(left, waits[0]), (right, waits[1])] {
        if is_waited_for {
            driver.wait(first, event, 0).unwrap();
        }
    }
    driver.fill(device + 16, 3, 8, first).unwrap();
}

#[test]
fn a_captured_diamond_runs_in_an_order_that_its_edges_allow() {
    for seed in 0..SEEDS {
        let mut driver = driver(seed);
        let all = streams(&mut driver);
        let device = driver.allocate(BYTES).unwrap();
        let host = driver.allocate_locked(BYTES, 1).unwrap();
        driver.begin_capture(all[0], THREAD_LOCAL).unwrap();
        diamond(&mut driver, all, device, [true; 2]);
        driver.download(device, host, BYTES, all[0]).unwrap();
        let graph = driver.end_capture(all[0]).unwrap();
        assert_eq!(driver.node_count(graph), Ok(5));
        let exec = driver.instantiate(graph).unwrap();
        driver.destroy_graph(graph).unwrap();
        // Two launches in two streams: the second waits for the first.
        driver.launch_graph(exec, all[1]).unwrap();
        driver.launch_graph(exec, all[2]).unwrap();
        driver.destroy_exec(exec).unwrap();
        driver.synchronize_context().unwrap();
        let expected = [0x0202_0202_0202_0202, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303_u64];
        assert_eq!([0, 1, 2].map(|word| bytes_at(host).read::<u64>(word)), expected);
        assert_eq!(driver.journal.violations, Vec::<String>::new(), "seed {seed}");
        assert!(driver.execs.is_empty());
    }
}

#[test]
fn a_capture_that_is_not_joined_makes_no_graph() {
    for waits in [[false, true], [true, false], [false, false]] {
        let mut driver = driver(0);
        let all = streams(&mut driver);
        let device = driver.allocate(BYTES).unwrap();
        driver.begin_capture(all[0], THREAD_LOCAL).unwrap();
        diamond(&mut driver, all, device, waits);
        assert_eq!(driver.end_capture(all[0]), Err(CAPTURE_UNJOINED), "{waits:?}");
        assert_eq!(driver.capture_status(all[1]), Ok(0), "the streams are free again");
        driver.fill(device, 0, BYTES, all[1]).unwrap();
        driver.synchronize_stream(all[1]).unwrap();
    }
}

#[test]
fn what_a_capture_forbids_is_refused_and_ends_it() {
    type Forbidden = fn(&mut Driver, [u64; 2]) -> Result<(), Code>;
    let forbidden: [(Forbidden, Code); 7] = [
        (|driver, _| driver.allocate(1).map(|_| ()), CAPTURE_UNSUPPORTED),
        (|driver, _| driver.allocate_locked(1, 1).map(|_| ()), CAPTURE_UNSUPPORTED),
        (|driver, _| driver.synchronize_context(), CAPTURE_UNSUPPORTED),
        (|driver, [captured, _]| driver.synchronize_stream(captured), CAPTURE_UNSUPPORTED),
        (|driver, [captured, _]| driver.query_stream(captured), CAPTURE_UNSUPPORTED),
        (
            |driver, [captured, _]| {
                let event = driver.create_event(UNTIMED)?;
                driver.record(event, captured)?;
                driver.synchronize_event(event)
            },
            CAPTURED_EVENT,
        ),
        (
            |driver, [captured, other]| {
                let event = driver.create_event(UNTIMED)?;
                driver.record(event, other)?;
                driver.wait(captured, event, 0)
            },
            CAPTURE_ISOLATION,
        ),
    ];
    for (call, code) in forbidden {
        let mut driver = driver(0);
        let [captured, other] = streams(&mut driver);
        let device = driver.allocate(BYTES).unwrap();
        driver.begin_capture(captured, THREAD_LOCAL).unwrap();
        assert_eq!(call(&mut driver, [captured, other]), Err(code));
        assert_eq!(driver.capture_status(captured), Ok(2));
        assert_eq!(driver.fill(device, 0, BYTES, captured), Err(CAPTURE_INVALIDATED));
        assert_eq!(driver.end_capture(captured), Err(CAPTURE_INVALIDATED));
        assert_eq!(driver.fill(device, 0, BYTES, captured), Ok(()));
    }
}

#[test]
fn two_captures_do_not_merge_and_end_where_they_began() {
    let mut driver = driver(0);
    let [first, second, third] = streams(&mut driver);
    let event = driver.create_event(UNTIMED).unwrap();
    driver.begin_capture(first, THREAD_LOCAL).unwrap();
    driver.record(event, first).unwrap();
    driver.wait(third, event, 0).unwrap();
    assert_eq!(driver.end_capture(third), Err(CAPTURE_UNMATCHED));
    driver.begin_capture(second, THREAD_LOCAL).unwrap();
    assert_eq!(driver.wait(second, event, 0), Err(CAPTURE_MERGE));
}

#[test]
fn a_graph_whose_memory_or_module_is_gone_is_blamed_when_it_is_launched() {
    let mut driver = driver(0);
    let [stream] = streams(&mut driver);
    let device = driver.allocate(BYTES).unwrap();
    driver.begin_capture(stream, THREAD_LOCAL).unwrap();
    driver.fill(device, 0, BYTES, stream).unwrap();
    let graph = driver.end_capture(stream).unwrap();
    let exec = driver.instantiate(graph).unwrap();
    driver.free(device).unwrap();
    assert_eq!(driver.journal.violations, Vec::<String>::new(), "not yet");
    driver.launch_graph(exec, stream).unwrap();
    assert_eq!(driver.journal.violations.len(), 1);
}

#[test]
fn virtual_time_lets_both_directions_overlap_and_one_direction_not() {
    const COPIES: u64 = 10;
    let bytes = 55_000; // a microsecond of the link, and one to begin
    let mut driver = driver(0);
    let [up, down, last] = streams(&mut driver);
    let [start, one_way, both] = [(); 3].map(|()| driver.create_event(0).unwrap());
    let device = driver.allocate(2 * bytes).unwrap();
    let host = driver.allocate_locked(2 * bytes, 1).unwrap();
    driver.record(start, last).unwrap();
    assert_eq!(driver.elapsed_ms(both, both), Err(INVALID_HANDLE));
    for _ in 0..COPIES {
        driver.upload(host, device, bytes, up).unwrap();
    }
    driver.record(one_way, up).unwrap();
    for _ in 0..COPIES {
        driver.download(device + bytes as u64, host + bytes, bytes, down).unwrap();
    }
    driver.synchronize_context().unwrap();
    driver.record(both, last).unwrap();
    driver.synchronize_event(both).unwrap();
    let up_ms = driver.elapsed_ms(start, one_way).unwrap();
    let both_ms = driver.elapsed_ms(start, both).unwrap();
    assert!((0.020..0.030).contains(&up_ms), "{up_ms}");
    assert!((up_ms..0.030).contains(&both_ms), "{both_ms}");
}
