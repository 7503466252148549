//! Frames on a device: equal to the reference, kept between frames, refused and taken back.

use gpu_core::{Device, ErrorKind, FaultPlan, KernelImages, Operation};
use kernels::frame::{
    Engine, Error, FRAME_LEN, Marks, OUTPUTS, Outputs, OutputsRef, Phase, SAMPLES, System, compare,
    formula, naive, optimised,
};
use kernels::thermodynamic::{Network, Parameters, State};

fn images() -> KernelImages {
    KernelImages::at("unused")
}

fn engine(device: &Device, system: &System) -> Engine {
    Engine::new(device, &images(), system).unwrap()
}

/// A system whose network is so fast that its energy overflows.
fn overflowing(system: &System) -> System {
    let network = system.network();
    let state = State { v: vec![1e200; SAMPLES], ..network.state().clone() };
    let network = Network::new(*network.parameters(), state, network.seed()).unwrap();
    let (agent, banks) = (system.agent().clone(), system.banks().clone());
    System::new(*system.history(), network, agent, banks).unwrap()
}

#[test]
fn frames_on_host_and_simulated_host_equal_the_optimised_reference() {
    let simulated = (0..20).map(Device::host_simulated);
    let mut expected = vec![System::initial(3)];
    let mut outputs = Vec::new();
    for frame in 0..3 {
        let mut next = expected[frame].clone();
        outputs.push(optimised::frame(&mut next, &formula(frame.try_into().unwrap())).unwrap());
        expected.push(next);
    }
    for device in [Device::host()].into_iter().chain(simulated) {
        let stream = device.stream().unwrap();
        let mut engine = engine(&device, &expected[0]);
        for (frame, expected) in (0..).zip(&outputs) {
            let actual = engine.call(&stream, &formula(frame)).unwrap();
            assert_eq!(actual, expected.as_ref());
            assert_eq!(engine.downloaded(), expected.as_ref());
        }
        let system = engine.system(&stream).unwrap();
        assert!(system == expected[3]);
        assert_eq!(system.frames_offered(), 3);
    }
}

#[test]
fn queued_frames_stay_on_the_device_and_add_up() {
    let device = Device::host_simulated(5);
    let stream = device.stream().unwrap();
    let mut expected = System::initial(5);
    let mut engine = engine(&device, &expected);
    let input = formula(0);
    let (mut frame, mut block) =
        (device.buffer(input.len()).unwrap(), device.buffer(OUTPUTS).unwrap());
    stream.write(&input, frame.view_mut()).unwrap();
    let mut outputs = None;
    for _ in 0..3 {
        engine.enqueue(&stream, frame.view(), block.view_mut()).unwrap();
        outputs = Some(optimised::frame(&mut expected, &input).unwrap());
    }
    let short = frame.view().range(0..899).unwrap();
    assert!(matches!(
        engine.enqueue(&stream, short, block.view_mut()),
        Err(gpu_core::Error::Length { expected: 1800, actual: 899, .. })
    ));
    let mut block = stream.read_vec(block.view()).unwrap();
    let seen = OutputsRef::of_block(3, &block).unwrap();
    assert_eq!(Outputs::from(seen), outputs.unwrap());
    let state = engine.system(&stream).unwrap();
    assert_eq!(state.frames_offered(), 4);
    assert!(state.with_frames_offered(3) == expected);
    block[0] = f64::NAN;
    let error = OutputsRef::of_block(3, &block).unwrap_err();
    assert_eq!(error, Error::Output { frame: 3, phase: Phase::ActiveInference });
    assert!(OutputsRef::of_block(3, &block[1..]).is_err());
}

#[test]
fn a_reset_replaces_the_whole_system() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let mut engine = engine(&device, &System::initial(1));
    engine.call(&stream, &formula(0)).unwrap();
    let mut other = System::initial(2);
    optimised::frame(&mut other, &formula(7)).unwrap();
    engine.reset(&stream, &other).unwrap();
    let actual = Outputs::from(engine.call(&stream, &formula(8)).unwrap());
    let expected = naive::frame(&mut other, &formula(8)).unwrap();
    let system = engine.system(&stream).unwrap();
    compare((&other, expected.as_ref()), (&system, actual.as_ref())).unwrap();
    assert_eq!(system.frames_offered(), 2);

    let network = other.network();
    let parameters = Parameters { steps: 11, ..*network.parameters() };
    let network = Network::new(parameters, network.state().clone(), 1).unwrap();
    let longer =
        System::new(*other.history(), network, other.agent().clone(), other.banks().clone());
    let error = engine.reset(&stream, &longer.unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn a_system_of_another_size_is_refused() {
    let system = System::initial(1);
    let small = Network::initial(8, 1).unwrap();
    let (agent, banks) = (system.agent().clone(), system.banks().clone());
    let error = System::new(*system.history(), small, agent, banks).unwrap_err();
    assert_eq!(error.to_string(), "the network of the system has 8 elements, 900 are needed");
}

#[test]
fn a_refused_frame_reaches_no_device_and_the_next_good_one_is_what_it_would_have_been() {
    let device = Device::host_simulated(1);
    let stream = device.stream().unwrap();
    let mut expected = System::initial(6);
    let mut engine = engine(&device, &expected);
    let good = formula(0);
    for place in [0, 899, 900, 1799] {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut bad = good;
            bad[place] = number;
            let error = engine.call(&stream, &bad).unwrap_err();
            assert!(matches!(error, Error::Input { index, .. } if index == place), "{error}");
        }
    }
    let error = engine.call(&stream, &good[1..]).unwrap_err();
    assert_eq!(error, Error::Length { frame: 12, actual: FRAME_LEN - 1 });
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(engine.system(&stream).unwrap() == expected);
    let outputs = optimised::frame(&mut expected, &good).unwrap();
    assert_eq!(engine.call(&stream, &good).unwrap(), outputs.as_ref());
    assert!(engine.system(&stream).unwrap() == expected);
}

#[test]
fn a_frame_that_overflows_names_its_phase_and_leaves_the_state_of_the_last_good_one() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let system = overflowing(&System::initial(1));
    let mut engine = engine(&device, &system);
    for frame in 0..3 {
        let error = engine.call(&stream, &formula(0)).unwrap_err();
        assert_eq!(error, Error::Output { frame, phase: Phase::Thermodynamic });
        assert!(engine.system(&stream).unwrap() == system);
    }
}

#[test]
fn a_device_that_fails_anywhere_in_a_frame_leaves_the_state_of_the_last_good_one() {
    let launches = (0..5).map(|index| (Operation::Launch, index));
    let others = [(Operation::Upload, 0), (Operation::Synchronize, 0)];
    let mut expected = System::initial(8);
    let before = expected.clone();
    let outputs = optimised::frame(&mut expected, &formula(1)).unwrap();
    for (operation, index) in launches.chain(others) {
        let device = Device::host();
        let stream = device.stream().unwrap();
        let mut engine = engine(&device, &before);
        let plan = FaultPlan::none().fail_once(operation, index, ErrorKind::Transient);
        let _device = device.with_faults(plan);
        let error = engine.call(&stream, &formula(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient, "{operation} {index}");
        assert!(engine.system(&stream).unwrap() == before, "{operation} {index}");
        assert_eq!(engine.call(&stream, &formula(1)).unwrap(), outputs.as_ref());
        assert!(engine.system(&stream).unwrap() == expected, "{operation} {index}");
    }
}

#[test]
fn marks_time_every_phase_once_and_change_no_output() {
    let device = Device::host();
    let stream = device.stream().unwrap();
    let mut system = System::initial(1);
    let mut engine = engine(&device, &system);
    let marks = Marks::new(&device).unwrap();
    assert!(marks.spans().is_err(), "nothing was marked yet");
    let outputs = optimised::frame(&mut system, &formula(0)).unwrap();
    assert_eq!(engine.call_marked(&stream, &formula(0), &marks).unwrap(), outputs.as_ref());
    let spans = marks.spans().unwrap();
    let phases: Vec<_> = spans.iter().flat_map(|span| span.phases).copied().collect();
    let all = [
        Phase::Spikes,
        Phase::InformationFlow,
        Phase::Coupling,
        Phase::Thermodynamic,
        Phase::Observable,
        Phase::ActiveInference,
        Phase::Control,
        Phase::Synchronisation,
    ];
    assert_eq!(phases, all);
    let evolve = spans.iter().find(|span| span.part == "evolve").unwrap();
    assert!(!evolve.duration.is_zero());
}
