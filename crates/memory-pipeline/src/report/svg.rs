//! The timeline as a picture: three rows of bars over a time axis, in SVG.
//!
//! Every text in it is a name of ours or a number, so nothing needs escaping.

use std::fmt::Write as _;

use gpu_core::BackendKind;

use super::{PipelineReport, Span};
use crate::lane::Lane;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 196.0;
/// Where the bars begin and end; the lanes' names are to the left.
const LEFT: f64 = 88.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 40.0;
const ROW: f64 = 40.0;
const BAR: f64 = 32.0;
const AXIS: f64 = TOP + 3.0 * ROW + 4.0;
/// Width of a digit of a bar's number, in the units of the picture.
const DIGIT: f64 = 6.5;
/// About as many labels as the axis has room for.
const TICKS: f64 = 8.0;

/// Colours of the light page and of the dark one. Batches alternate between two shades, so that neighbours can be told apart.
const STYLE: &str = "\
.pipeline-page{fill:#ffffff}.pipeline-text{fill:#24292f;font:12px system-ui,sans-serif}\
.pipeline-line{stroke:#d0d7de}.pipeline-number{fill:#ffffff;font:11px system-ui,sans-serif;text-anchor:middle}\
.pipeline-upload0{fill:#0b62c4}.pipeline-upload1{fill:#3f7fc9}\
.pipeline-compute0{fill:#1a7f37}.pipeline-compute1{fill:#418a55}\
.pipeline-download0{fill:#9a4d00}.pipeline-download1{fill:#b06a25}\
@media(prefers-color-scheme:dark){\
.pipeline-page{fill:#0d1117}.pipeline-text{fill:#d7dde4}.pipeline-line{stroke:#3a424c}.pipeline-number{fill:#0d1117}\
.pipeline-upload0{fill:#6cb0ff}.pipeline-upload1{fill:#4a90e0}\
.pipeline-compute0{fill:#56d070}.pipeline-compute1{fill:#3eae58}\
.pipeline-download0{fill:#ffb066}.pipeline-download1{fill:#e0883a}}";

pub(super) fn picture(report: &PipelineReport) -> String {
    let mut svg = Svg(String::new());
    let end_ns = report.timeline.iter().map(|span| span.end_ns).max().unwrap_or(0);
    svg.put(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="Timeline of a pipeline"><style>{STYLE}</style>
<rect class="pipeline-page" width="{WIDTH}" height="{HEIGHT}"/>
"#
    ));
    svg.text(LEFT, 22.0, format_args!("{}", Caption(report)));
    let scale = (RIGHT - LEFT) / end_ns.max(1) as f64;
    svg.axis(end_ns, scale);
    for (row, lane) in Lane::ALL.into_iter().enumerate() {
        let y = TOP + ROW * row as f64;
        svg.text(12.0, y + 21.0, format_args!("{lane}"));
        let of_lane = report.timeline.iter().filter(|span| span.lane == lane);
        of_lane.for_each(|span| svg.bar(span, y, scale));
    }
    svg.put(format_args!("</svg>\n"));
    svg.0
}

/// The line above the bars. What was drawn and where, in numbers.
struct Caption<'a>(&'a PipelineReport);

impl std::fmt::Display for Caption<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PipelineReport { backend, batches, overlap, timeline, .. } = self.0;
        let shown = timeline.len() / Lane::ALL.len();
        write!(formatter, "{shown} of {batches} batches on {backend}")?;
        match (backend, overlap.efficiency) {
            (BackendKind::Cuda, Some(of_one)) => {
                write!(formatter, ", {:.1} % of the three-stage bound", of_one * 100.0)
            }
            (BackendKind::HostSimulated, _) => {
                write!(formatter, ", in an order drawn at random: no measurement")
            }
            _ => Ok(()),
        }
    }
}

struct Svg(String);

impl Svg {
    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.0.write_fmt(arguments).expect("a string takes whatever is written to it");
    }

    fn text(&mut self, x: f64, y: f64, words: std::fmt::Arguments<'_>) {
        self.put(format_args!(
            "<text class=\"pipeline-text\" x=\"{x}\" y=\"{y}\">{words}</text>\n"
        ));
    }

    fn bar(&mut self, span: &Span, y: f64, scale: f64) {
        let Span { batch, lane, start_ns, end_ns } = *span;
        let x = LEFT + start_ns as f64 * scale;
        // A bar that is too short to see is still drawn.
        let width = (end_ns.saturating_sub(start_ns) as f64 * scale).max(0.5);
        let shade = batch % 2;
        self.put(format_args!(
            "<rect class=\"pipeline-{lane}{shade}\" x=\"{x:.2}\" y=\"{y}\" width=\"{width:.2}\" height=\"{BAR}\"><title>batch {batch}, {lane}: {} to {}</title></rect>\n",
            Time::of(start_ns, start_ns.max(end_ns)),
            Time::of(end_ns, start_ns.max(end_ns)),
        ));
        let digits = batch.checked_ilog10().unwrap_or(0) + 1;
        if width > DIGIT * (f64::from(digits) + 1.0) {
            let (middle, baseline) = (x + width / 2.0, y + 20.0);
            self.put(format_args!(
                "<text class=\"pipeline-number\" x=\"{middle:.2}\" y=\"{baseline}\">{batch}</text>\n"
            ));
        }
    }

    /// A line under the bars with a mark at every round time.
    fn axis(&mut self, end_ns: u64, scale: f64) {
        self.line([LEFT, AXIS], [RIGHT, AXIS]);
        let step_ns = round_step(end_ns);
        let mut at_ns = 0;
        while at_ns <= end_ns {
            let x = LEFT + at_ns as f64 * scale;
            self.line([x, TOP - 4.0], [x, AXIS + 4.0]);
            self.put(format_args!(
                "<text class=\"pipeline-text\" x=\"{x:.2}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                AXIS + 18.0,
                Time::of(at_ns, end_ns)
            ));
            at_ns += step_ns;
        }
    }

    fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        self.put(format_args!(
            "<line class=\"pipeline-line\" x1=\"{x1:.2}\" y1=\"{y1}\" x2=\"{x2:.2}\" y2=\"{y2}\"/>\n"
        ));
    }
}

/// The smallest of 1, 2, 5, 10, 20, ... nanoseconds that gives no more marks than there is room for.
fn round_step(end_ns: u64) -> u64 {
    let steps = (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let mut fitting = steps.filter(|&step_ns| end_ns as f64 / step_ns as f64 <= TICKS);
    fitting.next().unwrap_or(u64::MAX / 2)
}

/// A moment in the unit that the longest one asks for.
struct Time {
    value: f64,
    unit: &'static str,
}

impl Time {
    fn of(ns: u64, longest_ns: u64) -> Self {
        let (unit, unit_ns) = match longest_ns {
            0..10_000 => ("ns", 1.0),
            10_000..10_000_000 => ("us", 1e3),
            10_000_000..10_000_000_000 => ("ms", 1e6),
            _ => ("s", 1e9),
        };
        Self { value: ns as f64 / unit_ns, unit }
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Three decimals at most, and none that say nothing.
        let text = format!("{:.3}", self.value);
        write!(formatter, "{} {}", text.trim_end_matches('0').trim_end_matches('.'), self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::two_batches;
    use super::*;

    #[test]
    fn every_span_is_a_bar_in_its_lane_and_carries_its_number() {
        let svg = picture(&two_batches());
        let count = |text: &str| svg.matches(text).count();
        for lane in Lane::ALL {
            assert_eq!(count(&format!("class=\"pipeline-{lane}0\"")), 1, "{svg}");
            assert_eq!(count(&format!("class=\"pipeline-{lane}1\"")), 1, "{svg}");
            assert_eq!(count(&format!(">{lane}</text>")), 1, "{svg}");
        }
        assert_eq!(count("class=\"pipeline-number\""), 6);
        assert_eq!((count("<svg "), count("</svg>")), (1, 1));
        assert!(svg.contains("2 of 2 batches on cuda"), "{svg}");
        assert!(svg.contains("<title>batch 1, download: 3000.001 us to 4000 us</title>"), "{svg}");
    }

    #[test]
    fn bars_lie_on_the_scale_and_none_leaves_the_picture() {
        let svg = picture(&two_batches());
        let scale = (RIGHT - LEFT) / 4_000_000.0;
        let x = LEFT + 3_000_001.0 * scale;
        assert!(svg.contains(&format!("x=\"{x:.2}\" y=\"{}\"", TOP + 2.0 * ROW)), "{svg}");
        assert!((x + 999_999.0 * scale - RIGHT).abs() < 1e-9);
        let times: Vec<_> = svg.lines().filter(|line| line.contains("text-anchor")).collect();
        assert_eq!(times.len(), 10, "0 to 4000 us in steps of 500, and the style: {times:?}");
    }

    #[test]
    fn a_run_without_times_is_an_empty_picture() {
        let mut report = two_batches();
        report.timeline.clear();
        report.overlap.efficiency = None;
        let svg = picture(&report);
        assert!(svg.contains("0 of 2 batches on cuda<"), "{svg}");
        assert!(!svg.contains("<title>") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn steps_are_round_and_leave_room() {
        let cases = [(0, 1), (7, 1), (9, 2), (80, 10), (4_000_000, 500_000), (u64::MAX, 5 << 61)];
        for (end_ns, _) in cases {
            let step_ns = round_step(end_ns);
            assert!(end_ns / step_ns <= 8, "{end_ns}");
        }
        for (end_ns, step_ns) in cases.into_iter().take(5) {
            assert_eq!(round_step(end_ns), step_ns, "{end_ns}");
        }
    }
}
