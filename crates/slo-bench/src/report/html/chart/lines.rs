//! A chart of a section: its lines, and the heights that they are held against.
//!
//! A line is told from another by its colour, and without colours by its dashes and the shape of its dots; a height by its
//! number. Where nothing was told, a line has a gap.

use std::fmt::{Result, Write as _};

use super::axis::{Axis, short};
use super::{ACROSS, LEFT, RIGHT, UP};
use crate::chart::{Chart, Line, Mark, Quantity, Scale};
use crate::report::number;
use crate::report::text::Xml;

/// Dots around a point, each with a shape of its own; as many as there are colours.
const SHAPES: [&str; 7] = [
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "m-2.7-2.7h5.4v5.4h-5.4z",
    "m0-3.6l3.4 6h-6.8z",
    "m0-3.9l3.9 3.9l-3.9 3.9l-3.9-3.9z",
    "m-3.6 0h7.2m-3.6-3.6v7.2",
    "m0 3.6l3.4-6h-6.8z",
    "m-2.7-2.7l5.4 5.4m0-5.4l-5.4 5.4",
];
/// Numbers of heights stand so far apart that those of near heights do not touch, this many before the first place again.
const NUMBERS: usize = 12;
const APART: f64 = 20.0;
/// A line of more points has dots at about so many of them.
const DOTS: usize = 6;

/// Draws `chart`; nothing, if none of its points has a place.
pub(in super::super) fn lines(out: &mut String, chart: &Chart) -> Result {
    let Some((x, y)) = axes(chart) else { return Ok(()) };
    writeln!(
        out,
        "<figure>\n<figcaption>{} <span>{}</span></figcaption>",
        Xml(&chart.title),
        Xml(&place(chart))
    )?;
    super::open(out, &chart.title, [&words(&chart.x), &words(&chart.y)])?;
    let ticks = |axis: Axis| axis.ticks().into_iter().map(move |tick| (axis.at(tick), short(tick)));
    super::vertical_ticks(out, ticks(x))?;
    super::horizontal_ticks(out, ticks(y))?;
    let marks = heights(chart);
    for (index, (value, _)) in marks.iter().enumerate() {
        let at = y.at(*value);
        writeln!(out, "<path class=\"mark\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>")?;
        let place = (RIGHT - APART * (index % NUMBERS) as f64, at + 4.0);
        writeln!(out, "{}", numeral(index, place))?;
    }
    for (index, line) in chart.lines.iter().enumerate() {
        let points: Vec<_> = placed(line, chart)
            .map(|point| point.map(|(across, up)| (x.at(across), y.at(up))))
            .collect();
        write_line(out, index, &points, index as f64 / chart.lines.len() as f64)?;
    }
    writeln!(out, "</svg>")?;
    if chart.lines.len() + marks.len() > 1 {
        write_legend(out, chart, &marks)?;
    }
    writeln!(out, "</figure>")
}

/// Lines in their order, then heights.
fn write_legend(out: &mut String, chart: &Chart, heights: &[(f64, Vec<&str>)]) -> Result {
    let unit = &chart.y.unit;
    let lines = chart.lines.iter().enumerate();
    let lines = lines.map(|(index, line)| (swatch(index), line.name.clone()));
    let heights = heights.iter().enumerate().map(|(index, (value, names))| {
        let name = format!("{} {unit}: {}", number(*value), names.join(", "));
        (format!("<path class=\"mark\" d=\"M1 6H31\"/>{}", numeral(index, (24.0, 10.0))), name)
    });
    super::legend(out, lines.chain(heights))
}

/// The number of a height, on its line and in the legend, with its right end at a point.
fn numeral(index: usize, (right, below): (f64, f64)) -> String {
    let number = index + 1;
    format!(
        "<text class=\"number\" x=\"{right}\" y=\"{below:.1}\" text-anchor=\"end\">{number}</text>"
    )
}

/// The line number `index` through `points` of the page, with dots that begin at a `shift` of the distance between them,
/// so that those of two lines that run together stand apart.
fn write_line(out: &mut String, index: usize, points: &[Option<(f64, f64)>], shift: f64) -> Result {
    let colour = index % SHAPES.len();
    write!(out, "<path class=\"line l{colour}\" d=\"")?;
    let mut is_drawing = false;
    for point in points {
        match point {
            Some((x, y)) if is_drawing => write!(out, "L{x:.1} {y:.1}")?,
            // One point alone is seen by the ends of its line.
            Some((x, y)) => write!(out, "M{x:.1} {y:.1}h0")?,
            None => {}
        }
        is_drawing = point.is_some();
    }
    write!(out, "\"/>\n<path class=\"dots l{colour}\" d=\"")?;
    let told: Vec<_> = points.iter().flatten().collect();
    let apart = if told.len() <= DOTS * 3 { 1 } else { told.len() / DOTS };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below `apart`")]
    let first = (apart as f64 * shift) as usize;
    for (x, y) in told.into_iter().skip(first).step_by(apart) {
        write!(out, "M{x:.1} {y:.1}{}", shape(index))?;
    }
    writeln!(out, "\"/>")
}

/// Another one for each of the lines that have one colour.
fn shape(index: usize) -> &'static str {
    SHAPES[(index + index / SHAPES.len()) % SHAPES.len()]
}

/// What the line number `index` looks like.
fn swatch(index: usize) -> String {
    let colour = index % SHAPES.len();
    format!(
        "<path class=\"line l{colour}\" d=\"M1 6H31\"/><path class=\"dots l{colour}\" d=\"M16 6{}\"/>",
        shape(index)
    )
}

/// Where it was measured, and of how many values a point is the mean.
fn place(chart: &Chart) -> String {
    let on = &chart.measured_on;
    match chart.lines.iter().map(|line| line.mean_of).max() {
        Some(most) if most > 1 => format!("on {on}; a point is the mean of up to {most} values"),
        _ => format!("on {on}"),
    }
}

fn words(Quantity { name, unit, .. }: &Quantity) -> String {
    if unit.is_empty() { name.clone() } else { format!("{name}, {unit}") }
}

/// Axes that hold every point and every height that has a place; `None` if no point has one.
fn axes(chart: &Chart) -> Option<(Axis, Axis)> {
    let points = || chart.lines.iter().flat_map(|line| placed(line, chart)).flatten();
    let marks = chart.marks.iter().map(|mark| mark.value).filter(|&v| has_place(&chart.y, v));
    let [first, last] = ends(points().map(|(x, _)| x))?;
    // From zero on where that is near, so that a time begins where its watch did.
    let is_near = chart.x.scale == Scale::Linear && (0.0..last * 0.1).contains(&first);
    let x = [if is_near { 0.0 } else { first }, last];
    let [low, high] = ends(points().map(|(_, y)| y).chain(marks))?;
    let y = match chart.y.scale {
        // From zero on, so that a height is what it seems.
        Scale::Linear => [low.min(0.0), high + (high - low.min(0.0)) * 0.04],
        Scale::Logarithmic => [low * 0.9, high * 1.1],
    };
    Some((Axis::new(chart.x.scale, x, ACROSS), Axis::new(chart.y.scale, y, UP)))
}

fn ends(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values.map(|value| [value, value]).reduce(|[a, b], [c, d]| [a.min(c), b.max(d)])
}

/// The points of a line; `None` where it has none, or none with a place.
fn placed<'a>(line: &'a Line, chart: &'a Chart) -> impl Iterator<Item = Option<(f64, f64)>> + 'a {
    let points = line.values.iter().map(|&(x, y)| Some((x, y?)));
    points.map(|point| point.filter(|&(x, y)| has_place(&chart.x, x) && has_place(&chart.y, y)))
}

fn has_place(quantity: &Quantity, value: f64) -> bool {
    quantity.scale == Scale::Linear || value > 0.0
}

/// Heights by value, in the order of their first names: two that are equal are one line with two names.
fn heights(chart: &Chart) -> Vec<(f64, Vec<&str>)> {
    let mut heights: Vec<(f64, Vec<&str>)> = Vec::new();
    for Mark { name, value } in chart.marks.iter().filter(|mark| has_place(&chart.y, mark.value)) {
        match heights.iter_mut().find(|(of, _)| of.to_bits() == value.to_bits()) {
            Some((_, names)) => names.push(name),
            None => heights.push((*value, vec![name])),
        }
    }
    heights
}

#[cfg(test)]
mod tests {
    use roxmltree::{Document, Node};

    use super::*;

    fn chart() -> Chart {
        let mut chart =
            Chart::new("busy", "here", Quantity::new("time", "s"), Quantity::new("share", "%"));
        for (index, name) in ["z", "a", "m"].into_iter().enumerate() {
            chart.line(name, (0..10).map(|s| (f64::from(s), Some((10 * index) as f64))));
        }
        chart
    }

    /// What `of` finds in the figure of `chart`, which is well-formed.
    fn drawn<T>(chart: &Chart, of: impl Fn(Node<'_, '_>) -> T) -> T {
        let mut text = String::new();
        lines(&mut text, chart).unwrap();
        of(Document::parse(&text).unwrap().root_element())
    }

    /// The attribute `d` of every element of `class` in the chart itself, in order.
    fn paths(figure: Node<'_, '_>, class: &str) -> Vec<String> {
        let svg = figure.children().find(|node| node.has_tag_name("svg")).unwrap();
        let classes = |node: &Node<'_, '_>| node.attribute("class").unwrap_or_default().to_owned();
        let all = svg.children().filter(|n| classes(n).split(' ').any(|have| have == class));
        all.map(|node| node.attribute("d").unwrap().to_owned()).collect()
    }

    fn legend(figure: Node<'_, '_>) -> Vec<String> {
        let entries = figure.descendants().filter(|node| node.has_tag_name("li"));
        entries.map(|entry| entry.last_child().unwrap().text().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_legend_has_lines_in_their_order_and_then_each_height_once() {
        let mut chart = chart();
        chart.mark("promised z", 80.0);
        chart.mark("promised a", 60.0);
        chart.mark("promised m", 80.0);
        let expected = ["z", "a", "m", "80 %: promised z, promised m", "60 %: promised a"];
        assert_eq!(drawn(&chart, legend), expected);
        let looks = |figure: Node<'_, '_>| {
            let swatches = figure.descendants().filter(|node| node.has_tag_name("path"));
            let classes = swatches.map(|node| node.attribute("class").unwrap().to_owned());
            classes.filter(|class| class.starts_with("line")).collect::<Vec<_>>()
        };
        let both = drawn(&chart, looks);
        assert_eq!(both[..3], both[3..], "an entry looks as its line does");
        for value in [20.0, 40.0, 90.0] {
            chart.mark(format!("promised {value}"), value);
        }
        let numbers = |figure: Node<'_, '_>| {
            let texts =
                figure.descendants().filter(|node| node.attribute("class") == Some("number"));
            texts.map(|node| node.text().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let five = ["1", "2", "3", "4", "5"];
        assert_eq!(drawn(&chart, numbers), [five, five].concat(), "on its line and in its entry");
    }

    #[test]
    fn heights_are_drawn_across_the_chart_and_widen_it() {
        let mut chart = chart();
        assert!(drawn(&chart, |figure| paths(figure, "mark")).is_empty());
        chart.mark("far above", 500.0);
        chart.mark("far below", -500.0);
        let marks = drawn(&chart, |figure| paths(figure, "mark"));
        assert_eq!(marks.len(), 2);
        let at = |mark: &String| {
            let (_, rest) = mark.split_once(' ').unwrap();
            rest.split_once('H').unwrap().0.parse::<f64>().unwrap()
        };
        let (above, below) = (at(&marks[0]), at(&marks[1]));
        assert!(UP[1] < above && above < below && below <= UP[0], "{marks:?}");
    }

    #[test]
    fn heights_are_from_zero_and_so_is_a_time_that_begins_near_it() {
        let lows = |first: f64| {
            let mut chart = chart();
            chart.lines.clear();
            chart.line("power", [(first, Some(490.0)), (100.0, Some(500.0))]);
            let (x, y) = axes(&chart).unwrap();
            [x.low, y.low]
        };
        assert_eq!([lows(0.2), lows(10.0)], [[0.0, 0.0], [10.0, 0.0]]);
    }

    #[test]
    fn a_gap_ends_a_line_and_one_point_alone_is_seen() {
        let mut chart = chart();
        chart.lines.truncate(1);
        for index in [2, 4] {
            chart.lines[0].values[index].1 = None;
        }
        let line = drawn(&chart, |figure| paths(figure, "line")).remove(0);
        assert_eq!((line.matches('M').count(), line.matches('L').count()), (3, 5), "{line}");
        assert_eq!(line.matches("h0").count(), 3, "{line}");
        assert!(drawn(&chart, legend).is_empty(), "the title names what is alone");
    }

    #[test]
    fn what_has_no_place_on_a_logarithmic_axis_is_left_out() {
        let mut chart = chart();
        chart.y = chart.y.logarithmic();
        chart.mark("nothing", 0.0);
        let (lines, marks) = drawn(&chart, |f| (paths(f, "line"), paths(f, "mark")));
        assert_eq!((lines[0].as_str(), marks.len()), ("", 0));
        assert_eq!(drawn(&chart, legend), ["z", "a", "m"]);
        assert!(lines[1..].iter().all(|line| !line.contains("NaN") && !line.contains("inf")));
        chart.lines.truncate(1);
        let mut text = String::new();
        super::lines(&mut text, &chart).unwrap();
        assert_eq!(text, "", "no point has a place");
    }

    #[test]
    fn no_two_lines_look_alike_and_means_say_that_they_are() {
        let looks: Vec<_> = (0..49).map(|index| (index % 7, shape(index))).collect();
        assert!((0..49).all(|index| !looks[..index].contains(&looks[index])));
        let mut chart = chart();
        chart.line("long", (0..360).map(|s| (f64::from(s), Some(1.0))));
        assert_eq!(place(&chart), "on here; a point is the mean of up to 3 values");
    }
}
