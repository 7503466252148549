//! Scripted failures reach the caller as values, once, and leave the device usable unless it is lost.

use gpu_core::{
    Device, ErrorKind, FaultPlan, HostMemory, Kernel, KernelImage, Launch, LaunchContract,
    Operation, Params, Prepared, Result,
};

use crate::affine::{self, AffineArgs};

/// A little of everything that a device does.
fn journey(device: &Device) -> Result<Vec<f64>> {
    let stream = device.stream()?;
    let event = device.event()?;
    let prepared = affine::prepare(device, Launch::linear(1, 32))?;
    let mut input = device.pinned::<f64>(8)?;
    let mut output = device.pinned::<f64>(8)?;
    let mut x = device.buffer(8)?;
    let mut y = device.buffer(8)?;
    input.fill(2.0);
    stream.scope(|scope| {
        scope.upload(&input, x.view_mut())?;
        scope.stream().zero(y.view_mut())?;
        scope.stream().record(&event)?;
        scope.stream().wait(&event)?;
        let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 3.0, offset: 1.0 };
        scope.stream().launch(&prepared, args)?;
        scope.download(y.view(), &mut output)
    })?;
    Ok(output.to_vec())
}

#[test]
fn each_operation_can_fail_once_and_the_next_try_is_right() {
    for operation in Operation::ALL {
        for kind in [ErrorKind::Transient, ErrorKind::Exhausted] {
            for backend in [Device::host(), Device::host_simulated(1)] {
                let device = backend.with_faults(FaultPlan::none().fail_once(operation, 0, kind));
                let error = journey(&device).unwrap_err();
                assert_eq!(error.kind(), kind, "{operation}");
                assert!(error.to_string().contains(&operation.to_string()), "{error}");
                assert_eq!(journey(&device).unwrap(), [7.0; 8], "{operation}");
            }
        }
    }
}

#[test]
fn a_lost_device_stays_lost_and_remembers_why() {
    for operation in Operation::ALL {
        let plan = FaultPlan::none().fail_once(operation, 0, ErrorKind::Poisoned);
        let device = Device::host().with_faults(plan);
        let cause = journey(&device).unwrap_err();
        assert_eq!(device.lost(), Some(&cause), "{operation}");
        for _ in 0..2 {
            let later = journey(&device).unwrap_err();
            assert_eq!(later.kind(), ErrorKind::Poisoned);
            assert!(later.to_string().contains(&cause.to_string()), "{later}");
        }
    }
}

#[test]
fn a_copy_in_flight_is_settled_when_a_later_call_fails() {
    for seed in 0..100 {
        let plan = FaultPlan::none().fail_once(Operation::Launch, 0, ErrorKind::Transient);
        let device = Device::host_simulated(seed);
        let stream = device.stream().unwrap();
        let prepared = affine::prepare(&device, Launch::linear(1, 32)).unwrap();
        let device = device.with_faults(plan);
        let mut input = device.pinned::<f64>(8).unwrap();
        let mut x = device.buffer(8).unwrap();
        let mut y = device.buffer(8).unwrap();
        input.fill(1.0);
        let failed = stream.scope(|scope| {
            scope.upload(&input, x.view_mut())?;
            let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 1.0, offset: 0.0 };
            scope.stream().launch(&prepared, args)
        });
        assert!(failed.is_err());
        input.fill(2.0);
        let read = stream.read_vec(x.view()).unwrap();
        assert_eq!(read, [1.0; 8], "seed {seed}: the upload read its source after the scope");
    }
}

#[test]
fn a_synchronize_that_fails_still_settles_the_scope() {
    for seed in 0..100 {
        let device = Device::host_simulated(seed);
        let stream = device.stream().unwrap();
        let plan = FaultPlan::none().fail_once(Operation::Synchronize, 0, ErrorKind::Transient);
        let device = device.with_faults(plan);
        let mut input = device.pinned::<f64>(8).unwrap();
        let mut x = device.buffer(8).unwrap();
        input.fill(1.0);
        assert!(stream.scope(|scope| scope.upload(&input, x.view_mut())).is_err());
        input.fill(2.0);
        assert_eq!(stream.read_vec(x.view()).unwrap(), [1.0; 8], "seed {seed}");
    }
}

#[test]
fn a_blocking_copy_whose_wait_fails_is_still_settled() {
    for seed in 0..100 {
        let device = Device::host_simulated(seed);
        let stream = device.stream().unwrap();
        let mut x = device.buffer(8).unwrap();
        let plan = FaultPlan::none().fail_once(Operation::Synchronize, 0, ErrorKind::Transient);
        let device = device.with_faults(plan);
        let mut source = vec![1.0; 8];
        assert!(stream.write(&source, x.view_mut()).is_err());
        source.fill(2.0);
        assert_eq!(stream.read_vec(x.view()).unwrap(), [1.0; 8], "seed {seed}");
        drop(device);
    }
}

struct Panicking;

// SAFETY: it runs on the host only, has no parameters, and touches nothing.
unsafe impl Kernel for Panicking {
    type Args<'a> = ();
    const CONTRACT: LaunchContract = LaunchContract::new("panicking");

    fn check((): &(), _launch: &Launch) -> Result<()> {
        Ok(())
    }

    fn bind((): &(), _params: &mut Params) {}

    fn reference((): (), _launch: &Launch, _memory: &HostMemory) {
        panic!("on purpose");
    }
}

#[test]
fn a_reference_that_panics_loses_the_device_and_runs_nothing_that_was_queued() {
    let simulated = (0..100).map(Device::host_simulated);
    for device in [Device::host()].into_iter().chain(simulated) {
        let stream = device.stream().unwrap();
        // SAFETY: the host has no use for the image.
        let module = unsafe { device.module(&KernelImage::Binary(Vec::new())) }.unwrap();
        let prepared = Prepared::<Panicking>::new(&device, &module, Launch::linear(1, 32)).unwrap();
        let buffer = device.buffer::<f64>(4).unwrap();
        let mut target = vec![7.0; 4];
        let launched = stream.launch(&prepared, ());
        let read = launched.and_then(|()| stream.read(buffer.view(), &mut target));
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Poisoned);
        assert!(error.to_string().ends_with("on purpose"), "{error}");
        let before = target.clone();
        assert_eq!(device.synchronize().unwrap_err().kind(), ErrorKind::Poisoned);
        assert_eq!(target, before, "nothing is written after the call has returned");
        assert!(device.lost().is_some());
    }
}
