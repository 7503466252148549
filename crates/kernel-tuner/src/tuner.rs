//! The tuner: walks a space, believes only what was verified, and compares the best with the baseline.
//!
//! Never chooses a configuration whose result was wrong, and never one that was not measured beside the baseline.

use std::collections::BTreeMap;

use gpu_core::{Device, DeviceProperties, ErrorKind, Point, Stream};

use crate::config::TunerConfig;
use crate::contest::{Turns, contest};
use crate::error::{Error, Result};
use crate::limits::HardwareLimits;
use crate::measure::{EventTimer, Measured, Timer, measure};
use crate::occupancy::{BlockUse, Occupancy};
use crate::outcome::{
    CandidateOutcome, Choice, Counts, DeviceLabel, Outcome, Speedup, Tuned, Verdict,
};
use crate::search::{Score, SearchAlgorithm};
use crate::subject::{Mismatch, Ready, Subject};

/// Finds the fastest right configuration of a [`Subject`] on one device.
#[derive(Debug)]
pub struct PerformanceTuner<T = EventTimer> {
    config: TunerConfig,
    label: DeviceLabel,
    /// Absent where occupancy means nothing or the capability is unknown.
    limits: Option<HardwareLimits>,
    stream: Stream,
    timer: T,
}

impl PerformanceTuner {
    /// A tuner for `device` that times by events.
    ///
    /// # Errors
    /// [`Error::Config`] names a setting that cannot work; otherwise what the driver says.
    pub fn new(device: &Device, config: TunerConfig) -> Result<Self> {
        Self::with_timer(device, config, EventTimer::new(device)?)
    }
}

impl<T: Timer> PerformanceTuner<T> {
    /// A tuner for `device` with a timer of the caller's.
    ///
    /// # Errors
    /// As for [`new`](PerformanceTuner::new).
    pub fn with_timer(device: &Device, config: TunerConfig, timer: T) -> Result<Self> {
        config.check()?;
        let properties: &DeviceProperties = device.properties();
        let (label, limits) = (properties.into(), HardwareLimits::for_device(properties).ok());
        Ok(Self { config, label, limits, stream: device.stream()?, timer })
    }

    /// The same tuner, refusing what fits no multiprocessor with `limits`: for the host, which has none of
    /// its own, those of the GPU that a configuration is meant for.
    #[must_use]
    pub fn within(mut self, limits: HardwareLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Where it measures.
    pub fn device(&self) -> &DeviceLabel {
        &self.label
    }

    /// Tunes `subject`, walking its space with `search`.
    ///
    /// # Errors
    /// [`Error::EmptySpace`], [`Error::Baseline`], [`Error::NothingWorks`] or [`Error::Search`];
    /// [`Error::Device`] if the device is lost, since then no further configuration can be tried.
    pub fn tune(
        &mut self,
        subject: &mut dyn Subject,
        search: &mut dyn SearchAlgorithm,
    ) -> Result<Tuned> {
        self.tune_observed(subject, search, &mut |_| {})
    }

    /// The same, telling `observer` of each candidate as soon as its outcome is known.
    ///
    /// # Errors
    /// As for [`tune`](Self::tune).
    pub fn tune_observed(
        &mut self,
        subject: &mut dyn Subject,
        search: &mut dyn SearchAlgorithm,
        observer: &mut dyn FnMut(&CandidateOutcome),
    ) -> Result<Tuned> {
        let space = subject.space();
        if space.is_empty() {
            return Err(Error::EmptySpace { subject: subject.name().to_owned() });
        }
        let baseline = self.accept_baseline(subject)?;

        let (mut candidates, mut contenders) = (Vec::new(), Vec::new());
        // A search may ask for a point again; the answer is the same and costs nothing.
        let mut scores = BTreeMap::<usize, Score>::new();
        for _ in 0..self.config.asks_max {
            let Some(index) = search.ask() else { break };
            if let Some(&score) = scores.get(&index) {
                search.tell(index, score);
                continue;
            }
            let (name, len) = (search.name(), space.len());
            let point = space.point(index).ok_or(Error::Search { search: name, index, len })?;
            let (candidate, contender) = self.try_candidate(subject, point, candidates.len())?;
            let time = contender.as_ref().map(|found: &Contender| found.time.median_us);
            let score = time.map_or(Score::Unusable, |us| Score::Time { us });
            scores.insert(index, score);
            search.tell(index, score);
            observer(&candidate);
            candidates.push(candidate);
            contenders.extend(contender);
        }
        contenders.sort_by(|a, b| a.time.median_us.total_cmp(&b.time.median_us));
        let race = self.race(subject, &baseline.0, contenders, &mut candidates)?;
        let counts = Counts::of(&candidates);
        let Some(race) = race else {
            return Err(Error::NothingWorks { subject: subject.name().to_owned(), counts });
        };
        let verdict = race.verdict;
        let (point, ready) = match verdict {
            Verdict::Faster => (&race.best.point, race.best.ready),
            _ => (&baseline.0, baseline.1),
        };
        Ok(Tuned {
            subject: subject.name().to_owned(),
            search: search.name().to_owned(),
            device: self.label.clone(),
            point: point.into(),
            launch: ready.launch,
            baseline: (&baseline.0).into(),
            baseline_time: race.baseline_time,
            best: (&race.best.point).into(),
            best_time: race.best.time,
            speedup: race.speedup,
            verdict,
            counts,
            candidates,
        })
    }

    /// Requires the baseline to do the work, and the verification to notice when it is not done.
    fn accept_baseline(&self, subject: &mut dyn Subject) -> Result<(Point, Ready)> {
        let point = subject.baseline();
        let refuse = |subject: &dyn Subject, reason: String| Error::Baseline {
            subject: subject.name().to_owned(),
            point: Choice::from(&point).to_string(),
            reason,
        };
        let ready = match subject.prepare(&point) {
            Ok(ready) => ready,
            Err(error) => return Err(refuse(subject, survivable(error)?)),
        };
        subject.poison(&self.stream)?;
        if subject.verify(&self.stream)?.is_ok() {
            let reason = "its verification accepts poisoned outputs".to_owned();
            return Err(refuse(subject, reason));
        }
        match self.run_verified(subject, &point)? {
            Ok(()) => Ok((point, ready)),
            Err(rejection) => Err(refuse(subject, rejection.to_string())),
        }
    }

    /// Prepares, verifies and times one configuration.
    fn try_candidate(
        &mut self,
        subject: &mut dyn Subject,
        point: Point,
        index: usize,
    ) -> Result<(CandidateOutcome, Option<Contender>)> {
        let choice = Choice::from(&point);
        let (launch, occupancy) = (None, None);
        let ready = match subject.prepare(&point) {
            Ok(ready) => ready,
            Err(error) => {
                let outcome = Outcome::Refused { reason: survivable(error)? };
                return Ok((CandidateOutcome { point: choice, launch, occupancy, outcome }, None));
            }
        };
        let launch = Some(ready.launch);
        let full = self.occupancy(&ready);
        let occupancy = full.map(|full| full.occupancy);
        let outcome = match full {
            Some(Occupancy { blocks: 0, limiters, .. }) => {
                Outcome::Refused { reason: format!("no block fits a multiprocessor: {limiters}") }
            }
            _ => self.verify_and_measure(subject, &point)?,
        };
        let contender = match outcome {
            Outcome::Timed { time } => Some(Contender { point, ready, time, index }),
            _ => None,
        };
        Ok((CandidateOutcome { point: choice, launch, occupancy, outcome }, contender))
    }

    fn verify_and_measure(&mut self, subject: &mut dyn Subject, point: &Point) -> Result<Outcome> {
        if let Err(rejection) = self.run_verified(subject, point)? {
            return Ok(rejection.into());
        }
        let effort = (self.config.warm_up, &self.config.stop);
        let work = &mut |stream: &Stream| subject.enqueue(point, stream);
        match measure(&mut self.timer, &self.stream, effort, work) {
            Ok(time) => Ok(Outcome::Timed { time }),
            Err(error) => Ok(self.clean_up(error)?.into()),
        }
    }

    /// Runs a prepared configuration once over poisoned outputs and compares what it wrote.
    fn run_verified(
        &self,
        subject: &mut dyn Subject,
        point: &Point,
    ) -> Result<Result<(), Rejection>> {
        let stream = &self.stream;
        let verified = subject
            .poison(stream)
            .and_then(|()| subject.enqueue(point, stream))
            .and_then(|()| stream.synchronize())
            .and_then(|()| subject.verify(stream));
        match verified {
            Ok(verdict) => Ok(verdict.map_err(Rejection::Wrong)),
            Err(error) => Ok(Err(self.clean_up(error)?)),
        }
    }

    /// Waits for what a failed configuration left behind, so that the next one starts on an idle stream.
    fn clean_up(&self, error: gpu_core::Error) -> Result<Rejection> {
        let reason = survivable(error)?;
        self.stream.settle()?;
        Ok(Rejection::Failed(reason))
    }

    fn occupancy(&self, ready: &Ready) -> Option<Occupancy> {
        let (limits, attributes) = (self.limits.as_ref()?, ready.attributes.as_ref()?);
        let threads = u32::try_from(ready.launch.threads()).ok()?;
        let block = BlockUse::new(attributes, threads, ready.launch.shared_bytes);
        Some(Occupancy::of(limits, &block))
    }

    /// Compares contenders, fastest first, with the baseline until one stands; the others are marked in `candidates`.
    fn race(
        &mut self,
        subject: &mut dyn Subject,
        baseline: &Point,
        contenders: Vec<Contender>,
        candidates: &mut [CandidateOutcome],
    ) -> Result<Option<Race>> {
        for mut best in contenders {
            let is_baseline = best.point == *baseline;
            let turns =
                Turns { count: self.config.contest_turns, samples: self.config.contest_samples };
            let times = if is_baseline {
                Ok([best.time, best.time])
            } else {
                let points = [baseline, &best.point];
                contest(subject, &mut self.timer, &self.stream, points, turns)
            };
            let checked = match times {
                Ok(times) => self.verify_again(subject, &best.point)?.map(|()| times),
                Err(error) => Err(self.clean_up(error)?),
            };
            match checked {
                Ok([baseline_time, best_time]) => {
                    best.time = best_time;
                    let speedup = Speedup::between(&baseline_time, &best_time);
                    let speedup = speedup.filter(|_| !is_baseline);
                    let verdict = match is_baseline {
                        true => Verdict::BaselineIsBest,
                        false => Verdict::of(speedup),
                    };
                    return Ok(Some(Race { best, baseline_time, speedup, verdict }));
                }
                Err(rejection) => candidates[best.index].outcome = rejection.into(),
            }
        }
        Ok(None)
    }

    /// A race or leftover state may spoil a later run only.
    fn verify_again(
        &self,
        subject: &mut dyn Subject,
        point: &Point,
    ) -> Result<Result<(), Rejection>> {
        match subject.prepare(point) {
            Ok(_) => self.run_verified(subject, point),
            Err(error) => Ok(Err(self.clean_up(error)?)),
        }
    }
}

/// A candidate that may be chosen.
struct Contender {
    point: Point,
    ready: Ready,
    time: Measured,
    /// Its place among the candidates.
    index: usize,
}

/// How the last comparison ended.
struct Race {
    best: Contender,
    baseline_time: Measured,
    speedup: Option<Speedup>,
    verdict: Verdict,
}

/// Why a configuration that could be launched is out.
#[derive(Debug, thiserror::Error)]
enum Rejection {
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Wrong(Mismatch),
}

impl From<Rejection> for Outcome {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Failed(reason) => Self::Failed { reason },
            Rejection::Wrong(mismatch) => Self::Wrong { mismatch },
        }
    }
}

/// The words of an error that another configuration may survive; a lost device ends the run.
fn survivable(error: gpu_core::Error) -> Result<String> {
    match error.kind() {
        ErrorKind::Poisoned => Err(error.into()),
        _ => Ok(error.to_string()),
    }
}
