//! Measurement: warm-up, repeats until a stopping rule is met, median and interval.
//!
//! Never drops a sample that was taken after the warm-up.

mod stop;
mod timer;

use gpu_core::Stream;

use self::stop::median;
pub use self::stop::{Decision, StopRule, median_interval};
pub use self::timer::{EventTimer, Timer};

/// How long something takes: a median with its distribution-free 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Measured {
    /// Median, in microseconds.
    pub median_us: f64,
    /// Lower end of the interval, in microseconds.
    pub low_us: f64,
    /// Upper end of the interval, in microseconds.
    pub high_us: f64,
    /// Samples, after the warm-up.
    pub samples: usize,
    /// Why no more were taken.
    pub stop: Decision,
}

impl Measured {
    /// Median and interval of `samples_us`; `None` for fewer than 6 samples, which have no interval.
    pub(crate) fn from_samples(mut samples_us: Vec<f64>, stop: Decision) -> Option<Self> {
        samples_us.sort_by(f64::total_cmp);
        let (low_us, high_us) = median_interval(&samples_us)?;
        let median_us = median(&samples_us);
        Some(Self { median_us, low_us, high_us, samples: samples_us.len(), stop })
    }
}

/// Times `work` once, in microseconds.
pub(crate) fn sample_us(
    timer: &mut impl Timer,
    stream: &Stream,
    work: &mut dyn FnMut(&Stream) -> gpu_core::Result<()>,
) -> gpu_core::Result<f64> {
    Ok(timer.time(stream, work)?.as_secs_f64() * 1e6)
}

/// Runs `work` `warm_up` times unseen and then until `rule` is met.
pub(crate) fn measure(
    timer: &mut impl Timer,
    stream: &Stream,
    (warm_up, rule): (usize, &StopRule),
    work: &mut dyn FnMut(&Stream) -> gpu_core::Result<()>,
) -> gpu_core::Result<Measured> {
    for _ in 0..warm_up {
        sample_us(timer, stream, work)?;
    }
    let mut samples_us = Vec::with_capacity(rule.samples_max);
    loop {
        samples_us.push(sample_us(timer, stream, work)?);
        let stop = rule.decide(&samples_us);
        if stop != Decision::Continue {
            let measured = Measured::from_samples(samples_us, stop);
            return Ok(measured.expect("a checked rule stops at 6 to 1000 samples"));
        }
    }
}
