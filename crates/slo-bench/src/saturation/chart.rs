//! What was seen of a device over time, as charts for a report.
//!
//! Never judges: the thresholds are those of the promise, and the warm-up is shown as well.

use gpu_core::TelemetrySample;

use super::level::CHANNELS;
use super::promise::SaturationPromise;
use super::trace::{Ceiling, Trace};
use crate::chart::{Chart, Quantity};

impl Trace {
    /// Three charts over seconds: every channel in percent with what `promise` asks of it, the power, and the clock of
    /// the multiprocessors. One that nothing was told of is left out.
    pub fn charts(
        &self,
        what: &str,
        promise: &SaturationPromise,
        ceiling: Option<&Ceiling>,
        measured_on: &str,
    ) -> Vec<Chart> {
        let empty = |title: String, y| {
            Chart::new(format!("{what}: {title}"), measured_on, Quantity::new("time", "s"), y)
        };
        let share = Quantity::new("share", "%");
        let warm_up_s = promise.warm_up_s;
        let mut shares = empty(format!("saturation, the first {warm_up_s} s not judged"), share);
        let mut told = Vec::new();
        for channel in CHANNELS {
            shares.line(channel.to_string(), self.values(channel, promise.demand, ceiling));
            if shares.lines.len() > told.len() {
                told.push(channel);
            }
        }
        let thresholds = promise.thresholds(|channel| told.contains(&channel));
        for (channel, threshold) in thresholds.into_iter().flatten() {
            shares.mark(format!("promised {channel}"), threshold);
        }
        let mut charts = vec![shares];
        type Of = fn(&TelemetrySample) -> f64;
        let others: [(&str, &str, Of); 2] = [
            ("power", "W", |sample| sample.power_watts),
            ("SM clock", "MHz", |sample| sample.sm_clock_mhz.into()),
        ];
        for (name, unit, of) in others {
            let mut chart = empty(name.to_owned(), Quantity::new(name, unit));
            let samples = self.observations.iter();
            chart.line(name, samples.map(|o| (o.at.as_secs_f64(), Some(of(&o.reading.sample)))));
            charts.push(chart);
        }
        charts.retain(|chart| !chart.lines.is_empty());
        charts
    }
}
