//! The network on a device: equal to the reference, kept between calls, read back and put back.

use gpu_core::{Device, ErrorKind, FaultPlan, KernelImages, Operation};
use kernels::thermodynamic::{Evolution, Network, Parameters, compare, optimised};

fn images() -> KernelImages {
    KernelImages::at("unused")
}

#[test]
fn calls_on_host_and_simulated_host_equal_the_optimised_reference() {
    let simulated = (0..20).map(Device::host_simulated);
    for device in [Device::host()].into_iter().chain(simulated) {
        let mut expected = Network::initial(65, 3).unwrap();
        let stream = device.stream().unwrap();
        let mut evolution = Evolution::new(&device, &images(), &expected).unwrap();
        for _ in 0..3 {
            let seen = optimised::evolve(&mut expected);
            assert_eq!(evolution.call(&stream).unwrap(), seen);
            assert_eq!(evolution.downloaded(), (expected.theta(), expected.v()));
        }
        assert_eq!(evolution.network(&stream).unwrap(), expected);
    }
}

#[test]
fn queued_calls_stay_on_the_device_and_add_up() {
    let device = Device::host_simulated(8);
    let mut expected = Network::initial(40, 5).unwrap();
    let stream = device.stream().unwrap();
    let mut evolution = Evolution::new(&device, &images(), &expected).unwrap();
    let mut seen = None;
    for _ in 0..4 {
        evolution.enqueue(&stream).unwrap();
        seen = Some(optimised::evolve(&mut expected));
    }
    let observables = stream.read_vec(evolution.observables()).unwrap();
    assert_eq!(observables[3].to_bits(), seen.unwrap().heat.to_bits());
    assert_eq!(stream.read_vec(evolution.theta()).unwrap(), expected.theta());
    assert_eq!(stream.read_vec(evolution.v()).unwrap(), expected.v());
    assert_eq!(evolution.network(&stream).unwrap().steps_done(), 40);
}

#[test]
fn a_reset_replaces_the_whole_network() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let first = Network::initial(33, 1).unwrap();
    let mut evolution = Evolution::new(&device, &images(), &first).unwrap();
    evolution.call(&stream).unwrap();
    let mut other = Network::initial(33, 2).unwrap().with_steps_done(70);
    evolution.reset(&stream, &other).unwrap();
    let (seen, expected) = (evolution.call(&stream).unwrap(), optimised::evolve(&mut other));
    let actual = evolution.network(&stream).unwrap();
    assert!(compare((&other, &expected), (&actual, &seen)).is_ok());
    assert_eq!(actual, other);
}

#[test]
fn a_network_of_another_size_is_refused() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let small = Network::initial(8, 1).unwrap();
    let mut evolution = Evolution::new(&device, &images(), &small).unwrap();
    let error = evolution.reset(&stream, &Network::initial(9, 1).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the network of the reset has 9 elements, 8 are needed");
    let parameters = Parameters { steps: 11, ..*small.parameters() };
    let longer = Network::new(parameters, small.state().clone(), 1).unwrap();
    assert_eq!(evolution.reset(&stream, &longer).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_launch_that_fails_leaves_the_network_as_it_was() {
    let plan = FaultPlan::none().fail_once(Operation::Launch, 1, ErrorKind::Transient);
    let device = Device::host();
    let stream = device.stream().unwrap();
    let mut expected = Network::initial(12, 1).unwrap();
    let mut evolution = Evolution::new(&device, &images(), &expected).unwrap();
    let _device = device.with_faults(plan);
    evolution.call(&stream).unwrap();
    optimised::evolve(&mut expected);
    assert_eq!(evolution.call(&stream).unwrap_err().kind(), ErrorKind::Transient);
    assert_eq!(evolution.network(&stream).unwrap(), expected);
    let seen = optimised::evolve(&mut expected);
    assert_eq!(evolution.call(&stream).unwrap(), seen);
}
