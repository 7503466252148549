//! Does a piece of my own work keep its promise?
#![expect(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;

use gpu_core::Clock;
use slo_bench::{Contract, Quantile, Recorder};

const CONTRACT: &str = r#"
    name = "sort"
    workload = "sort"
    device = "host"
    n = 10_000
    iterations = 1_000
    [limits_ms]
    p50 = 5.0
    p99 = 20.0
"#;

fn main() -> slo_bench::Result<()> {
    let contract = Contract::parse(CONTRACT, Path::new("sort.toml"), &["sort"])?;
    let mut recorder = Recorder::new(&contract.limits_ns(), contract.iterations);
    let clock = Clock::real();
    for _ in 0..contract.iterations {
        let mut numbers: Vec<usize> = (0..contract.n).map(|i| i * 7919 % contract.n).collect();
        let start = clock.now();
        numbers.sort_unstable();
        let elapsed = clock.now() - start;
        recorder.record(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
    }
    println!("p99.9 {:?} ns", recorder.quantile(Quantile::P999));
    for clause in contract.judge(&recorder) {
        println!("{} {}: {}", clause.verdict, clause.promise, clause.seen);
    }
    Ok(())
}
