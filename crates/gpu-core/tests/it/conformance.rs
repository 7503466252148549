//! What every backend must do: one suite, mounted once for each.

use gpu_core::{Device, Error, ErrorKind, Launch, Result};

use crate::affine::{self, AffineArgs};

/// Mounts the suite on the device that `$device` makes; a missing GPU is said, and fails under `GPU_REQUIRED=1`.
macro_rules! suite {
    ($backend:ident, $device:expr, [$($name:ident),* $(,)?]) => {
        mod $backend {
            $(#[test]
            fn $name() {
                if let Some(device) = $device {
                    super::$name(&device);
                }
            })*
        }
    };
    (fake_driver, [$($name:ident),* $(,)?]) => {
        mod fake_driver {
            $(#[test]
            fn $name() {
                crate::driver::on_every_seed(|device| super::$name(device));
            })*
        }
    };
    ($names:tt) => {
        suite!(fake_driver, $names);
        suite!(host, Some(gpu_core::Device::host()), $names);
        suite!(host_simulated, Some(gpu_core::Device::host_simulated(7)), $names);
        suite!(cuda, crate::conformance::cuda_or_say_why(), $names);
    };
}
pub(crate) use suite;

suite!([
    what_is_written_is_read_back,
    fresh_memory_is_zero,
    empty_buffers_are_fine,
    views_select_the_elements_they_name,
    copies_and_zeroes_stay_on_the_device,
    a_kernel_computes_what_its_reference_says,
    a_waiting_stream_sees_what_it_waited_for,
    a_scope_returns_when_its_copies_are_done,
    a_scope_that_fails_leaves_nothing_in_flight,
    a_kernel_writes_page_locked_memory_that_a_scope_lends,
    lent_memory_is_refused_by_other_streams,
    an_event_can_be_recorded_again,
    looking_again_and_again_comes_to_an_end,
    timed_events_measure_and_plain_ones_refuse,
    lengths_that_differ_are_refused,
    launches_beyond_the_contract_are_refused,
    what_belongs_to_another_device_is_refused,
    memory_that_is_not_there_is_refused,
    buffers_may_be_dropped_while_work_is_queued,
]);

pub(crate) fn cuda_or_say_why() -> Option<Device> {
    match Device::cuda(0) {
        Ok(device) => Some(device),
        Err(error) => {
            let is_required = std::env::var("GPU_REQUIRED").is_ok_and(|value| value == "1");
            assert!(!is_required, "GPU_REQUIRED=1, but {error}");
            println!("not run on a GPU: {error}");
            None
        }
    }
}

fn ramp(len: usize) -> Vec<f64> {
    (0..u32::try_from(len).unwrap()).map(|index| f64::from(index) + 0.5).collect()
}

fn what_is_written_is_read_back(device: &Device) {
    let stream = device.stream().unwrap();
    for len in [1, 31, 1000, 65_537] {
        let mut buffer = device.buffer::<f64>(len).unwrap();
        stream.write(&ramp(len), buffer.view_mut()).unwrap();
        assert_eq!(stream.read_vec(buffer.view()).unwrap(), ramp(len));
    }
}

fn fresh_memory_is_zero(device: &Device) {
    let stream = device.stream().unwrap();
    let buffer = device.buffer::<u32>(4097).unwrap();
    assert!(stream.read_vec(buffer.view()).unwrap().iter().all(|&word| word == 0));
    assert!(device.pinned::<u8>(4097).unwrap().iter().all(|&byte| byte == 0));
}

fn empty_buffers_are_fine(device: &Device) {
    let stream = device.stream().unwrap();
    let mut buffer = device.buffer::<f32>(0).unwrap();
    stream.write(&[], buffer.view_mut()).unwrap();
    stream.zero(buffer.view_mut()).unwrap();
    assert!(buffer.is_empty() && stream.read_vec(buffer.view()).unwrap().is_empty());
    assert!(device.pinned::<f32>(0).unwrap().is_empty());
}

fn views_select_the_elements_they_name(device: &Device) {
    let stream = device.stream().unwrap();
    let mut buffer = device.buffer::<f64>(10).unwrap();
    let (head, tail) = buffer.view_mut().split_at(4).unwrap();
    stream.write(&[1.0; 4], head).unwrap();
    stream.write(&[2.0; 6], tail).unwrap();
    stream.write(&[3.0; 2], buffer.view_mut().range(3..5).unwrap()).unwrap();
    let middle = buffer.view().range(2..6).unwrap();
    assert_eq!(stream.read_vec(middle).unwrap(), [1.0, 3.0, 3.0, 2.0]);
    let beyond = buffer.view().range(8..11).unwrap_err();
    assert_eq!(beyond, Error::Length { what: "the view", expected: 11, actual: 10 });
}

fn copies_and_zeroes_stay_on_the_device(device: &Device) {
    let stream = device.stream().unwrap();
    let mut from = device.buffer::<f64>(100).unwrap();
    let mut to = device.buffer::<f64>(100).unwrap();
    stream.write(&ramp(100), from.view_mut()).unwrap();
    stream.copy(from.view(), to.view_mut()).unwrap();
    stream.zero(to.view_mut().range(0..50).unwrap()).unwrap();
    let result = stream.read_vec(to.view()).unwrap();
    assert!(result[..50].iter().all(|&x| x.to_bits() == 0));
    assert_eq!(result[50..], ramp(100)[50..]);
}

fn a_kernel_computes_what_its_reference_says(device: &Device) {
    let stream = device.stream().unwrap();
    for len in [1, 100, 5000] {
        let prepared = affine::prepare(device, affine::launch(len, 128)).unwrap();
        let mut x = device.buffer(len).unwrap();
        let mut y = device.buffer(len).unwrap();
        stream.write(&ramp(len), x.view_mut()).unwrap();
        stream.write(&vec![f64::NAN; len], y.view_mut()).unwrap();
        let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 3.0, offset: -0.1 };
        stream.launch(&prepared, args).unwrap();
        let expected: Vec<_> = ramp(len).iter().map(|x| x.mul_add(3.0, -0.1)).collect();
        assert_eq!(stream.read_vec(y.view()).unwrap(), expected);
    }
}

fn a_waiting_stream_sees_what_it_waited_for(device: &Device) {
    let (first, second) = (device.stream().unwrap(), device.stream().unwrap());
    let event = device.event().unwrap();
    let prepared = affine::prepare(device, affine::launch(1000, 64)).unwrap();
    let mut a = device.buffer(1000).unwrap();
    let mut b = device.buffer(1000).unwrap();
    for round in 1..20 {
        let factor = f64::from(round);
        first.write(&ramp(1000), a.view_mut()).unwrap();
        let args = AffineArgs { x: a.view(), y: b.view_mut(), factor, offset: 0.0 };
        first.launch(&prepared, args).unwrap();
        first.record(&event).unwrap();
        second.wait(&event).unwrap();
        let args = AffineArgs { x: b.view(), y: a.view_mut(), factor: 2.0, offset: 1.0 };
        second.launch(&prepared, args).unwrap();
        let expected: Vec<_> = ramp(1000).iter().map(|x| x * factor * 2.0 + 1.0).collect();
        assert_eq!(second.read_vec(a.view()).unwrap(), expected);
    }
}

fn a_scope_returns_when_its_copies_are_done(device: &Device) {
    let stream = device.stream().unwrap();
    let prepared = affine::prepare(device, affine::launch(512, 64)).unwrap();
    let mut input = device.pinned::<f64>(512).unwrap();
    let mut output = device.pinned::<f64>(512).unwrap();
    let mut x = device.buffer(512).unwrap();
    let mut y = device.buffer(512).unwrap();
    for round in 0..10 {
        input.copy_from_slice(&vec![f64::from(round); 512]);
        stream
            .scope(|scope| {
                scope.upload(&input, x.view_mut())?;
                let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 2.0, offset: 0.5 };
                scope.stream().launch(&prepared, args)?;
                scope.download(y.view(), &mut output)
            })
            .unwrap();
        assert!(output.iter().all(|&value| value == 2.0 * f64::from(round) + 0.5));
    }
}

fn a_scope_that_fails_leaves_nothing_in_flight(device: &Device) {
    let stream = device.stream().unwrap();
    let mut input = device.pinned::<f64>(64).unwrap();
    let mut x = device.buffer(64).unwrap();
    let mut wrong = device.buffer::<f64>(63).unwrap();
    input.fill(4.0);
    let failed: Result<()> = stream.scope(|scope| {
        scope.upload(&input, x.view_mut())?;
        scope.upload(&input, wrong.view_mut())
    });
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Invalid);
    input.fill(5.0);
    assert_eq!(stream.read_vec(x.view()).unwrap(), [4.0; 64]);
}

fn a_kernel_writes_page_locked_memory_that_a_scope_lends(device: &Device) {
    let stream = device.stream().unwrap();
    let prepared = affine::prepare(device, affine::launch(1000, 128)).unwrap();
    let mut x = device.buffer(1000).unwrap();
    let mut output = device.pinned::<f64>(1000).unwrap();
    stream.write(&ramp(1000), x.view_mut()).unwrap();
    for round in 1..10 {
        let factor = f64::from(round);
        stream
            .scope(|scope| {
                let y = scope.lend(&mut output)?;
                scope.stream().launch(&prepared, AffineArgs { x: x.view(), y, factor, offset: 0.0 })
            })
            .unwrap();
        let expected: Vec<_> = ramp(1000).iter().map(|x| x * factor).collect();
        assert_eq!(&output[..], expected);
    }
}

fn lent_memory_is_refused_by_other_streams(device: &Device) {
    let (stream, other) = (device.stream().unwrap(), device.stream().unwrap());
    let prepared = affine::prepare(device, Launch::linear(1, 32)).unwrap();
    let x = device.buffer(4).unwrap();
    let mut output = device.pinned::<f64>(4).unwrap();
    let is_refused = |result: Result<()>| {
        let error = result.unwrap_err();
        error.kind() == ErrorKind::Invalid && error.to_string().contains("scope of another stream")
    };
    stream
        .scope(|scope| {
            let mut lent = scope.lend(&mut output)?;
            assert!(is_refused(other.zero(lent.reborrow())));
            assert!(is_refused(other.read(lent.as_shared(), &mut [0.0; 4])));
            let (head, _) = lent.split_at(4)?;
            let args = AffineArgs { x: x.view(), y: head, factor: 1.0, offset: 0.0 };
            assert!(is_refused(other.launch(&prepared, args)));
            Ok(())
        })
        .unwrap();
    let mut foreign = Device::host().pinned::<f64>(4).unwrap();
    let refused = stream.scope(|scope| scope.lend(&mut foreign).map(|_| ())).unwrap_err();
    assert_eq!(refused, Error::OtherDevice { what: "the page-locked buffer" });
}

fn an_event_can_be_recorded_again(device: &Device) {
    let stream = device.stream().unwrap();
    let event = device.event().unwrap();
    assert!(event.is_complete().unwrap(), "an event that was never recorded has been passed");
    for _ in 0..3 {
        stream.record(&event).unwrap();
        event.synchronize().unwrap();
        assert!(event.is_complete().unwrap());
    }
    device.synchronize().unwrap();
    assert!(stream.is_idle().unwrap());
}

fn looking_again_and_again_comes_to_an_end(device: &Device) {
    let stream = device.stream().unwrap();
    let event = device.event().unwrap();
    let mut buffer = device.buffer::<f64>(1000).unwrap();
    for _ in 0..20 {
        stream.zero(buffer.view_mut()).unwrap();
    }
    stream.record(&event).unwrap();
    while !event.is_complete().unwrap() {}
    while !stream.is_idle().unwrap() {}
}

fn timed_events_measure_and_plain_ones_refuse(device: &Device) {
    let stream = device.stream().unwrap();
    let (start, end) = (device.timed_event().unwrap(), device.timed_event().unwrap());
    assert_eq!(end.elapsed_since(&start).unwrap_err(), Error::EventUntimed);
    let mut buffer = device.buffer::<f64>(1 << 16).unwrap();
    stream.record(&start).unwrap();
    stream.zero(buffer.view_mut()).unwrap();
    stream.record(&end).unwrap();
    end.synchronize().unwrap();
    assert!(end.elapsed_since(&start).unwrap().as_secs() < 60);
    let plain = device.event().unwrap();
    stream.record(&plain).unwrap();
    plain.synchronize().unwrap();
    assert_eq!(plain.elapsed_since(&start).unwrap_err(), Error::EventUntimed);
}

fn lengths_that_differ_are_refused(device: &Device) {
    let stream = device.stream().unwrap();
    let mut buffer = device.buffer::<f64>(8).unwrap();
    let error = stream.write(&[1.0; 9], buffer.view_mut()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the source of the upload has 9 elements, 8 are needed",
        "the error names both lengths"
    );
    let error = stream.read(buffer.view(), &mut [0.0; 7]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let mut other = device.buffer::<f64>(7).unwrap();
    assert!(stream.copy(buffer.view(), other.view_mut()).is_err());
    let prepared = affine::prepare(device, Launch::linear(1, 32)).unwrap();
    let args = AffineArgs { x: buffer.view(), y: other.view_mut(), factor: 1.0, offset: 0.0 };
    let error = stream.launch(&prepared, args).unwrap_err();
    assert_eq!(error, Error::Length { what: "y", expected: 8, actual: 7 });
}

fn launches_beyond_the_contract_are_refused(device: &Device) {
    let refused = |launch| affine::prepare(device, launch).unwrap_err().to_string();
    assert_eq!(
        refused(Launch::linear(1, 2048)),
        "kernel `affine` rejects 2048 threads per block (accepts multiples of 32 in 32..=1024)"
    );
    assert!(refused(Launch::linear(1, 33)).contains("multiples of 32"));
    assert!(refused(Launch::linear(1, 0)).contains("rejects 0 threads"));
    assert!(refused(Launch::linear(0, 32)).contains("rejects the grid [0, 1, 1]"));
    let greedy = Launch::linear(1, 32).with_shared_bytes(1 << 24);
    assert!(refused(greedy).contains("asks for 16777216 bytes of shared memory"));
    let tall = Launch { grid: [1; 3], block: [1, 1, 128], shared_bytes: 0 };
    assert!(refused(tall).contains("rejects 128 threads"), "each side of a block has a limit");
}

fn what_belongs_to_another_device_is_refused(device: &Device) {
    let other = Device::host();
    let stream = device.stream().unwrap();
    let mut foreign = other.buffer::<f64>(4).unwrap();
    let mut own = device.buffer::<f64>(4).unwrap();
    let belongs =
        |error: Error| error.to_string().ends_with("belongs to another device than the stream");
    assert!(belongs(stream.write(&[0.0; 4], foreign.view_mut()).unwrap_err()));
    assert!(belongs(stream.read_vec(foreign.view()).unwrap_err()));
    assert!(belongs(stream.copy(foreign.view(), own.view_mut()).unwrap_err()));
    assert!(belongs(stream.copy(own.view(), foreign.view_mut()).unwrap_err()));
    assert!(belongs(stream.zero(foreign.view_mut()).unwrap_err()));
    assert!(belongs(stream.record(&other.event().unwrap()).unwrap_err()));
    assert!(belongs(stream.wait(&other.event().unwrap()).unwrap_err()));
    let events = (device.timed_event().unwrap(), other.timed_event().unwrap());
    let error = events.0.elapsed_since(&events.1).unwrap_err();
    assert_eq!(error, Error::OtherDevice { what: "the earlier event" });
    let prepared = affine::prepare(device, Launch::linear(1, 32)).unwrap();
    let args = AffineArgs { x: foreign.view(), y: own.view_mut(), factor: 1.0, offset: 0.0 };
    assert!(belongs(stream.launch(&prepared, args).unwrap_err()));
    let args = AffineArgs { x: own.view(), y: foreign.view_mut(), factor: 1.0, offset: 0.0 };
    assert!(belongs(stream.launch(&prepared, args).unwrap_err()));
    let prepared = affine::prepare(&other, Launch::linear(1, 32)).unwrap();
    let mut target = device.buffer::<f64>(4).unwrap();
    let args = AffineArgs { x: own.view(), y: target.view_mut(), factor: 1.0, offset: 0.0 };
    assert!(belongs(stream.launch(&prepared, args).unwrap_err()));
}

fn memory_that_is_not_there_is_refused(device: &Device) {
    let error = device.buffer::<f64>(1 << 50).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    let error = device.buffer::<f64>(usize::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    assert!(device.memory().unwrap().total_bytes > 0);
    assert!(device.stream().is_ok(), "the device is usable after a refusal");
}

fn buffers_may_be_dropped_while_work_is_queued(device: &Device) {
    let prepared = affine::prepare(device, affine::launch(4096, 128)).unwrap();
    for _ in 0..20 {
        let stream = device.stream().unwrap();
        let x = device.buffer(4096).unwrap();
        let mut y = device.buffer(4096).unwrap();
        for _ in 0..5 {
            let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 2.0, offset: 1.0 };
            stream.launch(&prepared, args).unwrap();
        }
        drop(x);
        drop(stream);
        drop(y);
    }
    device.synchronize().unwrap();
}
