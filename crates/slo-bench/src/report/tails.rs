//! Which stages slow iterations come from, as a table for people.
//!
//! Every value is of a pass with events, and said to be.

use crate::attribution::Attribution;

/// What the tables hold, once for all of them.
pub(super) const WORDS: &str = "Slow iterations by stage, in us, of a pass apart from the samples whose iterations \
    carry events; these cost time, so the percentiles are those of that pass. `host` is the wall time that no event \
    covers: launching, queueing, waking up. Any other stage lasts from the event before it to its own, so a host that \
    is late with the next launch shows there. Shares are of what the slowest iterations take more than usual ones, \
    the middle tenth.";

/// The head of a table and its rows: usual iterations, each tail, and the slowest ones.
pub(super) fn table(attribution: &Attribution) -> (Vec<String>, Vec<Vec<String>>) {
    let Attribution { iterations, stages, usual_ns, tails, worst } = attribution;
    let mut head = vec![format!("of {iterations} iterations"), "wall".to_owned()];
    head.extend(stages.iter().cloned());
    let mut rows = vec![row("usual".to_owned(), usual_ns.iter().sum(), usual_ns)];
    for tail in tails {
        let name = format!("{} from {} up: more", tail.iterations, tail.quantile);
        let total = format!("{:+.1}", tail.excess_total_ns() as f64 / 1e3);
        let shares = tail.shares();
        let cells = tail.excess_ns.iter().zip(shares).zip(&tail.largest_in);
        let cells = cells.map(|((&excess, share), largest_in)| {
            // Adding 0 takes the sign from a rounded -0.
            let (us, percent) = (excess as f64 / 1e3, (share * 100.0).round() + 0.0);
            format!("{us:+.1} ({percent} %, largest in {largest_in})")
        });
        rows.push([name, total].into_iter().chain(cells).collect());
    }
    rows.extend(worst.iter().map(|example| {
        row(format!("number {}", example.iteration), example.wall_ns, &example.stages_ns)
    }));
    (head, rows)
}

fn row(name: String, wall_ns: u64, stages_ns: &[u64]) -> Vec<String> {
    let us = |&ns: &u64| format!("{:.1}", ns as f64 / 1e3);
    [name, us(&wall_ns)].into_iter().chain(stages_ns.iter().map(us)).collect()
}
