//! What stands on both sides of a comparison, found by name.

use super::{Error, Figure, Result, Run, Side};
use crate::recorder::Latency;
use crate::report::Better;
use crate::statistics::Quantile;

/// One pair of sides.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) latencies: Vec<Both<'a>>,
    pub(super) figures: Vec<Values<'a>>,
    pub(super) unmatched: Vec<String>,
}

/// A percentile of one run on both sides.
#[derive(Debug)]
pub(super) struct Both<'a> {
    pub(super) name: String,
    pub(super) quantile: Quantile,
    pub(super) base: &'a Latency,
    pub(super) head: &'a Latency,
    /// Whether both say something.
    pub(super) is_sound: bool,
}

/// A figure on both sides.
#[derive(Debug)]
pub(super) struct Values<'a> {
    pub(super) name: String,
    pub(super) unit: &'a str,
    pub(super) better: Better,
    pub(super) base: f64,
    pub(super) head: f64,
}

pub(super) fn pair<'a>(base: Side<'a>, head: Side<'a>) -> Result<Pair<'a>> {
    let mut pair = Pair { latencies: Vec::new(), figures: Vec::new(), unmatched: Vec::new() };
    let mut head_runs = runs(head);
    for (name, run) in runs(base) {
        match head_runs.iter().position(|(other, _)| *other == name) {
            Some(index) => pair.runs(&name, run, head_runs.remove(index).1)?,
            None => pair.unmatched.push(name),
        }
    }
    pair.unmatched.extend(head_runs.into_iter().map(|(name, _)| name));
    let mut head_figures = figures(head);
    for (name, figure) in figures(base) {
        match head_figures.iter().position(|(other, _)| *other == name) {
            Some(index) => pair.values(name, figure, head_figures.remove(index).1),
            None => pair.unmatched.push(name),
        }
    }
    pair.unmatched.extend(head_figures.into_iter().map(|(name, _)| name));
    Ok(pair)
}

/// Runs by section and name, as often as they come: their size and load must not tell them apart here.
fn runs(sections: Side<'_>) -> Vec<(String, &Run)> {
    let named = sections.iter().flat_map(|section| {
        section.runs.iter().map(move |run| (format!("{} / {}", section.name, run.name), run))
    });
    named.collect()
}

/// Figures that have a direction, by section and name.
fn figures(sections: Side<'_>) -> Vec<(String, &Figure)> {
    let named = sections.iter().flat_map(|section| {
        section
            .figures
            .iter()
            .map(move |figure| (format!("{} / {}", section.name, figure.name), figure))
    });
    named.filter(|(_, figure)| Better::of(&figure.unit).is_some()).collect()
}

impl<'a> Pair<'a> {
    fn runs(&mut self, name: &str, base: &'a Run, head: &'a Run) -> Result<()> {
        let sides = [
            ("n", base.n.to_string(), head.n.to_string()),
            ("load", base.load.to_string(), head.load.to_string()),
        ];
        for (what, base, head) in sides {
            if base != head {
                return Err(Error::Incomparable {
                    what: format!("{what} of `{name}`"),
                    base,
                    head,
                });
            }
        }
        let title = name.replace(&base.name, &base.title());
        for quantile in Quantile::ALL.into_iter().filter(|&quantile| quantile != Quantile::MAX) {
            self.latencies.push(Both {
                name: format!("{title}: {quantile}"),
                quantile,
                base: &base.latency,
                head: &head.latency,
                is_sound: base.is_sound() && head.is_sound(),
            });
        }
        Ok(())
    }

    fn values(&mut self, name: String, base: &'a Figure, head: &'a Figure) {
        let Some(better) = Better::of(&base.unit) else { return };
        if base.unit == head.unit && base.value > 0.0 && head.value > 0.0 {
            let (unit, base, head) = (&base.unit, base.value, head.value);
            self.figures.push(Values { name, unit, better, base, head });
        } else {
            self.unmatched.push(name);
        }
    }
}
