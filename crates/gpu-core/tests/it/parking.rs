//! What a driver still has beside living graphs: what they could name, and nothing else.

use fake_driver_client::on_fake_driver;
use gpu_core::{Device, Graph, Stream};

use crate::affine;
use crate::driver::is_backend_built;

/// A graph that names nothing; it could name all that is there.
fn graph(stream: &Stream) -> Graph {
    stream.capture(|| Ok(())).unwrap()
}

#[test]
fn beside_a_graph_a_thousand_buffers_and_modules_come_and_go_and_none_stays() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(0);
            let device = Device::cuda(0).unwrap();
            let stream = device.stream().unwrap();
            let living = graph(&stream);
            let alive = driver.alive();
            for round in 0..1000 {
                let mut buffer = device.buffer::<f64>(8).unwrap();
                let pinned = device.pinned::<f64>(8).unwrap();
                let module = affine::module(&device).unwrap();
                stream.scope(|scope| scope.upload(&pinned, buffer.view_mut())).unwrap();
                stream.replay(&living).unwrap();
                drop((buffer, pinned, module));
                assert_eq!(driver.alive(), alive, "round {round}");
            }
            drop((living, stream, device));
            driver.assert_clean("come and go");
        });
    }
}

#[test]
fn what_is_older_than_a_graph_stays_until_the_last_graph_that_could_name_it_goes() {
    if is_backend_built() {
        on_fake_driver(|driver| {
            driver.reset(0);
            let device = Device::cuda(0).unwrap();
            let stream = device.stream().unwrap();
            let module = affine::module(&device).unwrap();
            let [gone, named] = [(); 2].map(|()| device.buffer::<f64>(8).unwrap());
            let pinned = device.pinned::<f64>(8).unwrap();
            let first = graph(&stream);
            let with_first = driver.alive();
            drop(gone);
            let second = graph(&stream);
            let alive = driver.alive();
            assert_eq!(alive["device memory"], with_first["device memory"]);
            drop((named, pinned, module));
            assert_eq!(driver.alive(), alive, "both could name them");
            drop(first);
            let with_second = driver.alive();
            assert_eq!(with_second["device memory"], alive["device memory"] - 1);
            assert_eq!(with_second["module"], alive["module"]);
            drop((second, stream, device));
            driver.assert_clean("older");
        });
    }
}
