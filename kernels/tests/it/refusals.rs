//! Bad arguments and launches: refused before anything runs, in one line that names thing and fix.

use gpu_core::{Device, ErrorKind, Kernel, KernelImages, Launch, LaunchContract};
use kernels::Tunable;
use kernels::active_inference::{Agent, Infer, InferArgs, OUTPUTS, Parameters as ModelParameters};
use kernels::frame::{
    Act, ActArgs, Observable, ObservableArgs, Perceive, PerceiveArgs, TrackingError,
    TrackingErrorArgs,
};
use kernels::load::{Spin, SpinArgs, StridedRead, StridedReadArgs, Triad, TriadArgs};
use kernels::matrix::{Gemm, GemmDirect, Transpose};
use kernels::stencil::{Convolve, ConvolveDirect};
use kernels::thermodynamic::{Evolution, Evolve, EvolveResident, Network, Program};
use kernels::vector::{ReduceSum, ReduceSumArgs, Saxpy, SaxpyArgs, SumWorkspace};

fn images() -> KernelImages {
    KernelImages::at("unused")
}

fn assert_refused(error: &gpu_core::Error, parts: &[&str]) {
    let message = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{message}");
    assert!(!message.contains('\n'), "{message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in `{message}`");
    }
}

/// What saxpy on vectors of these lengths says.
fn saxpy(x_len: usize, y_len: usize, launch: Launch) -> gpu_core::Result<()> {
    let device = Device::host();
    let (x, mut y) = (device.buffer(x_len)?, device.buffer(y_len)?);
    let prepared = Saxpy::prepare(&device, &images(), launch)?;
    let args = SaxpyArgs { x: x.view(), y: y.view_mut(), alpha: 1.0 };
    device.stream()?.launch(&prepared, args)
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let launch = Launch::linear(1, 64);
    assert!(saxpy(5, 5, launch).is_ok());
    let error = saxpy(5, 4, launch).unwrap_err();
    assert_refused(&error, &["y of saxpy has 4 elements, 5 are needed"]);
}

#[test]
fn a_launch_along_more_than_one_dimension_is_refused() {
    for launch in [
        Launch { grid: [1, 2, 1], ..Launch::linear(1, 64) },
        Launch { block: [32, 2, 1], ..Launch::linear(1, 64) },
    ] {
        let error = saxpy(5, 5, launch).unwrap_err();
        assert_refused(&error, &["`saxpy`", "one dimension", "Launch::linear"]);
    }
}

#[test]
fn a_batch_that_ends_within_a_frame_is_refused() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let prepared =
        TrackingError::prepare(&device, &images(), TrackingError::launch_for(900)).unwrap();
    let refused = |frames_len, errors_len| {
        let frames = device.buffer(frames_len).unwrap();
        let mut errors = device.buffer(errors_len).unwrap();
        let args = TrackingErrorArgs { frames: frames.view(), errors: errors.view_mut() };
        stream.launch(&prepared, args).unwrap_err()
    };
    assert_refused(&refused(1801, 1800), &["a batch of frames has 1801 elements, 3600"]);
    assert_refused(&refused(1800, 1800), &["the errors of the frames has 1800 elements, 900"]);
}

#[test]
fn a_sum_needs_room_for_every_block_and_one_counter_and_output() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let prepared = ReduceSum::prepare(&device, &images(), Launch::linear(3, 64)).unwrap();
    let run = |partials_len, counter_len, output_len| {
        let input = device.buffer(10).unwrap();
        let mut partials = device.buffer(partials_len).unwrap();
        let mut counter = device.buffer(counter_len).unwrap();
        let mut output = device.buffer(output_len).unwrap();
        let args = ReduceSumArgs {
            input: input.view(),
            partials: partials.view_mut(),
            counter: counter.view_mut(),
            output: output.view_mut(),
        };
        stream.launch(&prepared, args)
    };
    assert!(run(3, 1, 1).is_ok());
    assert_refused(&run(2, 1, 1).unwrap_err(), &["partial sums", "2 elements, 3"]);
    assert_refused(&run(3, 0, 1).unwrap_err(), &["counter", "0 elements, 1"]);
    assert_refused(&run(3, 1, 2).unwrap_err(), &["output", "2 elements, 1"]);
}

#[test]
fn buffers_of_another_device_are_refused() {
    let (device, other) = (Device::host(), Device::host());
    let stream = device.stream().unwrap();
    let prepared = ReduceSum::prepare(&device, &images(), ReduceSum::launch_for(8)).unwrap();
    let (input, mut output) = (other.buffer(8).unwrap(), device.buffer(1).unwrap());
    let mut workspace = SumWorkspace::new(&device).unwrap();
    let args = workspace.args(input.view(), output.view_mut());
    assert_refused(&stream.launch(&prepared, args).unwrap_err(), &["belongs to another device"]);

    let mut evolution =
        Evolution::new(&other, &images(), &Network::initial(4, 1).unwrap()).unwrap();
    let error = evolution.call(&stream).unwrap_err();
    assert_refused(&error, &["the page-locked buffer belongs to another device"]);
}

fn assert_contract<K: Tunable>() {
    let device = Device::host();
    let refused = |launch| K::prepare(&device, &images(), launch).unwrap_err();
    let LaunchContract { entry, threads_max, .. } = K::CONTRACT;
    assert_refused(&refused(Launch::linear(1, 48)), &[entry, "48 threads"]);
    assert_refused(&refused(Launch::linear(1, 0)), &[entry, "0 threads"]);
    assert_refused(&refused(Launch::linear(1, threads_max + 32)), &[entry, "threads"]);
    assert_refused(&refused(Launch::linear(0, threads_max)), &[entry, "grid"]);
    let greedy = Launch::linear(1, threads_max).with_shared_bytes(1 << 30);
    assert_refused(&refused(greedy), &[entry, "shared memory"]);
    for point in K::SPACE.points() {
        for len in [0, 1, 900, 1_000_000] {
            let launch = K::launch_at(&point, len);
            assert!(K::prepare(&device, &images(), launch).is_ok(), "{entry}: {point}");
        }
    }
}

#[test]
fn launches_beyond_the_contract_are_refused_and_the_whole_space_is_within() {
    assert_contract::<Saxpy>();
    assert_contract::<ReduceSum>();
    assert_contract::<TrackingError>();
    assert_contract::<Evolve>();
    assert_contract::<EvolveResident>();
    assert_contract::<Infer>();
    assert_contract::<Perceive>();
    assert_contract::<Observable>();
    assert_contract::<Act>();
    assert_contract::<Gemm>();
    assert_contract::<GemmDirect>();
    assert_contract::<Transpose>();
    assert_contract::<Convolve>();
    assert_contract::<ConvolveDirect>();
}

#[test]
fn the_network_needs_every_view_at_its_length() {
    use kernels::thermodynamic::{EvolveArgs, OBSERVABLES, Parameters};
    let device = Device::host();
    // Lengths of coupling, omega, theta, v, table, noise, rows, observables, arrivals and mirror for 3 oscillators.
    let right = [9, 3, 3, 3, 6, 30, 3, OBSERVABLES, 1, 6 + OBSERVABLES];
    let check = |lengths: [usize; 10], n| {
        let [coupling, omega, theta, v, noise, observables] =
            [0, 1, 2, 3, 5, 7].map(|place| device.buffer::<f64>(lengths[place]).unwrap());
        let [mut theta, mut v, mut noise, mut observables] = [theta, v, noise, observables];
        let [mut table, mut rows] =
            [4, 6].map(|place| device.buffer::<[f64; 2]>(lengths[place]).unwrap());
        let mut arrivals = device.buffer::<u64>(lengths[8]).unwrap();
        let mut mirror = device.buffer::<f64>(lengths[9]).unwrap();
        let args = EvolveArgs {
            coupling: coupling.view(),
            omega: omega.view(),
            theta: theta.view_mut(),
            v: v.view_mut(),
            table: table.view_mut(),
            noise: noise.view_mut(),
            rows: rows.view_mut(),
            observables: observables.view_mut(),
            mirror: mirror.view_mut(),
            arrivals: arrivals.view_mut(),
            parameters: Parameters { n, ..Parameters::default() },
            seed: 0,
            steps_done: 0,
        };
        Evolve::check(&args, &Evolve::launch_for(n))
    };
    assert!(check(right, 3).is_ok());
    for place in 0..right.len() {
        for by in [-1_isize, 1] {
            let mut lengths = right;
            lengths[place] = lengths[place].checked_add_signed(by).unwrap();
            assert_refused(&check(lengths, 3).unwrap_err(), &["elements"]);
        }
    }
    assert_refused(
        &check([0, 0, 0, 0, 0, 0, 0, OBSERVABLES, 1, OBSERVABLES], 0).unwrap_err(),
        &["oscillators"],
    );
}

#[test]
fn a_network_that_does_not_fit_the_chip_is_refused_by_the_resident_kernel_alone() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let call = |n, program| {
        let network = Network::initial(n, 1).unwrap();
        let evolution = Evolution::with_program(&device, &images(), &network, program);
        evolution.unwrap().call(&stream).map(|_| ())
    };
    let resident = |blocks| Program::Resident(Launch::linear(blocks, 256));
    assert_refused(&call(1025, resident(129)).unwrap_err(), &["evolve_resident", "use `Evolve`"]);
    assert_refused(&call(17, resident(2)).unwrap_err(), &["evolve_resident", "more blocks"]);
    assert!(call(16, resident(2)).is_ok());
    assert!(call(1025, Program::Streaming(Launch::linear(129, 256))).is_ok());
}

#[test]
fn active_inference_needs_every_view_at_its_length_and_a_model() {
    let device = Device::host();
    // Lengths of observations, folded coupling, mean, outputs, foreseen windows, scratch and arrivals.
    let right = [100, 90_000, 900, OUTPUTS, 4500, InferArgs::scratch_len(10), 2];
    let check = |lengths: [usize; 7], parts, parameters| {
        let [observations, folded, mu, outputs, foreseen] =
            [0, 1, 2, 3, 4].map(|place| device.buffer::<f64>(lengths[place]).unwrap());
        let [mut outputs, mut foreseen] = [outputs, foreseen];
        let mut scratch = device.buffer::<[f64; 2]>(lengths[5]).unwrap();
        let mut arrivals = device.buffer::<u32>(lengths[6]).unwrap();
        let args = InferArgs {
            observations: observations.view(),
            folded: folded.view(),
            mu: mu.view(),
            outputs: outputs.view_mut(),
            foreseen: foreseen.view_mut(),
            scratch: scratch.view_mut(),
            arrivals: arrivals.view_mut(),
            parts,
            parameters,
            seed: 0,
            calls: 0,
        };
        for launch in [
            Launch { grid: [1, 2, 1], ..Launch::linear(1, 64) },
            Launch { block: [32, 2, 1], ..Launch::linear(1, 64) },
        ] {
            assert_refused(&Infer::check(&args, &launch).unwrap_err(), &["one dimension"]);
        }
        Infer::check(&args, &Infer::launch_for(900))
    };
    let parameters = *Agent::initial(0).parameters();
    assert!(check(right, 10, parameters).is_ok());
    for place in 0..right.len() {
        for by in [-1_isize, 1] {
            let mut lengths = right;
            lengths[place] = lengths[place].checked_add_signed(by).unwrap();
            assert_refused(&check(lengths, 10, parameters).unwrap_err(), &["elements"]);
        }
    }
    for parts in [0, 1, 11, 30, 100] {
        let mut lengths = right;
        lengths[5] = InferArgs::scratch_len(parts);
        assert_refused(&check(lengths, parts, parameters).unwrap_err(), &["`infer`", "parts"]);
    }
    let frictionless = ModelParameters { friction: 0.0, ..parameters };
    assert_refused(&check(right, 10, frictionless).unwrap_err(), &["`infer`", "friction"]);
}

/// Calls `check` with the right lengths and then with each of them off by one, which it must refuse.
fn assert_lengths<const N: usize>(
    right: [usize; N],
    check: impl Fn([usize; N]) -> gpu_core::Result<()>,
) {
    check(right).unwrap();
    for place in 0..N {
        for by in [-1_isize, 1] {
            let mut lengths = right;
            lengths[place] = lengths[place].checked_add_signed(by).unwrap();
            assert_refused(&check(lengths).unwrap_err(), &["elements"]);
        }
    }
}

#[test]
fn the_kernels_of_a_frame_need_every_view_at_its_length() {
    let device = Device::host();
    assert_lengths([900, 20, 810_000, 1800, 20, 810_000, 1800, 800, 100, 1], |lengths| {
        let [values, coupling, motion, next_coupling, next_motion, entropies, te_max] =
            [0, 2, 3, 5, 6, 8, 9].map(|place| device.buffer::<f64>(lengths[place]).unwrap());
        let [mut next_coupling, mut next_motion] = [next_coupling, next_motion];
        let [mut entropies, mut te_max] = [entropies, te_max];
        let [history, mut next_history] =
            [1, 4].map(|place| device.buffer::<u64>(lengths[place]).unwrap());
        let mut counts = device.buffer::<u32>(lengths[7]).unwrap();
        let args = PerceiveArgs {
            values: values.view(),
            history: history.view(),
            coupling: coupling.view(),
            motion: motion.view(),
            next_history: next_history.view_mut(),
            next_coupling: next_coupling.view_mut(),
            next_motion: next_motion.view_mut(),
            counts: counts.view_mut(),
            entropies: entropies.view_mut(),
            te_max: te_max.view_mut(),
        };
        Perceive::check(&args, &Perceive::launch_for(900))
    });
    assert_lengths([900, 100], |lengths| {
        let theta = device.buffer(lengths[0]).unwrap();
        let mut observations = device.buffer(lengths[1]).unwrap();
        let args = ObservableArgs { theta: theta.view(), observations: observations.view_mut() };
        Observable::check(&args, &Observable::launch_for(900))
    });
    let right = [OUTPUTS, 5, 1, 900, 900, 1800, 1800, 900, 1800, kernels::frame::OUTPUTS];
    assert_lengths(right, |lengths| act(&device, lengths, Act::launch_for(900)));
    let error = act(&device, right, Launch::linear(2, 1024)).unwrap_err();
    assert_refused(&error, &["`act`", "one block"]);
}

/// What the last kernel of a frame says to views of these lengths.
fn act(device: &Device, lengths: [usize; 10], launch: Launch) -> gpu_core::Result<()> {
    let mut buffers = lengths.map(|len| device.buffer::<f64>(len).unwrap());
    let [agent, observables, te_max, targets, theta, phases, frequencies, mu, next, outputs] =
        &mut buffers;
    let args = ActArgs {
        agent: agent.view(),
        observables: observables.view(),
        te_max: te_max.view(),
        targets: targets.view(),
        theta: theta.view(),
        phases: phases.view(),
        frequencies: frequencies.view(),
        next_mu: mu.view_mut(),
        next_phases: next.view_mut(),
        outputs: outputs.view_mut(),
    };
    Act::check(&args, &launch)
}

#[test]
fn loads_need_views_that_fit_and_a_stride() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let triad = Triad::prepare(&device, &images(), Triad::launch_for(4)).unwrap();
    let (four, three) = (device.buffer(4).unwrap(), device.buffer(3).unwrap());
    let mut a = device.buffer(3).unwrap();
    let args = TriadArgs { b: four.view(), c: three.view(), a: a.view_mut(), scale: 1.0 };
    assert_refused(
        &stream.launch(&triad, args).unwrap_err(),
        &["c of triad has 3 elements, 4 are needed"],
    );
    let args = TriadArgs { b: four.view(), c: four.view(), a: a.view_mut(), scale: 1.0 };
    assert_refused(
        &stream.launch(&triad, args).unwrap_err(),
        &["a of triad has 3 elements, 4 are needed"],
    );

    let strided = StridedRead::prepare(&device, &images(), Launch::linear(1, 32)).unwrap();
    let (input, mut output) = (device.buffer(4).unwrap(), device.buffer(2).unwrap());
    let args = StridedReadArgs { input: input.view(), output: output.view_mut(), stride: 1 };
    let error = stream.launch(&strided, args).unwrap_err();
    assert_refused(&error, &["the output of strided_read has 2 elements, 1 are needed"]);
    let one = output.view_mut().range(0..1).unwrap();
    let args = StridedReadArgs { input: input.view(), output: one, stride: 0 };
    let error = stream.launch(&strided, args).unwrap_err();
    assert_refused(&error, &["`strided_read`", "a stride of 0", "use 1 or more"]);

    let flat = Launch { grid: [1, 2, 1], ..Launch::linear(1, 32) };
    let spin = Spin::prepare(&device, &images(), flat).unwrap();
    let mut output = device.buffer(4).unwrap();
    let error = stream.launch(&spin, SpinArgs { output: output.view_mut(), turns: 1 }).unwrap_err();
    assert_refused(&error, &["`spin`", "one dimension"]);
}
