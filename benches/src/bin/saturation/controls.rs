//! Loads of which it is known beforehand whether they saturate the device: a test of the judgement, not of the device.

use std::time::Duration;

use gpu_core::{Monitor, Stream};
use slo_bench::cli::Session;
use slo_bench::saturation::{Ceiling, Demand, Saturation, SaturationPromise, judge};
use slo_bench::{Section, Verdict};

use crate::drive::{Driver, Duty, conditions, keep};
use crate::load::{self, Load};
use crate::{Options, is_gpu, unmonitored, warm_up_s};

type Make = fn(&Session<'_>, &Stream) -> gpu_core::Result<Load>;

/// A load and what the judgement has to say of it.
struct Control {
    name: &'static str,
    make: Make,
    duty_percent: u32,
    demand: Demand,
    saturates: bool,
}

const CONTROLS: [Control; 7] = [
    // Held against arithmetic, of which NVML sees all that is promised; memory would miss it at once.
    hollow("one-block spin", load::one_block, 100, Demand::Arithmetic),
    hollow("strided reads", load::strided_reads, 100, Demand::Memory),
    hollow("L2-resident triad", load::resident_triad, 100, Demand::Memory),
    hollow("half-duty triad", load::streaming_triad, 50, Demand::Memory),
    busy("streaming triad", load::streaming_triad, Demand::Memory),
    busy("matrix product", load::product, Demand::Arithmetic),
    busy("spin on all multiprocessors", load::full_spin, Demand::Arithmetic),
];

const fn hollow(name: &'static str, make: Make, duty_percent: u32, demand: Demand) -> Control {
    Control { name, make, duty_percent, demand, saturates: false }
}

const fn busy(name: &'static str, make: Make, demand: Demand) -> Control {
    Control { name, make, duty_percent: 100, demand, saturates: true }
}

/// What the device reaches at best: bytes by the triad, operations by turning points. `None` if a result was wrong.
pub(super) fn ceiling(session: &Session<'_>) -> anyhow::Result<(Section, Option<Ceiling>)> {
    let mut section = Section::new("ceiling");
    let driver = Driver::new(session)?;
    let lasting = Duration::from_millis(if is_gpu(session) { 1000 } else { 1 });
    let mut triad = load::streaming_triad(session, &driver.stream)?;
    let (bytes_per_s, rounds) = driver.rate(&triad, lasting, |work| work.bytes)?;
    let triad_fault = triad.fault(&driver.stream, rounds)?;
    drop(triad);
    let mut spin = load::full_spin(session, &driver.stream)?;
    let (operations_per_s, rounds) = driver.rate(&spin, lasting, |work| work.operations)?;
    let spin_fault = spin.fault(&driver.stream, rounds)?;
    let is_right = triad_fault.is_none() && spin_fault.is_none();
    for (what, fault) in [("triad", triad_fault), ("spin", spin_fault)] {
        right(&mut section, what, fault);
    }
    let label = session.label();
    section.figure("triad, read and written", bytes_per_s / 1e9, "GB/s", label);
    section.figure("spin, single precision", operations_per_s / 1e12, "Tflop/s", label);
    let bytes_per_s_peak = session.device().properties().memory_bandwidth_peak();
    if let Some(peak) = bytes_per_s_peak {
        section.figure("triad, of the theoretical", 100.0 * bytes_per_s / peak, "%", label);
    }
    let measured = Ceiling { bytes_per_s, operations_per_s, bytes_per_s_peak };
    Ok((section.close("measured in this run"), is_right.then_some(measured)))
}

/// Every control, judged.
pub(super) fn section(
    options: &Options,
    session: &Session<'_>,
    mut monitor: Option<&mut Monitor>,
    ceiling: &Ceiling,
) -> anyhow::Result<Section> {
    let mut section = Section::new("controls");
    for control in &CONTROLS {
        let monitor = monitor.as_deref_mut();
        run(options, session, monitor, ceiling, (&mut section, control))?;
    }
    Ok(section.close(format!("{} loads judged as they should be", CONTROLS.len())))
}

fn run(
    options: &Options,
    session: &Session<'_>,
    monitor: Option<&mut Monitor>,
    ceiling: &Ceiling,
    (section, control): (&mut Section, &Control),
) -> anyhow::Result<()> {
    let Control { name, demand, saturates, .. } = *control;
    let driver = Driver::new(session)?;
    let mut load = (control.make)(session, &driver.stream)?;
    let expected =
        format!("{name} {}", if saturates { "saturates the device" } else { "does not saturate" });
    let Some(monitor) = monitor else {
        let (_, rounds) = driver.rate(&load, Duration::from_millis(1), |work| work.bytes)?;
        right(section, name, load.fault(&driver.stream, rounds)?);
        section.check(expected, unmonitored(session), "");
        return Ok(());
    };
    let seconds = if saturates { options.seconds_busy() } else { options.seconds_hollow() };
    let promise = SaturationPromise::new(demand).lasting(warm_up_s(seconds), seconds);
    let duty = Duty::share(control.duty_percent, &promise);
    let (trace, fault) = driver.watched(&mut load, duty, monitor, promise.period())?;
    let is_right = fault.is_none();
    right(section, name, fault);
    keep(session, section, name, &trace.to_csv(demand, Some(ceiling)))?;
    if is_right {
        let judged = judge(&trace, &promise, Some(ceiling));
        judged.add_figures(section, name, session.label());
        conditions(section, name, &trace, session.label());
        section.check(expected, as_expected(&judged, saturates), seen(&judged));
    }
    Ok(())
}

fn right(section: &mut Section, what: &str, fault: Option<String>) {
    let seen = fault.clone().unwrap_or_else(|| "compared with the reference".to_owned());
    section.check(format!("{what}: results are right"), fault.is_none(), seen);
}

/// Whether a judgement is the one that was known beforehand. What could not be judged stays so.
fn as_expected(judged: &Saturation, saturates: bool) -> Verdict {
    match (&judged.verdict, saturates) {
        (Verdict::Pass, true) | (Verdict::Fail, false) => Verdict::Pass,
        (Verdict::Pass, false) | (Verdict::Fail, true) => Verdict::Fail,
        (other, _) => other.clone(),
    }
}

/// The verdict and what it rests on.
fn seen(judged: &Saturation) -> String {
    let levels = || judged.levels.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let words = if judged.words.is_empty() { levels() } else { judged.words.clone() };
    format!("judged {}: {words}", judged.verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(verdict: Verdict) -> Saturation {
        let words = String::new();
        Saturation {
            verdict,
            words,
            is_hollow: false,
            levels: Vec::new(),
            power_capped_percent: 0.0,
        }
    }

    #[test]
    fn a_hollow_load_that_passes_is_a_failure_of_the_judgement() {
        assert_eq!(as_expected(&judged(Verdict::Fail), false), Verdict::Pass);
        assert_eq!(as_expected(&judged(Verdict::Pass), false), Verdict::Fail);
        assert_eq!(as_expected(&judged(Verdict::Pass), true), Verdict::Pass);
        assert_eq!(as_expected(&judged(Verdict::Fail), true), Verdict::Fail);
        for verdict in [Verdict::invalid("hot"), Verdict::inconclusive("short")] {
            assert_eq!(as_expected(&judged(verdict.clone()), false), verdict);
        }
    }
}
