//! Graphs: captured once and replayed, on every backend, and what outlives them.

use gpu_core::{
    Device, DeviceBuffer, Error, ErrorKind, Event, FaultPlan, Graph, Operation, PinnedBuffer,
    Prepared, Result, Stream,
};

use crate::affine::{self, Affine, AffineArgs};
use crate::conformance::suite;

suite!([
    a_replay_does_what_was_captured_and_the_capture_nothing,
    a_graph_of_three_streams_gives_the_eager_result_every_time,
    an_empty_graph_can_be_replayed,
    a_graph_can_be_replayed_on_another_stream_and_by_another_thread,
    what_is_dropped_while_a_graph_lives_is_there_for_its_replays,
    a_graph_of_another_device_is_refused,
]);

pub(crate) const LEN: usize = 256;

fn fill(stream: &Stream, buffer: &mut DeviceBuffer<f64>, value: f64) {
    stream.write(&[value; LEN], buffer.view_mut()).unwrap();
}

pub(crate) fn kernel(device: &Device) -> Prepared<Affine> {
    affine::prepare(device, affine::launch(LEN, 64)).unwrap()
}

/// Queues `y = factor * x + 1`.
pub(crate) fn apply(
    stream: &Stream,
    kernel: &Prepared<Affine>,
    (x, y): (&DeviceBuffer<f64>, &mut DeviceBuffer<f64>),
    factor: f64,
) -> Result<()> {
    stream.launch(kernel, AffineArgs { x: x.view(), y: y.view_mut(), factor, offset: 1.0 })
}

/// The device works as if nothing had been captured, and can capture.
pub(crate) fn assert_usable(device: &Device, stream: &Stream) {
    let mut buffer = device.buffer(LEN).unwrap();
    fill(stream, &mut buffer, 3.0);
    let graph = stream.capture(|| stream.zero(buffer.view_mut())).unwrap();
    assert_eq!(stream.read_vec(buffer.view()).unwrap(), [3.0; LEN]);
    stream.replay(&graph).unwrap();
    assert_eq!(stream.read_vec(buffer.view()).unwrap(), [0.0; LEN]);
    assert!(device.lost().is_none());
}

fn a_replay_does_what_was_captured_and_the_capture_nothing(device: &Device) {
    let stream = device.stream().unwrap();
    let kernel = kernel(device);
    let [mut x, mut y] = [(); 2].map(|()| device.buffer(LEN).unwrap());
    fill(&stream, &mut x, 2.0);
    fill(&stream, &mut y, -5.0);
    let graph = stream
        .capture(|| {
            apply(&stream, &kernel, (&x, &mut y), 3.0)?;
            stream.copy(y.view(), x.view_mut())
        })
        .unwrap();
    assert_eq!(graph.nodes(), 2);
    assert_eq!(stream.read_vec(y.view()).unwrap(), [-5.0; LEN]);
    let mut expected = 2.0;
    for _ in 0..5 {
        stream.replay(&graph).unwrap();
        expected = 3.0 * expected + 1.0;
        assert_eq!(stream.read_vec(x.view()).unwrap(), [expected; LEN]);
    }
}

/// Two slots on three streams: one uploads, one computes, one downloads, and each waits for the others as it must.
struct Ring<'a> {
    streams: [&'a Stream; 3],
    events: [[Event; 3]; 2],
    kernel: Prepared<Affine>,
    input: [PinnedBuffer<f64>; 2],
    device_side: [[DeviceBuffer<f64>; 2]; 2],
    output: [PinnedBuffer<f64>; 2],
}

impl<'a> Ring<'a> {
    fn new(device: &Device, streams: [&'a Stream; 3]) -> Self {
        let pinned = || [(); 2].map(|()| device.pinned(LEN).unwrap());
        Self {
            streams,
            events: [(); 2].map(|()| [(); 3].map(|()| device.event().unwrap())),
            kernel: kernel(device),
            input: pinned(),
            device_side: [(); 2].map(|()| [(); 2].map(|()| device.buffer(LEN).unwrap())),
            output: pinned(),
        }
    }

    /// Two rounds over both slots; `waits` says which of the five kinds of wait are made.
    fn queue(&mut self, waits: [bool; 5]) -> Result<()> {
        let [upload, compute, download] = self.streams;
        // The other streams follow the first from here, and the first follows them at the end.
        let start = &self.events[0][0];
        upload.record(start)?;
        compute.wait(start)?;
        download.wait(start)?;
        for round in 0..2 {
            for slot in 0..2 {
                let [uploaded, computed, downloaded] = &self.events[slot];
                let [x, y] = &mut self.device_side[slot];
                if round > 0 && waits[0] {
                    upload.wait(computed)?;
                }
                // SAFETY: the ring outlives the graph, and is touched between replays that were waited for.
                unsafe { upload.upload_for_replays(&self.input[slot], x.view_mut()) }?;
                upload.record(uploaded)?;
                if waits[1] {
                    compute.wait(uploaded)?;
                }
                if round > 0 && waits[2] {
                    compute.wait(downloaded)?;
                }
                let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 2.0, offset: 1.0 };
                compute.launch(&self.kernel, args)?;
                compute.copy(y.view(), x.view_mut())?;
                compute.record(computed)?;
                if waits[3] {
                    download.wait(computed)?;
                }
                // SAFETY: as above.
                unsafe { download.download_for_replays(y.view(), &mut self.output[slot]) }?;
                download.record(downloaded)?;
            }
        }
        for [_, computed, downloaded] in &self.events {
            upload.wait(computed)?;
            if waits[4] {
                upload.wait(downloaded)?;
            }
        }
        Ok(())
    }

    fn set_input(&mut self, round: u32) {
        for (slot, input) in self.input.iter_mut().enumerate() {
            input.fill(f64::from(round) + [0.25, 0.5][slot]);
        }
    }

    /// Whether the outputs are those of round `round`, where nothing was late or early.
    fn is_right(&self, round: u32) -> bool {
        self.output.iter().enumerate().all(|(slot, output)| {
            let expected = 2.0 * (f64::from(round) + [0.25, 0.5][slot]) + 1.0;
            output.iter().all(|value| value.to_bits() == expected.to_bits())
        })
    }
}

fn a_graph_of_three_streams_gives_the_eager_result_every_time(device: &Device) {
    let streams = [(); 3].map(|()| device.stream().unwrap());
    let [first, second, third] = &streams;
    let mut ring = Ring::new(device, [first, second, third]);
    let graph = first.capture(|| ring.queue([true; 5])).unwrap();
    assert_eq!(graph.nodes(), 2 * 2 * 4);
    for round in 0..100 {
        ring.set_input(round);
        first.replay(&graph).unwrap();
        first.synchronize().unwrap();
        assert!(ring.is_right(round), "round {round}");
    }
}

/// How many of 100 seeds show a wrong answer when one kind of wait is missing inside the graph.
fn seeds_that_show_a_missing_wait(missing: usize) -> usize {
    let is_wrong = |&seed: &u64| {
        let device = Device::host_simulated(seed);
        let streams = [(); 3].map(|()| device.stream().unwrap());
        let [first, second, third] = &streams;
        let mut ring = Ring::new(&device, [first, second, third]);
        let mut waits = [true; 5];
        waits[missing] = false;
        let graph = first.capture(|| ring.queue(waits)).unwrap();
        (0..5).any(|round| {
            ring.set_input(round);
            first.replay(&graph).unwrap();
            first.synchronize().unwrap();
            !ring.is_right(round)
        })
    };
    (0..100).filter(is_wrong).count()
}

#[test]
fn a_missing_wait_inside_a_graph_shows_as_a_wrong_answer() {
    // The computation reads what was uploaded, and the download what was computed.
    for missing in [1, 3] {
        let wrong = seeds_that_show_a_missing_wait(missing);
        assert!(wrong > 50, "only {wrong} of 100 seeds show that wait {missing} is missing");
    }
}

#[test]
fn every_order_that_the_edges_leave_open_is_right_and_the_orders_differ() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let device = Device::host_simulated(seed);
        let streams = [(); 3].map(|()| device.stream().unwrap());
        let [first, second, third] = &streams;
        let mut ring = Ring::new(&device, [first, second, third]);
        let graph = first.capture(|| ring.queue([true; 5])).unwrap();
        ring.set_input(7);
        first.replay(&graph).unwrap();
        first.synchronize().unwrap();
        assert!(ring.is_right(7), "seed {seed}");
        orders.insert(unordered_pair(&device));
    }
    assert_eq!(orders.len(), 2, "two nodes without an edge run either way");
}

/// What remains of two fills of one buffer that nothing orders.
fn unordered_pair(device: &Device) -> u64 {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let [fork, join] = [(); 2].map(|()| device.event().unwrap());
    let kernel = kernel(device);
    let [x, mut y] = [(); 2].map(|()| device.buffer(LEN).unwrap());
    let graph = stream
        .capture(|| {
            stream.record(&fork)?;
            other.wait(&fork)?;
            apply(&stream, &kernel, (&x, &mut y), 1.0)?;
            other.zero(y.view_mut())?;
            other.record(&join)?;
            stream.wait(&join)
        })
        .unwrap();
    stream.replay(&graph).unwrap();
    stream.read_vec(y.view()).unwrap()[0].to_bits()
}

fn an_empty_graph_can_be_replayed(device: &Device) {
    let stream = device.stream().unwrap();
    let mut nothing = device.buffer::<f64>(0).unwrap();
    let graph = stream.capture(|| stream.zero(nothing.view_mut())).unwrap();
    assert_eq!(graph.nodes(), 0);
    stream.replay(&graph).unwrap();
    stream.synchronize().unwrap();
}

fn a_graph_can_be_replayed_on_another_stream_and_by_another_thread(device: &Device) {
    let [stream, other] = [(); 2].map(|()| device.stream().unwrap());
    let kernel = kernel(device);
    let [x, mut y] = [(); 2].map(|()| device.buffer(LEN).unwrap());
    let graph = stream.capture(|| apply(&stream, &kernel, (&x, &mut y), 1.0)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| other.replay(&graph).unwrap());
    });
    assert_eq!(other.read_vec(y.view()).unwrap(), [1.0; LEN]);
}

fn what_is_dropped_while_a_graph_lives_is_there_for_its_replays(device: &Device) {
    let stream = device.stream().unwrap();
    let kernel = kernel(device);
    let mut result = device.buffer(LEN).unwrap();
    let mut captured = |value: f64| -> Graph {
        let [mut x, mut y] = [(); 2].map(|()| device.buffer(LEN).unwrap());
        fill(&stream, &mut x, value);
        stream
            .capture(|| {
                apply(&stream, &kernel, (&x, &mut y), 2.0)?;
                // Gone while it is captured; `x` goes right after.
                let copied = stream.copy(y.view(), result.view_mut());
                drop(y);
                copied
            })
            .unwrap()
    };
    let graphs = [captured(1.0), captured(5.0)];
    // Whatever is allocated now would lie where the dropped buffers were, had they been freed.
    let mut fresh: Vec<_> = (0..8).map(|_| device.buffer(LEN).unwrap()).collect();
    fresh.iter_mut().for_each(|buffer| fill(&stream, buffer, 100.0));
    for (graph, expected) in graphs.iter().zip([3.0, 11.0]) {
        stream.replay(graph).unwrap();
        assert_eq!(stream.read_vec(result.view()).unwrap(), [expected; LEN]);
    }
    for buffer in &fresh {
        assert_eq!(stream.read_vec(buffer.view()).unwrap(), [100.0; LEN]);
    }
    drop(kernel);
    let [first, second] = graphs;
    drop(first);
    stream.replay(&second).unwrap();
    drop(second);
    assert_eq!(stream.read_vec(result.view()).unwrap(), [11.0; LEN]);
    assert_usable(device, &stream);
}

fn a_graph_of_another_device_is_refused(device: &Device) {
    let foreign = Device::host();
    let graph = foreign.stream().unwrap().capture(|| Ok(())).unwrap();
    let refused = device.stream().unwrap().replay(&graph).unwrap_err();
    assert_eq!(refused, Error::OtherDevice { what: "the graph" });
}

#[test]
fn a_fault_at_any_call_of_a_capture_or_a_replay_is_told_and_leaves_the_device_usable() {
    let journey = |device: &Device| -> Result<Vec<f64>> {
        let (stream, event) = (device.stream()?, device.event()?);
        let kernel = affine::prepare(device, affine::launch(LEN, 64))?;
        let (x, mut y) = (device.buffer(LEN)?, device.buffer(LEN)?);
        let graph = stream.capture(|| {
            apply(&stream, &kernel, (&x, &mut y), 2.0)?;
            stream.record(&event)?;
            stream.wait(&event)
        })?;
        stream.replay(&graph)?;
        stream.read_vec(y.view())
    };
    // The second, third and fourth creation: an event, and both ends of a capture.
    let creations = (0..4).map(|index| (Operation::Create, index));
    let others = [Operation::Launch, Operation::Record, Operation::Wait].map(|other| (other, 0));
    for (operation, index) in creations.chain(others).chain([(Operation::Launch, 1)]) {
        for device in [Device::host(), Device::host_simulated(index)] {
            let plan = FaultPlan::none().fail_once(operation, index, ErrorKind::Transient);
            let device = device.with_faults(plan);
            let error = journey(&device).unwrap_err();
            assert_eq!(error, Error::Injected { operation, index, kind: ErrorKind::Transient });
            assert_eq!(journey(&device).unwrap(), [1.0; LEN], "{operation} {index}");
        }
    }
}
