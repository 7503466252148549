//! What a capture refuses, and what it leaves as it was.

use gpu_core::{Device, Error, ErrorKind, Launch, Result, Stream};

use crate::affine::{self, AffineArgs};
use crate::conformance::suite;
use crate::graphs::{LEN, apply, assert_usable, kernel};

suite!([
    what_fails_inside_a_capture_fails_the_capture_and_leaves_the_streams_usable,
    a_call_that_fails_is_not_forgotten_by_going_on,
    a_panic_inside_a_capture_leaves_the_streams_usable,
    a_stream_that_is_not_joined_is_refused,
    waiting_inside_a_capture_is_refused,
    creating_inside_a_capture_is_refused,
    lent_memory_is_refused_inside_a_capture,
    an_event_of_another_time_is_refused_inside_a_capture,
    an_event_of_a_capture_is_no_point_in_time,
    a_capture_inside_a_capture_is_refused,
    another_thread_works_beside_a_capture,
    another_thread_is_refused_where_a_stream_is_captured_and_does_no_harm,
    captures_of_several_threads_take_turns,
]);

fn what_fails_inside_a_capture_fails_the_capture_and_leaves_the_streams_usable(device: &Device) {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let fork = device.event().unwrap();
    let mut buffer = device.buffer::<f64>(LEN).unwrap();
    let own = Error::Length { what: "an answer of mine", expected: 1, actual: 2 };
    let failed = stream.capture(|| {
        stream.record(&fork)?;
        other.wait(&fork)?;
        other.zero(buffer.view_mut())?;
        Err(own.clone())
    });
    assert_eq!(failed.unwrap_err(), own, "and not that the other stream was not joined");
    assert_usable(device, &stream);
    assert_usable(device, &other);
}

fn a_call_that_fails_is_not_forgotten_by_going_on(device: &Device) {
    let stream = device.stream().unwrap();
    let mut buffer = device.buffer::<f64>(LEN).unwrap();
    let failed = stream.capture(|| {
        let _ = stream.synchronize();
        stream.zero(buffer.view_mut()).or(Ok(()))
    });
    assert_eq!(failed.unwrap_err(), Error::Capturing { call: "synchronize" });
    assert_usable(device, &stream);
}

fn a_panic_inside_a_capture_leaves_the_streams_usable(device: &Device) {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let fork = device.event().unwrap();
    let mut buffer = device.buffer::<f64>(LEN).unwrap();
    let work = || {
        stream.record(&fork)?;
        other.wait(&fork)?;
        other.zero(buffer.view_mut())?;
        std::panic::resume_unwind(Box::new("on purpose"))
    };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stream.capture(work)));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert_usable(device, &stream);
    assert_usable(device, &other);
}

fn a_stream_that_is_not_joined_is_refused(device: &Device) {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let fork = device.event().unwrap();
    let mut buffer = device.buffer::<f64>(LEN).unwrap();
    let failed = stream.capture(|| {
        stream.record(&fork)?;
        other.wait(&fork)?;
        other.zero(buffer.view_mut())
    });
    assert_eq!(failed.unwrap_err(), Error::CaptureUnjoined);
    assert_usable(device, &stream);
    assert_usable(device, &other);
}

/// Each of `calls` is refused on the thread that captures, and fails its capture.
fn assert_refused(device: &Device, stream: &Stream, calls: &[&dyn Fn() -> Result<()>]) {
    for (index, call) in calls.iter().enumerate() {
        let mut refusal = None;
        let failed = stream.capture(|| {
            refusal = call().err();
            Ok(())
        });
        let refusal = refusal.unwrap_or_else(|| panic!("call {index} was let through"));
        assert!(matches!(refusal, Error::Capturing { .. }), "call {index}: {refusal}");
        assert_eq!(failed.unwrap_err(), refusal, "call {index}");
    }
    assert_usable(device, stream);
}

fn waiting_inside_a_capture_is_refused(device: &Device) {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let [event, timed] = [device.event().unwrap(), device.timed_event().unwrap()];
    let buffer = std::cell::RefCell::new(device.buffer::<f64>(LEN).unwrap());
    let empty = stream.capture(|| Ok(())).unwrap();
    stream.record(&event).unwrap();
    stream.record(&timed).unwrap();
    let calls: &[&dyn Fn() -> Result<()>] = &[
        &|| stream.synchronize(),
        &|| stream.settle(),
        &|| stream.is_idle().map(|_| ()),
        &|| other.synchronize(),
        &|| other.settle(),
        &|| device.synchronize(),
        &|| event.synchronize(),
        &|| event.is_complete().map(|_| ()),
        &|| timed.elapsed_since(&timed).map(|_| ()),
        &|| stream.write(&[1.0; LEN], buffer.borrow_mut().view_mut()),
        &|| other.write(&[1.0; LEN], buffer.borrow_mut().view_mut()),
        &|| stream.read(buffer.borrow().view(), &mut [0.0; LEN]),
        &|| stream.scope(|_| Ok(())),
        &|| stream.replay(&empty),
        &|| other.replay(&empty),
    ];
    assert_refused(device, &stream, calls);
}

fn creating_inside_a_capture_is_refused(device: &Device) {
    let stream = device.stream().unwrap();
    let calls: &[&dyn Fn() -> Result<()>] = &[
        &|| device.buffer::<f64>(1).map(|_| ()),
        &|| device.pinned::<f64>(1).map(|_| ()),
        &|| device.stream().map(|_| ()),
        &|| device.event().map(|_| ()),
        &|| affine::prepare(device, Launch::linear(1, 32)).map(|_| ()),
        &|| device.memory().map(|_| ()),
    ];
    assert_refused(device, &stream, calls);
}

fn lent_memory_is_refused_inside_a_capture(device: &Device) {
    let stream = device.stream().unwrap();
    let kernel = kernel(device);
    let mut x = device.buffer::<f64>(LEN).unwrap();
    let [source, mut lent] = [(); 2].map(|()| device.pinned::<f64>(LEN).unwrap());
    stream
        .scope(|scope| {
            let mut lent = scope.lend(&mut lent)?;
            let refusals = [
                stream.capture(|| stream.zero(lent.reborrow())).unwrap_err(),
                stream.capture(|| stream.copy(lent.as_shared(), x.view_mut())).unwrap_err(),
                stream.capture(|| scope.upload(&source, x.view_mut())).unwrap_err(),
                stream
                    .capture(|| {
                        let y = lent.reborrow();
                        let args = AffineArgs { x: x.view(), y, factor: 1.0, offset: 0.0 };
                        stream.launch(&kernel, args)
                    })
                    .unwrap_err(),
            ];
            for refusal in refusals {
                assert_eq!(refusal, Error::Capturing { call: "work on lent memory" });
            }
            Ok(())
        })
        .unwrap();
    assert_usable(device, &stream);
}

fn an_event_of_another_time_is_refused_inside_a_capture(device: &Device) {
    let stream = device.stream().unwrap();
    let event = device.event().unwrap();
    stream.record(&event).unwrap();
    let earlier = stream.capture(|| stream.wait(&event)).unwrap_err();
    assert_eq!(earlier, Error::EventForeign);
    let never = device.event().unwrap();
    assert_eq!(stream.capture(|| stream.wait(&never)).unwrap_err(), Error::EventForeign);
    assert_usable(device, &stream);
    stream.capture(|| stream.record(&event)).unwrap();
    let stale = stream.capture(|| stream.wait(&event)).unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Invalid, "{stale}");
    assert_usable(device, &stream);
}

fn an_event_of_a_capture_is_no_point_in_time(device: &Device) {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let event = device.timed_event().unwrap();
    let mut buffer = device.buffer::<f64>(LEN).unwrap();
    let graph = stream
        .capture(|| {
            stream.zero(buffer.view_mut())?;
            stream.record(&event)
        })
        .unwrap();
    stream.replay(&graph).unwrap();
    stream.synchronize().unwrap();
    assert_eq!(event.elapsed_since(&event).unwrap_err(), Error::EventUntimed);
    assert_eq!(event.synchronize().unwrap_err(), Error::EventCaptured);
    assert_eq!(event.is_complete().unwrap_err(), Error::EventCaptured);
    assert_eq!(other.wait(&event).unwrap_err(), Error::EventCaptured);
    stream.record(&event).unwrap();
    other.wait(&event).unwrap();
    event.synchronize().unwrap();
    assert!(event.elapsed_since(&event).unwrap().is_zero());
    assert_usable(device, &other);
}

fn a_capture_inside_a_capture_is_refused(device: &Device) {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let failed = stream.capture(|| other.capture(|| Ok(())).map(|_| ()));
    assert_eq!(failed.unwrap_err(), Error::Capturing { call: "a capture" });
    assert_usable(device, &stream);
    assert_usable(device, &other);
}

fn another_thread_works_beside_a_capture(device: &Device) {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let kernel = kernel(device);
    let [x, mut y] = [(); 2].map(|()| device.buffer(LEN).unwrap());
    let mut z = device.buffer(LEN).unwrap();
    let graph = stream
        .capture(|| {
            let beside = || {
                let mut own = device.buffer::<f64>(LEN)?;
                other.write(&[4.0; LEN], own.view_mut())?;
                apply(&other, &kernel, (&own, &mut z), 2.0)?;
                other.read_vec(z.view())
            };
            let seen = std::thread::scope(|scope| scope.spawn(beside).join());
            assert_eq!(seen.unwrap()?, [9.0; LEN], "it ran at once");
            apply(&stream, &kernel, (&x, &mut y), 1.0)
        })
        .unwrap();
    assert_eq!(graph.nodes(), 1);
    stream.replay(&graph).unwrap();
    assert_eq!(stream.read_vec(y.view()).unwrap(), [1.0; LEN]);
}

fn another_thread_is_refused_where_a_stream_is_captured_and_does_no_harm(device: &Device) {
    let stream = device.stream().unwrap();
    let event = device.event().unwrap();
    let empty = stream.capture(|| Ok(())).unwrap();
    let [mut x, mut y] = [(); 2].map(|()| device.buffer::<f64>(LEN).unwrap());
    let source = device.pinned::<f64>(LEN).unwrap();
    let graph = stream
        .capture(|| {
            stream.record(&event)?;
            let refusals = std::thread::scope(|scope| {
                let elsewhere = scope.spawn(|| {
                    [
                        stream.synchronize(),
                        stream.is_idle().map(|_| ()),
                        event.synchronize(),
                        stream.replay(&empty),
                        stream.scope(|scope| scope.upload(&source, x.view_mut())),
                        stream.write(&[1.0; LEN], x.view_mut()),
                    ]
                });
                elsewhere.join().unwrap()
            });
            let expected = [
                Error::Capturing { call: "synchronize" },
                Error::Capturing { call: "synchronize" },
                Error::EventCaptured,
                Error::Capturing { call: "a replay" },
                Error::Capturing { call: "a scope" },
                Error::Capturing { call: "a blocking copy" },
            ];
            assert_eq!(refusals.map(Result::unwrap_err), expected);
            stream.zero(y.view_mut())
        })
        .unwrap();
    assert_eq!(graph.nodes(), 1, "nothing of the other thread is in it");
    assert_usable(device, &stream);
}

fn captures_of_several_threads_take_turns(device: &Device) {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let stream = device.stream().unwrap();
                for _ in 0..5 {
                    assert_usable(device, &stream);
                    device.synchronize().unwrap();
                }
            });
        }
    });
}

#[test]
fn what_is_dropped_inside_a_capture_waits_for_nothing() {
    let was_busy = |&seed: &u64| {
        let device = Device::host_simulated(seed);
        let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
        let graph = stream.capture(|| Ok(())).unwrap();
        let mut target = device.buffer::<f64>(LEN).unwrap();
        for _ in 0..40 {
            other.zero(target.view_mut()).unwrap();
        }
        let mut is_idle = true;
        stream
            .capture(|| {
                drop(graph);
                drop(target);
                let looked = std::thread::scope(|scope| scope.spawn(|| other.is_idle()).join());
                is_idle = looked.unwrap()?;
                Ok(())
            })
            .unwrap();
        !is_idle
    };
    assert!((0..50).filter(was_busy).count() > 40, "the driver refuses to wait in a capture");
}
