//! How busy loads and services keep this device, as parts of a report.
//!
//! Never judges a load whose results are wrong, and never says anything of a host: nothing tells how busy it is.

use std::time::Duration;

use gpu_core::{BackendKind, ThrottleReason};

use super::versions::{SEED, Subject};
use super::{Session, label};
use crate::contract::{SaturationTerms, milliseconds};
use crate::frames::FrameSource;
use crate::report::Section;
use crate::saturation::{
    Ceiling, Control, Driver, Duty, LoadName, Observation, Saturation, SaturationPromise, Sensor,
    Served, Trace, judge, serve, warm_up_s,
};
use crate::statistics::Quantile;
use crate::verdict::Verdict;
use crate::workload::{Variant, WorkloadConfig};

/// What tells how busy a device is, and what the device reaches at best.
#[derive(Debug)]
pub struct Gauge<'a> {
    session: &'a Session<'a>,
    /// Or what becomes of promises, since nothing tells: on a host they are skipped, and on a GPU invalid.
    sensor: Result<Box<dyn Sensor>, Verdict>,
    ceiling: Ceiling,
    /// Names of the tables beside the report.
    kept: Vec<String>,
}

/// What came of a load.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What is wrong with the results, in words.
    pub fault: Option<String>,
    /// What was seen of the device, or what becomes of a promise where nothing tells how busy it is.
    pub seen: Result<Seen, Verdict>,
}

/// What was seen of a device, and what that says.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The device meanwhile.
    pub trace: Trace,
    /// How a promise was kept.
    pub judged: Saturation,
}

/// What came of services.
#[derive(Debug)]
pub struct Carried {
    /// Their rate and latencies.
    pub served: Served,
    /// How busy they kept the device, and whether they finished as much as was asked.
    pub judged: Saturation,
}

/// Services of a workload, side by side.
#[derive(Clone, Copy, Debug)]
pub struct Serving<'a> {
    /// What they are called in the report.
    pub name: &'a str,
    /// The workload of each.
    pub subject: Subject,
    /// How many there are, and what they are held against.
    pub terms: &'a SaturationTerms,
}

/// Opens the frames of a service.
pub type OpenFrames<'a> = &'a (dyn Fn() -> crate::Result<Box<dyn FrameSource>> + Sync);

impl<'a> Gauge<'a> {
    /// Measures what the device reaches at best, bytes by the triad and operations by turning points, and adds that to
    /// `section`; `None` if a result is wrong, which leaves nothing to judge by.
    ///
    /// # Errors
    /// If a load cannot be made, or what the device says.
    pub fn open(session: &'a Session<'a>, section: &mut Section) -> anyhow::Result<Option<Self>> {
        let lasting = if is_gpu(session) { Duration::from_secs(1) } else { ONCE };
        let driver = Driver::new(session.device(), &session.images, &session.clock)?;
        let triad = driver.rate(LoadName::StreamingTriad, lasting)?;
        let spin = driver.rate(LoadName::FullSpin, lasting)?;
        let is_right = triad.fault.is_none() && spin.fault.is_none();
        right(section, "ceiling of memory", triad.fault);
        right(section, "ceiling of arithmetic", spin.fault);
        if !is_right {
            return Ok(None);
        }
        let bytes_per_s_peak = session.device().properties().memory_bandwidth_peak();
        let (bytes_per_s, operations_per_s) = (triad.bytes_per_s, spin.operations_per_s);
        if is_gpu(session) {
            let label = session.label();
            section.figure("triad, read and written", bytes_per_s / 1e9, "GB/s", label);
            section.figure("spin, single precision", operations_per_s / 1e12, "Tflop/s", label);
            if let Some(peak) = bytes_per_s_peak {
                let percent = 100.0 * bytes_per_s / peak;
                section.figure("triad, of the theoretical", percent, "%", label);
            }
        }
        let ceiling = Ceiling { bytes_per_s, operations_per_s, bytes_per_s_peak };
        let sensor = match session.device().monitor()? {
            Some(monitor) => Ok(Box::new(monitor) as Box<dyn Sensor>),
            None => Err(unseen(session.place.gpu_refusal.as_deref())),
        };
        Ok(Some(Self { session, sensor, ceiling, kept: Vec::new() }))
    }

    /// What becomes of a promise, where nothing tells how busy the device is.
    pub fn unseen(&self) -> Option<&Verdict> {
        self.sensor.as_ref().err()
    }

    /// Why nothing is judged, where nothing tells how busy the device is.
    pub fn blindness(&self) -> Option<&str> {
        self.sensor.as_ref().err().and_then(Verdict::reason)
    }

    /// Keeps a load on the device for a share of the time and judges it; where nothing tells how busy the device is, the
    /// load only runs once.
    ///
    /// # Errors
    /// If the load cannot be made, or what the device says.
    pub fn watch(
        &mut self,
        load: LoadName,
        duty_percent: u32,
        promise: &SaturationPromise,
    ) -> gpu_core::Result<Watched> {
        let Self { session, sensor, ceiling, .. } = self;
        let driver = Driver::new(session.device(), &session.images, &session.clock)?;
        let sensor = match sensor {
            Ok(sensor) => sensor,
            Err(unseen) => {
                let fault = driver.rate(load, ONCE)?.fault;
                return Ok(Watched { fault, seen: Err(unseen.clone()) });
            }
        };
        let duty = Duty::share(duty_percent, promise);
        let (trace, fault) = driver.watched(load, duty, &mut **sensor, promise.period())?;
        let judged = judge(&trace, promise, Some(ceiling));
        Ok(Watched { fault, seen: Ok(Seen { trace, judged }) })
    }

    /// Holds a load against what is known of it, after `seconds` that count.
    ///
    /// # Errors
    /// As for [`watch`](Self::watch), and if what was seen cannot be written beside the report.
    pub fn control(
        &mut self,
        section: &mut Section,
        control: &Control,
        seconds: u32,
    ) -> anyhow::Result<()> {
        let Control { name, load, duty_percent, demand, .. } = *control;
        let promise = SaturationPromise::new(demand).lasting(warm_up_s(seconds), seconds);
        let Watched { fault, seen } = self.watch(load, duty_percent, &promise)?;
        let is_right = fault.is_none();
        right(section, name, fault);
        match seen {
            Ok(seen) if is_right => {
                self.tell(section, name, &promise, &seen)?;
                let Saturation { verdict, .. } = &seen.judged;
                let words = format!("judged {verdict}: {}", seen.judged.evidence());
                section.check(control.expectation(), control.as_expected(&seen.judged), words);
            }
            Err(unseen) if is_right => section.check(control.expectation(), unseen, ""),
            _ => {}
        }
        Ok(())
    }

    /// Runs services side by side and adds what was seen, their rate together and the latency of each. Where nothing tells how
    /// busy the device is, nothing is run; the error within is what becomes of the promise.
    ///
    /// # Errors
    /// [`Error::Service`](crate::Error::Service), and if what was seen cannot be written beside the report.
    pub fn services(
        &mut self,
        section: &mut Section,
        serving: &Serving<'_>,
        frames: OpenFrames<'_>,
    ) -> anyhow::Result<Result<Carried, Verdict>> {
        let Serving { name, subject: Subject { workload, n }, terms } = *serving;
        let (device, images) = (self.session.device(), &self.session.images);
        let sensor = match &mut self.sensor {
            Ok(sensor) => &mut **sensor,
            Err(unseen) => return Ok(Err(unseen.clone())),
        };
        let open = |number: u32| {
            // Services whose noise is the same would be the same work over and over.
            let seed = SEED + u64::from(number);
            let config = WorkloadConfig { variant: Variant::Device, n, seed, device, images };
            workload.open(&config, frames()?)
        };
        let (served, trace) = serve(terms, workload.work(n), &self.session.clock, sensor, open)?;
        let judged = judge(&trace, &terms.promise, Some(&self.ceiling));
        let judged = served.judged_with_rate(terms, judged);
        let seen = Seen { trace, judged };
        self.tell(section, name, &terms.promise, &seen)?;
        add_served(section, name, &served, self.session.label());
        Ok(Ok(Carried { served, judged: seen.judged }))
    }

    /// Adds what was seen: figures, charts, the condition of the device, and a table beside the report.
    fn tell(
        &mut self,
        section: &mut Section,
        name: &str,
        promise: &SaturationPromise,
        seen: &Seen,
    ) -> anyhow::Result<()> {
        let Seen { trace, judged } = seen;
        self.keep(section, name, &trace.to_csv(promise.demand, Some(&self.ceiling)))?;
        let label = self.session.label();
        for chart in trace.charts(name, promise, Some(&self.ceiling), label) {
            section.chart(chart);
        }
        judged.add_figures(section, name, label);
        conditions(section, name, trace.after(promise.warm_up()), label);
        if let Some(energy) = trace.energy_j() {
            section.figure(format!("{name}: energy"), energy, "J", label);
        }
        Ok(())
    }

    /// Puts what was seen beside the report, as a table. Names that differ only in what a file's name leaves out are numbered.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep(&mut self, section: &mut Section, name: &str, table: &str) -> anyhow::Result<()> {
        let stem = format!("saturation-{}", label(name));
        let mut file = format!("{stem}.csv");
        for number in 2_u32.. {
            if !self.kept.contains(&file) {
                break;
            }
            file = format!("{stem}-{number}.csv");
        }
        std::fs::write(self.session.beside_report()?.join(&file), table)?;
        self.kept.push(file.clone());
        section.files.push(file);
        Ok(())
    }
}

/// How long a load runs that is only tried.
const ONCE: Duration = Duration::from_millis(1);

fn is_gpu(session: &Session<'_>) -> bool {
    session.device().backend() == BackendKind::Cuda
}

/// What becomes of promises where nothing tells how busy a device is, which on a GPU is no reason to leave them out.
fn unseen(gpu_refusal: Option<&str>) -> Verdict {
    match gpu_refusal {
        Some(reason) => Verdict::skipped(format!("nothing tells how busy a host is: {reason}")),
        None => Verdict::invalid("the management library tells nothing of this device"),
    }
}

fn right(section: &mut Section, what: &str, fault: Option<String>) {
    let is_right = fault.is_none();
    let seen = fault.unwrap_or_else(|| "compared with the reference".to_owned());
    section.check(format!("{what}: results are right"), is_right, seen);
}

/// Adds what services came to beside how busy they kept the device.
fn add_served(section: &mut Section, name: &str, served: &Served, measured_on: &str) {
    let rate = format!("{name}: iterations of all services together");
    section.figure(rate, served.rate_hz, "Hz", measured_on);
    let asked = [Quantile::P50, Quantile::P99];
    for (quantile, ns) in asked.into_iter().zip(served.latency.quantiles(&asked)) {
        if let Some(ns) = ns {
            let name = format!("{name}: latency of a service beside the others, {quantile}");
            section.figure(name, milliseconds(ns), "ms", measured_on);
        }
    }
}

/// Adds in which condition the device was while `what` ran, from what was seen after the warm-up. A device that was slowed
/// down voids what was seen, and is no fault of what ran.
fn conditions(section: &mut Section, what: &str, seen: &[Observation], measured_on: &str) {
    if seen.is_empty() {
        return;
    }
    let samples = || seen.iter().map(|seen| &seen.reading.sample);
    let count = seen.len() as f64;
    let power = samples().map(|sample| sample.power_watts).sum::<f64>() / count;
    section.figure(format!("{what}: power, mean"), power, "W", measured_on);
    let clocks = samples().map(|sample| sample.sm_clock_mhz);
    if let (Some(least), Some(most)) = (clocks.clone().min(), clocks.max()) {
        section.figure(format!("{what}: SM clock, least"), least.into(), "MHz", measured_on);
        section.figure(format!("{what}: SM clock, most"), most.into(), "MHz", measured_on);
    }
    if let Some(most) = samples().map(|sample| sample.temperature_celsius).max() {
        section.figure(format!("{what}: temperature, most"), most.into(), "C", measured_on);
    }
    let mut reasons: Vec<ThrottleReason> =
        samples().flat_map(|sample| sample.throttle_reasons.iter().copied()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let words: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
    let words = format!("clocks were held back by {words}");
    let (verdict, words) = if reasons.iter().any(|reason| reason.is_slowdown()) {
        (Verdict::invalid(words), String::new())
    } else {
        (Verdict::Pass, words)
    };
    section.check(format!("{what}: neither heat nor protection slowed it"), verdict, words);
}

#[cfg(test)]
mod tests;
