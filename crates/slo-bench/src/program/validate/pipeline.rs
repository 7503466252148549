//! Section `pipeline`: frames keep their order and every bit, whatever the streams do.

use std::time::Duration;

use gpu_core::{BackendKind, Device};
use slo_bench::Section;

use super::Amount;
use crate::program::setup::Setup;
use crate::program::stream::{Streamed, saturate, stream, throughput};

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("pipeline");
    let host = Device::host();
    let expected = run(setup, &host, "pipeline, host")?;
    check(&mut section, "host", &expected, &expected, setup);
    for seed in 0..amount.seeds {
        let name = format!("simulated, seed {seed}");
        let streamed = run(setup, &Device::host_simulated(seed), &format!("pipeline, {name}"))?;
        check(&mut section, &name, &streamed, &expected, setup);
    }
    if setup.device().backend() != BackendKind::Host {
        let streamed = run(setup, setup.device(), "pipeline, device")?;
        check(&mut section, setup.label(), &streamed, &expected, setup);
        throughput(&mut section, setup.device(), &streamed);
    } else {
        throughput(&mut section, &host, &expected);
    }
    let passes = section.checks.len();
    overlap(setup, &mut section)?;
    let detail = format!(
        "{} frames in order, every element checked on {passes} devices, digest {}",
        expected.frames, expected.digest
    );
    Ok(section.close(detail))
}

fn run(setup: &Setup<'_>, device: &Device, what: &str) -> anyhow::Result<Streamed> {
    let bar = setup.terminal.progress(what, setup.frames.count());
    let mut source = setup.frames.open()?;
    let streamed = stream(device, &setup.images, &mut *source, |frames| bar.inc(frames));
    bar.finish_and_clear();
    streamed
}

fn check(
    section: &mut Section,
    name: &str,
    streamed: &Streamed,
    expected: &Streamed,
    setup: &Setup<'_>,
) {
    let (frames, due, digest) = (streamed.frames, setup.frames.count(), &streamed.digest);
    let fault = match &streamed.fault {
        Some(fault) => Some(fault.clone()),
        None if frames != due => Some(format!("{frames} frames came back of {due}")),
        None if *digest != expected.digest => {
            Some(format!("digest {digest} instead of {}", expected.digest))
        }
        None => None,
    };
    let seen = || format!("{frames} frames, digest {digest}");
    section.check(
        format!("order and integrity, {name}"),
        fault.is_none(),
        fault.unwrap_or_else(seen),
    );
}

/// Adds what a run without a host in its way says about overlap: batches are filled once and go round.
pub(in crate::program) fn overlap(setup: &Setup<'_>, section: &mut Section) -> anyhow::Result<()> {
    let batches = match setup.device().backend() {
        BackendKind::Cuda => 512,
        BackendKind::Host | BackendKind::HostSimulated => 32,
    };
    let (report, fault) = saturate(setup.device(), &setup.images, batches)?;
    let seen = format!("{} batches of {} bytes up", report.batches, report.bytes_up / batches);
    section.check("batches that go round keep every bit", fault.is_none(), fault.unwrap_or(seen));
    let lanes = [
        ("upload busy", report.busy.upload_ns),
        ("compute busy", report.busy.compute_ns),
        ("download busy", report.busy.download_ns),
        ("first upload to last download", report.span_ns),
    ];
    for (name, ns) in lanes {
        let name = format!("{name}, by events");
        section.figure(name, Duration::from_nanos(ns).as_secs_f64() * 1e3, "ms", setup.label());
    }
    if let Some(speedup) = report.overlap.speedup {
        section.figure("sum of the lanes / span, by events", speedup, "x", setup.label());
    }
    if let Some(efficiency) = report.overlap.efficiency {
        let name = "three-stage bound / span, by events";
        section.figure(name, efficiency, "of 1", setup.label());
    }
    Ok(())
}
