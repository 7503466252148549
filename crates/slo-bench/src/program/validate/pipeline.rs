//! Section `pipeline`: frames keep their order and every bit, whatever the streams do.

use std::path::Path;
use std::time::Duration;

use gpu_core::{BackendKind, Device};
use memory_pipeline::{
    CalibrationConfig, ChunkChoice, ChunkSearch, Config, Overlap, PipelineReport, calibrate,
};
use slo_bench::{FRAME_LEN, Section, TIMELINE, TRACE};

use super::Amount;
use crate::program::fleet;
use crate::program::setup::Setup;
use crate::program::stream::{saturate, stream, throughput};
use crate::program::streamed::Streamed;

pub(super) fn section(setup: &Setup<'_>, amount: &Amount) -> anyhow::Result<Section> {
    let mut section = Section::new("pipeline");
    let (host, due) = (Device::host(), setup.frames.count());
    let expected = run(setup, &host, "pipeline, host")?;
    expected.check(&mut section, "host", &expected, due);
    for seed in 0..amount.seeds {
        let name = format!("simulated, seed {seed}");
        let streamed = run(setup, &Device::host_simulated(seed), &format!("pipeline, {name}"))?;
        streamed.check(&mut section, &name, &expected, due);
    }
    if setup.session.device().backend() != BackendKind::Host {
        let streamed = run(setup, setup.session.device(), "pipeline, device")?;
        streamed.check(&mut section, setup.session.label(), &expected, due);
        throughput(&mut section, setup.session.device(), &streamed);
    } else {
        throughput(&mut section, &host, &expected);
    }
    let passes = section.checks.len();
    fleet::add(setup, &mut section, &expected)?;
    overlap(setup, &mut section)?;
    let detail = format!(
        "{} frames in order, every element checked on {passes} devices, digest {}",
        expected.frames, expected.digest
    );
    Ok(section.close(detail))
}

fn run(setup: &Setup<'_>, device: &Device, what: &str) -> anyhow::Result<Streamed> {
    let bar = setup.session.terminal.progress(what, setup.frames.count());
    let mut source = setup.frames.open()?;
    let streamed = stream(device, &setup.session.images, &mut *source, |frames| bar.inc(frames));
    bar.finish_and_clear();
    streamed
}

/// Adds what a run without a host in its way says about overlap: batches are filled once and go round.
pub(in crate::program) fn overlap(setup: &Setup<'_>, section: &mut Section) -> anyhow::Result<()> {
    let batches = match setup.session.device().backend() {
        BackendKind::Cuda => 512,
        BackendKind::Host | BackendKind::HostSimulated => 32,
    };
    let (report, fault) = saturate(setup.session.device(), &setup.session.images, batches)?;
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
        section.figure(
            name,
            Duration::from_nanos(ns).as_secs_f64() * 1e3,
            "ms",
            setup.session.label(),
        );
    }
    if setup.session.device().backend() == BackendKind::Cuda {
        ratios(section, &report.overlap, setup.session.label());
        ceiling(setup, section, &report)?;
    }
    timeline(section, &report, &setup.session.beside_report()?)
}

/// Adds what the link gives, how much of that the run took, and what a pipeline tuned to it would be. Not on a host, whose lanes share its memory with everything else.
fn ceiling(
    setup: &Setup<'_>,
    section: &mut Section,
    report: &PipelineReport,
) -> anyhow::Result<()> {
    let chunk_bytes = usize::try_from(report.bytes_up / report.batches.max(1))?;
    let rates = calibrate(setup.session.device(), CalibrationConfig::new(chunk_bytes))?;
    let label = setup.session.label();
    let figures = [
        ("link, up alone", rates.up_alone_gb_s),
        ("link, down alone", rates.down_alone_gb_s),
        ("link, up while copies come down", rates.up_duplex_gb_s),
        ("link, down while copies go up", rates.down_duplex_gb_s),
    ];
    for (name, rate) in figures {
        section.figure(format!("{name}, chunks of {chunk_bytes} bytes"), rate, "GB/s", label);
    }
    if let Some(efficiency) = report.ceiling(&rates).efficiency {
        let name = "bound with the link's times both ways at once / span";
        section.figure(name, efficiency, "of 1", label);
    }
    let choice = ChunkChoice::measure(setup.session.device(), ChunkSearch::default())?;
    let tuned = Config::tuned::<f64>(&choice);
    let figures = [
        ("smallest copy with 97 % of the best rate both ways", choice.chunk_bytes >> 10, "KiB"),
        ("whole frames in a batch of that size", tuned.batch_len / FRAME_LEN, "frames"),
        ("threads that would stage it", tuned.staging_threads, "threads"),
    ];
    for (name, value, unit) in figures {
        section.figure(format!("tuned pipeline: {name}"), value as f64, unit, label);
    }
    Ok(())
}

/// Puts the lanes' times beside the report, as a picture and as trace events.
fn timeline(section: &mut Section, report: &PipelineReport, folder: &Path) -> anyhow::Result<()> {
    if report.backend == BackendKind::HostSimulated {
        return Ok(()); // Its order was drawn at random: no measurement.
    }
    for (name, text) in [(TIMELINE, report.svg()), (TRACE, report.chrome_trace())] {
        std::fs::write(folder.join(name), text)?;
        section.files.push(name.to_owned());
    }
    Ok(())
}

/// Adds how well the lanes overlapped: on a GPU only, since the host's lanes share its cores and have no bound to reach.
fn ratios(section: &mut Section, overlap: &Overlap, label: &str) {
    if let Some(speedup) = overlap.speedup {
        section.figure("sum of the lanes / span, by events", speedup, "x", label);
    }
    if let Some(efficiency) = overlap.efficiency {
        section.figure("three-stage bound / span, by events", efficiency, "of 1", label);
    }
}
