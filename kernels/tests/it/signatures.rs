//! What a wrapper binds is what its entry point takes: the same number of parameters, of the same widths.
//!
//! Reads the signature in the source text, so it needs no compiler.

use gpu_core::{Device, DeviceBuffer, Params};
use kernels::active_inference::{Agent, Infer, InferArgs, OUTPUTS};
use kernels::frame::{
    Act, ActArgs, Observable, ObservableArgs, Perceive, PerceiveArgs, TrackingError,
    TrackingErrorArgs,
};
use kernels::load::{Spin, SpinArgs, StridedRead, StridedReadArgs, Triad, TriadArgs};
use kernels::matrix::{
    Gemm, GemmArgs, GemmDirect, GemmTile, ProductArgs, ProductShape, Staging, Transpose,
    TransposeArgs, TransposeTile,
};
use kernels::stencil::{Convolve, ConvolveArgs, ConvolveDirect, WindowArgs};
use kernels::thermodynamic::{Evolve, EvolveArgs, EvolveResident, Parameters};
use kernels::vector::{ReduceSum, ReduceSumArgs, Saxpy, SaxpyArgs};
use kernels::{SOURCES, Tunable};

/// Name and parameter widths of the one entry point of `text`.
fn signature(text: &str) -> (String, Vec<u8>) {
    let mut entries = text.split("__global__ void ").skip(1);
    let mut entry = entries.next().expect("a source has an entry point");
    assert!(entries.next().is_none(), "a source has one entry point");
    if let Some(bounded) = entry.strip_prefix("__launch_bounds__(") {
        entry = bounded.split_once(") ").unwrap().1;
    }
    let (name, rest) = entry.split_once('(').unwrap();
    let parameters = rest.split_once(')').unwrap().0;
    (name.to_owned(), parameters.split(',').map(width).collect())
}

fn width(parameter: &str) -> u8 {
    if parameter.contains('*') {
        return 8;
    }
    match parameter.split_whitespace().next().unwrap() {
        "double" | "u64" => 8,
        "float" | "u32" => 4,
        other => panic!("the width of `{other}` is not known here"),
    }
}

fn assert_binds<K: Tunable>(device: &Device, args: &K::Args<'_>) {
    let mut params = Params::new(device.id());
    K::bind(args, &mut params);
    let (name, widths) = signature(K::SOURCE.text);
    assert_eq!(name, K::CONTRACT.entry);
    assert_eq!(name, K::SOURCE.name);
    assert_eq!(params.widths(), widths, "{name}");
}

fn buffer<T: gpu_core::Pod>(device: &Device, len: usize) -> DeviceBuffer<T> {
    device.buffer(len).unwrap()
}

#[test]
fn every_wrapper_binds_what_its_entry_point_takes() {
    let device = Device::host();
    let (x, mut y) = (buffer::<f32>(&device, 4), buffer::<f32>(&device, 4));
    let args = SaxpyArgs { x: x.view(), y: y.view_mut(), alpha: 1.0 };
    assert_binds::<Saxpy>(&device, &args);

    let (input, mut partials) = (buffer(&device, 4), buffer(&device, 4));
    let (mut counter, mut output) = (buffer(&device, 1), buffer(&device, 1));
    let args = ReduceSumArgs {
        input: input.view(),
        partials: partials.view_mut(),
        counter: counter.view_mut(),
        output: output.view_mut(),
    };
    assert_binds::<ReduceSum>(&device, &args);

    let (frames, mut errors) = (buffer(&device, 1800), buffer(&device, 900));
    let args = TrackingErrorArgs { frames: frames.view(), errors: errors.view_mut() };
    assert_binds::<TrackingError>(&device, &args);

    let parameters = Parameters { n: 2, ..Parameters::default() };
    let (coupling, omega) = (buffer(&device, 4), buffer(&device, 2));
    let (mut theta, mut v) = (buffer(&device, 2), buffer(&device, 2));
    let (mut table, mut noise) = (buffer(&device, 4), buffer(&device, 20));
    let (mut rows, mut observables) = (buffer(&device, 2), buffer(&device, 5));
    let (mut mirror, mut arrivals) = (buffer(&device, 9), buffer(&device, 1));
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
        parameters,
        seed: 1,
        steps_done: 0,
    };
    assert_binds::<Evolve>(&device, &args);
    assert_binds::<EvolveResident>(&device, &args);
}

#[test]
fn the_wrapper_of_active_inference_binds_what_its_entry_point_takes() {
    let device = Device::host();
    let (observations, folded) = (buffer(&device, 100), buffer(&device, 900 * 100));
    let (mu, mut outputs) = (buffer(&device, 900), buffer(&device, OUTPUTS));
    let mut foreseen = buffer(&device, 5 * 900);
    let mut scratch = buffer(&device, InferArgs::scratch_len(10));
    let mut arrivals = buffer(&device, 2);
    let args = InferArgs {
        observations: observations.view(),
        folded: folded.view(),
        mu: mu.view(),
        outputs: outputs.view_mut(),
        foreseen: foreseen.view_mut(),
        scratch: scratch.view_mut(),
        arrivals: arrivals.view_mut(),
        parts: 10,
        parameters: *Agent::initial(0).parameters(),
        seed: 1,
        calls: 0,
    };
    assert_binds::<Infer>(&device, &args);
}

#[test]
fn the_wrappers_of_a_frame_bind_what_their_entry_points_take() {
    let device = Device::host();
    let mut doubles: [DeviceBuffer<f64>; 10] = std::array::from_fn(|_| buffer(&device, 1));
    let (history, mut next_history) = (buffer::<u64>(&device, 1), buffer::<u64>(&device, 1));
    let mut counts = buffer::<u32>(&device, 1);
    let [a, b, c, d, e, f, g, h, i, j] = &mut doubles;
    let args = PerceiveArgs {
        values: a.view(),
        history: history.view(),
        coupling: b.view(),
        motion: c.view(),
        next_history: next_history.view_mut(),
        next_coupling: d.view_mut(),
        next_motion: e.view_mut(),
        counts: counts.view_mut(),
        entropies: f.view_mut(),
        te_max: g.view_mut(),
    };
    assert_binds::<Perceive>(&device, &args);
    let args = ObservableArgs { theta: a.view(), observations: b.view_mut() };
    assert_binds::<Observable>(&device, &args);
    let args = ActArgs {
        agent: a.view(),
        observables: b.view(),
        te_max: c.view(),
        targets: d.view(),
        theta: e.view(),
        phases: f.view(),
        frequencies: g.view(),
        next_mu: h.view_mut(),
        next_phases: i.view_mut(),
        outputs: j.view_mut(),
    };
    assert_binds::<Act>(&device, &args);
}

#[test]
fn the_wrappers_of_matrices_and_images_bind_what_their_entry_points_take() {
    let device = Device::host();
    let (a, b, mut c) = (buffer(&device, 1), buffer(&device, 1), buffer(&device, 1));
    let shape = ProductShape::square(1);
    let product = ProductArgs { a: a.view(), b: b.view(), c: c.view_mut(), shape };
    assert_binds::<GemmDirect>(&device, &product);
    let tile = GemmTile { rows: 1, columns: 1, depth: 8 };
    assert_binds::<Gemm>(&device, &GemmArgs { product, tile });

    let tile = TransposeTile { side: 16, staging: Staging::Direct };
    let (input, output) = (a.view(), c.view_mut());
    let args = TransposeArgs { input, output, rows: 1, columns: 1, tile };
    assert_binds::<Transpose>(&device, &args);

    let (input, weights, output) = (a.view(), b.view(), c.view_mut());
    let window = WindowArgs { input, weights, output, rows: 1, columns: 1 };
    assert_binds::<ConvolveDirect>(&device, &window);
    assert_binds::<Convolve>(&device, &ConvolveArgs { window, items: 1 });
}

#[test]
fn the_wrappers_of_the_loads_bind_what_their_entry_points_take() {
    let device = Device::host();
    let (b, c, mut a) = (buffer(&device, 1), buffer(&device, 1), buffer(&device, 1));
    let args = TriadArgs { b: b.view(), c: c.view(), a: a.view_mut(), scale: 1.0 };
    assert_binds::<Triad>(&device, &args);
    let (input, mut output) = (buffer(&device, 1), buffer(&device, 1));
    let args = StridedReadArgs { input: input.view(), output: output.view_mut(), stride: 1 };
    assert_binds::<StridedRead>(&device, &args);
    let mut output = buffer(&device, 1);
    assert_binds::<Spin>(&device, &SpinArgs { output: output.view_mut(), turns: 1 });
}

#[test]
fn widths_are_read_from_the_type() {
    let text = "__global__ void __launch_bounds__(512) f(const double* __restrict__ a, u32 b,\n  float c, u64 d)";
    assert_eq!(signature(text), ("f".to_owned(), vec![8, 4, 4, 8]));
}

#[test]
fn every_source_has_one_entry_point_of_its_own_name() {
    for source in SOURCES {
        assert_eq!(signature(source.text).0, source.name);
    }
}
