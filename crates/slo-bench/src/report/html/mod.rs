//! The page of a report: one file with its style and its charts in it, for a browser that is offline.
//!
//! Runs no script and fetches nothing; it is well-formed XML as well, so that any reader can check it.

mod chart;
mod style;

use std::fmt::{Result, Write as _};

use super::text::Xml;
use super::{Check, Figure, Report, Run, Section, milliseconds, number, place, tails};
use crate::attribution::Attribution;
use crate::chart::Chart;
use crate::contract::Clause;
use crate::recorder::Latency;
use crate::verdict::Verdict;

/// Checks that pass are folded away when there are more.
const OPEN_CHECKS_MAX: usize = 6;
/// Charts of a section are folded away when they are more: two rows on a desk.
const OPEN_CHARTS_MAX: usize = 6;

pub(super) fn render(report: &Report, beside: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut text, report, &beside);
    text
}

type Beside<'a> = &'a dyn Fn(&str) -> Option<String>;

fn write_page(out: &mut String, report: &Report, beside: Beside<'_>) -> Result {
    let title = format!("{}: {}", report.command, report.verdict);
    writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />")?;
    writeln!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <meta name=\"color-scheme\" content=\"light dark\" />\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>",
        Xml(&title),
        style::CSS
    )?;
    writeln!(out, "<header>\n<h1>{} {}</h1>", Xml(&report.command), badge(&report.verdict))?;
    writeln!(out, "<p class=\"place\">{}</p>", Xml(&report.machine.label))?;
    writeln!(out, "<dl>")?;
    for (name, value) in place(report) {
        writeln!(out, "<dt>{}</dt><dd>{}</dd>", Xml(name), Xml(&value))?;
    }
    writeln!(out, "</dl>\n</header>\n<main>\n<ul class=\"summary\">")?;
    for Section { name, verdict, detail, elapsed_s, .. } in &report.sections {
        writeln!(
            out,
            "<li><a href=\"#{0}\">{0}</a>{1}<span class=\"time\">{elapsed_s:.1} s</span><span>{2}</span></li>",
            Xml(name),
            badge(verdict),
            Xml(detail)
        )?;
    }
    writeln!(out, "</ul>")?;
    report.sections.iter().try_for_each(|section| write_section(out, section, beside))?;
    writeln!(out, "</main>\n</body>\n</html>")
}

fn badge(verdict: &Verdict) -> String {
    let class = match verdict {
        Verdict::Pass => "good",
        Verdict::Fail => "bad",
        Verdict::Skipped { .. } => "quiet",
        Verdict::Inconclusive { .. } | Verdict::Invalid { .. } => "open",
    };
    format!("<span class=\"badge {class}\">{verdict}</span>")
}

fn write_section(out: &mut String, section: &Section, beside: Beside<'_>) -> Result {
    let name = Xml(&section.name);
    writeln!(out, "<section id=\"{name}\">\n<h2>{name} {}</h2>", badge(&section.verdict))?;
    section.titles().iter().zip(&section.runs).try_for_each(|(t, run)| write_run(out, t, run))?;
    write_checks(out, &section.checks)?;
    write_charts(out, &section.charts)?;
    write_figures(out, &section.figures)?;
    for file in &section.files {
        let picture = file.ends_with(".svg").then(|| beside(file)).flatten();
        match picture {
            // A picture that is wider than a telephone is moved, not shrunk until nobody can read it.
            Some(svg) => writeln!(out, "<div class=\"wide\">{svg}</div>")?,
            None => writeln!(out, "<p><a href=\"{0}\">{0}</a></p>", Xml(file))?,
        }
    }
    writeln!(out, "</section>")
}

fn write_run(out: &mut String, title: &str, run: &Run) -> Result {
    let latency = &run.latency;
    let (samples, cold) = (latency.samples, milliseconds(Some(run.cold_ns)));
    writeln!(out, "<article>\n<h3>{}</h3>", Xml(title))?;
    writeln!(
        out,
        "<p class=\"facts\">{samples} samples, {}, {} Hz; cold {cold} ms, {} to warm up{}; on {}</p>",
        run.load,
        number(run.rate_hz),
        run.warm_up,
        if run.is_settled { "" } else { " without settling" },
        Xml(&run.measured_on)
    )?;
    for reason in &run.slowed_by {
        writeln!(out, "<p class=\"facts\">void: {reason} held the clocks of the device back</p>")?;
    }
    if let Some(contract) = &run.contract {
        writeln!(out, "<ul class=\"checks\">")?;
        for Clause { promise, verdict, seen, .. } in &run.clauses {
            let check = Check {
                name: format!("{contract}: {promise}"),
                verdict: verdict.clone(),
                detail: seen.clone(),
            };
            write_check(out, &check)?;
        }
        writeln!(out, "</ul>")?;
    }
    write_percentiles(out, run)?;
    writeln!(out, "<div class=\"charts\">")?;
    chart::percentiles(out, run)?;
    chart::histogram(out, latency)?;
    writeln!(out, "</div>")?;
    if let Some(attribution) = &run.attribution {
        write_stages(out, attribution)?;
    }
    writeln!(out, "</article>")
}

/// Which stages slow iterations come from, folded away below one line.
fn write_stages(out: &mut String, attribution: &Attribution) -> Result {
    let (head, rows) = tails::table(attribution);
    writeln!(out, "<details><summary>{}</summary>", Xml(&attribution.words()))?;
    writeln!(out, "<p class=\"facts\">{}</p>", Xml(tails::WORDS))?;
    writeln!(out, "<div class=\"scroll\"><table>")?;
    for (cells, tag) in std::iter::once((head, "th")).chain(rows.into_iter().map(|row| (row, "td")))
    {
        write!(out, "<tr>")?;
        cells.iter().try_for_each(|text| write!(out, "<{tag}>{}</{tag}>", Xml(text)))?;
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</table></div></details>")
}

fn write_percentiles(out: &mut String, run: &Run) -> Result {
    let others = [("service alone", &run.service), ("slip", &run.slip)];
    let others: Vec<(&str, &Latency)> =
        others.iter().filter_map(|(name, latency)| Some((*name, latency.as_ref()?))).collect();
    write!(out, "<div class=\"scroll\"><table>\n<tr><th>ms</th><th>samples</th>")?;
    write!(out, "<th>95 % from</th><th>to</th><th>worth</th>")?;
    others.iter().try_for_each(|(name, _)| write!(out, "<th>{name}</th>"))?;
    writeln!(out, "</tr>")?;
    for (index, point) in run.latency.points().iter().enumerate() {
        let interval = point.interval;
        let ends = interval.map_or([None, None], |i| [i.lower_ns, i.upper_ns]);
        let [from, to] = ends.map(milliseconds);
        let worth = interval.map_or_else(|| "-".to_owned(), |i| i.effective_samples.to_string());
        let value = milliseconds(point.ns);
        write!(out, "<tr><th>{}</th><td>{value}</td><td>{from}</td>", point.name)?;
        write!(out, "<td>{to}</td><td>{worth}</td>")?;
        for (_, latency) in &others {
            write!(out, "<td>{}</td>", milliseconds(latency.points()[index].ns))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</table></div>")
}

/// What did not pass first; what passed is folded away where there is much of it.
fn write_checks(out: &mut String, checks: &[Check]) -> Result {
    let (passed, other): (Vec<_>, Vec<_>) =
        checks.iter().partition(|check| check.verdict == Verdict::Pass);
    let is_folded = passed.len() > OPEN_CHECKS_MAX;
    for (checks, is_folded) in [(other, false), (passed, is_folded)] {
        if checks.is_empty() {
            continue;
        }
        if is_folded {
            writeln!(out, "<details><summary>{} checks passed</summary>", checks.len())?;
        }
        writeln!(out, "<ul class=\"checks\">")?;
        checks.iter().try_for_each(|check| write_check(out, check))?;
        writeln!(out, "</ul>{}", if is_folded { "</details>" } else { "" })?;
    }
    Ok(())
}

fn write_check(out: &mut String, check: &Check) -> Result {
    let (name, words) = (Xml(&check.name), Xml(check.words()));
    writeln!(out, "<li>{}<span><b>{name}</b> {words}</span></li>", badge(&check.verdict))
}

/// The first few charts; the others are folded away.
fn write_charts(out: &mut String, charts: &[Chart]) -> Result {
    let (shown, folded) = charts.split_at(charts.len().min(OPEN_CHARTS_MAX));
    if !shown.is_empty() {
        writeln!(out, "<div class=\"charts\">")?;
        shown.iter().try_for_each(|drawn| chart::lines(out, drawn))?;
        writeln!(out, "</div>")?;
    }
    if !folded.is_empty() {
        writeln!(out, "<details><summary>{} more charts</summary>", folded.len())?;
        writeln!(out, "<div class=\"charts\">")?;
        folded.iter().try_for_each(|drawn| chart::lines(out, drawn))?;
        writeln!(out, "</div></details>")?;
    }
    Ok(())
}

/// A row a figure, with a bar where another one has the same unit and place, so that bars can be compared.
fn write_figures(out: &mut String, figures: &[Figure]) -> Result {
    if figures.is_empty() {
        return Ok(());
    }
    writeln!(out, "<ul class=\"figures\">")?;
    let mut shown_on = "";
    for figure in figures {
        let Figure { name, value, unit, measured_on } = figure;
        if measured_on != shown_on {
            writeln!(out, "<li class=\"on\">on {}</li>", Xml(measured_on))?;
            shown_on = measured_on;
        }
        let (name, unit, value_shown) = (Xml(name), Xml(unit), number(*value));
        write!(out, "<li><span>{name}</span><b>{value_shown} {unit}</b>")?;
        let alike = figures.iter().filter(|other| other.unit == figure.unit);
        let alike = alike.filter(|other| other.measured_on == *measured_on && other.value >= 0.0);
        let (count, largest) =
            alike.fold((0, 0.0), |(count, most), other| (count + 1, other.value.max(most)));
        if count > 1 && largest > 0.0 && *value >= 0.0 {
            let percent = value / largest * 100.0;
            write!(out, "<i style=\"width:{percent:.1}%\"></i>")?;
        }
        writeln!(out, "</li>")?;
    }
    writeln!(out, "</ul>")
}
