//! The timeline as trace events: what Perfetto and `chrome://tracing` read.
//!
//! Every text in it is a name of ours or a number, so nothing needs escaping.

use std::fmt::Write as _;

use super::PipelineReport;
use crate::lane::Lane;

/// All spans of `report`, in JSON. Times are in microseconds, as the format wants.
pub(super) fn events(report: &PipelineReport) -> String {
    let mut all = String::from("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n");
    let backend = report.backend;
    write_all(
        &mut all,
        format_args!(
            r#"{{"ph":"M","pid":1,"name":"process_name","args":{{"name":"pipeline on {backend}"}}}}"#
        ),
    );
    for lane in Lane::ALL {
        let thread = thread(lane);
        write_all(
            &mut all,
            format_args!(
                concat!(
                    ",\n",
                    r#"{{"ph":"M","pid":1,"tid":{thread},"name":"thread_name","args":{{"name":"{lane}"}}}}"#,
                    ",\n",
                    r#"{{"ph":"M","pid":1,"tid":{thread},"name":"thread_sort_index","args":{{"sort_index":{thread}}}}}"#,
                ),
                thread = thread,
                lane = lane,
            ),
        );
    }
    for span in &report.timeline {
        let (thread, batch) = (thread(span.lane), span.batch);
        let start = Microseconds(span.start_ns);
        let duration = Microseconds(span.end_ns.saturating_sub(span.start_ns));
        write_all(
            &mut all,
            format_args!(
                concat!(
                    ",\n",
                    r#"{{"ph":"X","pid":1,"tid":{thread},"name":"batch {batch}","cat":"{lane}","ts":{start},"dur":{duration},"args":{{"batch":{batch}}}}}"#
                ),
                thread = thread,
                batch = batch,
                lane = span.lane,
                start = start,
                duration = duration,
            ),
        );
    }
    all.push_str("\n]}\n");
    all
}

fn thread(lane: Lane) -> u8 {
    match lane {
        Lane::Upload => 1,
        Lane::Compute => 2,
        Lane::Download => 3,
    }
}

fn write_all(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes whatever is written to it");
}

/// Nanoseconds, shown as microseconds without loss.
struct Microseconds(u64);

impl std::fmt::Display for Microseconds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::tests::two_batches;
    use super::*;

    #[test]
    fn the_trace_names_its_lanes_and_holds_every_span() {
        let trace: Value = serde_json::from_str(&events(&two_batches())).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let of = |phase: &'static str| events.iter().filter(move |event| event["ph"] == phase);
        let names: Vec<_> = of("M")
            .filter(|event| event["name"] == "thread_name")
            .map(|event| event["args"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["upload", "compute", "download"]);
        assert_eq!(of("X").count(), 6);
        let last = of("X").next_back().unwrap();
        assert_eq!((&last["name"], &last["tid"]), (&Value::from("batch 1"), &Value::from(3)));
        assert_eq!(last["ts"].as_f64(), Some(3000.001));
        assert_eq!(last["dur"].as_f64(), Some(999.999));
    }
}
