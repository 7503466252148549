//! What a driver may be or not be, and what the fake one catches through this crate's `unsafe` calls.

use std::collections::BTreeMap;

use fake_driver_client::{Fail, on_driver_without, on_fake_driver};
use gpu_core::{BackendKind, Capability, Device, Error, ErrorKind, KernelImage, Launch, Prepared};

use crate::affine::{self, Affine, AffineArgs, Cooperative};
use crate::driver::{SEEDS, is_backend_built, on_every_seed};
use crate::simulator::{Waits, ping_pong};

#[test]
fn a_code_that_no_table_of_the_bindings_has_reaches_the_caller_as_it_is() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(0);
            let device = Device::cuda(0).unwrap();
            for (code, kind) in [(916, ErrorKind::Transient), (7777, ErrorKind::Invalid)] {
                driver.fail(Fail::call("cuStreamCreate", 0, code));
                let error = device.stream().unwrap_err();
                let call = "cuStreamCreate";
                assert_eq!(error, Error::Driver { call, code: i32::try_from(code).unwrap() });
                assert_eq!(error.kind(), kind);
            }
            assert!(device.stream().is_ok(), "the device goes on");
        });
    }
}

#[test]
fn a_driver_that_is_too_old_is_named_with_what_it_lacks() {
    if is_backend_built() {
        on_driver_without("cuStreamCreate", || {
            let device = Device::cuda(0).unwrap();
            let error = device.stream().unwrap_err();
            assert_eq!(error, Error::DriverTooOld { symbol: "cuStreamCreate" });
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.to_string().contains("update the NVIDIA driver"), "{error}");
            assert!(device.buffer::<u8>(1).is_ok(), "the rest is there");
        });
    }
}

#[test]
fn a_driver_that_cannot_start_is_named_with_what_it_lacks() {
    if is_backend_built() {
        on_driver_without("cuInit", || {
            let error = Device::cuda(0).unwrap_err();
            assert_eq!(error, Error::DriverTooOld { symbol: "cuInit" });
            assert_eq!(Device::auto().unwrap().backend(), BackendKind::Host);
        });
    }
}

#[test]
fn a_driver_without_devices_leaves_the_host() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset_with(0, 0);
            assert_eq!(Device::cuda(0).unwrap_err(), Error::NoDevice);
            assert_eq!(Device::cuda_count().unwrap_err().kind(), ErrorKind::Unavailable);
            assert_eq!(Device::auto().unwrap().backend(), BackendKind::Host);
            assert_eq!(Device::list().len(), 1);
        });
    }
}

#[test]
fn each_device_has_its_own_memory_streams_and_attributes() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(0);
            assert_eq!(Device::list().len(), 3);
            let error = Device::cuda(2).unwrap_err();
            assert_eq!(error, Error::OrdinalOutOfRange { ordinal: 2, count: 2 });
            let devices = [0, 1].map(|ordinal| Device::cuda(ordinal).unwrap());
            let [new, old] = devices.each_ref().map(Device::properties);
            assert_eq!(new.capability, Some(Capability::new(9, 0)));
            assert_eq!((new.numa_node, new.blocks_per_multiprocessor_max), (None, 32));
            assert_eq!(old.blocks_per_multiprocessor_max, 0, "an attribute that it does not know");
            assert_ne!(new.uuid, old.uuid);
            assert_eq!(old.pci_bus_id, "ffff:fa:01.0");
            // One thread works on both in turn, so each call must name its context.
            let streams = devices.each_ref().map(|device| device.stream().unwrap());
            let mut buffers = devices.each_ref().map(|device| device.buffer::<u8>(9).unwrap());
            for round in 0..5 {
                for (stream, buffer) in streams.iter().zip(&mut buffers) {
                    stream.write(&[round; 9], buffer.view_mut()).unwrap();
                    assert_eq!(stream.read_vec(buffer.view()).unwrap(), [round; 9]);
                }
            }
            let foreign = streams[0].read_vec(buffers[1].view()).unwrap_err();
            assert_eq!(foreign.kind(), ErrorKind::Invalid);
            drop((buffers, streams, devices));
            driver.assert_clean("two devices");
        });
    }
}

/// Runs `step` as all that a thread does: no call before it has made a context current there.
fn alone<R: Send>(step: impl FnOnce() -> gpu_core::Result<R> + Send) -> R {
    std::thread::scope(|scope| scope.spawn(step).join().unwrap()).unwrap()
}

fn drop_alone<T: Send>(value: T) {
    alone(move || {
        drop(value);
        Ok(())
    });
}

#[test]
fn every_call_may_be_the_first_of_its_thread() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(3);
            let device = alone(|| Device::cuda(0));
            let (stream, event) = (alone(|| device.stream()), alone(|| device.event()));
            let marks = [alone(|| device.timed_event()), alone(|| device.timed_event())];
            let input = alone(|| device.pinned::<f64>(8));
            let mut output = alone(|| device.pinned::<f64>(8));
            let (mut x, mut y) = (alone(|| device.buffer(8)), alone(|| device.buffer(8)));
            let module = alone(|| affine::module(&device));
            let launch = Launch::linear(1, 32).with_shared_bytes(64 << 10);
            let prepared = alone(|| Prepared::<Affine>::new(&device, &module, launch));
            alone(|| stream.record(&marks[0]));
            // SAFETY: nothing writes to `input`, and dropping it waits for the device.
            alone(|| unsafe { stream.upload(&input, x.view_mut()) });
            alone(|| stream.copy(x.view(), y.view_mut()));
            alone(|| stream.zero(y.view_mut()));
            let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 1.0, offset: 4.0 };
            alone(|| stream.launch(&prepared, args));
            // SAFETY: nothing reads `output` before the stream was waited for.
            alone(|| unsafe { stream.download(y.view(), &mut output) });
            alone(|| stream.wait(&event));
            alone(|| stream.record(&marks[1]));
            alone(|| stream.is_idle());
            alone(|| marks[1].is_complete());
            alone(|| marks[1].synchronize());
            alone(|| marks[1].elapsed_since(&marks[0]));
            alone(|| stream.synchronize());
            alone(|| device.synchronize());
            alone(|| device.memory());
            alone(|| prepared.attributes());
            alone(|| prepared.blocks_per_multiprocessor());
            assert_eq!(output[..], [4.0; 8]);
            let graph = alone(|| stream.capture(|| stream.zero(y.view_mut())));
            alone(|| stream.replay(&graph));
            drop_alone(graph);
            drop_alone(prepared);
            drop_alone(module);
            drop_alone((x, y));
            drop_alone(input);
            drop_alone(event);
            drop_alone(stream);
            drop_alone((output, marks, device));
            driver.assert_clean("alone");
        });
    }
}

#[test]
fn page_locked_memory_and_images_stay_until_what_uses_them_has_run() {
    if is_backend_built() {
        on_every_seed(|device| {
            let stream = device.stream().unwrap();
            let prepared = affine::prepare(device, Launch::linear(1, 32)).unwrap();
            let (x, mut y) = (device.buffer(8).unwrap(), device.buffer(8).unwrap());
            let mut z = device.buffer(8).unwrap();
            let input = device.pinned::<f64>(8).unwrap();
            for _ in 0..5 {
                // SAFETY: nothing writes to `input`; that dropping it waits is what is tested.
                unsafe { stream.upload(&input, z.view_mut()) }.unwrap();
            }
            drop(input);
            for _ in 0..5 {
                let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 1.0, offset: 4.0 };
                stream.launch(&prepared, args).unwrap();
            }
            drop(prepared);
        });
    }
}

#[test]
fn waits_make_every_order_equal_and_a_missing_one_shows() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            let expected = ping_pong(&Device::host(), Waits::All);
            let mut wrong = 0;
            for seed in 0..SEEDS {
                driver.reset(seed);
                let device = Device::cuda(0).unwrap();
                assert_eq!(ping_pong(&device, Waits::All), expected, "seed {seed}");
                wrong += u32::from(ping_pong(&device, Waits::NoneAtAll) != expected);
            }
            assert!(wrong > 20, "only {wrong} of {SEEDS} seeds show it");
        });
    }
}

#[test]
fn a_source_that_is_written_before_its_copy_ran_is_caught() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            let mut caught = 0;
            for seed in 0..SEEDS {
                driver.reset(seed);
                let device = Device::cuda(0).unwrap();
                let stream = device.stream().unwrap();
                let mut input = device.pinned::<u8>(100).unwrap();
                let mut buffer = device.buffer::<u8>(100).unwrap();
                // SAFETY: broken on purpose by the write below; the memory itself stays.
                unsafe { stream.upload(&input, buffer.view_mut()) }.unwrap();
                input[7] = 1;
                let is_late = stream.read_vec(buffer.view()).unwrap()[7] == 1;
                assert_eq!(driver.violations().len(), usize::from(is_late), "seed {seed}");
                caught += u32::from(is_late);
            }
            assert!(caught > 20, "only {caught} of {SEEDS} seeds");
        });
    }
}

#[test]
fn a_target_that_is_used_before_its_copy_ran_is_caught() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            let (mut caught, mut seen) = (0, 0);
            for seed in 0..SEEDS {
                driver.reset(seed);
                let device = Device::cuda(0).unwrap();
                let stream = device.stream().unwrap();
                let mut output = device.pinned::<u8>(100).unwrap();
                let buffer = device.buffer::<u8>(100).unwrap();
                // SAFETY: broken on purpose by the accesses below; the memory itself stays.
                unsafe { stream.download(buffer.view(), &mut output) }.unwrap();
                seen += u32::from(output[7] != 0);
                output[7] = 1;
                stream.synchronize().unwrap();
                caught += u32::from(!driver.violations().is_empty());
            }
            assert!(caught > 20, "only {caught} of {SEEDS} seeds");
            assert_eq!(caught, seen, "what is read too early is never what the copy brings");
        });
    }
}

#[test]
fn what_is_never_given_back_is_listed() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(0);
            let device = Device::cuda(0).unwrap();
            std::mem::forget(device.event().unwrap());
            std::mem::forget(device.buffer::<u8>(1).unwrap());
            drop(device);
            let leaked = ["context", "device memory", "event"].map(|kind| (kind.to_owned(), 1));
            assert_eq!(driver.alive(), BTreeMap::from(leaked));
        });
    }
}

#[test]
fn a_cooperative_grid_beyond_the_device_is_refused_before_the_driver_is_asked() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(0);
            let device = Device::cuda(0).unwrap();
            let module = affine::module(&device).unwrap();
            let cooperative = |launch| Prepared::<Cooperative>::new(&device, &module, launch);
            let resident = 132 * 2048 / 1024;
            let fits = cooperative(Launch::linear(resident, 1024)).unwrap();
            let beyond = cooperative(Launch::linear(resident + 1, 1024));
            let blocks = u64::from(resident + 1);
            let resident = u64::from(resident);
            let error = Error::Cooperative { kernel: "affine", blocks, resident };
            assert_eq!(beyond.unwrap_err(), error);
            let stream = device.stream().unwrap();
            let (x, mut y) = (device.buffer(4).unwrap(), device.buffer(4).unwrap());
            let args = AffineArgs { x: x.view(), y: y.view_mut(), factor: 1.0, offset: 2.0 };
            stream.launch(&fits, args).unwrap();
            assert_eq!(stream.read_vec(y.view()).unwrap(), [2.0; 4]);
            assert_eq!(driver.call_counts().get("cuLaunchCooperativeKernel"), Some(&1));
        });
    }
}

#[test]
fn an_image_that_the_driver_refuses_is_an_error_and_so_is_a_missing_kernel() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(0);
            let device = Device::cuda(0).unwrap();
            for image in ["", "no image", "fake image: nothing", ".version 7.0 .entry affine()"] {
                // SAFETY: nothing of the image is launched.
                let refused = unsafe { device.module(&KernelImage::Ptx(image.into())) };
                let Error::Driver { call, .. } = refused.unwrap_err() else { panic!("{image}") };
                assert_eq!(call, "cuModuleLoadDataEx", "{image}");
            }
            // SAFETY: as above.
            let empty = unsafe { device.module(&KernelImage::Ptx(".version 7.0".into())) };
            let missing = Prepared::<Affine>::new(&device, &empty.unwrap(), Launch::linear(1, 32));
            assert_eq!(missing.unwrap_err(), Error::SymbolMissing { kernel: "affine" });
            drop(device);
            driver.assert_clean("images");
        });
    }
}
