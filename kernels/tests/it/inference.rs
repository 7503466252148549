//! An agent on a device: equal to the reference, kept between calls, read back and put back, and not harmed by a bad frame.

use std::sync::Arc;

use gpu_core::{Device, ErrorKind, FaultPlan, KernelImages, Operation};
use kernels::active_inference::{
    Agent, Coupling, Inference, OBSERVATIONS, Outputs, Parameters, observations_alone, optimised,
};

fn images() -> KernelImages {
    KernelImages::at("unused")
}

/// The observations of call `call`: another set for each.
fn observations(call: u32) -> [f64; OBSERVATIONS] {
    observations_alone().map(|observation| observation + 0.1 * f64::from(call))
}

#[test]
fn calls_on_host_and_simulated_host_equal_the_optimised_reference() {
    let mut expected = Agent::initial(3);
    let states: Vec<_> = (0..3)
        .map(|call| {
            let outputs = optimised::infer(&mut expected, &observations(call));
            (outputs, expected.clone())
        })
        .collect();
    let simulated = (0..5).map(Device::host_simulated);
    for device in [Device::host()].into_iter().chain(simulated) {
        let stream = device.stream().unwrap();
        let mut inference = Inference::new(&device, &images(), &Agent::initial(3)).unwrap();
        for (call, (outputs, agent)) in (0..).zip(&states) {
            let actual = inference.call(&stream, &observations(call)).unwrap();
            assert_eq!(Outputs::from(actual), *outputs);
            assert_eq!(Outputs::from(inference.downloaded()), *outputs);
            assert_eq!(inference.agent(&stream).unwrap(), *agent);
        }
    }
}

#[test]
fn queued_calls_take_their_observations_from_the_device() {
    let device = Device::host_simulated(8);
    let stream = device.stream().unwrap();
    let mut expected = Agent::initial(5);
    let mut inference = Inference::new(&device, &images(), &expected).unwrap();
    let mut elsewhere = device.buffer(OBSERVATIONS).unwrap();
    stream.write(&observations(0), elsewhere.view_mut()).unwrap();
    stream.write(&observations(1), inference.observations_mut()).unwrap();
    inference.enqueue_from(&stream, elsewhere.view()).unwrap();
    inference.enqueue(&stream).unwrap();
    optimised::infer(&mut expected, &observations(0));
    let outputs = optimised::infer(&mut expected, &observations(1));
    assert_eq!(inference.agent(&stream).unwrap(), expected);
    assert_eq!(stream.read_vec(inference.mu()).unwrap(), outputs.mu);
    assert_eq!(stream.read_vec(inference.u()).unwrap(), outputs.u);
    assert_eq!(stream.read_vec(inference.foreseen()).unwrap(), expected.foreseen());
    let short = device.buffer(OBSERVATIONS - 1).unwrap();
    let error = inference.enqueue_from(&stream, short.view()).unwrap_err();
    assert_eq!(error.to_string(), "the frame of observations has 99 elements, 100 are needed");
    assert_eq!(inference.agent(&stream).unwrap(), expected);
}

#[test]
fn a_mean_that_was_corrected_on_the_device_is_where_the_next_call_starts() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let agent = Agent::initial(5);
    let mut inference = Inference::new(&device, &images(), &agent).unwrap();
    inference.call(&stream, &observations(0)).unwrap();
    let corrected = vec![0.25; agent.mu().len()];
    stream.write(&corrected, inference.mu_mut()).unwrap();
    let mut expected = agent.with_mu(corrected).unwrap().with_calls(1);
    let outputs = optimised::infer(&mut expected, &observations(1));
    let actual = inference.call(&stream, &observations(1)).unwrap();
    assert_eq!(Outputs::from(actual), outputs);
}

#[test]
fn a_reset_replaces_the_whole_agent() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let mut inference = Inference::new(&device, &images(), &Agent::initial(1)).unwrap();
    inference.call(&stream, &observations(0)).unwrap();
    let parameters = Parameters { diffusion: 0.02, ..Parameters::default() };
    let coupling = Arc::new(Coupling::new(vec![1e-3; 900 * 900]).unwrap());
    let other = Agent::new(coupling, 2).with_parameters(parameters).unwrap();
    let mut other = other.with_mu(vec![0.5; 900]).unwrap().with_calls(70);
    inference.reset(&stream, &other).unwrap();
    assert_eq!(inference.agent(&stream).unwrap(), other);
    let outputs = optimised::infer(&mut other, &observations(1));
    let actual = inference.call(&stream, &observations(1)).unwrap();
    assert_eq!(Outputs::from(actual), outputs);
    assert_eq!(inference.agent(&stream).unwrap(), other);
}

#[test]
fn a_bad_frame_is_refused_and_the_next_good_one_is_what_it_would_have_been() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let mut expected = Agent::initial(1);
    let mut inference = Inference::new(&device, &images(), &expected).unwrap();
    inference.call(&stream, &observations(0)).unwrap();
    optimised::infer(&mut expected, &observations(0));
    let good = observations(1);
    let with = |number: f64| {
        let mut bad = good.to_vec();
        bad[99] = number;
        bad
    };
    let frames = [
        (good[1..].to_vec(), "the frame of observations has 99 elements, 100 are needed"),
        (with(f64::NAN), "kernel `infer` rejects its arguments: an observation is not finite"),
        (with(f64::NEG_INFINITY), "kernel `infer` rejects its arguments: an observation"),
        // Finite, but its square is not.
        (with(1e200), "kernel `infer` rejects its arguments: its results are not finite"),
    ];
    for (frame, beginning) in frames {
        let error = inference.call(&stream, &frame).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().starts_with(beginning), "{error}");
    }
    let outputs = optimised::infer(&mut expected, &good);
    assert_eq!(Outputs::from(inference.call(&stream, &good).unwrap()), outputs);
    assert_eq!(inference.agent(&stream).unwrap(), expected);
}

#[test]
fn a_call_that_fails_anywhere_leaves_the_agent_as_it_was() {
    for operation in
        [Operation::Upload, Operation::Launch, Operation::Download, Operation::Synchronize]
    {
        let device = Device::host();
        let stream = device.stream().unwrap();
        let mut expected = Agent::initial(1);
        let mut inference = Inference::new(&device, &images(), &expected).unwrap();
        // Counted from here on: the first call is number 0.
        let plan = FaultPlan::none().fail_once(operation, 1, ErrorKind::Transient);
        let _device = device.with_faults(plan);
        inference.call(&stream, &observations(0)).unwrap();
        let error = inference.call(&stream, &observations(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient, "{operation}");
        optimised::infer(&mut expected, &observations(0));
        let outputs = optimised::infer(&mut expected, &observations(2));
        let actual = inference.call(&stream, &observations(2)).unwrap();
        assert_eq!(Outputs::from(actual), outputs, "{operation}");
    }
}
