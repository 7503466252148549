//! Saturation where nothing tells how busy the device is: loads and services run and are right, and nothing is judged.

use gpu_core::{Clock, Device, Error, ErrorKind, KernelImages, Reading};
use slo_bench::saturation::{Demand, SaturationPromise, Sensor, serve};
use slo_bench::{Formula, Reference, SaturationTerms, Variant, Verdict, WorkloadConfig};

use super::{slo_bench, stdout};

#[test]
fn on_the_host_the_loads_are_right_and_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["validate", "--only", "saturation", "--device", "host", "--out", "out"];
    let output = slo_bench(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let report = slo_bench::Report::read(&folder.path().join("out/report.json")).unwrap();
    let [section] = report.sections.as_slice() else { panic!("{}", stdout(&output)) };
    assert!(section.figures.is_empty() && section.files.is_empty(), "{:?}", section.figures);
    let seen: Vec<_> = section.checks.iter().map(|c| (c.name.as_str(), &c.verdict)).collect();
    let reason = "nothing tells how busy a host is: --device asks for the host";
    let skipped = &Verdict::skipped(reason);
    assert_eq!(
        seen,
        [
            ("ceiling of memory: results are right", &Verdict::Pass),
            ("ceiling of arithmetic: results are right", &Verdict::Pass),
            ("one-block spin: results are right", &Verdict::Pass),
            ("one-block spin does not saturate", skipped),
            ("streaming triad: results are right", &Verdict::Pass),
            ("streaming triad saturates the device", skipped),
        ]
    );
}

#[test]
fn a_bench_on_the_host_tries_the_triad_and_leaves_promises_about_a_gpu_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("contracts")).unwrap();
    let text = "name = \"busy\"\nworkload = \"frame\"\ndevice = \"cuda\"\nn = 900\niterations = 1000\n\
        [saturation]\ndemand = \"multiprocessors\"\n[limits_ms]\np99 = 1\n";
    std::fs::write(folder.path().join("contracts/busy.toml"), text).unwrap();
    let arguments = "bench --only saturation --device host --contracts contracts --out out";
    let output = slo_bench(folder.path(), &arguments.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let report = slo_bench::Report::read(&folder.path().join("out/report.json")).unwrap();
    let [section] = report.sections.as_slice() else { panic!("{}", stdout(&output)) };
    let last: Vec<_> = section.checks[2..].iter().map(|c| (&*c.name, c.verdict.is_bad())).collect();
    let triad = ["streaming triad: results are right", "streaming triad saturates the device"];
    let busy = "busy: NVML gpu > 80 %, GPM multiprocessors > 80 %, 60 s with 1 service";
    assert_eq!(last, [triad[0], triad[1], busy].map(|name| (name, false)));
    let reason = "it is about a GPU, and none is used: --device asks for the host";
    assert_eq!(section.checks[4].verdict, Verdict::skipped(reason));
}

/// Tells nothing.
#[derive(Debug)]
struct Blind;

impl Sensor for Blind {
    fn read(&mut self) -> gpu_core::Result<Reading> {
        Err(Error::Telemetry { reason: "blind".to_owned(), kind: ErrorKind::Unavailable })
    }
}

#[test]
fn services_of_every_workload_run_side_by_side() {
    let (device, images) = (Device::host(), KernelImages::at("nowhere"));
    let promise = SaturationPromise::new(Demand::Multiprocessors).lasting(0, 0);
    let terms = SaturationTerms { services: 2, promise, rate_hz_min: None };
    for workload in Reference::ALL {
        let open = |number: u32| {
            let (n, seed) = (workload.n(), number.into());
            let (device, images) = (&device, &images);
            let config = WorkloadConfig { variant: Variant::Device, n, seed, device, images };
            workload.open(&config, Box::new(Formula::unlimited()))
        };
        let work = workload.work(workload.n());
        let (served, trace) = serve(&terms, work, &Clock::real(), &mut Blind, open).unwrap();
        // At least one each, however slow this machine is.
        assert!(served.latency.len() >= 2 && served.rate_hz > 0.0, "{}", workload.name());
        assert_eq!(trace.failure.as_deref(), Some("telemetry failed: blind"));
    }
}
