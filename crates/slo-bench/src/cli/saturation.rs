//! How busy loads and services keep this device, as parts of a report.
//!
//! Never judges a load whose results are wrong, and never says anything of a host: nothing tells how busy it is.

use std::time::Duration;

use gpu_core::{BackendKind, Monitor, ThrottleReason};

use super::versions::{SEED, Subject};
use super::{Session, label};
use crate::contract::{SaturationTerms, milliseconds};
use crate::frames::FrameSource;
use crate::report::Section;
use crate::saturation::{
    Ceiling, Control, Driver, Duty, LoadName, Saturation, SaturationPromise, Served, Trace, judge,
    serve, warm_up_s,
};
use crate::statistics::Quantile;
use crate::verdict::Verdict;
use crate::workload::{Variant, WorkloadConfig};

/// What tells how busy a device is, and what the device reaches at best.
#[derive(Debug)]
pub struct Gauge<'a> {
    session: &'a Session<'a>,
    /// Or why nothing tells.
    monitor: Result<Monitor, String>,
    ceiling: Ceiling,
}

/// What came of a load.
#[derive(Clone, Debug)]
pub struct Watched {
    /// What is wrong with the results, in words.
    pub fault: Option<String>,
    /// What was seen of the device, or why nothing tells how busy it is.
    pub seen: Result<Seen, String>,
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
    /// How busy they kept the device.
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
        let monitor = session.device().monitor()?.ok_or_else(|| match &session.place.gpu_refusal {
            Some(reason) => format!("nothing tells how busy a host is: {reason}"),
            None => "the management library tells nothing of this device".to_owned(),
        });
        Ok(Some(Self { session, monitor, ceiling }))
    }

    /// Why nothing is judged, where nothing tells how busy the device is.
    pub fn blindness(&self) -> Option<&str> {
        self.monitor.as_ref().err().map(String::as_str)
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
        let Self { session, monitor, ceiling } = self;
        let driver = Driver::new(session.device(), &session.images, &session.clock)?;
        let monitor = match monitor {
            Ok(monitor) => monitor,
            Err(reason) => {
                let fault = driver.rate(load, ONCE)?.fault;
                return Ok(Watched { fault, seen: Err(reason.clone()) });
            }
        };
        let duty = Duty::share(duty_percent, promise);
        let (trace, fault) = driver.watched(load, duty, monitor, promise.period())?;
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
            Err(reason) if is_right => {
                section.check(control.expectation(), Verdict::skipped(reason), "");
            }
            _ => {}
        }
        Ok(())
    }

    /// Runs services side by side and adds what was seen, their rate together and the latency of each. Where nothing tells how
    /// busy the device is, nothing is run; the error within says why.
    ///
    /// # Errors
    /// [`Error::Service`](crate::Error::Service), and if what was seen cannot be written beside the report.
    pub fn services(
        &mut self,
        section: &mut Section,
        serving: &Serving<'_>,
        frames: OpenFrames<'_>,
    ) -> anyhow::Result<Result<Carried, String>> {
        let Serving { name, subject: Subject { workload, n }, terms } = *serving;
        let (device, images) = (self.session.device(), &self.session.images);
        let monitor = match &mut self.monitor {
            Ok(monitor) => monitor,
            Err(reason) => return Ok(Err(reason.clone())),
        };
        let open = |number: u32| {
            // Services whose noise is the same would be the same work over and over.
            let seed = SEED + u64::from(number);
            let config = WorkloadConfig { variant: Variant::Device, n, seed, device, images };
            workload.open(&config, frames()?)
        };
        let (served, trace) = serve(terms, workload.work(n), &self.session.clock, monitor, open)?;
        let judged = judge(&trace, &terms.promise, Some(&self.ceiling));
        let seen = Seen { trace, judged };
        self.tell(section, name, &terms.promise, &seen)?;
        add_served(section, name, &served, self.session.label());
        Ok(Ok(Carried { served, judged: seen.judged }))
    }

    /// Adds what was seen: figures, charts, the condition of the device, and a table beside the report.
    fn tell(
        &self,
        section: &mut Section,
        name: &str,
        promise: &SaturationPromise,
        seen: &Seen,
    ) -> anyhow::Result<()> {
        let (Seen { trace, judged }, label) = (seen, self.session.label());
        self.keep(section, name, &trace.to_csv(promise.demand, Some(&self.ceiling)))?;
        for chart in trace.charts(name, promise, Some(&self.ceiling), label) {
            section.chart(chart);
        }
        judged.add_figures(section, name, label);
        conditions(section, name, trace, label);
        Ok(())
    }

    /// Puts what was seen beside the report, as a table.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep(&self, section: &mut Section, name: &str, table: &str) -> anyhow::Result<()> {
        let name = format!("saturation-{}.csv", label(name));
        std::fs::write(self.session.beside_report()?.join(&name), table)?;
        section.files.push(name);
        Ok(())
    }
}

/// How long a load runs that is only tried.
const ONCE: Duration = Duration::from_millis(1);

fn is_gpu(session: &Session<'_>) -> bool {
    session.device().backend() == BackendKind::Cuda
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

/// Adds in which condition the device was while `what` ran.
fn conditions(section: &mut Section, what: &str, trace: &Trace, measured_on: &str) {
    if trace.observations.is_empty() {
        return;
    }
    let samples = || trace.observations.iter().map(|seen| &seen.reading.sample);
    let count = trace.observations.len() as f64;
    let power = samples().map(|sample| sample.power_watts).sum::<f64>() / count;
    section.figure(format!("{what}: power, mean"), power, "W", measured_on);
    if let Some(energy) = trace.energy_j() {
        section.figure(format!("{what}: energy"), energy, "J", measured_on);
    }
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
    let is_slowed = reasons.iter().any(|reason| reason.is_slowdown());
    let words: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    let words = if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
    let seen = format!("clocks were held back by {words}");
    section.check(format!("{what}: neither heat nor protection slowed it"), !is_slowed, seen);
}
