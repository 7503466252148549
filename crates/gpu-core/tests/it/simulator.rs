//! The simulated host: a missing wait shows, a seed replays, and enough waits make every order equal.

use gpu_core::{Device, Launch};

use crate::affine::{self, AffineArgs};

/// Whether the two streams of [`ping_pong`] wait for each other.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Waits {
    All,
    NoneAtAll,
}

/// Two streams that add and double in turn, and what comes out.
pub(crate) fn ping_pong(device: &Device, waits: Waits) -> Vec<f64> {
    let streams = [device.stream().unwrap(), device.stream().unwrap()];
    let events = [device.event().unwrap(), device.event().unwrap()];
    let prepared = affine::prepare(device, Launch::linear(1, 32)).unwrap();
    let mut a = device.buffer(16).unwrap();
    let mut b = device.buffer(16).unwrap();
    for round in 0..6 {
        let (this, other) = (round % 2, (round + 1) % 2);
        if waits == Waits::All {
            streams[this].wait(&events[other]).unwrap();
        }
        let (x, y) = if this == 0 { (&a, &mut b) } else { (&b, &mut a) };
        let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 2.0, offset: 1.0 };
        streams[this].launch(&prepared, args).unwrap();
        streams[this].record(&events[this]).unwrap();
    }
    device.synchronize().unwrap();
    streams[0].read_vec(a.view()).unwrap()
}

#[test]
fn every_seed_gives_the_eager_result_when_streams_wait() {
    let expected = ping_pong(&Device::host(), Waits::All);
    assert_eq!(expected, [63.0; 16], "six times 2x + 1 from 0");
    for seed in 0..200 {
        assert_eq!(ping_pong(&Device::host_simulated(seed), Waits::All), expected, "seed {seed}");
    }
}

#[test]
fn a_missing_wait_shows_as_a_wrong_answer() {
    let expected = ping_pong(&Device::host(), Waits::All);
    let wrong = (0..200)
        .filter(|&seed| ping_pong(&Device::host_simulated(seed), Waits::NoneAtAll) != expected)
        .count();
    assert!(wrong > 100, "only {wrong} of 200 seeds show it");
}

#[test]
fn a_seed_replays_its_order() {
    for seed in 0..50 {
        let first = ping_pong(&Device::host_simulated(seed), Waits::NoneAtAll);
        assert_eq!(
            ping_pong(&Device::host_simulated(seed), Waits::NoneAtAll),
            first,
            "seed {seed}"
        );
    }
}

#[test]
fn a_copy_reads_its_source_late() {
    let late = (0..50).filter(|&seed| {
        let device = Device::host_simulated(seed);
        let stream = device.stream().unwrap();
        let mut input = device.pinned::<f64>(4).unwrap();
        let mut buffer = device.buffer::<f64>(4).unwrap();
        // SAFETY: `input` lives to the end of this closure, and the stream is read to its end before that.
        unsafe { stream.upload(&input, buffer.view_mut()) }.unwrap();
        input.fill(9.0);
        stream.read_vec(buffer.view()).unwrap() == [9.0; 4]
    });
    assert!(late.count() > 10, "writing to a buffer in flight must show");
}

#[test]
fn streams_that_come_and_go_do_not_pile_up_or_lose_work() {
    let device = Device::host_simulated(3);
    let mut buffer = device.buffer::<f64>(1000).unwrap();
    let mut input = device.pinned::<f64>(1).unwrap();
    input.fill(1.5);
    for index in 0..1000 {
        let stream = device.stream().unwrap();
        let place = buffer.view_mut().range(index..index + 1).unwrap();
        // SAFETY: `input` is not written again, and the device is synchronised below.
        unsafe { stream.upload(&input, place) }.unwrap();
    }
    device.synchronize().unwrap();
    let all = device.stream().unwrap().read_vec(buffer.view()).unwrap();
    assert_eq!(all, vec![1.5; 1000]);
}

#[test]
fn a_wait_is_for_the_record_that_it_saw_and_not_for_any_other() {
    for seed in 0..200 {
        let device = Device::host_simulated(seed);
        let [first, second, waiting] = [(); 3].map(|()| device.stream().unwrap());
        let event = device.event().unwrap();
        let prepared = affine::prepare(&device, Launch::linear(1, 32)).unwrap();
        let (mut a, mut b) = (device.buffer(16).unwrap(), device.buffer(16).unwrap());
        let zero = device.buffer(16).unwrap();
        let args = AffineArgs { x: zero.view(), y: a.view_mut(), factor: 0.0, offset: 5.0 };
        first.launch(&prepared, args).unwrap();
        first.record(&event).unwrap();
        waiting.wait(&event).unwrap();
        second.record(&event).unwrap();
        let args = AffineArgs { x: a.view(), y: b.view_mut(), factor: 1.0, offset: 0.0 };
        waiting.launch(&prepared, args).unwrap();
        assert_eq!(waiting.read_vec(b.view()).unwrap(), [5.0; 16], "seed {seed}");
    }
}

#[test]
fn a_page_locked_buffer_is_freed_after_what_reads_it() {
    for seed in 0..50 {
        let device = Device::host_simulated(seed);
        let stream = device.stream().unwrap();
        let input = device.pinned::<f64>(1).unwrap();
        let mut buffer = device.buffer::<f64>(1).unwrap();
        for _ in 0..40 {
            // SAFETY: dropping `input` waits for the device, which is what is tested.
            unsafe { stream.upload(&input, buffer.view_mut()) }.unwrap();
        }
        drop(input);
        assert!(stream.is_idle().unwrap(), "seed {seed}");
    }
}
